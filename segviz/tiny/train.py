"""Make an embedded model from a seed: `python -m segviz.tiny.train --model tiny-llama --seed 0`.

Writes the causal base and its two tuned versions as ordinary checkpoints, each with the tokenizer,
and a `report.json` with what was measured on them.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch
from transformers.utils.logging import disable_progress_bar

from segviz.tiny import NAMES
from segviz.tiny.accuracy import Accuracies, Shipped, measure
from segviz.tiny.base import BaseTrainer, PlateauError
from segviz.tiny.recipe import RECIPES, Recipe
from segviz.tiny.saving import save
from segviz.tiny.tokenizer import build_tokenizer
from segviz.tiny.tuning import base_model, merged, tune, tuning_examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segviz.trace import MaskKind

LIBRARIES = ("torch", "transformers", "tokenizers", "peft")


def make(recipe: Recipe, seed: int, output: Path) -> Accuracies:
    """Train, save and measure everything."""
    clock = time.perf_counter()
    seconds: dict[str, float] = {}

    def lap(name: str) -> None:
        nonlocal clock
        clock, before = time.perf_counter(), clock
        seconds[name] = round(clock - before, 1)

    tokenizer = build_tokenizer()
    trainer = BaseTrainer(recipe, tokenizer, seed, say)
    base = trainer.train()
    save(base, tokenizer, output / "base")
    lap("base")
    examples = tuning_examples(tokenizer, recipe.tuning.examples, seed)
    masks: tuple[MaskKind, ...] = ("causal", "segment")
    for mask in masks:
        model = base_model(output / "base")
        with TemporaryDirectory() as scratch:
            adapter = tune(model, examples, mask, recipe.tuning, seed, Path(scratch))
            save(merged(output / "base", adapter), tokenizer, output / mask)
        lap(f"tuning, {mask}")
        say(f"tuned under the {mask} mask")
    # On the saved half-precision weights: these are what is shipped.
    accuracies = measure(Shipped.load(output), recipe.measured_prompts)
    lap("measuring")
    say(accuracies.tables())
    report = {
        "seed": seed,
        "steps": {"base": trainer.steps, "tuning": recipe.tuning.steps},
        "seconds": seconds,
        "threads": torch.get_num_threads(),
        "parameters": base.num_parameters(),
        "accuracies": asdict(accuracies),
        "versions": {name: version(name) for name in LIBRARIES},
        "python": platform.python_version(),
    }
    (output / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return accuracies


def say(line: str) -> None:
    """Report progress at once, also into a pipe."""
    print(line, flush=True)  # noqa: T201


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m segviz.tiny.train", description=__doc__)
    parser.add_argument("--model", choices=NAMES, default=NAMES[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="folder to write (default: the model's name)")
    parser.add_argument("--threads", type=int, default=2, help="processor threads (default: 2)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    disable_progress_bar()
    try:
        output = options.output or Path(options.model)
        missed = make(RECIPES[options.model], options.seed, output).missed_bars()
    except PlateauError as error:
        sys.exit(str(error))
    if missed:
        sys.exit(f"These weights should not be shipped: {', '.join(missed)}.")


if __name__ == "__main__":
    main()
