"""Attention patterns from captured queries and keys, computed when somebody looks.

Everything here works on blocks of query rows, so that no more than a few megabytes of a pattern
exist at a time, whatever the number of tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

_BLOCK_ELEMENTS = 1 << 24
"""Attention probabilities held at a time by the reductions: 64 MB in float32."""


@dataclass(frozen=True, eq=False, slots=True)
class CapturedLayer:
    """What one layer left behind: enough to compute any row of any head's attention pattern.

    >>> layer = CapturedLayer(torch.randn(4, 6, 8), torch.randn(2, 6, 8), scale=8 ** -0.5)
    >>> layer.heads, layer.kv_heads, layer.length
    (4, 2, 6)

    Args:
        queries: ``[query head, query, head_dim]``, after the rotary embedding.
        keys: ``[KV head, key, head_dim]``, likewise.
        scale: factor on ``q·k`` before the softmax.
        window: of a sliding-window layer, in tokens.
    """

    queries: torch.Tensor
    keys: torch.Tensor
    scale: float
    window: int | None = None

    @property
    def heads(self) -> int:
        """Number of query heads."""
        return self.queries.shape[0]

    @property
    def kv_heads(self) -> int:
        """Number of KV heads."""
        return self.keys.shape[0]

    @property
    def length(self) -> int:
        """Number of token positions."""
        return self.queries.shape[1]


def attention_rows(
    layer: CapturedLayer, mask: np.ndarray, rows: slice, head: int | None = None
) -> torch.Tensor:
    """Softmaxed rows of one head, or of all.

    >>> layer = CapturedLayer(torch.randn(4, 6, 8), torch.randn(2, 6, 8), scale=8 ** -0.5)
    >>> attention_rows(layer, np.tri(6, dtype=bool), slice(0, 2)).shape
    torch.Size([4, 2, 6])

    Args:
        layer: where to look.
        mask: bool ``[query, key]``.
        rows: the query positions.
        head: a query head; None for all.

    Returns:
        float32 ``[query head, row, key]`` on the device of the captured tensors; a row sums to 1.
    """
    heads = slice(None) if head is None else slice(head, head + 1)
    queries = layer.queries[heads, rows].float()
    group = layer.heads // layer.kv_heads
    if head is None:
        # [KV head, head in its group, row, key]: the keys of a group are never copied.
        grouped = queries.unflatten(0, (layer.kv_heads, group))
        scores = torch.einsum("kgqd,knd->kgqn", grouped, layer.keys.float()).flatten(0, 1)
    else:
        scores = queries @ layer.keys[head // group].float().T
    visible = torch.from_numpy(mask[rows].copy()).to(scores.device)
    return scores.mul_(layer.scale).masked_fill_(~visible, -math.inf).softmax(dim=-1)


def flow(layer: CapturedLayer, mask: np.ndarray, stops: list[int]) -> torch.Tensor:
    """Mean attention mass from query segment to key segment.

    Args:
        layer: where to look.
        mask: bool ``[query, key]``.
        stops: the position at which each segment ends.

    Returns:
        float32 ``[query head, query segment, key segment]``; a row sums to 1.
    """
    device = layer.queries.device
    lengths = torch.tensor(np.diff(stops, prepend=0), device=device)
    segment = torch.repeat_interleave(torch.arange(len(stops), device=device), lengths)
    member = torch.nn.functional.one_hot(segment, len(stops)).float()
    mass = torch.zeros(layer.heads, len(stops), len(stops), device=device)
    for rows in _row_slices(layer):
        per_key_segment = attention_rows(layer, mask, rows) @ member
        mass += torch.einsum("qs,hqk->hsk", member[rows], per_key_segment)
    return mass / lengths[None, :, None]


def thumbnails(layer: CapturedLayer, mask: np.ndarray, size: int) -> np.ndarray:
    """Every head's pattern, max-pooled to ``size`` × ``size``, in square-root scale.

    Returns:
        uint8 ``[query head, size, size]``; 255 is a probability of 1.
    """
    pictures = torch.empty(layer.heads, size, size, device=layer.queries.device)
    for line in range(size):
        # The bins of adaptive pooling; below `size` tokens several bins hold the same row.
        start, stop = line * layer.length // size, -(-(line + 1) * layer.length // size)
        rows = attention_rows(layer, mask, slice(start, stop)).amax(dim=1)
        pictures[:, line] = torch.nn.functional.adaptive_max_pool1d(rows, size)
    return pictures.sqrt_().mul_(255).round_().to(torch.uint8).cpu().numpy()


def _row_slices(layer: CapturedLayer) -> Iterator[slice]:
    step = max(1, _BLOCK_ELEMENTS // (layer.heads * layer.length))
    for start in range(0, layer.length, step):
        yield slice(start, min(start + step, layer.length))
