"""Heading: the title of a plot, and what the reader has to know below it."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go

from segviz.charts import Span
from segviz.palette import segment_color
from segviz.plots.page import Page
from segviz.plots.texts import escaped

_TOP = 10
"""Pixels above the title."""
_LIFTED = 0.7
_BESIDE = 80
"""Pixels that token labels and margins take of the width, about."""


def heading_room(
    title: str, notes: list[str], page: Page, *, segments: Sequence[Span] = ()
) -> float:
    """Pixels from the top of the plot to what stands below its heading."""
    lines = 1.5 * len(_lines(title, page)) + 1.25 * (len(notes) + len(_packed(segments, page)))
    # Plotly's own buttons stand at the top, and nothing shall be below them.
    return _TOP + max(lines * page.font, 8) + 6


def add_heading(
    figure: go.Figure, title: str, notes: list[str], page: Page, *, segments: Sequence[Span] = ()
) -> None:
    """Write title and notes at the top left, and which segment has which colour."""
    layout: Any = figure.layout
    size = f"font-size:{page.small:.1f}px"
    parts = [escaped(line) for line in _lines(title, page)]
    parts += [f'<span style="{size};fill-opacity:0.9">{escaped(note)}</span>' for note in notes]
    for line in _packed(segments, page):
        named = (
            f'<span style="color:{segment_color(span.number)}">▌{escaped(span.name)}</span>'
            for span in line
        )
        parts.append(f'<span style="{size}">{"  ".join(named)}</span>')
    if not parts:
        return
    # Plotly moves several lines up by this much.
    moved = _LIFTED * 1.15 * page.font if len(parts) > 1 else 0
    layout.title = {
        "text": "<br>".join(parts), "x": 0, "xref": "paper", "xanchor": "left",
        "y": 1 - (_TOP + moved) / layout.height, "yref": "container", "yanchor": "top",
    }  # fmt: skip


def _lines(title: str, page: Page) -> list[str]:
    """A title that is broken where it is wider than the page."""
    return wrap(title, max(12, int((page.nominal - _BESIDE) / (0.6 * page.font))))


def _packed(spans: Sequence[Span], page: Page) -> list[list[Span]]:
    """Segments in lines that are no wider than the page."""
    lines: list[list[Span]] = []
    left = 0.0
    for span in spans:
        wide = page.text_width(span.name + "▌  ")
        if not lines or wide > left:
            lines.append([])
            left = page.nominal - _BESIDE
        lines[-1].append(span)
        left -= wide
    return lines
