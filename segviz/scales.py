"""Scales: how a number becomes a share of the colours, the same in every view and figure.

Attention is skewed: of 512 keys most get next to nothing. The square root keeps small
probabilities apart, the logarithm those of four powers of ten, and a clipped scale spends its
colours on all but the largest 1 %.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from segviz.palette import Kind

Scale = Literal["sqrt", "linear", "log", "clipped"]
SCALES: tuple[Scale, ...] = get_args(Scale)
SCALE_NAMES: dict[Scale, str] = {
    "sqrt": "square root",
    "linear": "linear",
    "log": "logarithmic",
    "clipped": "clipped at the 99th percentile",
}

DECADES = 4
"""Powers of ten that the logarithmic scale spans."""

CLIP = 99
"""The percentile at which the clipped scale ends."""

ROUNDING = 1e-4
"""A difference below this is drawn as none: two runs never round alike."""


def magnitudes(values: np.ndarray, kind: Kind) -> np.ndarray:
    """What is drawn of numbers, whatever their sign; of differences nothing that is rounding.

    >>> magnitudes(np.array([-0.5, 0.00001]), "diverging").tolist()
    [0.5, 0.0]
    """
    magnitude = np.abs(values, dtype=np.float32)
    if kind == "diverging":
        magnitude[magnitude < ROUNDING] = 0
    return magnitude


def limit_of(magnitude: np.ndarray, visible: np.ndarray, scale: Scale) -> float:
    """Where a scale ends: at the largest visible magnitude, the clipped one below the largest 1 %.

    >>> shown = np.ones(1000, dtype=bool)
    >>> limit_of(np.arange(1000), shown, "linear"), limit_of(np.arange(1000), shown, "clipped")
    (999.0, 989.0)
    """
    largest = float(magnitude.max(initial=0.0, where=visible))
    if scale != "clipped" or not visible.any():
        return largest
    # One of the numbers, and none between two of them.
    return float(np.percentile(magnitude[visible], CLIP, method="inverted_cdf")) or largest


def shares(magnitude: np.ndarray, limit: float, scale: Scale) -> np.ndarray:
    """The share of the colours, 0 to 1.

    >>> shares(np.array([0.0, 0.01, 0.25, 1.0]), 1.0, "sqrt").tolist()
    [0.0, 0.1, 0.5, 1.0]
    >>> shares(np.array([0.0, 0.01, 0.25, 1.0]), 1.0, "log").round(2).tolist()
    [0.0, 0.5, 0.85, 1.0]

    Args:
        magnitude: of any shape, 0 or more.
        limit: the magnitude at which the colours end; larger ones get the last colour.
        scale: one of :data:`SCALES`.
    """
    share = np.minimum(magnitude / (limit or 1.0), 1.0)
    if scale == "sqrt":
        return np.sqrt(share)
    if scale == "log":
        return np.maximum(0.0, 1 + np.log10(np.maximum(share, 1e-9)) / DECADES)
    return share


def values_at(share: np.ndarray, limit: float, scale: Scale) -> np.ndarray:
    """The magnitude that has a share of the colours: the way back from :func:`shares`.

    >>> values_at(np.array([0.0, 0.5, 1.0]), 1.0, "sqrt").tolist()
    [0.0, 0.25, 1.0]
    >>> values_at(np.array([0.0, 0.5, 1.0]), 1.0, "log").tolist()
    [0.0001, 0.01, 1.0]
    """
    if scale == "sqrt":
        return limit * share**2
    if scale == "log":
        return limit * 10.0 ** (DECADES * (share - 1))
    return limit * share
