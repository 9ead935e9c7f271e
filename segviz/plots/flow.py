"""Flow: how much attention segments give to each other, with numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from segviz.charts import Flows
from segviz.charts.flow import UNITS
from segviz.palette import Kind, segment_color
from segviz.plots import bars
from segviz.plots.colors import colormap_pair
from segviz.plots.heading import add_heading, heading_room
from segviz.plots.heatmaps import narrow_title
from segviz.plots.page import Page
from segviz.plots.texts import escaped, shortened

_CELL, _LEAST = 76, 34
"""Pixels of a cell at most, and at least where there is a number in it."""
_NAME = 18
"""Characters of a segment's name at most."""
_MINUS = "−"


def draw_flow(
    chart: Flows, page: Page, title: str | None, colors: Any, notes: list[str]
) -> go.Figure:
    """Draw a chart: one matrix, or three side by side.

    Args:
        chart: the numbers.
        page: what is drawn for.
        title: in place of the usual one; ``""`` for none.
        colors: a colormap, or a pair.
        notes: what the reader has to know, below the title.
    """
    count, segments = len(chart.values), len(chart.names)
    heading = _heading(chart) if title is None else title
    above = heading_room(heading, notes, page)
    label = page.text_width("m" * min(_NAME, max(map(len, chart.names))))
    side = max(60, min(segments * _CELL, (page.nominal - label - 60) / count - 16))
    top = above + bars.room(page) + 8 + (1.6 * page.font if count > 1 else 0)
    figure = page.figure(top + side + label + 3 * page.font, {"l": 60, "r": 12, "t": top, "b": 60})
    apart = 0.03 if count > 1 else 0
    each = (1 - (count - 1) * apart) / count
    lefts = [number * (each + apart) for number in range(count)]
    figure.update_layout(_axes(chart, lefts, each))
    size = page.small if side / segments >= _LEAST else None
    kinds: list[Kind] = list(dict.fromkeys(chart.kinds))
    figure.add_traces([_matrix(chart, number, kinds, size) for number in range(count)])
    if count > 1:
        figure.update_layout(annotations=_titles(chart, side, page))
    pair = colormap_pair(colors)
    for number, kind in enumerate(kinds):
        bar = bars.Bar(pair[kind], kind, "linear", chart.limit, clipped=False, unit=UNITS[kind])
        figure.update_layout({_color_axis(number): bar.color_axis()})
        left, share = lefts[-1] if number else 0, each if len(kinds) > 1 else None
        bar.draw(figure, len(kinds) + number + 1, left, above, page, share=share)
    add_heading(figure, heading, notes, page)
    return figure


def _heading(chart: Flows) -> str:
    what = chart.what[0].upper() + chart.what[1:]
    return f"{what}: {chart.titles[0]}" if len(chart.values) == 1 else what


def _matrix(chart: Flows, number: int, kinds: list[Kind], size: float | None) -> go.Heatmap:
    values, kind, end = chart.values[number], chart.kinds[number], _end(number)
    exact = ".4f" if kind == "sequential" else "+.4f"
    hover = f"query segment: %{{y}} · key segment: %{{x}} · %{{z:{exact}}}<extra></extra>"
    cells = np.arange(len(chart.names))
    numbers = (
        {}
        if size is None
        else {
            "text": [[_number(one, kind) for one in row] for row in values.tolist()],
            "texttemplate": "%{text}",
            "textfont": {"size": size},
        }
    )
    return go.Heatmap(
        z=values, x=cells, y=cells, xaxis=f"x{end}", yaxis=f"y{end}",
        coloraxis=_color_axis(kinds.index(kind)), xgap=1, ygap=1, hoverongaps=False,
        name=chart.titles[number], hovertemplate=hover, **numbers,
    )  # fmt: skip


def _number(value: float, kind: Kind) -> str:
    """Two decimals; differences with their sign, but none for nothing.

    >>> _number(-0.051, "diverging"), _number(-0.001, "diverging"), _number(0.5, "sequential")
    ('−0.05', '0.00', '0.50')
    """
    if np.isnan(value):
        return ""
    text = f"{abs(value):.2f}"
    if kind == "sequential" or not float(text):
        return text
    return f"{'+' if value > 0 else _MINUS}{text}"


def _axes(chart: Flows, lefts: list[float], each: float) -> dict[str, Any]:
    """Segments by their number, since two may share a name."""
    names = {
        str(number): f'<span style="color:{segment_color(number)}">'
        f"{escaped(shortened(name, _NAME))}</span>"
        for number, name in enumerate(chart.names)
    }
    both = {"type": "category", "labelalias": names, "constrain": "domain"}
    segments = len(chart.names)
    layout: dict[str, Any] = {}
    for number, left in enumerate(lefts):
        end = _end(number)
        layout[f"xaxis{end}"] = {
            **both, "domain": [left, min(1.0, left + each)], "anchor": f"y{end}",
            "range": [-0.5, segments - 0.5], "constraintoward": "left", "automargin": True,
        }  # fmt: skip
        layout[f"yaxis{end}"] = {
            **both, "range": [segments - 0.5, -0.5], "constraintoward": "top",
            "anchor": f"x{end}", "showticklabels": number == 0, "automargin": number == 0,
        }  # fmt: skip
        if number:
            layout[f"xaxis{end}"]["matches"] = "x"
            layout[f"yaxis{end}"]["matches"] = "y"
    layout["xaxis"]["title"] = {"text": "key segment"}
    layout["yaxis"] |= {"scaleanchor": "x", "title": {"text": "query segment"}}
    return layout


def _titles(chart: Flows, side: float, page: Page) -> list[dict[str, Any]]:
    return [
        {
            "text": narrow_title(title, side), "showarrow": False, "borderpad": 0,
            "x": 0, "xref": f"x{_end(number)} domain", "xanchor": "left",
            "y": 1, "yref": f"y{_end(number)} domain", "yanchor": "bottom", "yshift": 2,
            "font": {"size": page.font},
        }
        for number, title in enumerate(chart.titles)
    ]  # fmt: skip


def _end(number: int) -> str:
    return str(number + 1) if number else ""


def _color_axis(number: int) -> str:
    return f"coloraxis{_end(number)}"
