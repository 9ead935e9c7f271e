"""The special tokens around the contents of a chat: which ones open a turn, which ones close it.

No token is known by name here: they are read off a rendering of one lone user message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from segviz.prompts.marks import Render, locate
from segviz.prompts.tokens import Tokens, tokenized

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Marker:
    """A special or added token at ``[start, stop)`` of a rendered chat.

    >>> Marker(0, 3, token_id=1, special=True).token_id
    1
    """

    start: int
    stop: int
    token_id: int
    special: bool


@dataclass(frozen=True, slots=True)
class Wrapping:
    """Ids of the tokens with which a template opens and closes turns.

    >>> Wrapping(openers=frozenset({7}), closers=frozenset({8})).closers
    frozenset({8})
    """

    openers: frozenset[int]
    closers: frozenset[int]

    def closing(self, gap: Sequence[Marker]) -> Marker | None:
        """The marker in a gap behind a content that closes the turn; None where there is none.

        >>> end, tool = Marker(9, 12, 8, special=True), Marker(2, 5, 3, special=False)
        >>> Wrapping(frozenset({7}), frozenset()).closing([tool, end]) == end
        True
        """
        opening = self.opening(gap)
        head = gap if opening is None else gap[: gap.index(opening)]
        known = (marker for marker in head if marker.token_id in self.closers)
        special = (marker for marker in head if marker.special)
        return next(known, next(special, next(iter(head), None)))

    def opening(self, gap: Sequence[Marker]) -> Marker | None:
        """The first marker in a gap that opens a turn; None where there is none."""
        return next((marker for marker in gap if marker.token_id in self.openers), None)


def markers_of(tokenizer: PreTrainedTokenizerBase, tokens: Tokens) -> list[Marker]:
    """The special and added tokens of a tokenized text; added white space is no marker."""
    special = set(tokenizer.all_special_ids)
    added = {
        token_id: token.special or token_id in special
        for token_id, token in tokenizer.added_tokens_decoder.items()
        if token.content.strip()
    }
    return [
        Marker(start, stop, token_id, added[token_id])
        for token_id, start, stop in zip(tokens.ids, tokens.starts, tokens.stops, strict=True)
        if token_id in added
    ]


def learn_wrapping(
    tokenizer: PreTrainedTokenizerBase, render: Render, render_prompted: Render
) -> Wrapping:
    """Read openers and closers off one user message, without and with a generation prompt.

    Without this, a template that closes no user turn (``<user>Hi<assistant>``) could not be told
    from one that does (``<user>Hi<end>``).
    """
    eos: Any = tokenizer.eos_token_id
    closers: set[int] = set() if eos is None else {eos}
    openers: set[int] = set()
    probe = [{"role": "user", "content": "Hi"}]
    try:
        plain, prompted = render(probe), render_prompted(probe)
    except Exception:  # noqa: BLE001 - a template may refuse a lone user message
        return Wrapping(frozenset(), frozenset(closers))
    if prompted.startswith(plain):
        generation_prompt = tokenized(tokenizer, prompted[len(plain) :], add_special_tokens=False)
        openers.update(marker.token_id for marker in markers_of(tokenizer, generation_prompt))
    content = locate(probe, plain, render)[0]
    if content is not None:
        markers = markers_of(tokenizer, tokenized(tokenizer, plain, add_special_tokens=False))
        before = [marker.token_id for marker in markers if marker.start < content.start]
        openers.update(before[-1:])
        closing = Wrapping(frozenset(openers), frozenset()).closing(
            [marker for marker in markers if marker.start >= content.stop]
        )
        closers.update(() if closing is None else (closing.token_id,))
    return Wrapping(frozenset(openers - closers), frozenset(closers))
