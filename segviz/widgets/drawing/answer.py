"""The answers as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes

from segviz.labels import readable
from segviz.widgets.drawing import canvas
from segviz.widgets.palette import INK


def answer_png(causal: Mapping[str, Any], segment: Mapping[str, Any], untuned: str) -> bytes:
    """The answers as PNG."""
    figure = canvas.figure(9.2, 0.95)
    draw_answers(figure.add_axes((0, 0, 1, 1)), causal, segment, untuned)
    return canvas.png(figure)


def draw_answers(
    axes: Axes, causal: Mapping[str, Any], segment: Mapping[str, Any], untuned: str
) -> None:
    """Draw both answers side by side."""
    axes.set(xlim=(0, 2), ylim=(0, 1))
    axes.axis("off")
    for side, (name, answer) in enumerate([("causal mask", causal), ("segment mask", segment)]):
        left = side + 0.024
        text = "".join(readable(token) for token in answer["tokens"]).strip() or answer["state"]
        axes.text(left, 0.88, name, va="top", size=8, color=INK, weight="bold")
        limit = 60
        axes.text(
            left, 0.58, canvas.plain(text if len(text) <= limit else text[:limit] + "…"),
            va="top", size=9, color=INK,
        )  # fmt: skip
    if untuned:
        axes.text(0.024, 0.08, canvas.plain(untuned), va="bottom", size=7, color="#6b4a00")
