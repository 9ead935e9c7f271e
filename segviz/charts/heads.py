"""All heads at a glance: one small picture each, in one mosaic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from segviz.charts.heatmap import UNITS
from segviz.charts.look import Look
from segviz.charts.naming import run_of, what_of
from segviz.checks import checked_index
from segviz.palette import Kind
from segviz.scales import Scale, limit_of

if TYPE_CHECKING:
    from segviz.comparison import Comparison
    from segviz.trace import Trace

SIZE = 48
"""Cells on a side of a head's picture at most."""


@dataclass(frozen=True, eq=False, slots=True)
class Mosaic:
    """Every head of some layers.

    Args:
        title: what it shows.
        values: float32 ``[layer, head, row, column]``, rounded to a 255th of the square root's
            range (half of that for differences); NaN where nothing of a cell is visible.
        kind: ``"sequential"`` or ``"diverging"``.
        layers: the layers' numbers.
        kv_heads: number of KV heads of a layer; neighbouring query heads share one.
        scale: how a number becomes a colour.
        limit: where the colours end.
        clipped: whether numbers beyond the limit are shown.
        tokens: number of token positions that a head's picture covers.
    """

    title: str
    values: np.ndarray
    kind: Kind
    layers: tuple[int, ...]
    kv_heads: int
    scale: Scale
    limit: float
    clipped: bool
    tokens: int

    @property
    def unit(self) -> str:
        """What the numbers are."""
        return UNITS[self.kind]


def heads(
    of: Trace | Comparison,
    layers: int | Sequence[int] | None = None,
    *,
    scale: Scale = "sqrt",
    limit: float | None = None,
    size: int = SIZE,
) -> Mosaic:
    """The patterns of all heads of a run, or the differences of all heads of a comparison.

    >>> import segviz as sv
    >>> trace = sv.load().trace(sv.examples["chain"])
    >>> chart = heads(trace, layers=[0, 2], size=8)
    >>> chart.values.shape, chart.layers
    ((2, 4, 8, 8), (0, 2))

    Args:
        of: a trace or a comparison.
        layers: which; None: all.
        scale: how a number becomes a colour.
        limit: where the colours end; None: at the largest number.
        size: cells on a side of each picture at most; each shows the cell furthest from 0.

    Raises:
        IndexError: no such layer.
        ValueError: no layer at all, an unknown scale, or a limit that is no positive number.
    """
    look = Look(scale, limit)
    trace = run_of(of)
    compared = trace is not of
    every = range(len(trace.layers))
    named = every if layers is None else np.atleast_1d(np.asarray(layers)).tolist()
    if not len(named):
        raise ValueError("no layer is given: name at least one, or leave layers= out for all")
    chosen = tuple(checked_index(number, len(every), "layer") for number in named)
    length = of.shared_length if compared else len(trace.tokens)  # type: ignore[reportAttributeAccessIssue]
    size = min(size, length)
    data = np.stack([of.layer_thumbnails(layer, size) for layer in chosen]).astype(np.float32)
    if compared:
        share = (data - 128) / 127
        values = np.copysign(share**2, share)
    else:
        values = (data / 255) ** 2
    seen = np.stack([_visible(of.tiles(layer, 0).spans, size) for layer in chosen])
    values = np.where(seen[:, None], values, np.float32(np.nan))
    magnitude = np.abs(np.nan_to_num(values))
    end = look.limit or limit_of(magnitude, np.isfinite(values), scale) or 1.0
    return Mosaic(
        title=what_of(of),
        values=values,
        kind="diverging" if compared else "sequential",
        layers=chosen,
        kv_heads=trace.kv_heads,
        scale=scale,
        limit=float(end),
        clipped=bool((magnitude > end).any()),
        tokens=length,
    )


def _visible(spans: np.ndarray, size: int) -> np.ndarray:
    """Which cells of a head's picture hold any cell of the mask, bool ``[row, column]``.

    >>> _visible(np.array([[0, 1], [0, 2], [0, 3], [0, 4]]), 2).tolist()
    [[True, False], [True, True]]

    Args:
        spans: int ``[query, 2]``, the mask as :func:`segviz.masks.key_spans`.
        size: cells on a side, those of the thumbnails.
    """
    places, length = np.arange(size), len(spans)
    starts, stops = places * length // size, -(-(places + 1) * length // size)
    first, stop = spans[starts, 0], spans[stops - 1, 1]
    return (starts < stop[:, None]) & (stops > first[:, None])
