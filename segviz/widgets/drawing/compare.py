"""A comparison as a picture: three patterns, three flows, where the answers part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from segviz.palette import CAUSAL, COLORMAPS, DECODE, INK, MUTED, SEGMENTS
from segviz.scales import SCALE_NAMES
from segviz.widgets.compare_parts import NAMES
from segviz.widgets.drawing import canvas
from segviz.widgets.drawing.canvas import Dicts
from segviz.widgets.drawing.matrices import draw_attention

if TYPE_CHECKING:
    from segviz.widgets.compare_view import CompareView
    from segviz.widgets.scale import Encoded, Scale

_WIDTH = 9.2
_PATTERNS, _PARTING = 3.3, 2.7
_LEAST = 0.005  # less reads as 0.00
_NUMBERS = 8  # segments for whose numbers there is room


def compare_png(view: CompareView) -> bytes:
    """What a compare view shows, as PNG."""
    flows = view.flows.get(view.flow_of)
    heights = [
        _PATTERNS if view.patterns else 0.0,
        1.0 + 0.24 * min(len(view.flow_names), 2 * _NUMBERS) if flows else 0.0,
        _PARTING if view.parting else 0.0,
    ]
    note = 0.3 if view.untuned else 0.0
    height = sum(heights) + note
    figure = canvas.figure(_WIDTH, height)
    if view.untuned:
        figure.text(
            0.02, 1 - 0.1 / height, canvas.plain(view.untuned), va="top", size=7.5, color="#6b4a00"
        )
    tops = height - note - np.cumsum([0.0, *heights])
    if view.patterns:
        boxes = _row(figure, tops[0] - 0.45, _PATTERNS - 0.95, 3, height)
        look = cast("Scale", view.look)  # to type checkers the trait is any str
        pictures = view.patterns.shaded(look, hide_first=view.hide_first)
        for axes, encoded, name in zip(boxes, pictures, NAMES, strict=True):
            title = f"{view.heading}: {name}" if view.heading and axes is boxes[0] else name
            draw_attention(axes, encoded, view.segments, view.prompt_length, title)
        figure.text(
            0.07,
            (tops[1] + 0.08) / height,
            _colors_note(pictures, hidden=view.hide_first, look=look),
            size=7,
            color=MUTED,
        )
    if flows:
        _draw_flows(
            _row(figure, tops[1] - 0.55, heights[1] - 0.75, 3, height), flows, view.flow_names
        )
    if view.parting:
        boxes = _row(figure, tops[2] - 0.4, _PARTING - 0.85, 3, height)
        _draw_likely(boxes[:2], view.parting)
        if view.divergence is None:
            boxes[2].axis("off")
        else:
            _draw_divergence(boxes[2], view.divergence, view.parting, view.segments)
    return canvas.png(figure)


def _colors_note(pictures: list[Encoded], *, hidden: bool, look: Scale) -> str:
    """What the colours of the patterns are."""
    both, change = pictures[0].maximum, pictures[2].maximum
    note = f"probability 0 to {both:.3g}, change −{change:.3g} (purple) to {change:.3g} (orange)"
    return f"{note}, {SCALE_NAMES[look]} scale{', first token hidden' if hidden else ''}"


def _row(figure: Figure, top: float, tall: float, count: int, height: float) -> list[Axes]:
    """Axes side by side; ``top`` and ``tall`` in inches from the bottom."""
    share = 1 / count
    return [
        figure.add_axes((share * i + 0.07, (top - tall) / height, share - 0.09, tall / height))
        for i in range(count)
    ]


def _draw_flows(boxes: list[Axes], flows: tuple[np.ndarray, np.ndarray], names: list[str]) -> None:
    causal, segment = flows
    change = segment - causal
    largest = float(np.abs(change).max()) or 1.0
    pictures = [
        (causal, "Blues", 0.0, 1.8),
        (segment, "Blues", 0.0, 1.8),
        (change, COLORMAPS["diverging"], -1.6 * largest, 1.6 * largest),
    ]
    for axes, (values, colors, low, high), name in zip(boxes, pictures, NAMES, strict=True):
        axes.imshow(values, cmap=colors, vmin=low, vmax=high, aspect="auto")
        axes.set_title(f"mass, {name}", loc="left", size=8.5, color=INK, weight="bold", pad=14)
        few = len(names) <= _NUMBERS
        labels = [canvas.plain(text[:9]) for text in names] if few else []
        axes.set_yticks(range(len(labels)), labels)
        axes.set_xticks(range(len(labels)), labels)
        axes.tick_params(
            length=0, labelsize=6.5, top=True, labeltop=True, bottom=False, labelbottom=False
        )
        for ticks in (axes.get_xticklabels(), axes.get_yticklabels()):
            for index, label in enumerate(ticks):
                label.set_color(canvas.color(index))
        for (query, key), value in np.ndenumerate(values if few else np.zeros((0, 0))):
            text = (
                f"{value:+.2f}"
                if values is change and abs(value) >= _LEAST
                else f"{abs(value):.2f}"
            )
            text = text.replace("-", "−")
            axes.text(key, query, text, ha="center", va="center", size=6.5, color=INK)
        for edge in axes.spines.values():
            edge.set_visible(False)


def _draw_likely(boxes: list[Axes], parting: dict[str, Any]) -> None:
    rows = parting["rows"]
    largest = max([row[mask] or 0.0 for row in rows for mask in ("causal", "segment")], default=1.0)
    for axes, mask, color in zip(boxes, ("causal", "segment"), (MUTED, SEGMENTS[0]), strict=True):
        values = [row[mask] or 0.0 for row in rows]
        axes.barh(range(len(rows)), values, color=color, height=0.7)
        for at, row in enumerate(rows):
            text = "–" if row[mask] is None else f"{row[mask]:.3f}"
            axes.text((row[mask] or 0) + 0.02 * largest, at, text, va="center", size=6.5, color=INK)
        axes.set(xlim=(0, 1.25 * largest or 1), ylim=(max(len(rows), 1) - 0.4, -0.6), xticks=[])
        axes.set_yticks(range(len(rows)), [canvas.plain(row["label"][:12]) for row in rows])
        axes.tick_params(labelsize=7, length=0, colors=INK)
        for edge in axes.spines.values():
            edge.set_visible(False)
        where = f"after position {parting['position']}, {mask} mask"
        axes.set_title(where, loc="left", size=8.5, color=INK, weight="bold")


def _draw_divergence(
    axes: Axes, divergence: np.ndarray, parting: dict[str, Any], segments: Dicts
) -> None:
    axes.bar(range(len(divergence)), divergence, width=1.0, color=SEGMENTS[0])
    axes.axvline(parting["position"], color=DECODE, linewidth=1.2)
    for index, segment in enumerate(segments):
        axes.axvspan(
            segment["start"] - 0.5, segment["stop"] - 0.5, ymax=0.035, color=canvas.color(index)
        )
    axes.set_xlim(-0.5, len(divergence) - 0.5)
    sign = "=" if parting["exact"] else "≥"
    title = f"KL(segment ‖ causal) {sign} {parting['kl']:.2f} nats"
    axes.set_title(title, loc="left", size=8.5, color=INK, weight="bold")
    axes.tick_params(labelsize=6.5, colors=MUTED, length=2)
    for side, edge in axes.spines.items():
        edge.set_visible(side in ("left", "bottom"))
        edge.set_color(CAUSAL)
