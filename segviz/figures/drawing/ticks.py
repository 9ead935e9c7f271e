"""Ticks: the numbers written at a bar of colours, as many as have room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.ticker import MaxNLocator

from segviz.figures.drawing.colors import Colors
from segviz.figures.drawing.points import Ruler
from segviz.scales import DECADES

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MINUS = "−"
# From here down 10⁻⁴ is easier to read than 0.0001.
_SMALL = 1e-3
_ROUNDING = 1e-6
_FEWEST = 2


def number(value: float) -> str:
    """A number as short as it can be.

    >>> number(0.05), number(-0.5), number(0.0001)
    ('0.05', '−0.5', '10⁻⁴')
    """
    sign = _MINUS if value < 0 else ""
    value = abs(value)
    if 0 < value < _SMALL:
        mantissa, exponent = f"{value:.0e}".split("e")
        power = "10" + str(int(exponent)).translate(_SUPERSCRIPT)
        return sign + (power if mantissa == "1" else f"{mantissa}·{power}")
    return f"{sign}{value:.6g}"


def fitting(colors: Colors, ruler: Ruler, width: float, size: float) -> list[tuple[float, str]]:
    """Places on a bar of a width in points, and the numbers there; none touches another."""
    length = width / (1 - colors.range["vmin"])
    room = ruler.width("0", size)
    kept: list[_Tick] = []
    if colors.clipped:
        kept += _ticks(colors, [colors.limit], ruler, length, size, beyond=True)
    steps = _steps(colors)
    if steps is not None:
        # All of a row of equal steps, or of a coarser one.
        for several in steps:
            more = _ticks(colors, several, ruler, length, size)
            if len(several) <= _FEWEST or _is_free([*kept, *more], room):
                kept = [*kept, *(one for one in more if _is_free([*kept, one], room))]
                break
    else:
        for value in _telling(colors.limit):
            more = _ticks(colors, [value], ruler, length, size)
            if _is_free([*kept, *more], room):
                kept += more
    return sorted((one.place, one.text) for one in kept)


@dataclass(frozen=True, slots=True)
class _Tick:
    place: float
    at: float
    width: float
    text: str


def _ticks(
    colors: Colors,
    values: Sequence[float],
    ruler: Ruler,
    length: float,
    size: float,
    *,
    beyond: bool = False,
) -> list[_Tick]:
    """Numbers, on both sides of 0 where they have a sign.

    Args:
        colors: which bar.
        values: 0 or more.
        ruler: measures them.
        length: of the bar from 0 to the limit.
        size: of the numbers.
        beyond: whether they stand for all beyond them, too.
    """
    ticks = []
    for value in values:
        for signed in (value, -value) if colors.kind == "diverging" and value else (value,):
            sign = "≤" if signed < 0 else "≥"
            text = (
                sign + number(math.copysign(_rounded(value), signed)) if beyond else number(signed)
            )
            place = float(colors.places(np.array([signed], np.float32))[0])
            ticks.append(_Tick(place, place * length, ruler.width(text, size), text))
    return ticks


def _is_free(ticks: Sequence[_Tick], room: float) -> bool:
    """Whether none touches another."""
    ordered = sorted(ticks, key=lambda one: one.at)
    return all(
        after.at - one.at >= (one.width + after.width) / 2 + room
        for one, after in pairwise(ordered)
    )


def _steps(colors: Colors) -> list[list[float]] | None:
    """Rows of numbers at equal distances, ever fewer; None where none are."""
    limit = colors.limit
    if colors.scale == "sqrt":
        return None
    if colors.scale == "log":
        top = math.floor(math.log10(limit) + _ROUNDING)
        powers = [10.0**power for power in range(top, top - DECADES - 1, -1)]
        least = limit * 10.0**-DECADES
        powers = [one for one in powers if one * (1 + _ROUNDING) >= least]
        # A share of 0 is any number up to the least one, on both sides where they have a sign.
        powers = [one for one in powers if colors.kind != "diverging" or one > least * 1.5]
        return [powers[::step] for step in (1, 2, 4)]
    return [
        [float(one) for one in MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(0, limit)
         if one <= limit * (1 + _ROUNDING)]
        for most in (5, 4, 3, 2, 1)
    ]  # fmt: skip


def _telling(limit: float) -> list[float]:
    """Round numbers up to a limit, the most telling first."""
    top = math.floor(math.log10(limit) + _ROUNDING)
    powers = [10.0**power for power in range(top, top - 3, -1)]
    several = [0.0, *(factor * one for factor in (1, 5, 2) for one in powers)]
    return [float(f"{one:.6g}") for one in several if one <= limit * (1 + _ROUNDING)]


def _rounded(value: float) -> float:
    """Two digits, rounded down, so that what is said to lie beyond does."""
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.floor(value / step + _ROUNDING) * step
