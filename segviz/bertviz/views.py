"""Views: BertViz's head, model and neuron view of a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segviz.bertviz import contents, cost
from segviz.bertviz.choice import Choice, Numbers, choose
from segviz.bertviz.cost import Estimate
from segviz.bertviz.page import Page, page
from segviz.bertviz.template import ViewKind, template
from segviz.labels import UNTUNED_SHORT

if TYPE_CHECKING:
    from segviz.trace import Trace


def head_view(
    trace: Trace,
    layers: Numbers = None,
    heads: Numbers = None,
    *,
    positions: tuple[int, int] | None = None,
    limit: float = 1,
) -> Page:
    """BertViz's head view: lines from queries (left) to keys (right), one layer at a time.

    >>> import segviz as sv
    >>> trace = sv.load().trace(sv.examples["chain"], max_new_tokens=4)
    >>> sv.bertviz.head_view(trace, layers=1, heads=[0, 2])
    <BertViz head view of tiny-llama: layer 1, heads 0 and 2, 41 tokens>

    A line's opacity is the attention divided by the number of heads that are switched on. The
    squares switch heads on and off; BertViz colours them in their order, and here each has the
    head's number in it. Segments stand beside the queries.

    Args:
        trace: prompt and generated tokens are shown.
        layers: one, several or None for all; negative from the last one.
        heads: query heads, likewise. No other pattern is computed.
        positions: ``(start, stop)``: only these token positions, as queries and as keys. Their
            attention is that of the whole run, so rows need not sum to 1. ``(1, n)`` leaves out the
            first of n, on which many heads rest.
        limit: how much of a load is allowed. 1 stands for 300,000 SVG elements drawn at once and a
            page of 10 MB, which a browser draws within seconds on a small computer; see
            :func:`estimate`.

    Returns:
        a page that a notebook shows, and that can be saved for places that show no frames in
        notebooks, such as GitHub; its numbers are those of ``trace.attention`` to within 0.00005.

    Raises:
        IndexError, TypeError: no such layer, head or position.
        ValueError: more than the limit; no layer or head at all, or positions that hold none.
        RuntimeError: a BertViz of a version that is not known here.
    """
    return _view("head", trace, choose(trace, layers, heads, positions), limit)


def model_view(
    trace: Trace,
    layers: Numbers = None,
    heads: Numbers = None,
    *,
    positions: tuple[int, int] | None = None,
    limit: float = 1,
) -> Page:
    """BertViz's model view: all chosen heads of all chosen layers at once; a click enlarges one.

    >>> import segviz as sv
    >>> trace = sv.load().trace(sv.examples["chain"], max_new_tokens=4)
    >>> sv.bertviz.model_view(trace)
    <BertViz model view of tiny-llama: layers 0 to 2, heads 0 to 3, 41 tokens>

    It draws every cell of every head at once, so its limit is reached first.

    Args:
        trace: as for :func:`head_view`.
        layers: likewise.
        heads: likewise.
        positions: likewise.
        limit: likewise.

    Returns:
        a page, likewise.

    Raises:
        IndexError, TypeError, ValueError, RuntimeError: likewise.
    """
    return _view("model", trace, choose(trace, layers, heads, positions), limit)


def neuron_view(
    trace: Trace,
    layers: Numbers = None,
    heads: Numbers = None,
    *,
    positions: tuple[int, int] | None = None,
    limit: float = 1,
) -> Page:
    """BertViz's neuron view: how queries and keys, dimension by dimension, make the attention.

    >>> import segviz as sv
    >>> trace = sv.load().trace(sv.examples["chain"], max_new_tokens=4)
    >>> sv.bertviz.neuron_view(trace, layers=1, heads=0)
    <BertViz neuron view of tiny-llama: layer 1, head 0, 41 tokens>

    Queries and keys are those that were captured, after the rotary embedding; under grouped-query
    attention the keys are those of the head's KV head. Products of a query with keys that the mask
    hides from it are not shown. Point at a token, and press the plus beside it.

    Args:
        trace: as for :func:`head_view`.
        layers: likewise.
        heads: likewise.
        positions: likewise.
        limit: likewise.

    Returns:
        a page, likewise; its queries and keys are within 0.00005 of those captured.

    Raises:
        IndexError, TypeError, RuntimeError: as for :func:`head_view`.
        ValueError: as for :func:`head_view`; or layers that scale ``q·k`` by anything but one over
            the square root of the head's dimension, which BertViz takes for granted.
    """
    choice = choose(trace, layers, heads, positions)
    contents.check_products(trace, choice)
    return _view("neuron", trace, choice, limit)


def estimate(
    trace: Trace,
    layers: Numbers = None,
    heads: Numbers = None,
    *,
    view: ViewKind = "head",
    positions: tuple[int, int] | None = None,
) -> Estimate:
    """What a view would cost, before any pattern is computed.

    >>> import segviz as sv
    >>> trace = sv.load().trace(sv.examples["chain"], max_new_tokens=4)
    >>> cost = sv.bertviz.estimate(trace, view="model")
    >>> cost.drawn == 3 * 4 * len(trace.tokens) ** 2, cost.load < 1
    (True, True)

    Args:
        trace: as for the view.
        layers: likewise.
        heads: likewise.
        view: ``"head"``, ``"model"`` or ``"neuron"``.
        positions: likewise.

    Raises:
        IndexError, TypeError, ValueError: as for :func:`head_view`; ValueError also: no such view.
    """
    return cost.estimated(view, trace, choose(trace, layers, heads, positions))


def _view(view: ViewKind, trace: Trace, choice: Choice, limit: float) -> Page:
    cost.check(view, trace, choice, limit)
    made = template(view, choice)
    words = contents.words(trace, choice)
    short = [contents.shortened(word, view) for word in words]
    made.shown.update(attn=contents.attention(trace, choice), left_text=short, right_text=short)
    facts: dict[str, Any] = {
        "view": view,
        "layers": choice.layers,
        "heads": choice.heads,
        "labels": words,
        "segments": [
            {"start": one.start, "stop": one.stop, "name": one.name}
            for one in choice.segments(trace)
        ],
        "kvHeads": None,
        "spans": None,
    }
    if view == "model":
        made.params["total_heads"] = max(len(choice.heads), _COLUMNS)
    if view == "neuron":
        captured = contents.queries_and_keys(trace, choice)
        facts |= {"kvHeads": captured.pop("kvHeads"), "spans": contents.spans(trace, choice)}
        made.shown.update(captured)
        # Otherwise the view hides all keys behind the query; frame.js hides what the mask does.
        made.params["bidirectional"] = True
    title = f"BertViz {view} view of {trace.recipe.get('model', 'a model')}: {_named(choice)}"
    return page(made, facts, title, _caption(trace, choice), _height(view, choice, made.params))


_COLUMNS = 8
# Pixels of a row and of what is above and below, in BertViz's scripts.
_ROW = {"head": 22.5, "model": 18, "neuron": 26}
_AROUND = 150


def _height(view: ViewKind, choice: Choice, params: dict[str, Any]) -> int:
    rows = choice.length * _ROW[view]
    if view == "model":
        grid = len(choice.layers) * (10 + choice.length * 7 * 12 / params["total_heads"])
        rows = max(grid, rows)
    return round(rows + _AROUND)


def _named(choice: Choice) -> str:
    tokens = f"{choice.length} token" + ("s" if choice.length > 1 else "")
    return f"{_listed('layer', choice.layers)}, {_listed('head', choice.heads)}, {tokens}"


def _listed(what: str, numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"{what} {numbers[0]}"
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):  # noqa: PLR2004 (two are named)
        return f"{what}s {numbers[0]} to {numbers[-1]}"
    return f"{what}s {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def _caption(trace: Trace, choice: Choice) -> str:
    parts = [str(trace.recipe.get("model", "")), f"{trace.mask_kind} mask"]
    if trace.untuned:
        parts.append(UNTUNED_SHORT)
    if choice.length < len(trace.tokens):
        first, stop = choice.positions.start, choice.positions.stop
        parts.append(
            f"token positions {first} to {stop - 1} of {len(trace.tokens)}; attention to the "
            "others is not shown"
        )
    return " · ".join(filter(None, parts))
