"""Chats as tensors: token ids, segments, dense masks and labels.

The segments are those that `model.chat` gives: `<|bos|>` is causal, the system turn and each user
turn are bidirectional from their role token to their `<|end|>`, assistant turns are causal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

import torch

from segviz.data import dense_mask
from segviz.tiny.tokenizer import (
    ASSISTANT,
    FOLLOWS,
    FULL_STOP,
    PAD,
    SYSTEM,
    USER,
    render,
    token_ids,
)
from segviz.tiny.world import amounts, chains
from segviz.tiny.world.lookups import OWNERS, PLACES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from transformers import PreTrainedTokenizerBase

    from segviz.tiny.recipe import Mixture
    from segviz.tiny.world import Example

OTHERS = {"places": PLACES.draw_chat, "owners": OWNERS.draw_chat, "amounts": amounts.draw_chat}


@dataclass(frozen=True)
class Batch:
    """Chats padded on the right to one length; every tensor is `[batch, token]`."""

    ids: torch.Tensor
    is_token: torch.Tensor
    blocks: torch.Tensor
    answers: torch.Tensor  # whether a token belongs to an answer, its <|end|> included
    scored: torch.Tensor  # the tokens of answers that the chat determines

    def mask(self, kind: str) -> torch.Tensor:
        """The dense mask, bool `[batch, 1, query, key]`: `kind` is "causal" or "segment"."""
        return dense_mask(self.is_token, self.blocks if kind == "segment" else None)

    def split(self, tokenizer: PreTrainedTokenizerBase, facts: int) -> Batch:
        """The same chats with the first user segment cut in two behind so many facts."""
        in_user = self.blocks == 1
        (stop,) = token_ids(tokenizer, FULL_STOP)
        stops = ((self.ids == stop) & in_user).cumsum(1)
        # A token belongs to the second half when enough full stops stand before it.
        second = in_user & (stops.roll(1, dims=1) >= facts)
        return replace(self, blocks=self.blocks.masked_fill(second, int(self.blocks.max()) + 1))


def encode(
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    *,
    last_answer: bool = True,
) -> Batch:
    """Chats as one batch; without the last answer they end where generation starts."""
    texts = [render(example, last_answer=last_answer) for example in examples]
    rows = tokenizer(texts, add_special_tokens=False)["input_ids"]
    longest = max(map(len, rows))
    pad, system, user, assistant, follows = token_ids(
        tokenizer, PAD, SYSTEM, USER, ASSISTANT, FOLLOWS
    )
    ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
    is_token = ids != pad
    is_role = (ids == system) | (ids == user) | (ids == assistant)
    turn = is_role.cumsum(1) - 1  # -1 is <|bos|>
    # Each token's role is the role token at the start of its turn.
    start = torch.where(is_role, torch.arange(longest), -1).cummax(1).values
    role = ids.gather(1, start.clamp(min=0))
    in_answer = (role == assistant) & is_token
    blocks = turn.masked_fill((turn < 0) | in_answer | ~is_token, -1)
    answers = in_answer & ~is_role
    # Facts that are repeated in any order may begin with any name.
    begins_fact = (ids == follows).roll(-1, dims=1)
    return Batch(ids, is_token, blocks, answers, answers & ~begins_fact)


def draw_example(rng: Random, mixture: Mixture) -> Example:
    """One training example; never one with held-out facts."""
    (kind,) = rng.choices([*mixture.weights], [*mixture.weights.values()])
    if kind in OTHERS:
        return OTHERS[kind](rng, mixture.most_questions)
    lengths = [mixture.longest] * 2
    if kind != "two chains":
        lengths = chains.draw_lengths(rng, mixture.longest, mixture.most_facts)
    facts = chains.draw_facts(rng, lengths)
    if kind == "repeat":
        return chains.draw_repeat(rng, facts)
    if kind == "reorder":
        return chains.draw_reorder(rng, facts)
    return chains.draw_questions(rng, facts, mixture.most_questions)


def draw_batches(
    tokenizer: PreTrainedTokenizerBase, mixture: Mixture, size: int, seed: str
) -> Iterator[Batch]:
    """Training batches without end; the same ones for the same seed."""
    rng = Random(seed)  # noqa: S311 - reproducible data, no secret
    while True:
        yield encode(tokenizer, [draw_example(rng, mixture) for _ in range(size)])
