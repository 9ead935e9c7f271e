"""Pattern tiles: parts of attention patterns, computed from captured queries and keys on demand.

Nobody can look at all of a pattern of 8,192 tokens at once, and it is never there at once: a tile
costs the rows it shows, a block of them at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import torch

from segviz.masks import mask_tile
from segviz.patterns import CapturedLayer, Head, head_rows, row_slices


class ComputedTiles(ABC):
    """Tiles (:class:`segviz.tiles.Tiles`) of what can be computed row by row.

    Args:
        spans: int ``[query, 2]``, which keys each query sees (:func:`segviz.masks.key_spans`).
    """

    def __init__(self, spans: np.ndarray) -> None:
        self.spans = spans

    @property
    def shape(self) -> tuple[int, int]:
        """Number of queries and of keys."""
        return len(self.spans), len(self.spans)

    def tile(self, rows: slice, columns: slice, factor: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """As in :class:`segviz.tiles.Tiles`."""
        rows, columns = (slice(*side.indices(len(self.spans))[:2]) for side in (rows, columns))
        visible = mask_tile(self.spans, rows, columns, factor)
        values = np.empty(visible.shape, np.float32)
        for block in self.blocks(rows, factor):
            first = (block.start - rows.start) // factor
            cells = _furthest(self.rows(block, columns), factor)
            values[first : first + len(cells)] = cells.cpu().numpy()
        return values, visible

    @abstractmethod
    def rows(self, rows: slice, columns: slice) -> torch.Tensor:
        """Float32 ``[row, column]``, 0 where masked."""

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
        super().__init__(spans)
        self._layer = layer.prepared()
        self._head: Head = head

    def rows(self, rows: slice, columns: slice) -> torch.Tensor:
        """Float32 ``[row, column]``, 0 where masked."""
        return head_rows(self._layer, self.spans, rows, columns, self._head)

    def blocks(self, rows: slice, step: int) -> Iterator[slice]:
        """Cut ``rows`` into blocks of a multiple of ``step``, small enough to hold at a time."""
        return row_slices(self._layer, rows, head=self._head, step=step)


class DifferenceTiles(ComputedTiles):
    """One pattern minus another, over the positions that ``length`` leaves of both.

    A cell is visible where either mask shows it.

    Args:
        minuend: of these tiles …
        subtrahend: … these are taken away.
        length: number of leading positions that both share.
    """

    def __init__(self, minuend: PatternTiles, subtrahend: PatternTiles, length: int) -> None:
        super().__init__(joined_spans(minuend.spans, subtrahend.spans, length))
        self._minuend = minuend
        self._subtrahend = subtrahend

    def rows(self, rows: slice, columns: slice) -> torch.Tensor:
        """Float32 ``[row, column]``, 0 where masked."""
        minuend = self._minuend.rows(rows, columns)
        return minuend - self._subtrahend.rows(rows, columns).to(minuend.device)

    def blocks(self, rows: slice, step: int) -> Iterator[slice]:
        """Cut ``rows`` into blocks of a multiple of ``step``, small enough to hold at a time."""
        return self._minuend.blocks(rows, step)


def joined_spans(one: np.ndarray, other: np.ndarray, length: int) -> np.ndarray:
    """Key spans ``[query, 2]`` of what either of two masks shows, over ``length`` positions."""
    one, other = one[:length], other[:length]
    first = np.minimum(one[:, 0], other[:, 0])
    stop = np.maximum(one[:, 1], other[:, 1])
    return np.stack([first, np.minimum(stop, length)], axis=1)


def _furthest(values: torch.Tensor, factor: int) -> torch.Tensor:
    """Each ``factor`` × ``factor`` block as its cell furthest from 0."""
    if factor == 1:
        return values
    highest, lowest = _highest(values, factor), -_highest(-values, factor)
    return torch.where(highest >= -lowest, highest, lowest)


def _highest(values: torch.Tensor, factor: int) -> torch.Tensor:
    # First over whole rows, which is quick, and then within what is left of them.
    pad = (0, -values.shape[1] % factor, 0, -values.shape[0] % factor)
    if any(pad):
        values = torch.nn.functional.pad(values, pad, value=-torch.inf)
    return values.unflatten(0, (-1, factor)).amax(1).unflatten(1, (-1, factor)).amax(2)
