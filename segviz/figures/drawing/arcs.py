"""Arcs: attention as lines from the queries at the left to the keys at the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure

from segviz.charts import Arcs, Axis
from segviz.charts.heatmap import PROBABILITY
from segviz.figures.drawing.beside import ink, muted
from segviz.figures.drawing.colors import Colors
from segviz.figures.drawing.heading import draw_heading, heading_height
from segviz.figures.drawing.key import draw_named_key, named_key_height
from segviz.figures.drawing.points import (
    Points,
    Ruler,
    depth,
    font_families,
    given_axes,
    height,
    room_on,
)
from segviz.figures.drawing.sides import PITCH, Side, beside, label_size, outside
from segviz.figures.drawing.ticks import number
from segviz.figures.drawing.titles import title_lines
from segviz.figures.fonts import fitted
from segviz.figures.sheet import Sheet
from segviz.palette import SEGMENTS, segment_color
from segviz.scales import shares

_EDGE = 2.0
_LABELS = 0.22
"""Of the width at most: the labels of one side."""
_LEAST = 4
"""Heights of a text that the sides have at least."""
_SQUAT = 1.2
"""Height over width of lines between sides that have no room for labels."""
# The colours of segments first: a figure of several heads has none of these.
_HEADS = (*SEGMENTS, "#332288", "#cc6677", "#777777")
_THIN, _THICK = 0.5, 1.3
_MARK = 10.0
"""Length of the lines of the legend, in points."""


def draw_arcs(chart: Arcs, sheet: Sheet) -> Figure:
    """Draw lines from queries to keys.

    One head's lines have the colours of the segments that they lead to; several heads have a
    colour each, and the brackets none. The figure is as tall as its tokens ask for, up to a page
    (9 inches); where there is no room for every token, round positions stand beside the lines.
    """
    return _Fan(chart, sheet).draw()


@dataclass(frozen=True, slots=True)
class _Texts:
    """What is written, as the fonts can draw it."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    row_names: tuple[str, ...]
    column_names: tuple[str, ...]
    title: str


