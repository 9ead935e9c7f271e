"""Where the turns of a rendered chat divide, given where its contents stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from segviz.prompts.marks import Content
from segviz.prompts.tokens import Turn
from segviz.prompts.wrapping import Marker, Wrapping

CAUSAL_ROLE = "assistant"
INJECTED_ROLE = "system"
SPEAKERS = ("system", "user", "assistant")  # messages of other roles (tools) may share a wrapper


class HiddenTurnError(ValueError):
    """The turn of message ``index`` cannot be told apart.

    >>> HiddenTurnError(2).index
    2
    """

    def __init__(self, index: int) -> None:
        super().__init__(f"message {index} has no turn of its own")
        self.index = index


class Division:
    r"""Cuts a rendered chat into turns.

    >>> wrapping = Wrapping(openers=frozenset({1}), closers=frozenset({2}))
    >>> markers = [Marker(0, 3, 1, special=True), Marker(5, 8, 2, special=True),
    ...            Marker(9, 12, 1, special=True)]
    >>> Division("<u>Hi<e>\n<a>", markers, wrapping, ["user"]).turns([Content(0, 3, 5)], set())[1]
    Turn(start=9, name='assistant', attention='causal')

    Args:
        text: the rendered chat.
        markers: its special and added tokens.
        wrapping: which of them open and close turns.
        roles: of the messages, in order.
        begin: where the first turn starts, behind a BOS token.
        prompted: whether a generation prompt was asked for.
    """

    def __init__(
        self,
        text: str,
        markers: Sequence[Marker],
        wrapping: Wrapping,
        roles: Sequence[str],
        *,
        begin: int = 0,
        prompted: bool = True,
    ) -> None:
        self._text = text
        self._markers = [marker for marker in markers if marker.start >= begin]
        self._wrapping = wrapping
        self._roles = roles
        self._begin = begin
        self._prompted = prompted

    def turns(self, contents: Iterable[Content], hidden: set[int]) -> list[Turn]:
        """The turns, in the order of the text.

        Behind a content the turn goes on through the token that closes it and the white space
        there (without any such token: through the white space); what follows, up to the next
        content, is that one's header. Where more tokens close turns in between, so many turns
        stand there: those of messages whose content is hidden, else injected ones.

        Args:
            contents: where contents stand.
            hidden: indices of the messages with a turn, but without a content that was found.

        Raises:
            HiddenTurnError: turns in between that match the hidden messages in no clear way.
        """
        placed = sorted(contents, key=lambda content: content.start)
        self._markers = [
            marker
            for marker in self._markers
            if not any(content.start <= marker.start < content.stop for content in placed)
        ]
        self._learn_closers(placed)
        turns: list[Turn] = []
        if hidden and placed != sorted(placed, key=lambda content: content.index):
            raise HiddenTurnError(min(hidden))  # in another order, there is no "in between"
        position = self._begin
        previous: Content | None = None
        for content in (*placed, None):
            gap_stop = len(self._text) if content is None else content.start
            if previous is not None:
                if content is not None and self._share_wrapper(previous, content):
                    previous = content
                    continue
                turns.append(self._turn(position, self._roles[previous.index]))
                position = self._turn_end(previous.stop, gap_stop)
            between = self._hidden_between(previous, content, hidden)
            ends = self._further_ends(position, gap_stop)
            injected = len(ends) - len(between)
            if between and injected and (previous is not None or injected < 0):
                raise HiddenTurnError(between[0])
            roles = [INJECTED_ROLE] * injected + [self._roles[index] for index in between]
            for role, end in zip(roles, ends, strict=True):
                turns.append(self._turn(position, role))
                position = end
            previous = content
        if self._prompted and self._text[position:].strip():
            turns.append(self._turn(position, CAUSAL_ROLE))
        return turns

    def _turn(self, start: int, role: str) -> Turn:
        return Turn(start, role, "causal" if role == CAUSAL_ROLE else "bidirectional")

    def _gap(self, start: int, stop: int) -> list[Marker]:
        return [marker for marker in self._markers if start <= marker.start < stop]

    def _learn_closers(self, placed: Sequence[Content]) -> None:
        """Add what closes turns in this chat (an assistant's may end in another way)."""
        closers = set(self._wrapping.closers)
        for content, following in pairwise(placed):
            if self._roles[content.index] == self._roles[following.index]:
                continue  # between tool messages there may stand a separator instead
            closing = self._wrapping.closing(self._gap(content.stop, following.start))
            if closing is not None:
                closers.add(closing.token_id)
        self._wrapping = replace(self._wrapping, closers=frozenset(closers))

    def _turn_end(self, start: int, stop: int) -> int:
        gap = self._gap(start, stop)
        closing, opening = self._wrapping.closing(gap), self._wrapping.opening(gap)
        if closing is None:
            return self._skip_space(start, stop) if opening is None else opening.start
        return self._skip_closers(closing.stop, stop)

    def _further_ends(self, start: int, stop: int) -> list[int]:
        """The ends of turns that stand between two contents, with neither of them."""
        ends: list[int] = []
        for marker in self._gap(start, stop):
            if marker.token_id in self._wrapping.closers and marker.start >= start:
                start = self._skip_closers(marker.stop, stop)
                ends.append(start)
        return ends

    def _skip_closers(self, position: int, stop: int) -> int:
        """Through white space, and through closing tokens that directly follow."""
        position = self._skip_space(position, stop)
        for marker in self._gap(position, stop):
            if marker.start > position or marker.token_id not in self._wrapping.closers:
                break
            position = self._skip_space(marker.stop, stop)
        return position

    def _skip_space(self, position: int, stop: int) -> int:
        gap = self._text[position:stop]
        return position + len(gap) - len(gap.lstrip())

    def _hidden_between(
        self, previous: Content | None, content: Content | None, hidden: set[int]
    ) -> list[int]:
        first = -1 if previous is None else previous.index
        last = len(self._roles) if content is None else content.index
        return [index for index in range(first + 1, last) if index in hidden]

    def _share_wrapper(self, content: Content, following: Content) -> bool:
        """Whether nothing closes or opens a turn between two tool messages."""
        role = self._roles[content.index]
        if role in SPEAKERS or role != self._roles[following.index]:
            return False
        known = self._wrapping.openers | self._wrapping.closers
        gap = self._gap(content.stop, following.start)
        return any(marker.token_id in known for marker in self._markers) and not any(
            marker.special or marker.token_id in known for marker in gap
        )
