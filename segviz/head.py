"""The output head: from final hidden states to what a model expects next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from segviz.likely import LIKELY_TOKENS, LikelyTokens, Ranked
from segviz.weights import fingerprint

LOGIT_ELEMENTS = 1 << 24
"""Logits held at a time: 64 MB in float32."""

_BLOCK = 64
"""Token positions of a prompt whose likely tokens are worked out together."""


class OutputHead:
    """A model's last linear layer, with the weights that it has now.

    Logits are large (0.5 GB for 2,048 tokens and a vocabulary of 128,000 in bfloat16) and take
    time, so a trace keeps the final hidden states, and this, to work them out where somebody looks.

    Args:
        model: a causal language model of transformers.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._module: Any = model.get_output_embeddings()
        self._vocabulary: int = model.config.get_text_config(decoder=True).vocab_size
        self._name = type(model).__name__
        self._weights = fingerprint(self._module)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Float32 ``[…, vocabulary]`` of final hidden states ``[…, hidden]``, on any device."""
        weight = next(self._module.parameters())
        if weight.device.type != "meta":  # as it is between the calls of a module that is offloaded
            hidden = hidden.to(weight.device)
        if weight.is_floating_point():
            hidden = hidden.to(weight.dtype)
        with torch.no_grad(), evaluating(self._module):
            return self._module(hidden).float()

    def log_probabilities(self, hidden: torch.Tensor) -> torch.Tensor:
        """Float32 ``[…, vocabulary]`` of final hidden states ``[…, hidden]``.

        Raises:
            RuntimeError: the weights are no longer those of the run.
        """
        if fingerprint(self._module) != self._weights:
            raise RuntimeError(
                f"the output head of {self._name} has other weights now than in this run: what a "
                "model expects behind a token of the prompt is worked out when asked for. Trace "
                "again; or save a trace (trace.save) before the weights change"
            )
        return self.logits(hidden).log_softmax(dim=-1)

    def check(self, logits: torch.Tensor, hidden: torch.Tensor) -> None:
        """See to it that the head alone gives the model's own logits ``[vocabulary]``.

        Raises:
            NotImplementedError: the model changes them behind the head.
        """
        expected, own = logits.float(), self.logits(hidden).to(logits.device)
        if (expected - own).abs().max() > 0.05 * expected.abs().max().clamp(min=1):
            raise NotImplementedError(
                f"{self._name} changes its logits behind the output head (a cap or a scale); "
                "segviz supports models whose head is one linear layer, as in Llama and Qwen"
            )

    def likely_tokens(
        self, hidden: torch.Tensor, token_ids: Sequence[int], prompt_length: int
    ) -> LikelyTokens:
        """The likely tokens of a run: those of its answer at once, the prompt's when asked for.

        Args:
            hidden: final hidden states ``[position, hidden]`` of prompt and answer.
            token_ids: of both.
            prompt_length: where the answer begins.
        """
        # What a position generates is expected by the one before it.
        first = prompt_length - 1
        # Behind the last token nothing was taken: any id will do.
        taken = torch.tensor([*token_ids[prompt_length:], 0])
        answer, generated = self._ranked(hidden[first:], taken)

        def block(start: int, stop: int) -> Ranked:
            return self._ranked(hidden[start:stop], taken[:1].expand(stop - start))[0]

        return LikelyTokens(
            # In the same blocks whatever is asked for, so that a number does not depend on it.
            [
                *(
                    (stop - start, partial(block, start, stop))
                    for start, stop in pairwise([*range(0, first, _BLOCK), first])
                ),
                (len(hidden) - first, lambda: answer),
            ],
            ranks=answer.token_ids.shape[1],
            generated=generated[:-1],
        )

    def _ranked(self, hidden: torch.Tensor, taken: torch.Tensor) -> tuple[Ranked, np.ndarray]:
        """The likely tokens of some rows, and the log-probabilities of those that were taken."""
        step = max(1, LOGIT_ELEMENTS // self._vocabulary)
        ids, tops, scores = [], [], []
        for rows, chosen in zip(hidden.split(step), taken.split(step), strict=True):
            expected = self.log_probabilities(rows)
            top = expected.topk(min(LIKELY_TOKENS, self._vocabulary), dim=-1)
            ids.append(top.indices)
            tops.append(top.values)
            scores.append(expected.gather(1, chosen[:, None].to(expected.device))[:, 0])
        found = (torch.cat(parts).cpu().numpy() for parts in (ids, tops, scores))
        token_ids, log_probabilities, of_taken = found
        return Ranked(token_ids, log_probabilities), of_taken


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Switch dropout off, and give every module its own mode back."""
    training = [module for module in model.modules() if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True
