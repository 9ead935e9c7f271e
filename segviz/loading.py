"""Loading models: the embedded ones, and any Llama or Qwen of the hub or a folder."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Any, Final, get_args

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from segviz import tiny
from segviz.attaching import CONFIG, Adapter
from segviz.memory import Offload
from segviz.model import Model
from segviz.prompts import PRESETS, checked_name, checked_scheme
from segviz.tiny.tokenizer import saved_tokenizer
from segviz.trace import MaskKind


class _Default(Enum):
    """Stands for an adapter that was not named: None means the base."""

    ADAPTER = "segment"


# What concerns the repository, and not the weights.
_TOKENIZER_OPTIONS = (
    "revision",
    "token",
    "cache_dir",
    "local_files_only",
    "subfolder",
    "trust_remote_code",
)

# The adapter is another repository, of another revision.
_ADAPTER_OPTIONS = ("token", "cache_dir", "local_files_only")

# What torch can have as the type of a model's weights.
_DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)

_DEFAULT: Final = _Default.ADAPTER


def load(
    name: str | Path = "tiny-llama",
    adapter: str | Path | _Default | None = _DEFAULT,
    *,
    dtype: str | torch.dtype = "auto",
    device: str | torch.device | None = None,
    offload: Offload | None = None,
    default_mask: MaskKind | None = None,
    scheme: str | None = None,
    preset: str | None = None,
    **options: Any,
) -> Model:
    """Load a model and its tokenizer.

    >>> import segviz as sv
    >>> sv.load().default_mask
    'segment'
    >>> print(sv.load("tiny-llama", adapter=None).default_mask)
    None

    Args:
        name: ``"tiny-llama"`` and ``"tiny-qwen"`` are embedded: they need no network and no GPU.
            Anything else goes to ``from_pretrained``: a folder, or a name on the hub.
        adapter: a LoRA adapter's folder or hub name, through peft. Of an embedded model a folder,
            or ``"segment"`` (the default), ``"causal"`` or None, its causal base.
        dtype: of the weights; ``"auto"`` is the checkpoint's (the embedded model runs in float32).
        device: where to put it; by default the first GPU, where there is one, and the CPU for the
            embedded model.
        offload: ``"cpu"`` moves what a run captures to main memory, see :class:`segviz.Model`.
        default_mask: the mask the adapter was tuned for. By default what its ``segviz.json`` says;
            adapters made elsewhere have none.
        scheme: how its prompts were written, likewise; ``"commonsense"`` for the adapters of Katz
            et al. (arXiv 2412.18487).
        preset: how those were cut into segments, likewise.
        options: passed on to ``AutoModelForCausalLM.from_pretrained``, as they are. With
            ``device_map="auto"`` the layers spread over all GPUs, main memory and the disk; with
            ``quantization_config=BitsAndBytesConfig(load_in_4bit=True)`` the weights take 4 bits.
            ``revision``, ``token`` and the like go to the tokenizer, too.

    A warning tells of an adapter that was made for another base: by a fingerprint of the weights in
    its ``segviz.json``, or else by the base's name.

    Raises:
        ValueError: a misspelt embedded model; both ``device`` and ``device_map``; an unknown
            ``dtype``, ``offload``, mask, scheme or preset; an adapter whose weights do not fit, or
            whose ``segviz.json`` is broken.
        OSError: a name that cannot be fetched: offline, gated or misspelt; no such folder.
        ImportError: an adapter without peft.
        NotImplementedError: an architecture that is not supported.
    """
    mapped = options.get("device_map") is not None
    if mapped and device is not None:
        raise ValueError(
            f"device={str(device)!r} and device_map={options['device_map']!r} both say where the "
            "model goes: leave one of them out"
        )
    name = _checked_name(name)
    embedded = str(name) in tiny.NAMES
    if adapter is _DEFAULT:
        adapter = "segment" if embedded else None
    # What can be refused is, before the weights are loaded.
    _check_dtype(dtype)
    version, found = _found(str(name), adapter, options)
    tuned_for = _tuned_for(version, found, default_mask, scheme, preset)
    if embedded:
        hf_model, tokenizer = _embedded(str(name), version, dtype, options)
    else:
        hf_model, tokenizer = _fetched(name, dtype, options)
    if found is not None:
        hf_model = found.attach(hf_model, str(name))
        if doubt := found.doubt(hf_model, str(name)):
            warnings.warn(doubt, stacklevel=2)
    # A quantized model has been put where it belongs.
    if device is not None or not (mapped or getattr(hf_model, "hf_quantizer", None)):
        usual = "cuda" if torch.cuda.is_available() and not embedded else "cpu"
        hf_model.to(device or usual)
    called = None if adapter is None else str(adapter)
    return Model(hf_model, tokenizer, name=str(name), adapter=called, offload=offload, **tuned_for)


def _checked_name(name: str | Path) -> str | Path:
    """A name that may be one, without asking the hub."""
    text = str(name)
    if text in tiny.NAMES:
        return name
    if text.startswith("~"):
        name = Path(text).expanduser()
    if Path(name).is_dir():
        return name
    if text.startswith((".", "/", "~")):
        raise FileNotFoundError(
            f"there is no folder {text!r}: give one that from_pretrained can read, the name of a "
            "model on the hub (owner/name), or nothing for the embedded model"
        )
    if "/" not in text and (meant := get_close_matches(text, tiny.NAMES)):
        raise ValueError(
            f"there is no model {text!r}: did you mean {meant[0]!r}? A model on the hub is written "
            "owner/name"
        )
    return name


def _check_dtype(dtype: Any) -> None:
    # Of what is neither, such as a mapping, transformers says by itself what it takes.
    if dtype == "auto" or not isinstance(dtype, str | torch.dtype):
        return
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if found not in _DTYPES:
        names = [str(one).removeprefix("torch.") for one in _DTYPES]
        raise ValueError(
            f"dtype={dtype!r} is no dtype of weights; allowed are 'auto', "
            f"{', '.join(map(repr, names))}, and these of torch ({_DTYPES[0]}, …)"
        )


def _found(name: str, adapter: Any, options: dict[str, Any]) -> tuple[str | None, Adapter | None]:
    """Which version of an embedded model to load, and the adapter to put around it."""
    embedded = name in tiny.NAMES
    if adapter is None or (embedded and adapter in tiny.ADAPTERS):
        return adapter, None
    if embedded and not (Path(adapter) / CONFIG).is_file():
        versions = ", ".join(map(repr, tiny.ADAPTERS))
        raise ValueError(
            f"the embedded {name} has no adapter {str(adapter)!r}; allowed are {versions}, and the "
            f"folder of a LoRA adapter, with its {CONFIG}"
        )
    hub_options = {key: options[key] for key in _ADAPTER_OPTIONS if key in options}
    found = Adapter.find(adapter, hub_options)
    return found.info.base_adapter if found.info else None, found


def _tuned_for(
    version: str | None,
    found: Adapter | None,
    default_mask: str | None,
    scheme: str | None,
    preset: str | None,
) -> dict[str, Any]:
    """The mask, the scheme and the preset: as given, or else as the adapter says."""
    info = found and found.info
    # A version of an embedded model is called after the mask it was tuned for.
    mask = default_mask or (info.mask if info else None if found else version)
    if mask is not None:
        checked_name(mask, get_args(MaskKind), "default_mask")
    return {
        "default_mask": mask,
        "scheme": checked_scheme(scheme or (info.scheme if info else "chat")),
        "preset": checked_name(preset or (info.preset if info else "segment"), PRESETS, "preset"),
    }


def _fetched(
    name: str | Path, dtype: str | torch.dtype, options: dict[str, Any]
) -> tuple[Any, Any]:
    """A model and its tokenizer, of a folder or of the hub."""
    shared = {key: options[key] for key in _TOKENIZER_OPTIONS if key in options}
    try:
        hf_model = AutoModelForCausalLM.from_pretrained(name, dtype=dtype, **options)
        return hf_model, AutoTokenizer.from_pretrained(name, **shared)
    except (OSError, ValueError) as error:
        raise OSError(
            f"the model {str(name)!r} could not be loaded: {_first_line(error)}\n"
            "If it is on the hub: is the name right, is there a network (without one, "
            "HF_HUB_OFFLINE=1 spares the waiting), and if it is gated, did you accept its licence "
            "and log in (`hf auth login`)? If it is a folder: does it hold "
            "config.json, the weights and the tokenizer? sv.load() without a name gives the "
            "embedded model, which needs no network"
        ) from error


def _embedded(
    name: str, version: str | None, dtype: str | torch.dtype, options: dict[str, Any]
) -> tuple[Any, Any]:
    folder = tiny.folder(name, version)
    # It is stored in half precision and small enough to run in full.
    dtype = "float32" if dtype == "auto" else dtype
    with _no_progress_bar():
        hf_model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **options)
    return hf_model, saved_tokenizer(folder)


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """A bar is for what takes time."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
