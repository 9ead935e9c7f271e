"""Heat maps: attention patterns as cells, one or several that share their colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from segviz.charts.axis import Axis
from segviz.charts.look import Look, checked_positions, positions
from segviz.charts.naming import DIFFERENCE, head_of, noted, run_of, what_of
from segviz.grouping import MergedTiles, group_starts
from segviz.palette import Kind
from segviz.scales import Scale, limit_of, magnitudes
from segviz.tiles import PICTURE, Tiles, WithoutFirst, factor_for

if TYPE_CHECKING:
    from segviz.comparison import Comparison
    from segviz.patterns import Head
    from segviz.segments import Segmentation
    from segviz.trace import Trace

PROBABILITY = "attention probability"
UNITS: dict[Kind, str] = {"sequential": PROBABILITY, "diverging": "change in probability"}
SHARE = "share of the row's largest"


@dataclass(frozen=True, eq=False, slots=True)
class Heatmap:
    """One pattern.

    Args:
        title: what it shows.
        values: float32 ``[row, column]``; NaN where it is masked. A cell that stands for several
            holds that furthest from 0.
        kind: ``"sequential"`` (0 and up) or ``"diverging"`` (around 0).
        rows: the queries.
        columns: the keys.
        normalized: whether each row is relative to its largest number.
    """

    title: str
    values: np.ndarray
    kind: Kind
    rows: Axis
    columns: Axis
    normalized: bool = False

    @property
    def unit(self) -> str:
        """What the numbers are."""
        if self.normalized:
            return SHARE
        return UNITS[self.kind]


@dataclass(frozen=True, eq=False, slots=True)
class Heatmaps:
    """Patterns in rows and columns that share one scale.

    Args:
        panels: row by row.
        scale: how a number becomes a colour.
        limit: where the colours end, in all panels.
        clipped: whether numbers beyond the limit are shown, in the last colour.
        title: what several panels have in common; empty for a single one.
        first_hidden: whether the first token is left out.
    """

    panels: tuple[tuple[Heatmap, ...], ...]
    scale: Scale
    limit: float
    clipped: bool
    title: str = ""
    first_hidden: bool = False


def attention(
    of: Trace | Comparison,
    layer: int | Sequence[int],
    head: Head | Sequence[Head],
    look: Look | None = None,
    side: int = PICTURE,
) -> Heatmaps:
    """Attention patterns of one or several heads; of a comparison their differences.

    >>> import segviz as sv
    >>> trace = sv.load().trace(sv.examples["chain"])
    >>> chart = attention(trace, [0, 1], 2, Look(queries="user"))
    >>> [[panel.title for panel in row] for row in chart.panels]
    [['Layer 0, head 2'], ['Layer 1, head 2']]

    Args:
        of: what a run left behind, or a comparison.
        layer: one or several; a row of panels each.
        head: one or several; a column of panels each.
        look: what of the patterns is shown.
        side: cells on a side at most; more are pooled.

    Raises:
        IndexError: no such layer or head.
        ValueError: no layer or head at all, or what :class:`Look` names is not there.
    """
    layers, heads = _several(layer, "layer"), _several(head, "head")
    one = len(layers) == len(heads) == 1
    trace = run_of(of)
    segmentation, what, kind = trace.segmentation, what_of(of), "sequential"
    if trace is not of:
        shared: int = of.shared_length  # type: ignore[reportAttributeAccessIssue]
        segmentation, kind = segmentation.cut(shared), "diverging"
    panels = [
        [
            _read(
                of.tiles(number, which),
                trace,
                segmentation,
                head_of(trace, number, which) + (f": {what}" if one else ""),
                look or Look(),
                side,
                kind,
            )
            for which in heads
        ]
        for number in layers
    ]
    return _sharing(panels, look or Look(), "" if one else what.capitalize())


def comparison(
    compared: Comparison, layer: int, head: Head, look: Look | None = None, side: int = PICTURE
) -> Heatmaps:
    """One head under the causal mask, under the segment mask, and the difference.

    >>> import segviz as sv
    >>> chart = comparison(sv.compare(sv.load(), sv.examples["chain"]), layer=1, head=0)
    >>> [panel.title for panel in chart.panels[0]]
    ['causal mask', 'segment mask', 'segment minus causal']

    Over the positions that both runs share. The colours of all three end at the same number.

    Raises:
        TypeError: no comparison.
        IndexError: no such layer or head.
        ValueError: what :class:`Look` names is not there.
    """
    look = look or Look()
    if run_of(compared) is compared:  # type: ignore[reportUnnecessaryComparison]
        raise TypeError(
            "a comparison has two runs, and given was one: sv.compare(model, prompt) makes both, "
            "sv.Comparison(causal, segment) is that of two traces"
        )
    length = compared.shared_length
    segmentation = compared.segment.segmentation.cut(length)
    kinds: tuple[Kind, ...] = ("sequential", "sequential", "diverging")
    three = compared.causal, compared.segment, compared
    titles = ("causal mask", "segment mask", DIFFERENCE)
    panels = [
        _read(one.tiles(layer, head), compared.segment, segmentation, title, look, side, kind)
        for one, title, kind in zip(three, titles, kinds, strict=True)
    ]
    title = noted(head_of(compared.segment, layer, head), compared.segment)
    return _sharing([panels], look, title)


def _read(
    tiles: Tiles,
    trace: Trace,
    segmentation: Segmentation,
    title: str,
    look: Look,
    side: int,
    kind: Kind = "sequential",
) -> Heatmap:
    length = segmentation.length
    tokens = trace.tokens[:length]
    if look.hide_first:
        tiles = WithoutFirst(tiles)
    starts = group_starts(look.merge, (length, length), tokens, segmentation)
    if starts is None:
        edges = np.arange(length + 1)
    else:
        edges = np.append(starts[1], length)
        inner = edges[:-1]
        tiles = MergedTiles(tiles, inner, inner)
    rows = _groups(edges, positions(look.queries, segmentation, "queries"))
    columns = _groups(edges, positions(look.keys, segmentation, "keys"))
    factor = factor_for((rows.stop - rows.start, columns.stop - columns.start), side)
    values, visible = tiles.tile(rows, columns, factor)
    marked = checked_positions(look.highlight, len(trace.tokens), "highlight")
    row_axis, column_axis = (
        Axis.of(
            tokens,
            segmentation,
            trace.prompt_length,
            edges[part],
            int(edges[part.stop]),
            merge=look.merge,
            factor=factor,
            highlight=marked,
        )
        for part in (rows, columns)
    )
    if look.normalize:
        peaks = np.abs(np.where(visible, values, 0)).max(axis=1, keepdims=True)
        values = values / np.where(peaks > 0, peaks, 1)
    cells = np.where(visible, values, np.float32(np.nan)).astype(np.float32)
    return Heatmap(title, cells, kind, row_axis, column_axis, look.normalize)


def _groups(edges: np.ndarray, part: slice) -> slice:
    """The groups that hold any of the positions."""
    first = int(np.searchsorted(edges, part.start, side="right")) - 1
    return slice(first, int(np.searchsorted(edges, part.stop)))


def _sharing(panels: Sequence[Sequence[Heatmap]], look: Look, title: str) -> Heatmaps:
    every = [panel for row in panels for panel in row]
    sizes = [magnitudes(np.nan_to_num(panel.values), panel.kind) for panel in every]
    magnitude = np.concatenate([size.ravel() for size in sizes])
    visible = np.concatenate([np.isfinite(panel.values).ravel() for panel in every])
    limit = look.limit or limit_of(magnitude, visible, look.scale) or 1.0
    clipped = bool((magnitude[visible] > limit).any())
    return Heatmaps(
        tuple(map(tuple, panels)), look.scale, float(limit), clipped, title, look.hide_first
    )


def _several(given: Any, what: str) -> list[Any]:
    # One that is no layer or head is told by the trace, which knows those that are.
    several = list(given) if np.iterable(given) and not isinstance(given, str) else [given]
    if not several:
        raise ValueError(f"no {what} is given: name at least one, {what}=0 for instance")
    return several
