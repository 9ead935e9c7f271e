"""Panels: patterns in rows and columns, on a page or in the user's axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from segviz.charts import Axis
from segviz.figures.drawing.around import Around, Room, Sides
from segviz.figures.drawing.beside import ink
from segviz.figures.drawing.colors import Colors
from segviz.figures.drawing.dressing import (
    BEFORE_NAME,
    LINE,
    UNDER_TITLE,
    axis_name,
    draw_name,
    draw_titles,
    dress,
)
from segviz.figures.drawing.foot import Bar, Entry, Foot, draw_foot, foot_height, inset
from segviz.figures.drawing.labels import SMALLEST
from segviz.figures.drawing.layout import EDGE, Grid, Layout, lay_out
from segviz.figures.drawing.titles import has_math, title_lines
from segviz.figures.paper import POINTS
from segviz.figures.sheet import Sheet, figure_of

_ACROSS, _DOWN = 6.0, 5.0
_OVER_FOOT = 5.0
_BEYOND = 12.0
"""Points that names may reach beyond the user's axes."""


@dataclass(frozen=True, slots=True)
class Key:
    """A bar of colours below some columns of panels.

    Args:
        colors: what they mean.
        unit: what the numbers are.
        first: the first of the columns.
        last: the last one.
    """

    colors: Colors
    unit: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Content:
    """What is around the cells of panels.

    Args:
        rows: the queries, the same in all panels.
        columns: the keys.
        titles: of the panels, row by row; of a single one it is the figure's.
        title: of the figure, where there are several.
        hidden: whether the first token is left out.
        keys: bars of colours.
        entries: what lines and fields mean.
        hatched: whether the ground of masked cells is hatched.
    """

    rows: Axis
    columns: Axis
    titles: tuple[tuple[str, ...], ...]
    title: str = ""
    hidden: bool = False
    keys: tuple[Key, ...] = ()
    entries: tuple[Entry, ...] = ()
    hatched: bool = False


def draw_panels(content: Content, sheet: Sheet) -> tuple[Figure, Sequence[Axes]]:
    """Axes for cells, with everything but the cells.

    Args:
        content: what is around them.
        sheet: a page, or the user's axes.

    Returns:
        the figure, and its axes, row by row; their coordinates are cells.

    Raises:
        ValueError: more panels than a page has room for, or another number of axes.
    """
    given = sheet.given(sum(map(len, content.titles)))
    frame = _Frame(content, sheet)
    return frame.on_page() if given is None else frame.on_axes(given)


