"""Scale: attention as one byte per cell, and a colour for each byte.

Byte 0 is a masked cell, whatever the scale. Sequential data use 1 (zero) to 255 (the maximum);
diverging data 1 (minus the maximum) over 128 (zero) to 255. On the square-root scale small
probabilities keep their differences: 512 keys in linear bytes would be 0 almost everywhere.
What goes to the page is finer still for what is small, since the reader chooses the scale there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from segviz.palette import COLORMAPS, KINDS, Kind
from segviz.scales import SCALES, Scale, limit_of, magnitudes, shares

__all__ = [
    "KINDS",
    "MASKED",
    "SCALES",
    "Encoded",
    "Kind",
    "Scale",
    "fine",
    "packed",
    "shaded",
    "table",
]

MASKED = 0
_ZERO = {"sequential": 1, "diverging": 128}


@dataclass(frozen=True)
class Encoded:
    """Bytes ``[query, key]`` with what is needed to read them."""

    data: np.ndarray
    kind: Kind
    maximum: float
    factor: int
    row_starts: np.ndarray | None = None
    """First query of each row where rows are words or segments."""
    column_starts: np.ndarray | None = None
    """First key of each column, likewise."""


def fine(
    values: np.ndarray, visible: np.ndarray, kind: Kind, maximum: float | None = None
) -> tuple[np.ndarray, float]:
    """Bytes from which the page draws any of the scales: the fourth root of |value| / maximum.

    >>> fine(np.array([[1.0, 0.0], [0.0625, 0.5]]), np.tri(2, dtype=bool), "sequential")
    (array([[255,   0],
           [128, 215]], dtype=uint8), 1.0)

    A byte is off by at most 0.8 % of the maximum (1.6 % where data diverge), and far less for
    small values: at 1 % of the maximum by 0.025 % of it (0.05 %), which is what the logarithmic
    scale and a hidden first token need.

    Args:
        values: ``[query, key]``.
        visible: bool of the same shape; what is not visible becomes byte 0.
        kind: ``"sequential"`` (0 and up) or ``"diverging"`` (around 0).
        maximum: the value of byte 255; the largest visible magnitude unless given.

    Returns:
        uint8 ``[query, key]`` and the maximum.
    """
    magnitude = magnitudes(values, kind)
    if maximum is None:
        maximum = float(magnitude.max(initial=0.0, where=visible))
    root = np.sqrt(np.sqrt(np.minimum(magnitude / (maximum or 1.0), 1.0)))
    span = 254 if kind == "sequential" else 127
    signed = root if kind == "sequential" else np.copysign(root, values)
    data = (_ZERO[kind] + np.rint(span * signed)).astype(np.uint8)
    data[~visible] = MASKED
    return data, maximum


def packed(data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bytes without the masked ends of each row: half of a causal pattern.

    >>> spans, rest = packed(np.array([[0, 7, 0, 9, 0], [0, 0, 0, 0, 0]], np.uint8))
    >>> spans.tolist(), rest.tolist()
    ([[1, 4], [0, 0]], [7, 0, 9])

    Returns:
        uint16 ``[row, 2]``, from which column up to which one there are bytes; and these.
    """
    seen = data != MASKED
    columns = data.shape[1]
    some = seen.any(axis=1)
    first = np.where(some, seen.argmax(axis=1), 0)
    stop = np.where(some, columns - seen[:, ::-1].argmax(axis=1), 0)
    spans = np.stack([first, stop], axis=1)
    at = np.arange(columns)
    return spans.astype(np.uint16), data[(at >= spans[:, :1]) & (at < spans[:, 1:])]


def shaded(
    values: np.ndarray,
    visible: np.ndarray,
    *,
    kind: Kind,
    scale: Scale = "sqrt",
    maximum: float | None = None,
    normalize: bool = False,
) -> tuple[np.ndarray, float]:
    """The colour of each cell as a byte into :func:`table`, under any of the scales.

    >>> shaded(np.array([[1.0, 0.0], [0.01, 0.5]]), np.tri(2, dtype=bool), kind="sequential",
    ...        scale="log")
    (array([[255,   0],
           [128, 236]], dtype=uint8), 1.0)

    Args:
        values: ``[query, key]``.
        visible: bool of the same shape; what is not visible becomes byte 0.
        kind: ``"sequential"`` or ``"diverging"``.
        scale: square root, linear, logarithm over four decades, or linear up to the 99th
            percentile of the visible magnitudes.
        maximum: the value of the last colour; the largest visible magnitude unless given.
        normalize: each row relative to its own largest magnitude.

    Returns:
        uint8 ``[query, key]``, and the value of the last colour (a share if normalised).
    """
    magnitude = np.where(visible, magnitudes(values, kind), np.float32(0))
    limit = limit_of(magnitude, visible, "linear") if maximum is None else maximum
    if normalize:
        peaks = magnitude.max(axis=1, keepdims=True)
        magnitude, limit = magnitude / np.where(peaks > 0, peaks, 1.0), 1.0
    if scale == "clipped" and visible.any():
        limit = limit_of(magnitude, visible, scale) or limit
    share = shares(magnitude, limit, scale)
    span = 254 if kind == "sequential" else 127
    signed = share if kind == "sequential" else np.copysign(share, values)
    data = (_ZERO[kind] + np.rint(span * signed)).astype(np.uint8)
    data[~visible] = MASKED
    return data, limit


@cache
def table(kind: Kind) -> np.ndarray:
    """uint8 ``[256, 3]``: the colour of each byte; entry 0 (masked) is never drawn.

    >>> table("sequential").shape
    (256, 3)
    """
    from matplotlib import colormaps  # noqa: PLC0415 - heavy, and only here for its colours

    positions = np.clip((np.arange(256) - 1) / 254, 0, 1)
    return np.round(colormaps[COLORMAPS[kind]](positions)[:, :3] * 255).astype(np.uint8)
