"""The attention function of a run: segment by segment, and how it reaches the model.

A segment mask is a staircase of rectangles, so almost no mask tensor is needed: the query rows are
cut into blocks, and each block is one call of ``scaled_dot_product_attention`` against the keys up
to its end. transformers calls the function through its attention interface, after the rotary
embedding; it is installed for the time of a run only, and acts only inside of it.
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
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from segviz.masks import segment_mask
from segviz.segments import Segmentation

if TYPE_CHECKING:
    from transformers import PreTrainedModel

IMPLEMENTATION = "segviz"
"""The name under which transformers knows the attention function."""

# What some models add to the scores and a plain softmax of q·k does not know.
_UNSUPPORTED = ("softcap", "s_aux", "position_bias")


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Neighbouring query rows ``[start, stop)`` that one call of the kernel serves.

    A bidirectional block is one segment: every row sees all keys before ``stop``. A causal block
    may join several segments: a row sees the keys up to its own position.
    """

    start: int
    stop: int
    causal: bool


def row_blocks(segmentation: Segmentation, start: int = 0) -> list[RowBlock]:
    """Cut the query rows from ``start`` on into as few blocks as the mask allows.

    >>> from segviz.segments import Segment
    >>> segmentation = Segmentation([Segment(0, 1, "bos", "causal"), Segment(1, 2, "x", "causal"),
    ...                              Segment(2, 6, "user"), Segment(6, 7, "assistant", "causal")])
    >>> row_blocks(segmentation)
    [RowBlock(start=0, stop=2, causal=True), RowBlock(start=2, stop=6, causal=False), \
RowBlock(start=6, stop=7, causal=True)]

    Raises:
        ValueError: a start inside a bidirectional segment, whose rows cannot be told apart.
    """
    blocks: list[RowBlock] = []
    for segment in segmentation.segments:
        if segment.stop <= start:
            continue
        causal = segment.attention == "causal"
        if segment.start < start and not causal:
            raise ValueError(f"row {start} lies inside the bidirectional segment {segment}")
        first = max(segment.start, start)
        if causal and blocks and blocks[-1].causal:
            first = blocks.pop().start
        blocks.append(RowBlock(first, segment.stop, causal))
    return blocks


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    blocks: list[RowBlock],
    scale: float | None = None,
) -> torch.Tensor:
    """Attention under a segment mask, one block of rows after the other.

    >>> q, k, v = torch.randn(1, 4, 3, 8), torch.randn(1, 2, 5, 8), torch.randn(1, 2, 5, 8)
    >>> attend(q, k, v, [RowBlock(2, 5, causal=False)]).shape
    torch.Size([1, 4, 3, 8])

    Args:
        query: ``[1, query head, row, head_dim]``, the rows that ``blocks`` cover, in order.
        key: ``[1, KV head, key, head_dim]``, from position 0 to the last row's.
        value: like ``key``.
        blocks: contiguous, the last one ends at the last key.
        scale: factor on the scores; by default ``head_dim ** -0.5``.

    Returns:
        ``[1, query head, row, head_dim]``.
    """
    first = blocks[0].start
    outputs = []
    for block in blocks:
        q = query[:, :, block.start - first : block.stop - first]
        k, v = key[:, :, : block.stop], value[:, :, : block.stop]
        if not block.causal or q.shape[2] == 1:
            output = _kernel(q, k, v, scale)
        elif block.start == 0:
            output = _kernel(q, k, v, scale, is_causal=True)
        else:
            output = _kernel(q, k, v, scale, mask=causal_lower_right(q.shape[2], block.stop))
        outputs.append(output)
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=2)


def _kernel(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scale: float | None,
    *,
    mask: torch.Tensor | None = None,
    is_causal: bool = False,
) -> torch.Tensor:
    grouped = query.shape[1] != key.shape[1]
    if grouped and mask is not None and query.is_cuda:
        # On CUDA a mask together with grouped queries falls back to the slow math kernel.
        key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], 1) for x in (key, value))
        grouped = False
    return scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=is_causal, scale=scale, enable_gqa=grouped
    )


Observer = Callable[[int, int, torch.Tensor, "int | None", float], None]
"""Called in every layer with (layer, first row, queries, sliding window, scale)."""


@dataclass(slots=True)
class Activity:
    """What the attention function does during one run.

    Args:
        segmentation: of the prompt; every row behind it is decoded, one at a time.
        observe: sees the queries of every layer; an exception from it ends the run.
    """

    segmentation: Segmentation
    observe: Observer
    calls: int = 0
    _masks: dict[tuple[int, int, int], torch.Tensor] = field(default_factory=dict)

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
        rows, stop = query.shape[2], key.shape[2]
        start = stop - rows
        self.calls += 1
        self.observe(layer, start, query, window, scale)
        if window is not None and window < stop:
            if start >= self.segmentation.length:
                recent = slice(stop - window, stop)
                return _kernel(query, key[:, :, recent], value[:, :, recent], scale)
            mask = self._dense_mask(start, stop, window, query.device)
            return _kernel(query, key, value, scale, mask=mask)
        if rows == 1:
            # A decoded row, or the last one of the prompt: it sees all keys.
            return _kernel(query, key, value, scale)
        return attend(query, key, value, row_blocks(self.segmentation, start), scale)

    def _dense_mask(self, start: int, stop: int, window: int, device: torch.device) -> torch.Tensor:
        """The mask ``[row, key]`` of a sliding-window layer, built once and shared by all."""
        wanted = (start, stop, window)
        if wanted not in self._masks:
            mask = segment_mask(self.segmentation, window=window)[start:stop, :stop]
            self._masks[wanted] = torch.from_numpy(mask)
        self._masks[wanted] = self._masks[wanted].to(device)
        return self._masks[wanted]


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
