"""The experiment as a figure: accuracies by task, on the way, and by projections."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from segviz.tiny.experiment.plan import MASKS
from segviz.tiny.experiment.results import CHAINS, Column, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from segviz.trace import MaskKind

# Orange and blue keep apart in greyscale and for the colour-blind (Okabe and Ito).
COLOURS: dict[MaskKind | None, str] = {None: "#999999", "causal": "#e69f00", "segment": "#0072b2"}
BARS = (
    Column(None, "causal"),
    Column("causal", "causal"),
    Column("segment", "segment"),
    Column("segment", "causal"),
)
_LOOK: Any = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
}


def draw(results: Results) -> Figure:
    """Two panels: each task's accuracies, and chains over the steps of the fine-tuning."""
    with mpl.rc_context(_LOOK):
        figure = Figure(figsize=(6.8, 2.5), layout="constrained")
        FigureCanvasAgg(figure)
        bars, curve = figure.subplots(1, 2, width_ratios=[3, 2], sharey=True)
        _bars(bars, results)
        _curve(curve, results)
    return figure


def save(results: Results, path: Path) -> None:
    """Write the figure; the ending says the format."""
    with mpl.rc_context(_LOOK):
        draw(results).savefig(path, dpi=200)


def _bars(axes: Axes, results: Results) -> None:
    width = 0.8 / len(BARS)
    places = np.arange(len(results.tasks))
    for number, column in enumerate(BARS):
        shares = [100 * results.shares(column, task) for task in results.tasks]
        means = np.array([one.mean() for one in shares])
        reach = np.abs([[one.min() for one in shares], [one.max() for one in shares]] - means)
        swapped = column.tuned is not None and column.tuned != column.mask
        look: dict[str, Any] = {"color": COLOURS[column.tuned]}
        if swapped:
            look = {"facecolor": "white", "edgecolor": COLOURS[column.tuned], "hatch": "////"}
        what = "base" if column.tuned is None else f"{column.tuned}-tuned"
        axes.bar(
            places + (number - (len(BARS) - 1) / 2) * width,
            means,
            0.9 * width,
            yerr=reach,
            error_kw={"elinewidth": 0.7},
            label=f"{what}, {column.mask} mask",
            **look,
        )
    axes.set_xticks(places, [task.replace(", ", ",\n") for task in results.tasks])
    axes.set_ylabel("right answers (%)")
    axes.set_ylim(0, 100)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)


def _curve(axes: Axes, results: Results) -> None:
    for mask in MASKS:
        curve = results.curves(mask)
        steps, shares = list(curve), 100 * np.array(list(curve.values()))
        axes.plot(steps, shares.mean(1), color=COLOURS[mask], marker="o", markersize=2.5)
        axes.fill_between(
            steps, shares.min(1), shares.max(1), color=COLOURS[mask], alpha=0.2, linewidth=0
        )
    axes.set_xlabel("steps of fine-tuning")
    axes.set_title(f"{CHAINS}, some link ahead", fontsize=8)
