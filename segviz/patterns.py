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

_BLOCK_ELEMENTS = 1 << 20
"""Attention probabilities held at a time: 4 MB in float32, which stay in a processor's caches."""

_DEVICE_BLOCK_ELEMENTS = 1 << 24
"""The same on an accelerator, whose kernels want much to do at once: 64 MB."""


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
        device: where patterns are computed; None: where the queries are. Queries and keys that lie
            elsewhere travel as far as somebody looks at them.
    """

    queries: torch.Tensor
    keys: torch.Tensor
    scale: float
    window: int | None = None
    output_errors: Mapping[int, float] | None = None
    device: torch.device | None = None

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

    @property
    def computes_on(self) -> torch.device:
        """Where patterns are computed."""
        return self.queries.device if self.device is None else self.device

    def prepared(self) -> CapturedLayer:
        """The same with keys in float32 on the device, for a pass over many blocks of rows."""
        return replace(self, keys=self.keys.to(self.computes_on, torch.float32))

    def only(self, head: int) -> CapturedLayer:
        """One query head and its KV head, prepared.

        >>> layer = CapturedLayer(torch.randn(4, 6, 8), torch.randn(2, 6, 8), scale=8 ** -0.5)
        >>> bool((layer.only(3).keys == layer.keys[1:]).all())
        True
        """
        kv_head = head // (self.heads // self.kv_heads)
        queries, keys = self.queries[head : head + 1], self.keys[kv_head : kv_head + 1]
        return replace(self, queries=queries, keys=keys).prepared()

    @property
    def kv_heads_at_a_time(self) -> int:
        """How many KV heads a pass over all of them takes at once."""
        return max(1, _block_elements(self) * self.kv_heads // (self.heads * self.length**2))

    def parts(self, count: int | None = None) -> Iterator[tuple[slice, CapturedLayer]]:
        """The layer as a few KV heads at a time, prepared, each with its query heads.

        >>> layer = CapturedLayer(torch.randn(4, 6, 8), torch.randn(2, 6, 8), scale=8 ** -0.5)
        >>> [(heads, part.kv_heads) for heads, part in layer.parts()]
        [(slice(0, 4, None), 2)]

        A pass over one part after the other reads the keys of a few heads again and again, which
        fit a cache, where a pass over all would read them from memory for every block of rows.

        Args:
            count: KV heads of a part; None: :attr:`kv_heads_at_a_time`.
        """
        group = self.heads // self.kv_heads
        count = count or self.kv_heads_at_a_time
        for start in range(0, self.kv_heads, count):
            keys = self.keys[start : start + count]
            heads = slice(start * group, (start + len(keys)) * group)
            yield heads, replace(self, queries=self.queries[heads], keys=keys).prepared()


def seen_rows(
    layer: CapturedLayer, spans: np.ndarray, rows: slice | list[int]
) -> tuple[torch.Tensor, slice]:
    """Softmaxed rows of all heads over the keys that any of the rows sees.

    >>> layer = CapturedLayer(torch.randn(4, 6, 8), torch.randn(2, 6, 8), scale=8 ** -0.5)
    >>> causal = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [0, 5], [0, 6]])
    >>> attention, keys = seen_rows(layer, causal, slice(0, 2))
    >>> attention.shape, keys
    (torch.Size([4, 2, 2]), slice(0, 2, None))

    Args:
        layer: where to look.
        spans: int ``[query, 2]``, the mask as :func:`segviz.masks.key_spans`.
        rows: the query positions.

    Returns:
        float32 ``[query head, row, key]`` on the layer's device, a row sums to 1 and what is
        masked is exactly 0; and the keys.
    """
    wanted, device = spans[rows], layer.computes_on
    keys = slice(int(wanted[:, 0].min()), int(wanted[:, 1].max()))
    queries = layer.queries[:, rows].to(device, torch.float32) * layer.scale
    seen = layer.keys[:, keys].to(device, torch.float32)
    # [KV head, head in its group and row, key]: the keys of a group are never copied.
    grouped = queries.reshape(layer.kv_heads, -1, queries.shape[2])
    scores = torch.bmm(grouped, seen.mT).view(*queries.shape[:2], -1)
    # What the rows see differs only left of the last key at which one begins, and right of the
    # first at which one stops.
    left, right = int(wanted[:, 0].max()) - keys.start, int(wanted[:, 1].min()) - keys.start
    # A copy: the spans of a trace are read-only, which torch warns about.
    first, stop = torch.tensor(wanted - keys.start, device=device)[:, :, None].unbind(dim=1)
    positions = torch.arange(keys.stop - keys.start, device=device)
    scores[:, :, :left].masked_fill_(positions[:left] < first, -math.inf)
    scores[:, :, right:].masked_fill_(positions[right:] >= stop, -math.inf)
    return scores.softmax(dim=-1), keys


def subtracted(
    minuend: tuple[torch.Tensor, slice], subtrahend: tuple[torch.Tensor, slice]
) -> tuple[torch.Tensor, slice]:
    """One block of rows minus another, each over its own keys; the first may be overwritten.

    >>> one, other = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.25, 0.75]])
    >>> subtracted((one, slice(0, 2)), (other, slice(1, 3)))
    (tensor([[ 0.5000,  0.2500, -0.7500]]), slice(0, 3, None))

    Args:
        minuend: float ``[…, row, key]`` and the keys, as :func:`seen_rows` gives them.
        subtrahend: the same of another run, on any device.

    Returns:
        the difference on the device of the first, and the keys that either has.
    """
    (values, own), (others, seen) = minuend, subtrahend
    keys = slice(min(own.start, seen.start), max(own.stop, seen.stop))
    if keys != own:
        values = torch.nn.functional.pad(values, (own.start - keys.start, keys.stop - own.stop))
    values[..., seen.start - keys.start : seen.stop - keys.start] -= others.to(values.device)
    return values, keys


def row_slices(
    layer: CapturedLayer, rows: slice | None = None, *, step: int = 1
) -> Iterator[slice]:
    """Blocks of query rows whose attention is small enough to hold at a time.

    Args:
        layer: where they are.
        rows: the query positions to cover; None: all.
        step: a block begins at a multiple of so many rows from the first.
    """
    rows = rows or slice(0, layer.length)
    most = _block_elements(layer) // (layer.heads * layer.length)
    size = max(1, most // step) * step
    for start in range(rows.start, rows.stop, size):
        yield slice(start, min(start + size, rows.stop))


def _block_elements(layer: CapturedLayer) -> int:
    return _BLOCK_ELEMENTS if layer.computes_on.type == "cpu" else _DEVICE_BLOCK_ELEMENTS
