"""Brackets: the segments along a side of axes, with their names where there is room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from segviz.charts import Span
from segviz.figures.drawing.beside import Beside
from segviz.figures.drawing.names import spread
from segviz.figures.drawing.points import Ruler, legible
from segviz.palette import segment_color

# In points: from the axes to the bracket's line, and from there to a name.
_LEG = 1.5
_LINE = 4.0
_TO_NAME = 1.5
_LEADER = 3.0
_INSET = 0.6
_SHORTEST = 0.8
"""Of a bracket's line, so that a single one of thousands of tokens still has one."""

_DOTTED = (0, (1, 1.2))
_UPRIGHT = 270

# Of a name's size: the space between names, how long they may be at most, how short they become,
# and how far beside its bracket's middle one may end.
_BETWEEN = 0.6
_CAPS = (20.0, 7.0, 5.5, 4.5, 3.5)
_FARTHEST = 2.0


@dataclass(frozen=True, slots=True)
class Name:
    """A segment's name at its bracket.

    Args:
        span: the number of the bracket.
        text: the name, shortened where it has to be.
        middle: where its middle is, in points along the side.
        level: 0 at the bracket, 1 further out at the end of a leader.
    """

    span: int
    text: str
    middle: float
    level: int


def place(
    spans: Sequence[tuple[float, float]],
    names: Sequence[str],
    ruler: Ruler,
    size: float,
    room: tuple[float, float],
) -> list[Name]:
    """Where names go: at their bracket, else on a second level; some shortened, some left out.

    >>> spans = [(0, 8), (8, 90), (90, 96)]
    >>> [(one.text, one.level) for one in place(spans, ["bos", "system", "user"], Ruler(), 7,
    ...                                         (0, 96))]
    [('system', 0), ('bos', 1), ('user', 1)]

    Names of one level never touch each other, and the leaders of the second level pass between
    those of the first.

    Args:
        spans: start and stop of each bracket, in points along the side, in order.
        names: of each.
        ruler: measures them.
        size: of the names, in points.
        room: from where to where names may reach, in points along the side.

    Returns:
        the names that there is room for, those of the first level first.
    """
    inside, rest = _first(range(len(spans)), spans, names, ruler, size, room)
    outside = _second(rest, spans, names, ruler, size, room, _CAPS[:1])
    if len(outside) < len(rest):
        short = [ruler.fit(name, size, stop - start - _BETWEEN * size / 2)
                 for name, (start, stop) in zip(names, spans, strict=True)]  # fmt: skip
        wide = [one for one in rest if spans[one][1] - spans[one][0] >= _CAPS[-1] * size]
        more, _ = _first([one for one in wide if short[one]], spans, short, ruler, size, room)
        inside = sorted([*inside, *more], key=lambda name: name.span)
        rest = [one for one in rest if one not in {name.span for name in more}]
        outside = _second(rest, spans, names, ruler, size, room, _CAPS)
    return inside + outside


def _first(
    numbers: Iterable[int],
    spans: Sequence[tuple[float, float]],
    names: Sequence[str],
    ruler: Ruler,
    size: float,
    room: tuple[float, float],
) -> tuple[list[Name], list[int]]:
    """The first level, and those that do not fit; at the ends of a side a name may reach out."""
    found: list[Name] = []
    rest: list[int] = []
    for number in numbers:
        start, stop = spans[number]
        low = min(room[0], start) if number == 0 else start
        high = max(room[1], stop) if number == len(spans) - 1 else stop
        half = (ruler.width(names[number], size) + _BETWEEN * size / 2) / 2
        if names[number] and 2 * half <= high - low:
            middle = min(max((start + stop) / 2, low + half), high - half)
            found.append(Name(number, names[number], middle, 0))
        elif names[number]:
            rest.append(number)
    return found, rest


