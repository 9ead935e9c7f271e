"""A whole explorer as one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes

from segviz.palette import INK
from segviz.widgets.drawing import canvas
from segviz.widgets.drawing.answer import draw_answers
from segviz.widgets.drawing.heads import draw_heads, plan_heads
from segviz.widgets.drawing.matrices import draw_attention, draw_bar, draw_mask
from segviz.widgets.drawing.strip import draw_strip, strip_height

if TYPE_CHECKING:
    from segviz.widgets.explorer_view import ExplorerView

_WIDTH = 1012
_SIDE = 11  # at which texts begin
_TITLE = 38
_ANSWERS = 94
_MATRIX, _ABOVE, _BELOW = 430, 40, 84
_LEFTS = (62, 571)
_BAR = (190, 9)  # of the colours
_HEADING = 20
_GRID = 75_000  # pixels of thumbnails: with the matrices above them no more are light enough


def explorer_png(view: ExplorerView) -> bytes:
    """The views of an explorer as one PNG; the head grid where it has something to show."""
    strip = round(strip_height(view.strip.tokens) * canvas.DPI)
    plan = plan_heads(view.grid, _GRID) if view.grid.rows else None
    heads = _HEADING + plan.tall if plan else 0
    page = _Page(_TITLE + strip + _ANSWERS + _ABOVE + _MATRIX + _BELOW + heads)
    page.write(8, view.title or "segviz", size=10)
    draw_strip(page.axes(0, _TITLE, _WIDTH, strip), view.strip.tokens, view.strip.segments)
    top = _TITLE + strip
    answer = view.answer
    probabilities = {mask: answer.probabilities(mask) for mask in answer.masks if answer.colored}
    draw_answers(
        page.axes(0, top, _WIDTH, _ANSWERS),
        answer.causal, answer.segment, answer.untuned, probabilities,
    )  # fmt: skip
    top += _ANSWERS + _ABOVE
    _draw_matrices(page, view, top)
    if plan:
        top += _MATRIX + _BELOW
        page.write(top, "All heads", size=9)
        draw_heads(page.axes(_SIDE - 4, top + _HEADING, plan.wide, plan.tall), view.grid, plan)
    return canvas.png(page.figure)


def _draw_matrices(page: _Page, view: ExplorerView, top: int) -> None:
    mask, attention = view.mask, view.attention
    left, right = (page.axes(x, top, _MATRIX, _MATRIX) for x in _LEFTS)
    draw_mask(left, mask.segments, mask.mask, mask.window, mask.prompt_length)
    if attention.encoded is None:
        right.axis("off")
        return
    draw_attention(
        right, attention.encoded, attention.segments, attention.prompt_length, attention.heading
    )
    bar = page.axes(_LEFTS[1], top + _MATRIX + 40, *_BAR)
    draw_bar(bar, attention.encoded, attention)


class _Page:
    """A figure whose parts are placed in pixels from the top left."""

    def __init__(self, height: int) -> None:
        self._height = height
        self.figure = canvas.figure(_WIDTH / canvas.DPI, height / canvas.DPI)

    def axes(self, left: int, top: int, width: int, height: int) -> Axes:
        """Axes there."""
        bottom = self._height - top - height
        return self.figure.add_axes(
            (left / _WIDTH, bottom / self._height, width / _WIDTH, height / self._height)
        )

    def write(self, top: int, text: str, size: float) -> None:
        """A heading at the left."""
        self.figure.text(
            _SIDE / _WIDTH, 1 - top / self._height, canvas.plain(text), va="top", size=size,
            color=INK, weight="bold",
        )  # fmt: skip
