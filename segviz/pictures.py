"""Pictures: PNG files that a saved notebook can carry without growing heavy."""

from __future__ import annotations

import io

from PIL import Image


def reduced(picture: Image.Image, colors: int, share: float = 1.0) -> bytes:
    """A picture as PNG with so many colours, and with a share of its pixels on a side.

    >>> reduced(Image.new("RGB", (40, 20), "white"), 16, share=0.5)[1:4]
    b'PNG'

    Few colours hardly show in a drawing, and take a fraction of the bytes.
    """
    size = (round(picture.width * share), round(picture.height * share))
    # One step of k-means keeps the colours of large areas as they are.
    quantized = picture.resize(size).quantize(
        colors, method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE
    )
    buffer = io.BytesIO()
    quantized.save(buffer, format="png", optimize=True)
    return buffer.getvalue()
