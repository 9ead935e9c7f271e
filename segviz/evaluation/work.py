"""Work: a task under one mask, answered batch by batch, and judged."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from segviz.evaluation.answers import expected, is_right, predicted
from segviz.evaluation.items import Prepared
from segviz.evaluation.journal import Key
from segviz.evaluation.outcomes import Outcome, TaskOutcome
from segviz.evaluation.running import Answered, Item, answer
from segviz.model import Model
from segviz.trace import MaskKind


@dataclass(frozen=True)
class Work:
    """A task under one mask.

    Args:
        model: that answers.
        prepared: the task.
        mask: the prompts are read under.
        methods: how answers are had; the accuracy of the first one is shown.
        max_new_tokens: 0: nothing is generated.
    """

    model: Model
    prepared: Prepared
    mask: MaskKind
    methods: Sequence[str]
    max_new_tokens: int

    def batches(
        self, done: Mapping[Key, Answered], size: int, *, progress: bool
    ) -> Iterator[list[tuple[Key, Answered]]]:
        """Answer what is not done, the longest prompts first; ``size`` is halved if need be."""
        items = self.prepared.items
        waiting = sorted(
            (item for item in items if self._key(item) not in done), key=lambda item: -item.length
        )
        before = [(item, done[self._key(item)]) for item in items if self._key(item) in done]
        name = f"{self.prepared.task.name}, {self.mask}"
        with tqdm(total=len(items), desc=name, disable=not progress, unit="record") as bar:
            right = self._count(bar, before, 0)
            while waiting:
                batch = waiting[:size]
                answered = self._answer(batch)
                if answered is None:
                    size = len(batch) // 2
                    warnings.warn(
                        f"out of memory with {len(batch)} prompts of up to {batch[0].length} "
                        f"tokens: going on with batches of {size}",
                        stacklevel=3,
                    )
                    continue
                del waiting[: len(batch)]
                pairs = list(zip(batch, answered, strict=True))
                yield [(self._key(item), one) for item, one in pairs]
                right = self._count(bar, pairs, right)

    def _answer(self, batch: Sequence[Item]) -> list[Answered] | None:
        """The answers of a batch; None if there is too little memory for several prompts."""
        try:
            return answer(self.model, batch, self.mask, self.max_new_tokens)
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise
        # Out here the error, which keeps what was computed, is gone.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None

    def _key(self, item: Item) -> Key:
        return self.prepared.task.name, self.mask, item.number

    def _count(self, bar: Any, pairs: Iterable[tuple[Item, Answered]], right: int) -> int:
        """Show how many answers of the first method are right so far, and return it."""
        pairs = list(pairs)
        if bar.disable or not pairs:
            return right
        method = self.prepared.methods(self.methods)[0]
        right += sum(_judged(self.prepared, item, one, method)[1] for item, one in pairs)
        bar.update(len(pairs))
        bar.set_postfix_str(f"{100 * right / bar.n:.1f} % right", refresh=False)
        return right


def outcome(
    prepared: Prepared,
    masks: Sequence[MaskKind],
    methods: Sequence[str],
    done: Mapping[Key, Answered],
) -> TaskOutcome:
    """Judge what a task was answered, under each mask and by each method that can answer it."""
    task, items = prepared.task, prepared.items
    outcomes: dict[str, dict[str, Outcome]] = {}
    for mask in masks:
        outcomes[mask] = {}
        for method in prepared.methods(methods):
            judged = [
                _judged(prepared, item, done[task.name, mask, item.number], method)
                for item in items
            ]
            outcomes[mask][method] = Outcome(
                predictions=tuple(prediction for prediction, _ in judged),
                right=np.array([right for _, right in judged], dtype=bool),
            )
    return TaskOutcome(
        data_hash=prepared.hash,
        numbers=tuple(item.number for item in items),
        left_out=len(task.records) - len(items),
        expected=tuple(expected(task.records[item.number]) for item in items),
        outcomes=outcomes,
    )


def _judged(
    prepared: Prepared, item: Item, answered: Answered, method: str
) -> tuple[str | None, bool]:
    """What an item was answered by a method, and whether it is right."""
    record = prepared.task.records[item.number]
    if method == "generation":
        prediction = predicted(record, answered.text or "", prepared.task.choices)
        return prediction, is_right(record, prediction)
    scores = np.array(answered.log_probabilities)
    if method == "likelihood per token":
        scores = scores / [len(ids) for ids in item.answers]
    offered = prepared.task.offered(record) or ()
    choice = offered[int(scores.argmax())]
    return choice, choice == expected(record)
