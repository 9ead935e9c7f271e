"""Foot: what is below the panels of a figure: bars of colours, and what lines and fields mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from segviz.figures.drawing.beside import ink
from segviz.figures.drawing.colors import Colors
from segviz.figures.drawing.key import draw_key, key_height, overhang
from segviz.figures.drawing.marks import DASHES, HATCH, MASKED
from segviz.figures.drawing.points import Points, Ruler, depth, height
from segviz.figures.paper import POINTS, Paper
from segviz.palette import DECODE, MUTED

# Of the size of the text.
_LINE = 1.25
_SAMPLE, _TO_TEXT, _BETWEEN = 2.0, 0.5, 1.6
_LONGEST = 20.0
_SHORTEST = 3.0
_UNDER_BAR = 0.4
"""Of the size: between the numbers of a bar and its unit."""
_OVER_ENTRIES = 2.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of colours.

    Args:
        colors: what they mean.
        unit: what the numbers are.
        start: from where it may reach, in points.
        stop: to where.
    """

    colors: Colors
    unit: str
    start: float
    stop: float


@dataclass(frozen=True, slots=True)
class Entry:
    """What a line or a field means.

    Args:
        text: the meaning.
        fields: colours side by side; none: the line where decoding starts.
        hatched: whether it is the ground.
    """

    text: str
    fields: tuple[str, ...] = ()
    hatched: bool = False


DECODING = Entry("decoding starts")


class Foot(Points):
    """The part of a figure below the panels, in points.

    Args:
        axes: to draw in.
        figure: that they are in.
        width: of the axes, in points.
        height: of the axes.
        ruler: measures texts.
        paper: sizes of texts and lines.
    """

    def __init__(
        self, axes: Axes, figure: Figure, width: float, height: float, ruler: Ruler, paper: Paper
    ) -> None:
        self._ruler = ruler
        self.line_width = paper.line
        self.axes, self.figure = axes, figure
        self.width, self.height = width, height
        axes.set_axis_off()
        axes.set_autoscale_on(False)
        axes.set_aspect("auto")
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)


def foot_height(
    bars: Sequence[Bar], entries: Sequence[Entry], room: float, ruler: Ruler, size: float
) -> float:
    """How tall a foot is, in points."""
    tall = 0.0
    if bars:
        units = max(len(_unit_lines(bar, ruler, size)) for bar in bars)
        tall += key_height(size) + _UNDER_BAR * size + units * _LINE * size
        tall += _OVER_ENTRIES if entries else 0
    return tall + len(_entry_rows(entries, ruler, size, room)) * _LINE * size + depth(size)


def draw_foot(
    foot: Points,
    bars: Sequence[Bar],
    entries: Sequence[Entry],
    middle: float,
    room: float,
    ruler: Ruler,
    size: float,
) -> None:
    """Draw bars side by side, and entries below them.

    Args:
        foot: where.
        bars: to draw.
        entries: to draw.
        middle: of the entries, in points.
        room: the width that they have.
        ruler: measures them.
        size: of the text, in points.
    """
    y = 0.0
    for bar in bars:
        start, width = _extent(bar, ruler, size)
        draw_key(foot, ruler, bar.colors, start, y, width, size)
        for number, line in enumerate(_unit_lines(bar, ruler, size)):
            baseline = key_height(size) + _UNDER_BAR * size + height(size) + number * _LINE * size
            foot.text((bar.start + bar.stop) / 2, baseline, line, size, ha="center", color=ink())
    if bars:
        units = max(len(_unit_lines(bar, ruler, size)) for bar in bars)
        y = key_height(size) + _UNDER_BAR * size + units * _LINE * size + _OVER_ENTRIES
    for row in _entry_rows(entries, ruler, size, room):
        wide, edge = _row_width(row, ruler, size), (foot.width - room) / 2
        x = max(edge, min(middle - wide / 2, edge + room - wide))
        for entry in row:
            _draw_entry(foot, entry, x, y + height(size), size)
            x += _entry_width(entry, ruler, size) + _BETWEEN * size
        y += _LINE * size


def _draw_entry(foot: Points, entry: Entry, x: float, baseline: float, size: float) -> None:
    wide, tall = _SAMPLE * size, 0.8 * height(size)
    top = baseline - 0.9 * height(size)
    if entry.fields or entry.hatched:
        fields = entry.fields or ("white",)
        part = wide / len(fields)
        for number, field in enumerate(fields):
            foot.box(x + number * part, top, part, tall, facecolor=field)
        frame: dict[str, Any] = {"facecolor": "none", "edgecolor": MUTED}
        if entry.hatched:
            foot.box(x, top, wide, tall, facecolor="none", edgecolor=MASKED, hatch=HATCH)
        foot.box(x, top, wide, tall, linewidth=0.5 * foot.line_width, **frame)
    else:
        y = top + tall / 2
        foot.lines([[(x, y), (x + wide, y)]], color=DECODE, linestyle=DASHES,
                   linewidth=1.3 * foot.line_width)  # fmt: skip
    foot.text(x + wide + _TO_TEXT * size, baseline, entry.text, size, color=ink())


def _extent(bar: Bar, ruler: Ruler, size: float) -> tuple[float, float]:
    """Where a bar begins and how long it is; its numbers stay in the bar's room."""
    room = bar.stop - bar.start
    width = min(_LONGEST * size, room)
    for _ in range(3):
        width = max(_SHORTEST, min(width, room - 2 * overhang(bar.colors, ruler, width, size)))
    return bar.start + (room - width) / 2, width


def _unit_lines(bar: Bar, ruler: Ruler, size: float) -> list[str]:
    return ruler.lines(bar.unit, size, bar.stop - bar.start)


def _entry_width(entry: Entry, ruler: Ruler, size: float) -> float:
    return (_SAMPLE + _TO_TEXT) * size + ruler.width(entry.text, size)


def _row_width(row: Sequence[Entry], ruler: Ruler, size: float) -> float:
    each = [_entry_width(entry, ruler, size) for entry in row]
    return sum(each) + _BETWEEN * size * (len(each) - 1)


def _entry_rows(
    entries: Sequence[Entry], ruler: Ruler, size: float, room: float
) -> list[list[Entry]]:
    rows: list[list[Entry]] = []
    for entry in _fitting(entries, ruler, size, room):
        if rows and _row_width([*rows[-1], entry], ruler, size) <= room:
            rows[-1].append(entry)
        else:
            rows.append([entry])
    return rows


def _fitting(entries: Sequence[Entry], ruler: Ruler, size: float, room: float) -> list[Entry]:
    """Entries of which none is wider than the room."""
    space = room - (_SAMPLE + _TO_TEXT) * size
    return [replace(entry, text=ruler.fit(entry.text, size, space)) for entry in entries]


def inset(axes: Axes, away: float, width: float, tall: float) -> Axes:
    """Axes below others that the user made, and that stay below them.

    Args:
        axes: the user's.
        away: distance from them, in points.
        width: in points.
        tall: in points.
    """
    below = axes.inset_axes((0, 0, 1, 1))

    def locate(_axes: Any, _renderer: Any) -> Bbox:
        figure: Any = axes.figure
        box = axes.get_window_extent()
        pixels = figure.dpi / POINTS
        left = (box.x0 + box.x1 - width * pixels) / 2
        top = box.y0 - away * pixels
        found = Bbox.from_bounds(left, top - tall * pixels, width * pixels, tall * pixels)
        return found.transformed(figure.transSubfigure.inverted())

    below.set_axes_locator(locate)
    return below
