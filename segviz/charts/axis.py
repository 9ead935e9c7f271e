"""Axis: which tokens the rows or the columns of a figure stand for, and what is written beside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from segviz.grouping import Merge
from segviz.labels import readable
from segviz.segments import AttentionKind, Segmentation


@dataclass(frozen=True, slots=True)
class Span:
    """A segment on an axis, in cells; cell 0 reaches from 0 to 1.

    Args:
        start: where it begins; between two borders of cells where several tokens are one cell.
        stop: where it ends.
        name: the segment's name.
        number: the segment's number in the prompt, which gives its colour.
        attention: its attention kind.
    """

    start: float
    stop: float
    name: str
    number: int
    attention: AttentionKind


@dataclass(frozen=True, eq=False, slots=True)
class Axis:
    """The cells of one side.

    >>> from segviz.segments import Segment
    >>> chat = Segmentation([Segment(0, 2, "system"), Segment(2, 5, "user")])
    >>> axis = Axis.of(["An", "na", " leads", " Ben", "."], chat, None, np.array([0, 2, 3]), 5,
    ...                merge="words")
    >>> axis.labels, axis.spans[1].start, axis.name(1)
    (('Anna', ' leads', ' Ben.'), 1.0, 'leads (2)')

    Args:
        starts: int ``[cell]``, the first token position of each cell.
        stop: the position behind the last cell.
        labels: one for each cell; empty where tokens are pooled.
        spans: the segments in sight.
        border: where decoding starts, in cells; None where that is out of sight.
        marked: highlighted cells.
        factor: tokens, words or segments that one cell stands for.
        merge: what those are.
    """

    starts: np.ndarray
    stop: int
    labels: tuple[str, ...]
    spans: tuple[Span, ...]
    border: float | None
    marked: tuple[int, ...]
    factor: int
    merge: Merge

    @staticmethod
    def of(
        tokens: Sequence[str],
        segmentation: Segmentation,
        prompt_length: int | None,
        starts: np.ndarray,
        stop: int,
        *,
        merge: Merge = "tokens",
        factor: int = 1,
        highlight: Iterable[int] = (),
    ) -> Axis:
        """The axis of groups of tokens.

        Args:
            tokens: decoded tokens of the whole sequence; empty if they are not known.
            segmentation: its segments.
            prompt_length: where decoding starts.
            starts: int ``[group]``, the first token position of each group in sight.
            stop: the position behind the last of them.
            merge: what a group is.
            factor: groups that become one cell.
            highlight: token positions to mark.
        """
        edges = np.append(starts, stop)

        def cell(position: int) -> float:
            """Where a position is; inside of a group that counts as the group's start."""
            inside = min(max(position, int(edges[0])), stop)
            group = int(np.searchsorted(edges, inside, side="right")) - 1
            return min(group / factor, -(-len(starts) // factor))

        spans = tuple(
            Span(cell(s.start), cell(s.stop), s.name, number, s.attention)
            for number, s in enumerate(segmentation.segments)
            if s.start < stop and s.stop > edges[0]
        )
        border = None
        if prompt_length is not None and edges[0] < prompt_length < stop:
            border = cell(prompt_length)
        labels: tuple[str, ...] = ()
        if merge == "segments" and factor == 1:
            labels = tuple(segmentation.segments[segmentation.at(int(at))].name for at in starts)
        elif factor == 1 and tokens:
            groups = (tokens[a:b] for a, b in pairwise(edges.tolist()))
            labels = tuple(readable("".join(group)) for group in groups)
        marked = {int(cell(at)) for at in highlight if edges[0] <= at < stop}
        return Axis(
            edges[:-1:factor], stop, labels, spans, border, tuple(sorted(marked)), factor, merge
        )

    @property
    def cells(self) -> int:
        """Number of cells."""
        return len(self.starts)

    @property
    def pooled(self) -> str:
        """What a cell stands for, where that is several tokens: ``"4 tokens"``; else ``""``."""
        return f"{self.factor} {self.merge}" if self.factor > 1 else ""

    def name(self, cell: int) -> str:
        """A cell's label with its token position, or the positions that it stands for."""
        start = int(self.starts[cell])
        stop = int(self.starts[cell + 1]) if cell + 1 < self.cells else self.stop
        where = f"({start})" if stop - start == 1 or self.labels else f"({start}–{stop - 1})"
        return f"{self.labels[cell].strip()} {where}" if self.labels else where.strip("()")
