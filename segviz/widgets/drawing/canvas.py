"""What every picture shares: the figure, its size as a file, colours, text as data."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from segviz.palette import SEGMENTS
from segviz.pictures import reduced

Dicts = Sequence[Mapping[str, Any]]
DPI = 110
"""Pixels to an inch of a picture."""
# Bytes of a picture, which is saved with the notebook: lighter ones keep all their colours, and
# heavier ones not even their pixels.
_LIGHT, _LIMIT = 20_000, 90_000
# Share of the pixels on a side, and colours. Few colours are harder to see than few pixels to read.
_STEPS = ((1.0, 256), (1.0, 96), (1.0, 48), (0.7, 96), (0.5, 96))


def figure(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    empty = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(empty)
    return empty


def png(figure: Figure) -> bytes:
    """A figure as PNG, small enough to be saved with a notebook."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        figure.savefig(buffer, format="png")
    if buffer.tell() <= _LIGHT:
        return buffer.getvalue()
    return _smaller(Image.open(buffer).convert("RGB"))


def _smaller(picture: Image.Image) -> bytes:
    """The picture with fewer colours, which hardly shows, and with fewer pixels while too large."""
    data = b""
    for share, colors in _STEPS:
        data = reduced(picture, colors, share)
        if len(data) <= _LIMIT:
            break
    return data


def color(index: int) -> str:
    """A segment's colour."""
    return SEGMENTS[index % len(SEGMENTS)]


def tint(full: str, share: float) -> tuple[float, ...]:
    """A colour mixed with white."""
    return tuple(1 - share * (1 - part) for part in to_rgb(full))


def shade(full: str) -> tuple[float, ...]:
    """A colour mixed with black: for text, which has to be read."""
    return tuple(0.62 * part for part in to_rgb(full))


def plain(text: str) -> str:
    """Text as data: matplotlib would read dollar signs as mathematics."""
    return text.replace("$", r"\$")
