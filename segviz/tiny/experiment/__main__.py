"""Run the experiment: `python -m segviz.tiny.experiment --output experiment`."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from transformers.utils.logging import disable_progress_bar

from segviz.tiny import NAMES, folder
from segviz.tiny.experiment.drawing import save
from segviz.tiny.experiment.plan import FULL, QUICK, planned
from segviz.tiny.experiment.results import Results
from segviz.tiny.experiment.running import check_folder, do_all, make_bases
from segviz.tiny.train import say

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run; what is done already in the folder is not done again."""
    parser = argparse.ArgumentParser(
        prog="python -m segviz.tiny.experiment",
        description="Fine-tune an embedded model under both masks, and compare.",
    )
    parser.add_argument("--output", type=Path, default=Path("experiment"), help="folder to write")
    parser.add_argument("--model", choices=NAMES, default=NAMES[0])
    parser.add_argument("--seeds", type=int, default=3, help="fine-tunings of each base and mask")
    parser.add_argument("--retrain", action="store_true", help="train the bases from scratch")
    parser.add_argument("--bases", type=int, default=3, help="base seeds, with --retrain")
    parser.add_argument("--no-ablations", action="store_true", help="the main comparison alone")
    parser.add_argument("--quick", action="store_true", help="a few steps and prompts: a trial")
    parser.add_argument("--workers", type=int, default=2, help="runs at a time, a thread each")
    options = parser.parse_args(arguments)
    disable_progress_bar()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    started = time.perf_counter()
    output, scale = options.output, QUICK if options.quick else FULL
    settings = {"model": options.model, "retrain": options.retrain, "scale": repr(scale)}
    try:
        check_folder(output, settings)
    except FileExistsError as error:
        sys.exit(str(error))
    bases = {0: folder(options.model, None)}
    if options.retrain:
        bases = make_bases(options.model, range(options.bases), output, options.workers, say)
    runs = planned([*bases], range(options.seeds), ablations=not options.no_ablations)
    do_all(runs, bases, scale, output, options.workers, say)
    results = Results(output, runs)
    tables = results.markdown()
    (output / "table.md").write_text(tables, encoding="utf-8")
    for ending in ("pdf", "png"):
        save(results, output / f"figure.{ending}")
    minutes = (time.perf_counter() - started) / 60
    say(f"{tables}\n{minutes:.1f} minutes with {options.workers} workers; see {output}/")


if __name__ == "__main__":
    main()
