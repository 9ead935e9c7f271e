"""Points: a figure on which everything is placed in points, from its upper left corner.

Matplotlib places texts by anchors, and says how wide they are only once they are drawn. Figures in
which no text may touch another are worked out first: texts are measured, places are computed, and
then everything is drawn where it belongs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from segviz import palette
from segviz.figures.paper import POINTS
from segviz.figures.sheet import Sheet, figure_of

PAGE = 9 * POINTS
"""How tall a figure becomes at most: what most papers leave for one on a page."""

# Wider than text ever is: a slide or a poster, which lies on its side.
_PORTRAIT = 8 * POINTS
_LANDSCAPE = 0.6

ELLIPSIS = "…"

# So many pixels to an inch that rounding to them is not seen.
_DPI = 720
_HEIGHT, _DEPTH = 0.73, 0.24
"""Of the capitals and ascenders, and of the descenders, of a text of size 1."""


# The contrast that guidelines ask of small text.
_EASY = 4.5


class Ruler:
    """Measures texts in the fonts that they will be drawn in.

    >>> ruler = Ruler()
    >>> ruler.width("mm", 9) > ruler.width("m", 9) > 0
    True

    Args:
        families: of the fonts; None: those of ``rcParams``.
    """

    def __init__(self, families: Sequence[str] | None = None) -> None:
        self.families = None if families is None else list(families)
        self._renderer = RendererAgg(1, 1, _DPI)
        # A text of thousands of tokens has hundreds of different ones.
        self.width = cache(self._width)

    @staticmethod
    def of(families: list[str]) -> Ruler:
        """The ruler for the families that a figure's texts are fitted to."""
        return Ruler(None if families == font_families() else families)

    def _width(self, text: str, size: float, weight: str | None = None) -> float:
        properties = FontProperties(family=self.families, size=size, weight=weight)
        width, _, _ = self._renderer.get_text_width_height_descent(text, properties, ismath=False)
        return float(width) * POINTS / _DPI

    def widest(self, texts: Sequence[str], size: float) -> float:
        """The width of the widest one; 0 of none."""
        return max((self.width(text, size) for text in texts), default=0.0)

    def fit(self, text: str, size: float, room: float) -> str:
        """A text shortened in the middle until it is no wider than the room.

        >>> ruler = Ruler()
        >>> short = ruler.fit("internationalisation", 9, 50)
        >>> short[:2], short[-2:], ruler.width(short, 9) <= 50
        ('in', 'on', True)

        Returns:
            the text; ``""`` where not even its first character and an ellipsis have room.
        """
        if self.width(text, size) <= room:
            return text
        least, most = 0, len(text) - 1
        while least < most:
            kept = (least + most + 1) // 2
            if self.width(_shortened(text, kept), size) <= room:
                least = kept
            else:
                most = kept - 1
        return _shortened(text, least) if least else ""

    def lines(self, text: str, size: float, room: float) -> list[str]:
        """A text in lines, divided at its spaces.

        >>> Ruler().lines("Layer 2, head 0", 9, 45)
        ['Layer 2,', 'head 0']
        """
        lines: list[str] = []
        for word in text.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self.width(longer, size) <= room:
                lines[-1] = longer
            else:
                lines.append(word)
        return [self.fit(line, size, room) for line in lines]


def height(size: float) -> float:
    """How far a text of a size reaches above its baseline, in points."""
    return _HEIGHT * size


def depth(size: float) -> float:
    """How far it reaches below."""
    return _DEPTH * size


