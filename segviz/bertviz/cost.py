"""Cost: how much a BertViz view draws and how large its page is, known before any work."""

from __future__ import annotations

import math
from bisect import bisect
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from segviz.bertviz.choice import Choice
from segviz.bertviz.template import ViewKind

if TYPE_CHECKING:
    from segviz.trace import Trace

ELEMENTS = 300_000
"""SVG elements that a view draws at once under ``limit=1``."""
BYTES = 10_000_000
"""The size of a page under ``limit=1``."""

# Measured: a visible number as text takes up to 3.6 bytes of the page, gzipped and in base64; what
# is masked next to nothing; the scripts the rest.
_SCRIPTS = 190_000
_PER_VISIBLE = 3.6
_PER_MASKED = 0.1
_PER_VECTOR_ENTRY = 4.1
_VIEWS = ("head", "model", "neuron")
# Of each query and key: the line, the path, three connectors and two highlights.
_NEURON_CELL = 7
_NEURON_VECTORS = 3


@dataclass(frozen=True)
class Estimate:
    """What a view would cost.

    >>> cost = Estimate("head", drawn=9604, size=205_000)
    >>> print(cost)
    head view: 9,604 SVG elements drawn at once, a page of about 0.2 MB: 0.032 of the limit

    Args:
        view: which of BertViz's views.
        drawn: SVG elements that the browser holds at once.
        size: of the page, in bytes; at most about that, and less the sharper the patterns are.
    """

    view: ViewKind
    drawn: int
    size: int

    @property
    def load(self) -> float:
        """The share of the limit that is needed: a view is refused above ``limit``.

        >>> Estimate("head", drawn=150_000, size=205_000).load
        0.5

        The larger of two shares: of 300,000 SVG elements, and of 10 MB.
        """
        return max(self.drawn / ELEMENTS, self.size / BYTES)

    def __str__(self) -> str:
        return (
            f"{self.view} view: {self.drawn:,} SVG elements drawn at once, a page of about "
            f"{self.size / 1e6:.1f} MB: {self.load:.2g} of the limit"
        )


def estimated(view: ViewKind, trace: Trace, choice: Choice) -> Estimate:
    """The cost of a view, from the shapes and the mask alone."""
    if view not in _VIEWS:
        raise ValueError(f"there is no view {view!r}: allowed are 'head', 'model' and 'neuron'")
    cells = choice.length**2
    heads, layers = len(choice.heads), len(choice.layers)
    size = float(_SCRIPTS)
    for layer in choice.layers:
        visible = _visible(trace, choice, layer)
        size += heads * (_PER_VISIBLE * visible + _PER_MASKED * (cells - visible))
    drawn = heads * cells
    if view == "model":
        drawn *= layers
    if view == "neuron":
        dimension = max(trace.layers[layer].queries.shape[2] for layer in choice.layers)
        drawn = _NEURON_CELL * cells + _NEURON_VECTORS * choice.length * dimension
        group = trace.heads // trace.kv_heads
        vectors = heads + len({head // group for head in choice.heads})
        size += _PER_VECTOR_ENTRY * layers * vectors * choice.length * dimension
    return Estimate(view, drawn, round(size))


def check(view: ViewKind, trace: Trace, choice: Choice, limit: float) -> None:
    """Refuse what no browser draws in a few seconds.

    Raises:
        ValueError: more than ``limit`` times what is stated, with what to do.
    """
    cost = estimated(view, trace, choice)
    if cost.load <= limit:
        return
    fitting = _fitting(view, trace, choice, limit)
    start = choice.positions.start
    fewer = f", or for fewer token positions, such as positions=({start}, {start + fitting})"
    raise ValueError(
        f"the {view} view would draw {cost.drawn:,} SVG elements at once from a page of about "
        f"{cost.size / 1e6:,.1f} MB; the limit is {limit * ELEMENTS:,.0f} elements and "
        f"{limit * BYTES / 1e6:,.0f} MB. Ask for fewer layers or heads{fewer if fitting else ''}; "
        "sv.figures, sv.plots and sv.explore show all of them. To go beyond knowingly: "
        f"limit={math.ceil(10 * cost.load) / 10:g}"
    )


def _fitting(view: ViewKind, trace: Trace, choice: Choice, limit: float) -> int:
    """How many of the token positions are within the limit, 0 if not even one is."""

    def beyond(length: int) -> bool:
        start = choice.positions.start
        fewer = replace(choice, positions=slice(start, start + length))
        return estimated(view, trace, fewer).load > limit

    lengths = range(1, choice.length)
    return bisect(lengths, False, key=beyond)  # noqa: FBT003 (the key's value that is looked for)


def _visible(trace: Trace, choice: Choice, layer: int) -> int:
    spans = trace.key_spans(layer)[choice.positions]
    spans = spans.clip(choice.positions.start, choice.positions.stop)
    return int((spans[:, 1] - spans[:, 0]).sum())
