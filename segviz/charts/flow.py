"""Flow: how much attention the segments give to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from segviz.charts.naming import DIFFERENCE, noted, run_of, what_of
from segviz.palette import Kind

if TYPE_CHECKING:
    from segviz.comparison import Comparison
    from segviz.trace import Trace


UNITS: dict[Kind, str] = {"sequential": "mean attention mass", "diverging": "change in mass"}
"""What the numbers are."""


@dataclass(frozen=True, eq=False, slots=True)
class Flows:
    """Mean attention mass from query segment to key segment, one or three matrices.

    Args:
        titles: of each matrix.
        values: of each float32 ``[query segment, key segment]``; NaN where nothing is visible.
        kinds: of each ``"sequential"`` or ``"diverging"``.
        names: of the segments.
        what: which layer and head, in words.
    """

    titles: tuple[str, ...]
    values: tuple[np.ndarray, ...]
    kinds: tuple[Kind, ...]
    names: tuple[str, ...]
    what: str

    @property
    def limit(self) -> float:
        """Where the colours of all of them end, so that a change is as dark as what it changes."""
        return max(float(np.nanmax(np.abs(one), initial=0.0)) for one in self.values) or 1.0


def flow(of: Trace | Comparison, layer: int | None = None, head: int | None = None) -> Flows:
    """The flow of a run; of a comparison the flows under both masks, and the difference.

    >>> import segviz as sv
    >>> chart = flow(sv.load().trace(sv.examples["chain"]), layer=1)
    >>> chart.names, chart.values[0].shape
    (('bos', 'system', 'user', 'assistant'), (4, 4))

    Args:
        of: a trace or a comparison.
        layer: one layer, or None for the mean over all.
        head: one query head, or None for the mean over all.

    Raises:
        IndexError: no such layer or head.
    """
    trace = run_of(of)
    if trace is of:
        values = _seen(trace, layer, trace.flow(layer, head))
        return Flows(
            (what_of(of),), (values,), ("sequential",), _names(trace), _what(trace, layer, head)
        )
    both: tuple[Trace, Trace] = (of.causal, trace)  # type: ignore[reportAttributeAccessIssue]
    # One of the runs may lack the response: over the segments that both have.
    shared = min(len(one.segmentation.segments) for one in both)
    causal, segment = (_shared(_seen(one, layer, one.flow(layer, head)), shared) for one in both)
    change = np.nan_to_num(segment) - np.nan_to_num(causal)
    change[np.isnan(segment) & np.isnan(causal)] = np.nan
    return Flows(
        ("causal mask", "segment mask", DIFFERENCE),
        (causal, segment, change),
        ("sequential", "sequential", "diverging"),
        _names(trace)[:shared],
        noted(_what(trace, layer, head), trace),
    )


def _shared(values: np.ndarray, count: int) -> np.ndarray:
    return values[:count, :count]


def _seen(trace: Trace, layer: int | None, flow: np.ndarray) -> np.ndarray:
    """The flow with NaN where no query of the segment sees any key of the other, in any layer."""
    stops = np.array([segment.stop for segment in trace.segmentation.segments])
    starts = np.array([segment.start for segment in trace.segmentation.segments])
    seen = np.zeros(flow.shape, dtype=bool)
    for number in range(len(trace.layers)) if layer is None else (layer,):
        # The spans of a segment's queries touch: together they are one, from the first's to the
        # last's. Under a sliding window it begins behind the first token.
        spans = trace.key_spans(number)
        seen |= (starts < spans[stops - 1, 1, None]) & (stops > spans[starts, 0, None])
    return np.where(seen, flow, np.float32(np.nan))


def _names(trace: Trace) -> tuple[str, ...]:
    return tuple(segment.name for segment in trace.segmentation.segments)


def _what(trace: Trace, layer: int | None, head: int | None) -> str:
    if layer is None and head is None:
        return "mean over all heads"
    at = "all layers" if layer is None else f"layer {range(len(trace.layers))[layer]}"
    return f"{at}, " + ("mean of heads" if head is None else f"head {range(trace.heads)[head]}")
