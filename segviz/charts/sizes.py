"""Sizes: widths by name, and numbers that are checked, the same for figures and plots."""

from __future__ import annotations

import math
from typing import Any

WIDTHS: dict[str, float] = {"column": 3.25, "text": 6.75, "slide": 10.0}
"""Inches: a column and the text of a two-column paper (ICML and most others within a few per
cent), and the text of a slide 13.3 inches wide."""

_NARROWEST, _WIDEST = 1.0, 60.0
_SMALLEST, _LARGEST = 1, 200


def inches(width: str | float, *, also: str = "") -> float:
    """A width by its name, or as a number of inches.

    >>> inches("text"), inches(4)
    (6.75, 4.0)

    Args:
        width: the name or the number.
        also: what else is allowed, for the error.

    Raises:
        ValueError: an unknown name, or a width that nothing has.
        TypeError: neither a name nor a number.
    """
    if isinstance(width, str):
        if width not in WIDTHS:
            names = ", ".join(map(repr, WIDTHS))
            rest = f", a number of inches, {also}" if also else " and a number of inches"
            raise ValueError(f"width={width!r}; allowed are {names}{rest}")
        return WIDTHS[width]
    return _checked(width, "width", "inches", _NARROWEST, _WIDEST)


def points(font_size: float) -> float:
    """The size of a text.

    >>> points(9)
    9.0

    Raises:
        ValueError: a size that no text has.
        TypeError: no number.
    """
    return _checked(font_size, "font_size", "points", _SMALLEST, _LARGEST)


def _checked(value: Any, name: str, unit: str, least: float, most: float) -> float:
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"{name}={value!r}; it is a number of {unit}")
    number = float(value)
    if not (math.isfinite(number) and least <= number <= most):
        raise ValueError(f"{name}={value!r}; allowed are {least:g} to {most:g} {unit}")
    return number
