"""Mosaic: all heads of a model as one picture, layers downwards and heads to the right."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from matplotlib.figure import Figure

from segviz.charts import Mosaic
from segviz.figures.drawing.beside import ink, muted
from segviz.figures.drawing.colors import Colors
from segviz.figures.drawing.heading import draw_heading, heading_height
from segviz.figures.drawing.key import draw_named_key, named_key_height
from segviz.figures.drawing.points import (
    Points,
    Ruler,
    depth,
    font_families,
    given_axes,
    height,
    room_on,
)
from segviz.figures.drawing.titles import title_lines
from segviz.figures.fonts import fitted
from segviz.figures.paper import POINTS
from segviz.figures.sheet import Sheet
from segviz.tiles import pooled

_EDGE = 2.0
_TO_LABEL = 2.5
_BRACKET = 2.5

_SHARPEST = 192
"""Pixels to an inch of a head's picture at most: what a notebook shows. PNG files have more."""
_FINEST, _MOST = 400, 2000
"""Each is drawn as several, for viewers that would blur them and for narrow gaps: up to so many
pixels to an inch, and on the longer side of the mosaic."""

# In points, between heads; and that between KV groups, in gaps.
_GAP = 0.08
_NARROWEST, _WIDEST = 0.5, 2.0
_GROUPS = 3