class Points:
    """A figure in points: ``x`` runs to the right and ``y`` down, from the upper left corner.

    Args:
        sheet: where to draw: a page of its own, or axes that the user made.
        height: of the page, in points; the user's axes keep theirs.
        ruler: says which fonts texts are drawn in.
        axes: the user's; None: a page.
    """

    def __init__(self, sheet: Sheet, height: float, ruler: Ruler, axes: Axes | None) -> None:
        self._ruler = ruler
        self.line_width = sheet.paper.line
        self.figure: Figure
        if axes is None:
            self.figure = sheet.page(height / POINTS)
            self.axes: Axes = self.figure.add_axes((0, 0, 1, 1))
            self.width, self.height = sheet.paper.width * POINTS, height
        else:
            self.axes, self.figure = axes, figure_of((axes,))
            self.width, self.height = _size(axes)
        self.axes.set_axis_off()
        self.axes.set_aspect("auto")
        self.axes.set_autoscale_on(False)
        self.axes.set_xlim(0, self.width)
        self.axes.set_ylim(self.height, 0)

    def text(self, x: float, y: float, text: str, size: float, **look: Any) -> Text | None:
        """A text whose baseline is at ``y``; None where it is empty.

        Args:
            x: where it begins, or ends or has its middle by ``ha=``.
            y: its baseline, unless ``va=`` says otherwise.
            text: what it says, as it is: a ``$`` begins no formula.
            size: in points.
            look: as matplotlib's Text has it.
        """
        if not text:
            return None
        settings = {"va": "baseline", "ha": "left", "parse_math": False, "usetex": False, **look}
        if self._ruler.families is not None:
            settings["fontfamily"] = self._ruler.families
        return self.axes.text(x, y, text, fontsize=size, **settings)

    def measured(self, text: str, size: float) -> float:
        """How wide a text is, in points."""
        return self._ruler.width(text, size)

    def box(self, x: float, y: float, width: float, height: float, **look: Any) -> Rectangle:
        """A rectangle from its upper left corner."""
        look = {"linewidth": 0, **look}
        rectangle = Rectangle((x, y), width, height, **look)
        self.axes.add_patch(rectangle)
        return rectangle

    def lines(self, lines: Sequence[Any], **look: Any) -> LineCollection:
        """Lines through points, each ``[(x, y), …]``."""
        look = {"linewidth": self.line_width, "capstyle": "butt", **look}
        collection = LineCollection(lines, **look)
        self.axes.add_collection(collection, autolim=False)
        return collection

    def image(
        self, pixels: np.ndarray, x: float, y: float, width: float, height: float, **look: Any
    ) -> AxesImage:
        """Exact pixels from an upper left corner: one number each, or red, green and blue."""
        return self.axes.imshow(
            pixels,
            extent=(x, x + width, y + height, y),
            interpolation="none",
            resample=False,
            origin="upper",
            aspect="auto",
            **look,
        )


def legible(color: str) -> tuple[float, float, float]:
    """A colour that text can be set in on white: itself, or darker.

    >>> legible("#4477aa") == to_rgb("#4477aa"), legible("#4db3d9") == to_rgb("#4db3d9")
    (True, False)
    """
    red, green, blue = to_rgb(color)
    while contrast((red, green, blue), "white") < _EASY:
        red, green, blue = 0.97 * red, 0.97 * green, 0.97 * blue
    return red, green, blue


def luminance(color: Any) -> float:
    """How light a colour of matplotlib is to the eye, 0 (black) to 1 (white)."""
    return float(palette.luminance(np.array(to_rgb(color))))


def ink_on(color: Any, *wished: str) -> str:
    """What a text on a colour is set in, so that it can be read.

    >>> ink_on("#440154"), ink_on("#fde725"), ink_on("#fde725", "#eeeeee", "#1f2430")
    ('white', 'black', '#1f2430')

    Args:
        color: behind the text.
        wished: colours of the text, the first that is easy to read is taken.

    Returns:
        one of these; black or white where none is.
    """
    for one in wished:
        if contrast(one, color) >= _EASY:
            return one
    return max("white", "black", key=lambda one: contrast(one, color))


def contrast(one: Any, other: Any) -> float:
    """How well two colours are told apart, 1 to 21, as WCAG 2 defines it."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def font_families() -> list[str]:
    """The font families of ``rcParams``."""
    return list(mpl.rcParams["font.family"])


def _shortened(text: str, kept: int) -> str:
    back = kept // 2
    return text[: kept - back].rstrip() + ELLIPSIS + (text[-back:].lstrip() if back else "")


def _size(axes: Axes) -> tuple[float, float]:
    """Width and height of axes, in points, as they lie now."""
    figure = figure_of((axes,))
    box = axes.get_window_extent()
    return box.width * POINTS / figure.dpi, box.height * POINTS / figure.dpi


def room_on(sheet: Sheet, axes: Axes | None) -> tuple[float, float]:
    """Width and largest height of what can be drawn, in points.

    Returns:
        those of a page, or of the axes that the user gave.
    """
    if axes is not None:
        return _size(axes)
    width = sheet.paper.width * POINTS
    return width, tallest(width)


def tallest(width: float) -> float:
    """How tall a page of a width may become, both in points.

    >>> tallest(3.25 * POINTS) / POINTS, tallest(10 * POINTS) / POINTS
    (9.0, 6.0)
    """
    return PAGE if width < _PORTRAIT else _LANDSCAPE * width


def given_axes(sheet: Sheet) -> Axes | None:
    """The user's axes, for a figure of one panel."""
    given = sheet.given(1)
    return None if given is None else given[0]
