"""Arcs: attention as lines from each query to the keys it attends to, as in BertViz's head view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from segviz.charts.axis import Axis
from segviz.charts.heatmap import Heatmap, attention
from segviz.charts.look import Look, is_number
from segviz.charts.naming import only_run, what_of

if TYPE_CHECKING:
    from segviz.patterns import Head
    from segviz.trace import Trace

LINES = 2000
"""Lines that are drawn at most; of more the strongest are."""


@dataclass(frozen=True, slots=True)
class Arc:
    """A line from a query to a key.

    Args:
        row: the query's cell.
        column: the key's cell.
        value: the attention probability.
        head: the number of the head among those shown.
    """

    row: int
    column: int
    value: float
    head: int


@dataclass(frozen=True, eq=False, slots=True)
class Arcs:
    """Lines between two columns of tokens.

    Args:
        title: what it shows.
        heads: names of the heads shown.
        arcs: the lines, weakest first, so that the strongest are drawn above.
        rows: the queries.
        columns: the keys.
        limit: the probability of a line of full strength.
        least: the probability from which lines are drawn.
        first_hidden: whether the first token is left out of the keys.
    """

    title: str
    heads: tuple[str, ...]
    arcs: tuple[Arc, ...]
    rows: Axis
    columns: Axis
    limit: float
    least: float
    first_hidden: bool = False


def arcs(
    trace: Trace,
    layer: int,
    head: Head | Sequence[Head],
    look: Look | None = None,
    *,
    least: float = 0.02,
) -> Arcs:
    """The attention of one or several heads of a layer as lines.

    >>> import segviz as sv
    >>> chart = arcs(sv.load().trace(sv.examples["chain"]), 1, [0, 3], Look(queries="user"))
    >>> chart.heads, chart.arcs[-1].value <= chart.limit
    (('head 0', 'head 3'), True)

    Args:
        trace: what a run left behind.
        layer: 0-based.
        head: one or several.
        look: what of the patterns is shown.
        least: the probability from which a line is drawn.

    Raises:
        TypeError: a comparison, which has two runs.
        IndexError: no such layer or head.
        ValueError: what :class:`segviz.charts.Look` names is not there; a ``least`` outside of
            [0, 1].
    """
    trace = only_run(trace)
    if not (is_number(least) and 0 <= least <= 1):
        raise ValueError(f"least={least!r}; it is a probability, 0 to 1")
    chart = attention(trace, layer, head, look)
    panels = chart.panels[0]
    found = [_arcs(panel, number, least) for number, panel in enumerate(panels)]
    every = sorted((arc for one in found for arc in one), key=lambda arc: arc.value)
    kept = every[-LINES:]
    if len(kept) < len(every):
        least = kept[0].value
    names = tuple(panel.title.split(", ", 1)[1].split(":", 1)[0] for panel in panels)
    title = (
        panels[0].title
        if len(panels) == 1
        else f"{panels[0].title.split(', ', 1)[0]}: {what_of(trace)}"
    )
    return Arcs(
        title,
        names,
        tuple(kept),
        panels[0].rows,
        panels[0].columns,
        chart.limit,
        least,
        chart.first_hidden and panels[0].columns.starts[0] == 0,
    )


def _arcs(panel: Heatmap, number: int, least: float) -> list[Arc]:
    values = np.nan_to_num(panel.values)
    rows, columns = np.nonzero((values >= least) & (values > 0))
    return [
        Arc(int(row), int(column), float(values[row, column]), number)
        for row, column in zip(rows, columns, strict=True)
    ]
