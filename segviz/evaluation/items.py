"""Items: a task's records as a model reads them, each with its choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from segviz.data import Encoded, Encoder, Record, data_hash
from segviz.evaluation.answers import with_answer
from segviz.evaluation.running import Item
from segviz.evaluation.tasks import Task
from segviz.model import Model


@dataclass(frozen=True, eq=False)
class Prepared:
    """A task that is ready to be answered.

    Args:
        task: the records.
        hash: of them.
        items: those that the model has positions for.
        has_choices: whether likelihood can answer them.
        notes: what a reader of the results has to know, in sentences.
    """

    task: Task
    hash: str
    items: Sequence[Item]
    has_choices: bool
    notes: Sequence[str]

    def methods(self, wanted: Sequence[str]) -> list[str]:
        """Those of the methods that can answer the task."""
        return [method for method in wanted if method == "generation" or self.has_choices]


def prepare(
    model: Model,
    task: Task,
    scheme: str,
    preset: str,
    max_new_tokens: int,
    *,
    scored: bool,
    progress: bool = False,
) -> Prepared:
    """Encode a task's records, and leave out those that are too long.

    >>> import segviz as sv
    >>> chat = [*sv.examples["chain"], {"role": "assistant", "content": "Lena"}]
    >>> task = Task("chains", [chat], choices=["Lena", "Fay"])
    >>> prepared = prepare(sv.load(), task, "chat", "segment", 4, scored=True)
    >>> [len(ids) for ids in prepared.items[0].answers]  # a name and its end-of-turn token
    [2, 2]

    Args:
        model: whose tokenizer and number of positions count.
        task: the records.
        scheme: how instructions are written.
        preset: how prompts are cut.
        max_new_tokens: that are generated behind each prompt.
        scored: whether the likelihood of choices is asked for.
        progress: whether to show a bar.

    Raises:
        ValueError: a record that cannot be encoded, with its number; or nothing but too long ones.
    """
    encoder = Encoder(model.tokenizer, scheme, preset, answers="last")
    offered = [task.offered(record) for record in task.records]
    has_choices = scored and None not in offered
    limit = model.positions
    items, lengths = [], []
    reading = tqdm(task.records, f"{task.name}, reading", disable=not progress, leave=False)
    for number, record in enumerate(reading):
        try:
            item = _item(encoder, number, record, (offered[number] or ()) if has_choices else ())
        except ValueError as error:
            raise ValueError(f"task {task.name!r}: record {number + 1}: {error}") from error
        highest = max(max(ids) for ids in (item.prompt.token_ids, *item.answers))
        if highest >= model.vocabulary:
            raise ValueError(
                f"task {task.name!r}: record {number + 1} holds token id {highest}, but "
                f"{model.name!r} has {model.vocabulary} tokens: its tokenizer is another model's"
            )
        lengths.append(item.length + max(max_new_tokens, *map(len, item.answers), 0))
        if limit is None or lengths[-1] <= limit:
            items.append(item)
    if not items:
        raise ValueError(
            f"task {task.name!r}: with its answer every record exceeds the {limit} positions of "
            f"{model.name!r}, the shortest has {min(lengths)} tokens: give shorter records, "
            "fewer max_new_tokens, or a model with more positions"
        )
    notes = []
    if scored and not has_choices:
        notes.append(f"{task.name}: not answered by likelihood, since its records have no choices.")
    if len(items) < len(task.records):
        notes.append(
            f"{task.name}: {len(task.records) - len(items)} of {len(task.records)} records are "
            f"left out, since with their answer they exceed the model's {limit} positions."
        )
    return Prepared(task, data_hash(task.records), items, has_choices, notes)


def _item(encoder: Encoder, number: int, record: Record, choices: Sequence[str]) -> Item:
    prompt = encoder.prompt(record)
    encoded = Encoded(
        token_ids=prompt.token_ids,
        block_ids=prompt.segmentation.block_ids(),
        scored=np.zeros(prompt.length, dtype=bool),
        prompt_length=prompt.length,
    )
    answers = [encoder.answer(with_answer(record, choice), prompt) for choice in choices]
    return Item(number, encoded, answers)
