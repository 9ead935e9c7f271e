"""Attention parts: what the attention view reads of a pattern, and what it sends of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segviz.grouping import MergedTiles, merged, word_starts
from segviz.tiles import PICTURE, ArrayTiles, Tiles, factor_for
from segviz.widgets.scale import Kind

WHOLE = PICTURE
"""Positions up to which the page gets every cell; it then merges and zooms by itself."""

LIMIT = 980_000
"""Cells of a picture or a tile at most: a byte each, and no message is over 1 MB."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What is shown: the numbers, and the cells that the page has.

    Args:
        tiles: ``[query, key]`` over token positions.
        kind: ``"sequential"`` or ``"diverging"``.
        title: the heading.
        maximum: end of the colour scale; None: the largest magnitude on show.
        number: that of the message with the cells.
        whole: whether the page has every cell, and merges by itself.
        drawn: ``tiles``, or a large pattern merged to words or segments.
        starts: first positions of the rows and of the columns of a merged ``drawn``.
        factor: cells on a side of ``drawn`` that became one.
        values: float32 ``[row, column]`` of ``drawn``, pooled.
        visible: bool of the same shape.
    """

    tiles: Tiles
    kind: Kind
    title: str
    maximum: float | None
    number: int
    whole: bool
    drawn: Tiles
    starts: tuple[np.ndarray, np.ndarray] | None
    factor: int
    values: np.ndarray
    visible: np.ndarray


def tiles_of(array: np.ndarray | Tiles, mask: np.ndarray | None = None) -> Tiles:
    """What is to be shown as tiles; what is masked may be NaN.

    >>> array = np.array([[0.5, np.nan]])
    >>> tiles_of(array, np.isfinite(array)).tile(slice(0, 1), slice(0, 2))[0]
    array([[0.5, 0. ]], dtype=float32)

    Raises:
        ValueError: shapes that do not fit, a mask for tiles, or NaN in a visible cell.
    """
    if not isinstance(array, np.ndarray):
        if mask is not None:
            raise ValueError("mask= goes with an array; tiles say themselves what is visible")
        return array
    tiles = ArrayTiles(array, mask)
    finite = np.isfinite(tiles.array)
    if not finite.all():
        if (tiles.mask & ~finite).any():
            raise ValueError("the array holds NaN or infinity in a cell that is not masked")
        tiles.array = np.where(finite, tiles.array, np.float32(0))
    return tiles


def at_hand(tiles: Tiles) -> Tiles:
    """What is small enough is read once, so that every question about it is answered at once.

    >>> from segviz.tiles import WithoutFirst
    >>> at_hand(WithoutFirst(ArrayTiles(np.eye(2)))).array.tolist()
    [[0.0, 0.0], [0.0, 1.0]]
    """
    rows, keys = tiles.shape
    if max(rows, keys) > WHOLE:
        return tiles
    return ArrayTiles(*tiles.tile(slice(0, rows), slice(0, keys)))


def fits(tiles: Tiles) -> bool:
    """Whether the page can have every cell.

    >>> fits(ArrayTiles(np.eye(1024))), fits(ArrayTiles(np.eye(900)))
    (False, True)
    """
    if max(tiles.shape) > WHOLE:
        return False
    rows, columns = (slice(0, side) for side in tiles.shape)
    return bool(np.count_nonzero(tiles.tile(rows, columns)[1]) <= LIMIT)


def overview(tiles: Tiles) -> tuple[np.ndarray, np.ndarray, int]:
    """All of it with at most ``WHOLE`` cells a side and ``LIMIT`` visible cells, and the factor.

    >>> from segviz.tiles import ArrayTiles
    >>> values, visible, factor = overview(ArrayTiles(np.eye(2100, 1200)))
    >>> values.shape, factor
    ((700, 400), 3)
    """
    rows, columns = (slice(0, side) for side in tiles.shape)
    factor = factor_for(tiles.shape, WHOLE)
    while True:
        values, visible = tiles.tile(rows, columns, factor)
        if np.count_nonzero(visible) <= LIMIT:
            return values, visible, factor
        factor += 1


def words(tokens: Sequence[str], keys: int) -> list[int] | None:
    """First positions of the words, borders of segments aside; None without a token for each key.

    >>> words(["A", "nna", " fol", "lows"], 4), words([], 4)
    ([0, 2], None)
    """
    return word_starts(tokens).tolist() if len(tokens) == keys else None


def within(given: Sequence[int], side: int) -> slice | None:
    """``[first, stop]`` of the page as a slice; None if it is of another array.

    >>> within([0, 2], 3), within([2, 4], 3)
    (slice(0, 2, None), None)
    """
    first, stop = map(int, given)
    return slice(first, stop) if 0 <= first < stop <= side else None


def merged_tiles(tiles: Tiles, starts: tuple[np.ndarray, np.ndarray]) -> MergedTiles:
    """The tiles with words or segments in place of tokens."""
    rows, columns = starts
    return MergedTiles(tiles, rows - rows[0], columns)


def cell_value(
    tiles: Tiles, rows: slice, columns: slice, *, as_group: bool = False
) -> float | None:
    """The number of a drawn cell that stands for several; None if nothing of it is visible.

    >>> from segviz.tiles import ArrayTiles
    >>> tiles = ArrayTiles(np.array([[0.25, 0.75], [0.5, 0.25]]))
    >>> both = slice(0, 2)
    >>> cell_value(tiles, both, both), cell_value(tiles, both, both, as_group=True)
    (0.75, 0.875)

    Args:
        tiles: where it is.
        rows: query positions.
        columns: key positions.
        as_group: merge them: columns summed, rows averaged. Otherwise the one furthest from 0.
    """
    if as_group:
        values, visible = merged(*tiles.tile(rows, columns), np.zeros(1, int), np.zeros(1, int))
    else:
        sides = (part.stop - part.start for part in (rows, columns))
        values, visible = tiles.tile(rows, columns, max(sides))
    return float(values[0, 0]) if visible[0, 0] else None


def mean_row(tiles: Tiles, rows: slice) -> np.ndarray:
    """The mean of some rows, float32 ``[key]``, NaN where a key is visible to none of them.

    >>> from segviz.tiles import ArrayTiles
    >>> mean_row(ArrayTiles(np.array([[1.0, 0.0], [0.5, 0.5]]), np.tri(2, dtype=bool)), slice(0, 1))
    array([ 1., nan], dtype=float32)
    """
    values, visible = tiles.tile(rows, slice(0, tiles.shape[1]))
    return np.where(visible.any(axis=0), values.mean(axis=0), np.nan).astype(np.float32)


def detail(
    drawn: Tiles, rows: slice, columns: slice, factor: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A part in closer detail, and what the page needs to draw its rows relative to their largest.

    >>> from segviz.tiles import ArrayTiles
    >>> tiles = ArrayTiles(np.array([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]]))
    >>> values, visible, peaks = detail(tiles, slice(0, 2), slice(1, 3), 1)
    >>> values.tolist(), peaks.tolist()
    ([[0.25, 0.25], [0.0, 1.0]], [[0.5, 1.0], [0.25, 1.0]])

    Returns:
        values and visibility ``[row, column]``, and ``[2, row]`` the largest magnitude of each
        whole row: of all its cells, and without the first one.

    Raises:
        ValueError: a part outside, or one too large for a message.
    """
    height, width = drawn.shape
    for part, side in ((rows, height), (columns, width)):
        if not 0 <= part.start < part.stop <= side:
            raise ValueError(f"there are no cells {part.start} to {part.stop} among {side}")
    cells = [-(-(part.stop - part.start) // factor) for part in (rows, columns)]
    if factor < 1 or cells[0] * cells[1] > LIMIT:
        raise ValueError(f"a tile of {cells[0]} × {cells[1]} cells is too large")
    if columns.start % factor:
        raise ValueError(f"a tile with factor {factor} cannot start at column {columns.start}")
    values, visible = drawn.tile(rows, slice(0, width), factor)
    magnitude = np.where(visible, np.abs(values), 0.0)
    peaks = np.stack([magnitude.max(axis=1), magnitude[:, 1:].max(axis=1, initial=0.0)])
    part = np.s_[:, columns.start // factor : -(-columns.stop // factor)]
    return values[part], visible[part], peaks
