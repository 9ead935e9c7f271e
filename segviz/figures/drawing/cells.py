"""Cells: a matrix of numbers as squares of colour, in vectors or in exact pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import allow_rasterization
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap, Normalize
from matplotlib.image import AxesImage
from matplotlib.path import Path

from segviz.figures.paper import POINTS

VECTORS = 64
"""Cells on a side up to which they are drawn as vectors."""

_SEAM = 0.12
"""Thickness of the line around a cell, of the cell's side."""
_WIDEST_SEAM = 0.4


class Mesh(QuadMesh):
    """Cells as vectors: all of one colour are one path, those that are masked are not drawn.

    Viewers show a hair of the paper between neighbouring squares; a thin line of their own colour
    around them covers it.
    """

    @allow_rasterization
    def draw(self, renderer: Any) -> None:
        """Draw the cells, colour by colour."""
        if not self.get_visible():
            return
        self.update_scalarmappable()
        values = np.ma.asarray(self.get_array())
        rows, columns = np.nonzero(~np.ma.getmaskarray(values))
        colors = np.asarray(self.get_facecolor()).reshape((*values.shape, 4))[rows, columns]
        corners = np.asarray(self.get_coordinates())
        boxes = np.stack(
            [
                corners[rows, columns],
                corners[rows, columns + 1],
                corners[rows + 1, columns + 1],
                corners[rows + 1, columns],
            ],
            axis=1,
        )
        transform = self.get_transform()
        renderer.open_group(type(self).__name__, self.get_gid())
        gc = renderer.new_gc()
        if self.get_clip_on():
            gc.set_clip_rectangle(self.get_clip_box())
            gc.set_clip_path(self.get_clip_path())
        gc.set_joinstyle("miter")
        # In a picture of pixels each pixel belongs to one cell; smoothed edges would be pale seams.
        vectors = renderer.option_scale_image()
        gc.set_antialiased(vectors)
        gc.set_snap(False)
        if len(boxes):
            side = float(np.ptp(transform.transform(boxes[0]), axis=0).min())
            side *= POINTS / self.get_figure().dpi  # type: ignore[reportOptionalMemberAccess]
            gc.set_linewidth(min(_SEAM * side, _WIDEST_SEAM) if vectors else 0)
            shades, which = np.unique(colors, axis=0, return_inverse=True)
            for number, shade in enumerate(shades):
                gc.set_foreground(tuple(shade), isRGBA=True)
                path = _squares(boxes[which.ravel() == number])
                renderer.draw_path(gc, path, transform, tuple(shade))
        gc.restore()
        renderer.close_group(type(self).__name__)
        self.stale = False


class Picture(AxesImage):
    """Cells as exact pixels.

    Where the file has fewer pixels than there are cells (PNG, a notebook), a pixel shows the one
    furthest from 0 among those that it covers, and never just any.
    """

    def draw(self, renderer: Any) -> None:
        """Draw the cells, fewer of them where the renderer has no room for all."""
        small = None if renderer.option_scale_image() else self._smaller(renderer)
        if small is None or not self.get_visible():
            super().draw(renderer)
            return
        stand_in = AxesImage(
            self.axes,
            cmap=self.get_cmap(),
            norm=self.norm,  # type: ignore[reportArgumentType]
            interpolation="none",
            origin="upper",
            extent=self.get_extent(),
        )
        stand_in.set_data(small)
        stand_in.set_transform(self.get_transform())
        stand_in.set_clip_path(self.axes.patch)
        stand_in.set_figure(self.axes.figure)
        stand_in.draw(renderer)
        self.stale = False

    def _smaller(self, renderer: Any) -> np.ma.MaskedArray | None:
        values = np.ma.asarray(self.get_array())
        box = self.get_window_extent(renderer)
        rows, columns = values.shape
        height, width = max(1, round(box.height)), max(1, round(box.width))
        if rows <= height and columns <= width:
            return None
        return furthest(values, min(rows, height), min(columns, width))


def furthest(values: np.ma.MaskedArray, rows: int, columns: int) -> np.ma.MaskedArray:
    """Fewer cells, each the one furthest from 0 of those that it stands for.

    >>> furthest(np.ma.masked_invalid([[0.1, -0.4, np.nan, np.nan]]), 1, 2).tolist()
    [[-0.4, None]]
    """
    masked = np.ma.getmaskarray(values)
    known = values.filled(0)
    starts = [
        np.arange(new) * old // new for new, old in zip((rows, columns), values.shape, strict=True)
    ]
    edges = list(zip(starts, (0, 1), strict=True))
    most, least, hidden = known, known, masked
    for start, axis in edges:
        most = np.maximum.reduceat(most, start, axis=axis)
        least = np.minimum.reduceat(least, start, axis=axis)
        hidden = np.logical_and.reduceat(hidden, start, axis=axis)
    return np.ma.array(np.where(most >= -least, most, least), mask=hidden)


def draw_cells(
    axes: Axes, values: np.ndarray | np.ma.MaskedArray, colors: Colormap, norm: Normalize
) -> Mesh | Picture:
    """Draw a matrix in axes whose coordinates become cells, row 0 at the top.

    Args:
        axes: where.
        values: ``[row, column]``; what is masked or NaN is left out.
        colors: the colormap.
        norm: numbers to shares of it.
    """
    cells = np.ma.masked_invalid(values)
    rows, columns = cells.shape
    axes.set_xlim(0, columns)
    axes.set_ylim(rows, 0)
    axes.set_autoscale_on(False)
    colors = colors.with_extremes(bad=(0, 0, 0, 0))
    if max(rows, columns) <= VECTORS:
        x, y = np.meshgrid(np.arange(columns + 1.0), np.arange(rows + 1.0))
        drawn = Mesh(np.stack([x, y], axis=-1), array=cells, cmap=colors, norm=norm)
        axes.add_collection(drawn, autolim=False)
        return drawn
    # A user's image.resample or image.interpolation would make up numbers.
    picture = Picture(axes, cmap=colors, norm=norm, interpolation="none", origin="upper",
                      extent=(0, columns, rows, 0))  # fmt: skip
    picture.set_data(cells)
    picture.set_clip_path(axes.patch)
    axes.add_image(picture)
    return picture


def _squares(boxes: np.ndarray) -> Path:
    """Squares ``[square, corner, 2]`` as one path."""
    closed = np.concatenate([boxes, boxes[:, :1]], axis=1).reshape(-1, 2)
    codes = [Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY]
    return Path(closed, np.tile(np.array(codes, Path.code_type), len(boxes)))
