"""Encoding: a record as the token ids, segments and scored answers that a model reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from segviz.data.records import Record
from segviz.prompts import PRESETS, Prompt, chat_prompt, checked_name, under_preset
from segviz.prompts.marks import Message, content_text
from segviz.prompts.schemes import Scheme, checked_scheme, instruction_prompt
from segviz.prompts.tokens import BOS_NAME
from segviz.prompts.wrapping import learn_wrapping

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Answers = Literal["all", "last"]


@dataclass(frozen=True, eq=False)
class Encoded:
    """One record as a model reads it.

    >>> one = Encoded((5, 6, 7), np.array([0, 0, -1]), np.array([False, False, True]), 2)
    >>> [token for token, is_scored in zip(one.token_ids, one.scored) if is_scored]
    [7]

    Args:
        token_ids: prompt and answer, through the last end-of-turn token.
        block_ids: int ``[length]``, the segment's number where it is bidirectional, -1 where
            causal.
        scored: bool ``[length]``: the tokens of answers, their end-of-turn token included.
        prompt_length: tokens before the last answer.

    Raises:
        ValueError: lengths that differ, or a scored token inside a bidirectional segment, where
            the token before it sees it already.
    """

    token_ids: tuple[int, ...]
    block_ids: np.ndarray
    scored: np.ndarray
    prompt_length: int

    def __post_init__(self) -> None:
        length = len(self.token_ids)
        if not length == len(self.block_ids) == len(self.scored):
            raise ValueError(
                f"there are {length} token ids, {len(self.block_ids)} block ids and "
                f"{len(self.scored)} scored flags; each token has one of each"
            )
        leaks = np.flatnonzero(self.scored & (self.block_ids != -1))
        if len(leaks):
            raise ValueError(
                f"token {leaks[0]} is scored and stands in a bidirectional segment: the token "
                "before it sees it already, so that there is nothing to predict; score the last "
                'answer alone (answers="last"), or use a preset that keeps answers causal'
            )


class Encoder:
    """Encodes records.

    >>> import segviz as sv
    >>> encoder = Encoder(sv.load().tokenizer)
    >>> chat = [{"role": "user", "content": "Who leads Anna?"},
    ...         {"role": "assistant", "content": "Ben"}]
    >>> encoded = encoder({"messages": chat})
    >>> encoder.prompt({"messages": chat}).token_ids == encoded.token_ids[:encoded.prompt_length]
    True

    An answer is what follows a turn's header, through the end-of-turn token of the template; a
    template that writes none gets the end-of-sequence token behind the last answer. A header is
    what the generation prompt writes, so that training sees what inference will. All that answers
    are is causal.

    Args:
        tokenizer: a fast tokenizer, with a chat template for ``scheme="chat"``.
        scheme: how an instruction is written, see :data:`segviz.prompts.SCHEMES`; chats need
            ``"chat"``.
        preset: how the prompt is cut, see :data:`segviz.prompts.PRESETS`; one that cannot differ
            from the template's segments leaves these.
        answers: ``"all"`` assistant turns are scored, or the ``"last"``.

    Raises:
        ValueError: an unknown scheme, preset or choice of answers.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        scheme: str = "chat",
        preset: str = "segment",
        answers: Answers = "all",
    ) -> None:
        self.tokenizer = tokenizer
        self.scheme: Scheme = checked_scheme(scheme)
        self.preset = checked_name(preset, PRESETS, "preset")
        self.answers = checked_name(answers, get_args(Answers), "answers")
        self._closers: frozenset[int] | None = None

    def __call__(self, record: Record) -> Encoded:
        """Encode one record.

        Raises:
            ValueError: a record that the template or the scheme cannot write, or whose answer
                leaves no token.
        """
        prompt = self._template_prompt(record)
        answer = self.answer(record, prompt)
        length = prompt.length + len(answer)
        blocks = np.full(length, -1, dtype=np.int32)
        blocks[: prompt.length] = under_preset(prompt, self.preset).segmentation.block_ids()
        scored = np.zeros(length, dtype=bool)
        scored[prompt.length :] = True
        if self.answers == "all":
            for start, stop in self._earlier_answers(prompt):
                scored[start:stop] = True
        return Encoded((*prompt.token_ids, *answer), blocks, scored, prompt.length)

    def prompt(self, record: Record) -> Prompt:
        """What comes before the last answer, with its segments."""
        return under_preset(self._template_prompt(record), self.preset)

    def _template_prompt(self, record: Record) -> Prompt:
        if "messages" not in record:
            return instruction_prompt(self.tokenizer, record, self.scheme)
        if self.scheme != "chat":
            raise ValueError(
                f"a chat cannot be written in the scheme {self.scheme!r}, which is one for "
                'instructions; use scheme="chat"'
            )
        options = {"tools": record["tools"]} if record.get("tools") else {}
        before = [_joined(message) for message in record["messages"][:-1]]
        return chat_prompt(self.tokenizer, before, add_generation_prompt=True, **options)

    def answer(self, record: Record, prompt: Prompt) -> list[int]:
        """The token ids of the last answer, through its end-of-turn token.

        Args:
            record: with the answer.
            prompt: what :meth:`prompt` gives for it; one prompt serves all records that differ in
                nothing but their answer.

        Raises:
            ValueError: as for the record as a whole.
        """
        if prompt.kind != "chat":
            # By itself, so that the prompt's tokens are those of inference whatever follows.
            output = self.tokenizer(record["output"], add_special_tokens=False, verbose=False)
            return self._ended(list(output["input_ids"]))  # type: ignore[arg-type]
        messages = list(prompt.messages or ())
        last = {"role": "assistant", "content": record.get("output")}
        if "messages" in record:
            last = _joined(record["messages"][-1])
        options: Mapping[str, Any] = prompt.template_options or {}
        conversation: Any = [*messages, last]
        encoding: Any = self.tokenizer.apply_chat_template(
            conversation,
            **{**options, "add_generation_prompt": False},
            return_dict=True,
            tokenizer_kwargs={"verbose": False},
        )
        token_ids = list(encoding["input_ids"])
        if tuple(token_ids[: prompt.length]) != prompt.token_ids:
            raise ValueError(
                "the chat template writes the chat with its last answer in another way than the "
                "prompt that an answer is generated for, so the answer's first token cannot be "
                f"told: the prompt ends with {prompt.text[-40:]!r}; use a template whose "
                "generation prompt begins the assistant's turn"
            )
        return self._ended(token_ids[prompt.length :])

    def _ended(self, answer: list[int]) -> list[int]:
        """An answer through its end-of-turn token."""
        ended = answer[: self._turn_end(answer)]
        eos: Any = self.tokenizer.eos_token_id
        if not self._closes(ended[-1:]) and eos is not None:
            ended.append(eos)
        if not ended:
            raise ValueError("the last answer leaves no token that could be scored")
        return ended

    def _earlier_answers(self, prompt: Prompt) -> list[tuple[int, int]]:
        """Spans of the answers before the last, without their headers."""
        turns = [
            segment
            for segment in prompt.segmentation.segments
            if segment.attention == "causal" and segment.name != BOS_NAME
        ]
        header = prompt.token_ids[turns[-1].start :] if turns else ()
        spans = []
        for turn in turns[:-1]:
            ids = prompt.token_ids[turn.start : turn.stop]
            start = turn.start + _common_length(header, ids)
            spans.append((start, turn.start + self._turn_end(ids)))
        return spans

    def _turn_end(self, ids: Sequence[int]) -> int:
        """The end of the turn that ids end with: white space and further closers left out."""
        stop = end = len(ids)
        while stop and (self._closes(ids[stop - 1 : stop]) or self._is_space(ids[stop - 1])):
            stop -= 1
            if self._closes(ids[stop : stop + 1]):
                end = stop + 1
        return end if self._closes(ids[end - 1 : end]) else stop

    def _closes(self, ids: Sequence[int]) -> bool:
        if self._closers is None:
            self._closers = self._learn_closers()
        return bool(ids) and ids[0] in self._closers

    def _learn_closers(self) -> frozenset[int]:
        eos: Any = self.tokenizer.eos_token_id
        ends = frozenset(() if eos is None else (eos,))
        if self.scheme != "chat":
            return ends

        def render(messages: Sequence[Message], *, prompted: bool = False) -> str:
            conversation: Any = [*messages]
            text: Any = self.tokenizer.apply_chat_template(
                conversation, add_generation_prompt=prompted, tokenize=False
            )
            return text

        learnt = learn_wrapping(
            self.tokenizer, render, lambda messages: render(messages, prompted=True)
        )
        return learnt.closers | ends

    def _is_space(self, token_id: int) -> bool:
        return not str(self.tokenizer.decode([token_id])).strip()


def _joined(message: Message) -> dict[str, Any]:
    """A message whose text parts are one string, which every template takes."""
    if isinstance(message.get("content"), list):
        return {**message, "content": content_text(message)}
    return dict(message)


def _common_length(header: Sequence[int], ids: Sequence[int]) -> int:
    pairs = zip(header, ids, strict=False)
    return next(
        (i for i, (one, other) in enumerate(pairs) if one != other), min(len(header), len(ids))
    )
