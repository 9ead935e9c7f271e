"""Hints on the way to an answer: what the first layers should know.

To look up "Who leads Anna?" the first layer has to carry "Anna" to the token that will answer, and
the second has to find the fact that begins with "Anna"; neither is of any use without the other,
and the model sits on a plateau until both are there by chance. A hint reads the output of an early
layer through the model's own output layer and asks for the intermediate result. Hints are used in
the early stages of the base only, never in the tuning that compares the masks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from segviz.tiny.tokenizer import ASSISTANT, FOLLOWS, QUESTION_MARK, token_ids

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    from segviz.tiny.batches import Batch

# "… leads Anna?<|end|><|assistant|>": the name stands three tokens before the token that answers.
NAME_BACK = 3

Positions = tuple[torch.Tensor, torch.Tensor]  # row and token position of each hint


def hint_loss(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    batch: Batch,
    layers: tuple[torch.Tensor, ...],
) -> torch.Tensor:
    """The sum of three hints; `layers[i]` is the output of layer i, `[batch, token, hidden]`.

    1. After layer 1, the token that answers knows the name that is asked for.
    2. After layer 2, it knows whom that name follows.
    3. After layer 2, the leader in "Anna follows Ben" knows whom Ben follows, if that was said
       before.
    """
    ids = batch.ids
    follows, assistant, question_mark = token_ids(tokenizer, FOLLOWS, ASSISTANT, QUESTION_MARK)
    row, verb = ((ids == follows) & ~batch.answers).nonzero(as_tuple=True)
    follower, leader = ids[row, verb - 1], ids[row, verb + 1]
    # Per chat and follower: the leader, and where that was said.
    leader_of = torch.full((len(ids), len(tokenizer)), -1)
    leader_of[row, follower] = leader
    said_at = torch.full_like(leader_of, ids.shape[1])
    said_at[row, follower] = verb

    answers_question = (ids == assistant) & (ids.roll(NAME_BACK - 1, dims=1) == question_mark)
    asked_row, asked = answers_question.nonzero(as_tuple=True)
    name = ids[asked_row, asked - NAME_BACK]
    said_before = said_at[row, leader] < verb
    fact_row, fact, middle = row[said_before], verb[said_before] + 1, leader[said_before]

    def loss(layer: int, positions: Positions, targets: torch.Tensor) -> torch.Tensor:
        hidden = layers[layer][positions]
        logits = model.lm_head(model.model.norm(hidden))
        # A sum, because the mean over no positions is not a number.
        return cross_entropy(logits, targets, reduction="sum") / max(1, len(targets))

    return (
        loss(0, (asked_row, asked), name)
        + loss(1, (asked_row, asked), leader_of[asked_row, name])
        + loss(1, (fact_row, fact), leader_of[fact_row, middle])
    )
