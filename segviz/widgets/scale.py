"""Scale: attention as one byte per cell, in square-root scale, with a colour for each byte.

Byte 0 is a masked cell, whatever the scale. Sequential data use 1 (zero) to 255 (the maximum);
diverging data 1 (minus the maximum) over 128 (zero) to 255. On the square-root scale small
probabilities keep their differences: 512 keys in linear bytes would be 0 almost everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import numpy as np

from segviz.tiles import pooled

Kind = Literal["sequential", "diverging"]
KINDS: tuple[Kind, ...] = get_args(Kind)
COLORMAPS: dict[Kind, str] = {"sequential": "viridis", "diverging": "coolwarm"}
MASKED = 0
MAX_SIDE = 1024
_ZERO = {"sequential": 1, "diverging": 128}


@dataclass(frozen=True)
class Encoded:
    """Bytes ``[query, key]`` with what is needed to read them."""

    data: np.ndarray
    kind: Kind
    maximum: float
    factor: int


def encode(
    values: np.ndarray,
    *,
    kind: Kind = "sequential",
    mask: np.ndarray | None = None,
    maximum: float | None = None,
) -> Encoded:
    """An array as bytes; larger ones than 1024 a side are pooled to their largest cells.

    >>> encode(np.array([[1.0, 0.0], [0.25, 0.75]]), mask=np.array([[1, 0], [1, 1]], bool)).data
    array([[255,   0],
           [128, 221]], dtype=uint8)
    >>> encode(np.array([[-1.0, 0.0, 0.25]]), kind="diverging").data
    array([[  1, 128, 192]], dtype=uint8)

    Args:
        values: ``[query, key]``.
        kind: ``"sequential"`` (0 and up) or ``"diverging"`` (around 0).
        mask: bool ``[query, key]``, True = may attend.
        maximum: the value of byte 255; the largest visible one unless given.
    """
    factor = max(1, -(-max(values.shape) // MAX_SIDE))
    visible = np.ones(values.shape, bool) if mask is None else mask.astype(bool)
    values, visible = pooled(values, visible, factor)
    if maximum is None:
        maximum = float(np.abs(values).max(initial=0.0, where=visible))
    span = 254 if kind == "sequential" else 127
    magnitude = np.sqrt(np.minimum(np.abs(values) / (maximum or 1.0), 1.0))
    signed = magnitude if kind == "sequential" else np.sign(values) * magnitude
    data = (_ZERO[kind] + np.round(span * signed)).astype(np.uint8)
    data[~visible] = MASKED
    return Encoded(data, kind, maximum, factor)


@cache
def table(kind: Kind) -> np.ndarray:
    """uint8 ``[256, 3]``: the colour of each byte; entry 0 (masked) is never drawn.

    >>> table("sequential").shape
    (256, 3)
    """
    from matplotlib import colormaps  # noqa: PLC0415 - heavy, and only here for its colours

    positions = np.clip((np.arange(256) - 1) / 254, 0, 1)
    return np.round(colormaps[COLORMAPS[kind]](positions)[:, :3] * 255).astype(np.uint8)
