"""Heading: the title above a figure that is drawn in points."""

from __future__ import annotations

from collections.abc import Sequence

from segviz.figures.drawing.beside import ink
from segviz.figures.drawing.points import Points, height
from segviz.figures.drawing.titles import has_math

LINE = 1.25
"""From one line of a title to the next, of the text's size."""
_BELOW = 0.2


def draw_heading(
    points: Points, lines: Sequence[str], size: float, top: float, x: float | None = None
) -> None:
    """Draw a title.

    Args:
        points: where.
        lines: of the title.
        size: of the text, in points.
        top: of the first line.
        x: where lines begin; None: each is in the middle.
    """
    where = points.width / 2 if x is None else x
    for number, line in enumerate(lines):
        baseline = top + height(size) + LINE * size * number
        align = "center" if x is None else "left"
        math = has_math(line)
        points.text(where, baseline, line, size, ha=align, color=ink(), parse_math=math)


def heading_height(lines: Sequence[str], size: float) -> float:
    """How tall a title is, with the space below it; 0 without one.

    >>> heading_height([], 9), heading_height(["one", "two"], 10)
    (0.0, 27.0)
    """
    return (LINE * len(lines) + _BELOW) * size if lines else 0.0
