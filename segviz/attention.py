"""Attention under a segment mask: the query rows are cut into blocks, each one fast kernel's work.

A segment mask is a staircase of rectangles. The rows of a long segment all see the same keys, so
that one call of ``scaled_dot_product_attention`` against these keys needs no mask. What is left in
between (short segments, causal ones, the edge of a sliding window) is joined to blocks of rows with
a small mask each, over no more keys than their rows see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from torch.backends.cuda import SDPAParams, can_use_flash_attention
from torch.nn.attention.bias import CausalBias, causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from segviz.masks import key_spans
from segviz.segments import Segmentation

Kernel = Literal["full", "causal", "masked"]
"""How a block of rows sees its keys: all of them, those up to its own position, or by a mask."""


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Neighbouring query rows ``[start, stop)`` that one call of a kernel serves.

    Args:
        start: the first row.
        stop: behind the last row.
        first_key: the first key that any of the rows sees.
        stop_key: behind the last key that any of them sees.
        kernel: which of these keys a row sees.
    """

    start: int
    stop: int
    first_key: int
    stop_key: int
    kernel: Kernel


@dataclass(frozen=True, slots=True)
class _Sizes:
    """In rows: what is too short for a call of its own, and the most that share a mask."""

    short: int
    joined: int


# Longer blocks waste pairs above the staircase. Shorter ones make more calls, after each of which
# the threads wait for each other: on one thread 64 to 256 rows differ by 5 % at 2,048 tokens, but
# on a busy machine the shorter ones lose.
_CPU = _Sizes(short=64, joined=256)
# A call takes longer to launch than to compute below some hundred rows.
_CUDA = _Sizes(short=128, joined=1024)

_CPU_KNOWS_GROUPS = torch.__version__ >= "2.9"
"""Whether the fast kernel on a CPU takes grouped queries: it does since torch 2.9."""


@dataclass(frozen=True, eq=False, slots=True)
class RowPlan:
    """Which kernel serves which rows; worked out once and shared by all layers of one window.

    Args:
        blocks: contiguous, up to the last row.
        spans: int ``[query, 2]``, the mask as :func:`segviz.masks.key_spans`, on the device.
        windowed: whether rows see from different keys on.
    """

    blocks: tuple[RowBlock, ...]
    spans: torch.Tensor
    windowed: bool

    def mask(self, block: RowBlock) -> torch.Tensor:
        """The mask ``[row, key]`` of one block, True = may attend.

        Made when it is used: kept for all blocks, masks would grow with the square of the length.
        """
        first, stop = self.spans[block.start : block.stop, :, None].unbind(dim=1)
        keys = torch.arange(block.first_key, block.stop_key, device=self.spans.device)
        mask = keys < stop
        if self.windowed:
            mask &= keys >= first
        return mask


def row_plan(
    segmentation: Segmentation, start: int, window: int | None, device: torch.device
) -> RowPlan:
    """What :func:`attend` needs to know for the rows from ``start`` on.

    Args:
        segmentation: the mask.
        start: the first row, as in :func:`row_blocks`.
        window: of a sliding-window layer, in tokens.
        device: where queries, keys and values are.
    """
    spans = key_spans(segmentation.length, segmentation, window=window)
    blocks = row_blocks(segmentation, start, window=window, device_type=device.type)
    return RowPlan(tuple(blocks), torch.from_numpy(spans).to(device), window is not None)


def row_blocks(
    segmentation: Segmentation,
    start: int = 0,
    *,
    window: int | None = None,
    device_type: str = "cpu",
) -> list[RowBlock]:
    """Choose the kernels: cut the query rows from ``start`` on into blocks.

    >>> from segviz.segments import Segment
    >>> chat = Segmentation([Segment(0, 1, "bos", "causal"), Segment(1, 400, "system"),
    ...                      Segment(400, 900, "user"), Segment(900, 910, "assistant", "causal")])
    >>> for block in row_blocks(chat):
    ...     print(block)
    RowBlock(start=0, stop=1, first_key=0, stop_key=1, kernel='full')
    RowBlock(start=1, stop=400, first_key=0, stop_key=400, kernel='full')
    RowBlock(start=400, stop=900, first_key=0, stop_key=900, kernel='full')
    RowBlock(start=900, stop=910, first_key=0, stop_key=910, kernel='masked')

    Args:
        segmentation: the mask.
        start: the first row: where a segment starts, inside a causal one, or the last row of all.
        window: of a sliding-window layer, in tokens.
        device_type: as of a ``torch.device``.

    Raises:
        ValueError: a start inside a bidirectional segment: the rows before it see keys behind it,
            and were computed without them.
    """
    for segment in segmentation.segments:
        inside = segment.start < start < segment.stop and segment.attention == "bidirectional"
        if inside and start != segmentation.length - 1:
            raise ValueError(
                f"row {start} lies inside the bidirectional segment {segment}: start where it "
                f"starts, at {segment.start}"
            )
    spans = key_spans(segmentation.length, segmentation, window=window)
    sizes = _CUDA if device_type == "cuda" else _CPU
    blocks: list[RowBlock] = []
    short: list[RowBlock] = []
    for block in _alike(spans, start, device_type):
        if block.kernel == "masked" or block.stop - block.start < sizes.short:
            short.append(block)
        else:
            blocks += _joined(short, spans, sizes.joined)
            blocks.append(block)
            short = []
    return blocks + _joined(short, spans, sizes.joined)


