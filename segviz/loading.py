"""Loading models: the embedded ones, and any Llama or Qwen of the hub or a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from segviz import tiny
from segviz.memory import Offload
from segviz.model import Model
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

_DEFAULT: Final = _Default.ADAPTER


def load(
    name: str | Path = "tiny-llama",
    adapter: str | Path | _Default | None = _DEFAULT,
    *,
    dtype: str | torch.dtype = "auto",
    device: str | torch.device | None = None,
    offload: Offload | None = None,
    **options: Any,
) -> Model:
    """Load a model and its tokenizer.

    >>> import segviz as sv
    >>> sv.load().default_mask
    'segment'
    >>> print(sv.load("tiny-llama", adapter=None).default_mask)
    None

    Args:
        name: ``"tiny-llama"`` is embedded: it needs no network and no GPU. Anything else goes to
            ``from_pretrained``: a folder, or a name on the hub.
        adapter: of the embedded model ``"segment"`` (the default), ``"causal"`` or None, its
            causal base. Of any other model a LoRA adapter's folder or hub name, through peft.
        dtype: of the weights; ``"auto"`` is the checkpoint's (the embedded model runs in float32).
        device: where to put it; by default the first GPU, where there is one, and the CPU for the
            embedded model.
        offload: ``"cpu"`` moves what a run captures to main memory, see :class:`segviz.Model`.
        options: passed on to ``AutoModelForCausalLM.from_pretrained``, as they are. With
            ``device_map="auto"`` the layers spread over all GPUs, main memory and the disk; with
            ``quantization_config=BitsAndBytesConfig(load_in_4bit=True)`` the weights take 4 bits.
            ``revision``, ``token`` and the like go to the tokenizer, too.

    Raises:
        ValueError: both ``device`` and ``device_map``; an unknown ``offload``.
        OSError: a name that cannot be fetched: offline, gated or misspelt.
        ImportError: an adapter without peft.
        NotImplementedError: an architecture that is not supported.
    """
    mapped = options.get("device_map") is not None
    if mapped and device is not None:
        raise ValueError(
            f"device={str(device)!r} and device_map={options['device_map']!r} both say where the "
            "model goes: leave one of them out"
        )
    if str(name) in tiny.NAMES:
        variant = "segment" if adapter is _DEFAULT else adapter
        return _load_embedded(str(name), variant, dtype, device, offload, options)
    adapter = None if adapter is _DEFAULT else adapter
    shared = {key: options[key] for key in _TOKENIZER_OPTIONS if key in options}
    try:
        hf_model: Any = AutoModelForCausalLM.from_pretrained(name, dtype=dtype, **options)
        tokenizer = AutoTokenizer.from_pretrained(name, **shared)
    except (OSError, ValueError) as error:
        raise OSError(
            f"the model {str(name)!r} could not be loaded: {_first_line(error)}\n"
            "If it is on the hub: is the name right, is there a network, and if it is gated, did "
            "you accept its licence and log in (`hf auth login`)? If it is a folder: does it hold "
            "config.json, the weights and the tokenizer? sv.load() without a name gives the "
            "embedded model, which needs no network"
        ) from error
    if adapter is not None:
        hf_model = _with_adapter(hf_model, adapter)
    # A quantized model has been put where it belongs.
    placed = mapped or getattr(hf_model, "hf_quantizer", None) is not None
    if device is not None or not placed:
        hf_model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    return Model(
        hf_model, tokenizer, name=str(name), adapter=adapter and str(adapter), offload=offload
    )


def _load_embedded(
    name: str,
    adapter: Any,
    dtype: str | torch.dtype,
    device: str | torch.device | None,
    offload: Offload | None,
    options: dict[str, Any],
) -> Model:
    folder = tiny.folder(name, adapter)
    # It is stored in half precision and small enough to run in full.
    dtype = "float32" if dtype == "auto" else dtype
    with _no_progress_bar():
        hf_model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **options)
    if options.get("device_map") is None:
        hf_model.to(device or "cpu")
    tuned: dict[str | None, MaskKind] = {"segment": "segment", "causal": "causal"}
    return Model(
        hf_model,
        AutoTokenizer.from_pretrained(folder),
        name=name,
        adapter=adapter,
        default_mask=tuned.get(adapter),
        offload=offload,
    )


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


def _with_adapter(hf_model: Any, adapter: str | Path) -> Any:
    try:
        from peft import PeftModel  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise ImportError(
            f"the adapter {str(adapter)!r} needs peft: pip install 'segviz[finetune]'"
        ) from error
    try:
        return PeftModel.from_pretrained(hf_model, str(adapter))
    except (OSError, ValueError) as error:
        raise OSError(
            f"the adapter {str(adapter)!r} could not be loaded: {_first_line(error)}\n"
            "An adapter is a folder, or a name on the hub, with adapter_config.json and its weights"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
