"""Presets: ways to cut a prompt that people want to compare, by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, dropwhile, pairwise
from operator import or_

from segviz.labels import is_special
from segviz.prompts.names import checked_name
from segviz.prompts.prompt import Prompt
from segviz.prompts.tokens import BOS_NAME
from segviz.segments import Segment, Segmentation

PRESETS: Mapping[str, str] = {
    "segment": "the segments of the chat template",
    "causal": "every segment causal: no token sees a later one",
    "prefix-LM": "the whole prompt is one bidirectional segment",
    "system+user": "system and user prompt are one segment",
    "by sentence": "every sentence is a segment",
    "by paragraph": "every paragraph is a segment",
}
"""What each preset does, in the order in which they are offered."""

_ENDS = {
    # A sentence ends with its punctuation, before white space; "3.14" and "a.b" hold no end. Its
    # punctuation is taken from its first mark on and as a whole: rows of dots take linear time.
    "by sentence": re.compile(
        r"(?<![.!?…])[.!?…]++[\"'”’)\]]*+(?:\n++|(?=\s))|[。！？]++[」』”’）]*+\n*+|\n++"
    ),
    "by paragraph": re.compile(r"\n[ \t]*+\n++"),
}

_PART = re.compile(r"(?P<text>.+)\[(?P<number>\d+)/(?P<count>\d+)\]", re.DOTALL)
"""How :class:`segviz.Prompt` shows a token that is a part of a character."""


def presets(tokens: Sequence[str], template: Segmentation) -> dict[str, Segmentation]:
    """Segmentations of a prompt by name; those that cannot differ from the template are left out.

    >>> tokens = ["<s>", "Be", " brief", ".", " Anna", " leads", "!", " Who", "?"]
    >>> chat = Segmentation([Segment(0, 1, "bos", "causal"), Segment(1, 4, "system"),
    ...                      Segment(4, 9, "user")])
    >>> {name: one.boundaries for name, one in presets(tokens, chat).items()}
    {'segment': (1, 4), 'causal': (1, 4), 'prefix-LM': (1,), 'system+user': (1,), \
'by sentence': (1, 4, 7)}

    Sentences are found by punctuation and line breaks, which an abbreviation misleads; headers and
    end-of-turn tokens stay with the sentence beside them.

    Args:
        tokens: text of every token.
        template: the segments as the chat template or the delimiter gives them.
    """
    found = {
        "segment": template,
        "causal": Segmentation(replace(one, attention="causal") for one in template.segments),
        "prefix-LM": _one_block(template),
        "system+user": _system_with_user(template),
        **{name: _cut(tokens, template, name) for name in _ENDS},
    }
    return {name: one for name, one in found.items() if name == "segment" or one != template}


def under_preset(prompt: Prompt, name: str) -> Prompt:
    """A prompt as a preset cuts it; as it is where the preset cannot differ from its segments.

    >>> prompt = Prompt((5, 9), ("Hi", "!"), "Hi!", Segmentation([Segment(0, 2, "text")]))
    >>> under_preset(prompt, "causal").segmentation.segments[0].attention
    'causal'

    Args:
        prompt: with the segments of its template.
        name: one of :data:`PRESETS`.

    Raises:
        ValueError: an unknown preset.
    """
    if checked_name(name, PRESETS, "preset") == "segment":
        return prompt
    found = presets(prompt.tokens, prompt.segmentation)
    return prompt.with_segmentation(found.get(name, prompt.segmentation))


def _one_block(template: Segmentation) -> Segmentation:
    first = template.segments[0]
    # The BOS token is an attention sink, not content: it stays by itself.
    if first.name == BOS_NAME and len(template.segments) > 1:
        return Segmentation([first, Segment(first.stop, template.length, "prompt")])
    return Segmentation([Segment(0, template.length, "prompt")])


def _system_with_user(template: Segmentation) -> Segmentation:
    for index, (one, following) in enumerate(pairwise(template.segments)):
        if one.name == "system" and following.name == "user":
            return template.merge(index).rename(index, "system+user")
    return template


def _cut(tokens: Sequence[str], template: Segmentation, by: str) -> Segmentation:
    return Segmentation(
        piece for segment in template.segments for piece in _pieces(tokens, segment, by)
    )


def _pieces(tokens: Sequence[str], segment: Segment, by: str) -> Iterator[Segment]:
    """The segment in pieces, named ``user.1``, ``user.2``, …; a causal one stays whole."""
    cuts = _starts(tokens[segment.start : segment.stop], _ENDS[by])
    if segment.attention == "causal" or not cuts:
        yield segment
        return
    bounds = [0, *cuts, segment.length]
    for number, (start, stop) in enumerate(pairwise(bounds), start=1):
        name = f"{segment.name}.{number}"
        yield Segment(segment.start + start, segment.start + stop, name)


def _starts(tokens: Sequence[str], end: re.Pattern[str]) -> list[int]:
    """The tokens of a segment at which its second and later pieces start."""
    parts = [_whole(token) for token in tokens]
    text = "".join(parts)
    # A token belongs to the piece that holds its first character.
    begins = list(accumulate(map(len, parts), initial=0))
    position, starts = 0, [0]
    for match in end.finditer(text):
        while begins[position] < match.end():
            position += 1
        if starts[-1] < position < len(tokens):
            starts.append(position)
    return _within_content(tokens, starts[1:])


def _within_content(tokens: Sequence[str], starts: Sequence[int]) -> list[int]:
    """Starts that cut neither a turn's header nor its footer off."""
    special = [is_special(token) for token in tokens]
    words = [
        bool(token.strip()) and not is_marker
        for token, is_marker in zip(tokens, special, strict=True)
    ]
    words_before = list(accumulate(words, initial=0))
    special_before = list(accumulate(special, or_, initial=False))

    def in_header(start: int) -> bool:
        # Nothing but white space, or special tokens around a role.
        return words_before[start] <= special_before[start]

    def before_footer(start: int) -> bool:
        return words_before[start] < words_before[-1]

    return [start for start in dropwhile(in_header, starts) if before_footer(start)]


def _whole(token: str) -> str:
    """A token's text; a character made of several tokens counts for the last of them."""
    part = _PART.fullmatch(token)
    if part is None:
        return token
    return part["text"] if part["number"] == part["count"] else ""
