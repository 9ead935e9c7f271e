"""The head grid as a picture: all heads in one image, with labels around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb

from segviz.palette import DECODE, INK, MUTED
from segviz.widgets.drawing import canvas
from segviz.widgets.head_grid import SUMMARIES, colors

if TYPE_CHECKING:
    from segviz.widgets.head_grid import HeadGrid

_WIDTH = 1012  # pixels, as wide as the other pictures
_NARROWEST = 480  # what the heading takes
_SMALLEST, _LARGEST = 12, 72
_PIXELS = 130_000  # of all thumbnails: more would not be saved in this size, labels and all
_SIDE = 26  # the left margin, where the layers stand
_GAP, _GROUP_GAP = 2, 7
_PLACE, _RANKED = 54, 44
_LINES = 4  # of ranked heads: the first are what a ranking is for
_BAR = 4
_BARS = LinearSegmentedColormap.from_list("bars", ["#f7deac", "#e9a145", "#c75f10", "#7a2d06"])
_EMPTY = 243
_TRACK = tuple(round(255 * part) for part in to_rgb("#d9dde4"))


@dataclass(frozen=True, slots=True)
class _Square:
    """Where a head stands, in pixels from the top left."""

    layer: int
    head: int
    left: int
    top: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Where all heads stand, and how much room that takes, in pixels."""

    cell: int
    squares: list[_Square]
    wide: int
    tall: int


def heads_png(view: HeadGrid) -> bytes:
    """The grid, sorted and coloured as on the page, as PNG."""
    plan = plan_heads(view)
    figure = canvas.figure(plan.wide / canvas.DPI, plan.tall / canvas.DPI)
    draw_heads(figure.add_axes((0, 0, 1, 1)), view, plan)
    return canvas.png(figure)


def plan_heads(view: HeadGrid, pixels: int = _PIXELS) -> Plan:
    """Where the heads of a grid go.

    Args:
        view: the grid.
        pixels: of all thumbnails together, about; a picture with more of them takes more bytes.
    """
    natural = view.sort == "layer"
    cell, squares = _layer_by_layer(view, pixels) if natural else _ranked(view)
    tall = max(square.top for square in squares) + cell + _BAR + 6 + (0 if natural else 14)
    wide = max(_NARROWEST, max(square.left for square in squares) + cell + 5)
    return Plan(cell, squares, wide, tall)


def draw_heads(axes: Axes, view: HeadGrid, plan: Plan) -> None:
    """Draw the grid into axes of the plan's size."""
    cell, squares, wide, tall = plan.cell, plan.squares, plan.wide, plan.tall
    axes.axis("off")
    image = np.full((tall, wide, 3), 255, np.uint8)
    most = _most(view)
    for square in squares:
        _paint(image, view, square, cell, most)
    axes.imshow(image, extent=(0, wide, tall, 0), interpolation="nearest", aspect="auto")
    _write_heading(axes, view, len(squares), most)
    if view.sort == "layer":
        _write_axes(axes, view, squares, cell)
    else:
        for square in squares:
            _write_rank(axes, view, square, cell)
    for square in squares:
        if (square.layer, square.head) == (view.layer, view.head):
            _frame(axes, square, cell, cell + (_BAR + 2 if view.color else 0))


