"""Attaching: an adapter around a base, through peft; and whether it was made for that base."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segviz.adapter import AdapterInfo, base_fingerprint, same_base

CONFIG = "adapter_config.json"
"""What makes a folder an adapter."""

_WORDS = 160
"""Characters of what peft says that are worth reading."""

_LAYER = re.compile(r"\.layers\.(\d+)\.")


@dataclass(frozen=True)
class Adapter:
    """An adapter that has been found.

    >>> Adapter("adapter/", made_for="Qwen/Qwen2.5-0.5B").info is None
    True

    Args:
        source: a folder, or a name on the hub.
        made_for: the base it was made for, as far as it says so.
        info: what it was tuned for; None of an adapter made elsewhere.
        config: peft's own.
        hub_options: ``token``, ``cache_dir``, ``local_files_only``.
    """

    source: str
    made_for: str | None = None
    info: AdapterInfo | None = None
    config: Any = None
    hub_options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def find(cls, source: str | Path, hub_options: Mapping[str, Any]) -> Adapter:
        """Read what it says of itself, before anything large is loaded.

        Raises:
            ImportError: no peft.
            OSError: an adapter that is not there.
            ValueError: a broken ``segviz.json``.
        """
        source = str(source)
        try:
            from peft import PeftConfig  # noqa: PLC0415 (optional)
        except ImportError as error:
            raise ImportError(
                f"the adapter {source!r} needs peft: pip install 'segviz-attention[finetune]'"
            ) from error
        try:
            config = PeftConfig.from_pretrained(source, **hub_options)
        except Exception as error:
            raise _not_loaded(source, error) from error
        if config.peft_type is None:
            raise _not_loaded(source, ValueError(f"{CONFIG} does not say of which type it is"))
        info = AdapterInfo.read(source, **hub_options)
        made_for = (info and info.base_model) or config.base_model_name_or_path
        return cls(source, made_for or None, info, config, hub_options)

    def attach(self, hf_model: Any, name: str) -> Any:
        """The peft model around a base, whose layers are wrapped in place.

        Args:
            hf_model: the base.
            name: of the base, for the errors.

        Raises:
            OSError: weights that are not there, or are broken.
            ValueError: weights that do not fit the base.
        """
        from peft import PeftModel  # noqa: PLC0415 (optional)
        from peft.utils import load_peft_weights  # noqa: PLC0415

        try:
            weights = load_peft_weights(self.source, device="cpu", **self.hub_options)
        except Exception as error:
            raise _not_loaded(self.source, error) from error
        try:
            _check_layers(hf_model, weights)
            with warnings.catch_warnings():
                # Peft goes on with random weights where the file has none.
                warnings.filterwarnings("error", message="Found missing adapter keys")
                # It asks transformers for something under its former name.
                warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
                return PeftModel.from_pretrained(
                    hf_model, self.source, config=self.config, **self.hub_options
                )
        except (ValueError, RuntimeError, UserWarning) as error:
            reason = _first_words(error)
            if isinstance(error, RuntimeError):
                if "size mismatch" not in str(error):
                    raise  # out of memory, say
                reason = "size mismatch: its weights have other shapes"
            raise ValueError(
                f"the adapter {self.source!r} does not fit {name!r}: it was made for "
                f"{self._made_for}; load it on that ({reason})"
            ) from error

    def doubt(self, hf_model: Any, name: str) -> str | None:
        """A sentence if the base is not the one it was made for; None if it is, or nothing tells.

        The weights decide where both can be seen, or else the names.

        Args:
            hf_model: the base, with or without the adapter.
            name: of the base.
        """
        recorded = self.info.base_fingerprint if self.info else ""
        same = same_base(recorded, base_fingerprint(hf_model)) if recorded else None
        if same is None:
            same = self.made_for is None or _same_name(self.made_for, name)
        if same:
            return None
        return (
            f"the adapter {self.source!r} was made for {self._made_for}, and {name!r} is another "
            "model or holds other weights: answers may be worse than without the adapter"
        )

    @property
    def _made_for(self) -> str:
        if self.made_for is None:
            return "another model"
        version = self.info and self.info.base_adapter
        return f"{self.made_for!r} with adapter={version!r}" if version else repr(self.made_for)


def _check_layers(hf_model: Any, weights: Mapping[str, Any]) -> None:
    """Peft leaves out what it finds no layer for, without a word."""
    layers = hf_model.config.get_text_config(decoder=True).num_hidden_layers
    numbers = [int(found[1]) for key in weights if (found := _LAYER.search(key))]
    if max(numbers, default=0) >= layers:
        raise ValueError(f"it has weights for layer {max(numbers)} of a model with {layers} layers")


def _not_loaded(source: str, error: Exception) -> OSError:
    return OSError(
        f"the adapter {source!r} could not be loaded: {_first_words(error)}\n"
        f"An adapter is a folder, or a name on the hub, with {CONFIG} and its weights"
    )


def _first_words(error: Exception) -> str:
    """What peft says; a list of shapes or of keys may follow it."""
    first = str(error).strip().replace("\n\t", " ").split("\n", 1)[0]
    return first if len(first) <= _WORDS else first[:_WORDS].rstrip() + " …"


def _same_name(one: str, other: str) -> bool:
    """Whether one is called after the other: ``owner/name`` is ``cache/models--owner--name/…``."""
    parts, others = ([x for x in re.split(r"[/\\]|--", n.lower()) if x] for n in (one, other))
    return parts[-1] in others or others[-1] in parts
