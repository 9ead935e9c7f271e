"""How the attention function reaches the model, and acts only inside of a run.

transformers calls it in every layer, after the rotary embedding. It is registered as an attention
implementation, installed in a model's configuration for the time of a run, and follows what the
context of the caller says: a call from anywhere else goes to the model's own implementation.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from transformers import AttentionInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from segviz.attention import RowPlan, attend, fused_attention, row_plan
from segviz.segments import Segmentation

if TYPE_CHECKING:
    from transformers import PreTrainedModel

IMPLEMENTATION = "segviz"
"""The name under which transformers knows the attention function."""

# What some models add to the scores and a plain softmax of q·k does not know.
_UNSUPPORTED = ("softcap", "s_aux", "position_bias")

Observer = Callable[[int, int, torch.Tensor, "int | None", float], None]
"""Called in every layer with (layer, first row, queries, sliding window, scale).

The queries are ``[batch, query head, row, head_dim]``; only decoded rows come several in a batch.
"""

OutputObserver = Callable[[int, int, torch.Tensor], None]
"""Called behind every layer's attention with (layer, first row, output)."""


@dataclass(slots=True)
class Activity:
    """What the attention function does during one run.

    Args:
        segmentation: of the prompt; every row behind it is decoded, one at a time. Several
            sequences may decode together, each one a row of a batch.
        observe: sees the queries of every layer; an exception from it ends the run.
        observe_output: sees what attention puts out, ``[batch, query head, row, head_dim]``.
    """

    segmentation: Segmentation
    observe: Observer
    observe_output: OutputObserver
    calls: int = 0
    _plans: dict[tuple[int, int | None, torch.device], RowPlan] = field(default_factory=dict)

    def attend(
        self,
        layer: int,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        scale: float,
        window: int | None,
    ) -> torch.Tensor:
        """Attention of the rows at hand under the mask of this run."""
        start = key.shape[2] - query.shape[2]
        self.calls += 1
        self.observe(layer, start, query, window, scale)
        output = self._output(query, key, value, scale, window)
        self.observe_output(layer, start, output)
        return output

    def _output(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        scale: float,
        window: int | None,
    ) -> torch.Tensor:
        rows, stop = query.shape[2], key.shape[2]
        if window is not None and window >= stop:
            window = None
        if rows == 1 and window is None:
            # A decoded row, or the last one of the prompt: it sees all keys.
            return fused_attention(query, key, value, scale)
        if rows == 1 and window is not None and stop > self.segmentation.length:
            recent = slice(stop - window, stop)
            return fused_attention(query, key[:, :, recent], value[:, :, recent], scale)
        if stop != self.segmentation.length:
            raise RuntimeError(
                f"the model computes rows {stop - rows} to {stop - 1} in one pass; segviz takes "
                f"the rows of a prompt up to its end, at {self.segmentation.length}, and behind it "
                "one row at a time"
            )
        return attend(query, key, value, self._plan(stop - rows, window, query.device), scale)

    def _plan(self, start: int, window: int | None, device: torch.device) -> RowPlan:
        """The plan of a pass, worked out in its first layer with this window."""
        wanted = (start, window, device)
        if wanted not in self._plans:
            self._plans[wanted] = row_plan(self.segmentation, start, window, device)
        return self._plans[wanted]


_activity: ContextVar[Activity | None] = ContextVar("segviz_activity", default=None)


def current_activity() -> Activity | None:
    """What the model's calls in this context follow; None outside of a run."""
    return _activity.get()


@contextmanager
def active(activity: Activity) -> Iterator[Activity]:
    """Make the model's calls in this context follow ``activity``."""
    token = _activity.set(activity)
    try:
        yield activity
    finally:
        _activity.reset(token)


@dataclass(slots=True)
class _Installation:
    original: str
    users: int = 0


_installations: dict[int, _Installation] = {}
_installing = threading.Lock()


@contextmanager
def installed(model: PreTrainedModel) -> Iterator[None]:
    """Route the model's attention through segviz; give back its own implementation at the end.

    Models may share a configuration, and runs may overlap in threads: the last one to leave
    restores. What somebody else set in the meantime stays.
    """
    configs = _configs(model)
    with _installing:
        for identity, config in configs.items():
            if config._attn_implementation != IMPLEMENTATION:
                original = config._attn_implementation or "eager"
                users = _installations[identity].users if identity in _installations else 0
                _installations[identity] = _Installation(original, users)
                config._attn_implementation = IMPLEMENTATION
            _installations[identity].users += 1
    try:
        yield
    finally:
        with _installing:
            for identity, config in configs.items():
                installation = _installations[identity]
                installation.users -= 1
                if installation.users == 0:
                    del _installations[identity]
                    if config._attn_implementation == IMPLEMENTATION:
                        config._attn_implementation = installation.original


def _configs(model: PreTrainedModel) -> dict[int, Any]:
    """The configurations that name an attention implementation, by identity."""
    configs = (getattr(module, "config", None) for module in model.modules())
    return {id(config): config for config in configs if hasattr(config, "_attn_implementation")}


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """What transformers calls in every layer while segviz is installed."""
    activity = _activity.get()
    if activity is None:
        original = _original_attention(module)
        return original(
            module,
            query,
            key,
            value,
            attention_mask,
            scaling=scaling,
            sliding_window=sliding_window,
            **kwargs,
        )
    for name in _UNSUPPORTED:
        if kwargs.get(name) is not None:
            raise NotImplementedError(
                f"{type(module).__name__} uses {name!r}, which changes the scores before the "
                "softmax; segviz supports plain attention, as in Llama, Qwen2, Qwen3 and Mistral"
            )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    output = activity.attend(module.layer_idx, query, key, value, scale, sliding_window)
    return output.transpose(1, 2).contiguous(), None


def _mask(*args: Any, config: Any = None, **kwargs: Any) -> Any:
    """What transformers calls for a mask: none is needed inside a run."""
    if _activity.get() is not None:
        return None
    original = ALL_MASK_ATTENTION_FUNCTIONS.get(_original_name(config))
    return None if original is None else original(*args, config=config, **kwargs)


def _original_name(config: Any) -> str:
    # A run that ends in another thread between a call's mask and its attention has put the
    # original back, and then the configuration itself names it.
    installation = _installations.get(id(config))
    return installation.original if installation else config._attn_implementation


def _original_attention(module: Any) -> Callable[..., Any]:
    name = _original_name(module.config)
    if name in ALL_ATTENTION_FUNCTIONS:
        return ALL_ATTENTION_FUNCTIONS[name]
    # Eager attention is in no registry: every modelling module has its own.
    for cls in type(module).__mro__:
        eager = getattr(sys.modules.get(cls.__module__), "eager_attention_forward", None)
        if eager is not None:
            return eager
    raise RuntimeError(
        f"{type(module).__name__} was called while segviz runs the same model in another thread, "
        f"and its own attention ({name!r}) could not be found"
    )


AttentionInterface.register(IMPLEMENTATION, _attention)
# Without the second one transformers would silently pass no mask to calls outside of a run.
AttentionMaskInterface.register(IMPLEMENTATION, _mask)
