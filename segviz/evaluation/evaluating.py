"""Evaluating: tasks are answered under each mask, batch by batch, and counted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from segviz import __version__
from segviz.evaluation.fingerprint import weights_fingerprint
from segviz.evaluation.items import Prepared, prepare
from segviz.evaluation.journal import Journal, Key
from segviz.evaluation.report import FILE, Evaluation
from segviz.evaluation.running import Answered
from segviz.evaluation.tasks import read_tasks
from segviz.evaluation.work import Work, outcome
from segviz.files import whole
from segviz.model import Model
from segviz.trace import MaskKind

METHODS = ("generation", "likelihood", "likelihood per token")
"""How an answer is had: as generated text, or as the most likely of the choices."""


def evaluate(  # noqa: PLR0913 (users see all arguments)
    model: Model,
    tasks: Any,
    masks: Sequence[MaskKind] = ("causal", "segment"),
    *,
    methods: Sequence[str] = ("generation", "likelihood"),
    scheme: str | None = None,
    preset: str | None = None,
    batch_size: int = 16,
    max_new_tokens: int = 32,
    limit: int | None = None,
    output: str | Path | None = None,
    seed: int = 0,
    confidence: float = 0.95,
    progress: bool = True,
) -> Evaluation:
    """Measure how often a model answers right, under each mask, on the same records.

    >>> import segviz as sv
    >>> chat = [*sv.examples["chain"], {"role": "assistant", "content": "Lena"}]
    >>> evaluation = evaluate(sv.load(), {"chains": [chat]}, methods=["generation"],
    ...                       max_new_tokens=4, progress=False)
    >>> {mask: evaluation.tasks["chains"].outcomes[mask]["generation"].predictions
    ...  for mask in evaluation.masks}
    {'causal': ('Fay',), 'segment': ('Lena',)}

    Records that are too long for the model are left out under all masks, and the report says how
    many. Where a GPU has too little memory, batches get smaller. A run of the same model in another
    thread waits for the batch at hand.

    Args:
        model: with whatever adapter is active; it stays as it is.
        tasks: a mapping from names to records, or to paths of JSON or JSONL files; a folder with
            ``<task>/test.json``; or names of the paper's eight tasks, read from the hub. See
            :func:`segviz.evaluation.tasks.read_tasks`.
        masks: ``"causal"`` and ``"segment"``, or one of them.
        methods: ``"generation"``: greedy; right if the first choice that the text names is the
            record's ``answer``, or, without that field, if the text is the record's last
            assistant turn. ``"likelihood"``: the choice with the largest log-probability, its
            end-of-turn token included. ``"likelihood per token"``: the same divided by its number
            of tokens. A task without choices is not answered by likelihood.
        scheme: how instructions are written, a name of ``segviz.prompts.SCHEMES``; by default as
            for the model's adapter.
        preset: how prompts are cut, a name of ``segviz.prompts.PRESETS``; likewise.
        batch_size: prompts at a time.
        max_new_tokens: of a generated answer.
        limit: the first so many records of each task.
        output: a folder. Answers are written there as they come, and a run that was ended goes on
            with those that are missing; at its end ``evaluation.json`` and ``evaluation.md``.
        seed: of the resamples behind the intervals.
        confidence: of the intervals.
        progress: whether to show a bar for each task and mask.

    Returns:
        :class:`segviz.evaluation.Evaluation`: accuracies with bootstrap intervals, paired
        differences with an exact McNemar test, and every prediction.

    Raises:
        TypeError: a model that is no :class:`segviz.Model`, or tasks of another form.
        ValueError: an unknown task, mask, method, scheme or preset; bad records; nothing to answer.
        FileNotFoundError: a task's file that is not there.
        FileExistsError: an ``output`` that holds another model's, task's or setting's answers.
        ConnectionError: a data set of the hub that cannot be had.
        FloatingPointError: logits that are not finite.
    """
    masks = _checked(masks, get_args(MaskKind), "masks")
    methods = _checked(methods, METHODS, "methods")
    _check(model, confidence, batch_size=batch_size, max_new_tokens=max_new_tokens)
    scheme, preset = scheme or model.scheme, preset or model.preset
    generated = max_new_tokens if "generation" in methods else 0
    scored = any(method != "generation" for method in methods)
    prepared = [
        prepare(model, task, scheme, preset, generated, scored=scored, progress=progress)
        for task in read_tasks(tasks, limit)
    ]
    if not any(one.methods(methods) for one in prepared):
        raise ValueError(
            "no task has choices, which likelihood needs: give records with 'choices', or add "
            "'generation' to methods"
        )
    settings = {
        **_settings(model, prepared),
        "scheme": scheme,
        "preset": preset,
        "methods": list(methods),
        "max_new_tokens": generated,
    }
    output = None if output is None else Path(output).expanduser()
    journal = None if output is None else Journal(output, settings)
    done: dict[Key, Answered] = {} if journal is None else journal.done
    answerable = [one for one in prepared if one.methods(methods)]
    works = [Work(model, one, mask, methods, generated) for one in answerable for mask in masks]
    for work in works:
        for answers in work.batches(done, batch_size, progress=progress):
            if journal is None:
                done.update(answers)
            else:
                journal.add(answers)
    evaluation = Evaluation(
        model=model.name,
        adapter=model.adapter,
        default_mask=model.default_mask,
        masks=masks,
        methods=methods,
        tasks={one.task.name: outcome(one, masks, methods, done) for one in prepared},
        settings=settings | {"batch_size": batch_size, "segviz": __version__},
        notes=tuple(note for one in prepared for note in one.notes),
        confidence=confidence,
        seed=seed,
    )
    if output is not None:
        evaluation.save(output / FILE)
        with whole(output / "evaluation.md", "an evaluation") as unfinished:
            unfinished.write_text(evaluation.to_markdown() + "\n", encoding="utf-8")
    return evaluation


def _check(model: Any, confidence: float, **counts: int) -> None:
    if not isinstance(model, Model):
        raise TypeError(
            f"evaluate takes a segviz.Model, not a {type(model).__name__}: sv.load(name, "
            "adapter=…), or sv.Model(hf_model, tokenizer)"
        )
    for name, number in counts.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError(f"{name}={number!r}; it is an integer from 1 on")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence!r}; allowed is a share between 0 and 1")


def _settings(model: Model, prepared: Sequence[Prepared]) -> dict[str, Any]:
    """What answers depend on, beside what the user has set."""
    return {
        "weights": weights_fingerprint(model.hf_model),
        "dtype": str(model.hf_model.dtype).removeprefix("torch."),
        "chat_template": _hash(str(getattr(model.tokenizer, "chat_template", None))),
        "tasks": {one.task.name: _hash(one.hash + repr(one.task.choices)) for one in prepared},
    }


def _checked(given: Any, allowed: Sequence[Any], what: str) -> tuple[Any, ...]:
    chosen = (given,) if isinstance(given, str) else tuple(given)
    if not chosen or len(set(chosen)) < len(chosen) or not set(chosen) <= set(allowed):
        raise ValueError(
            f"{what}={given!r}; allowed are {', '.join(map(repr, allowed))}, each once"
        )
    return chosen


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