class _Frame:
    """What is drawn around panels."""

    def __init__(self, content: Content, sheet: Sheet) -> None:
        self.content, self.sheet, self.paper = content, sheet, sheet.paper
        self.across, self.down = len(content.titles[0]), len(content.titles)
        self.alone = self.across == self.down == 1
        self.titles = [title for row in content.titles for title in row]
        title = self.titles[0] if self.alone else content.title
        self.title = title if sheet.title is None else sheet.title
        # A long prompt's tokens have no room in any case: their fonts need not be looked for.
        most = self.paper.width * POINTS / (self.across * content.columns.cells)
        self.sides = Sides(
            content.rows,
            content.columns,
            self.paper,
            [self.title, *self.titles],
            every=most >= SMALLEST * self.paper.small or sheet.axes is not None,
        )
        self.ruler = self.sides.ruler

    def on_page(self) -> tuple[Figure, Sequence[Axes]]:
        """On a page of its own, as tall as need be."""
        paper, entries = self.paper, self.content.entries
        page, big = paper.width * POINTS, paper.font_size
        room = page - 2 * EDGE
        lines = title_lines(self.sides.texts[self.title], self.ruler, big, room)
        over = 0.0 if self.alone else LINE * paper.small + UNDER_TITLE
        above = len(lines) * LINE * big + (UNDER_TITLE if lines else 0) + over
        name = LINE * paper.small + BEFORE_NAME
        names = (name, name)
        guess = self._bars([(EDGE, page - EDGE)] * self.across)
        foot = foot_height(guess, entries, room, self.ruler, paper.small) + _OVER_FOOT
        grid = Grid(self.down, self.across, _ACROSS, _DOWN + over)
        layout = lay_out(self.sides, grid, names=names, above=above, foot=foot)
        around = layout.around

        bars = self._bars(self._parts(layout, page))
        tall = foot_height(bars, entries, room, self.ruler, paper.small)
        high = layout.bottom + around.below.depth + names[1] + _OVER_FOOT + tall
        figure = self.sheet.page(high / POINTS)
        part = layout.width / page, layout.height / high
        axes = [
            figure.add_axes((left / page, 1 - (top + layout.height) / high, *part))
            for top in layout.tops
            for left in layout.lefts
        ]
        dress(axes, self.across, self.sides, around, hatched=self.content.hatched)
        if not self.alone:
            space = layout.width + _ACROSS - 2
            self._draw_panel_titles(axes, around, space, paper.small)
        self._draw_names_of_grid(axes, layout, page)
        for number, line in enumerate(lines):
            half = self.ruler.width(line, big) / 2
            place = _inside(layout.middle, half, page), EDGE + number * LINE * big
            self._draw_title(figure, place[0] / page, 1 - place[1] / high, line)
        base = figure.add_axes((0, 0, 1, tall / high))
        points = Foot(base, figure, page, tall, self.ruler, paper)
        draw_foot(points, bars, entries, layout.middle, room, self.ruler, paper.small)
        return figure, axes

    def on_axes(self, given: Sequence[Axes]) -> tuple[Figure, Sequence[Axes]]:
        """In the user's axes, which keep their places; everything else is beside them."""
        for one in given:
            one.set_xlim(0, self.content.columns.cells)
            one.set_ylim(self.content.rows.cells, 0)
            one.set_aspect("equal", adjustable="box")
            one.apply_aspect()
        figure = figure_of(tuple(given))
        before = [list(one.get_children()) for one in given]
        self._draw_beside(given)
        if figure.get_layout_engine() is not None:
            # It makes room for what is beside the axes, and in smaller ones less may be.
            figure.draw_without_rendering()
            for one, old in zip(given, before, strict=True):
                for artist in [artist for artist in one.get_children() if artist not in old]:
                    artist.remove()
            self._draw_beside(given)
        return figure, given

    def _draw_beside(self, given: Sequence[Axes]) -> None:
        content, paper, sides = self.content, self.paper, self.sides
        box, pixels = given[0].get_window_extent(), given[0].figure.dpi / POINTS
        wide, high = box.width / pixels, box.height / pixels
        pitch = wide / content.columns.cells, high / content.rows.cells
        around = sides.around(pitch, Room(_BEYOND, _BEYOND, _BEYOND))
        dress(given, self.across, sides, around, hatched=content.hatched)
        if self.alone:
            self.titles = [self.title]
        self._draw_panel_titles(given, around, 2 * wide, paper.font_size)
        last = given[(self.down - 1) * self.across :]
        for one in last:
            middle = content.columns.cells / 2
            draw_name(one, "below", self._name("key", around), middle, sides, around)
        for one in given[:: self.across]:
            middle = content.rows.cells / 2
            draw_name(one, "left", self._name("query", around), middle, sides, around)
        away = around.below.depth + BEFORE_NAME + LINE * paper.small + _OVER_FOOT
        room = max(wide + around.left.depth + around.right_depth, 8 * paper.small)
        bars = self._bars([(0.0, room)] * self.across)
        for number, key in enumerate(content.keys or (None,)):
            shown = bars[number : number + 1]
            entries = () if number else content.entries
            tall = foot_height(shown, entries, room, self.ruler, paper.small)
            below = inset(last[key.first if key else 0], away, room, tall)
            points = Foot(below, figure_of((below,)), room, tall, self.ruler, paper)
            draw_foot(points, shown, entries, room / 2, room, self.ruler, paper.small)

    def _draw_panel_titles(
        self, axes: Sequence[Axes], around: Around, room: float, size: float
    ) -> None:
        draw_titles(axes, self.across, self.titles, self.sides, around, room, size)

    def _draw_names_of_grid(self, axes: Sequence[Axes], layout: Layout, page: float) -> None:
        """One name for each side of the grid, in the middle of all panels."""
        around, small = layout.around, self.paper.small
        below = self.ruler.fit(self._name("key", around), small, page - 2 * EDGE)
        middle = _inside(layout.middle, self.ruler.width(below, small) / 2, page)
        along = (middle - layout.lefts[0]) / around.pitch[0]
        draw_name(axes[-self.across], "below", below, along, self.sides, around)
        left, tall = self._name("query", around), layout.bottom - layout.tops[0]
        if self.ruler.width(left, small) > tall + 2 * small:
            left = "query"
        draw_name(axes[0], "left", left, tall / 2 / around.pitch[1], self.sides, around)

    def _name(self, what: str, around: Around) -> str:
        axis, labels, hidden = (
            (self.content.rows, around.left, False)
            if what == "query"
            else (self.content.columns, around.below, self.content.hidden)
        )
        return axis_name(axis, what, numbers=labels.ticks, hidden=hidden)

    def _draw_title(self, figure: Figure, x: float, y: float, line: str) -> None:
        figure.text(
            x, y, line, fontsize=self.paper.font_size, ha="center", va="top", color=ink(),
            parse_math=has_math(line), usetex=False, fontfamily=self.ruler.families,
        )  # fmt: skip

    def _parts(self, layout: Layout, page: float) -> list[tuple[float, float]]:
        """What of the page's width belongs to each column of panels."""
        inner = [left - _ACROSS / 2 for left in layout.lefts[1:]]
        half = self.paper.small / 2
        starts = [EDGE, *(one + half for one in inner)]
        return list(zip(starts, [*(one - half for one in inner), page - EDGE], strict=True))

    def _bars(self, parts: Sequence[tuple[float, float]]) -> list[Bar]:
        return [
            Bar(key.colors, key.unit, parts[key.first][0], parts[key.last][1])
            for key in self.content.keys
        ]


def _inside(middle: float, half: float, page: float) -> float:
    """The middle of a text as close to where it belongs as the page allows."""
    return max(EDGE + half, min(middle, page - EDGE - half))
