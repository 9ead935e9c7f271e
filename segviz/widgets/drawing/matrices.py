"""Mask and attention as pictures: matrices with segment borders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from segviz.segments import Segmentation
from segviz.widgets import scale
from segviz.widgets.drawing import canvas
from segviz.widgets.drawing.canvas import Dicts
from segviz.widgets.palette import CAUSAL, DECODE, INK, MUTED

if TYPE_CHECKING:
    from segviz.widgets.attention_view import AttentionView

_SCALES = {
    "sqrt": "square root",
    "linear": "linear",
    "log": "logarithmic",
    "clipped": "clipped at the 99th percentile",
}
_PIXELS = 1000  # of a mask's picture on a side: more cells are sampled


def mask_png(segments: Dicts, mask: str, window: int | None, prompt_length: int | None) -> bytes:
    """The mask as PNG."""
    figure = canvas.figure(4.4, 4.6)
    draw_mask(figure.add_axes((0.12, 0.1, 0.85, 0.78)), segments, mask, window, prompt_length)
    return canvas.png(figure)


def attention_png(view: AttentionView) -> bytes | None:
    """What an attention view shows, with its colour bar, as PNG; None where it shows nothing."""
    encoded = view.encoded
    if encoded is None:
        return None
    figure = canvas.figure(4.4, 5.1)
    axes = figure.add_axes((0.12, 0.19, 0.85, 0.7))
    draw_attention(axes, encoded, view.segments, view.prompt_length, view.heading)
    _draw_bar(figure, encoded, view)
    return canvas.png(figure)


def draw_mask(
    axes: Axes, segments: Dicts, mask: str, window: int | None, prompt_length: int | None
) -> None:
    """Draw the mask, what the segments add in their colours."""
    segmentation = Segmentation.from_dict({"segments": segments})
    length = segmentation.length
    side = min(length, _PIXELS)
    positions = (np.arange(side) * length) // side
    query, key = positions[:, None], positions[None, :]
    causal = (key <= query) & (query - key < (window or length))
    image = np.ones((side, side, 3))
    if mask == "segment":
        for index, segment in enumerate(segments):
            if segment["attention"] == "bidirectional":
                inside = (positions >= segment["start"]) & (positions < segment["stop"])
                image[np.ix_(inside, inside)] = to_rgb(canvas.color(index))
    image[causal] = to_rgb(CAUSAL)
    axes.imshow(
        image,
        interpolation="nearest" if length <= 400 else "antialiased",  # noqa: PLR2004 - about the picture's pixels
        extent=(-0.5, length - 0.5, length - 0.5, -0.5),
    )
    _Labels(axes, segments, prompt_length).draw(length, length, f"{mask.capitalize()} mask")


def draw_attention(
    axes: Axes, encoded: scale.Encoded, segments: Dicts, prompt_length: int | None, title: str
) -> None:
    """Draw the heat map."""
    data = encoded.data
    image = scale.table(encoded.kind)[data] / 255
    image[data == scale.MASKED] = 1
    axes.imshow(image, interpolation="nearest")
    labels = _Labels(axes, segments, prompt_length, encoded)
    rows, columns = data.shape
    labels.draw(rows, columns, title or "Attention")


def _draw_bar(figure: Figure, encoded: scale.Encoded, view: AttentionView) -> None:
    """The colours, what their ends are, and how they were made."""
    axes = figure.add_axes((0.12, 0.085, 0.5, 0.022))
    axes.imshow(scale.table(encoded.kind)[None, 1:], aspect="auto")
    axes.set_yticks([])
    end = f"{100 * encoded.maximum:.3g} %" if view.normalize else f"{encoded.maximum:.3g}"
    least = encoded.maximum / 10**scale.DECADES
    least = f"{100 * least:.2g} %" if view.normalize else f"{least:.2g}"
    last = f"≥ {end}" if view.scale == "clipped" else end
    if encoded.kind == "diverging":
        first = f"≤ −{end}" if view.scale == "clipped" else f"−{end}"
        axes.set_xticks([0, 127, 254], [first, "0", last])
    else:
        axes.set_xticks([0, 254], [f"≤ {least}" if view.scale == "log" else "0", last])
    axes.tick_params(labelsize=7, colors=MUTED, length=2)
    for side in axes.spines.values():
        side.set_visible(False)
    notes = [f"{_SCALES[view.scale]} scale"]
    if view.normalize:
        notes.append("of each row's largest")
    if view.merge != "tokens":
        notes.append(f"merged to {view.merge}")
    if view.hide_first:
        notes.append("first token hidden")
    figure.text(0.65, 0.107, "\n".join(notes), size=7, color=MUTED, va="top")


class _Labels:
    """What stands around and on a matrix: axes, segments, where decoding starts.

    Args:
        axes: with the picture, one unit for each cell.
        segments: in token positions.
        prompt_length: where decoding starts.
        encoded: how positions became cells; None: one each.
    """

    def __init__(
        self,
        axes: Axes,
        segments: Dicts,
        prompt_length: int | None,
        encoded: scale.Encoded | None = None,
    ) -> None:
        self._axes = axes
        self._segments = segments
        self._prompt_length = prompt_length
        self._factor = encoded.factor if encoded else 1
        self._starts = encoded.column_starts if encoded else None

    def draw(self, rows: int, columns: int, title: str) -> None:
        """Draw all of it."""
        axes = self._axes
        axes.set_title(canvas.plain(title), loc="left", size=9, color=INK, pad=14, weight="bold")
        axes.set_ylabel("query", size=8, color=MUTED)
        axes.set_xlabel("key", size=8, color=MUTED)
        axes.tick_params(labelsize=7, colors=MUTED, length=2)
        for side in axes.spines.values():
            side.set_color("#d9dde4")
        offset = max(0, columns - rows)
        for index, segment in enumerate(self._segments):
            start, stop = (self._cell(segment[name]) for name in ("start", "stop"))
            if index and segment["start"] != self._prompt_length:
                axes.axvline(start - 0.5, color=INK, linewidth=0.6)
                if start > offset:
                    axes.axhline(start - offset - 0.5, color=INK, linewidth=0.6)
            if stop - start > (0.014 * len(segment["name"]) + 0.005) * columns:
                axes.text(
                    (start + stop) / 2 - 0.5, -0.5 - 0.012 * rows, canvas.plain(segment["name"]),
                    ha="center", va="bottom", size=7, color=canvas.color(index), weight="bold",
                )  # fmt: skip
        prompt = self._prompt_length
        if prompt is not None and self._cell(prompt) < columns:
            at = self._cell(prompt) - 0.5
            axes.axvline(at, color=DECODE, linewidth=1.2, linestyle=(0, (4, 3)))
            if at > offset:
                axes.axhline(at - offset, color=DECODE, linewidth=1.2, linestyle=(0, (4, 3)))

    def _cell(self, position: int) -> float:
        """Where a position is on an axis; a border in a group counts as the group's start."""
        if self._starts is None:
            return position / self._factor
        return int(np.searchsorted(self._starts, position)) / self._factor
