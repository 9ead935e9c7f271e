"""Mask: what the causal mask shows, and in their colours what the segments add."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from segviz.charts import MaskChart
from segviz.charts.mask import CAUSAL as BY_CAUSAL
from segviz.charts.mask import MASKED
from segviz.figures.drawing.cells import draw_cells
from segviz.figures.drawing.foot import DECODING, Entry
from segviz.figures.drawing.panels import Content, draw_panels
from segviz.figures.sheet import Sheet
from segviz.palette import CAUSAL, segment_color

_FIELDS = 3
"""Colours that the meaning of added cells is told with at most."""


def draw_mask(chart: MaskChart, sheet: Sheet) -> Figure:
    """Draw a mask.

    Args:
        chart: what to draw.
        sheet: where.

    Raises:
        ValueError: several axes.
    """
    cells = np.ma.masked_equal(chart.cells, MASKED)
    content = Content(chart.rows, chart.columns, ((chart.title,),), entries=_entries(chart, cells))
    figure, (axes,) = draw_panels(content, sheet)
    most = int(chart.cells.max(initial=BY_CAUSAL))
    colors = ListedColormap([CAUSAL, *map(segment_color, range(most))])
    norm = BoundaryNorm(np.arange(-0.5, most + 1), most + 1)
    draw_cells(axes, cells, colors, norm)
    return figure


def _entries(chart: MaskChart, cells: np.ma.MaskedArray) -> tuple[Entry, ...]:
    entries = [Entry("causal", (CAUSAL,))]
    added = sorted({int(one) - 1 for one in np.unique(cells.compressed()) if one > BY_CAUSAL})
    fields = tuple(dict.fromkeys(segment_color(number) for number in added))[:_FIELDS]
    if fields:
        entries.append(Entry("added by a segment", fields))
    if np.ma.getmaskarray(cells).any():
        entries.append(Entry("masked", ("white",)))
    if chart.rows.border is not None or chart.columns.border is not None:
        entries.append(DECODING)
    return tuple(entries)
