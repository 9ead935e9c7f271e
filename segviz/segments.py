"""Segments: named spans of token positions that partition a sequence.

Pure Python and numpy, immutable. An edit returns a new segmentation, so a run that is under way
never sees its segments change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from operator import index as as_index
from typing import Any, Literal, get_args

import numpy as np

AttentionKind = Literal["bidirectional", "causal"]
ATTENTION_KINDS: tuple[AttentionKind, ...] = get_args(AttentionKind)


@dataclass(frozen=True, slots=True)
class Segment:
    """A half-open span ``[start, stop)`` of token positions.

    >>> Segment(0, 4, "system")
    Segment(start=0, stop=4, name='system', attention='bidirectional')
    >>> Segment(0, 4, "system").length
    4

    Args:
        start: first token position, 0-based.
        stop: the position behind the last one; greater than ``start``.
        name: what the segment holds (``system``, ``user``, …).
        attention: ``"bidirectional"``: its tokens see each other in both directions during the
            prefill; ``"causal"``: a token sees only what comes before it.

    Raises:
        TypeError: a position that is no integer, or a name that is no string.
        ValueError: an empty or negative span, or an unknown attention kind.
    """

    start: int
    stop: int
    name: str
    attention: AttentionKind = "bidirectional"

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", _position(self.start, "start"))
        object.__setattr__(self, "stop", _position(self.stop, "stop"))
        if not isinstance(self.name, str):
            raise TypeError(f"a segment's name is a string, not {self.name!r}")
        if not 0 <= self.start < self.stop:
            raise ValueError(
                f"segment {self.name!r} spans [{self.start}, {self.stop}); "
                "it has to start at 0 or later and hold at least one token"
            )
        if self.attention not in ATTENTION_KINDS:
            raise ValueError(
                f"segment {self.name!r} has attention={self.attention!r}; "
                f"allowed are {' and '.join(map(repr, ATTENTION_KINDS))}"
            )

    @property
    def length(self) -> int:
        """Number of tokens.

        >>> Segment(4, 9, "user").length
        5
        """
        return self.stop - self.start


@dataclass(frozen=True, slots=True, init=False)
class Segmentation:
    """Segments that partition ``range(length)``: in order, contiguous, none empty.

    >>> chat = Segmentation([Segment(0, 1, "bos", "causal"), Segment(1, 4, "system"),
    ...                      Segment(4, 9, "user")])
    >>> chat.length, chat.boundaries
    (9, (1, 4))
    >>> chat.block_ids()
    array([-1,  1,  1,  1,  2,  2,  2,  2,  2])
    >>> [segment.name for segment in chat.split(6).segments]
    ['bos', 'system', 'user', 'user 2']

    Raises:
        TypeError: something that is no :class:`Segment`.
        ValueError: no segment at all, or segments that overlap or leave a gap.
    """

    segments: tuple[Segment, ...]

    def __init__(self, segments: Iterable[Segment]) -> None:
        object.__setattr__(self, "segments", tuple(segments))
        if not self.segments:
            raise ValueError("a segmentation needs at least one segment")
        expected = 0
        for number, segment in enumerate(self.segments):
            if not isinstance(segment, Segment):
                raise TypeError(f"segment {number} is a {type(segment).__name__}, not a Segment")
            if segment.start != expected:
                raise ValueError(
                    f"segment {number} ({segment.name!r}) starts at {segment.start}, but the one "
                    f"before it ends at {expected}: segments follow each other without gap or "
                    "overlap, the first from 0"
                )
            expected = segment.stop

    @property
    def length(self) -> int:
        """Number of token positions.

        >>> Segmentation([Segment(0, 4, "system"), Segment(4, 9, "user")]).length
        9
        """
        return self.segments[-1].stop

    @property
    def boundaries(self) -> tuple[int, ...]:
        """Inner positions at which a segment starts: one fewer than segments.

        >>> Segmentation([Segment(0, 4, "system"), Segment(4, 9, "user")]).boundaries
        (4,)
        """
        return tuple(segment.start for segment in self.segments[1:])

    def block_ids(self) -> np.ndarray:
        """Int array ``[length]``: the segment's number where it is bidirectional, else -1.

        >>> Segmentation([Segment(0, 1, "bos", "causal"), Segment(1, 3, "user")]).block_ids()
        array([-1,  1,  1])

        This is the convention of ``block_sequence_ids`` in transformers.
        """
        return np.repeat(
            [
                number if segment.attention == "bidirectional" else -1
                for number, segment in enumerate(self.segments)
            ],
            [segment.length for segment in self.segments],
        )

    def at(self, position: int) -> int:
        """The index of the segment that holds a token position.

        >>> Segmentation([Segment(0, 4, "system"), Segment(4, 9, "user")]).at(4)
        1

        Raises:
            IndexError: a position outside of the sequence; none is counted from the end.
            TypeError: one that is no integer.
        """
        position = _position(position, "position")
        if not 0 <= position < self.length:
            raise IndexError(f"position {position} is outside of [0, {self.length})")
        return sum(boundary <= position for boundary in self.boundaries)

    def move_boundary(self, index: int, position: int) -> Segmentation:
        """Move the boundary between segments ``index`` and ``index + 1`` to ``position``.

        >>> Segmentation([Segment(0, 4, "system"), Segment(4, 9, "user")]).move_boundary(0, 2)
        Segmentation(segments=(Segment(start=0, stop=2, name='system', attention='bidirectional'), \
Segment(start=2, stop=9, name='user', attention='bidirectional')))

        Raises:
            IndexError: no such boundary.
            TypeError: an index or a position that is no integer.
            ValueError: a position that would leave one of the two segments empty.
        """
        index, position = self._boundary(index), _position(position, "position")
        before, after = self.segments[index : index + 2]
        if not before.start < position < after.stop:
            raise ValueError(
                f"boundary {index} cannot move to {position}: it stays between "
                f"{before.start + 1} and {after.stop - 1}, so that neither {before.name!r} nor "
                f"{after.name!r} becomes empty"
            )
        return self._replaced(
            index, 2, replace(before, stop=position), replace(after, start=position)
        )

    def split(self, position: int) -> Segmentation:
        """Cut the segment that holds ``position`` in two; the second half starts there.

        >>> halves = Segmentation([Segment(0, 9, "user")]).split(4).segments
        >>> [(segment.name, segment.start, segment.stop) for segment in halves]
        [('user', 0, 4), ('user 2', 4, 9)]

        The halves are named ``name`` and ``name 2`` and keep the attention kind.

        Raises:
            TypeError: a position that is no integer.
            ValueError: a position outside of the sequence, or one where a segment already starts.
        """
        position = _position(position, "position")
        if not 0 < position < self.length:
            raise ValueError(
                f"cannot split at {position}: a split lies between 1 and {self.length - 1}"
            )
        index = self.at(position)
        segment = self.segments[index]
        if segment.start == position:
            raise ValueError(f"cannot split at {position}: {segment.name!r} already starts there")
        return self._replaced(
            index,
            1,
            replace(segment, stop=position),
            replace(segment, start=position, name=f"{segment.name} 2"),
        )

    def merge(self, index: int) -> Segmentation:
        """Join segments ``index`` and ``index + 1``; name and kind of the first one stay.

        >>> Segmentation([Segment(0, 4, "system"), Segment(4, 9, "user")]).merge(0).segments
        (Segment(start=0, stop=9, name='system', attention='bidirectional'),)

        Raises:
            IndexError: no such boundary.
            TypeError: an index that is no integer.
        """
        index = self._boundary(index)
        before, after = self.segments[index : index + 2]
        return self._replaced(index, 2, replace(before, stop=after.stop))

    def rename(self, index: int, name: str) -> Segmentation:
        """Give segment ``index`` another name.

        >>> Segmentation([Segment(0, 4, "user")]).rename(0, "question").segments[0].name
        'question'

        Raises:
            IndexError: no such segment.
            TypeError: an index that is no integer, or a name that is no string.
        """
        index = self._segment(index)
        return self._replaced(index, 1, replace(self.segments[index], name=name))

    def set_attention(self, index: int, kind: AttentionKind) -> Segmentation:
        """Make segment ``index`` ``"bidirectional"`` or ``"causal"``.

        >>> Segmentation([Segment(0, 4, "user")]).set_attention(0, "causal").block_ids()
        array([-1, -1, -1, -1])

        Raises:
            IndexError: no such segment.
            TypeError: an index that is no integer.
            ValueError: an unknown attention kind.
        """
        index = self._segment(index)
        return self._replaced(index, 1, replace(self.segments[index], attention=kind))

    def append(self, length: int, name: str, attention: AttentionKind = "causal") -> Segmentation:
        """Add a segment of ``length`` tokens at the end.

        >>> Segmentation([Segment(0, 4, "user")]).append(2, "response").segments[-1]
        Segment(start=4, stop=6, name='response', attention='causal')

        Raises:
            TypeError: a length that is no integer, or a name that is no string.
            ValueError: a length below 1, or an unknown attention kind.
        """
        length = _position(length, "length")
        return Segmentation(
            (*self.segments, Segment(self.length, self.length + length, name, attention))
        )

    def cut(self, length: int) -> Segmentation:
        """The segments of the first ``length`` positions; all, where there are no more.

        >>> whole = Segmentation([Segment(0, 4, "user"), Segment(4, 9, "response")])
        >>> [(segment.name, segment.stop) for segment in whole.cut(5).segments]
        [('user', 4), ('response', 5)]

        Raises:
            ValueError: a length of 0 or less.
        """
        return Segmentation(
            replace(segment, stop=min(segment.stop, length))
            for segment in self.segments
            if segment.start < length
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dicts, for JSON; the way back is :meth:`from_dict`.

        >>> Segmentation([Segment(0, 4, "user")]).to_dict()
        {'segments': [{'start': 0, 'stop': 4, 'name': 'user', 'attention': 'bidirectional'}]}
        """
        return {
            "segments": [
                {"start": s.start, "stop": s.stop, "name": s.name, "attention": s.attention}
                for s in self.segments
            ]
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Segmentation:
        """The segmentation that :meth:`to_dict` described.

        >>> segmentation = Segmentation([Segment(0, 4, "user")])
        >>> Segmentation.from_dict(segmentation.to_dict()) == segmentation
        True

        Raises:
            ValueError: data of another form, or segments that are no partition.
        """
        try:
            segments = [Segment(**segment) for segment in data["segments"]]
        except (KeyError, TypeError) as error:
            raise ValueError(
                'a segmentation is described as {"segments": [{"start": …, "stop": …, "name": …, '
                f'"attention": …}}, …]}}, not as {data!r} ({error})'
            ) from error
        return cls(segments)

    def _boundary(self, index: int) -> int:
        return _checked_index(index, len(self.segments) - 1, "boundary", "boundaries")

    def _segment(self, index: int) -> int:
        return _checked_index(index, len(self.segments), "segment", "segments")

    def _replaced(self, index: int, count: int, *new: Segment) -> Segmentation:
        return Segmentation((*self.segments[:index], *new, *self.segments[index + count :]))


def _position(value: object, what: str) -> int:
    """An integer of any kind (numpy's too) as an int; a bool or a float is a slip."""
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{what} is an integer, not {value!r}")
    try:
        return as_index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{what} is an integer, not {value!r}") from None


def _checked_index(index: int, count: int, one: str, many: str) -> int:
    index = _position(index, f"the index of a {one}")
    if not 0 <= index < count:
        raise IndexError(f"there is no {one} {index}: this segmentation has {count} {many}")
    return index
