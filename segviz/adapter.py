"""What an adapter was tuned for: ``segviz.json`` with the base's fingerprint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path
from reprlib import repr as shortened
from typing import Any, get_args

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from segviz import __version__
from segviz.files import whole
from segviz.trace import MaskKind
from segviz.weights import sample

FILE = "segviz.json"

_SHAPE = (
    "model_type",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
)
"""What two copies of one base share; the vocabulary may have grown by a padding token."""

_SAMPLED = 16384
"""Weights of a base whose signs are looked at."""

_DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class AdapterInfo:
    """What an adapter was tuned for and on; a small file beside the weights that peft wrote.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> AdapterInfo("segment", base_model="tiny-llama").save(folder)
    >>> AdapterInfo.read(folder).mask
    'segment'

    Args:
        mask: the mask it was tuned under.
        scheme: how its prompts were written, a name of ``segviz.prompts.SCHEMES``.
        preset: how they were cut into segments, a name of ``segviz.prompts.PRESETS``.
        base_model: the base's name, folder or hub name.
        base_adapter: of an embedded base, the version: ``"segment"``, ``"causal"`` or None.
        base_fingerprint: of its weights, see :func:`base_fingerprint`; ``""`` if unknown.
        data_hash: of the examples.
        seed: of the tuning.
        segviz: the version that tuned it.
    """

    mask: MaskKind
    scheme: str = "chat"
    preset: str = "segment"
    base_model: str = ""
    base_adapter: str | None = None
    base_fingerprint: str = ""
    data_hash: str = ""
    seed: int = 0
    segviz: str = __version__

    def save(self, folder: str | Path) -> None:
        """Write ``segviz.json`` in the adapter's folder.

        Raises:
            FileNotFoundError: no such folder.
        """
        with whole(Path(folder) / FILE, "what an adapter was tuned for") as unfinished:
            unfinished.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, adapter: str | Path, **hub_options: Any) -> AdapterInfo | None:
        """What an adapter says of itself; None where it says nothing, or is not there.

        Entries of later versions are ignored, and what is missing has its default.

        Args:
            adapter: a folder, or a name on the hub.
            hub_options: ``revision``, ``token``, ``cache_dir``, ``local_files_only``.

        Raises:
            ValueError: a file that is broken.
        """
        path = _file(adapter, hub_options)
        if path is None:
            return None
        try:
            return cls(**_entries(json.loads(path.read_text(encoding="utf-8"))))
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(
                f"{str(path)!r} does not say what its adapter was tuned for: {error}. Get the file "
                "anew, or delete it to load the adapter without"
            ) from error


def base_fingerprint(hf_model: Any) -> str:
    """The same for two copies of one base, another one for another base.

    >>> import segviz as sv
    >>> base, tuned = sv.load("tiny-llama", adapter=None), sv.load()
    >>> base_fingerprint(base.hf_model) == base_fingerprint(tuned.hf_model)
    False

    Layers of peft around the weights do not change it, and neither does the dtype: it is made of
    the sizes and of the signs of some weights in the layers, which rounding keeps. Embeddings are
    left out, since a padding token may have been added.

    Args:
        hf_model: a causal language model of transformers, or a peft model around one.

    Returns:
        two hashes, joined by ``-``: of the sizes, and of the signs. The second is missing where
        the weights cannot be seen as they were: quantized, or kept on disk.
    """
    config = hf_model.config.get_text_config(decoder=True)
    sizes = [getattr(config, name, None) for name in _SHAPE]
    signs = _signs(hf_model)
    return f"{_hash(json.dumps(sizes).encode())}-{_hash(signs) if signs else ''}"


def same_base(one: str, other: str) -> bool | None:
    """Whether two fingerprints are of the same base; None where they do not tell.

    >>> same_base("a1-b2", "a1-b2"), same_base("a1-b2", "a1-"), same_base("a1-b2", "c3-")
    (True, None, False)
    """
    (sizes, signs), (other_sizes, other_signs) = one.split("-"), other.split("-")
    if sizes != other_sizes:
        return False
    return signs == other_signs if signs and other_signs else None


def _hash(data: bytes) -> str:
    return sha256(data).hexdigest()[:16]


def _signs(hf_model: Any) -> bytes:
    """The signs of weights from all over the layers, one byte each; none if they cannot be seen."""
    weights = list(_weights(hf_model))
    quantized = getattr(hf_model, "hf_quantizer", None) is not None
    if quantized or any(w.dtype not in _DTYPES or w.device.type == "meta" for w in weights):
        return b""
    each = max(1, _SAMPLED // max(1, len(weights)))
    few = (sample(weight, each)[:each] for weight in weights)
    return b"".join((values > 0).cpu().numpy().tobytes() for values in few)


def _weights(hf_model: Any) -> Iterator[torch.Tensor]:
    """The matrices of the layers, without what peft put around them."""
    outside = [hf_model.get_input_embeddings(), hf_model.get_output_embeddings()]
    left_out = {
        id(weight) for module in outside if module is not None for weight in module.parameters()
    }
    added = tuple(
        f"{path}.{name}."
        for path, module in hf_model.named_modules()
        for name in getattr(module, "adapter_layer_names", ())
    )
    for name, weight in hf_model.named_parameters():
        if weight.ndim > 1 and id(weight) not in left_out and not name.startswith(added):
            yield weight


def _file(adapter: str | Path, hub_options: dict[str, Any]) -> Path | None:
    path = Path(adapter) / FILE
    if Path(adapter).is_dir():
        return path if path.is_file() else None
    try:
        return Path(hf_hub_download(str(adapter), FILE, **hub_options))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError):
        return None


def _entries(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise TypeError(f"it holds {shortened(data)}")
    known = {field.name for field in fields(AdapterInfo)}
    entries = {"segviz": ""} | {name: value for name, value in data.items() if name in known}
    if entries.get("mask") not in get_args(MaskKind):
        raise ValueError(
            f"its mask is {entries.get('mask')!r}; this segviz knows 'causal' and 'segment'"
        )
    for name, value in entries.items():
        allowed = {"seed": int, "base_adapter": str | None}.get(name, str)
        if not isinstance(value, allowed):
            raise TypeError(f"{name!r} is {shortened(value)}")
    recorded = entries.get("base_fingerprint", "")
    if recorded and recorded.count("-") != 1:
        raise ValueError(f"'base_fingerprint' is {shortened(recorded)}")
    return entries
