"""Every figure on speed: ``python tests/benchmarks/run.py``, or ``python -m benchmarks.run``.

Prints tables in Markdown; what is going on goes to stderr. Whatever is compared runs side by side,
in turns, in one process. Figures for papers, the explorer in a browser, and pages in a browser have
scripts of their own, in ``tests/``: ``python -m benchmarks.figures``, ``benchmarks.explorer``,
``benchmarks.bertviz_pages`` and ``benchmarks.peer_views``.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.common import machine, progress

SECTIONS = ("prefill", "capture", "edits", "looking", "decode", "start", "growth", "gpu")


def section(name: str) -> Any:
    """The module of a section: its ``tables``, and their ``SIZES``."""
    return importlib.import_module(f"benchmarks.{name}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="smaller sizes and fewer repeats: under two minutes"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=SECTIONS,
        default=SECTIONS,
        metavar="SECTION",
        help=f"some of the sections: {', '.join(SECTIONS)}",
    )
    options = parser.parse_args(arguments)
    print(f"{machine()}\n", flush=True)
    size = "quick" if options.quick else "full"
    for name in options.only:
        module = section(name)
        print(f"## {module.__doc__.splitlines()[0]}\n", flush=True)
        for table in module.tables(**module.SIZES[size]):
            print(table.markdown(), flush=True)
    progress("done")


if __name__ == "__main__":
    main()
