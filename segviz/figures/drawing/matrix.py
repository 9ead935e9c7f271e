"""Matrix: how large the cells of segments by segments are, and which names and numbers fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segviz.figures.drawing.colors import Colors
from segviz.figures.drawing.heading import LINE
from segviz.figures.drawing.points import Ruler, depth, height
from segviz.figures.drawing.sides import READABLE

QUERIES, KEYS = "query segment", "key segment"

EDGE = 2.0
TO_LABEL = 3.0
BETWEEN = 12.0
"""Points between matrices side by side."""

_NAMES = 0.25
"""Of the width at most: the names of the queries' segments; of those of the keys, likewise."""
_TALL, _WIDE = 4.5, 7.0
"""Height and width of a cell at most, of the size of its number."""
_LINE = 1.15
_MINUS = "−"


@dataclass(frozen=True, slots=True)
class Panel:
    """A matrix, and how its numbers become colours."""

    title: str
    values: np.ndarray
    colors: Colors

    @property
    def texts(self) -> list[list[str]]:
        """Of each cell its number; nothing where nothing is visible."""
        signed = self.colors.kind == "diverging"
        return [
            ["" if np.isnan(one) else shown(float(one), signed=signed) for one in row]
            for row in self.values
        ]


@dataclass(frozen=True, slots=True)
class Plan:
    """Where everything goes, in points.

    Args:
        left: where the first matrix begins.
        cell: width and height of a cell.
        step: from one matrix to the next.
        rows: names beside the rows; empty where one is left out.
        row_size: of these.
        columns: names below the columns.
        column_size: of these.
        turned: whether they are written upwards.
        below: how far they reach.
        numbers: size of the numbers in the cells; None: no room for them.
    """

    left: float
    cell: tuple[float, float]
    step: float
    rows: tuple[str, ...]
    row_size: float
    columns: tuple[str, ...]
    column_size: float
    turned: bool
    below: float
    numbers: float | None


def shown(value: float, *, signed: bool) -> str:
    """The number of a cell.

    >>> shown(0.1249, signed=False), shown(0.12, signed=True), shown(-0.05, signed=True)
    ('0.12', '+0.12', '−0.05')
    >>> shown(-0.004, signed=True)
    '0.00'
    """
    text = f"{abs(value):.2f}"
    if not signed or float(text) == 0:
        return text
    return ("+" if value > 0 else _MINUS) + text


def planned(
    panels: Sequence[Panel],
    names: Sequence[str],
    ruler: Ruler,
    small: float,
    width: float,
    most: float,
) -> Plan:
    """Cells as large as there is room for, and the names and numbers that fit then.

    Args:
        panels: side by side.
        names: of the segments.
        ruler: measures them.
        small: size of all texts, in points.
        width: of the page.
        most: height of cells and names at most.
    """
    count = len(names)
    axis = EDGE + height(small) + depth(small) + 2
    limit = min(_NAMES * width, ruler.widest(names, small))
    room = width - EDGE - axis - limit - TO_LABEL - (len(panels) - 1) * BETWEEN
    wide = min(room / len(panels) / count, _WIDE * small)
    beyond = min(ruler.widest(names, small), _NAMES * width) + 3 * LINE * small
    # Tall enough for the name of the axis, where there is a segment or two.
    least = (ruler.width(QUERIES, small) + 2) / count
    tall = max(min(max(min(wide, _TALL * small), least), (most - beyond) / count), 0.05)
    rows, row_size = _thinned(names, tall, small, limit, ruler)
    beside = ruler.widest(rows, row_size)
    turned = ruler.widest(names, small) + 3 > wide
    if turned:
        columns, column_size = _thinned(names, wide, small, _NAMES * width, ruler)
        below = TO_LABEL + ruler.widest(columns, column_size) + 2
    else:
        columns, column_size = list(names), small
        below = TO_LABEL + height(small) + depth(small) + 2
    used = axis + beside + TO_LABEL + len(panels) * count * wide + (len(panels) - 1) * BETWEEN
    left = axis + beside + TO_LABEL + max(0.0, (width - EDGE - used) / 2)
    return Plan(
        left=left,
        cell=(wide, tall),
        step=count * wide + BETWEEN,
        rows=tuple(rows),
        row_size=row_size,
        columns=tuple(columns),
        column_size=column_size,
        turned=turned,
        below=below,
        numbers=_number_size(panels, wide, tall, small, ruler),
    )


def _thinned(
    names: Sequence[str], pitch: float, small: float, room: float, ruler: Ruler
) -> tuple[list[str], float]:
    """Names that stand so far apart, and their size: some are left out where they are too many."""
    size = min(small, pitch / _LINE)
    step = 1
    if size < READABLE:
        size = small
        step = next(one for one in _steps() if one * pitch >= _LINE * small)
    # One at the end must not stand out: there is the page's edge, or another name.
    last = len(names) * pitch - (_LINE * size / 2 if step > 1 else 0)
    shown = [
        ruler.fit(name, size, room) if number % step == 0 and (number + 0.5) * pitch <= last else ""
        for number, name in enumerate(names)
    ]
    return shown, size


def _steps() -> list[int]:
    return [one * power for power in (1, 10, 100, 1000) for one in (1, 2, 5)]


def _number_size(
    panels: Sequence[Panel], wide: float, tall: float, small: float, ruler: Ruler
) -> float | None:
    texts = {text for panel in panels for row in panel.texts for text in row}
    # The widest digits are all alike, so that all numbers have one size.
    widest = ruler.widest(sorted(texts), small) or 1.0
    size = min(small, small * (wide - 3) / widest, tall / 1.3)
    return size if size >= min(READABLE, small) else None
