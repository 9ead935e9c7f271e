"""Arcs: lines from each query to the keys it attends to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go

from segviz.charts import Arc, Arcs, Axis, Span
from segviz.palette import DECODE, SEGMENTS, segment_color
from segviz.plots.heading import add_heading, heading_room
from segviz.plots.page import Page, height_of
from segviz.plots.texts import names, title_of

_BINS = 8
"""Opacities; lines of one are one trace."""
_LINE, _LARGEST = 1.5, 1200
"""Height of a token in the font's size, and of the columns at most, in pixels."""
_POINTS = np.array([0, 0.15, 0.3, 0.5, 0.7, 0.85, 1])
"""Where on a line the pointer finds it."""


def draw_arcs(chart: Arcs, page: Page, title: str | None, notes: list[str]) -> go.Figure:
    """Draw a chart.

    Args:
        chart: the lines.
        page: what is drawn for.
        title: in place of the usual one; ``""`` for none.
        notes: what the reader has to know, below the title.
    """
    heading = chart.title if title is None else title
    notes = [*notes, f"lines from {chart.least:.3g} on; a full line is {chart.limit:.3g}"]
    several = len(chart.heads) > 1
    segments = _segments(chart)
    above = heading_room(heading, notes, page, segments=segments)
    top = above + (2 * page.font if several else 0) + 1.6 * page.font
    rows, columns, cells = _places(chart.rows, chart.columns)
    height = min(cells * _LINE * page.font, _LARGEST)
    figure = page.figure(top + height + 16, {"l": 60, "r": 60, "t": top, "b": 12})
    beside = [(chart.rows, rows, 0), (chart.columns, columns, 1)]
    axes = [_axis(axis, at, cells, height, page) for axis, at, _ in beside]
    figure.update_layout(
        plot_bgcolor="rgba(0,0,0,0)",
        xaxis={
            "range": [0, 1], "fixedrange": True, "side": "top", "tickmode": "array",
            "tickvals": [0, 1], "tickfont": {"size": page.font},
            "ticktext": [
                title_of(chart.rows, "query"),
                title_of(chart.columns, "key", first_hidden=chart.first_hidden),
            ],
        },
        yaxis=axes[0] | {"ticklabelstandoff": 12},
        yaxis2=axes[1] | {
            "overlaying": "y", "side": "right", "matches": "y", "ticklabelstandoff": 12,
        },
        showlegend=several,
        legend={
            "orientation": "h", "x": 0, "xref": "paper", "xanchor": "left", "traceorder": "normal",
            "y": 1 - above / height_of(figure), "yref": "container", "yanchor": "top",
        },
    )  # fmt: skip
    figure.add_traces(_lines(chart, rows, columns))
    # An axis that no trace is on is not drawn.
    figure.add_trace(go.Scatter(x=[None], y=[None], yaxis="y2", hoverinfo="skip", showlegend=False))
    _add_sides(figure, beside)
    add_heading(figure, heading, notes, page, segments=segments)
    return figure


def _segments(chart: Arcs) -> list[Span]:
    """The segments on either side, once each."""
    spans = {span.number: span for axis in (chart.rows, chart.columns) for span in axis.spans}
    return [spans[number] for number in sorted(spans)]


def _places(rows: Axis, columns: Axis) -> tuple[np.ndarray, np.ndarray, int]:
    """Where queries and keys stand: at the same height where they are the same token."""
    every = np.union1d(rows.starts, columns.starts)
    return np.searchsorted(every, rows.starts), np.searchsorted(every, columns.starts), len(every)


def _axis(axis: Axis, at: np.ndarray, cells: int, height: float, page: Page) -> dict[str, Any]:
    """An axis with every token that has room, or every second, and so on."""
    step = math.ceil(1.15 * page.small * cells / height)
    labels = names(axis)
    shown = [cell for cell in range(axis.cells) if int(at[cell]) % step == 0 or cell in axis.marked]
    return {
        "range": [cells - 0.5, -0.5],
        "tickmode": "array",
        "tickvals": at[shown],
        "ticktext": [labels[str(cell)] for cell in shown],
        "automargin": True,
    }


