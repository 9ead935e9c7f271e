"""Palette: the colours of segments, masks and numbers, the same in every view and figure.

Those of the light theme are in ``widgets/static/base.css``, too (a test compares them).
Neighbouring colours differ in hue and lightness for readers with any kind of colour vision.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

SEGMENTS = ("#4477aa", "#e08214", "#1b9e77", "#aa3377", "#4db3d9", "#b5a522")
CAUSAL = "#c9ced8"
DECODE = "#c2185b"
INK = "#1f2430"
MUTED = "#5b6472"

Kind = Literal["sequential", "diverging"]
"""Numbers from 0 up, or around 0."""
KINDS: tuple[Kind, ...] = get_args(Kind)

COLORMAPS: dict[Kind, str] = {"sequential": "viridis", "diverging": "PuOr_r"}
"""Matplotlib's names. Viridis only grows lighter; of the diverging one the negative end (purple) is
clearly darker than the positive one (orange), so that both can be told in greyscale."""


def segment_color(index: int) -> str:
    """The colour of the segment with that number; they begin again behind the last one.

    >>> segment_color(0) == segment_color(len(SEGMENTS))
    True
    """
    return SEGMENTS[index % len(SEGMENTS)]


def luminance(rgb: np.ndarray) -> np.ndarray:
    """How light colours are to the eye, 0 (black) to 1 (white), as WCAG 2 defines it.

    >>> luminance(np.array([[0, 0, 0], [1, 1, 1]])).round(6).tolist()
    [0.0, 1.0]

    Args:
        rgb: sRGB, float ``[…, 3]`` from 0 to 1.
    """
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 (sRGB)
    return linear @ np.array([0.2126, 0.7152, 0.0722])
