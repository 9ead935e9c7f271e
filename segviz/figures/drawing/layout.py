"""Layout: where panels of square cells lie on a page, as large as its width and height allow."""

from __future__ import annotations

from dataclasses import dataclass

from segviz.figures.drawing.around import Around, Room, Sides
from segviz.figures.drawing.points import tallest
from segviz.figures.paper import POINTS

EDGE = 2.0
"""Points that stay free at the edges of a page."""

_LARGEST = 3.5
"""Of the size of small text: a cell, or a handful of tokens would fill a page."""
_THINNEST = 0.5
"""Likewise, a panel; thinner ones are stretched."""
_SMALLEST_PANEL = 12.0
_STEPS = 40


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows and columns of panels, all with the same cells.

    Args:
        rows: of panels.
        columns: of panels.
        across: from one panel to the next in a row, in points.
        down: from one row to the next, titles included, in points.
    """

    rows: int
    columns: int
    across: float
    down: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Where panels lie, in points from the page's upper left corner.

    Args:
        around: what is written around them.
        lefts: left sides of the columns of panels.
        tops: upper sides of the rows of panels.
        width: of a panel.
        height: of a panel.
    """

    around: Around
    lefts: tuple[float, ...]
    tops: tuple[float, ...]
    width: float
    height: float

    @property
    def bottom(self) -> float:
        """Lower side of the last row."""
        return self.tops[-1] + self.height

    @property
    def right(self) -> float:
        """Right side of the last column."""
        return self.lefts[-1] + self.width

    @property
    def middle(self) -> float:
        """Halfway between the left and the right side of all panels."""
        return (self.lefts[0] + self.right) / 2


def pitches(sides: Sides, pitch: float) -> tuple[float, float]:
    """Width and height of cells: a few rows of thousands of columns still have to be seen."""
    least = _THINNEST * sides.paper.small
    return max(pitch, least / sides.columns.cells), max(pitch, least / sides.rows.cells)


def lay_out(
    sides: Sides, grid: Grid, *, names: tuple[float, float], above: float, foot: float
) -> Layout:
    """The largest panels that leave room for what is written around them.

    Args:
        sides: what could be written.
        grid: of the panels.
        names: room for the axes' names at the left and below, in points.
        above: room for titles above the brackets, in points.
        foot: room below all of that, in points.

    Raises:
        ValueError: so many panels that nothing could be seen in them.
    """
    page = sides.paper.width * POINTS
    cells = sides.columns.cells * grid.columns, sides.rows.cells * grid.rows
    gaps = grid.across * (grid.columns - 1), grid.down * (grid.rows - 1)
    left = right = top = below = 0.0
    alone = grid.columns == 1
    around = None
    # Margins only grow from step to step, or labels could come and go for ever.
    for _ in range(_STEPS):
        wide = page - 2 * EDGE - names[0] - left - right - gaps[0]
        high = tallest(page) - EDGE - above - top - below - names[1] - foot - gaps[1]
        pitch = min(wide / cells[0], high / cells[1], _LARGEST * sides.paper.small)
        pitch = max(pitch, 1e-3)
        beyond = left if alone else grid.across / 2 - 1
        beneath = below if grid.rows == 1 else grid.down / 2 - 1
        room = Room(beyond, right if alone else grid.across / 2 - 1, beneath)
        around = sides.around(pitches(sides, pitch), room)
        if sides.every and not sides.fits_every(around):
            # Room was made for labels that do not fit after all.
            sides.every = False
            left = right = top = below = 0.0
            continue
        need = around.left.depth, around.right_depth, around.top_depth, around.below.depth
        if all(a <= b for a, b in zip(need, (left, right, top, below), strict=True)):
            break
        left, right, top, below = map(max, need, (left, right, top, below))
    assert around is not None  # noqa: S101 (there is a first step)
    width, height = sides.columns.cells * around.pitch[0], sides.rows.cells * around.pitch[1]
    if grid.rows * grid.columns > 1 and max(width, height) < _SMALLEST_PANEL:
        raise ValueError(
            f"{grid.rows} × {grid.columns} panels are too many for a figure {page / POINTS:g} "
            "inches wide: choose fewer layers and heads or a larger width, or see all heads with "
            "segviz.figures.heads"
        )
    content = names[0] + left + right + gaps[0] + width * grid.columns
    start = (page - content) / 2 + names[0] + left
    return Layout(
        around,
        tuple(start + number * (width + grid.across) for number in range(grid.columns)),
        tuple(EDGE + above + top + number * (height + grid.down) for number in range(grid.rows)),
        width,
        height,
    )
