"""Text: the prompt as running text, its segments at the margin, its tokens shaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from segviz.charts import Span, Text
from segviz.charts.heatmap import PROBABILITY
from segviz.figures.drawing.beside import ink, muted
from segviz.figures.drawing.colors import Colors
from segviz.figures.drawing.heading import draw_heading, heading_height
from segviz.figures.drawing.key import draw_key, key_height, overhang
from segviz.figures.drawing.lines import Line, Piece, in_lines, shortened
from segviz.figures.drawing.points import (
    Points,
    Ruler,
    depth,
    font_families,
    given_axes,
    height,
    ink_on,
    legible,
    room_on,
)
from segviz.figures.drawing.titles import title_lines
from segviz.figures.fonts import fitted
from segviz.figures.sheet import Sheet
from segviz.labels import is_special
from segviz.palette import DECODE, INK, MUTED, segment_color

_SHADES = "Oranges"
"""From near white: text is read on it, and a shade of nothing is no shade."""

_UNSEEN = "#a3a9b3"
_TINT = 0.16
"""How much of a segment's colour its tokens are shaded with where nothing else shades them."""

# Of the size of the text.
_PITCH, _ABOVE, _BELOW = 1.6, 1.0, 0.36
_BETWEEN_SEGMENTS, _AT_BORDER = 0.45, 1.25
_NAMES = 0.25
"""Of the width at most: the names of the segments."""
_EDGE = 2.0
_BAR_GAP = 0.6
_KEY_WIDTH = 12.0
"""Of the size of the text."""
_QUERY = "query"
_BETWEEN_ENTRIES = 8.0
_HAIR = 0.35
_FEWEST = 3
_GENTLY = 0.7
_DOTTED = (0, (1, 1))
_DASHED = (0, (4, 2))


def draw_text(chart: Text, sheet: Sheet) -> Figure:
    """Draw a text with its segments.

    A text longer than a page (9 inches) loses its middle; a line says how many tokens. The part to
    show is then better named, with ``keys=``.
    """
    return _Setting(chart, sheet).draw()


@dataclass(frozen=True, slots=True)
class _Row:
    """A line at its place, or what stands for the lines left out."""

    line: Line
    baseline: float
    left_out: int = 0


