"""Outcomes: how each record was answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Outcome:
    """How the records of a task were answered, under one mask and by one method.

    Args:
        predictions: of each record; None where a text names no choice.
        right: bool ``[record]``.
    """

    predictions: tuple[str | None, ...]
    right: np.ndarray


@dataclass(frozen=True, eq=False)
class TaskOutcome:
    """How a task was answered.

    Args:
        data_hash: of its records, those left out included.
        numbers: of the records that were answered, 0-based; the order of all that follows.
        left_out: how many records are too long for the model.
        expected: the right answer of each record.
        outcomes: by mask, then by method; a method may be missing, see ``notes`` of the evaluation.
    """

    data_hash: str
    numbers: tuple[int, ...]
    left_out: int
    expected: tuple[str, ...]
    outcomes: Mapping[str, Mapping[str, Outcome]]

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        outcomes = {
            mask: {
                method: {"predictions": outcome.predictions, "right": outcome.right.tolist()}
                for method, outcome in methods.items()
            }
            for mask, methods in self.outcomes.items()
        }
        plain = ("data_hash", "numbers", "left_out", "expected")
        return {**{name: getattr(self, name) for name in plain}, "outcomes": outcomes}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TaskOutcome:
        """The other way round."""
        outcomes = {
            mask: {
                method: Outcome(tuple(one["predictions"]), np.array(one["right"], dtype=bool))
                for method, one in methods.items()
            }
            for mask, methods in data["outcomes"].items()
        }
        return cls(
            data_hash=data["data_hash"],
            numbers=tuple(data["numbers"]),
            left_out=data["left_out"],
            expected=tuple(data["expected"]),
            outcomes=outcomes,
        )
