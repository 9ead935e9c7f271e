"""Mask and attention as pictures: matrices with segment borders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from segviz.palette import CAUSAL, DECODE, INK, MUTED
from segviz.scales import DECADES, SCALE_NAMES
from segviz.segments import Segmentation
from segviz.widgets import scale
from segviz.widgets.drawing import canvas
from segviz.widgets.drawing.canvas import Dicts

if TYPE_CHECKING:
    from segviz.widgets.attention_view import AttentionView

_BAR = 15  # pixels: how thick the segments beside a matrix are
_PIXELS = 1000  # of a mask's picture on a side: more cells are sampled


def mask_png(segments: Dicts, mask: str, window: int | None, prompt_length: int | None) -> bytes:
    """The mask as PNG."""
    figure = canvas.figure(4.4, 4.9)
    draw_mask(figure.add_axes((0.12, 0.15, 0.85, 0.735)), segments, mask, window, prompt_length)
    return canvas.png(figure)


def attention_png(view: AttentionView) -> bytes | None:
    """What an attention view shows, with its colour bar, as PNG; None where it shows nothing."""
    encoded = view.encoded
    if encoded is None:
        return None
    figure = canvas.figure(4.4, 5.1)
    axes = figure.add_axes((0.12, 0.19, 0.85, 0.7))
    draw_attention(axes, encoded, view.segments, view.prompt_length, view.heading)
    draw_bar(figure.add_axes((0.12, 0.085, 0.5, 0.022)), encoded, view)
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
    _write_legend(axes, segments, mask, prompt_length)


def _write_legend(axes: Axes, segments: Dicts, mask: str, prompt_length: int | None) -> None:
    entries: list[tuple[Patch | Line2D, str]] = [(Patch(color=CAUSAL), "causal")]
    added = [
        (segment["stop"] - segment["start"], canvas.color(index))
        for index, segment in enumerate(segments)
        if segment["attention"] == "bidirectional"
    ]
    if mask == "segment" and added:
        # In the colour that is seen most of.
        entries.insert(0, (Patch(color=max(added)[1]), "added by the segment mask"))
    entries.append((Patch(facecolor="white", edgecolor="#d9dde4"), "masked"))
    if prompt_length is not None and prompt_length < segments[-1]["stop"]:
        entries.append((Line2D([], [], color=DECODE, linestyle="--"), "decoding starts"))
    handles, names = zip(*entries, strict=True)
    axes.legend(
        handles, names, loc="upper left", bbox_to_anchor=(-0.12, -0.11), ncols=4, frameon=False,
        fontsize=7, labelcolor=MUTED, handlelength=1.3, columnspacing=0.8, borderaxespad=0,
    )  # fmt: skip


def draw_attention(
    axes: Axes, encoded: scale.Encoded, segments: Dicts, prompt_length: int | None, title: str
) -> None:
    """Draw the heat map; masked cells are hatched, as on the page."""
    data = encoded.data
    image = np.ones((*data.shape, 4))
    image[..., :3] = scale.table(encoded.kind)[data] / 255
    image[data == scale.MASKED] = 0
    axes.patch.set(facecolor="white", hatch="/" * 6, edgecolor="#e3e6eb", linewidth=0)
    axes.imshow(image, interpolation="nearest")
    labels = _Labels(axes, segments, prompt_length, encoded)
    rows, columns = data.shape
    labels.draw(rows, columns, title or "Attention")


def draw_bar(axes: Axes, encoded: scale.Encoded, view: AttentionView) -> None:
    """The colours, what their ends are, and how they were made."""
    axes.imshow(scale.table(encoded.kind)[None, 1:], aspect="auto")
    axes.set_yticks([])
    end = f"{100 * encoded.maximum:.3g} %" if view.normalize else f"{encoded.maximum:.3g}"
    least = encoded.maximum / 10**DECADES
    least = f"{100 * least:.2g} %" if view.normalize else f"{least:.2g}"
    last = f"≥ {end}" if view.scale == "clipped" else end
    if encoded.kind == "diverging":
        first = f"≤ −{end}" if view.scale == "clipped" else f"−{end}"
        axes.set_xticks([0, 127, 254], [first, "0", last])
    else:
        axes.set_xticks([0, 254], [f"≤ {least}" if view.scale == "log" else "0", last])
    axes.tick_params(labelsize=7, colors=MUTED, length=2)
    least_label, *_, last_label = axes.get_xticklabels()
    least_label.set_horizontalalignment("left")
    last_label.set_horizontalalignment("right")  # clear of the notes beside it
    for side in axes.spines.values():
        side.set_visible(False)
    notes = [f"{SCALE_NAMES[view.scale]} scale"]
    if view.normalize:
        notes.append("of each row's largest")
    if view.merge != "tokens":
        notes.append(f"merged to {view.merge}")
    if view.hide_first:
        notes.append("first token hidden")
    axes.text(1.06, 1, "\n".join(notes), size=7, color=MUTED, va="top", transform=axes.transAxes)


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
        axes.set_title(canvas.plain(title), loc="left", size=9, color=INK, pad=18, weight="bold")
        axes.set_ylabel("query", size=8, color=MUTED)
        axes.set_xlabel("key", size=8, color=MUTED)
        axes.tick_params(labelsize=7, colors=MUTED, length=2)
        axes.tick_params(axis="y", length=0, pad=12)
        for side in axes.spines.values():
            side.set_color("#d9dde4")
        offset = max(0, columns - rows)
        for index, segment in enumerate(self._segments):
            start, stop = (self._cell(segment[name]) for name in ("start", "stop"))
            if index and segment["start"] != self._prompt_length:
                self._line(start - 0.5, offset, color=INK, linewidth=0.6)
            name = segment["name"]
            room = (stop - start) / columns > 0.014 * len(name) + 0.005
            self._bar(index, start - 0.5, stop - 0.5, name if room else "")
            if stop > offset:
                self._bar(index, max(0, start - offset) - 0.5, stop - offset - 0.5, None)
        prompt = self._prompt_length
        if prompt is not None and self._cell(prompt) < columns:
            dashes = (0, (4, 3))
            at = self._cell(prompt) - 0.5
            self._line(at, offset, color=DECODE, linewidth=1.2, linestyle=dashes)
        axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))

    def _line(self, at: float, offset: float, *, linewidth: float, **style: Any) -> None:
        """A border across and down, with white around it: it is seen on whatever is below."""
        for width, look in ((linewidth + 1, {"color": "white", "alpha": 0.75}), (linewidth, style)):
            self._axes.axvline(at, linewidth=width, **look)
            if at > offset - 0.5:
                self._axes.axhline(at - offset, linewidth=width, **look)

    def _bar(self, index: int, start: float, stop: float, name: str | None) -> None:
        """A segment beside the matrix: above it with its name, or (None) at its left."""
        axes, color = self._axes, canvas.color(index)
        above = name is not None
        move = axes.get_xaxis_transform() if above else axes.get_yaxis_transform()
        thickness = _BAR / axes.bbox.height
        for near, far, share in ((1, 1 + thickness, 0.26), (1, 1 + thickness / 6, 1)):
            side = near if above else 1 - far
            long, thick = stop - start, far - near
            x, y, width, height = (
                (start, side, long, thick) if above else (side, start, thick, long)
            )
            axes.add_patch(
                Rectangle(
                    (x, y), width, height, transform=move, clip_on=False, linewidth=0,
                    color=canvas.tint(color, share),
                )
            )  # fmt: skip
        if name:
            axes.text(
                (start + stop) / 2, 1 + 0.58 * thickness, canvas.plain(name), transform=move,
                ha="center", va="center", size=6.5, color=canvas.shade(color), weight="bold",
            )  # fmt: skip

    def _cell(self, position: int) -> float:
        """Where a position is on an axis; a border in a group counts as the group's start."""
        if self._starts is None:
            return position / self._factor
        return int(np.searchsorted(self._starts, position)) / self._factor
