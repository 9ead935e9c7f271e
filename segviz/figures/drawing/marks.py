"""Marks: what is drawn over the cells: where decoding starts, and highlighted tokens."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, Stroke

from segviz.charts import Axis
from segviz.palette import DECODE, INK, MUTED

DASHES = (0, (3.0, 1.6))
"""Of the line where decoding starts."""

MASKED = "#cfd3db"
"""Of the hatching where cells are masked."""


HATCH = "//////"
_NARROWEST = 1.2
"""Points: what of a highlighted row stays in sight between the lines of its frame."""


def draw_ground(axes: Axes, line: float, *, hatched: bool) -> None:
    """The ground of the cells, seen where they are masked, and a thin frame."""
    axes.set_facecolor("white")
    if hatched:
        axes.patch.set_hatch(HATCH)
        axes.patch.set_edgecolor(MASKED)
        axes.patch.set_linewidth(0)
        # Before matplotlib 3.10 it is that of ``rcParams`` while the figure is drawn.
        if hasattr(axes.patch, "set_hatch_linewidth"):
            axes.patch.set_hatch_linewidth(0.5 * line)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color=MUTED, linewidth=0.6 * line, visible=True)


def draw_border(axes: Axes, rows: Axis, columns: Axis, line: float) -> None:
    """Dashed lines where decoding starts, on both axes; white below, to be seen on dark cells."""
    ends = []
    if rows.border is not None:
        ends.append([(0, rows.border), (columns.cells, rows.border)])
    if columns.border is not None:
        ends.append([(columns.border, 0), (columns.border, rows.cells)])
    if not ends:
        return
    axes.add_collection(
        LineCollection(ends, colors="white", linewidths=1.9 * line, capstyle="butt", zorder=3),
        autolim=False,
    )
    axes.add_collection(
        LineCollection(ends, colors=DECODE, linewidths=1.3 * line, linestyles=[DASHES], zorder=3.1),
        autolim=False,
    )


def draw_frames(
    axes: Axes, rows: Axis, columns: Axis, pitch: tuple[float, float], line: float
) -> None:
    """Thin frames around the rows and columns of highlighted tokens."""
    wide, tall = (max(1.0, _NARROWEST / one) for one in pitch)
    for cell in rows.marked:
        top = cell + 0.5 - tall / 2
        axes.add_patch(_frame((0, top), columns.cells, tall, line))
    for cell in columns.marked:
        left = cell + 0.5 - wide / 2
        axes.add_patch(_frame((left, 0), wide, rows.cells, line))


def _frame(corner: tuple[float, float], width: float, height: float, line: float) -> Rectangle:
    look: dict[str, Any] = {"fill": False, "edgecolor": INK, "linewidth": 0.7 * line, "zorder": 4}
    frame = Rectangle(corner, width, height, **look)
    frame.set_path_effects([Stroke(linewidth=1.5 * line, foreground="white"), Normal()])
    return frame
