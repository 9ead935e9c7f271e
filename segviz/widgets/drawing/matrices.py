"""Mask and attention as pictures: matrices with segment borders."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from segviz.masks import causal_mask, segment_mask
from segviz.segments import Segmentation
from segviz.widgets import scale
from segviz.widgets.drawing import canvas
from segviz.widgets.drawing.canvas import Dicts
from segviz.widgets.palette import CAUSAL, DECODE, INK, MUTED


def mask_png(segments: Dicts, mask: str, window: int | None, prompt_length: int | None) -> bytes:
    """The mask as PNG."""
    figure = canvas.figure(4.4, 4.6)
    draw_mask(figure.add_axes((0.12, 0.1, 0.85, 0.78)), segments, mask, window, prompt_length)
    return canvas.png(figure)


def attention_png(
    encoded: scale.Encoded, segments: Dicts, prompt_length: int | None, title: str
) -> bytes:
    """The heat map as PNG."""
    figure = canvas.figure(4.4, 4.6)
    axes = figure.add_axes((0.12, 0.1, 0.85, 0.78))
    draw_attention(axes, encoded, segments, prompt_length, title)
    return canvas.png(figure)


def draw_mask(
    axes: Axes, segments: Dicts, mask: str, window: int | None, prompt_length: int | None
) -> None:
    """Draw the mask, what the segments add in their colours."""
    segmentation = Segmentation.from_dict({"segments": segments})
    length = segmentation.length
    image = np.ones((length, length, 3))
    if mask == "segment":
        visible = segment_mask(segmentation, window=window)
        for index, segment in enumerate(segments):
            rows = np.s_[segment["start"] : segment["stop"]]
            image[rows][visible[rows]] = to_rgb(canvas.color(index))
    image[causal_mask(length, window=window)] = to_rgb(CAUSAL)
    axes.imshow(image, interpolation="nearest" if length <= 400 else "antialiased")  # noqa: PLR2004 - about the picture's pixels
    _finish(axes, segments, length, length, 1, prompt_length, f"{mask.capitalize()} mask")


def draw_attention(
    axes: Axes, encoded: scale.Encoded, segments: Dicts, prompt_length: int | None, title: str
) -> None:
    """Draw the heat map."""
    data = encoded.data
    image = scale.table(encoded.kind)[data] / 255
    image[data == scale.MASKED] = 1
    axes.imshow(image, interpolation="nearest")
    rows, columns = data.shape
    _finish(axes, segments, rows, columns, encoded.factor, prompt_length, title or "Attention")


def _finish(
    axes: Axes,
    segments: Dicts,
    rows: int,
    columns: int,
    factor: int,
    prompt_length: int | None,
    title: str,
) -> None:
    offset = max(0, columns - rows)
    axes.set_title(canvas.plain(title), loc="left", size=9, color=INK, pad=14, weight="bold")
    axes.set_ylabel("query", size=8, color=MUTED)
    axes.set_xlabel("key", size=8, color=MUTED)
    axes.tick_params(labelsize=7, colors=MUTED, length=2)
    for side in axes.spines.values():
        side.set_color("#d9dde4")
    for index, segment in enumerate(segments):
        start, stop = (segment[name] / factor for name in ("start", "stop"))
        if index and segment["start"] != prompt_length:
            axes.axvline(start - 0.5, color=INK, linewidth=0.6)
            if start > offset:
                axes.axhline(start - offset - 0.5, color=INK, linewidth=0.6)
        if stop - start > (0.014 * len(segment["name"]) + 0.005) * columns:
            axes.text(
                (start + stop) / 2 - 0.5, -0.5 - 0.012 * rows, canvas.plain(segment["name"]),
                ha="center", va="bottom", size=7, color=canvas.color(index), weight="bold",
            )  # fmt: skip
    if prompt_length is not None and prompt_length / factor < columns:
        at = prompt_length / factor - 0.5
        axes.axvline(at, color=DECODE, linewidth=1.2, linestyle=(0, (4, 3)))
        if at > offset:
            axes.axhline(at - offset, color=DECODE, linewidth=1.2, linestyle=(0, (4, 3)))
