"""Titles: of a figure and of its panels, in as much room as there is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from segviz.figures.drawing.points import Ruler

_SHORTER = (
    (re.compile(r"^Layer (\d+), head (\d+)"), r"L\1 H\2"),
    (re.compile(r"^Layer (\d+), (mean|max) of heads"), r"L\1 \2"),
    (re.compile(r"^segment minus causal$"), "difference"),
    (re.compile(r"^(causal|segment) mask$"), r"\1"),
)
_MATH = re.compile(r"(?<!\\)\$.*(?<!\\)\$", re.DOTALL)


def title_lines(title: str, ruler: Ruler, size: float, room: float) -> list[str]:
    r"""A title in lines; one with a formula is divided only where it says so.

    >>> title_lines("Layer 2, head 0: segment mask", Ruler(), 9, 80)
    ['Layer 2, head 0:', 'segment mask']
    >>> title_lines("", Ruler(), 9, 80), title_lines(r"The mass $p(k \mid q)$", Ruler(), 9, 20)
    ([], ['The mass $p(k \\mid q)$'])
    """
    if has_math(title):
        return title.split("\n")
    return [line for part in title.split("\n") for line in ruler.lines(part, size, room)]


def has_math(title: str) -> bool:
    """Whether a title holds a formula.

    >>> has_math("cost: $5"), has_math("$x$ and $y$")
    (False, True)
    """
    return _MATH.search(title) is not None


def panel_titles(titles: Sequence[str], ruler: Ruler, size: float, room: float) -> list[str]:
    """Titles of panels: as they are, or all of them shorter.

    >>> panel_titles(["Layer 3, head 5", "Layer 3, mean of heads"], Ruler(), 7, 40)
    ['L3 H5', 'L3 mean']
    """
    if ruler.widest(titles, size) <= room:
        return list(titles)
    return [ruler.fit(_shorter(title), size, room) for title in titles]


def _shorter(title: str) -> str:
    for long, short in _SHORTER:
        if long.search(title):
            return long.sub(short, title)
    return title
