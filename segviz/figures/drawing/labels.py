"""Labels: what is written beside the cells of an axis, as much of it as has room."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from segviz.charts import Axis
from segviz.figures.drawing.beside import Beside, ink, line_height, muted
from segviz.figures.drawing.names import round_positions
from segviz.figures.drawing.points import Ruler, legible
from segviz.labels import is_special
from segviz.palette import segment_color

SMALLEST = 5 / 7
"""Of the size of small text: what a label shrinks to before it is left out, 5 points on paper."""

_TICK = 2.0
_GAP = 1.5
_WIDEST = 9.0
"""Width of a label at most, of the size of the figure's small text."""
_MARKED = 12.0
"""Likewise, of one that has its token position behind it."""
_OF_PAGE = 0.2
"""Of the height of a page, which is short where it lies on its side: such a label below cells."""
_SPARE = 1.02
_BOLD = "bold"
# Of the size, along the side: from one number to the next.
_APART = {"left": 1.4, "below": 1.2}
_LEAST_APART = 16.0
_VERTICAL = 90


@dataclass(frozen=True, slots=True)
class Label:
    """A label.

    Args:
        at: the middle of what it names, in cells.
        text: what it says.
        color: of the text.
        marked: whether its token is highlighted.
        turned: whether it is written upwards.
    """

    at: float
    text: str
    color: Any
    marked: bool = False
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a side.

    Args:
        each: the labels, in order.
        size: of their text, in points.
        ticks: whether a tick leads to each.
        depth: how far they reach away from the axes, in points.
    """

    each: tuple[Label, ...]
    size: float
    ticks: bool
    depth: float


def all_labels(
    axis: Axis, pitch: float, small: float, side: str, ruler: Ruler, texts: dict[str, str]
) -> Labels | None:
    """A label for every cell, or None where they do not fit.

    A label has no leading space: where a word begins is seen in its neighbours.

    Args:
        axis: the cells.
        pitch: of the cells, in points.
        small: size of the text at most, in points.
        side: ``"left"`` or ``"below"``; there, labels are written upwards.
        ruler: measures them.
        texts: labels as they can be drawn.
    """
    if not axis.labels or pitch < SMALLEST * small:
        return None
    shown = [texts.get(label, label).strip() for label in axis.labels]
    size = min(small, pitch / (line_height(shown, ruler) * _SPARE))
    if size < SMALLEST * small:
        return None
    each = []
    for cell, text in enumerate(shown):
        marked = cell in axis.marked
        fit = shortened(text, size, _WIDEST * small, ruler, marked=marked)
        color = _color(axis, cell, marked=marked)
        each.append(Label(cell + 0.5, fit, color, marked, turned=side == "below"))
    depth = _GAP + max(_width(label, size, ruler) for label in each)
    return Labels(tuple(each), size, ticks=False, depth=depth)


def sparse_labels(
    axis: Axis,
    pitch: float,
    small: float,
    side: str,
    ruler: Ruler,
    texts: dict[str, str],
    room: tuple[float, float],
    page: float = math.inf,
) -> Labels:
    """Labels of highlighted cells, and round token positions between them.

    Args:
        axis: as above.
        pitch: as above.
        small: size of the text, in points.
        side: as above.
        ruler: as above.
        texts: as above.
        room: from where to where labels may reach along the side, in points.
        page: height of a page at most, in points.
    """
    below = side == "below"
    tall = line_height((), ruler) * small

    def reach(label: Label) -> tuple[float, float]:
        long = _width(label, small, ruler) if below and not label.turned else tall
        return label.at * pitch - long / 2, label.at * pitch + long / 2

    each: list[Label] = []
    taken: list[tuple[float, float]] = []
    apart = (_APART[side] - 1) * small
    longest = min(_MARKED * small, _OF_PAGE * page) if below else _MARKED * small
    for label in [*_highlighted(axis, small, ruler, texts, longest, below=below),
                  *_numbers(axis, pitch, small, side, ruler)]:  # fmt: skip
        low, high = reach(label)
        apart_here = 0.15 * small if label.marked else apart
        free = all(high + apart_here <= a or b + apart_here <= low for a, b in taken)
        if free and room[0] <= low and high <= room[1]:
            each.append(label)
            taken.append((low, high))
    each.sort(key=lambda label: label.at)
    away = [tall if below and not label.turned else _width(label, small, ruler) for label in each]
    return Labels(tuple(each), small, ticks=True, depth=_TICK + _GAP + max(away, default=0.0))


def draw_labels(beside: Beside, labels: Labels, line: float) -> None:
    """Draw labels, and ticks of a width of ``line`` points."""
    if labels.ticks and labels.each:
        ticks = [[(label.at, 0), (label.at, _TICK)] for label in labels.each]
        beside.lines(ticks, color=ink(), linewidth=0.6 * line)
    away = _GAP + (_TICK if labels.ticks else 0)
    for label in labels.each:
        look: dict[str, Any] = {"color": label.color}
        if label.marked:
            look["weight"] = _BOLD
        if label.turned:
            look["rotation"] = _VERTICAL
        beside.text(label.at, away, label.text, labels.size, **look)


def shortened(text: str, size: float, room: float, ruler: Ruler, *, marked: bool = False) -> str:
    """A text shortened in the middle; bold ones are wider.

    >>> ruler = Ruler()
    >>> room = ruler.width("inter…tion", 7)
    >>> shortened("interpretation", 7, room, ruler)
    'inter…tion'
    >>> len(shortened("interpretation", 7, room, ruler, marked=True)) < len("inter…tion")
    True
    """
    if not marked:
        return ruler.fit(text, size, room)
    bold = ruler.width(text, size, _BOLD) or 1.0
    return ruler.fit(text, size, room * ruler.width(text, size) / bold)


def needed(axis: Axis, *, every: bool) -> list[str]:
    """The texts that an axis may show: of all cells, or of the highlighted ones."""
    if not axis.labels:
        return []
    return list(axis.labels) if every else [axis.labels[cell] for cell in axis.marked]


def _highlighted(
    axis: Axis, small: float, ruler: Ruler, texts: dict[str, str], longest: float, *, below: bool
) -> list[Label]:
    found = []
    for cell in axis.marked:
        # The token is shortened, and its position stays whole.
        position = axis.name(cell).rpartition(" ")[2]
        fit = position
        if axis.labels:
            label = texts.get(axis.labels[cell], axis.labels[cell]).strip()
            room = longest - ruler.width(f" {position}", small, _BOLD)
            fit = f"{shortened(label, small, room, ruler, marked=True)} {position}".strip()
        color = _color(axis, cell, marked=True)
        found.append(Label(cell + 0.5, fit, color, marked=True, turned=below))
    return found


def _numbers(axis: Axis, pitch: float, small: float, side: str, ruler: Ruler) -> list[Label]:
    first = int(axis.starts[0])
    number = len(str(axis.stop))
    long = ruler.width("0" * number, small) if side == "below" else small
    step = max(_APART[side] * small + (long if side == "below" else small), _LEAST_APART)
    most = math.ceil(axis.cells * pitch / step)
    if axis.merge == "tokens":
        return [
            Label((position - first + 0.5) / axis.factor, str(position), ink())
            for position in round_positions(first, axis.stop, most)
        ]
    cells = round_positions(0, axis.cells, most)
    return [Label(cell + 0.5, str(int(axis.starts[cell])), ink()) for cell in cells]


def _color(axis: Axis, cell: int, *, marked: bool) -> Any:
    if axis.merge == "segments":
        span = next((one for one in axis.spans if one.start <= cell < one.stop), None)
        if span is not None:
            return legible(segment_color(span.number))
    if axis.labels and is_special(axis.labels[cell]) and not marked:
        return muted()
    return ink()


def _width(label: Label, size: float, ruler: Ruler) -> float:
    return ruler.width(label.text, size, _BOLD if label.marked else None)
