"""Beside: texts and lines at a side of axes, along it in cells and away from it in points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import (
    Affine2D,
    ScaledTranslation,
    Transform,
    blended_transform_factory,
)

from segviz.figures.drawing.points import Ruler
from segviz.figures.paper import POINTS
from segviz.palette import INK, MUTED

Side = Literal["left", "right", "top", "below"]

# The corner that a side is measured from, and where away from it leads to.
_CORNERS: dict[Side, tuple[tuple[int, int], int]] = {
    "left": ((0, 0), -1),
    "right": ((1, 0), 1),
    "top": ((0, 1), 1),
    "below": ((0, 0), -1),
}
_ANCHORS: dict[Side, tuple[str, str]] = {
    "left": ("right", "center"),
    "right": ("left", "center"),
    "top": ("center", "bottom"),
    "below": ("center", "top"),
}
_MUTING = 0.4
"""How much of the usual grey is in that of another ink."""


class Beside:
    """A side of axes: what is drawn there moves with the axes, and with their cells.

    >>> from matplotlib.figure import Figure
    >>> axes = Figure().add_axes((0.2, 0.2, 0.6, 0.6), xlim=(0, 5))
    >>> Beside(axes, "top", Ruler()).text(2.5, 4, "system", 7).get_text()
    'system'

    Args:
        axes: whose data coordinates are cells.
        side: which.
        ruler: says which fonts texts are drawn in.
    """

    def __init__(self, axes: Axes, side: Side, ruler: Ruler) -> None:
        self.axes, self.side, self.ruler = axes, side, ruler
        self._look = dict(zip(("ha", "va"), _ANCHORS[side], strict=True))
        self._transform = _transform(axes, side)

    def text(self, along: float, away: float, text: str, size: float, **look: Any) -> Text:
        """A text, its middle at ``along`` cells, its near side ``away`` points from the axes."""
        look = {**self._look, "parse_math": False, "usetex": False, **look}
        if self.ruler.families is not None:
            look["fontfamily"] = self.ruler.families
        place = (along, away) if self.side in ("top", "below") else (away, along)
        return self.axes.text(
            *place, text, fontsize=size, transform=self._transform, clip_on=False, **look
        )

    def lines(self, lines: Iterable[Sequence[tuple[float, float]]], **look: Any) -> LineCollection:
        """Lines through points ``(along, away)``."""
        turned = self.side in ("left", "right")
        drawn = LineCollection(
            [[(b, a) if turned else (a, b) for a, b in line] for line in lines],
            transform=self._transform,
            clip_on=False,
            **look,
        )
        self.axes.add_collection(drawn, autolim=False)
        return drawn


def ink() -> str:
    """The colour of text: that of ``rcParams`` where the user has chosen one.

    >>> import matplotlib
    >>> with matplotlib.rc_context({"text.color": "white"}):
    ...     ink()
    'white'
    """
    own: Any = mpl.rcParams["text.color"]
    return INK if own == mpl.rcParamsDefault["text.color"] else own


def muted() -> str:
    """The colour of what is less important: somewhat closer to the middle than :func:`ink`.

    >>> muted() == MUTED
    True
    """
    if ink() == INK:
        return MUTED
    mixed = (1 - _MUTING) * np.array(to_rgb(ink())) + _MUTING * np.array(to_rgb(MUTED))
    return to_hex(mixed.tolist())


def line_height(texts: Iterable[str], ruler: Ruler) -> float:
    """How tall a line of any of the texts is, of a size of 1.

    >>> 0.9 < line_height(["Anna"], Ruler()) < 1.6
    True
    """
    families = None if ruler.families is None else tuple(ruler.families)
    return max(_height(text, families) for text in ["lp", *texts])


# So large that rounding to pixels is not seen.
_SIZE = 100


@lru_cache(maxsize=4096)
def _height(text: str, families: tuple[str, ...] | None) -> float:
    figure = _scratch()
    drawn = figure.text(0, 0, text, fontsize=_SIZE, fontfamily=families, parse_math=False)
    height = float(drawn.get_window_extent().height) * POINTS / figure.dpi / _SIZE
    drawn.remove()
    return height


@lru_cache(maxsize=1)
def _scratch() -> Figure:
    """A figure to measure on."""
    figure = Figure(dpi=POINTS)
    FigureCanvasAgg(figure)
    return figure


def _transform(axes: Axes, side: Side) -> Transform:
    corner, direction = _CORNERS[side]
    away = (
        Affine2D().scale(direction / POINTS)
        + axes.figure.dpi_scale_trans
        + ScaledTranslation(*corner, axes.transAxes)  # type: ignore[reportArgumentType]
    )
    if side in ("top", "below"):
        return blended_transform_factory(axes.transData, away)
    return blended_transform_factory(away, axes.transData)