def _second(
    rest: Sequence[int],
    spans: Sequence[tuple[float, float]],
    names: Sequence[str],
    ruler: Ruler,
    size: float,
    room: tuple[float, float],
    caps: Sequence[float],
) -> list[Name]:
    """The second level: all names if they can be, shortened if need be, else the longest spans'."""

    def placed(numbers: Sequence[int], cap: float) -> list[Name] | None:
        texts = [ruler.fit(names[number], size, cap * size) for number in numbers]
        lengths = [ruler.width(text, size) + _BETWEEN * size for text in texts]
        if not numbers or sum(lengths) > room[1] - room[0] or not all(texts):
            return None
        centers = [sum(spans[number]) / 2 for number in numbers]
        middles = spread(centers, lengths, *room)
        away = [
            abs(middle - center) - length / 2
            for middle, center, length in zip(middles, centers, lengths, strict=True)
        ]
        if max(away) > _FARTHEST * size:
            return None
        return [
            Name(number, text, middle, 1)
            for number, text, middle in zip(numbers, texts, middles, strict=True)
        ]

    for cap in caps:
        if (found := placed(rest, cap)) is not None:
            return found
    chosen: list[int] = []
    found = []
    for number in sorted(rest, key=lambda one: spans[one][0] - spans[one][1]):
        tried = sorted([*chosen, number])
        if (better := placed(tried, caps[-1])) is not None:
            chosen, found = tried, better
    return found


def bracket_depth(names: Sequence[Name], size: float, line: float) -> float:
    """How far brackets and their names reach away from the axes, in points.

    Args:
        names: as :func:`place` gives them; none: the brackets alone.
        size: of the names.
        line: how tall a line of them is, of a size of 1.
    """
    levels = {name.level for name in names}
    depth = _LINE + _TO_NAME
    if 0 in levels:
        depth += line * size
    if 1 in levels:
        depth += _LEADER + line * size
    return depth if levels else _LINE + 1


def draw_brackets(
    beside: Beside,
    spans: Sequence[Span],
    names: Sequence[Name],
    *,
    pitch: float,
    size: float,
    line: float,
    width: float,
    length: float,
) -> None:
    """Draw brackets, dotted for causal segments, and their names.

    Args:
        beside: the side; names at the right side are turned to run downwards.
        spans: the segments.
        names: as :func:`place` gives them.
        pitch: of the cells, in points.
        size: of the names, in points.
        line: how tall a line of them is, of a size of 1.
        width: of the brackets' lines, in points.
        length: of the side, in cells; names are placed from its beginning.
    """
    for span in spans:
        start, stop = _ends(span, pitch, length)
        color = segment_color(span.number)
        dotted = span.attention == "causal"
        style = {"color": color, "linewidth": width, "capstyle": "butt", "joinstyle": "miter"}
        if dotted:
            beside.lines([[(start, _LINE), (stop, _LINE)]], linestyle=_DOTTED, **style)
            legs = [[(end, _LEG), (end, _LINE + width / 2)] for end in (start, stop)]
            beside.lines(legs if stop - start > _legs(pitch) else legs[:1], **style)
        else:
            beside.lines([[(start, _LEG), (start, _LINE), (stop, _LINE), (stop, _LEG)]], **style)
    outer = _LINE + _TO_NAME + (line * size if any(name.level == 0 for name in names) else 0)
    for name in names:
        span = spans[name.span]
        color = legible(segment_color(span.number))
        away = _LINE + _TO_NAME
        if name.level:
            _draw_leader(beside, span, name, outer, pitch, size, width)
            away = outer + _LEADER
        turn = {"rotation": _UPRIGHT} if beside.side == "right" else {}
        beside.text(name.middle / pitch, away, name.text, size, color=color, **turn)


def _draw_leader(
    beside: Beside, span: Span, name: Name, outer: float, pitch: float, size: float, width: float
) -> None:
    middle = (span.start + span.stop) / 2
    half = beside.ruler.width(name.text, size) / 2 / pitch
    inside = min(0.25 * size / pitch, half)
    end = name.middle / pitch
    end = min(max(middle, end - half + inside), end + half - inside)
    points = [(middle, _LINE), (middle, outer), (end, outer + _LEADER)]
    beside.lines([points], color=segment_color(span.number), linewidth=0.5 * width)


def _ends(span: Span, pitch: float, length: float) -> tuple[float, float]:
    inset = min(_INSET / pitch, (span.stop - span.start) / 4)
    start, stop = span.start + inset, span.stop - inset
    short = max(0.0, _SHORTEST / pitch - (stop - start)) / 2
    return max(0.0, start - short), min(length, stop + short)


def _legs(pitch: float) -> float:
    return 3 / pitch
