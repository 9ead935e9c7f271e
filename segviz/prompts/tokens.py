"""From characters to tokens: where each token starts, what it shows, which segment holds it."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING

from segviz.prompts.prompt import Prompt
from segviz.segments import AttentionKind, Segment, Segmentation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BOS_NAME = "bos"


@dataclass(frozen=True, slots=True)
class Tokens:
    """A tokenized text.

    >>> Tokens("Hi you", ids=(7, 8), shown=("Hi", " you"), starts=(0, 2), stops=(2, 6)).starts
    (0, 2)

    ``starts`` and ``stops`` are character positions in ``text``, white space included; starts
    never decrease; a token that stands for no character of the text has its stop at its start.
    """

    text: str
    ids: tuple[int, ...]
    shown: tuple[str, ...]
    starts: tuple[int, ...]
    stops: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """A segment to be: it reaches from ``start``, a character position, to the next one's start.

    >>> Turn(0, "user")
    Turn(start=0, name='user', attention='bidirectional')
    """

    start: int
    name: str
    attention: AttentionKind = "bidirectional"


def tokenized(tokenizer: PreTrainedTokenizerBase, text: str, *, add_special_tokens: bool) -> Tokens:
    """Tokenize ``text`` and find the characters of every token.

    Raises:
        ValueError: a tokenizer that does not say which characters a token stands for.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError(
            f"{type(tokenizer).__name__} does not tell which characters a token stands for, and "
            "segments are found by that: load the fast version of this tokenizer "
            "(transformers.AutoTokenizer gives it where there is one), or build the prompt by "
            "hand: segviz.Prompt(token_ids, tokens, text, segmentation)"
        )
    encoding = tokenizer(
        text,
        add_special_tokens=add_special_tokens,
        return_offsets_mapping=True,
        verbose=False,  # the model checks the length, with a clearer error
    )
    ids: list[int] = encoding["input_ids"]  # type: ignore[assignment]
    offsets: list[tuple[int, int]] = encoding["offset_mapping"]  # type: ignore[assignment]
    pieces: list[str] = tokenizer.convert_ids_to_tokens(ids)  # type: ignore[assignment]
    starts, stops = _spans(offsets, pieces)
    shown = _shown(text, pieces, starts, stops)
    return Tokens(text, tuple(ids), tuple(shown), tuple(starts), tuple(stops))


def prompt_from(tokens: Tokens, turns: Sequence[Turn], *, bos: int = 0) -> Prompt:
    """Put every token into the turn that holds its first character.

    Turns of one name are numbered from the second on; one that holds no token vanishes. The first
    ``bos`` tokens become a causal segment of their own: they are an attention sink, not content.
    """
    turn_starts = [turn.start for turn in turns]
    owners = [-1] * bos + [
        max(bisect_right(turn_starts, start) - 1, 0) for start in tokens.starts[bos:]
    ]
    counts: Counter[str] = Counter()
    segments: list[Segment] = []
    position = 0
    for owner, members in groupby(owners):
        turn = turns[owner] if owner >= 0 else Turn(0, BOS_NAME, "causal")
        counts[turn.name] += 1
        number = counts[turn.name]
        name = turn.name if number == 1 else f"{turn.name} {number}"
        stop = position + sum(1 for _ in members)
        segments.append(Segment(position, stop, name, turn.attention))
        position = stop
    return Prompt(tokens.ids, tokens.shown, tokens.text, Segmentation(segments))


def _spans(
    offsets: Sequence[tuple[int, int]], pieces: Sequence[str]
) -> tuple[list[int], list[int]]:
    """First character and end of every token, with the spaces that byte-level offsets may trim."""
    starts: list[int] = []
    stops: list[int] = []
    covered = 0
    for (first, last), piece in zip(offsets, pieces, strict=True):
        # Some byte-level tokenizers (trim_offsets) report " you" without its space.
        spaces = len(piece) - len(piece.lstrip("Ġ"))
        start = first - min(spaces, max(first - covered, 0))
        # A special token that the tokenizer adds is reported at (0, 0), wherever it stands.
        starts.append(max(start, starts[-1] if starts else 0))
        stops.append(max(last, starts[-1]))
        covered = max(covered, last)
    return starts, stops


def _shown(
    text: str, pieces: Sequence[str], starts: Sequence[int], stops: Sequence[int]
) -> list[str]:
    """One string per token, as :class:`Prompt` describes them."""
    shown = list(pieces)
    real = [index for index in range(len(pieces)) if starts[index] < stops[index]]
    begin = 0  # characters that no token reports go with the token before them
    group: list[int] = []
    for index, following in zip_longest(real, real[1:]):
        group.append(index)
        end = len(text) if following is None else starts[following]
        if following is not None and stops[index] > end:
            continue  # the next token has a part in this token's last character
        if len(group) == 1:
            shown[index] = text[begin:end]
        else:
            for number, member in enumerate(group, start=1):
                part = text[starts[member] : stops[member]]
                shown[member] = f"{part}[{number}/{len(group)}]"
        begin, group = end, []
    return shown
