"""The prompt as running text, shaded by what one query attends to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go

from segviz.charts import Span, Text
from segviz.charts.heatmap import PROBABILITY
from segviz.labels import is_special
from segviz.palette import DECODE, segment_color
from segviz.plots import bars
from segviz.plots.colors import colormap, on_color
from segviz.plots.heading import add_heading, heading_room
from segviz.plots.lines import Place, set_in_lines
from segviz.plots.page import MONO, Page
from segviz.plots.texts import escaped, shortened
from segviz.scales import shares

_ADVANCE = 0.62
"""Width of a character in the font's size; a little more than that of the usual fonts."""
_USUAL = 760
"""Pixels of a plot whose width nobody gave: there is room for them in JupyterLab beside its side
bar, on a laptop."""
_CLEAR = "rgba(0,0,0,0)"
_LEADING = 1.9
"""Distance of two lines in the font's size."""
_SHADES = {False: "Oranges", True: "inferno"}
"""By whether the page is dark: what gets no attention is about as bright as the page."""


def draw_text(
    chart: Text, page: Page, title: str | None, colors: Any, notes: list[str]
) -> go.Figure:
    """Draw a chart.

    Args:
        chart: the tokens and their shades.
        page: what is drawn for.
        title: in place of the usual one; ``""`` for none.
        colors: a colormap.
        notes: what the reader has to know, below the title.
    """
    # Lines are broken here: in a narrower place the reader has to scroll.
    page = replace(page, width=page.width or _USUAL)
    heading = chart.title if title is None else title
    colors = _SHADES[page.theme.dark] if colors is None else colors
    above = heading_room(heading, notes, page)
    top = above + (bars.room(page) + 6 if chart.values is not None else 4)
    gutter = page.text_width("m" * max(len(shortened(span.name, 18)) for span in chart.spans)) + 16
    wide, tall = _ADVANCE * page.font, _LEADING * page.font
    length = max(16, int((page.nominal - gutter - 12) / wide))
    places = set_in_lines(chart.labels, chart.spans, length)
    lines = places[-1].line + 1
    figure = page.figure(top + lines * tall + 14, {"l": gutter, "r": 8, "t": top, "b": 10})
    first = _first_lines(chart.spans, places)
    figure.update_layout(
        plot_bgcolor="rgba(0,0,0,0)",
        dragmode="pan",
        xaxis={
            "range": [0, length], "showticklabels": False, "scaleanchor": "y",
            "scaleratio": wide / tall, "constrain": "domain", "constraintoward": "left",
            "fixedrange": True,
        },
        yaxis={
            "range": [lines - 0.5, -0.5], "constrain": "domain", "constraintoward": "top",
            "tickmode": "array", "tickvals": list(first.values()),
            "ticktext": [_named(span) for span in chart.spans], "ticklabelstandoff": 9,
            "fixedrange": True, "ticklabeloverflow": "allow",
        },
    )  # fmt: skip
    if chart.values is not None:
        clipped = bool((np.nan_to_num(chart.values) > chart.limit).any())
        bar = bars.Bar(colors, "sequential", chart.scale, chart.limit, clipped, PROBABILITY)
        figure.update_layout(coloraxis=bar.color_axis())
        bar.draw(figure, 2, 0, above, page)
    figure.add_traces(_shades(chart, places, length))
    figure.add_trace(_words(chart, places, colors, page))
    _add_lines(figure, chart, places, first)
    add_heading(figure, heading, notes, page)
    return figure


def _first_lines(spans: tuple[Span, ...], places: list[Place]) -> dict[int, int]:
    return {span.number: places[int(span.start)].line for span in spans}


def _named(span: Span) -> str:
    name = escaped(shortened(span.name, 18))
    return f'<b style="color:{segment_color(span.number)}">{name}</b>'


def _shades(chart: Text, places: list[Place], length: int) -> list[go.Heatmap]:
    """The tokens' cells, one number for each character; they carry the hover text, too."""
    shaded = np.zeros(len(places), bool) if chart.values is None else np.isfinite(chart.values)
    values = np.zeros(len(places), np.float32) if chart.values is None else chart.values
    # What is not shaded has hover text as well, and a colour that nobody sees.
    unseen = {"colorscale": [(0, _CLEAR), (1, _CLEAR)], "showscale": False}
    traces = []
    for wanted, look in ((True, {"coloraxis": "coloraxis"}), (False, unseen)):
        if not (shaded == wanted).any():
            continue
        cells = np.full((places[-1].line + 1, length), np.nan, np.float32)
        hover = np.full(cells.shape, "", dtype=object)
        for number in np.flatnonzero(shaded == wanted).tolist():
            place = places[number]
            here = place.line, slice(place.start, place.stop)
            name = f"{escaped(chart.labels[number].strip())} ({chart.start + number})"
            cells[here] = values[number] if wanted else 0
            hover[here] = f"{name} · {values[number]:.4f}" if wanted else name
        traces.append(
            go.Heatmap(
                z=cells, text=hover, x0=0.5, dx=1, ygap=4, hoverongaps=False,
                hovertemplate="%{text}<extra></extra>", **look,
            )
        )  # fmt: skip
    return traces


def _words(chart: Text, places: list[Place], colors: Any, page: Page) -> go.Scatter:
    ink = [page.theme.muted if is_special(label) else page.theme.ink for label in chart.labels]
    if chart.values is not None:
        share = shares(np.nan_to_num(chart.values), chart.limit, chart.scale)
        on = on_color(colormap(colors, "sequential")(share))
        ink = np.where(np.isfinite(chart.values), on, ink).tolist()
    return go.Scatter(
        x=[place.start + place.lead for place in places],
        y=[place.line for place in places],
        mode="text",
        text=[escaped(place.text) for place in places],
        textposition="middle right",
        textfont={"family": MONO, "size": page.font, "color": ink},
        hoverinfo="skip",
        showlegend=False,
        cliponaxis=False,
    )


def _add_lines(figure: go.Figure, chart: Text, places: list[Place], first: dict[int, int]) -> None:
    """Bars at the left of the segments' lines, a frame for the query, a line before decoding."""
    shapes: list[dict[str, Any]] = []
    for number, line in first.items():
        later = [other for other in first.values() if other > line]
        last = min(later) - 1 if later else places[-1].line
        shapes.append(
            {
                "type": "line", "xref": "paper", "x0": -5, "x1": -5, "xsizemode": "pixel",
                "xanchor": 0, "y0": line - 0.42, "y1": last + 0.42,
                "line": {"color": segment_color(number), "width": 3},
            }
        )  # fmt: skip
    if chart.border is not None:
        at = places[chart.border].line - 0.5
        shapes.append(
            {
                "type": "line", "xref": "x domain", "x0": 0, "x1": 1, "y0": at, "y1": at,
                "line": {"color": DECODE, "width": 1.2, "dash": "dash"},
            }
        )  # fmt: skip
    if chart.query is not None:
        place = places[chart.query]
        shapes.append(
            {
                "type": "rect", "x0": place.start, "x1": place.stop,
                "y0": place.line - 0.45, "y1": place.line + 0.45,
                "line": {"color": DECODE, "width": 1.6},
            }
        )  # fmt: skip
    figure.update_layout(shapes=shapes)
