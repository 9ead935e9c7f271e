"""Kinds: the figures one can make, each a function that takes a trace or a comparison.

Every token has its label, without its leading space, where the text can be 5 points large (in
proportion where ``font_size`` is another); elsewhere there are round token positions and the
highlighted tokens. Names of segments that have no room are shortened, or else left out. Cells are
square, so a page is no taller than 9 inches, one wider than 8 inches no taller than 0.6 of that.

More than 1,024 tokens on a side are pooled: the largest of each block is shown, and the axis says
so.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from segviz import charts
from segviz.charts import Look, Part
from segviz.charts.arguments import explained
from segviz.figures.drawing.arcs import draw_arcs
from segviz.figures.drawing.flow import draw_flow
from segviz.figures.drawing.heatmaps import draw_heatmaps
from segviz.figures.drawing.mask import draw_mask
from segviz.figures.drawing.mosaic import draw_mosaic
from segviz.figures.drawing.text import draw_text
from segviz.figures.paper import Style
from segviz.figures.recipes import Keep
from segviz.figures.sheet import Sheet
from segviz.grouping import Merge
from segviz.scales import Scale

if TYPE_CHECKING:
    from segviz.comparison import Comparison
    from segviz.patterns import Head
    from segviz.segments import Segmentation
    from segviz.trace import Trace

_WIDTH = '``"column"`` (3.25 inches), ``"text"`` (6.75), ``"slide"`` (10), or inches'
_explained = partial(
    explained,
    width=f"{_WIDTH}.",
    style='``"paper"``, ``"slides"`` or ``"notebook"``: sizes of text and lines. What you have set '
    "in matplotlib's ``rcParams`` is respected and never changed.",
    font_size="in points, whatever the width; None: that of the style.",
    ax="matplotlib axes to draw into; the figure is then yours, its fonts and metadata, too.",
    recipe='``"full"``, or ``"no-text"`` to keep tokens and token ids out of the file\'s metadata.',
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
    width: str | float = "column",
    style: Style = "paper",
    font_size: float | None = None,
    ax: Any = None,
    recipe: Keep = "full",
) -> Figure:
    """The mask: what a causal mask shows, and in colour what each segment adds.

    >>> import segviz as sv
    >>> figure = sv.figures.mask(sv.load().trace(sv.examples["chain"]))
    >>> float(figure.get_figwidth())
    3.25

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
    sheet = Sheet.of("mask", trace, dict(locals()))
    chart = charts.mask(trace, layer, queries=queries, keys=keys, highlight=highlight)
    with sheet.drawing():
        return draw_mask(chart, sheet)


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
    width: str | float = "column",
    style: Style = "paper",
    font_size: float | None = None,
    ax: Any = None,
    recipe: Keep = "full",
) -> Figure:
    """The attention pattern of one head, or of several as a grid.

    >>> import segviz as sv
    >>> trace = sv.load().trace(sv.examples["chain"], max_new_tokens=4)
    >>> figure = sv.figures.attention(trace, layer=1, head=0, queries="user")
    >>> grid = sv.figures.attention(trace, layer=[0, 1], head=[0, 1, 2], width="text")

    Args:
        trace: what a run left behind, or a comparison: segment minus causal.
        layer: 0-based, or negative from the last one; several become rows of the grid.
        head: a query head, likewise, ``"mean"`` or ``"max"``; several become columns.

    Raises:
        IndexError: no such layer, head or token position.
        TypeError: no trace or comparison; an argument of another type.
        ValueError: a value that an argument cannot have; the sentence says what is allowed.
    """
    sheet = Sheet.of("attention", trace, dict(locals()))
    look = Look(scale, limit, merge, hide_first, queries, keys, highlight, normalize)
    chart = charts.attention(trace, layer, head, look)
    with sheet.drawing():
        return draw_heatmaps(chart, sheet)


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
    width: str | float = "text",
    style: Style = "paper",
    font_size: float | None = None,
    ax: Any = None,
    recipe: Keep = "full",
) -> Figure:
    """One head under the causal mask, under the segment mask, and the difference.

    >>> import segviz as sv
    >>> compared = sv.compare(sv.load(), sv.examples["chain"])
    >>> figure = sv.figures.comparison(compared, layer=1, head=0)

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
    sheet = Sheet.of("comparison", comparison, dict(locals()))
    look = Look(scale, limit, merge, hide_first, queries, keys, highlight, normalize)
    chart = charts.comparison(comparison, layer, head, look)
    with sheet.drawing():
        return draw_heatmaps(chart, sheet)


@_explained()
def heads(
    trace: Trace | Comparison,
    layers: int | Sequence[int] | None = None,
    *,
    scale: Scale = "sqrt",
    limit: float | None = None,
    title: str | None = None,
    colors: Any = None,
    width: str | float = "column",
    style: Style = "paper",
    font_size: float | None = None,
    ax: Any = None,
    recipe: Keep = "full",
) -> Figure:
    """All heads of all layers in one mosaic, or the differences of all heads.

    >>> import segviz as sv
    >>> figure = sv.figures.heads(sv.load().trace(sv.examples["chain"]))

    Args:
        trace: what a run left behind, or a comparison.
        layers: which; None: all.

    Raises:
        IndexError: no such layer.
        TypeError: no trace or comparison; an argument of another type.
        ValueError: a value that an argument cannot have; the sentence says what is allowed.
    """
    sheet = Sheet.of("heads", trace, dict(locals()))
    chart = charts.heads(trace, layers, scale=scale, limit=limit)
    with sheet.drawing():
        return draw_mosaic(chart, sheet)


@_explained(colors=_BOTH, width=f'{_WIDTH}; None: "column", of a comparison "text".')
def flow(
    trace: Trace | Comparison,
    layer: int | None = None,
    head: int | None = None,
    *,
    title: str | None = None,
    colors: Any = None,
    width: str | float | None = None,
    style: Style = "paper",
    font_size: float | None = None,
    ax: Any = None,
    recipe: Keep = "full",
) -> Figure:
    """How much attention each segment gives to each, with numbers.

    >>> import segviz as sv
    >>> figure = sv.figures.flow(sv.load().trace(sv.examples["chain"]), layer=1)

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
    chart = charts.flow(trace, layer, head)
    width = width or ("column" if len(chart.values) == 1 else "text")
    arguments = {name: value for name, value in locals().items() if name != "chart"}
    sheet = Sheet.of("flow", trace, arguments)
    with sheet.drawing():
        return draw_flow(chart, sheet)


