"""Carrying edits over: what somebody did to the segments of a prompt, done to an edited prompt."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import pairwise, zip_longest

from segviz.prompts.prompt import Prompt
from segviz.segments import Segment, Segmentation

_MOST = 1500
"""Tokens between the common ends of two prompts up to which they are aligned token by token."""

Mapped = Callable[[int], "int | None"]


def carried(old: Prompt, template: Segmentation, new: Prompt) -> Segmentation:
    """The segments of ``new``, with the edits that ``old`` had where its text is still there.

    >>> from segviz.segments import Segment
    >>> text = Segmentation([Segment(0, 4, "text")])
    >>> old = Prompt((5, 6, 7, 8), ("A", "b", "c", "d"), "Abcd", text.split(2))
    >>> new = Prompt((5, 6, 7, 9, 9), ("A", "b", "c", "x", "x"), "Abcxx",
    ...              Segmentation([Segment(0, 5, "text")]))
    >>> carried(old, text, new).boundaries
    (2,)

    A three-way merge: what differs between ``template`` and the old prompt's segments was edited,
    what differs between ``template`` and the new prompt's is the new template's doing; of a
    boundary that was moved into text that is gone, the template's place is taken.

    Args:
        old: the prompt before, with edited segments.
        template: its segments before any edit.
        new: the prompt now, with the segments of the template.
    """
    edited = old.segmentation
    if edited == template:
        return new.segmentation
    to_new = _mapping(old.token_ids, new.token_ids)
    boundaries = set(new.segmentation.boundaries)
    for removed, added in _edits(template.boundaries, edited.boundaries):
        kept = {place for place in map(to_new, added) if place is not None}
        if kept or not added:
            boundaries -= {place for place in map(to_new, removed) if place is not None}
            boundaries |= kept
    boundaries -= {0, new.length}
    starts = [0, *sorted(boundaries)]
    origins = {to_new(segment.start): segment for segment in edited.segments}
    return Segmentation(
        _named(start, stop or new.length, origins.get(start), template, new.segmentation)
        for start, stop in zip_longest(starts, starts[1:])
    )


def lost(old: Prompt, template: Segmentation, new: Prompt) -> list[str]:
    """The edits of ``old`` that ``new``, with the segments of :func:`carried`, does not have.

    >>> from segviz.segments import Segment
    >>> text = Segmentation([Segment(0, 4, "text")])
    >>> old = Prompt((5, 6, 7, 8), ("A", "b", "c", "d"), "Abcd", text.split(3).rename(0, "first"))
    >>> new = Prompt((5, 6, 9, 9), ("A", "b", "x", "x"), "Abxx", text)
    >>> lost(old, text, new.with_segmentation(carried(old, text, new)))
    ["the boundary before 'd'"]

    Args:
        old: the prompt before, with edited segments.
        template: its segments before any edit.
        new: the prompt now.

    Returns:
        one description for each lost boundary, merge, name and attention kind.
    """
    edited = old.segmentation
    to_new = _mapping(old.token_ids, new.token_ids)
    found: dict[int | None, Segment] = {one.start: one for one in new.segmentation.segments}
    added = {*edited.boundaries} - {*template.boundaries}
    removed = {*template.boundaries} - {*edited.boundaries}
    gone = {place for place in added if to_new(place) not in found}
    # Of a place that is not there any more the new template decides.
    cuts = {None, *new.segmentation.boundaries}
    back = {place for place in removed if to_new(place) in cuts}
    words = [f"the boundary before {old.tokens[place]!r}" for place in sorted(gone)]
    words += [f"the merge before {old.tokens[place]!r}" for place in sorted(back)]
    for segment in edited.segments:
        if segment.start not in gone:
            before = template.segments[template.at(segment.start)]
            words += _lost_of(segment, before, found.get(to_new(segment.start)))
    return words


def _lost_of(edited: Segment, before: Segment, now: Segment | None) -> list[str]:
    words = []
    if edited.name not in (before.name, now and now.name):
        words.append(f"the name {edited.name!r}")
    if edited.attention not in (before.attention, now and now.attention):
        words.append(f"{edited.attention} attention in {edited.name!r}")
    return words


def _named(
    start: int, stop: int, edited: Segment | None, template: Segmentation, new: Segmentation
) -> Segment:
    """A segment with the name and kind that were given by hand, else those of the new template."""
    owner = new.segments[new.at(start)]
    segment = replace(owner, start=start, stop=stop)
    if edited is None:
        return segment
    before = template.segments[template.at(edited.start)]
    if edited.name != before.name:
        segment = replace(segment, name=edited.name)
    if edited.attention != before.attention:
        segment = replace(segment, attention=edited.attention)
    return segment


def _edits(template: Sequence[int], edited: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Boundaries removed and added, between each two that both have."""
    shared = sorted({*template} & {*edited})
    edits = []
    for low, high in pairwise([-1, *shared, max([0, *template, *edited]) + 1]):
        removed = [one for one in template if low < one < high]
        added = [one for one in edited if low < one < high]
        if removed or added:
            edits.append((removed, added))
    return edits


def _mapping(old: Sequence[int], new: Sequence[int]) -> Mapped:
    """Where a place between tokens is now; None where the tokens beside it have changed."""
    blocks = _common(old, new)
    firsts = [first for first, _, _ in blocks]

    def to_new(place: int) -> int | None:
        index = bisect_right(firsts, place) - 1
        if index < 0:
            return None
        first, start, length = blocks[index]
        return start + place - first if place <= first + length else None

    return to_new


def _common(old: Sequence[int], new: Sequence[int]) -> list[tuple[int, int, int]]:
    """Runs of tokens that both have: (first in old, first in new, length), in order."""
    shorter = min(len(old), len(new))
    head = next((i for i in range(shorter) if old[i] != new[i]), shorter)
    rest = shorter - head
    tail = next((i for i in range(rest) if old[-1 - i] != new[-1 - i]), rest)
    blocks = [(0, 0, head)]
    middle = old[head : len(old) - tail], new[head : len(new) - tail]
    # What is found in quadratic time has to be short.
    if all(0 < len(one) <= _MOST for one in middle):
        matches = SequenceMatcher(None, *middle, autojunk=False).get_matching_blocks()
        blocks += [(head + m.a, head + m.b, m.size) for m in matches if m.size]
    return [*blocks, (len(old) - tail, len(new) - tail, tail)]