class _Fan:
    """Lines being laid out."""

    def __init__(self, chart: Arcs, sheet: Sheet) -> None:
        self.chart, self.sheet, paper = chart, sheet, sheet.paper
        self.small, self.title_size = paper.small, paper.font_size
        self.axes = given_axes(sheet)
        self.width, self.most = room_on(sheet, self.axes)
        title = chart.title if sheet.title is None else sheet.title
        self.texts, families = _fitted(chart, title, labelled=self._is_labelled())
        self.ruler = Ruler.of(families)
        self.title = title_lines(
            self.texts.title, self.ruler, self.title_size, self.width - 2 * _EDGE
        )
        self.several = len(chart.heads) > 1

    def draw(self) -> Figure:
        legend = self._legend()
        legend_at = _EDGE + heading_height(self.title, self.title_size)
        legend_height = 1.4 * self.small * len(legend) + (2 if legend else 0)
        heads_at = legend_at + legend_height + height(self.small)
        # Round positions stand out by half of their height.
        beyond = 2 if self._is_labelled() else 2 + 0.5 * self.small
        top = heads_at + depth(self.small) + beyond
        below = beyond + self._key_height()
        tall = self._height(self.most - top - below)
        end = top + tall + beyond
        points = Points(self.sheet, end - beyond + below, self.ruler, self.axes)
        left, right = self._sides(top, tall)
        margin = outside(self.small) + _EDGE
        inner = margin + left.room + beside(), self.width - margin - right.room - beside()
        draw_heading(points, self.title, self.title_size, _EDGE)
        self._draw_legend(points, legend, legend_at)
        self._draw_lines(points, left, right, inner)
        left.draw(points, self.ruler, inner[0])
        right.draw(points, self.ruler, inner[1])
        for x, name, axis, align in (
            (inner[0] - beside(), "query", self.chart.rows, "right"),
            (inner[1] + beside(), "key", self.chart.columns, "left"),
        ):
            room = (self.width - 2 * _EDGE) / 2 - 4
            text = f"{name}, {axis.pooled} a line" if axis.pooled else name
            shown = self.ruler.fit(text, self.small, room)
            start = x if align == "left" else x - self.ruler.width(shown, self.small)
            start = min(max(start, _EDGE), self.width - _EDGE - self.ruler.width(shown, self.small))
            points.text(start, heads_at, shown, self.small, color=ink())
        self._draw_key(points, end)
        return points.figure

    def _height(self, room: float) -> float:
        """Of the sides, in points."""
        if self.axes is not None:
            return max(room, 1.0)
        count = self._count()
        wanted = count * PITCH * self.small
        if wanted <= room:
            return max(wanted, _LEAST * self.small)
        if self._is_labelled():
            return room
        return min(room, _SQUAT * self.width)

    def _count(self) -> int:
        return max(self.chart.rows.cells, self.chart.columns.cells)

    def _is_labelled(self) -> bool:
        """Whether there is room for a label beside each line, on a page as tall as can be."""
        axes = self.chart.rows, self.chart.columns
        fewest = self.most / self._count()
        return any(axis.labels for axis in axes) and label_size(fewest, self.small) is not None

    def _sides(self, top: float, tall: float) -> tuple[Side, Side]:
        pitch = tall / self._count()
        size = label_size(pitch, self.small)
        shift = _shift(self.chart.rows, self.chart.columns)

        def side(axis: Axis, labels: tuple[str, ...], names: tuple[str, ...],
                 start: float, *, right: bool) -> Side:  # fmt: skip
            own = size if labels else None
            wide = _LABELS * self.width
            made = Side(axis, labels, names, top + start * pitch, pitch, own, self.small, wide,
                        right, not self.several)  # fmt: skip
            widest = max((self.ruler.width(text, one) for _, text, one in made.texts()),
                         default=0.0)  # fmt: skip
            return Side(axis, labels, names, made.top, pitch, own, self.small, min(widest, wide),
                        right, not self.several)  # fmt: skip

        texts = self.texts
        return (
            side(self.chart.rows, texts.rows, texts.row_names, shift[0], right=False),
            side(self.chart.columns, texts.columns, texts.column_names, shift[1], right=True),
        )

    def _draw_lines(
        self, points: Points, left: Side, right: Side, inner: tuple[float, float]
    ) -> None:
        arcs = self.chart.arcs
        if not arcs:
            return
        values = np.array([arc.value for arc in arcs], np.float32)
        strength = shares(values, self.chart.limit, "linear")
        rgb = np.array([to_rgb(self._color(arc.head, arc.column)) for arc in arcs])
        # Two digits: a PDF keeps one state for each opacity.
        opacity = np.maximum(np.round(strength, 2), 0.01)
        places = [
            [(inner[0], left.y(arc.row + 0.5)), (inner[1], right.y(arc.column + 0.5))]
            for arc in arcs
        ]
        points.lines(
            places,
            colors=np.column_stack([rgb, opacity]),
            linewidth=points.line_width * (_THIN + (_THICK - _THIN) * strength),
        )

    def _color(self, head: int, column: int) -> str:
        if self.several:
            return head_colors(len(self.chart.heads))[head]
        for span in self.chart.columns.spans:
            if span.start <= column < span.stop:
                return segment_color(span.number)
        return ink()

    def _legend(self) -> list[list[tuple[float, int]]]:
        """Rows of the legend: where each head's mark begins, and its number."""
        if not self.several:
            return []
        rows: list[list[tuple[float, int]]] = []
        x = 0.0
        for head, name in enumerate(self.chart.heads):
            wide = _MARK + 3 + self.ruler.width(name, self.small) + 8
            if not rows or x + wide - 8 > self.width - 2 * _EDGE:
                rows.append([])
                x = 0.0
            rows[-1].append((x, head))
            x += wide
        return rows

    def _draw_legend(
        self, points: Points, rows: Sequence[Sequence[tuple[float, int]]], top: float
    ) -> None:
        for line, row in enumerate(rows):
            baseline = top + 1.4 * self.small * line + height(self.small)
            last = self.chart.heads[row[-1][1]]
            wide = row[-1][0] + _MARK + 3 + self.ruler.width(last, self.small)
            start = (self.width - wide) / 2
            for x, head in row:
                y = baseline - 0.36 * self.small
                points.lines(
                    [[(start + x, y), (start + x + _MARK, y)]],
                    color=head_colors(len(self.chart.heads))[head],
                    linewidth=2 * points.line_width,
                )
                name = self.chart.heads[head]
                points.text(start + x + _MARK + 3, baseline, name, self.small, color=ink())

    def _notes(self) -> list[str]:
        """What else has to be known, in lines."""
        notes = []
        if self.chart.least > 0:
            notes.append(f"lines from {number(float(f'{self.chart.least:.2g}'))} on")
        if any(axis.border is not None for axis in (self.chart.rows, self.chart.columns)):
            notes.append("dashes: decoding starts")
        if self.chart.first_hidden:
            notes.append("first token hidden")
        text = "; ".join(notes)
        return self.ruler.lines(text, self.small, self.width - 2 * _EDGE)

    def _key_height(self) -> float:
        notes = len(self._notes())
        return (0.9 + 1.3 * notes) * self.small + named_key_height(self.small) + _EDGE

    def _draw_key(self, points: Points, end: float) -> None:
        """How strong a line is, and from where on there is one."""
        y = end + 0.9 * self.small
        chart = self.chart
        clipped = any(arc.value > chart.limit for arc in chart.arcs)
        paper = mpl.rcParams["figure.facecolor"]
        fade = LinearSegmentedColormap.from_list("fade", [paper, ink()])
        colors = Colors(fade, "sequential", "linear", chart.limit, clipped)
        draw_named_key(
            points, self.ruler, colors, PROBABILITY, (_EDGE, self.width - _EDGE), y, self.small
        )
        baseline = y + named_key_height(self.small) - depth(self.small)
        for line in self._notes():
            baseline += 1.3 * self.small
            points.text(self.width / 2, baseline, line, self.small, ha="center", color=muted())


