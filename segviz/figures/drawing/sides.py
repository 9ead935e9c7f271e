"""Sides: the tokens of an axis from top to bottom, with the segments' brackets outside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segviz.charts import Axis
from segviz.figures.drawing.beside import ink, muted
from segviz.figures.drawing.names import kept, round_positions, spread
from segviz.figures.drawing.points import Points, Ruler, depth, height, legible
from segviz.labels import is_special
from segviz.palette import DECODE, segment_color

READABLE = 5.0
"""The smallest label, in points."""

# Of the size of a label.
PITCH = 1.25
"""From one label to the next."""
_TIGHT = 1.1

_GAP = 3.0
_BRACKET = 2.5
_NAME_GAP = 2.0
_BETWEEN_NAMES = 4.0
_SHORTEST = 3
_ROUNDING = 1e-6
# A text in another size is not exactly as much shorter.
_SPARE = 0.985
_DOTTED = (0, (1, 1))
_DASHED = (0, (3, 1.5))


def label_size(pitch: float, most: float) -> float | None:
    """The size of labels that stand so far apart; None where it would be too small to read.

    >>> label_size(20, 7), label_size(6, 7), label_size(2, 7)
    (7, 5.454545454545454, None)
    """
    size = min(most, pitch / _TIGHT)
    return size if size >= READABLE else None


@dataclass(frozen=True)
class Side:
    """One axis as a column of labels.

    Args:
        axis: its tokens.
        labels: theirs, as they can be drawn; empty where there are none.
        names: of its segments, likewise.
        top: where the first cell begins, in points.
        pitch: height of a cell.
        size: of the labels; None: there is no room for any, and round positions stand there.
        small: of all other texts.
        room: for the labels, in points.
        right: whether this is the right side.
        colored: whether brackets have the segments' colours.
    """

    axis: Axis
    labels: tuple[str, ...]
    names: tuple[str, ...]
    top: float
    pitch: float
    size: float | None
    small: float
    room: float
    right: bool
    colored: bool

    def y(self, cell: float) -> float:
        """Where a cell begins; its middle is half a cell further."""
        return self.top + cell * self.pitch

    @property
    def bottom(self) -> float:
        """Where the last cell ends."""
        return self.y(self.axis.cells)

    def draw(self, points: Points, ruler: Ruler, inner: float) -> None:
        """Draw it.

        Args:
            points: where.
            ruler: measures texts.
            inner: where the lines end, in points from the left.
        """
        sign = 1 if self.right else -1
        self._draw_labels(points, ruler, inner + sign * _GAP)
        edge = inner + sign * (_GAP + self.room + _GAP)
        self._draw_brackets(points, edge, sign)
        self._draw_names(points, ruler, edge + sign * (_BRACKET / 2 + _NAME_GAP))
        if self.axis.border is not None:
            y = self.y(self.axis.border)
            points.lines(
                [[(inner + sign, y), (edge, y)]],
                color=DECODE,
                linestyle=_DASHED,
                linewidth=0.8 * points.line_width,
            )

    def texts(self) -> list[tuple[int, str, float]]:
        """The cells that have a text beside them, the text and its size."""
        marked = set(self.axis.marked)
        if self.size is not None and self.labels:
            return [(cell, _stripped(label), self.size) for cell, label in enumerate(self.labels)]
        lines = max(1, int((self.bottom - self.top) / (2.2 * self.small)))
        texts = [
            (cell, _stripped(self.labels[cell]) if self.labels else self.axis.name(cell))
            for cell in marked
        ]
        first, stop = int(self.axis.starts[0]), self.axis.stop
        for position in round_positions(first, stop, lines):
            cell = int(np.searchsorted(self.axis.starts, position, side="right")) - 1
            texts.append((cell, f"{position:,}"))
        # Marked cells come first; what would touch one of them is left out.
        shown: list[tuple[int, str, float]] = []
        for cell, text in texts:
            free = all(abs(cell - one) * self.pitch >= PITCH * self.small for one, _, _ in shown)
            if free and not self._is_struck(cell):
                shown.append((cell, text, self.small))
        return shown

    def _is_struck(self, cell: int) -> bool:
        """Whether the border would run through a text beside a cell."""
        border = self.axis.border
        return border is not None and abs(cell + 0.5 - border) * self.pitch < 0.6 * self.small

    def _draw_labels(self, points: Points, ruler: Ruler, x: float) -> None:
        align = "left" if self.right else "right"
        for cell, whole, size in self.texts():
            text = ruler.fit(whole, size, self.room)
            middle = self.y(cell + 0.5)
            look = {"color": muted() if self._is_muted(cell) else ink()}
            if cell in self.axis.marked:
                look = {"color": ink(), "fontweight": "bold"}
            baseline = middle + (height(size) - depth(size)) / 2
            points.text(x, baseline, text, size, ha=align, **look)

    def _is_muted(self, cell: int) -> bool:
        return self.size is None or is_special(self.axis.labels[cell])

    def _draw_brackets(self, points: Points, x: float, sign: int) -> None:
        gap = min(0.8, self.pitch / 4)
        tick = x - sign * _BRACKET
        for span in self.axis.spans:
            y, stop = self.y(span.start) + gap, self.y(span.stop) - gap
            style = "solid" if span.attention == "bidirectional" else _DOTTED
            points.lines(
                [[(tick, y), (x, y), (x, stop), (tick, stop)]],
                color=self._color(span.number),
                linestyle=style,
                linewidth=1.25 * points.line_width,
            )

    def _draw_names(self, points: Points, ruler: Ruler, x: float) -> None:
        placed = self._names(ruler)
        for number, text, middle, size in placed:
            color = legible(self._color(self.axis.spans[number].number))
            points.text(
                x, middle, text, size,
                rotation=90, rotation_mode="default", color=color,
                ha="left" if self.right else "right", va="center",
            )  # fmt: skip

    def _names(self, ruler: Ruler) -> list[tuple[int, str, float, float]]:
        """The names that have room: the number of the span, the text, its middle and its size."""
        spans = self.axis.spans
        room = self.bottom - self.top
        widths = [(span.stop - span.start) * self.pitch for span in spans]
        gaps = _BETWEEN_NAMES * len(spans)
        whole = sum(ruler.width(name, self.small) for name in self.names)
        # Somewhat smaller is better read than shortened.
        size = self.small * min(1.0, max(_SPARE * (room - gaps) / whole, READABLE / self.small))
        texts = list(self.names)
        if size * whole / self.small + gaps > room * (1 + _ROUNDING):
            texts = [
                self._short(ruler, name, size, width)
                for name, width in zip(texts, widths, strict=True)
            ]
        lengths = [ruler.width(text, size) + _BETWEEN_NAMES for text in texts]
        some = [number for number, text in enumerate(texts) if text]
        few = kept([widths[one] for one in some], [lengths[one] for one in some],
                   room * (1 + _ROUNDING))  # fmt: skip
        chosen = [some[one] for one in few]
        centers = [self.y((spans[one].start + spans[one].stop) / 2) for one in chosen]
        middles = spread(centers, [lengths[one] for one in chosen], self.top, self.bottom)
        return [
            (one, texts[one], middle, size) for one, middle in zip(chosen, middles, strict=True)
        ]

    def _short(self, ruler: Ruler, name: str, size: float, width: float) -> str:
        """A name no longer than what it names; nothing where too little of it would be left."""
        text = ruler.fit(name, size, width - _BETWEEN_NAMES)
        return text if len(text) > _SHORTEST or text == name else ""

    def _color(self, number: int) -> str:
        return segment_color(number) if self.colored else muted()


def outside(small: float) -> float:
    """Width of brackets and names, in points."""
    return _GAP + _BRACKET / 2 + _NAME_GAP + height(small) + depth(small)


def beside() -> float:
    """Width of the gap between lines and labels, in points."""
    return _GAP


def _stripped(label: str) -> str:
    """A label without its leading space, which nobody sees at a line's beginning."""
    return label.lstrip(" ")
