"""Kinds: the plots one can make, each a function that takes a trace or a comparison.

They are plotly figures: zoom by dragging (all panels of a plot follow), double-click to go back,
point at a cell to read both tokens and the exact number. ``write_html("plot.html")`` makes a page
that needs no network.

More than 1,024 tokens on a side are pooled: the largest of each block is shown, and the axis says
so. A cell takes 4 bytes, in a page 5.3: of 1,024 tokens a pattern takes 5.6 MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from segviz import charts
from segviz.charts import Look, Part
from segviz.charts.arguments import explained
from segviz.grouping import Merge
from segviz.labels import UNTUNED_SHORT
from segviz.plots.arcs import draw_arcs
from segviz.plots.flow import draw_flow
from segviz.plots.heatmaps import draw_heatmaps
from segviz.plots.mask import draw_mask
from segviz.plots.mosaic import draw_mosaic, size_of
from segviz.plots.page import Page, Themes
from segviz.plots.text import draw_text
from segviz.scales import Scale

if TYPE_CHECKING:
    from segviz.comparison import Comparison
    from segviz.patterns import Head
    from segviz.segments import Segmentation
    from segviz.trace import Trace

_WIDTH = (
    '``"column"`` (3.25 inches), ``"text"`` (6.75), ``"slide"`` (10), or inches, of 96 pixels each'
)
_explained = partial(
    explained,
    width=f"{_WIDTH}; None: as wide as its place.",
    font_size="in points; None: 9.",
    theme='``"light"``, ``"dark"``, or ``"auto"``, which has no background, and grey text that can '
    "be read on white and on black.",
)
_BOTH = "a matplotlib colormap, or its name; or a pair, for attention and for differences."


@_explained()
def mask(
    trace: Trace | Segmentation,
    layer: int | None = None,
    *,
    queries: Part = None,
    keys: Part = None,
    highlight: Sequence[int] = (),
    title: str | None = None,
    width: str | float | None = None,
    font_size: float | None = None,
    theme: Themes = "auto",
) -> go.Figure:
    """The mask: what a causal mask shows, and in colour what each segment adds.

    >>> import segviz as sv
    >>> plot = sv.plots.mask(sv.load().trace(sv.examples["chain"]))
    >>> [trace.name for trace in plot.data]
    ['causal', 'added by system', 'added by user']

    The rule is ``mask[q, k] = (k <= q) or (block[q] == block[k] != -1)`` (Katz et al., arXiv
    2412.18487).

    Args:
        trace: the mask that was in force in a run, or that of a segmentation.
        layer: which layer; None where all layers share one mask.

    Raises:
        IndexError: no such layer or token position.
        TypeError: no trace or segmentation; an argument of another type.
        ValueError: a value that an argument cannot have; the sentence says what is allowed. No
            layer where the layers differ (sliding windows), or one of a segmentation.
    """
    page = Page.of(width, font_size, theme)
    chart = charts.mask(trace, layer, queries=queries, keys=keys, highlight=highlight)
    return draw_mask(chart, page, title, _border_note(chart.rows, chart.columns))


@_explained()
def attention(
    trace: Trace | Comparison,
    layer: int | Sequence[int],
    head: Head | Sequence[Head],
    *,
    scale: Scale = "sqrt",
    limit: float | None = None,
    merge: Merge = "tokens",
    hide_first: bool = False,
    normalize: bool = False,
    queries: Part = None,
    keys: Part = None,
    highlight: Sequence[int] = (),
    title: str | None = None,
    colors: Any = None,
    width: str | float | None = None,
    font_size: float | None = None,
    theme: Themes = "auto",
) -> go.Figure:
    """The attention pattern of one head, or of several as a grid.

    >>> import segviz as sv
    >>> trace = sv.load().trace(sv.examples["chain"], max_new_tokens=4)
    >>> plot = sv.plots.attention(trace, layer=1, head=0, queries="user")
    >>> grid = sv.plots.attention(trace, layer=[0, 1], head=[0, 1, 2], width="text")

    ``plot.data[0].z`` holds the probabilities, NaN where masked.

    Args:
        trace: what a run left behind, or a comparison: segment minus causal.
        layer: 0-based, or negative from the last one; several become rows of the grid.
        head: a query head, likewise, ``"mean"`` or ``"max"``; several become columns.

    Raises:
        IndexError: no such layer, head or token position.
        TypeError: no trace or comparison; an argument of another type.
        ValueError: a value that an argument cannot have; the sentence says what is allowed.
    """
    page = Page.of(width, font_size, theme)
    look = Look(scale, limit, merge, hide_first, queries, keys, highlight, normalize)
    chart = charts.attention(trace, layer, head, look)
    first = chart.panels[0][0]
    notes = [*_untuned(charts.run_of(trace)), *_border_note(first.rows, first.columns)]
    return draw_heatmaps(chart, page, title, colors, notes)


@_explained(colors=_BOTH)
def comparison(
    comparison: Comparison,
    layer: int,
    head: Head,
    *,
    scale: Scale = "sqrt",
    limit: float | None = None,
    merge: Merge = "tokens",
    hide_first: bool = False,
    normalize: bool = False,
    queries: Part = None,
    keys: Part = None,
    highlight: Sequence[int] = (),
    title: str | None = None,
    colors: Any = None,
    width: str | float | None = None,
    font_size: float | None = None,
    theme: Themes = "auto",
) -> go.Figure:
    """One head under the causal mask, under the segment mask, and the difference.

    >>> import segviz as sv
    >>> compared = sv.compare(sv.load(), sv.examples["chain"])
    >>> plot = sv.plots.comparison(compared, layer=1, head=0)

    The colours of all three end at the same number.

    Args:
        comparison: both runs.
        layer: 0-based, or negative from the last one.
        head: a query head, likewise, or ``"mean"`` or ``"max"``.

    Raises:
        IndexError: no such layer, head or token position.
        TypeError: no comparison; an argument of another type.
        ValueError: a value that an argument cannot have; the sentence says what is allowed.
    """
    page = Page.of(width, font_size, theme)
    look = Look(scale, limit, merge, hide_first, queries, keys, highlight, normalize)
    chart = charts.comparison(comparison, layer, head, look)
    first = chart.panels[0][0]
    notes = [*_untuned(comparison.segment), *_border_note(first.rows, first.columns)]
    return draw_heatmaps(chart, page, title, colors, notes)


@_explained()
def heads(
    trace: Trace | Comparison,
    layers: int | Sequence[int] | None = None,
    *,
    scale: Scale = "sqrt",
    limit: float | None = None,
    title: str | None = None,
    colors: Any = None,
    width: str | float | None = None,
    font_size: float | None = None,
    theme: Themes = "auto",
) -> go.Figure:
    """All heads of all layers in one mosaic, or the differences of all heads.

    >>> import segviz as sv
    >>> plot = sv.plots.heads(sv.load().trace(sv.examples["chain"]))

    Its numbers are rounded, to a 255th of the square root's range.

    Args:
        trace: what a run left behind, or a comparison.
        layers: which; None: all.

    Raises:
        IndexError: no such layer.
        TypeError: no trace or comparison; an argument of another type.
        ValueError: a value that an argument cannot have; the sentence says what is allowed.
    """
    page = Page.of(width, font_size, theme)
    run = charts.run_of(trace)
    count = len(run.layers) if layers is None else np.size(layers)
    size = size_of(count, run.heads)
    chart = charts.heads(trace, layers, scale=scale, limit=limit, size=size)
    return draw_mosaic(chart, page, title, colors, _untuned(run))


@_explained(colors=_BOTH)
def flow(
    trace: Trace | Comparison,
    layer: int | None = None,
    head: int | None = None,
    *,
    title: str | None = None,
    colors: Any = None,
    width: str | float | None = None,
    font_size: float | None = None,
    theme: Themes = "auto",
) -> go.Figure:
    """How much attention each segment gives to each, with numbers.

    >>> import segviz as sv
    >>> plot = sv.plots.flow(sv.load().trace(sv.examples["chain"]), layer=1)

    A row sums to 1. Of a comparison there are three: causal, segment, segment minus causal.

    Args:
        trace: what a run left behind, or a comparison.
        layer: one layer; None: the mean over all.
        head: one query head; None: the mean over all.

    Raises:
        IndexError: no such layer or head.
        TypeError: no trace or comparison; an argument of another type.
        ValueError: a value that an argument cannot have; the sentence says what is allowed.
    """
    page = Page.of(width, font_size, theme)
    chart = charts.flow(trace, layer, head)
    return draw_flow(chart, page, title, colors, _untuned(charts.run_of(trace)))


@_explained(width=f"{_WIDTH}; None: 760 pixels.")
def tokens(
    trace: Trace,
    layer: int | None = None,
    head: Head | None = None,
    *,
    query: int | None = None,
    scale: Scale = "sqrt",
    limit: float | None = None,
    hide_first: bool = False,
    keys: Part = None,
    title: str | None = None,
    colors: Any = None,
    width: str | float | None = None,
    font_size: float | None = None,
    theme: Themes = "auto",
) -> go.Figure:
    """The text with its segments, shaded by what one token attends to.

    >>> import segviz as sv
    >>> trace = sv.load().trace(sv.examples["chain"], max_new_tokens=4)
    >>> plot = sv.plots.tokens(trace, layer=2, head=0, hide_first=True)

    Lines are broken for ``width``, and not anew in another place.

    Args:
        trace: what a run left behind.
        layer: whose attention; None: the segments alone.
        head: whose attention; None: the mean over the heads of the layer.
        query: the token position that attends; None: the last one of the prompt, which expects the
            first token of the answer.

    Raises:
        IndexError: no such layer, head or token position.
        TypeError: no trace; an argument of another type.
        ValueError: a value that an argument cannot have; the sentence says what is allowed. A head
            or a query without a layer.
    """
    page = Page.of(width, font_size, theme)
    chart = charts.tokens(
        trace, layer, head,
        query=query, scale=scale, limit=limit, hide_first=hide_first, keys=keys,
    )  # fmt: skip
    notes = [] if layer is None else _untuned(trace)
    return draw_text(chart, page, title, colors, notes)


@_explained()
def arcs(
    trace: Trace,
    layer: int,
    head: Head | Sequence[Head],
    *,
    least: float = 0.02,
    limit: float | None = None,
    merge: Merge = "tokens",
    hide_first: bool = False,
    queries: Part = None,
    keys: Part = None,
    highlight: Sequence[int] = (),
    title: str | None = None,
    width: str | float | None = None,
    font_size: float | None = None,
    theme: Themes = "auto",
) -> go.Figure:
    """Lines from each query to the keys it attends to, as in BertViz's head view.

    >>> import segviz as sv
    >>> trace = sv.load().trace(sv.examples["chain"])
    >>> plot = sv.plots.arcs(trace, layer=1, head=[0, 3], hide_first=True)

    A line's opacity is the probability over ``limit``, in eighths.

    Args:
        trace: what a run left behind.
        layer: 0-based, or negative from the last one.
        head: a query head, likewise, ``"mean"`` or ``"max"``; several get a colour each.
        least: the probability from which a line is drawn. There are 2,000 lines at most, the
            strongest; the plot says from which probability on.

    Raises:
        IndexError: no such layer, head or token position.
        TypeError: no trace; an argument of another type.
        ValueError: a value that an argument cannot have; the sentence says what is allowed.
    """
    page = Page.of(width, font_size, theme)
    look = Look("linear", limit, merge, hide_first, queries, keys, highlight)
    chart = charts.arcs(trace, layer, head, look, least=least)
    return draw_arcs(chart, page, title, _untuned(trace))


def _untuned(trace: Trace) -> list[str]:
    return [UNTUNED_SHORT] if trace.untuned else []


def _border_note(*axes: charts.Axis) -> list[str]:
    return ["dashed: decoding starts"] if any(axis.border is not None for axis in axes) else []
