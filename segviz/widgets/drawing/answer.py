"""The answers as a picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from segviz.labels import is_special, readable
from segviz.palette import INK, MUTED
from segviz.widgets.drawing import canvas

if TYPE_CHECKING:
    from segviz.widgets.answer_view import AnswerView

UNLIKELY = "#8e44ad"
"""The colour of an unlikely token, as in ``static/answer_view.css`` (a test compares them)."""

_CHARACTERS = 112
_COLUMN = 54
_LINES = 2


def answer_png(view: AnswerView) -> bytes:
    """The answers as PNG."""
    figure = canvas.figure(9.2, 1.05)
    axes = figure.add_axes((0, 0, 1, 1))
    probabilities = {mask: view.probabilities(mask) for mask in view.masks if view.colored}
    shown = {mask: getattr(view, mask) if mask in view.masks else None for mask in _MASKS}
    draw_answers(axes, shown["causal"], shown["segment"], view.untuned, probabilities)
    return canvas.png(figure)


_MASKS = ("causal", "segment")


def draw_answers(
    axes: Axes,
    causal: Mapping[str, Any] | None,
    segment: Mapping[str, Any] | None,
    untuned: str,
    probabilities: Mapping[str, Sequence[float]] | None = None,
) -> None:
    """Draw both answers side by side into axes 9.2 inches wide.

    Args:
        axes: drawn into.
        causal: the answer under the causal mask; None leaves its place empty.
        segment: the answer under the segment mask; likewise.
        untuned: a notice below them, or ``""``.
        probabilities: of the tokens, by mask; those of unlikely ones are coloured.
    """
    axes.set(xlim=(-1.2, _CHARACTERS + 1.2), ylim=(_LINES + 1.9, -0.1))
    axes.axis("off")
    for side, (mask, answer) in enumerate(zip(_MASKS, (causal, segment), strict=True)):
        if answer is None:
            continue
        left = side * (_COLUMN + 4)
        axes.text(left, 0.1, f"{mask} mask", va="top", size=8, color=INK, weight="bold")
        if not answer["tokens"]:
            axes.text(left, 1.4, answer["state"], va="center", size=9, color=MUTED)
        _draw_tokens(axes, left, answer["tokens"], (probabilities or {}).get(mask, ()))
    if any((probabilities or {}).values()):
        hint = "the darker, the less likely"
        axes.text(_CHARACTERS, 0.1, hint, va="top", ha="right", size=7, color=MUTED)
    if untuned:
        axes.text(0, _LINES + 1.75, canvas.plain(untuned), va="bottom", size=7, color="#6b4a00")


def _draw_tokens(
    axes: Axes, left: float, tokens: Sequence[str], probabilities: Sequence[float]
) -> None:
    for index, label, line, column in _placed(tokens):
        at = (left + column, line + 1.05)
        if index < len(probabilities) and not math.isnan(probabilities[index]):
            color = canvas.tint(UNLIKELY, share(probabilities[index]))
            axes.add_patch(Rectangle(at, len(label), 0.7, linewidth=0, color=color))
        axes.text(
            at[0], at[1] + 0.36, canvas.plain(label), va="center", size=9, family="monospace",
            color=MUTED if is_special(tokens[index]) else INK,
        )  # fmt: skip


def share(probability: float) -> float:
    """How much of the colour a token gets: the less likely, the more.

    >>> share(1.0), share(0.5)
    (0.06, 0.33)
    """
    return 0.06 + 0.54 * (1 - probability)


def _placed(tokens: Sequence[str]) -> Iterator[tuple[int, str, int, int]]:
    """Index, label, line and column of the tokens that have room; what has none ends in ``…``."""
    line = column = 0
    for index, token in enumerate(tokens):
        label = readable(token)
        if column and column + len(label) > _COLUMN - 1:
            line, column = line + 1, 0
        if line == _LINES:
            yield index, "…", line - 1, _COLUMN - 1
            return
        label = label if len(label) < _COLUMN else label[: _COLUMN - 2] + "…"
        yield index, label, line, column
        column += len(label)