class _Setting:
    """A text being set."""

    def __init__(self, chart: Text, sheet: Sheet) -> None:
        self.chart, self.sheet, paper = chart, sheet, sheet.paper
        self.size, self.line_width = paper.small, paper.line
        self.title_size = paper.font_size
        title = chart.title if sheet.title is None else sheet.title
        names = [span.name for span in chart.spans]
        texts, families = fitted([*chart.labels, *names, title], font_families(), stacklevel=4)
        self.labels = texts[: len(chart.labels)]
        self.names = texts[len(chart.labels) : -1]
        self.ruler = Ruler.of(families)
        self.axes = given_axes(sheet)
        self.width, self.most = room_on(sheet, self.axes)
        self.title = title_lines(texts[-1], self.ruler, self.title_size, self.width - 2 * _EDGE)
        widest = self.ruler.widest(self.names, self.size)
        self.margin = min(widest, _NAMES * self.width)
        self.bar = _EDGE + self.margin + _BAR_GAP * self.size
        self.left = self.bar + _BAR_GAP * self.size
        self.colors = self._colors()

    def _colors(self) -> Colors | None:
        chart = self.chart
        if chart.values is None:
            Colors.of(self.sheet.colors, "sequential", chart.scale, 1.0)
            return None
        seen = chart.values[np.isfinite(chart.values)]
        return Colors.of(
            self.sheet.colors,
            "sequential",
            chart.scale,
            chart.limit,
            clipped=bool((seen > chart.limit).any()),
            usual=_SHADES,
        )

    def draw(self) -> Figure:
        above = _EDGE + heading_height(self.title, self.title_size)
        below = self._key_height()
        rows, end = self._rows(above, self.most - below)
        shown = {piece.token for row in rows for piece in row.line}
        points = Points(self.sheet, end + below, self.ruler, self.axes)
        draw_heading(points, self.title, self.title_size, _EDGE, x=_EDGE)
        self._draw_shades(points, rows)
        for row in rows:
            self._draw_line(points, row)
        self._draw_segments(points, rows)
        self._draw_border(points, rows)
        if self.colors is not None:
            self._draw_key(points, end, self.colors, framed=self.chart.query in shown)
        return points.figure

    def _rows(self, top: float, bottom: float) -> tuple[list[_Row], float]:
        """Lines with their baselines, and where the last one ends."""
        starts = {int(span.start) for span in self.chart.spans}
        room = self.width - _EDGE - self.left
        every = in_lines(self.labels, starts, self.ruler, self.size, room)
        most = len(every)
        while True:
            head, left_out, tail = shortened(every, most)
            rows, end = self._stacked(head, left_out, tail, top)
            if end <= bottom or most <= _FEWEST:
                return rows, end
            beyond = (end - bottom) / (_PITCH * self.size)
            most = max(_FEWEST, most - max(1, int(beyond * _GENTLY)))

    def _stacked(
        self, head: list[Line], left_out: int, tail: list[Line], top: float
    ) -> tuple[list[_Row], float]:
        rows = []
        y = top
        starts = {int(span.start) for span in self.chart.spans}
        for line in [*head, *([()] if left_out else []), *tail]:
            first = line[0].token if line else None
            if rows and first == self.chart.border:
                y += _AT_BORDER * self.size
            elif rows and first in starts:
                y += _BETWEEN_SEGMENTS * self.size
            rows.append(_Row(line, y + _ABOVE * self.size, 0 if line else left_out))
            y += _PITCH * self.size
        return rows, y - (_PITCH - _ABOVE - _BELOW) * self.size

    def _boxes(self, rows: Sequence[_Row]) -> list[tuple[int, np.ndarray]]:
        """Tokens in sight and the corners of their shades."""
        return [
            (piece.token, self._corners(piece, row.baseline)) for row in rows for piece in row.line
        ]

    def _corners(self, piece: Piece, baseline: float) -> np.ndarray:
        # A hair of white tells neighbouring tokens apart.
        x = self.left + piece.x + _HAIR
        stop = x + piece.width - _HAIR
        above, below = baseline - _ABOVE * self.size, baseline + _BELOW * self.size
        return np.array([(x, above), (stop, above), (stop, below), (x, below)])

    def _draw_shades(self, points: Points, rows: Sequence[_Row]) -> None:
        boxes = [(token, box) for token, box in self._boxes(rows) if self._shade(token) is not None]
        if boxes:
            tokens, corners = zip(*boxes, strict=True)
            colors = [self._shade(token) for token in tokens]
            shades = PolyCollection(corners, facecolors=colors, linewidths=0)
            points.axes.add_collection(shades, autolim=False)
        query = self.chart.query
        frame = next((box for token, box in self._boxes(rows) if token == query), None)
        if frame is not None:
            closed = np.vstack([frame, frame[:1]])
            line = 1.25 * self.line_width
            points.lines([closed], color=ink(), linewidth=line, capstyle="projecting", zorder=3)

    def _shade(self, token: int) -> tuple[float, float, float] | None:
        """The colour behind a token; None where it is not seen."""
        if self.chart.values is None or self.colors is None:
            number = next(s.number for s in self.chart.spans if s.start <= token < s.stop)
            tinted = 1 - _TINT * (1 - np.array(to_rgb(segment_color(number))))
            return tuple(tinted.tolist())  # type: ignore[reportReturnType]
        value = self.chart.values[token]
        return None if np.isnan(value) else to_rgb(tuple(self.colors(value)))

    def _draw_line(self, points: Points, row: _Row) -> None:
        if row.left_out:
            middle = (self.left + self.width - _EDGE) / 2
            room = self.width - _EDGE - self.left
            text = self.ruler.fit(f"… {row.left_out:,} tokens …", self.size, room)
            points.text(
                middle, row.baseline, text, self.size, ha="center", color=muted(), style="italic"
            )
        for piece in row.line:
            stripped = piece.text.lstrip(" ")
            x = self.left + piece.x + piece.width - self.ruler.width(stripped, self.size)
            color = self._ink(piece.token)
            points.text(x, row.baseline, stripped, self.size, color=color)

    def _ink(self, token: int) -> str:
        shade = self._shade(token)
        if shade is None:
            return _UNSEEN
        if is_special(self.chart.labels[token]):
            return ink_on(shade, MUTED, INK)
        return ink_on(shade, INK)

    def _draw_segments(self, points: Points, rows: Sequence[_Row]) -> None:
        """Bars at the margin along the lines of each segment, and its name where it begins."""
        for span, name in zip(self.chart.spans, self.names, strict=True):
            color = segment_color(span.number)
            for part in self._parts(span, rows):
                first, last = part[0].baseline, part[-1].baseline
                line = [
                    (self.bar, first - _ABOVE * self.size),
                    (self.bar, last + _BELOW * self.size),
                ]
                style = "solid" if span.attention == "bidirectional" else _DOTTED
                points.lines([line], color=color, linewidth=2 * self.line_width, linestyle=style)
                shown = self.ruler.fit(name, self.size, self.margin)
                end = _EDGE + self.margin
                points.text(end, first, shown, self.size, ha="right", color=legible(color))

    def _parts(self, span: Span, rows: Sequence[_Row]) -> list[list[_Row]]:
        """The rows of a segment: those before and those behind a remark are two parts."""
        parts: list[list[_Row]] = [[]]
        for row in rows:
            if row.left_out:
                parts.append([])
            elif span.start <= row.line[0].token < span.stop:
                parts[-1].append(row)
        return [part for part in parts if part]

    def _draw_border(self, points: Points, rows: Sequence[_Row]) -> None:
        border = self.chart.border
        row = next((row for row in rows if row.line and row.line[0].token == border), None)
        if border is None or row is None or row is rows[0]:
            return
        text, size = "decode", 0.9 * self.size
        room = (_AT_BORDER + _PITCH - _ABOVE - _BELOW) * self.size
        y = row.baseline - _ABOVE * self.size - room / 2
        end = self.width - _EDGE
        points.text(end, y + (height(size) - depth(size)) / 2, text, size, ha="right", color=DECODE)
        stop = end - self.ruler.width(text, size) - 3
        points.lines(
            [[(self.bar, y), (stop, y)]], color=DECODE, linestyle=_DASHED, linewidth=self.line_width
        )

    def _key_height(self) -> float:
        if self.colors is None:
            return _EDGE
        rows = 1 if self._is_beside() else 2
        return (
            1.1 * self.size
            + (rows - 1) * _PITCH * self.size
            + key_height(self.size)
            + depth(self.size)
        )

    def _draw_key(self, points: Points, end: float, colors: Colors, *, framed: bool) -> None:
        """The bar with its unit at the right, what else has a look at the left or above."""
        y = end + 1.1 * self.size
        self._draw_entries(points, y + height(self.size), framed=framed)
        if not self._is_beside():
            y += _PITCH * self.size
        x = self.width - _EDGE - self._beyond() - self._key_width()
        draw_key(points, self.ruler, colors, x, y, self._key_width(), self.size)
        end = x - self._beyond() - 4
        unit = self.ruler.fit(PROBABILITY, self.size, end - _EDGE)
        points.text(end, y + height(self.size), unit, self.size, ha="right", color=ink())

    def _key_width(self) -> float:
        return min(_KEY_WIDTH * self.size, 0.3 * self.width)

    def _beyond(self) -> float:
        assert self.colors is not None  # noqa: S101 (asked for where there are some)
        return overhang(self.colors, self.ruler, self._key_width(), self.size)

    def _entries(self) -> list[str]:
        values = self.chart.values
        if values is None:
            return []
        entries = [] if self.chart.query is None else [_QUERY]
        unseen = np.isnan(values)
        first = self.chart.start == 0 and bool(unseen[0])
        if unseen[1:].any() and first:
            entries.append("not seen or hidden")
        elif unseen.any():
            entries.append("hidden" if first else "not seen")
        return entries

    def _is_beside(self) -> bool:
        """Whether the entries have room beside the bar."""
        texts = self._entries()
        wide = sum(self.ruler.width(text, self.size) + _BETWEEN_ENTRIES for text in texts) + 6
        bar = self._key_width() + 2 * self._beyond() + 4 + self.ruler.width(PROBABILITY, self.size)
        return not texts or wide + bar <= self.width - 2 * _EDGE

    def _draw_entries(self, points: Points, baseline: float, *, framed: bool) -> None:
        x = _EDGE + points.line_width
        for text in self._entries():
            if text == _QUERY and not framed:
                continue
            if text == _QUERY:
                wide = self.ruler.width(text, self.size) + 4
                frame = {
                    "facecolor": "none",
                    "edgecolor": ink(),
                    "linewidth": 1.25 * self.line_width,
                }
                top = baseline - _ABOVE * self.size
                points.box(x, top, wide, (_ABOVE + _BELOW) * self.size, **frame)
                points.text(x + 2, baseline, text, self.size, color=ink())
                x += 4
            else:
                points.text(x, baseline, text, self.size, color=_UNSEEN)
            x += self.ruler.width(text, self.size) + _BETWEEN_ENTRIES
