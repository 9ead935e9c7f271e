"""The embedded tiny models: weights, the world they know, and the script that made them.

>>> from segviz.tiny import folder
>>> folder("tiny-llama", "segment").name
'segment'

`segviz.tiny.world` generates the chats, `segviz.tiny.train` makes the weights from a seed,
`segviz.tiny.accuracy` measures them and `segviz.tiny.examples` holds chats worth looking at. This
module imports neither torch nor transformers.
"""

from __future__ import annotations

from pathlib import Path

NAMES = ("tiny-llama", "tiny-qwen")
ADAPTERS = ("segment", "causal", None)
_WEIGHTS = Path(__file__).parent / "weights"


def folder(name: str, adapter: str | None) -> Path:
    """The folder of an embedded model, as `from_pretrained` takes it.

    `adapter` is "segment" or "causal" for the version tuned under that mask, None for the causal
    base. The tuned versions are merged checkpoints, so that loading them needs no peft.
    """
    if name not in NAMES:
        message = f"There is no embedded model {name!r}; there is {_listed(NAMES)}."
        raise ValueError(message)
    if adapter not in ADAPTERS:
        message = (
            f"The embedded {name} has no adapter {adapter!r}; `adapter` is {_listed(ADAPTERS)}."
        )
        raise ValueError(message)
    return _WEIGHTS / name / (adapter or "base")


def _listed(choices: tuple[str | None, ...]) -> str:
    return " or ".join(map(repr, choices))
