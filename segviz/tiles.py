"""Tiles: parts of a ``[query, key]`` array, pooled to what a screen can show.

A pattern of 8,192 tokens holds 67 million numbers, and a screen shows a million. Whoever draws asks
for the rows and columns in sight, and for how many cells become one; what stands behind the tiles
may be an array, or queries and keys from which each tile is computed when somebody looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Protocol, runtime_checkable

import numpy as np

PICTURE = 1024
"""Cells on a side that a page gets of a pattern at once."""

PANEL = 560
"""The same of each of three patterns side by side."""

_BLOCK_CELLS = 1 << 22
"""Cells that are read at a time where they are merged."""


class Tiles(Protocol):
    """An array ``[query, key]`` that can be read part by part."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of queries and of keys."""
        ...

    def tile(self, rows: slice, columns: slice, factor: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """The part ``[rows, columns]``, each ``factor`` × ``factor`` block as one cell.

        Args:
            rows: query positions, ``slice(start, stop)`` inside the array.
            columns: key positions, likewise.
            factor: cells on a side that become one; the last block of a side may be smaller.

        Returns:
            float32 values, the visible one furthest from 0 of each block (0 where none is), and
            bool visibility, True where any cell of the block is visible; both
            ``[⌈rows / factor⌉, ⌈columns / factor⌉]``.
        """
        ...


@runtime_checkable
class MergingTiles(Tiles, Protocol):
    """Tiles that merge cells by themselves, and need not hand them out for it."""

    def merged(
        self, row_edges: np.ndarray, column_edges: np.ndarray, factor: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """As :func:`merged_tile`."""
        ...


class ArrayTiles:
    """The tiles of an array that exists.

    >>> tiles = ArrayTiles(np.array([[1.0, 0.0], [0.25, 0.75]]), np.tri(2, dtype=bool))
    >>> tiles.tile(slice(0, 2), slice(0, 2), factor=2)
    (array([[1.]], dtype=float32), array([[ True]]))

    Args:
        array: ``[query, key]``.
        mask: bool of the same shape, True = may attend; None: everything is visible.

    Raises:
        ValueError: shapes that differ, or an array that is no ``[query, key]``.
    """

    def __init__(self, array: np.ndarray, mask: np.ndarray | None = None) -> None:
        self.array = np.asarray(array, dtype=np.float32)
        if self.array.ndim != 2 or 0 in self.array.shape:  # noqa: PLR2004 - query and key
            raise ValueError(f"an attention pattern is [query, key], not of shape {array.shape}")
        if mask is not None and np.shape(mask) != self.array.shape:
            raise ValueError(f"the mask is {np.shape(mask)} and the array {self.array.shape}")
        self.mask = np.ones(self.array.shape, bool) if mask is None else np.asarray(mask, bool)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of queries and of keys."""
        return self.array.shape[0], self.array.shape[1]

    def tile(self, rows: slice, columns: slice, factor: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """As in :class:`Tiles`."""
        return pooled(self.array[rows, columns], self.mask[rows, columns], factor)


class RememberedTiles:
    """Tiles that remember how they look as a whole, which takes its time for thousands of tokens.

    >>> tiles = RememberedTiles(ArrayTiles(np.eye(6)), side=3)
    >>> tiles.factor, tiles.tile(slice(0, 6), slice(0, 6), tiles.factor)[0].shape
    (2, (3, 3))

    Args:
        tiles: where the cells come from.
        side: cells on a side of the picture that is made at once, and remembered.
    """

    def __init__(self, tiles: Tiles, side: int) -> None:
        self._tiles = tiles
        self.factor = factor_for(tiles.shape, side)
        rows, columns = tiles.shape
        self._whole = tiles.tile(slice(0, rows), slice(0, columns), self.factor)
        self._merged: tuple[bytes, tuple[np.ndarray, np.ndarray]] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Number of queries and of keys."""
        return self._tiles.shape

    def tile(self, rows: slice, columns: slice, factor: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """As in :class:`Tiles`."""
        sides = zip((rows, columns), self.shape, strict=True)
        if factor == self.factor and all(part == slice(0, side) for part, side in sides):
            return self._whole
        return self._tiles.tile(rows, columns, factor)

    def merged(
        self, row_edges: np.ndarray, column_edges: np.ndarray, factor: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """As :func:`merged_tile`; what was merged last is remembered, too."""
        asked = b"|".join(np.asarray(x).tobytes() for x in (row_edges, column_edges, factor))
        # In a variable: another thread may ask for something else meanwhile.
        latest = self._merged
        if latest is None or latest[0] != asked:
            latest = asked, merged_tile(self._tiles, row_edges, column_edges, factor)
            self._merged = latest
        return latest[1]


class WithoutFirst:
    """Tiles in which the first key is masked: an attention sink drowns everything else.

    >>> tiles = WithoutFirst(ArrayTiles(np.array([[0.9, 0.1]])))
    >>> tiles.tile(slice(0, 1), slice(0, 2))[1].tolist()
    [[False, True]]
    """

    def __init__(self, tiles: Tiles) -> None:
        self._tiles = tiles

    @property
    def shape(self) -> tuple[int, int]:
        """Number of queries and of keys."""
        return self._tiles.shape

    def tile(self, rows: slice, columns: slice, factor: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """As in :class:`segviz.tiles.Tiles`."""
        if columns.start:
            return self._tiles.tile(rows, columns, factor)
        values, visible = self._tiles.tile(rows, columns)
        visible = visible.copy()
        visible[:, 0] = False
        return pooled(values, visible, factor)

    def merged(
        self, row_edges: np.ndarray, column_edges: np.ndarray, factor: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """As :func:`merged_tile`: the first group begins at the second key, and may be empty."""
        return merged_tile(self._tiles, row_edges, np.maximum(column_edges, 1), factor)


def factor_for(shape: tuple[int, int], side: int) -> int:
    """How many cells on a side become one, for at most ``side`` of these.

    >>> factor_for((2000, 2100), 1024), factor_for((300, 300), 1024)
    (3, 1)
    """
    return max(1, -(-max(shape) // side))


def pooled(values: np.ndarray, visible: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Values and visibility, each ``factor`` × ``factor`` block as its cell furthest from 0.

    >>> pooled(np.array([[0.1, -0.4, 0.2]]), np.array([[True, True, False]]), 2)[0].tolist()
    [[-0.4, 0.0]]
    """
    if factor == 1:
        return np.where(visible, values, 0), visible
    pad = [(0, -side % factor) for side in values.shape]
    rows, columns = (-(-side // factor) for side in values.shape)

    def blocks(array: np.ndarray) -> np.ndarray:
        padded = np.pad(array, pad) if any(map(any, pad)) else array
        return padded.reshape(rows, factor, columns, factor)

    cells = blocks(np.where(visible, values, 0))
    highest, lowest = cells.max(axis=(1, 3)), cells.min(axis=(1, 3))
    furthest = np.where(highest >= -lowest, highest, lowest)
    return furthest, np.asarray(blocks(visible).any(axis=(1, 3)))


def merged_tile(
    tiles: Tiles, row_edges: np.ndarray, column_edges: np.ndarray, factor: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Cells between groups, columns summed and rows averaged, then pooled.

    >>> tiles = ArrayTiles(np.array([[0.5, 0.5, 0.0], [0.25, 0.25, 0.5]]), np.tri(2, 3, 1) > 0)
    >>> merged_tile(tiles, np.array([0, 2]), np.array([0, 2, 3]))[0].tolist()
    [[0.75, 0.25]]

    Args:
        tiles: ``[query, key]``; those that do not merge by themselves are read a block at a time.
        row_edges: int ``[row + 1]``, first query of each group and the end of the last, ascending.
        column_edges: int ``[column + 1]``, the same of the keys; a group may be empty.
        factor: groups on a side that become one cell, that furthest from 0.

    Returns:
        float32 values, 0 where nothing is visible, and bool visibility: True where any cell of a
        group is; both ``[⌈rows / factor⌉, ⌈columns / factor⌉]``.
    """
    if isinstance(tiles, MergingTiles):
        return tiles.merged(row_edges, column_edges, factor)
    rows, columns = len(row_edges) - 1, len(column_edges) - 1
    height, width = -(-rows // factor), -(-columns // factor)
    values, visible = np.zeros((height, width), np.float32), np.zeros((height, width), bool)
    keys = int(column_edges[-1] - column_edges[0])
    for block in _blocks(slice(0, rows), factor, keys):
        part = slice(block.start // factor, -(-block.stop // factor))
        edges = row_edges[block.start : block.stop + 1]
        values[part], visible[part] = pooled(*_groups(tiles, edges, column_edges), factor)
    return values, visible


def _groups(
    tiles: Tiles, row_edges: np.ndarray, column_edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Groups of a block of rows; of a large group the queries are read a part at a time."""
    rows, keys = (slice(int(edges[0]), int(edges[-1])) for edges in (row_edges, column_edges))
    masses = np.zeros((len(row_edges) - 1, len(column_edges) - 1))
    seen = np.zeros(masses.shape, bool)
    filled = np.flatnonzero(np.diff(column_edges))
    starts = column_edges[filled] - keys.start
    for part in _blocks(rows, 1, keys.stop - keys.start) if len(filled) else ():
        values, visible = tiles.tile(part, keys)
        first = np.searchsorted(row_edges, part.start, side="right") - 1
        last = np.searchsorted(row_edges, part.stop)
        inner = np.clip(row_edges[first : last + 1], part.start, part.stop) - part.start
        # Rows first, group by group: numpy is quick at whole rows, and fewer are left.
        groups = [slice(start, stop) for start, stop in pairwise(inner.tolist())]
        sums = np.stack([values[group].sum(axis=0, dtype=np.float64) for group in groups])
        some = np.stack([visible[group].any(axis=0) for group in groups])
        masses[first:last, filled] += np.add.reduceat(sums, starts, axis=1)
        seen[first:last, filled] |= np.logical_or.reduceat(some, starts, axis=1)
    return (masses / np.diff(row_edges)[:, None]).astype(np.float32), seen


def _blocks(rows: slice, step: int, width: int) -> Iterator[slice]:
    """Cut ``rows`` into blocks of a multiple of ``step``, each of about ``_BLOCK_CELLS`` cells."""
    height = max(step, _BLOCK_CELLS // max(width, 1) // step * step)
    for start in range(rows.start, rows.stop, height):
        yield slice(start, min(rows.stop, start + height))