def head_colors(count: int) -> list[str]:
    """A colour for each of several heads.

    >>> head_colors(2)
    ['#4477aa', '#e08214']
    """
    if count <= len(_HEADS):
        return list(_HEADS[:count])
    return [to_hex(color) for color in mpl.colormaps["turbo"](np.linspace(0.05, 0.95, count))]


def _shift(rows: Axis, columns: Axis) -> tuple[float, float]:
    """How many cells each side begins below the top: equal tokens stand at equal heights."""
    longer, shorter = (rows, columns) if rows.cells > columns.cells else (columns, rows)
    same = rows.merge == columns.merge and rows.factor == columns.factor
    if same and np.isin(shorter.starts, longer.starts).all():
        first = float(np.searchsorted(longer.starts, shorter.starts[0]))
    else:
        first = (longer.cells - shorter.cells) / 2
    return (0.0, first) if longer is rows else (first, 0.0)


def _fitted(chart: Arcs, title: str, *, labelled: bool) -> tuple[_Texts, list[str]]:
    """All texts, and the fonts to draw them in; labels that have no room need none."""
    parts = [
        _labels(chart.rows, labelled=labelled),
        _labels(chart.columns, labelled=labelled),
        tuple(span.name for span in chart.rows.spans),
        tuple(span.name for span in chart.columns.spans),
    ]
    every = [*(text for part in parts for text in part), title]
    texts, families = fitted(every, font_families(), stacklevel=5)
    ends = np.cumsum([len(part) for part in parts]).tolist()
    rows, columns, row_names, column_names = (
        tuple(texts[end - len(part) : end]) for part, end in zip(parts, ends, strict=True)
    )
    found = _Texts(rows, columns, row_names, column_names, texts[-1])
    return found, families


def _labels(axis: Axis, *, labelled: bool) -> tuple[str, ...]:
    if labelled:
        return axis.labels
    return tuple(label if cell in axis.marked else "" for cell, label in enumerate(axis.labels))
