"""Paper: how large a figure is, and how large its text; sizes and styles by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl

from segviz.charts.sizes import inches, points

Style = Literal["paper", "slides", "notebook"]

POINTS = 72
"""Points to an inch."""

_SMALL = 7 / 9


@dataclass(frozen=True, slots=True)
class _Look:
    font_size: float
    line: float
    dpi: float
    png: float


# The caption of most papers is set in 9 points; text in a figure shall not be larger.
_STYLES: dict[str, _Look] = {
    "paper": _Look(font_size=9, line=0.8, dpi=150, png=300),
    "slides": _Look(font_size=18, line=1.6, dpi=100, png=150),
    "notebook": _Look(font_size=10, line=1.0, dpi=100, png=150),
}


@dataclass(frozen=True, slots=True)
class Paper:
    """What a figure is drawn for.

    >>> Paper.of("column").width, Paper.of("text").font_size
    (3.25, 9.0)

    Args:
        width: of the whole figure, in inches.
        font_size: of titles and axis names, in points; it does not depend on the width.
        small: of tokens, ticks and segment names, in points.
        line: thickness of lines, in points.
        dpi: pixels to an inch in a notebook.
        png: pixels to an inch of a PNG file.
        rc: settings of matplotlib under which the figure is made and saved. What the user has
            changed in ``rcParams`` stays.
    """

    width: float
    font_size: float
    small: float
    line: float
    dpi: float
    png: float
    rc: Mapping[str, Any]

    @staticmethod
    def of(
        width: str | float = "column", style: Style = "paper", font_size: float | None = None
    ) -> Paper:
        """A paper by the names of its width and style.

        Args:
            width: ``"column"`` (3.25 inches), ``"text"`` (6.75), ``"slide"`` (10), or inches.
            style: ``"paper"``, ``"slides"`` or ``"notebook"``: sizes of text and lines.
            font_size: in points; None: that of the style, or of the user's ``rcParams``.

        Raises:
            ValueError: an unknown name, or a size that no figure has.
        """
        if style not in _STYLES:
            raise ValueError(f"style={style!r}; allowed are {', '.join(map(repr, _STYLES))}")
        look = _STYLES[style]
        usual = _own("font.size") or look.font_size
        size = points(usual if font_size is None else font_size)
        wanted = {
            "font.size": size,
            "axes.linewidth": look.line,
            "hatch.linewidth": 0.5 * look.line,
            "mathtext.default": "regular",
        }
        # The user's settings come first; that of the size has been heard above.
        rc = {name: value for name, value in wanted.items() if not _own(name)} | {"font.size": size}
        return Paper(
            width=inches(width),
            font_size=size,
            small=_SMALL * size,
            line=look.line,
            dpi=look.dpi,
            png=look.png,
            rc=rc,
        )


def _own(name: str) -> Any:
    """The user's setting of matplotlib; None where nothing was changed."""
    settings: Any = mpl.rcParams
    value = settings[name]
    return None if value == mpl.rcParamsDefault[name] else value  # type: ignore[reportArgumentType]
