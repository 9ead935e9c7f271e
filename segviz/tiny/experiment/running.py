"""Doing the runs: fine-tuning, its curve and its evaluation, each in a folder of its own."""

from __future__ import annotations

import json
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback
from transformers.utils.logging import disable_progress_bar

from segviz.evaluation import Evaluation, evaluate
from segviz.tiny.accuracy import right_answers
from segviz.tiny.base import BaseTrainer
from segviz.tiny.experiment.plan import MASKS, Run, Scale
from segviz.tiny.recipe import RECIPES
from segviz.tiny.saving import save
from segviz.tiny.tokenizer import build_tokenizer, saved_tokenizer
from segviz.tiny.tuning import base_model, tune, tuned_model, tuning_examples
from segviz.tiny.world import FAMILIES, Example, chains, draw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from segviz.data import Encoded
    from segviz.model import Model

EVALUATION, CURVE, SETTINGS = "evaluation.json", "curve.json", "settings.json"
NO_LINK_AHEAD = "chains, none ahead"


def tasks(count: int) -> dict[str, list[Example]]:
    """Held-out questions of each family, the same for every run; chains have some link ahead.

    >>> {name: len(examples) for name, examples in tasks(3).items()}
    {'chains': 3, 'chains, none ahead': 3, 'places': 3, 'owners': 3, 'amounts': 3}
    """
    found: dict[str, list[Example]] = {}
    for family in FAMILIES:
        rng = Random(f"experiment/{family}")  # noqa: S311 - reproducible data, no secret
        found[family] = [draw(family, rng) for _ in range(count)]
        if family == "chains":
            found[NO_LINK_AHEAD] = [chains.draw_none_ahead(rng).example for _ in range(count)]
    return found


class Curve(TrainerCallback):
    """Measures, on the way, how often chains are answered right under each mask."""

    def __init__(self, model: Model, scale: Scale) -> None:
        self._model, self._steps = model, scale.curve_steps
        self._examples = tasks(scale.curve_prompts)["chains"]
        self.points: list[dict[str, float]] = []

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Before the first step."""
        self._measure(0)

    def on_step_end(self, args: Any, state: Any, *_: Any, **__: Any) -> None:
        """After a step."""
        del args
        self._measure(state.global_step)

    def _measure(self, step: int) -> None:
        if step not in self._steps:
            return
        hf_model: Any = self._model.hf_model
        shares = {
            mask: right_answers(hf_model, self._model.tokenizer, self._examples, mask)
            for mask in MASKS
        }
        hf_model.train()
        means = {mask: right.float().mean().item() for mask, right in shares.items()}
        self.points.append({"step": step, **means})


def check_folder(folder: Path, settings: dict[str, Any]) -> None:
    """Make the folder of an experiment, or see to it that the one that is there is of this one.

    Raises:
        FileExistsError: a folder of an experiment with other settings.
    """
    file = folder / SETTINGS
    before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else settings
    if before != settings:
        raise FileExistsError(
            f"{str(folder)!r} holds another experiment ({before}, not {settings}); give another "
            "--output"
        )
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def make_base(name: str, seed: int, folder: Path) -> float:
    """Train a base from scratch; the seconds it took."""
    started = time.perf_counter()
    tokenizer = build_tokenizer()
    trainer = BaseTrainer(RECIPES[name], tokenizer, seed, lambda _: None)
    save(trainer.train(), tokenizer, folder)
    return time.perf_counter() - started


def evaluated(model: Model, scale: Scale, file: Path) -> None:
    """Ask everything under both masks, and keep it."""
    records = {
        name: [{"messages": example.record} for example in examples]
        for name, examples in tasks(scale.prompts).items()
    }
    evaluation = evaluate(
        model, records, methods=["generation"], max_new_tokens=4, batch_size=100, progress=False
    )
    evaluation.save(file)


@lru_cache(maxsize=4)
def _examples(base: Path, count: int, seed: int, preset: str) -> list[Encoded]:
    """Encoded once in each process."""
    return tuning_examples(saved_tokenizer(base), count, seed, preset)


def do(run: Run, base: Path, scale: Scale, folder: Path) -> float:
    """Fine-tune and evaluate; the seconds it took."""
    started = time.perf_counter()
    model = base_model(base)
    curve = Curve(model, scale)
    tune(
        model,
        _examples(base, scale.tuning.examples, run.seed, run.preset),
        run.mask,
        scale.tuning,
        run.seed,
        folder / "adapter",
        targets=run.targets,
        preset=run.preset,
        callbacks=[curve],
    )
    (folder / CURVE).write_text(json.dumps(curve.points, indent=1) + "\n", encoding="utf-8")
    evaluated(tuned_model(base, folder / "adapter"), scale, folder / EVALUATION)
    return time.perf_counter() - started


def do_all(
    runs: Sequence[Run],
    bases: dict[int, Path],
    scale: Scale,
    folder: Path,
    workers: int,
    log: Callable[[str], None],
) -> None:
    """Do the runs that are not done yet, so many at a time, each on one thread."""
    jobs: dict[str, tuple[Any, ...]] = {}
    for seed, base in bases.items():
        if not (folder / f"base {seed}" / EVALUATION).is_file():
            jobs[f"base {seed}"] = (_evaluate_base, base, scale, folder / f"base {seed}")
    for run in runs:
        if not (folder / run.name / EVALUATION).is_file():
            jobs[run.name] = (do, run, bases[run.base_seed], scale, folder / run.name)
    _in_processes(jobs, workers, log)


def make_bases(
    name: str, seeds: Sequence[int], folder: Path, workers: int, log: Callable[[str], None]
) -> dict[int, Path]:
    """Train the bases that are not there yet."""
    bases = {seed: folder / f"base {seed}" / "weights" for seed in seeds}
    jobs: dict[str, tuple[Any, ...]] = {
        f"base {seed}, from scratch": (make_base, name, seed, base)
        for seed, base in bases.items()
        if not base.is_dir()
    }
    _in_processes(jobs, workers, log)
    return bases


def read_evaluation(folder: Path) -> Evaluation:
    """Of a run's folder."""
    return Evaluation.load(folder / EVALUATION)


def read_curve(folder: Path) -> list[dict[str, float]]:
    """Of a run's folder."""
    return json.loads((folder / CURVE).read_text(encoding="utf-8"))


def _evaluate_base(base: Path, scale: Scale, folder: Path) -> float:
    started = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    evaluated(base_model(base), scale, folder / EVALUATION)
    return time.perf_counter() - started


def _begin_process() -> None:
    torch.set_num_threads(1)
    disable_progress_bar()


def _in_processes(
    jobs: dict[str, tuple[Any, ...]], workers: int, log: Callable[[str], None]
) -> None:
    # Processes of their own: one thread each is faster than two threads for one run after another.
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_begin_process) as pool:
        futures = {pool.submit(*job): name for name, job in jobs.items()}
        for done, future in enumerate(as_completed(futures), start=1):
            seconds = future.result()
            log(f"{done} of {len(futures)}: {futures[future]}, {seconds:.0f} s")
