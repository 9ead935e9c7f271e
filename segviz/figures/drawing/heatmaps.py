"""Heat maps: one attention pattern, a grid of them, or a comparison."""

from __future__ import annotations

from matplotlib.figure import Figure

from segviz.charts import Heatmaps
from segviz.figures.drawing.cells import draw_cells
from segviz.figures.drawing.colors import Colors
from segviz.figures.drawing.foot import DECODING
from segviz.figures.drawing.norms import ShareNorm, colormaps
from segviz.figures.drawing.panels import Content, Key, draw_panels
from segviz.figures.sheet import Sheet
from segviz.palette import Kind


def draw_heatmaps(chart: Heatmaps, sheet: Sheet) -> Figure:
    """Draw heat maps that share their colours and their axes.

    Args:
        chart: what to draw.
        sheet: where.

    Raises:
        ValueError: an unknown colormap, another number of axes than there are panels, or more
            panels than a page has room for.
    """
    maps = colormaps(sheet.colors)
    first = chart.panels[0][0]
    top = chart.panels[0]
    keys = []
    kinds: dict[Kind, None] = dict.fromkeys(panel.kind for panel in top)
    for kind in kinds:
        columns = [number for number, panel in enumerate(top) if panel.kind == kind]
        colors = Colors(maps[kind], kind, chart.scale, chart.limit, chart.clipped)
        keys.append(Key(colors, top[columns[0]].unit, columns[0], columns[-1]))
    decoding = first.rows.border is not None or first.columns.border is not None
    content = Content(
        first.rows,
        first.columns,
        tuple(tuple(panel.title for panel in row) for row in chart.panels),
        title=chart.title,
        hidden=chart.first_hidden,
        keys=tuple(keys),
        entries=(DECODING,) if decoding else (),
        hatched=True,
    )
    figure, axes = draw_panels(content, sheet)
    panels = [panel for row in chart.panels for panel in row]
    for one, panel in zip(axes, panels, strict=True):
        norm = ShareNorm(chart.limit, chart.scale, panel.kind)
        draw_cells(one, panel.values, maps[panel.kind], norm)
    return figure
