"""Heat maps of attention patterns: one, a grid of heads, or a comparison."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from segviz.charts import Heatmap, Heatmaps
from segviz.palette import Kind
from segviz.plots import bars
from segviz.plots.colors import colormap_pair
from segviz.plots.heading import add_heading, heading_room
from segviz.plots.page import Page
from segviz.plots.panels import Panels

HOVER = "query: %{y} · key: %{x} · "
_FORMAT: dict[Kind, str] = {"sequential": "%{z:.4f}", "diverging": "%{z:+.4f}"}
_NARROW = 140
"""Pixels of a panel below which its title is shortened."""


def draw_heatmaps(
    chart: Heatmaps, page: Page, title: str | None, colors: Any, notes: list[str]
) -> go.Figure:
    """Draw a chart.

    Args:
        chart: the numbers.
        page: what is drawn for.
        title: in place of the usual one; ``""`` for none.
        colors: a colormap, or a pair.
        notes: what the reader has to know, below the title.
    """
    every = [panel for row in chart.panels for panel in row]
    first = every[0]
    one = len(every) == 1
    heading = title if title is not None else (first.title if one else chart.title)
    above = heading_room(heading, notes, page)
    across = len(chart.panels[0])
    titles = [
        ["" if one else narrow_title(panel.title, (page.nominal - 100) / across) for panel in row]
        for row in chart.panels
    ]
    panels = Panels.of(
        first.rows, first.columns, titles, above + bars.room(page) + 8, page,
        first_hidden=bool(chart.first_hidden and first.columns.starts[0] == 0),
    )  # fmt: skip
    pair = colormap_pair(colors)
    kinds: list[Kind] = list(dict.fromkeys(panel.kind for panel in every))
    figure = panels.figure
    for row, line in enumerate(chart.panels):
        for column, panel in enumerate(line):
            _add_cells(panels, panel, row, column, kinds.index(panel.kind))
    layout: Any = figure.layout
    for number, kind in enumerate(kinds):
        unit = next(panel.unit for panel in every if panel.kind == kind)
        bar = bars.Bar(pair[kind], kind, chart.scale, chart.limit, chart.clipped, unit)
        layout[_color_axis(number)] = bar.color_axis()
        # The bar of differences stands above their panel.
        left = panels.left(across - 1) if number else 0
        share = panels.share if len(kinds) > 1 else None
        bar.draw(figure, len(kinds) + number + 1, left, above, page, share=share)
    add_heading(figure, heading, notes, page)
    return figure


def _add_cells(panels: Panels, panel: Heatmap, row: int, column: int, number: int) -> None:
    x, y = panels.axes(row, column)
    what = " of the row's largest" if panel.normalized else ""
    panels.figure.add_trace(
        go.Heatmap(
            z=panel.values,
            x=np.arange(panel.columns.cells, dtype=np.int32),
            y=np.arange(panel.rows.cells, dtype=np.int32),
            xaxis=x,
            yaxis=y,
            coloraxis=_color_axis(number),
            name=panel.title,
            hoverongaps=False,
            hovertemplate=f"{HOVER}{_FORMAT[panel.kind]}{what}<extra></extra>",
        )
    )


def _color_axis(number: int) -> str:
    return f"coloraxis{number + 1}" if number else "coloraxis"


def narrow_title(title: str, width: float) -> str:
    """A panel's title, short where the panel is narrow.

    >>> narrow_title("Layer 3, head 5", 90), narrow_title("segment minus causal", 90)
    ('L3 H5', 'difference')
    """
    if width >= _NARROW:
        return title
    if title.startswith("Layer "):
        return title.replace("Layer ", "L").replace(", head ", " H").replace(", ", " ")
    return "difference" if " minus " in title else title.removesuffix(" mask")
