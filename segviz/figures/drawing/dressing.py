"""Dressing: what is drawn on and beside the panels of a figure, wherever they lie."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from segviz.charts import Axis
from segviz.figures.drawing.around import Around, Sides
from segviz.figures.drawing.beside import Beside, Side, ink
from segviz.figures.drawing.marks import draw_border, draw_frames, draw_ground
from segviz.figures.drawing.titles import has_math, panel_titles

LINE = 1.25
"""From one line of text to the next, of its size."""
UNDER_TITLE = 2.0
"""Points between a title and what is below."""
BEFORE_NAME = 2.0
"""Points between labels and the name of their axis."""

_UPWARDS = 90


def dress(
    axes: Sequence[Axes], across: int, sides: Sides, around: Around, *, hatched: bool
) -> None:
    """Ground, marks, labels and brackets: labels at the left and below, brackets at the others.

    Args:
        axes: of the panels, row by row.
        across: number of panels in a row.
        sides: what could be written.
        around: what is written.
        hatched: whether the ground of masked cells is hatched.
    """
    rows, columns, line = sides.rows, sides.columns, sides.paper.line
    for number, one in enumerate(axes):
        one.set_xlim(0, columns.cells)
        one.set_ylim(rows.cells, 0)
        draw_ground(one, line, hatched=hatched)
        draw_border(one, rows, columns, line)
        draw_frames(one, rows, columns, around.pitch, line)
        for side in _sides_of(number, across, len(axes)):
            sides.draw(one, around, side)


def draw_titles(
    axes: Sequence[Axes],
    across: int,
    titles: Sequence[str],
    sides: Sides,
    around: Around,
    room: float,
    size: float,
) -> None:
    """The titles of panels, above the brackets where there are some.

    Args:
        axes: as above.
        across: as above.
        titles: of each panel.
        sides: as above.
        around: as above.
        room: the width of one, in points.
        size: of the text.
    """
    shown = panel_titles([sides.texts[title] for title in titles], sides.ruler, size, room)
    for number, (one, title) in enumerate(zip(axes, shown, strict=True)):
        away = UNDER_TITLE + (around.top_depth if number < across else 0)
        if title:
            Beside(one, "top", sides.ruler).text(
                sides.columns.cells / 2, away, title, size, color=ink(), parse_math=has_math(title)
            )


def draw_name(
    axes: Axes, side: Side, name: str, middle: float, sides: Sides, around: Around
) -> None:
    """The name of an axis, beyond its labels.

    Args:
        axes: beside which.
        side: ``"left"`` or ``"below"``.
        name: what it says.
        middle: in cells along the side.
        sides: as above.
        around: as above.
    """
    labels = around.left if side == "left" else around.below
    turn = {"rotation": _UPWARDS} if side == "left" else {}
    Beside(axes, side, sides.ruler).text(
        middle, labels.depth + BEFORE_NAME, name, sides.paper.small, color=ink(), **turn
    )


def axis_name(axis: Axis, what: str, *, numbers: bool, hidden: bool = False) -> str:
    """What the cells of an axis are.

    >>> from segviz.segments import Segment, Segmentation
    >>> import numpy as np
    >>> one = Segmentation([Segment(0, 4000, "user")])
    >>> axis = Axis.of((), one, None, np.arange(4000), 4000, factor=4)
    >>> axis_name(axis, "key", numbers=True, hidden=True)
    'key position (4 tokens a cell, first token hidden)'

    Args:
        axis: the axis.
        what: ``"query"`` or ``"key"``.
        numbers: whether token positions are written at it.
        hidden: whether the first token is left out.
    """
    unit = " segment" if axis.merge == "segments" and not numbers else ""
    notes = [f"{axis.pooled} a cell"] if axis.pooled else []
    if hidden and axis.starts[0] == 0:
        notes.append("first token hidden")
    noted = f" ({', '.join(notes)})" if notes else ""
    return what + unit + (" position" if numbers else "") + noted


def _sides_of(number: int, across: int, count: int) -> list[Side]:
    row, column = divmod(number, across)
    here: dict[Side, bool] = {
        "left": column == 0,
        "below": row == count // across - 1,
        "top": row == 0,
        "right": column == across - 1,
    }
    return [side for side, yes in here.items() if yes]
