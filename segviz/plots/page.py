"""Page: how wide a plot is, how large its text, and the colours of what is not data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import plotly.graph_objects as go

from segviz.charts.sizes import inches, points
from segviz.palette import INK, MUTED

Themes = Literal["auto", "light", "dark"]

INCH = 96
"""Pixels to an inch."""
POINT = INCH / 72
"""Pixels to a point."""

_FONT_SIZE = 9.0
_USUAL = 1000
"""Pixels of a place whose width nobody knows before the plot is shown there."""

SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Helvetica Neue', sans-serif"
MONO = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', 'Noto Sans Mono', monospace"


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a page.

    Args:
        ink: of text.
        muted: of lines and of what matters less.
        background: of the page.
        masked: of panels where there are no cells.
        dark: whether the page is known to be dark.
    """

    ink: str
    muted: str
    background: str
    masked: str
    dark: bool = False


# Of "auto" the page may be white or as dark as JupyterLab's (#111): the grey has 4.3:1 on both, and
# no colour has more.
THEMES: dict[str, Theme] = {
    "auto": Theme("#747a85", "#747a85", "rgba(0,0,0,0)", "rgba(127,127,127,0.22)"),
    "light": Theme(INK, MUTED, "#ffffff", "#e3e5ea"),
    "dark": Theme("#e4e7ee", "#9ba3b1", "#111111", "#2c2f35", dark=True),
}


@dataclass(frozen=True, slots=True)
class Page:
    """What a plot is drawn for.

    >>> page = Page.of("column", font_size=12)
    >>> page.width, page.font
    (312, 16.0)

    Args:
        width: in pixels; None: the plot is as wide as its place.
        font: size of text, in pixels.
        theme: colours.
    """

    width: int | None
    font: float
    theme: Theme

    @staticmethod
    def of(
        width: str | float | None = None, font_size: float | None = None, theme: Themes = "auto"
    ) -> Page:
        """A page by the names of its width and theme.

        Args:
            width: ``"column"`` (3.25 inches), ``"text"`` (6.75), ``"slide"`` (10), or inches, of 96
                pixels each; None: as wide as its place.
            font_size: in points; None: 9.
            theme: ``"auto"``, ``"light"`` or ``"dark"``.

        Raises:
            ValueError: an unknown name, or a size that no plot has.
            TypeError: a size that is no number.
        """
        if theme not in THEMES:
            raise ValueError(f"theme={theme!r}; allowed are {', '.join(map(repr, THEMES))}")
        size = points(_FONT_SIZE if font_size is None else font_size)
        return Page(_width(width), size * POINT, THEMES[theme])

    @property
    def small(self) -> float:
        """Size of tokens, ticks and segment names, in pixels."""
        return 0.88 * self.font

    @property
    def nominal(self) -> int:
        """The width to reckon with, in pixels."""
        return self.width or _USUAL

    def text_width(self, text: str) -> float:
        """About how wide a small text is, in pixels."""
        return 0.6 * self.small * len(text)

    def figure(self, height: float, margin: dict[str, float]) -> go.Figure:
        """An empty figure of this width, in the theme's colours.

        The theme is the figure's template, so that ``update_layout(template=…)`` changes it.

        Args:
            height: in pixels, of all.
            margin: in pixels, by ``l``, ``r``, ``t`` and ``b``.
        """
        figure = go.Figure(layout_template=self._template())
        figure.update_layout(
            width=self.width, height=round(height), margin={**margin, "pad": 2}, hovermode="closest"
        )
        return figure

    def _template(self) -> go.layout.Template:
        theme, small = self.theme, {"size": self.small}
        axis = {
            "showgrid": False, "zeroline": False, "showline": False, "ticks": "",
            "tickfont": small, "title": {"font": {"size": self.font}, "standoff": 6},
        }  # fmt: skip
        return go.layout.Template(
            layout={
                "font": {"family": SANS, "size": self.font, "color": theme.ink},
                "paper_bgcolor": theme.background,
                "plot_bgcolor": theme.masked,
                "title": {"font": {"size": 1.15 * self.font}},
                # Dark on any page, since under "auto" nobody knows what the page is like.
                "hoverlabel": {
                    "bgcolor": INK, "bordercolor": theme.muted,
                    "font": {"family": SANS, "size": self.font, "color": "#ffffff"},
                },
                "modebar": {
                    "bgcolor": "rgba(0,0,0,0)", "color": theme.muted, "activecolor": theme.ink,
                    "remove": ["select2d", "lasso2d", "autoScale2d"],
                },
                "legend": {"font": small, "bgcolor": "rgba(0,0,0,0)"},
                "annotationdefaults": {"font": small, "showarrow": False},
                "xaxis": axis,
                "yaxis": axis,
            }
        )  # fmt: skip


def height_of(figure: go.Figure) -> float:
    """A figure's height, in pixels."""
    layout: Any = figure.layout
    return layout.height


def _width(width: str | float | None) -> int | None:
    if width is None:
        return None
    return round(inches(width, also="and None to fill the place") * INCH)
