"""Train from a configuration: ``python -m segviz.training config.yaml``.

With several processes: ``torchrun --nproc-per-node 8 -m segviz.training config.yaml``, or
``accelerate launch -m segviz.training config.yaml``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from segviz.training.config import read_config, run


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m segviz.training", description=__doc__)
    parser.add_argument("config", help="a YAML file: model, examples, and arguments of finetune")
    options = parser.parse_args(arguments)
    try:
        folder = run(read_config(options.config))
    except (ArithmeticError, ImportError, OSError, TypeError, ValueError) as error:
        sys.exit(str(error))
    if os.environ.get("RANK", "0") == "0":
        print(f"The adapter is in {folder}")  # noqa: T201


if __name__ == "__main__":
    main()
