"""Lines: running text broken into lines of characters, each segment on a new one.

Nobody knows the reader's fonts before the plot is shown. So the text is set in a font whose
characters are equally wide, and places are counted in characters.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from segviz.charts import Span
from segviz.plots.texts import shortened

_BREAK = "⏎"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a token stands.

    Args:
        line: counted from 0.
        start: the first character of the line that it takes.
        stop: the character behind it.
        text: its label, without a space in front, shortened to fit in a line.
        lead: characters that the space in front takes.
    """

    line: int
    start: int
    stop: int
    text: str
    lead: int


def cells_of(text: str) -> int:
    """How many characters' width a text takes.

    >>> cells_of("Anna"), cells_of("北京"), cells_of("e\u0301")
    (4, 4, 1)
    """
    return sum(
        0 if unicodedata.combining(one) or one in "\u200c\u200d\ufe0f"
        else 2 if unicodedata.east_asian_width(one) in "WF"
        else 1
        for one in text
    )  # fmt: skip


def set_in_lines(labels: Sequence[str], spans: Sequence[Span], length: int) -> list[Place]:
    """Break tokens into lines.

    >>> spans = [Span(0, 1, "bos", 0, "causal"), Span(1, 4, "user", 1, "bidirectional")]
    >>> for place in set_in_lines(["<s>", "Who", " leads", "?"], spans, 7):
    ...     print(place.line, place.start, place.stop, place.text)
    0 0 3 <s>
    1 0 3 Who
    2 0 5 leads
    2 5 6 ?

    A space at the start of a line is left out; a line ends behind a line break.

    Args:
        labels: of the tokens.
        spans: the segments, each of which begins a line.
        length: characters in a line.
    """
    begins = {int(span.start) for span in spans}
    places: list[Place] = []
    line, at = 0, 0
    for number, label in enumerate(labels):
        text = shortened(label.lstrip(" ") or label, length)
        lead = 1 if label.startswith(" ") and text != label else 0
        broken = number > 0 and labels[number - 1].endswith(_BREAK)
        if number and (number in begins or broken or at + lead + cells_of(text) > length):
            line, at = line + 1, 0
        lead = lead if at else 0
        stop = at + lead + cells_of(text)
        places.append(Place(line, at, stop, text, lead))
        at = stop
    return places
