"""Look: what of a pattern is shown, and how; the arguments that most kinds of figure share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segviz.grouping import MERGES, Merge
from segviz.scales import SCALES, Scale
from segviz.segments import Segmentation

Part = str | tuple[int, int] | None
"""A segment's name, ``(start, stop)`` in token positions, or None for all of them."""


@dataclass(frozen=True, slots=True)
class Look:
    """What of a pattern is shown, and how.

    >>> Look(scale="cubic")
    Traceback (most recent call last):
    ValueError: scale='cubic'; allowed are 'sqrt', 'linear', 'log', 'clipped'

    Args:
        scale: how a number becomes a colour.
        limit: where the colours end; None: at the largest number shown.
        merge: what a row and a column is: a token, a word or a segment.
        hide_first: leave the first token out: it often takes most of the attention.
        queries: which rows to show: a segment's name, or ``(start, stop)`` in token positions.
        keys: which columns, likewise.
        highlight: token positions to mark.
        normalize: each row relative to the largest number shown in it.

    Raises:
        ValueError: an unknown scale or merge, or a limit that is no positive number.
        TypeError: arguments of another type.
    """

    scale: Scale = "sqrt"
    limit: float | None = None
    merge: Merge = "tokens"
    hide_first: bool = False
    queries: Part = None
    keys: Part = None
    highlight: Sequence[int] = ()
    normalize: bool = False

    def __post_init__(self) -> None:
        _check_word("scale", self.scale, SCALES)
        _check_word("merge", self.merge, MERGES)
        limit = self.limit
        if limit is not None and not (is_number(limit) and 0 < limit < math.inf):
            raise ValueError(
                f"limit={limit!r}; it is the number at which the colours end, above 0, or None for "
                "the largest one shown"
            )


def positions(part: Part, segmentation: Segmentation, what: str) -> slice:
    """The token positions of a part.

    >>> from segviz.segments import Segment
    >>> chat = Segmentation([Segment(0, 4, "system"), Segment(4, 9, "user")])
    >>> positions("user", chat, "queries"), positions((2, 6), chat, "keys")
    (slice(4, 9, None), slice(2, 6, None))

    Raises:
        ValueError: no such segment, or positions outside of the sequence.
        TypeError: something else.
    """
    length = segmentation.length
    if part is None:
        return slice(0, length)
    if isinstance(part, str):
        for segment in segmentation.segments:
            if segment.name == part:
                return slice(segment.start, segment.stop)
        names = ", ".join(repr(segment.name) for segment in segmentation.segments)
        raise ValueError(f"{what}={part!r}: there is no such segment; there are {names}")
    try:
        start, stop = (int(at) for at in part)
    except (TypeError, ValueError):
        raise TypeError(
            f"{what}={part!r}; it is a segment's name, or (start, stop) in token positions"
        ) from None
    if not 0 <= start < stop <= length:
        raise ValueError(
            f"{what}={part!r}; a part has at least one token, from 0 to {length} (not included)"
        )
    return slice(start, stop)


def checked_position(position: int, length: int, what: str) -> int:
    """A token position, counted from the end if negative.

    >>> checked_position(-1, 5, "query")
    4

    Raises:
        IndexError: no such position.
    """
    try:
        return range(length)[position]
    except IndexError:
        raise IndexError(
            f"{what} is {position}; allowed are the token positions 0 to {length - 1}"
        ) from None
    except TypeError:
        raise TypeError(f"{what} is a token position, not {position!r}") from None


def checked_positions(given: Any, length: int, what: str) -> list[int]:
    """Several token positions, each as :func:`checked_position` has it.

    >>> checked_positions(5, 9, "highlight")
    Traceback (most recent call last):
    TypeError: highlight=5; it is several token positions: for one, highlight=[5]

    Raises:
        TypeError: not several, or none that are positions.
        IndexError: no such position.
    """
    if not np.iterable(given) or isinstance(given, str):
        one = given if isinstance(given, int | np.integer) else 0
        raise TypeError(f"{what}={given!r}; it is several token positions: for one, {what}=[{one}]")
    return [checked_position(at, length, what) for at in given]


def _check_word(name: str, value: Any, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{name}={value!r}; allowed are {', '.join(map(repr, allowed))}")


def is_number(value: Any) -> bool:
    """Whether it can be compared with numbers."""
    return isinstance(value, int | float) or hasattr(value, "__float__")