@_explained()
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
    width: str | float = "text",
    style: Style = "paper",
    font_size: float | None = None,
    ax: Any = None,
    recipe: Keep = "full",
) -> Figure:
    """The text with its segments, shaded by what one token attends to.

    >>> import segviz as sv
    >>> trace = sv.load().trace(sv.examples["chain"], max_new_tokens=4)
    >>> figure = sv.figures.tokens(trace, layer=2, head=0, hide_first=True)

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
    sheet = Sheet.of("tokens", trace, dict(locals()))
    chart = charts.tokens(
        trace, layer, head,
        query=query, scale=scale, limit=limit, hide_first=hide_first, keys=keys,
    )  # fmt: skip
    with sheet.drawing():
        return draw_text(chart, sheet)


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
    width: str | float = "column",
    style: Style = "paper",
    font_size: float | None = None,
    ax: Any = None,
    recipe: Keep = "full",
) -> Figure:
    """Lines from each query to the keys it attends to, as in BertViz's head view.

    >>> import segviz as sv
    >>> trace = sv.load().trace(sv.examples["chain"])
    >>> figure = sv.figures.arcs(trace, layer=1, head=[0, 3], hide_first=True)

    A line's opacity is the probability over ``limit``.

    Args:
        trace: what a run left behind.
        layer: 0-based, or negative from the last one.
        head: a query head, likewise, ``"mean"`` or ``"max"``; several get a colour each.
        least: the probability from which a line is drawn. There are 2,000 lines at most, the
            strongest; the figure says from which probability on.

    Raises:
        IndexError: no such layer, head or token position.
        TypeError: no trace; an argument of another type.
        ValueError: a value that an argument cannot have; the sentence says what is allowed.
    """
    sheet = Sheet.of("arcs", trace, dict(locals()))
    look = Look("linear", limit, merge, hide_first, queries, keys, highlight)
    chart = charts.arcs(trace, layer, head, look, least=least)
    with sheet.drawing():
        return draw_arcs(chart, sheet)