def draw_mosaic(chart: Mosaic, sheet: Sheet) -> Figure:
    """Draw all heads as one picture.

    Heads that share a KV head stand together below a bracket. A head's picture has no more pixels
    than its place on the page can show: each shows the cell furthest from 0.
    """
    title = f"All heads: {chart.title}" if sheet.title is None else sheet.title
    (title,), families = fitted([title], font_families(), stacklevel=3)
    ruler = Ruler.of(families)
    axes = given_axes(sheet)
    width, most = room_on(sheet, axes)
    size, small = sheet.paper.font_size, sheet.paper.small
    lines = title_lines(title, ruler, size, width - 2 * _EDGE)
    top = _EDGE + heading_height(lines, size) + _header(chart, small)
    below = 0.9 * small + named_key_height(small) + _EDGE
    grid = _Grid.of(chart, ruler, small, width, most - top - below - small)
    # The number of a low first layer stands out above it.
    above = (height(small) + depth(small)) / 2 - grid.side * grid.point / 2
    lift = max(0.0, above + depth(small) - _TO_LABEL)
    top += lift
    colors = Colors.of(sheet.colors, chart.kind, chart.scale, chart.limit, clipped=chart.clipped)
    points = Points(sheet, top + grid.height + below, ruler, axes)
    draw_heading(points, lines, size, _EDGE)
    pixels = np.ma.masked_invalid(_picture(colors.places(chart.values), grid))
    points.image(pixels, grid.left, top, grid.width, grid.height, **colors.range)
    _draw_frames(points, grid, top)
    _draw_layers(points, chart, grid, ruler, small, top)
    _draw_heads(points, chart, grid, ruler, small, top - lift)
    y = top + grid.height + 0.9 * small
    middle = grid.left + grid.width / 2
    half = min(middle, width - middle) - _EDGE
    draw_named_key(points, ruler, colors, chart.unit, (middle - half, middle + half), y, small)
    return points.figure


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where heads are, in pixels and in points.

    Args:
        factor: cells on a side that become one.
        repeated: pixels on a side of one of these.
        side: pixels on a side of a head's picture.
        gap: pixels between two of them.
        columns: the first pixel of each head.
        rows: the first pixel of each layer.
        point: size of a pixel, in points.
        left: where the mosaic begins.
        upright: whether the word "layer" stands upright beside the numbers.
    """

    factor: int
    repeated: int
    side: int
    gap: int
    columns: np.ndarray
    rows: np.ndarray
    point: float
    left: float
    upright: bool

    @staticmethod
    def of(chart: Mosaic, ruler: Ruler, small: float, width: float, most: float) -> _Grid:
        own = chart.values.shape[-1]
        numbers = ruler.widest([str(layer) for layer in chart.layers], small)
        corner = max(ruler.width("head", small), numbers)
        grid = _Grid._within(chart, own, width - 2 * _EDGE - corner - small, most)
        upright = grid.height >= ruler.width(_LAYER, small)
        if upright:
            beside = max(numbers + 1.4 * small, ruler.width("head", small))
        else:
            beside = max(ruler.widest([_named(layer) for layer in chart.layers], small),
                         ruler.width("head", small))  # fmt: skip
        left = _EDGE + beside + _TO_LABEL
        room = width - _EDGE - left
        grid = _Grid._within(chart, own, room, most)
        spare = (room - grid.width) / 2
        return replace(grid, left=left + spare, upright=upright)

    @staticmethod
    def _within(chart: Mosaic, own: int, room: float, most: float) -> _Grid:
        layers, heads = chart.values.shape[:2]
        cell = max(min(room / heads, most / layers), 0.1)
        factor = max(1, -(-own * POINTS // max(1, int(cell * _SHARPEST))))
        side = -(-own // factor)
        finest = min(cell * _FINEST / POINTS, _MOST / max(heads, layers))
        repeated = max(1, int(finest / side))
        side *= repeated
        wanted = min(max(_GAP * cell, _NARROWEST), _WIDEST)
        gap = max(1, round(wanted / cell * side))
        between = np.full(heads, gap)
        if _shared(chart) > 1:
            between[:: _shared(chart)] = _GROUPS * gap
        between[0] = 0
        columns = np.cumsum(between + side) - side
        rows = np.arange(layers) * (side + gap)
        point = min(room / (columns[-1] + side), most / (rows[-1] + side))
        return _Grid(factor, repeated, side, gap, columns, rows, float(point), 0.0, upright=True)

    @property
    def width(self) -> float:
        return float(self.columns[-1] + self.side) * self.point

    @property
    def height(self) -> float:
        return float(self.rows[-1] + self.side) * self.point

    def x(self, head: int) -> tuple[float, float]:
        """From where to where a head is."""
        start = self.left + float(self.columns[head]) * self.point
        return start, start + self.side * self.point

    def y(self, layer: int) -> float:
        """The middle of a layer."""
        return (float(self.rows[layer]) + self.side / 2) * self.point


def _picture(places: np.ndarray, grid: _Grid) -> np.ndarray:
    """The pixels of the mosaic, NaN between the heads and where they are masked."""
    layers, heads = places.shape[:2]
    shape = int(grid.rows[-1]) + grid.side, int(grid.columns[-1]) + grid.side
    picture = np.full(shape, np.nan, dtype=np.float32)
    for layer in range(layers):
        for head in range(heads):
            cells = places[layer, head]
            tile, seen = pooled(np.nan_to_num(cells), np.isfinite(cells), grid.factor)
            tile = np.where(seen, tile, np.nan)
            tile = tile.repeat(grid.repeated, axis=0).repeat(grid.repeated, axis=1)
            row, column = grid.rows[layer], grid.columns[head]
            picture[row : row + grid.side, column : column + grid.side] = tile
    return picture


def _draw_frames(points: Points, grid: _Grid, top: float) -> None:
    """Thin frames around heads, whose masked cells are the paper's."""
    tall = grid.side * grid.point
    frames = []
    for row in grid.rows:
        y = top + float(row) * grid.point
        for head in range(len(grid.columns)):
            x, stop = grid.x(head)
            frames.append([(x, y), (stop, y), (stop, y + tall), (x, y + tall), (x, y)])
    points.lines(frames, color=muted(), linewidth=0.3 * points.line_width, capstyle="projecting")


def _shared(chart: Mosaic) -> int:
    """Query heads to a KV head."""
    return chart.values.shape[1] // chart.kv_heads


