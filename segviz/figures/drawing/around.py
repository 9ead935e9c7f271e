"""Around: labels, brackets and names at the four sides of panels, for one size of their cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes

from segviz.charts import Axis, Span
from segviz.figures.drawing.beside import Beside, Side, line_height
from segviz.figures.drawing.brackets import Name, bracket_depth, draw_brackets, place
from segviz.figures.drawing.labels import Labels, all_labels, draw_labels, needed, sparse_labels
from segviz.figures.drawing.points import Ruler, font_families, tallest
from segviz.figures.fonts import fitted
from segviz.figures.paper import POINTS, Paper

_BRACKET = 1.4
"""Of the usual thickness of a line."""


@dataclass(frozen=True, slots=True)
class Room:
    """How far texts may reach beyond a panel's sides, in points."""

    left: float
    right: float
    below: float


@dataclass(frozen=True, slots=True)
class Around:
    """What is written around panels.

    Args:
        pitch: of the columns of cells, and of the rows, in points; cells are square where both
            axes are long enough to be seen.
        left: labels of the queries.
        below: labels of the keys.
        top: names of the keys' segments.
        right: names of the queries' segments.
        top_depth: how far brackets and names reach at the top, in points.
        right_depth: likewise at the right.
    """

    pitch: tuple[float, float]
    left: Labels
    below: Labels
    top: tuple[Name, ...]
    right: tuple[Name, ...]
    top_depth: float
    right_depth: float


class Sides:
    """The two axes of panels that share them.

    Args:
        rows: the queries.
        columns: the keys.
        paper: sizes of texts and lines.
        every: whether cells may get a label each.
        others: other texts of the figure, which shall be drawable, too.
    """

    def __init__(
        self, rows: Axis, columns: Axis, paper: Paper, others: list[str], *, every: bool
    ) -> None:
        self.rows, self.columns, self.paper = rows, columns, paper
        self.every = every and bool(rows.labels and columns.labels)
        names = [span.name for axis in (rows, columns) for span in axis.spans]
        labels = [text for axis in (rows, columns) for text in needed(axis, every=self.every)]
        texts = list(dict.fromkeys([*labels, *names, *others]))
        # From here up to the call of the user: panels, heat maps or mask, and the kind of figure.
        drawable, families = fitted(texts, font_families(), stacklevel=6)
        self.texts: Mapping[str, str] = dict(zip(texts, drawable, strict=True))
        self.ruler = Ruler.of(families)
        self.line = line_height([self.texts[name] for name in names], self.ruler)

    def around(self, pitch: tuple[float, float], room: Room) -> Around:
        """What there is room for with cells of a width and a height."""
        across, down = pitch
        small, texts = self.paper.small, dict(self.texts)
        left = below = None
        if self.every:
            left = all_labels(self.rows, down, small, "left", self.ruler, texts)
            below = all_labels(self.columns, across, small, "below", self.ruler, texts)
        if left is None or below is None:
            wide, tall = self.columns.cells * across, self.rows.cells * down
            left = sparse_labels(
                self.rows, down, small, "left", self.ruler, texts, (-0.5 * small, tall + 1)
            )
            below = sparse_labels(
                self.columns, across, small, "below", self.ruler, texts,
                (-room.left, wide + room.right), tallest(self.paper.width * POINTS),
            )  # fmt: skip
        named = left.ticks or self.rows.merge != "segments"
        top = self._names(self.columns.spans, across, (-room.left, room.right), named=named)
        right = self._names(self.rows.spans, down, (0, room.below), named=named)
        return Around(
            pitch, left, below, top, right, *(self._depth(names) for names in (top, right))
        )

    def fits_every(self, around: Around) -> bool:
        """Whether each cell has its label."""
        return not (around.left.ticks or around.below.ticks)

    def draw(self, axes: Axes, around: Around, side: Side) -> None:
        """Draw one side."""
        beside = Beside(axes, side, self.ruler)
        line = self.paper.line
        if side in ("left", "below"):
            draw_labels(beside, around.left if side == "left" else around.below, line)
            return
        across, down = around.pitch
        axis, names, pitch = (
            (self.columns, around.top, across) if side == "top" else (self.rows, around.right, down)
        )
        draw_brackets(
            beside, axis.spans, names,
            pitch=pitch, size=self.paper.small, line=self.line, width=_BRACKET * line,
            length=axis.cells,
        )  # fmt: skip

    def _names(
        self, spans: tuple[Span, ...], pitch: float, beyond: tuple[float, float], *, named: bool
    ) -> tuple[Name, ...]:
        """Names that fit; none where the labels are the segments' names already."""
        if not (named and spans):
            return ()
        ends = [(span.start * pitch, span.stop * pitch) for span in spans]
        texts = [self.texts[span.name] for span in spans]
        room = (ends[0][0] + beyond[0], ends[-1][1] + beyond[1])
        return tuple(place(ends, texts, self.ruler, self.paper.small, room))

    def _depth(self, names: tuple[Name, ...]) -> float:
        return bracket_depth(names, self.paper.small, self.line)
