"""Likely tokens: what a model expected to come next, as far as a trace keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LIKELY_TOKENS = 64
"""How many of the most likely next tokens a trace keeps per position."""


@dataclass(frozen=True, eq=False, slots=True)
class LikelyTokens:
    """The most likely next tokens of every position, and how likely the generated ones were.

    >>> ids, log_probabilities = np.array([[7, 9], [9, 2]]), np.log([[0.5, 0.25], [0.9, 0.05]])
    >>> likely = LikelyTokens(ids, log_probabilities)
    >>> np.exp(likely.of_generated([4, 9, 5], prompt_length=1)).round(2).tolist()
    [0.25, nan]

    Args:
        token_ids: int ``[position, rank]``, the most likely first.
        log_probabilities: float32 ``[position, rank]``, natural logarithms under the full softmax.
        generated: float32 ``[generated token]``, likewise; None where it was not kept.
    """

    token_ids: np.ndarray
    log_probabilities: np.ndarray
    generated: np.ndarray | None = None

    def until(self, length: int) -> LikelyTokens:
        """The same of the first ``length`` positions, without what was generated."""
        return LikelyTokens(self.token_ids[:length], self.log_probabilities[:length])

    def of_generated(self, token_ids: Sequence[int], prompt_length: int) -> np.ndarray:
        """Log-probabilities of the generated tokens, float32 ``[generated token]``.

        Where they were not kept they come from the likely tokens, and are NaN for others.

        Args:
            token_ids: of prompt and answer.
            prompt_length: where the answer begins.
        """
        if self.generated is not None:
            return self.generated
        # What a position generates is expected by the one before it.
        expecting = slice(prompt_length - 1, len(token_ids) - 1)
        taken = self.token_ids[expecting] == np.array(token_ids[prompt_length:])[:, None]
        found = np.where(taken, self.log_probabilities[expecting], np.nan).astype(np.float32)
        return np.fmax.reduce(found, axis=1, initial=np.float32(np.nan))
