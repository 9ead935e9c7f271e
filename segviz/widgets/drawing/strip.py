"""The token strip as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from segviz.labels import columns_of, is_special, readable
from segviz.palette import INK, MUTED
from segviz.widgets.drawing import canvas
from segviz.widgets.drawing.canvas import Dicts

_CHARACTERS = 112
_LINE = 0.42
_LINES = 14


def strip_png(tokens: Sequence[str], segments: Dicts) -> bytes:
    """The token strip as PNG."""
    figure = canvas.figure(9.2, strip_height(tokens))
    draw_strip(figure.add_axes((0, 0, 1, 1)), tokens, segments)
    return canvas.png(figure)


def strip_height(tokens: Sequence[str]) -> float:
    """Inches that the strip of these tokens takes."""
    return _LINE * len(_wrapped(tokens)) + 0.15


def draw_strip(axes: Axes, tokens: Sequence[str], segments: Dicts) -> None:
    """Draw the strip into axes 9.2 inches wide."""
    lines = _wrapped(tokens)
    axes.set(xlim=(-1.2, _CHARACTERS + 1.2), ylim=(len(lines) + 0.1, -0.25))
    axes.axis("off")
    owner = {
        position: index
        for index, segment in enumerate(segments)
        for position in range(segment["start"], segment["stop"])
    }
    for row, line in enumerate(lines):
        for position, label, column in line:
            index = owner.get(position, 0)
            segment, color = segments[index], canvas.color(index)
            causal = segment["attention"] == "causal"
            width = columns_of(label)
            axes.add_patch(
                Rectangle(
                    (column, row + 0.3), width, 0.55, linewidth=0,
                    color=canvas.tint(color, 0.1 if causal else 0.25),
                )
            )  # fmt: skip
            axes.plot(
                [column, column + width], [row + 0.87] * 2,
                color=color, linewidth=1.4, linestyle=":" if causal else "-",
            )  # fmt: skip
            axes.text(
                column, row + 0.6, canvas.plain(label), va="center", size=9, family="monospace",
                color=MUTED if is_special(tokens[position]) else INK,
            )  # fmt: skip
            if position == segment["start"]:
                axes.text(
                    column, row + 0.24, canvas.plain(segment["name"]), va="bottom", size=6.5,
                    color=color, weight="bold",
                )  # fmt: skip
                if position:
                    axes.plot([column] * 2, [row + 0.22, row + 0.92], color=color, linewidth=2.2)


def _wrapped(tokens: Sequence[str]) -> list[list[tuple[int, str, float]]]:
    """Lines of (token position, label, column), in characters of a fixed width."""
    lines: list[list[tuple[int, str, float]]] = [[]]
    column = 0.0
    for position, token in enumerate(tokens):
        label = readable(token)[:_CHARACTERS]
        if column + columns_of(label) > _CHARACTERS and lines[-1]:
            if len(lines) == _LINES:
                lines[-1].append((position, "…", column))
                break
            lines.append([])
            column = 0.0
        lines[-1].append((position, label, column))
        column += columns_of(label)
    return lines
