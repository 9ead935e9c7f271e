"""Likely tokens: what a model expected to come next, worked out when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

LIKELY_TOKENS = 64
"""How many of the most likely next tokens a trace knows per position."""


class Ranked(NamedTuple):
    """The most likely next tokens of some positions, the most likely first.

    Args:
        token_ids: int ``[position, rank]``.
        log_probabilities: float32 ``[position, rank]``, natural logarithms under the full softmax.
    """

    token_ids: np.ndarray
    log_probabilities: np.ndarray


class LikelyTokens:
    """The most likely next tokens of every position, and how likely the generated ones were.

    >>> ids, log_probabilities = np.array([[7, 9], [9, 2]]), np.log([[0.5, 0.25], [0.9, 0.05]])
    >>> likely = LikelyTokens.known(ids, log_probabilities)
    >>> likely.at(1).token_ids
    array([9, 2])
    >>> np.exp(likely.of_generated([4, 9, 5], prompt_length=1)).round(2).tolist()
    [0.25, nan]

    Args:
        blocks: of neighbouring positions, in order: how many there are, and what works theirs out.
        ranks: how many tokens there are per position.
        generated: float32 ``[generated token]``, the log-probabilities of the generated tokens;
            None where they were not kept.
    """

    def __init__(
        self,
        blocks: Sequence[tuple[int, Callable[[], Ranked]]],
        ranks: int,
        generated: np.ndarray | None = None,
    ) -> None:
        self.ranks = ranks
        self.generated = generated
        self._blocks = blocks
        self._stops = np.cumsum([length for length, _work_out in blocks])
        self._known: dict[int, Ranked] = {}

    @staticmethod
    def known(
        token_ids: np.ndarray, log_probabilities: np.ndarray, generated: np.ndarray | None = None
    ) -> LikelyTokens:
        """Likely tokens that are there already, as in a file; see :class:`Ranked`."""
        every = Ranked(token_ids, log_probabilities)
        return LikelyTokens([(len(token_ids), lambda: every)], token_ids.shape[1], generated)

    def with_generated(self, generated: np.ndarray) -> LikelyTokens:
        """The same with other generated tokens."""
        return LikelyTokens(self._blocks, self.ranks, generated)

    def at(self, position: int) -> Ranked:
        """Those of one position from 0 on, both ``[rank]``."""
        number = int(np.searchsorted(self._stops, position, side="right"))
        block = self._block(number)
        within = position - int(self._stops[number]) + self._blocks[number][0]
        return Ranked(block.token_ids[within], block.log_probabilities[within])

    @property
    def token_ids(self) -> np.ndarray:
        """Int ``[position, rank]``, the most likely first."""
        return self._every.token_ids

    @property
    def log_probabilities(self) -> np.ndarray:
        """Float32 ``[position, rank]``, natural logarithms under the full softmax."""
        return self._every.log_probabilities

    @cached_property
    def _every(self) -> Ranked:
        blocks = [self._block(number) for number in range(len(self._blocks))]
        return Ranked(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))

    def _block(self, number: int) -> Ranked:
        if number not in self._known:
            self._known[number] = self._blocks[number][1]()
        return self._known[number]

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
