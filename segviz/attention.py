"""Attention under a segment mask, segment by segment.

A segment mask is a staircase of rectangles, so almost no mask tensor is needed: the query rows are
cut into blocks, and each block is one call of ``scaled_dot_product_attention`` against the keys up
to its end.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from segviz.segments import Segmentation


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
            output = fused_attention(q, k, v, scale)
        elif block.start == 0:
            output = fused_attention(q, k, v, scale, is_causal=True)
        else:
            output = fused_attention(
                q, k, v, scale, mask=causal_lower_right(q.shape[2], block.stop)
            )
        outputs.append(output)
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=2)


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
        query: ``[1, query head, row, head_dim]``.
        key: ``[1, KV head, key, head_dim]``.
        value: like ``key``.
        scale: factor on the scores; None for ``head_dim ** -0.5``.
        mask: ``[row, key]``, True = may attend.
        is_causal: a causal mask, with as many rows as keys.

    Returns:
        ``[1, query head, row, head_dim]``.
    """
    grouped = query.shape[1] != key.shape[1]
    if grouped and mask is not None and query.is_cuda:
        # On CUDA a mask together with grouped queries falls back to the slow math kernel.
        key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], 1) for x in (key, value))
        grouped = False
    return scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=is_causal, scale=scale, enable_gqa=grouped
    )
