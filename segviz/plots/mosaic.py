"""All heads in one mosaic: a heat map in which every head has its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from segviz.charts import Mosaic
from segviz.plots import bars
from segviz.plots.colors import colormap_pair
from segviz.plots.heading import add_heading, heading_room
from segviz.plots.page import Page

_CELLS = 1024
"""Cells on a side of the whole mosaic, about: more than a screen shows."""
_LARGEST = 160
"""Pixels of a head's picture at most."""


def size_of(layers: int, heads: int) -> int:
    """Cells on a side of a head's picture: fewer where there are many heads.

    >>> size_of(4, 4), size_of(32, 32)
    (48, 32)
    """
    return max(8, min(48, _CELLS // max(layers, heads)))


def draw_mosaic(
    chart: Mosaic, page: Page, title: str | None, colors: Any, notes: list[str]
) -> go.Figure:
    """Draw a chart.

    Args:
        chart: the numbers.
        page: what is drawn for.
        title: in place of the usual one; ``""`` for none.
        colors: a colormap.
        notes: what the reader has to know, below the title.
    """
    layers, heads, size, _ = chart.values.shape
    rows, columns = _starts(layers, size, 1), _starts(heads, size, heads // chart.kv_heads)
    tall, wide = rows[-1] + size, columns[-1] + size
    cells = np.full((tall, wide), np.nan, np.float32)
    for layer, top in enumerate(rows):
        for head, left in enumerate(columns):
            cells[top : top + size, left : left + size] = chart.values[layer, head]

    heading = f"All heads: {chart.title}" if title is None else title
    above = heading_room(heading, notes, page)
    top = above + bars.room(page) + 3.4 * page.font
    width = min(page.nominal - 60, heads * _LARGEST)
    height = width * tall / wide
    figure = page.figure(top + height + 16, {"l": 56, "r": 10, "t": top, "b": 12})
    form = "%{z:.3f}" if chart.kind == "sequential" else "%{z:+.3f}"
    figure.add_trace(
        go.Heatmap(
            z=cells,
            x=np.arange(wide, dtype=np.int32),
            y=np.arange(tall, dtype=np.int32),
            coloraxis="coloraxis",
            hoverongaps=False,
            hovertemplate=f"layer %{{y}}, head %{{x}} · about {form}<extra></extra>",
        )
    )
    layer_names = [(str(layer), str(layer)) for layer in chart.layers]
    figure.update_layout(
        xaxis={
            **_axis(columns, size, _head_names(chart), width / wide, page), "side": "top",
            "title": {"text": "head"}, "range": [-0.5, wide - 0.5], "constraintoward": "left",
        },
        yaxis={
            **_axis(rows, size, layer_names, height / tall, page), "scaleanchor": "x",
            "title": {"text": "layer"}, "range": [tall - 0.5, -0.5], "constraintoward": "top",
        },
    )  # fmt: skip
    chosen = colormap_pair(colors)["sequential"]
    bar = bars.Bar(chosen, chart.kind, chart.scale, chart.limit, chart.clipped, chart.unit)
    figure.update_layout(coloraxis=bar.color_axis())
    bar.draw(figure, 2, 0, above, page)
    add_heading(figure, heading, notes, page)
    return figure


def _starts(count: int, size: int, together: int) -> list[int]:
    """First cells of pictures in a row: a gap between two, a larger one between groups."""
    small = max(1, size // 16)
    large = 3 * small if together > 1 else small
    starts, at = [], 0
    for number in range(count):
        if number:
            at += large if number % together == 0 else small
        starts.append(at)
        at += size
    return starts


def _head_names(chart: Mosaic) -> list[tuple[str, str]]:
    """Head numbers, and with the KV head that some of them share."""
    heads = chart.values.shape[1]
    together = heads // chart.kv_heads
    return [
        (str(head), f"{head} (KV head {head // together})" if together > 1 else str(head))
        for head in range(heads)
    ]


def _axis(
    starts: list[int], size: int, names: list[tuple[str, str]], pitch: float, page: Page
) -> dict[str, Any]:
    """An axis on which every cell is named after its layer or head, and some names are seen.

    Args:
        starts: first cells of the pictures.
        size: cells of a picture.
        names: of each picture a short one, and one for hover text.
        pitch: pixels of a cell.
        page: what is drawn for.
    """
    aliases = {
        str(cell): names[number][1]
        for number, start in enumerate(starts)
        for cell in range(start, start + size)
    }
    apart = starts[1] - starts[0] if len(starts) > 1 else size
    needed = page.text_width("m" * max(len(short) for short, _ in names)) + 4
    step = next(n for n in (1, 2, 4, 8, 16, 32, 64, 128) if n * apart * pitch >= needed)
    # Off the middle of any cell, since there plotly would take the tick's text for hover text.
    return {
        "type": "category",
        "labelalias": aliases,
        "tickmode": "array",
        "tickvals": [start + size / 2 - 0.75 for start in starts[::step]],
        "ticktext": [short for short, _ in names[::step]],
        "constrain": "domain",
        "automargin": True,
    }
