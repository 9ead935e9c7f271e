"""Brackets: segments, the border of prefill and decode, and marked tokens, around a panel.

All of them are bound to cells, and stay beside these when the reader zooms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import plotly.graph_objects as go

from segviz.charts import Axis, Span
from segviz.palette import DECODE, segment_color
from segviz.plots.page import Page
from segviz.plots.texts import escaped, shortened

_SHORTEST = 4
"""Letters of a segment's name that still say something."""

GAP, DEPTH = 3, 4
"""Pixels from the panel to a bracket, and how far its ends reach towards the panel."""


@dataclass(frozen=True, slots=True)
class Name:
    """A segment's name beside its bracket.

    Args:
        span: the segment.
        text: the name, maybe shortened.
        level: 0 beside the bracket, 1 a line further out.
        shift: pixels from the segment's middle, so that the name does not leave the panel.
    """

    span: Span
    text: str
    level: int
    shift: float


def placed(axis: Axis, pitch: float, page: Page, beyond: float = 12) -> list[Name]:
    """Which names there is room for, and where.

    >>> import numpy as np
    >>> from segviz.segments import Segment, Segmentation
    >>> segments = [Segment(0, 1, "bos"), Segment(1, 2, "user"), Segment(2, 9, "system")]
    >>> axis = Axis.of([], Segmentation(segments), None, np.arange(9), 9)
    >>> [(name.text, name.level) for name in placed(axis, 20, Page.of())]
    [('bos', 0), ('user', 1), ('system', 0)]

    Long segments come first. A name that has no room goes a line further out, is shortened in the
    middle, or is left out.

    Args:
        axis: the cells and the segments in sight.
        pitch: pixels of a cell.
        page: what is drawn for.
        beyond: pixels that a name may reach over the panel's ends.
    """
    end = axis.cells * pitch + beyond
    taken: list[list[tuple[float, float]]] = [[], []]
    found = []
    for span in sorted(axis.spans, key=lambda span: span.start - span.stop):
        middle = (span.start + span.stop) / 2 * pitch
        for level, text in _ways(span.name):
            half = (page.text_width(text) + 6) / 2
            at = max(half - beyond, min(middle, end - half))
            here = (at - half, at + half)
            if all(here[1] <= start or stop <= here[0] for start, stop in taken[level]):
                taken[level].append(here)
                found.append(Name(span, text, level, at - middle))
                break
    return sorted(found, key=lambda name: name.span.start)


def _ways(name: str) -> list[tuple[int, str]]:
    ways = [(0, name), (1, name)]
    for length in range(len(name) - 2, _SHORTEST, -2):
        ways += [(level, shortened(name, length)) for level in (0, 1)]
    return ways


def room(names: Sequence[Name], page: Page) -> float:
    """Pixels that brackets and their names take."""
    levels = max((name.level + 1 for name in names), default=0)
    return GAP + DEPTH + 2 + levels * 1.35 * page.small


def add_brackets(
    figure: go.Figure, names: Sequence[Name], axis: Axis, side: Literal["top", "right"],
    xaxis: str, yaxis: str, page: Page,
) -> None:  # fmt: skip
    """Draw the brackets of all segments of an axis, and the names that have room.

    Args:
        figure: to draw in.
        names: from :func:`placed`.
        axis: of the panel, the keys above it or the queries at its right.
        side: where.
        xaxis: the panel's, ``"x2"`` for instance.
        yaxis: likewise.
        page: what is drawn for.
    """
    shapes, texts = [], []
    top = side == "top"
    for span in axis.spans:
        start, stop = _inner(span)
        if top:
            path = f"M{start},{GAP} L{start},{GAP + DEPTH} L{stop},{GAP + DEPTH} L{stop},{GAP}"
            place = {
                "xref": xaxis, "yref": f"{yaxis} domain", "ysizemode": "pixel", "yanchor": 1
            }  # fmt: skip
        else:
            path = f"M{GAP},{start} L{GAP + DEPTH},{start} L{GAP + DEPTH},{stop} L{GAP},{stop}"
            place = {
                "xref": f"{xaxis} domain", "yref": yaxis, "xsizemode": "pixel", "xanchor": 1
            }  # fmt: skip
        shapes.append(
            {
                "type": "path", "path": path, **place, "fillcolor": "rgba(0,0,0,0)",
                "line": {
                    "color": segment_color(span.number), "width": 1.6,
                    "dash": "dot" if span.attention == "causal" else "solid",
                },
            }
        )  # fmt: skip
    for name in names:
        middle = (name.span.start + name.span.stop) / 2 - 0.5
        out = GAP + DEPTH + 1 + name.level * 1.35 * page.small
        text: dict[str, Any] = {
            "text": escaped(name.text), "hovertext": escaped(name.span.name), "showarrow": False,
            "borderpad": 0, "font": {"color": segment_color(name.span.number), "size": page.small},
        }  # fmt: skip
        if top:
            text |= {
                "x": middle, "xref": xaxis, "y": 1, "yref": f"{yaxis} domain",
                "yanchor": "bottom", "yshift": out, "xshift": name.shift,
            }  # fmt: skip
        else:
            text |= {
                "y": middle, "yref": yaxis, "x": 1, "xref": f"{xaxis} domain",
                "xanchor": "left", "xshift": out, "yshift": -name.shift, "textangle": 90,
            }  # fmt: skip
        texts.append(text)
    _add(figure, shapes, texts)


def add_marks(figure: go.Figure, rows: Axis, columns: Axis, xaxis: str, yaxis: str) -> None:
    """Draw the border of prefill and decode, dashed, and frames around marked tokens."""
    shapes = []
    for axis, along in ((columns, "x"), (rows, "y")):
        across = "y" if along == "x" else "x"
        name = {"x": xaxis, "y": yaxis}
        place = {
            f"{along}ref": name[along], f"{across}ref": f"{name[across]} domain",
            f"{across}0": 0, f"{across}1": 1,
        }  # fmt: skip
        if axis.border is not None:
            at = axis.border - 0.5
            shapes.append(
                {
                    "type": "line", **place, f"{along}0": at, f"{along}1": at,
                    "line": {"color": DECODE, "width": 1.2, "dash": "dash"},
                }
            )  # fmt: skip
        shapes += [
            {
                "type": "rect", **place, f"{along}0": cell - 0.5, f"{along}1": cell + 0.5,
                "line": {"color": DECODE, "width": 1}, "fillcolor": "rgba(0,0,0,0)",
            }
            for cell in axis.marked
        ]  # fmt: skip
    _add(figure, shapes, [])


def _inner(span: Span) -> tuple[float, float]:
    """A bracket's ends on the axis, a little inside of the segment's."""
    inset = min(0.1, 0.01 * (span.stop - span.start) + 0.04)
    return span.start - 0.5 + inset, span.stop - 0.5 - inset


def _add(figure: go.Figure, shapes: list[dict[str, Any]], texts: list[dict[str, Any]]) -> None:
    """Add all at once: one at a time takes a while."""
    layout: Any = figure.layout
    layout.shapes = (*layout.shapes, *shapes)
    layout.annotations = (*layout.annotations, *texts)