def _alike(spans: np.ndarray, start: int, device_type: str) -> Iterator[RowBlock]:
    """Runs of neighbouring rows as long as one kernel can serve."""
    length = len(spans)
    rows = np.arange(length)
    as_before = np.zeros(length, dtype=bool)
    as_before[1:] = (spans[1:] == spans[:-1]).all(axis=1)
    causal = (spans[:, 0] == 0) & (spans[:, 1] == rows + 1) & ~as_before
    goes_on = as_before | (causal & np.roll(causal, 1))
    starts = [start, *(start + 1 + np.flatnonzero(~goes_on[start + 1 :])).tolist()]
    for first, stop in zip(starts, [*starts[1:], length], strict=True):
        kernel: Kernel = "full"
        if causal[first] and stop - first > 1:
            # Only CUDA has a kernel for causal rows that do not start at the first key.
            kernel = "causal" if first == 0 or device_type == "cuda" else "masked"
        yield RowBlock(first, stop, int(spans[first, 0]), int(spans[stop - 1, 1]), kernel)


def _joined(blocks: list[RowBlock], spans: np.ndarray, most: int) -> list[RowBlock]:
    """Neighbouring blocks as even pieces of up to ``most`` rows; a mask may cut a segment."""
    if not blocks or (len(blocks) == 1 and blocks[0].kernel != "masked"):
        return blocks
    start, stop = blocks[0].start, blocks[-1].stop
    cuts = np.linspace(start, stop, -(-(stop - start) // most) + 1, dtype=int).tolist()
    return [
        # Neither end of a span falls from one row to the next.
        RowBlock(first, last, int(spans[first, 0]), int(spans[last - 1, 1]), "masked")
        for first, last in pairwise(cuts)
    ]


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    plan: RowPlan,
    scale: float | None = None,
) -> torch.Tensor:
    """Attention under a segment mask, one block of rows after the other.

    >>> from segviz.segments import Segment
    >>> q, k, v = torch.randn(1, 4, 3, 8), torch.randn(1, 2, 5, 8), torch.randn(1, 2, 5, 8)
    >>> segmentation = Segmentation([Segment(0, 2, "system"), Segment(2, 5, "user")])
    >>> attend(q, k, v, row_plan(segmentation, 2, None, q.device)).shape
    torch.Size([1, 4, 3, 8])

    Args:
        query: ``[batch, query head, row, head_dim]``, the rows of the plan.
        key: ``[batch, KV head, key, head_dim]``, from position 0 to the last row's.
        value: like ``key``.
        plan: from :func:`row_plan`.
        scale: factor on the scores; by default ``head_dim ** -0.5``.

    Returns:
        ``[batch, query head, row, head_dim]``, in memory row after row, as the layers take it.
    """
    batch, heads, rows, _ = query.shape
    # The kernels write row after row, too, so that a block is copied in one piece.
    output = query.new_empty(batch, rows, heads, value.shape[-1])
    first = plan.blocks[0].start
    for block in plan.blocks:
        own = slice(block.start - first, block.stop - first)
        seen = slice(block.first_key, block.stop_key)
        q, k, v = query[:, :, own], key[:, :, seen], value[:, :, seen]
        mask, is_causal = None, False
        if block.kernel == "masked":
            mask = plan.mask(block)
        elif block.kernel == "causal":
            is_causal = block.start == 0
            mask = None if is_causal else causal_lower_right(q.shape[2], k.shape[2])
        result = fused_attention(q, k, v, scale, mask=mask, is_causal=is_causal)
        if len(plan.blocks) == 1:
            return result
        output[:, own] = result.transpose(1, 2)
    return output.transpose(1, 2)


def fused_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scale: float | None,
    *,
    mask: torch.Tensor | None = None,
    is_causal: bool = False,
) -> torch.Tensor:
    """PyTorch's attention for grouped query heads, on the fastest kernel there is for it.

    Args:
        query: ``[batch, query head, row, head_dim]``.
        key: ``[batch, KV head, key, head_dim]``.
        value: like ``key``.
        scale: factor on the scores; None for ``head_dim ** -0.5``.
        mask: ``[row, key]``, True = may attend.
        is_causal: a causal mask, with as many rows as keys.

    Returns:
        ``[batch, query head, row, head_dim]``.
    """
    grouped = query.shape[1] != key.shape[1]
    if grouped and not _fast_kernel_takes(query, key, value, mask, is_causal):
        # As it is, PyTorch would take the slow math kernel.
        key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], 1) for x in (key, value))
        grouped = False
    return scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=is_causal, scale=scale, enable_gqa=grouped
    )


def _fast_kernel_takes(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    is_causal: bool,
) -> bool:
    """Whether PyTorch serves this call of grouped queries with a fast kernel.

    On CUDA the flash kernel alone knows them.
    """
    if not query.is_cuda:
        return _CPU_KNOWS_GROUPS
    if mask is not None and not isinstance(mask, CausalBias):
        return False
    return can_use_flash_attention(
        SDPAParams(query, key, value, None, 0.0, is_causal, True)  # noqa: FBT003 (positional only)
    )
