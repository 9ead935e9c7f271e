"""Recipes: how a figure was made, as plain data that a file can carry."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from numbers import Integral, Real
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Colormap

from segviz import __version__
from segviz.comparison import Comparison
from segviz.segments import Segmentation
from segviz.trace import Trace

FORMAT = 1
"""Of the recipes that this version writes and reads."""

Keep = Literal["full", "no-text"]
KEEP: tuple[Keep, ...] = ("full", "no-text")

Subject = Trace | Comparison | Segmentation

# A dict with this key stands for a value that JSON does not have.
_TAG = "$"
_RUN = ("model", "revision", "adapter", "default_mask", "dtype", "max_new_tokens", "seed")
_VERSIONS = ("torch", "transformers")


def recipe_of(
    kind: str, arguments: Mapping[str, Any], subject: Subject, keep: Keep = "full"
) -> dict[str, Any]:
    """The recipe of a figure: what was drawn, with which arguments, of which runs.

    >>> import segviz as sv
    >>> trace = sv.load().trace(sv.examples["chain"])
    >>> recipe = recipe_of("attention", {"layer": 1, "head": 0}, trace)
    >>> recipe["kind"], recipe["arguments"], recipe["traces"][0]["mask"]
    ('attention', {'layer': 1, 'head': 0}, 'segment')
    >>> "tokens" in recipe_of("attention", {}, trace, keep="no-text")["traces"][0]
    False

    Args:
        kind: the name of the function that drew it.
        arguments: what it was called with, but for the subject and ``recipe``. What JSON cannot
            hold is noted by its type only, and has to be given again to draw the figure anew.
        subject: what it shows. A comparison has two traces, the causal one first; a bare
            segmentation has none.
        keep: ``"full"``, or ``"no-text"``: hashes in place of token ids, tokens and answer. A hash
            hides a text that nobody can guess, and no other. The arguments and the names of the
            segments are kept as they are.

    Returns:
        plain dicts and lists, for JSON.

    Raises:
        TypeError: another subject.
        ValueError: another word for ``keep``.
    """
    if keep not in KEEP:
        raise ValueError(
            f"recipe={keep!r} is unknown; allowed are 'full' (with the tokens) and 'no-text' "
            "(with their hash only)"
        )
    if not isinstance(subject, Subject):
        raise TypeError(
            "a figure is that of a Trace, of a Comparison, or, of kind mask, of a Segmentation; "
            f"given was a {type(subject).__name__}"
        )
    recipe: dict[str, Any] = {
        "format": FORMAT,
        "segviz": __version__,
        "kind": kind,
        "keep": keep,
        "arguments": {name: _plain(value) for name, value in arguments.items()},
    }
    if isinstance(subject, Segmentation):
        return {**recipe, "traces": [], "segmentation": subject.to_dict()}
    runs = (subject.causal, subject.segment) if isinstance(subject, Comparison) else (subject,)
    return {**recipe, "traces": [_run(trace, keep) for trace in runs]}


def title_of(recipe: Mapping[str, Any]) -> str:
    """A sentence for the file's title, without a word of the prompt.

    >>> title_of({"kind": "flow", "arguments": {"layer": 3}, "traces": [
    ...     {"model": "tiny-llama", "mask": "segment"}]})
    'flow, layer 3: tiny-llama under the segment mask'
    """
    where = [
        f"{name} {value}"
        for name in ("layer", "head")
        if (value := recipe["arguments"].get(name)) is not None and not isinstance(value, Mapping)
    ]
    what = ", ".join([recipe["kind"], *where])
    models = list(dict.fromkeys(str(one["model"]) for one in recipe["traces"]))
    if not models:
        return what
    masks = " and the ".join(one["mask"] for one in recipe["traces"])
    return f"{what}: {' and '.join(models)} under the {masks} mask"


def ids_hash(token_ids: Iterable[int]) -> str:
    """SHA-256 of token ids, written as decimal numbers with single spaces between them.

    >>> ids_hash([5, 9]) == hashlib.sha256(b"5 9").hexdigest()
    True
    """
    return hashlib.sha256(" ".join(str(int(one)) for one in token_ids).encode()).hexdigest()


def arguments_of(recipe: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a figure as they were, with changes.

    >>> recipe = {"arguments": {"layer": 3, "norm": {"$": "unstored", "type": "LogNorm"}}}
    >>> arguments_of(recipe, {"norm": None})
    {'layer': 3, 'norm': None}

    Raises:
        ValueError: an argument that the recipe could not hold, and that is not among the changes.
    """
    kept = {name: one for name, one in recipe["arguments"].items() if name not in changes}
    for name, value in kept.items():
        if isinstance(value, Mapping) and value.get(_TAG) == "unstored":
            raise ValueError(
                f"the recipe does not hold {name}=, which was a {value['type']}: give it again, "
                f"redraw(…, {name}=…)"
            )
    return {**{name: _restored(one) for name, one in kept.items()}, **changes}


def _run(trace: Trace, keep: Keep) -> dict[str, Any]:
    made = {name: trace.recipe.get(name) for name in (*_RUN, *_VERSIONS)}
    entry = {
        **{name: _plain(value) for name, value in made.items()},
        "options": _plain(trace.recipe.get("options") or {}),
        "mask": trace.mask_kind,
        "segmentation": trace.segmentation.to_dict(),
        "prompt_length": trace.prompt_length,
        "prompt_sha256": ids_hash(trace.token_ids[: trace.prompt_length]),
        "tokens_sha256": ids_hash(trace.token_ids),
    }
    if keep == "full":
        entry |= {
            "token_ids": list(map(int, trace.token_ids)),
            "tokens": list(trace.tokens),
            "generated_text": trace.generated_text,
        }
    return entry


def _plain(value: Any) -> Any:
    """A value as JSON has it, or a tagged dict."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real) and math.isfinite(value):
        return float(value)
    return _gathered(value)


def _gathered(value: Any) -> Any:
    """What is no single number or word, likewise."""
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, Sequence | AbstractSet):
        ordered = sorted(value, key=repr) if isinstance(value, AbstractSet) else value
        items = [_plain(one) for one in ordered]
        return next((one for one in items if _is_unstored(one)), items)
    if isinstance(value, Segmentation):
        return {_TAG: "segmentation", **value.to_dict()}
    if isinstance(value, Colormap) and mpl.colormaps.get(value.name) == value:
        return value.name
    return {_TAG: "unstored", "type": type(value).__name__}


def _mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    items = [(_plain(name), _plain(one)) for name, one in value.items()]
    unstored = next((one for pair in items for one in pair if _is_unstored(one)), None)
    if unstored is not None:
        return unstored
    if all(isinstance(name, str) and name != _TAG for name, _ in items):
        return dict(items)
    return {_TAG: "dict", "items": [list(pair) for pair in items]}


def _is_unstored(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get(_TAG) == "unstored"


def _restored(value: Any) -> Any:
    if isinstance(value, list):
        return [_restored(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    tag = value.get(_TAG)
    if tag == "segmentation":
        return Segmentation.from_dict({"segments": value["segments"]})
    if tag == "dict":
        return {_restored(name): _restored(one) for name, one in value["items"]}
    return {name: _restored(one) for name, one in value.items()}