def _lines(chart: Arcs, rows: np.ndarray, columns: np.ndarray) -> list[go.Scatter]:
    """A trace for each head and opacity."""
    row_names, column_names = names(chart.rows), names(chart.columns)
    traces = []
    for head, name in enumerate(chart.heads):
        mine = [arc for arc in chart.arcs if arc.head == head]
        color = SEGMENTS[head % len(SEGMENTS)]
        strength = np.array([min(1.0, arc.value / chart.limit) for arc in mine])
        bins = np.minimum((strength * _BINS).astype(int), _BINS - 1)
        strongest = int(bins.max(initial=-1))
        for number in np.unique(bins).tolist():
            arcs = [arc for arc, one in zip(mine, bins, strict=True) if one == number]
            texts = [
                f"query: {row_names[str(arc.row)]} · key: {column_names[str(arc.column)]} · "
                f"{arc.value:.4f}"
                for arc in arcs
            ]
            x, y, text = _path(arcs, texts, rows, columns)
            opacity = (number + 0.5) / _BINS
            traces.append(
                go.Scatter(
                    x=x, y=y, text=text, mode="lines", name=name, legendgroup=name,
                    showlegend=number == strongest, opacity=opacity,
                    customdata=np.repeat([arc.value for arc in arcs], len(_POINTS) + 1),
                    line={"color": color, "width": 0.8 + 1.4 * opacity},
                    hovertemplate=(
                        f"{name}: %{{text}}<extra></extra>" if len(chart.heads) > 1
                        else "%{text}<extra></extra>"
                    ),
                )
            )  # fmt: skip
    return traces


def _path(
    arcs: list[Arc], texts: list[str], rows: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[str | None]]:
    """Lines in one trace, with a gap behind each."""
    starts = rows[[arc.row for arc in arcs]][:, None].astype(np.float32)
    stops = columns[[arc.column for arc in arcs]][:, None].astype(np.float32)
    gap = np.full((len(arcs), 1), np.nan, np.float32)
    y = np.hstack([starts + (stops - starts) * _POINTS.astype(np.float32), gap])
    x = np.broadcast_to(np.append(_POINTS, np.nan).astype(np.float32), y.shape)
    text = [one for text in texts for one in [*[text] * len(_POINTS), None]]
    return x.ravel(), y.ravel(), text


def _add_sides(figure: go.Figure, beside: list[tuple[Axis, np.ndarray, int]]) -> None:
    """Brackets at both sides, and the border of prefill and decode."""
    shapes = []
    for axis, at, side in beside:
        sign = 1 if side else -1
        line = {"xref": "x domain", "xsizemode": "pixel", "xanchor": side}
        for span in axis.spans:
            start, stop = (_edge(axis, at, edge) for edge in (span.start, span.stop))
            shapes.append(
                {
                    "type": "line", **line, "x0": 7 * sign, "x1": 7 * sign,
                    "y0": start + 0.08, "y1": stop - 0.08,
                    "line": {
                        "color": segment_color(span.number), "width": 2.5,
                        "dash": "dot" if span.attention == "causal" else "solid",
                    },
                }
            )  # fmt: skip
        if axis.border is not None:
            edge = _edge(axis, at, axis.border)
            shapes.append(
                {
                    "type": "line", **line, "x0": 0, "x1": 14 * sign, "y0": edge, "y1": edge,
                    "line": {"color": DECODE, "width": 1.2, "dash": "dash"},
                }
            )  # fmt: skip
    figure.update_layout(shapes=shapes)


def _edge(axis: Axis, at: np.ndarray, edge: float) -> float:
    """An edge between cells, where the cells stand."""
    cell = min(int(edge), axis.cells - 1)
    return float(at[cell]) + (edge - cell) - 0.5
