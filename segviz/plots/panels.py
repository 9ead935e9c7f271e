"""Panels: where heat maps stand in a plot, and their axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from segviz.charts import Axis
from segviz.plots.brackets import Name, add_brackets, add_marks, placed
from segviz.plots.brackets import room as room_of_names
from segviz.plots.page import Page
from segviz.plots.texts import escaped, names, title_of

_LARGEST, _SMALLEST = 600, 60
_SQUARE_WITHIN = 2.5
"""Cells are squares where one side of a pattern is no more than this many times the other."""
_CELL = 34
"""Pixels of a cell at most; a pattern of a few tokens is small."""


@dataclass(frozen=True, eq=False, slots=True)
class Panels:
    """A grid of panels over the same queries and keys.

    Args:
        rows: the queries.
        columns: the keys.
        down: number of panels, top to bottom.
        across: number of panels, left to right.
        size: pixels of a panel, width and height; the width is a guess where the page has none.
        square: whether cells are squares.
        top: pixels above the panels.
        figure: with axes, and no numbers yet.
    """

    rows: Axis
    columns: Axis
    down: int
    across: int
    size: tuple[float, float]
    square: bool
    top: float
    figure: go.Figure

    @staticmethod
    def of(
        rows: Axis,
        columns: Axis,
        titles: list[list[str]],
        above: float,
        page: Page,
        *,
        first_hidden: bool = False,
    ) -> Panels:
        """Empty panels.

        Args:
            rows: the queries.
            columns: the keys.
            titles: of the panels, row by row; an empty one for none.
            above: pixels at the top for the title and the bar.
            page: what is drawn for.
            first_hidden: the first token is left out of the numbers.
        """
        down, across = len(titles), len(titles[0])
        titled = 1.5 * page.font if any(title for row in titles for title in row) else 0
        label = _label_room(rows, page)
        gap = 0.5 * page.font + 6
        beside = page.nominal - label - 3 * page.font - (across - 1) * gap
        width = max(_SMALLEST, min(_LARGEST, beside / across, columns.cells * _CELL))
        ratio = rows.cells / columns.cells
        square = 1 / _SQUARE_WITHIN <= ratio <= _SQUARE_WITHIN
        height = width * ratio if square else min(_LARGEST, max(_SMALLEST, rows.cells * _CELL))
        if square and height > _LARGEST:
            width, height = width * _LARGEST / height, _LARGEST
        keys = placed(columns, width / columns.cells, page, 12 if across == 1 else gap / 2)
        queries = placed(rows, height / rows.cells, page, 12 if down == 1 else gap / 2)
        top = above + titled + room_of_names(keys, page)
        between = gap + titled
        plot = down * height + (down - 1) * between
        below = _label_room(columns, page) + 2.2 * page.font
        figure = page.figure(
            top + plot + below,
            {"l": 40, "r": room_of_names(queries, page) + 6, "t": top, "b": below},
        )
        panels = Panels(rows, columns, down, across, (width, height), square, top, figure)
        panels._add_axes(between / plot, gap, first_hidden=first_hidden)
        panels._add_titles(titles, room_of_names(keys, page), page)
        panels._add_around(keys, queries, page)
        return panels

    def axes(self, row: int, column: int) -> tuple[str, str]:
        """Names of a panel's axes: ``("x2", "y2")``."""
        number = row * self.across + column + 1
        return ("x", "y") if number == 1 else (f"x{number}", f"y{number}")

    def left(self, column: int) -> float:
        """Where a column of panels begins, as a share of the width."""
        layout: Any = self.figure.layout
        return layout[_long(self.axes(0, column)[0])].domain[0]

    @property
    def share(self) -> float:
        """A panel's share of the width."""
        layout: Any = self.figure.layout
        start, stop = layout.xaxis.domain
        return stop - start

    def _add_axes(self, between: float, gap: float, *, first_hidden: bool) -> None:
        width, _ = self.size
        apart = gap / (self.across * width + (self.across - 1) * gap)
        each = (1 - (self.across - 1) * apart) / self.across
        tall = (1 - (self.down - 1) * between) / self.down
        key_names, query_names = names(self.columns), names(self.rows)
        layout: dict[str, Any] = {}
        for row in range(self.down):
            for column in range(self.across):
                x, y = self.axes(row, column)
                bottom, first = row == self.down - 1, column == 0
                left = column * (each + apart)
                high = 1 - row * (tall + between)
                layout[_long(x)] = {
                    "anchor": y, "domain": [left, min(1.0, left + each)], "constraintoward": "left",
                    **_cells(self.columns, key_names, shown=bottom), "tickangle": -90,
                    "range": [-0.5, self.columns.cells - 0.5],
                }  # fmt: skip
                layout[_long(y)] = {
                    "anchor": x, "domain": [max(0.0, high - tall), high], "constraintoward": "top",
                    **_cells(self.rows, query_names, shown=first),
                    # The first query is at the top.
                    "range": [self.rows.cells - 0.5, -0.5],
                }  # fmt: skip
                if (row, column) != (0, 0):
                    layout[_long(x)]["matches"] = "x"
                    layout[_long(y)]["matches"] = "y"
                elif self.square:
                    layout[_long(y)]["scaleanchor"] = "x"
                if bottom and column == 0:
                    text = title_of(self.columns, "key", first_hidden=first_hidden)
                    layout[_long(x)]["title"] = {"text": text}
                if first and row == 0:
                    layout[_long(y)]["title"] = {"text": title_of(self.rows, "query")}
        self.figure.update_layout(layout)

    def _add_titles(self, titles: list[list[str]], above: float, page: Page) -> None:
        texts = []
        for row, line in enumerate(titles):
            for column, title in enumerate(line):
                if not title:
                    continue
                x, y = self.axes(row, column)
                texts.append(
                    {
                        "text": escaped(title), "showarrow": False, "borderpad": 0,
                        "font": {"size": page.font}, "x": 0, "xref": f"{x} domain", "y": 1,
                        "yref": f"{y} domain", "xanchor": "left", "yanchor": "bottom",
                        "yshift": (above if row == 0 else 0) + 2,
                    }
                )  # fmt: skip
        self.figure.update_layout(annotations=texts)

    def _add_around(self, keys: list[Name], queries: list[Name], page: Page) -> None:
        for row in range(self.down):
            for column in range(self.across):
                x, y = self.axes(row, column)
                add_marks(self.figure, self.rows, self.columns, x, y)
                if row == 0:
                    add_brackets(self.figure, keys, self.columns, "top", x, y, page)
                if column == self.across - 1:
                    add_brackets(self.figure, queries, self.rows, "right", x, y, page)


def _cells(axis: Axis, labels: dict[str, str], *, shown: bool) -> dict[str, Any]:
    """An axis of numbered cells.

    Of categories, plotly writes beside the cells as many labels as there is room for, and it looks
    up what stands for a number in hover text, too: no text has to be there twice.
    """
    return {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": list(range(axis.cells)),
        "labelalias": labels,
        "showticklabels": shown,
        "automargin": shown,
        "constrain": "domain",
    }


def _label_room(axis: Axis, page: Page) -> float:
    """About how long the longest labels of an axis are, in pixels."""
    longest = max((len(axis.name(cell)) for cell in range(axis.cells)), default=1)
    return page.text_width("m" * min(longest, 36)) + 6


def _long(name: str) -> str:
    return f"{name[0]}axis{name[1:]}"
