"""Hints on the way to an answer: what the first layers should know.

To look up "Who leads Anna?" the first layer has to carry "Anna" to the token that will answer, and
the second has to find the fact that begins with "Anna"; neither is of any use without the other,
and the model sits on a plateau until both are there by chance. A hint reads the output of an early
layer through the model's own output layer and asks for the intermediate result. Hints are used in
the early stages of the base only, never in the tuning that compares the masks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy

from segviz.tiny.tokenizer import (
    ASSISTANT,
    BELONGS,
    FOLLOWS,
    IN,
    LEADS,
    QUESTION_MARK,
    THE,
    token_ids,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from segviz.tiny.batches import Batch

# "… leads Anna?<|end|><|assistant|>": the name stands three tokens before the token that answers.
NAME_BACK = 3

# A word between a key and its value, and how far before and behind it they stand: "the key is in
# the hall", "the key belongs to Ben", "Anna follows Ben".
RELATIONS = ((IN, 2, 2), (BELONGS, 1, 2), (FOLLOWS, 1, 1))

Positions = tuple[torch.Tensor, torch.Tensor]  # row and token position of each hint


def hint_loss(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    batch: Batch,
    layers: tuple[torch.Tensor, ...],
) -> torch.Tensor:
    """The sum of three hints; `layers[i]` is the output of layer i, `[batch, token, hidden]`.

    1. After layer 1, the token that answers knows the name that is asked for.
    2. After layer 2, it knows whom that name follows.
    3. After layer 2, the leader in "Anna follows Ben" knows whom Ben follows, if that was said
       before.

    The first two are also given where a thing is asked for; amounts have none.
    """
    ids = batch.ids
    assistant, question_mark = token_ids(tokenizer, ASSISTANT, QUESTION_MARK)

    def facts(relation: str) -> Positions:
        """Where the word between keys and values stands."""
        (verb_id,) = token_ids(tokenizer, relation)
        row, verb = ((ids == verb_id) & ~batch.answers).nonzero(as_tuple=True)
        return row, verb

    # Per chat and key (a follower, a thing): the value (a leader, a place), and where it was said.
    value_of = torch.full((len(ids), len(tokenizer)), -1)
    said_at = torch.full_like(value_of, ids.shape[1])
    for relation, before, behind in RELATIONS:
        row, verb = facts(relation)
        key = ids[row, verb - before]
        value_of[row, key] = ids[row, verb + behind]
        said_at[row, key] = verb

    row, verb = facts(FOLLOWS)
    leader = ids[row, verb + 1]
    said_before = said_at[row, leader] < verb
    fact, middle = (row[said_before], verb[said_before] + 1), leader[said_before]

    behind_question = (ids == assistant) & (ids.roll(NAME_BACK - 1, dims=1) == question_mark)
    asks = torch.isin(ids, torch.tensor(token_ids(tokenizer, LEADS, THE)))
    asked = (behind_question & asks.roll(NAME_BACK + 1, dims=1)).nonzero(as_tuple=True)
    # "Who has the most" asks for no key.
    known = value_of[asked[0], ids[asked[0], asked[1] - NAME_BACK]] >= 0
    asked = asked[0][known], asked[1][known]
    name = ids[asked[0], asked[1] - NAME_BACK]

    def loss(layer: int, positions: Positions, targets: torch.Tensor) -> torch.Tensor:
        hidden = layers[layer][positions]
        logits = model.lm_head(model.model.norm(hidden))
        # A sum, because the mean over no positions is not a number.
        return cross_entropy(logits, targets, reduction="sum") / max(1, len(targets))

    return (
        loss(0, asked, name)
        + loss(1, asked, value_of[asked[0], name])
        + loss(1, fact, value_of[fact[0], middle])
    )
