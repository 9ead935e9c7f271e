"""Pattern tiles: parts of attention patterns, computed from captured queries and keys on demand.

Nobody can look at all of a pattern of 8,192 tokens at once, and it is never there at once: a tile
costs the rows it shows, a block of them at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import torch

from segviz.masks import mask_tile, visible_groups
from segviz.patterns import CapturedLayer, Head, row_slices, seen_rows, subtracted


class ComputedTiles(ABC):
    """Tiles (:class:`segviz.tiles.Tiles`) of what can be computed row by row.

    Args:
        spans: int ``[query, 2]``, which keys each query sees (:func:`segviz.masks.key_spans`).
        device: where they are computed.
    """

    signed = False
    """Whether there are values below 0."""

    def __init__(self, spans: np.ndarray, device: torch.device) -> None:
        self.spans = spans
        self.device = device

    @property
    def shape(self) -> tuple[int, int]:
        """Number of queries and of keys."""
        return len(self.spans), len(self.spans)

    def tile(self, rows: slice, columns: slice, factor: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """As in :class:`segviz.tiles.Tiles`."""
        rows, columns = (slice(*side.indices(len(self.spans))[:2]) for side in (rows, columns))
        visible = mask_tile(self.spans, rows, columns, factor)
        values = np.zeros(visible.shape, np.float32)
        for block in self.blocks(rows, factor):
            seen, keys = self.rows(block)
            start, stop = max(keys.start, columns.start), min(keys.stop, columns.stop)
            if start < stop:
                line, ahead = (block.start - rows.start) // factor, start - columns.start
                shown = seen[:, start - keys.start : stop - keys.start]
                cells = self._pooled(shown, factor, ahead % factor).cpu().numpy()
                height, width = cells.shape
                column = ahead // factor
                values[line : line + height, column : column + width] = cells
        return values, visible

    def merged(
        self, row_edges: np.ndarray, column_edges: np.ndarray, factor: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """As :func:`segviz.tiles.merged_tile`."""
        count, width = len(row_edges) - 1, int(column_edges[-1] - column_edges[0])
        rows, columns = (
            np.append(edges[:-1:factor], edges[-1]) for edges in (row_edges, column_edges)
        )
        visible = visible_groups(self.spans, rows, columns)
        values = np.zeros(visible.shape, np.float32)
        if not width:
            return values, visible
        # As many groups at a time as their queries would be.
        block = next(self.blocks(slice(0, len(self.spans)), factor))
        height = block.stop - block.start + -(block.stop - block.start) % factor
        for top in range(0, count, height):
            masses = self._masses(row_edges[top : top + height + 1], column_edges)
            cells = self._pooled(masses, factor, 0).cpu().numpy()
            values[top // factor : top // factor + len(cells)] = cells
        return values, visible

    def _masses(self, row_edges: np.ndarray, column_edges: np.ndarray) -> torch.Tensor:
        """Float32 ``[row, column]`` between groups: columns summed, rows averaged."""
        rows, keys = (slice(int(edges[0]), int(edges[-1])) for edges in (row_edges, column_edges))
        sizes = torch.tensor(np.diff(row_edges), device=self.device)
        row_group, column_group = (
            _numbers(np.diff(edges)).to(self.device) for edges in (row_edges, column_edges)
        )
        by_row = torch.zeros(len(row_edges) - 1, keys.stop - keys.start, device=self.device)
        for block in self.blocks(rows, 1):
            seen, own = self.rows(block)
            start, stop = max(own.start, keys.start), min(own.stop, keys.stop)
            if start < stop:
                by_row[:, start - keys.start : stop - keys.start].index_add_(
                    0,
                    row_group[block.start - rows.start : block.stop - rows.start],
                    seen[:, start - own.start : stop - own.start],
                )
        masses = torch.zeros(len(row_edges) - 1, len(column_edges) - 1, device=self.device)
        return masses.index_add_(1, column_group, by_row) / sizes[:, None]

    def _pooled(self, values: torch.Tensor, factor: int, ahead: int) -> torch.Tensor:
        """Each ``factor`` × ``factor`` block as its cell furthest from 0.

        Args:
            values: ``[row, column]``.
            factor: cells on a side that become one.
            ahead: columns of the first block that are missing, and 0.
        """
        if factor == 1:
            return values
        # First over whole rows, which is quick, and then within what is left of them.
        for side, before in ((0, 0), (1, ahead)):
            after = -(before + values.shape[side]) % factor
            if before or after:
                pad = (0, 0, before, after) if side == 0 else (before, after)
                values = torch.nn.functional.pad(values, pad)
            blocks = values.unflatten(side, (-1, factor))
            values = blocks.amax(side + 1)
            if self.signed:
                lowest = blocks.amin(side + 1)
                values = torch.where(values >= -lowest, values, lowest)
        return values

    @abstractmethod
    def rows(self, rows: slice) -> tuple[torch.Tensor, slice]:
        """Float32 ``[row, key]``, 0 where masked, over the keys that a row sees; and the keys."""

    @abstractmethod
    def blocks(self, rows: slice, step: int) -> Iterator[slice]:
        """Cut ``rows`` into blocks of a multiple of ``step``, small enough to hold at a time."""


class PatternTiles(ComputedTiles):
    """The attention pattern of one head, or of the mean or maximum over a layer's heads.

    >>> layer = CapturedLayer(torch.randn(4, 3, 8), torch.randn(2, 3, 8), scale=8 ** -0.5)
    >>> tiles = PatternTiles(layer, np.array([[0, 1], [0, 3], [0, 3]]), head=2)
    >>> values, visible = tiles.tile(slice(0, 2), slice(0, 3))
    >>> values.sum(axis=1).round(3).tolist(), visible[0].tolist()
    ([1.0, 1.0], [True, False, False])

    Args:
        layer: captured queries and keys.
        spans: int ``[query, 2]``, the mask that was in force.
        head: a query head, ``"mean"`` or ``"max"``.
    """

    def __init__(self, layer: CapturedLayer, spans: np.ndarray, head: Head) -> None:
        super().__init__(spans, layer.computes_on)
        self._head: Head = head
        self._heads = layer.heads
        # Prepared once: whoever looks closer asks for the same head again and again.
        self._parts = (
            [part for _heads, part in layer.parts()]
            if isinstance(head, str)
            else [layer.only(head)]
        )

    def rows(self, rows: slice) -> tuple[torch.Tensor, slice]:
        """Float32 ``[row, key]``, 0 where masked, over the keys that a row sees; and the keys."""
        part, *others = self._parts
        attention, keys = seen_rows(part, self.spans, rows)
        if self._head == "max":
            values = attention.amax(dim=0)
            for other in others:
                torch.maximum(values, seen_rows(other, self.spans, rows)[0].amax(dim=0), out=values)
            return values, keys
        if self._head == "mean":
            values = attention.sum(dim=0)
            for other in others:
                values += seen_rows(other, self.spans, rows)[0].sum(dim=0)
            return values.div_(self._heads), keys
        return attention[0], keys

    def blocks(self, rows: slice, step: int) -> Iterator[slice]:
        """Cut ``rows`` into blocks of a multiple of ``step``, small enough to hold at a time."""
        return row_slices(self._parts[0], rows, step=step)


class DifferenceTiles(ComputedTiles):
    """One pattern minus another, over the positions that ``length`` leaves of both.

    A cell is visible where either mask shows it.

    Args:
        minuend: of these tiles …
        subtrahend: … these are taken away.
        length: number of leading positions that both share.
    """

    signed = True

    def __init__(self, minuend: PatternTiles, subtrahend: PatternTiles, length: int) -> None:
        super().__init__(joined_spans(minuend.spans, subtrahend.spans, length), minuend.device)
        self._minuend = minuend
        self._subtrahend = subtrahend

    def rows(self, rows: slice) -> tuple[torch.Tensor, slice]:
        """Float32 ``[row, key]``, 0 where masked, over the keys that a row sees; and the keys."""
        return subtracted(self._minuend.rows(rows), self._subtrahend.rows(rows))

    def blocks(self, rows: slice, step: int) -> Iterator[slice]:
        """Cut ``rows`` into blocks of a multiple of ``step``, small enough to hold at a time."""
        return self._minuend.blocks(rows, step)


def joined_spans(one: np.ndarray, other: np.ndarray, length: int) -> np.ndarray:
    """Key spans ``[query, 2]`` of what either of two masks shows, over ``length`` positions."""
    one, other = one[:length], other[:length]
    first = np.minimum(one[:, 0], other[:, 0])
    stop = np.maximum(one[:, 1], other[:, 1])
    return np.stack([first, np.minimum(stop, length)], axis=1)


def _numbers(sizes: np.ndarray) -> torch.Tensor:
    """The number of its group for each member of all groups, one group after the other."""
    return torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes))