def _layer_by_layer(view: HeadGrid, pixels: int) -> tuple[int, list[_Square]]:
    per_group = view.heads // (view.kv_heads or view.heads)
    between = (_GROUP_GAP if per_group > 1 else _GAP) - _GAP
    gaps = view.heads * _GAP + (view.heads // per_group - 1) * between
    fits = (_WIDTH - _SIDE - 4 - gaps) // view.heads
    light = int((pixels / (view.layers * view.heads)) ** 0.5)
    cell = min(max(min(fits, light), _SMALLEST), _LARGEST)
    line = cell + 4 + (_BAR + 2 if view.color else 0)
    squares = [
        _Square(layer, head, _SIDE + head * (cell + _GAP) + head // per_group * between, top)
        for layer in range(view.layers)
        for top in [58 + layer * line]
        for head in range(view.heads)
    ]
    return cell, squares


def _ranked(view: HeadGrid) -> tuple[int, list[_Square]]:
    values = np.full((view.layers, view.heads), -np.inf)
    for layer, row in view.rows.items():
        if view.sort in row.summaries:
            values[layer] = np.nan_to_num(row.summaries[view.sort], nan=-np.inf)
    columns = (_WIDTH - 4) // _PLACE
    best = np.argsort(-values, axis=None, kind="stable")[: columns * _LINES]
    line = _RANKED + 36 + (_BAR + 2 if view.color else 0)
    return _RANKED, [
        _Square(*divmod(int(index), view.heads), 6 + place % columns * _PLACE, top)
        for place, index in enumerate(best)
        for top in [40 + place // columns * line]
    ]


def _most(view: HeadGrid) -> float:
    """The largest value of the summary that colours; 0 where there is none."""
    known = [row.summaries[view.color] for row in view.rows.values() if view.color in row.summaries]
    return float(np.nanmax(np.concatenate(known), initial=0.0)) if known else 0.0


def _paint(image: np.ndarray, view: HeadGrid, square: _Square, cell: int, most: float) -> None:
    place = np.s_[square.top : square.top + cell, square.left : square.left + cell]
    row = view.rows.get(square.layer)
    if row is None:
        image[place] = _EMPTY
        return
    zero = 128 if row.kind == "diverging" else 0
    image[place] = colors(row.kind)[_resized(row.thumbnails[square.head], cell, zero)]
    if most and view.color in row.summaries:
        share = float(row.summaries[view.color][square.head]) / most
        top = square.top + cell + 2
        bar = image[top : top + _BAR, square.left : square.left + cell]
        bar[:] = _TRACK
        if share >= 0:  # NaN is not
            bar[:, : round(share * cell)] = np.round(255 * np.array(_BARS(share)[:3]))


def _resized(thumbnail: np.ndarray, side: int, zero: int) -> np.ndarray:
    """A thumbnail of another size; in a smaller one each pixel is the cell furthest from zero."""
    size = len(thumbnail)
    at = np.arange(side) * size // side
    if side >= size:
        return thumbnail[np.ix_(at, at)]
    highest = np.maximum.reduceat(np.maximum.reduceat(thumbnail, at, 0), at, 1).astype(int)
    lowest = np.minimum.reduceat(np.minimum.reduceat(thumbnail, at, 0), at, 1).astype(int)
    return np.where(highest - zero >= zero - lowest, highest, lowest)


def _write_heading(axes: Axes, view: HeadGrid, count: int, most: float) -> None:
    kinds = {row.kind for row in view.rows.values()}
    parts = ["attention" if kinds == {"sequential"} else "segment minus causal"]
    if view.sort != "layer":
        parts.append(f"the {count} of {view.layers * view.heads} with the highest {view.sort}")
    if most:
        parts.append(f"bars: {view.color}, 0 to {_amount(most)} ({SUMMARIES[view.color]})")
    missing = view.missing
    if missing:
        parts.append(f"{view.layers - len(missing)} of {view.layers} layers")
    axes.text(4, 8, "  ·  ".join(parts), va="center", size=7, color=INK)


def _write_axes(axes: Axes, view: HeadGrid, squares: list[_Square], cell: int) -> None:
    per_group = view.heads // (view.kv_heads or view.heads)
    first = squares[: view.heads]
    if per_group > 1:
        for group, square in enumerate(first[::per_group]):
            right = first[(group + 1) * per_group - 1].left + cell
            axes.plot([square.left, right], [36, 36], color=MUTED, linewidth=1)
            axes.text(
                (square.left + right) / 2, 33, f"KV {group}",
                ha="center", va="bottom", size=6.5, color=INK, weight="bold",
            )  # fmt: skip
    for square in first:
        axes.text(
            square.left + cell / 2, 53, str(square.head),
            ha="center", va="bottom", size=6 if cell > _SMALLEST else 5, color=MUTED,
        )  # fmt: skip
    for square in squares[:: view.heads]:
        axes.text(2, square.top + cell / 2, f"L{square.layer}", va="center", size=6.5, color=MUTED)


def _write_rank(axes: Axes, view: HeadGrid, square: _Square, cell: int) -> None:
    middle = square.left + cell / 2
    axes.text(
        middle, square.top - 2, f"L{square.layer} H{square.head}",
        ha="center", va="bottom", size=6, color=INK,
    )  # fmt: skip
    row = view.rows.get(square.layer)
    if row is not None and view.sort in row.summaries:
        below = square.top + cell + 2 + (_BAR + 2 if view.color else 0)
        number = _amount(float(row.summaries[view.sort][square.head]))
        axes.text(middle, below, number, ha="center", va="top", size=6, color=MUTED)


def _frame(axes: Axes, square: _Square, wide: int, tall: int) -> None:
    left, right, top, bottom = -2, wide + 2, -2, tall + 2
    x = [square.left + at for at in (left, right, right, left, left)]
    y = [square.top + at for at in (top, top, bottom, bottom, top)]
    axes.plot(x, y, color=DECODE, linewidth=1.4)


def _amount(value: float) -> str:
    """A number in three digits, as on the page."""
    return f"{value:#.3g}".rstrip(".")
