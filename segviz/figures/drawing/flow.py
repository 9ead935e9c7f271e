"""Flow: how much attention segments give to each other, as matrices with numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from segviz.charts import Flows
from segviz.charts.flow import UNITS
from segviz.figures.drawing.beside import ink
from segviz.figures.drawing.colors import Colors
from segviz.figures.drawing.heading import LINE, draw_heading, heading_height
from segviz.figures.drawing.key import draw_named_key, named_key_height
from segviz.figures.drawing.marks import HATCH, MASKED
from segviz.figures.drawing.matrix import (
    BETWEEN,
    EDGE,
    KEYS,
    QUERIES,
    TO_LABEL,
    Panel,
    Plan,
    planned,
)
from segviz.figures.drawing.norms import colormaps
from segviz.figures.drawing.points import (
    Points,
    Ruler,
    depth,
    font_families,
    height,
    ink_on,
    legible,
    room_on,
)
from segviz.figures.drawing.titles import title_lines
from segviz.figures.fonts import fitted
from segviz.figures.paper import POINTS
from segviz.figures.sheet import Sheet, figure_of
from segviz.palette import segment_color

_SEAM = 0.8
"""Between cells, in points, up to a tenth of one."""
_VECTORS = 64
"""Cells on a side up to which they are drawn as vectors."""
_NARROWEST = 5.0
"""Of the size of small text: the narrowest matrix beside others, which has a title."""


def draw_flow(chart: Flows, sheet: Sheet) -> Figure:
    """Draw one matrix, or three side by side with the same limit.

    Where cells have no room for their numbers, colours are all there is; where not all names have
    room, every second one stands there, or every fifth, …. Cells in which no query of a segment
    sees any key of another are hatched.

    Raises:
        ValueError: another number of axes, or three matrices that have no room.
    """
    given = sheet.given(len(chart.values))
    usual = chart.what[:1].upper() + chart.what[1:]
    if len(chart.titles) == 1:
        usual = f"{chart.titles[0][:1].upper()}{chart.titles[0][1:]}, {chart.what}"
    title = usual if sheet.title is None else sheet.title
    texts, families = fitted([*chart.names, title], font_families(), stacklevel=3)
    ruler = Ruler.of(families)
    names, title = texts[:-1], texts[-1]
    maps = colormaps(sheet.colors if len(chart.values) > 1 else (sheet.colors, None))
    panels = [
        Panel(name, values, Colors(maps[kind], kind, "linear", chart.limit))
        for name, values, kind in zip(chart.titles, chart.values, chart.kinds, strict=True)
    ]
    if given is None:
        return _draw(panels, names, title, sheet, ruler, None)
    for panel, axes in zip(panels, given, strict=True):
        own = panel.title if len(panels) > 1 and sheet.title is None else title
        _draw([panel], names, own, sheet, ruler, axes)
    return figure_of(given)


def _draw(
    panels: Sequence[Panel],
    names: Sequence[str],
    title: str,
    sheet: Sheet,
    ruler: Ruler,
    axes: Axes | None,
) -> Figure:
    size, small = sheet.paper.font_size, sheet.paper.small
    width, most = room_on(sheet, axes)
    lines = title_lines(title, ruler, size, width - 2 * EDGE)
    top = EDGE + heading_height(lines, size)
    foot = height(small) + depth(small) + 0.9 * small + named_key_height(small) + EDGE
    plan = planned(panels, names, ruler, small, width, most - top - foot)
    whole = plan.step - BETWEEN
    if len(panels) > 1 and whole < _NARROWEST * small:
        raise ValueError(
            f"{len(panels)} matrices are too many for a figure {width / POINTS:.3g} inches wide, "
            f"with text of {size:g} points: choose a larger width or a smaller font_size"
        )
    titles = _panel_titles(panels, whole + 2 * EDGE, ruler, small)
    keys = ruler.fit(KEYS, small, whole + 2 * EDGE) if len(panels) > 1 else KEYS
    top += max((heading_height(one, small) for one in titles), default=0.0)
    tall = plan.cell[1] * len(names)
    end = top + tall + plan.below
    points = Points(sheet, end + foot, ruler, axes)
    draw_heading(points, lines, size, EDGE)
    for number, panel in enumerate(panels):
        left = plan.left + number * plan.step
        wide = whole
        for line, text in enumerate(reversed(titles[number] if titles else [])):
            baseline = top - depth(small) - 1 - line * LINE * small
            points.text(left + wide / 2, baseline, text, small, ha="center", color=ink())
        _draw_cells(points, panel, plan, left, top)
        _draw_columns(points, plan, left, top + tall)
        baseline = end + height(small)
        points.text(left + wide / 2, baseline, keys, small, ha="center", color=ink())
    _draw_rows(points, plan, small, top, tall)
    _draw_keys(points, panels, plan, ruler, small, width, end + height(small) + depth(small))
    return points.figure


def _panel_titles(
    panels: Sequence[Panel], room: float, ruler: Ruler, small: float
) -> list[list[str]]:
    """The lines above each of several matrices."""
    if len(panels) == 1:
        return []
    return [ruler.lines(panel.title, small, room) for panel in panels]


def _draw_cells(points: Points, panel: Panel, plan: Plan, left: float, top: float) -> None:
    wide, tall = plan.cell
    count = len(panel.values)
    if count > _VECTORS:
        points.box(left, top, count * wide, count * tall, facecolor="white", edgecolor=MASKED,
                   hatch=HATCH, zorder=-1)  # fmt: skip
        places = np.ma.masked_invalid(panel.colors.places(panel.values))
        places[np.isnan(panel.values)] = np.ma.masked
        size = count * wide, count * tall
        points.image(places, left, top, *size, **panel.colors.range)
        return
    rows, columns = np.indices(panel.values.shape)
    seam = min(_SEAM, 0.1 * wide, 0.1 * tall) / 2
    x, y = left + columns * wide, top + rows * tall
    corners = np.stack(
        [
            np.stack([x + seam, y + seam], axis=-1),
            np.stack([x + wide - seam, y + seam], axis=-1),
            np.stack([x + wide - seam, y + tall - seam], axis=-1),
            np.stack([x + seam, y + tall - seam], axis=-1),
        ],
        axis=2,
    )
    hidden = np.isnan(panel.values)
    colors = panel.colors(np.nan_to_num(panel.values))
    seen = PolyCollection(list(corners[~hidden]), facecolors=colors[~hidden], linewidths=0)
    points.axes.add_collection(seen, autolim=False)
    if hidden.any():
        unseen = PolyCollection(
            list(corners[hidden]), facecolors="white", edgecolors=MASKED, hatch=HATCH, linewidths=0
        )
        points.axes.add_collection(unseen, autolim=False)
    if plan.numbers is None:
        return
    for row, texts in enumerate(panel.texts):
        for column, text in enumerate(texts):
            middle = top + (row + 0.5) * tall + height(plan.numbers) / 2
            color = ink_on(colors[row, column])
            points.text(
                left + (column + 0.5) * wide, middle, text, plan.numbers, ha="center", color=color
            )


def _draw_rows(points: Points, plan: Plan, small: float, top: float, tall: float) -> None:
    x = plan.left - TO_LABEL
    widest = 0.0
    for row, name in enumerate(plan.rows):
        middle = top + (row + 0.5) * plan.cell[1]
        baseline = middle + (height(plan.row_size) - depth(plan.row_size)) / 2
        color = legible(segment_color(row))
        points.text(x, baseline, name, plan.row_size, ha="right", color=color)
        widest = max(widest, points.measured(name, plan.row_size))
    points.text(
        x - widest - 2, top + tall / 2, QUERIES, small,
        ha="right", va="center", rotation=90, color=ink(),
    )  # fmt: skip


def _draw_columns(points: Points, plan: Plan, left: float, bottom: float) -> None:
    for column, name in enumerate(plan.columns):
        x = left + (column + 0.5) * plan.cell[0]
        color = legible(segment_color(column))
        if plan.turned:
            points.text(
                x, bottom + TO_LABEL, name, plan.column_size,
                ha="center", va="top", rotation=90, color=color,
            )  # fmt: skip
        else:
            baseline = bottom + TO_LABEL + height(plan.column_size)
            points.text(x, baseline, name, plan.column_size, ha="center", color=color)


def _draw_keys(
    points: Points,
    panels: Sequence[Panel],
    plan: Plan,
    ruler: Ruler,
    small: float,
    width: float,
    top: float,
) -> None:
    """A bar for what has the same colours, below all of it."""
    y = top + 0.9 * small
    wide = plan.step - BETWEEN
    for kind, unit in UNITS.items():
        numbers = [number for number, panel in enumerate(panels) if panel.colors.kind == kind]
        if not numbers:
            continue
        start = plan.left + numbers[0] * plan.step
        stop = plan.left + numbers[-1] * plan.step + wide
        middle = (start + stop) / 2
        half = min(middle, width - middle) - EDGE
        if len(panels) > 1:
            # No further than halfway to the neighbour.
            half = min(half, (stop - start + BETWEEN) / 2 - 2)
        colors = panels[numbers[0]].colors
        draw_named_key(points, ruler, colors, unit, (middle - half, middle + half), y, small)
