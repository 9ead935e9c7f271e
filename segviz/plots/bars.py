"""Bars: what the colours mean, above the panels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from segviz.palette import Kind
from segviz.plots.colors import color_scale, colormap, hexes, ticks
from segviz.plots.page import Page
from segviz.scales import SCALE_NAMES, Scale

_THICK = 9
_LONG = 230


@dataclass(frozen=True, slots=True)
class Bar:
    """How numbers become colours, and what is said about that.

    Args:
        colors: as in :func:`segviz.plots.colors.colormap`.
        kind: of the numbers.
        scale: of the numbers.
        limit: where the colours end.
        clipped: whether larger numbers are shown.
        unit: what the numbers are.
    """

    colors: Any
    kind: Kind
    scale: Scale
    limit: float
    clipped: bool
    unit: str

    def color_axis(self) -> dict[str, Any]:
        """A ``coloraxis`` of plotly's for the numbers; its bar is drawn by :meth:`draw`."""
        return {
            "colorscale": color_scale(self.colors, self.kind, self.scale, self.limit),
            "cmin": 0 if self.kind == "sequential" else -self.limit,
            "cmax": self.limit,
            "showscale": False,
        }

    def draw(
        self, figure: go.Figure, number: int, x: float, top: float, page: Page,
        *, share: float | None = None,
    ) -> None:  # fmt: skip
        """Draw a bar on which the colours are evenly spaced, with nice numbers below.

        Plotly's own bar of a colour scale is linear in the numbers: of a logarithmic one it would
        show nothing but the last colour. So the bar has a colour axis of its own, in shares of the
        colours.

        Args:
            figure: to draw in; its height and its margin at the top have been set.
            number: of the bar's colour axis in the layout.
            x: the bar's left end, as a share of the panels' width.
            top: pixels from the top of the figure.
            page: what is drawn for.
            share: of the panels' width; None: as long as all its ticks need.
        """
        length = min(_LONG, (share or 0.6) * (page.nominal - 100))
        evenly = np.linspace(0, 1, 65)
        at, texts = ticks(
            self.kind, self.scale, self.limit, clipped=self.clipped, apart=28 / length
        )
        name = f"coloraxis{number}"
        layout: Any = figure.layout
        below = top + 1.5 * page.small
        layout[name] = {
            "colorscale": list(
                zip(evenly.tolist(), hexes(colormap(self.colors, self.kind)(evenly)), strict=True)
            ),
            "cmin": 0 if self.kind == "sequential" else -1,
            "cmax": 1,
            "colorbar": {
                "orientation": "h", "thickness": _THICK,
                "lenmode": "pixels" if share is None else "fraction", "len": share or length,
                "x": x, "xanchor": "left", "xref": "paper", "xpad": 0, "ypad": 0,
                "y": 1 - below / layout.height, "yanchor": "top", "yref": "container",
                "tickmode": "array", "tickvals": at, "ticktext": texts, "ticks": "outside",
                "ticklen": 3, "tickcolor": page.theme.muted, "tickfont": {"size": page.small},
                "outlinewidth": 0, "tickangle": 0,
            },
        }  # fmt: skip
        title = {
            "text": self._title(length, page),
            "font": {"size": page.small}, "showarrow": False, "borderpad": 0,
            "x": x, "xref": "paper", "xanchor": "left",
            "y": 1, "yref": "paper", "yanchor": "top", "yshift": layout.margin.t - top,
        }  # fmt: skip
        layout.annotations = (*layout.annotations, title)
        # Without any data on it, a colour axis has no bar.
        marker = {"color": [0], "coloraxis": name, "opacity": 0}
        figure.add_trace(
            go.Scatter(
                x=[None], y=[None], mode="markers", marker=marker, hoverinfo="skip",
                showlegend=False,
            )
        )  # fmt: skip

    def _title(self, length: float, page: Page) -> str:
        """The unit, and the scale where there is room and it is not the plainest."""
        plain = self.scale in ("linear", "clipped")
        whole = self.unit + ("" if plain else f", {SCALE_NAMES[self.scale]} scale")
        ways = [whole, self.unit]
        fitting = (way for way in ways if page.text_width(way) <= 1.2 * length)
        return next(fitting, self.unit.split()[-1])


def room(page: Page) -> float:
    """Pixels that a bar takes, with its ticks and its title."""
    return _THICK + 3.1 * page.small + 6
