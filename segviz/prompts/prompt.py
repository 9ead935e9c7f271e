"""A prompt: the tokens a model reads, and the segments they fall into."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from segviz.segments import Segmentation


@dataclass(frozen=True, slots=True)
class Prompt:
    """Tokens with their segmentation. Immutable: an edit returns a new prompt.

    >>> from segviz.segments import Segment
    >>> prompt = Prompt((5, 9, 2), ("Be", " brief", ". Hi"), "Be brief. Hi",
    ...                 Segmentation([Segment(0, 3, "text")]))
    >>> prompt.length
    3
    >>> prompt.with_segmentation(prompt.segmentation.split(2)).segmentation.boundaries
    (2,)

    Args:
        token_ids: what the model reads.
        tokens: one readable string per token: the slice of ``text`` it stands for, so that joined
            they give the text. Two kinds of token are shown in another way: where a character
            (an emoji, say) is made of several tokens, each shows the characters it has a part in
            and its number: ``😀[1/3]``, ``😀[2/3]``, ``😀[3/3]``; and a special token that the
            tokenizer adds, and that the text does not hold, shows its literal text (``<s>``).
        text: what was tokenized: a rendered chat, or the text as given.
        segmentation: segments of the same number of tokens.
        kind: what the prompt was made of: ``"chat"``, ``"text"``, or ``"tokens"`` if unknown.
        messages: of a chat, as they were given.
        template_options: of a chat, likewise.
        split: of a text, the delimiter.

    Raises:
        ValueError: lengths that differ.
    """

    token_ids: tuple[int, ...]
    tokens: tuple[str, ...]
    text: str
    segmentation: Segmentation
    kind: Literal["chat", "text", "tokens"] = "tokens"
    messages: Sequence[Mapping[str, Any]] | None = field(default=None, hash=False, repr=False)
    template_options: Mapping[str, Any] | None = field(default=None, hash=False, repr=False)
    split: str | re.Pattern[str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "token_ids", tuple(int(token_id) for token_id in self.token_ids))
        object.__setattr__(self, "tokens", tuple(self.tokens))
        if len(self.tokens) != self.length:
            raise ValueError(
                f"a prompt has one string per token: there are {self.length} token ids and "
                f"{len(self.tokens)} tokens"
            )
        if self.segmentation.length != self.length:
            raise ValueError(
                f"the segmentation spans {self.segmentation.length} tokens, the prompt has "
                f"{self.length}: segments cover a prompt exactly; edit prompt.segmentation "
                "(split, move_boundary, merge) to keep the length"
            )

    @property
    def length(self) -> int:
        """Number of tokens.

        >>> from segviz.segments import Segment
        >>> Prompt((5, 9), ("Hi", "!"), "Hi!", Segmentation([Segment(0, 2, "text")])).length
        2
        """
        return len(self.token_ids)

    def with_segmentation(self, segmentation: Segmentation) -> Prompt:
        """The same tokens under other segments.

        >>> from segviz.segments import Segment
        >>> prompt = Prompt((5, 9), ("Hi", "!"), "Hi!", Segmentation([Segment(0, 2, "text")]))
        >>> causal = prompt.segmentation.set_attention(0, "causal")
        >>> prompt.with_segmentation(causal).segmentation.segments[0].attention
        'causal'

        Raises:
            ValueError: a segmentation of another length.
        """
        return replace(self, segmentation=segmentation)
