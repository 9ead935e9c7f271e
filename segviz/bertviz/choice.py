"""Choice: the layers, query heads and token positions of a trace that a view shows."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segviz.checks import checked_index
from segviz.segments import Segment

if TYPE_CHECKING:
    from segviz.trace import Trace

Numbers = int | Iterable[int] | None
"""One, several, or all."""


@dataclass(frozen=True)
class Choice:
    """What a view shows of a trace.

    >>> import segviz as sv
    >>> trace = sv.load().trace(sv.examples["chain"])
    >>> choice = choose(trace, layers=-1, heads=[3, 0], positions=(2, 8))
    >>> choice.layers, choice.heads, choice.length
    ([2], [3, 0], 6)

    Args:
        layers: 0-based.
        heads: query heads, 0-based.
        positions: token positions, both as queries and as keys.
    """

    layers: list[int]
    heads: list[int]
    positions: slice

    @property
    def length(self) -> int:
        """Number of token positions."""
        return self.positions.stop - self.positions.start

    def segments(self, trace: Trace) -> list[Segment]:
        """The segments in sight, counted from the first position shown.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> [(s.start, s.stop, s.name) for s in choose(trace, 0, 0, (6, 10)).segments(trace)]
        [(0, 2, 'system'), (2, 4, 'user')]
        """
        first, stop = self.positions.start, self.positions.stop
        return [
            Segment(
                max(segment.start, first) - first,
                min(segment.stop, stop) - first,
                segment.name,
                segment.attention,
            )
            for segment in trace.segmentation.segments
            if segment.start < stop and segment.stop > first
        ]


def choose(
    trace: Trace, layers: Numbers, heads: Numbers, positions: tuple[int, int] | None
) -> Choice:
    """A choice with every number checked.

    Args:
        trace: what there is.
        layers: one, several (in this order, each once) or None for all; negative from the last.
        heads: query heads, likewise.
        positions: ``(start, stop)``, half-open; None: all.

    Raises:
        IndexError: no such layer, head or token position.
        TypeError: no trace, or what is no integer.
        ValueError: no layer or head at all, or positions that are no span.
    """
    try:
        captured, count, length = trace.layers, trace.heads, len(trace.tokens)
    except AttributeError:
        raise TypeError(
            f"BertViz draws one Trace, and got a {type(trace).__name__}: model.trace(…) gives one; "
            "of a Comparison take comparison.causal or comparison.segment"
        ) from None
    return Choice(
        _numbers(layers, len(captured), "layer"),
        _numbers(heads, count, "head"),
        _span(positions, length),
    )


def _numbers(asked: Numbers, count: int, what: str) -> list[int]:
    if asked is None:
        return list(range(count))
    if isinstance(asked, str):
        raise TypeError(f"{what}s are integers, not {asked!r}: allowed are 0 to {count - 1}")
    wanted = asked if isinstance(asked, Iterable) else [asked]
    numbers = list(dict.fromkeys(checked_index(one, count, what) for one in wanted))
    if not numbers:
        raise ValueError(f"no {what} is asked for: name some of 0 to {count - 1}, or None for all")
    return numbers


def _span(positions: tuple[int, int] | None, length: int) -> slice:
    if positions is None:
        return slice(0, length)
    try:
        start, stop = map(operator.index, positions)
    except (TypeError, ValueError):
        raise TypeError(f"positions are (start, stop), not {positions!r}") from None
    if not 0 <= start < stop:
        raise ValueError(
            f"positions are ({start}, {stop}), which holds none: start is at least 0, and stop is "
            "the position behind the last one shown"
        )
    if stop > length:
        raise IndexError(
            f"positions are ({start}, {stop}); the trace has {length} tokens: stop is at most that"
        )
    return slice(start, stop)
