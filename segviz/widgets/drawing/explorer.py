"""A whole explorer as one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segviz.widgets.drawing import canvas
from segviz.widgets.drawing.answer import draw_answers
from segviz.widgets.drawing.matrices import draw_attention, draw_mask
from segviz.widgets.drawing.strip import draw_strip, strip_height
from segviz.widgets.palette import INK

if TYPE_CHECKING:
    from segviz.widgets.explorer_view import ExplorerView


def explorer_png(view: ExplorerView) -> bytes:
    """All views of an explorer as one PNG."""
    strip = strip_height(view.strip.tokens)
    height = 0.35 + strip + 4.7 + 1.0
    figure = canvas.figure(9.2, height)
    figure.text(
        0.012, 1 - 0.1 / height, view.title or "segviz", va="top", color=INK, weight="bold", size=10
    )
    top = height - 0.35 - strip
    draw_strip(
        figure.add_axes((0, top / height, 1, strip / height)),
        view.strip.tokens,
        view.strip.segments,
    )
    box = [(x, 0.45 / height, 0.43, 3.96 / height) for x in (0.055, 0.555)]
    mask = view.mask
    draw_mask(figure.add_axes(box[0]), mask.segments, mask.mask, mask.window, mask.prompt_length)
    axes = figure.add_axes(box[1])
    shown = view.attention.encoded
    if shown is None:
        axes.axis("off")
    else:
        attention = view.attention
        draw_attention(axes, shown, attention.segments, attention.prompt_length, attention.heading)
    answer = view.answer
    draw_answers(
        figure.add_axes((0, (top - 0.9) / height, 1, 0.85 / height)),
        answer.causal,
        answer.segment,
        answer.untuned,
    )
    return canvas.png(figure)
