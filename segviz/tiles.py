"""Tiles: parts of a ``[query, key]`` array, pooled to what a screen can show.

A pattern of 8,192 tokens holds 67 million numbers, and a screen shows a million. Whoever draws asks
for the rows and columns in sight, and for how many cells become one; what stands behind the tiles
may be an array, or queries and keys from which each tile is computed when somebody looks.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

PICTURE = 1024
"""Cells on a side that a page gets of a pattern at once."""

PANEL = 560
"""The same of each of three patterns side by side."""


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
