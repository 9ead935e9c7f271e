"""The mask: what a causal mask shows, and what each segment adds."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go

from segviz.charts import MaskChart
from segviz.charts.mask import CAUSAL
from segviz.palette import CAUSAL as CAUSAL_COLOR
from segviz.palette import segment_color
from segviz.plots.heading import add_heading, heading_room
from segviz.plots.heatmaps import HOVER
from segviz.plots.page import Page, height_of
from segviz.plots.panels import Panels
from segviz.plots.texts import escaped

_SWATCH = 56
"""Pixels that an entry of the legend takes beside its text."""


def draw_mask(chart: MaskChart, page: Page, title: str | None, notes: list[str]) -> go.Figure:
    """Draw a mask: one trace for the causal cells, and one for each segment that adds some.

    Args:
        chart: the mask.
        page: what is drawn for.
        title: in place of the usual one; ``""`` for none.
        notes: what the reader has to know, below the title.
    """
    heading = chart.title if title is None else title
    above = heading_room(heading, notes, page)
    kinds = np.unique(chart.cells[chart.cells >= CAUSAL]).tolist()
    names = {span.number + 1: f"added by {span.name}" for span in chart.rows.spans}
    names[CAUSAL] = "causal"
    # Where they do not fit in a line, plotly puts them in columns as wide as the widest.
    widest = max(page.text_width(names[kind]) + _SWATCH for kind in kinds)
    in_line = max(1, int((page.nominal - 120) // widest))
    legend = 1.9 * page.font * math.ceil(len(kinds) / in_line)
    panels = Panels.of(chart.rows, chart.columns, [[""]], above + legend, page)
    figure = panels.figure
    for kind in kinds:
        color = segment_color(kind - 1) if kind else CAUSAL_COLOR
        figure.add_trace(_cells(chart, kind, color, escaped(names[kind])))
    figure.update_layout(
        showlegend=True,
        legend={
            "orientation": "h", "x": 0, "xref": "paper", "xanchor": "left", "traceorder": "normal",
            "y": 1 - above / height_of(figure), "yref": "container", "yanchor": "top",
        },
    )  # fmt: skip
    add_heading(figure, heading, notes, page)
    return figure


def _cells(chart: MaskChart, kind: int, color: str, name: str) -> go.Heatmap:
    """The cells of one kind, and no more rows and columns than they are in."""
    here = chart.cells == kind
    rows, columns = (np.flatnonzero(here.any(axis=axis)) for axis in (1, 0))
    part = here[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return go.Heatmap(
        z=np.where(part, np.float32(1), np.float32(np.nan)),
        x=np.arange(columns[0], columns[-1] + 1, dtype=np.int32),
        y=np.arange(rows[0], rows[-1] + 1, dtype=np.int32),
        colorscale=[(0, color), (1, color)],
        zmin=0,
        zmax=1,
        showscale=False,
        showlegend=True,
        name=name,
        hoverongaps=False,
        hovertemplate=f"{HOVER}{name}<extra></extra>",
    )
