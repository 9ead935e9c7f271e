"""Attention patterns from captured queries and keys, computed when somebody looks.

Everything here works on blocks of query rows, so that no more than a few megabytes of a pattern
exist at a time, whatever the number of tokens. A mask comes as its key spans
(:func:`segviz.masks.key_spans`), two numbers per query.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

Head = int | Literal["mean", "max"]
"""A query head, or the mean or the maximum over all of a layer."""

_BLOCK_ELEMENTS = 1 << 22
"""Attention probabilities held at a time: 16 MB in float32."""


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
        output_errors: by query position, how far the output of the captured attention is from the
            layer's own, see :mod:`segviz.receipt`; None where it is not known.
    """

    queries: torch.Tensor
    keys: torch.Tensor
    scale: float
    window: int | None = None
    output_errors: Mapping[int, float] | None = None

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

    def prepared(self) -> CapturedLayer:
        """The same with keys in float32, which a pass over many blocks converts only once."""
        return self if self.keys.dtype == torch.float32 else replace(self, keys=self.keys.float())


def seen_rows(
    layer: CapturedLayer, spans: np.ndarray, rows: slice | list[int], head: int | None = None
) -> tuple[torch.Tensor, slice]:
    """Softmaxed rows of one head, or of all, over the keys that any of the rows sees.

    >>> layer = CapturedLayer(torch.randn(4, 6, 8), torch.randn(2, 6, 8), scale=8 ** -0.5)
    >>> causal = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [0, 5], [0, 6]])
    >>> attention, keys = seen_rows(layer, causal, slice(0, 2))
    >>> attention.shape, keys
    (torch.Size([4, 2, 2]), slice(0, 2, None))

    Args:
        layer: where to look.
        spans: int ``[query, 2]``, the mask as :func:`segviz.masks.key_spans`.
        rows: the query positions.
        head: a query head; None for all.

    Returns:
        float32 ``[query head, row, key]`` on the device of the captured tensors, a row sums to 1
        and what is masked is exactly 0; and the keys.
    """
    wanted = spans[rows]
    keys = slice(int(wanted[:, 0].min()), int(wanted[:, 1].max()))
    group = layer.heads // layer.kv_heads
    if head is None:
        # [KV head, head in its group, row, key]: the keys of a group are never copied.
        grouped = layer.queries[:, rows].float().unflatten(0, (layer.kv_heads, group))
        seen = layer.keys[:, keys].float()
        scores = torch.einsum("kgqd,knd->kgqn", grouped, seen).flatten(0, 1)
    else:
        seen = layer.keys[head // group, keys].float()
        scores = (layer.queries[head, rows].float() @ seen.T)[None]
    # A copy: the spans of a trace are read-only, which torch warns about.
    first, stop = torch.tensor(wanted, device=scores.device)[:, :, None].unbind(dim=1)
    positions = torch.arange(keys.start, keys.stop, device=scores.device)
    masked = (positions < first) | (positions >= stop)
    return scores.mul_(layer.scale).masked_fill_(masked, -math.inf).softmax(dim=-1), keys


def head_rows(
    layer: CapturedLayer, spans: np.ndarray, rows: slice, columns: slice, head: Head
) -> torch.Tensor:
    """A part of the attention pattern of one head, or of the mean or maximum over all.

    Args:
        layer: where to look.
        spans: int ``[query, 2]``, the mask.
        rows: the query positions.
        columns: the key positions.
        head: a query head, ``"mean"`` or ``"max"``.

    Returns:
        float32 ``[row, column]`` on the device of the captured tensors.
    """
    if isinstance(head, str):
        every, keys = seen_rows(layer, spans, rows)
        seen = every.mean(dim=0) if head == "mean" else every.amax(dim=0)
    else:
        one, keys = seen_rows(layer, spans, rows, head)
        seen = one[0]
    if keys == columns:
        return seen
    part = seen.new_zeros(len(seen), columns.stop - columns.start)
    start, stop = max(keys.start, columns.start), min(keys.stop, columns.stop)
    if start < stop:
        part[:, start - columns.start : stop - columns.start] = seen[
            :, start - keys.start : stop - keys.start
        ]
    return part


def row_slices(
    layer: CapturedLayer, rows: slice | None = None, *, head: Head | None = None, step: int = 1
) -> Iterator[slice]:
    """Blocks of query rows whose attention is small enough to hold at a time.

    Args:
        layer: where they are.
        rows: the query positions to cover; None: all.
        head: the one head that is looked at; None, ``"mean"`` or ``"max"``: all.
        step: a block begins at a multiple of so many rows from the first.
    """
    rows = rows or slice(0, layer.length)
    heads = 1 if isinstance(head, int) else layer.heads
    most = _BLOCK_ELEMENTS // (heads * layer.length)
    size = max(1, most // step) * step
    for start in range(rows.start, rows.stop, size):
        yield slice(start, min(start + size, rows.stop))