def _header(chart: Mosaic, small: float) -> float:
    """How tall the numbers and brackets above the heads are."""
    numbers = height(small) + _TO_LABEL
    brackets = height(small) + depth(small) + _BRACKET + _TO_LABEL if _shared(chart) > 1 else 0.0
    return numbers + brackets


def _draw_layers(
    points: Points, chart: Mosaic, grid: _Grid, ruler: Ruler, small: float, top: float
) -> None:
    x = grid.left - _TO_LABEL
    pitch = (grid.side + grid.gap) * grid.point
    step = _step(1.1 * small / pitch)
    for row, layer in enumerate(chart.layers):
        if row % step == 0:
            baseline = top + grid.y(row) + 0.36 * small
            text = str(layer) if grid.upright else _named(layer)
            points.text(x, baseline, text, small, ha="right", color=ink())
    if grid.upright:
        numbers = ruler.widest([str(layer) for layer in chart.layers], small)
        points.text(
            x - numbers - 0.3 * small, top + grid.height / 2, _LAYER, small,
            ha="right", va="center", rotation=90, color=muted(),
        )  # fmt: skip


def _draw_heads(
    points: Points, chart: Mosaic, grid: _Grid, ruler: Ruler, small: float, top: float
) -> None:
    heads = chart.values.shape[1]
    baseline = top - _TO_LABEL
    pitch = (grid.side + grid.gap) * grid.point
    numbers = [str(head) for head in range(heads)]
    apart = ruler.widest(numbers, small) + 0.35 * small
    step = _step(apart / pitch)
    # Every group begins with a number, where a group has room for one.
    shared = _shared(chart)
    if 1 < shared < step:
        step = shared * _step(apart / (pitch * shared))
    for head in range(0, heads, step):
        start, stop = grid.x(head)
        points.text((start + stop) / 2, baseline, numbers[head], small, ha="center", color=ink())
    half = ruler.width("0", small) / 2
    start, stop = grid.x(0)
    corner = min(grid.left, (start + stop) / 2 - half) - _TO_LABEL
    points.text(corner, baseline, "head", small, ha="right", color=muted())
    if shared > 1:
        y = baseline - height(small) - _TO_LABEL
        _draw_groups(points, chart, grid, ruler, small, y)


def _draw_groups(
    points: Points, chart: Mosaic, grid: _Grid, ruler: Ruler, small: float, y: float
) -> None:
    """Brackets over the heads that share a KV head."""
    shared = _shared(chart)
    groups = [
        (grid.x(group * shared)[0], grid.x((group + 1) * shared - 1)[1])
        for group in range(chart.kv_heads)
    ]
    # Half of a line inside, so that neighbours do not touch.
    inset = points.line_width / 2
    points.lines(
        [
            [(a + inset, y), (a + inset, y - _BRACKET), (b - inset, y - _BRACKET), (b - inset, y)]
            for a, b in groups
        ],
        color=muted(),
    )
    baseline = y - _BRACKET - depth(small)
    narrowest = min(stop - start for start, stop in groups)
    names = [f"KV {group}" for group in range(chart.kv_heads)]
    step = 1
    if ruler.widest(names, small) > narrowest:
        names = [str(group) for group in range(chart.kv_heads)]
        points.text(grid.left - _TO_LABEL, baseline, "KV", small, ha="right", color=muted())
        step = _step((ruler.widest(names, small) + 0.35 * small) / narrowest)
    for group in range(0, chart.kv_heads, step):
        start, stop = groups[group]
        points.text((start + stop) / 2, baseline, names[group], small, ha="center", color=ink())


def _step(least: float) -> int:
    """A round number, no less."""
    power = 1
    while True:
        for one in (1, 2, 4, 5):
            if one * power >= least:
                return one * power
        power *= 10


def _named(layer: int) -> str:
    return f"{_LAYER} {layer}"


_LAYER = "layer"
