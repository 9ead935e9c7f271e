"""Lines: running text divided into lines at its tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from segviz.labels import is_special

_BREAK = "⏎"
_ENDS_A_WORD = (_BREAK, "␣", "⇥")
_ROUNDING = 1e-6


class Measure(Protocol):
    """How wide a text is, and what of it fits; of :class:`~segviz.figures.drawing.points.Ruler`."""

    def width(self, text: str, size: float, /) -> float:
        """Of a text."""
        ...

    def fit(self, text: str, size: float, room: float, /) -> str:
        """A text shortened to a width."""
        ...


@dataclass(frozen=True, slots=True)
class Piece:
    """A token in its line.

    Args:
        token: its index.
        text: what is written: without its leading space where it begins the line.
        x: where it begins, in points from the line's start.
        width: in points.
    """

    token: int
    text: str
    x: float
    width: float


Line = tuple[Piece, ...]


def in_lines(
    labels: Sequence[str], starts: Collection[int], measure: Measure, size: float, room: float
) -> list[Line]:
    """Tokens in lines, divided between words, and inside of one only where it is too long.

    >>> from segviz.figures.drawing.points import Ruler
    >>> lines = in_lines(["Anna", " fol", "lows", " Ben", ".⏎", "Who"], {0}, Ruler(), 9, 60)
    >>> ["".join(piece.text for piece in line) for line in lines]
    ['Anna follows', 'Ben.⏎', 'Who']

    Args:
        labels: of the tokens, as :func:`segviz.labels.readable` gives them.
        starts: tokens that begin a line: those of the segments.
        measure: says how wide they are.
        size: of the text, in points.
        room: width of a line, in points.
    """

    def width(token: int) -> float:
        return measure.width(measure.fit(labels[token], size, room), size)

    lines: list[list[Piece]] = []
    for start, stop in _words(labels, starts):
        whole = sum(map(width, range(start, stop)))
        over = not lines or start in starts or labels[start - 1].endswith(_BREAK)
        # A word that no line holds begins where it is, and is divided between its tokens.
        if over or _end(lines[-1]) + whole > room >= whole:
            lines.append([])
        for token in range(start, stop):
            if lines[-1] and _end(lines[-1]) + width(token) > room + _ROUNDING:
                lines.append([])
            label = labels[token] if lines[-1] else labels[token].removeprefix(" ")
            text = measure.fit(label, size, room)
            x = _end(lines[-1])
            lines[-1].append(Piece(token, text, x, measure.width(text, size)))
    return [tuple(line) for line in lines]


def shortened(lines: Sequence[Line], most: int) -> tuple[list[Line], int, list[Line]]:
    """The first and the last lines of a text that is too long.

    >>> lines = [(Piece(number, "a", 0, 5),) for number in range(9)]
    >>> head, left_out, tail = shortened(lines, 5)
    >>> len(head), left_out, len(tail)
    (2, 5, 2)

    Args:
        lines: of the text.
        most: lines that there is room for, that of a remark included; at least 3.

    Returns:
        the first ones, the number of tokens left out, and the last ones.
    """
    if len(lines) <= most:
        return list(lines), 0, []
    head = most // 2
    tail = most - 1 - head
    gone = lines[head : len(lines) - tail]
    return list(lines[:head]), sum(map(len, gone)), list(lines[len(lines) - tail :])


def _words(labels: Sequence[str], starts: Collection[int]) -> list[tuple[int, int]]:
    edges = [token for token in range(len(labels)) if _begins(labels, token, starts)]
    return list(pairwise([*edges, len(labels)]))


def _begins(labels: Sequence[str], token: int, starts: Collection[int]) -> bool:
    if token == 0 or token in starts or labels[token].startswith(" "):
        return True
    before = labels[token - 1]
    return before.endswith(_ENDS_A_WORD) or is_special(before) or is_special(labels[token])


def _end(line: Sequence[Piece]) -> float:
    return line[-1].x + line[-1].width if line else 0.0
