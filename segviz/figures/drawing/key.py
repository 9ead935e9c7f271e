"""Key: which number a colour stands for, as a bar with a few numbers below it."""

from __future__ import annotations

import numpy as np

from segviz.figures.drawing.beside import ink
from segviz.figures.drawing.colors import Colors
from segviz.figures.drawing.points import Points, Ruler, depth, height
from segviz.figures.drawing.ticks import fitting

BAR = 5.0
"""Height of the bar, in points."""

_TICK = 2.0
_GAP = 2.0
_UNDER = 0.32
"""Of the size of the numbers: from them to their unit."""
_COLORS = 256
_LONGEST = 14.0
"""Of the size of its numbers: a bar at most."""


def key_height(size: float) -> float:
    """How tall a bar with its numbers is, in points."""
    return BAR + _TICK + _GAP + height(size)


def draw_key(
    points: Points, ruler: Ruler, colors: Colors, x: float, y: float, width: float, size: float
) -> None:
    """Draw a bar of colours, and numbers below it as close as they may stand.

    Args:
        points: where.
        ruler: measures the numbers.
        colors: what they mean.
        x: where the bar begins.
        y: its upper side.
        width: of the bar; the numbers stand out by half of their own at its ends.
        size: of the numbers, in points.
    """
    least = colors.range["vmin"]
    steps = np.linspace(least, 1, _COLORS)[None, :]
    points.image(steps, x, y, width, BAR, **colors.range)
    frame = 0.6 * points.line_width
    points.box(x, y, width, BAR, facecolor="none", edgecolor=ink(), linewidth=frame)
    bottom = y + BAR
    marks = []
    for place, text in fitting(colors, ruler, width, size):
        at = x + width * (place - least) / (1 - least)
        marks.append([(at, bottom), (at, bottom + _TICK)])
        points.text(at, bottom + _TICK + _GAP + height(size), text, size, ha="center", color=ink())
    points.lines(marks, color=ink(), linewidth=frame)


def named_key_height(size: float) -> float:
    """How tall a bar with its numbers and their unit is, in points."""
    return key_height(size) + _UNDER * size + height(size) + depth(size)


def draw_named_key(
    points: Points, ruler: Ruler, colors: Colors, unit: str, span: tuple[float, float], y: float,
    size: float,
) -> None:  # fmt: skip
    """Draw a bar with its numbers in the middle of a span, and their unit below.

    Args:
        points: where.
        ruler: measures texts.
        colors: what they mean.
        unit: what the numbers are.
        span: from where to where it may reach.
        y: the bar's upper side.
        size: of the texts, in points.
    """
    start, stop = span
    width = min(_LONGEST * size, 0.6 * (stop - start))
    middle = (start + stop) / 2
    draw_key(points, ruler, colors, middle - width / 2, y, width, size)
    baseline = y + key_height(size) + _UNDER * size + height(size)
    points.text(
        middle, baseline, ruler.fit(unit, size, stop - start), size, ha="center", color=ink()
    )


def overhang(colors: Colors, ruler: Ruler, width: float, size: float) -> float:
    """How far numbers stand out at the ends of a bar, in points."""
    least = colors.range["vmin"]
    beyond = [0.0]
    for place, text in fitting(colors, ruler, width, size):
        at, half = width * (place - least) / (1 - least), ruler.width(text, size) / 2
        beyond += [half - at, at + half - width]
    return max(beyond)
