"""Colours: matplotlib's colormaps as colour scales of plotly, and the bars that explain them.

Plotly maps numbers to colours linearly. A scale (:mod:`segviz.scales`) goes into the stops of the
colour scale and not into the numbers, so that a cell holds what is written beside the pointer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from segviz.palette import COLORMAPS, Kind, luminance
from segviz.scales import ROUNDING, Scale, magnitudes, shares, values_at

_STOPS = 65

Color = tuple[float, float, float]
Colormap = Callable[[np.ndarray], np.ndarray]


def colormap(colors: Any, kind: Kind) -> Colormap:
    """A colormap of matplotlib's by name; the usual one of a kind for None.

    >>> colormap(None, "sequential")(np.array([0.0])).round(2).tolist()
    [[0.27, 0.0, 0.33, 1.0]]

    Raises:
        ValueError: an unknown name.
        TypeError: neither a name nor a colormap.
    """
    if colors is not None and not isinstance(colors, str):
        if not callable(colors):
            raise TypeError(
                f"colors={colors!r}; it is a colormap of matplotlib's, or the name of one"
            )
        return colors  # type: ignore[reportReturnType]
    from matplotlib import colormaps  # noqa: PLC0415 (only for colours, and slow)

    name = colors or COLORMAPS[kind]
    if name not in colormaps:
        raise ValueError(
            f"colors={name!r}; there is no such colormap: 'viridis', 'magma' and 'cividis' are "
            "some for attention, 'PuOr_r' and 'RdBu_r' for differences; any of matplotlib's will do"
        )
    return colormaps[name]


def colormap_pair(colors: Any) -> dict[Kind, Any]:
    """What colours attention and what differences: a pair is both, anything else is the former's.

    >>> colormap_pair(("magma", "RdBu_r"))
    {'sequential': 'magma', 'diverging': 'RdBu_r'}
    >>> colormap_pair("magma")
    {'sequential': 'magma', 'diverging': None}
    """
    if isinstance(colors, tuple | list):
        if len(colors) != 2:  # noqa: PLR2004 (a pair)
            raise ValueError(
                f"colors={colors!r}; it is a colormap, or a pair for attention and for differences"
            )
        return {"sequential": colors[0], "diverging": colors[1]}
    return {"sequential": colors, "diverging": None}


def color_scale(colors: Any, kind: Kind, scale: Scale, limit: float) -> list[tuple[float, str]]:
    """Stops of plotly's ``colorscale`` between 0 (or minus the limit) and the limit.

    >>> stops = color_scale(None, "sequential", "sqrt", 0.5)
    >>> stops[0], stops[32][0], stops[-1]
    ((0.0, '#440154'), 0.25, (1.0, '#fde725'))

    Args:
        colors: as in :func:`colormap`.
        kind: whether numbers run from 0, or from minus the limit.
        scale: how a number becomes a colour.
        limit: where the colours end.
    """
    positive = values_at(np.linspace(0, 1, _STOPS), limit, scale)
    if scale == "log":
        positive = np.concatenate([[0.0], positive])
    if kind == "diverging" and limit > ROUNDING:
        edge = [np.nextafter(np.float32(ROUNDING), np.float32(0)), np.float32(ROUNDING)]
        positive = np.unique(np.concatenate([positive, edge]))
    values = positive if kind == "sequential" else np.concatenate([-positive[:0:-1], positive])
    share = shares(magnitudes(values, kind), limit, scale)
    at = values / limit if kind == "sequential" else (values / limit + 1) / 2
    signed = share if kind == "sequential" else (np.sign(values) * share + 1) / 2
    return list(zip(at.tolist(), hexes(colormap(colors, kind)(signed)), strict=True))


def hexes(rgba: np.ndarray) -> list[str]:
    """Colours as plotly writes them, of floats ``[color, 3 or 4]`` from 0 to 1.

    >>> hexes(np.array([[1, 0.5, 0, 1]]))
    ['#ff8000']
    """
    levels = np.rint(np.asarray(rgba)[:, :3] * 255).astype(int).tolist()
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in levels]


def on_color(rgba: np.ndarray) -> list[str]:
    """Black or white, whichever reads better on each color of floats ``[color, 3 or 4]``.

    >>> on_color(np.array([[0.27, 0.0, 0.33], [0.99, 0.91, 0.14]]))
    ['#ffffff', '#000000']
    """
    light = luminance(np.asarray(rgba)[:, :3])
    # Contrast is the same with both at this luminance: (1.05 / (x + 0.05)) = ((x + 0.05) / 0.05).
    return np.where(light > math.sqrt(1.05 * 0.05) - 0.05, "#000000", "#ffffff").tolist()


def ticks(
    kind: Kind, scale: Scale, limit: float, *, clipped: bool, apart: float = 0.15
) -> tuple[list[float], list[str]]:
    """Nice numbers beside a bar.

    >>> ticks("sequential", "sqrt", 0.5, clipped=False)[1]
    ['0', '0.02', '0.1', '0.2', '0.5']
    >>> ticks("diverging", "linear", 0.3, clipped=True)[1]
    ['≤ −0.3', '−0.2', '−0.1', '0', '0.1', '0.2', '≥ 0.3']

    Args:
        kind: of the numbers.
        scale: of the numbers.
        limit: where the colours end.
        clipped: whether larger numbers are shown.
        apart: least distance between two ticks, as a share of the bar.

    Returns:
        where they are, in shares of the colours (negative ones for negative numbers), and their
        texts.
    """
    if kind == "diverging":
        # Half of the bar is for negative numbers.
        apart = 2 * apart
    values = [limit]
    taken = [1.0]
    if scale != "log":
        # The logarithmic scale never comes to 0.
        values.append(0.0)
        taken.append(0.0)
    else:
        values.append(float(values_at(np.array([0.0]), limit, scale)[0]))
        taken.append(0.0)
    for value in _nice(limit, scale):
        share = float(shares(np.array([value]), limit, scale)[0])
        if all(abs(share - other) + 1e-6 >= apart for other in taken):
            values.append(value)
            taken.append(share)
    order = np.argsort(taken)
    at = [taken[i] for i in order]
    texts = [_number(values[i]) for i in order]
    if scale == "log":
        texts[0] = f"≤ {texts[0]}"
    if kind == "diverging":
        at = [-share for share in at[:0:-1]] + at
        first = "0" if scale != "log" else f"± {_number(values[1])}"
        texts = [f"−{text}" for text in texts[:0:-1]] + [first, *texts[1:]]
        if clipped:
            texts[0] = f"≤ {texts[0]}"
    if clipped:
        texts[-1] = f"≥ {texts[-1]}"
    return at, texts


def _nice(limit: float, scale: Scale) -> list[float]:
    top = math.floor(math.log10(limit))
    if scale == "log":
        return [10.0**power for power in range(top, top - 6, -1)]
    if scale == "sqrt":
        return [
            digit * 10.0**power for power in range(top, top - 3, -1) for digit in (5, 2, 1)
            if digit * 10.0**power < limit
        ]  # fmt: skip
    step = next(
        step
        for power in (top - 1, top)
        for step in (1 * 10.0**power, 2 * 10.0**power, 5 * 10.0**power)
        if limit / step <= 5  # noqa: PLR2004 (intervals that a bar has room for)
    )
    return [step * i for i in range(1, math.ceil(limit / step - 1e-9))]


def _number(value: float) -> str:
    """Two digits that count, and never an exponent.

    >>> _number(0.8734), _number(0.00012), _number(0.5)
    ('0.87', '0.00012', '0.5')
    """
    if value == 0:
        return "0"
    digits = max(0, 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"
