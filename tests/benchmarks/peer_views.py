"""Peers: the same attention as a page of segviz, BertViz, CircuitsVis and inspectus.

In ``tests/``: ``python -m benchmarks.peer_views [--quick] [--only segviz BertViz]``. CircuitsVis
and inspectus are no dependencies: ``pip install circuitsvis inspectus``.

Every page is opened from a file, in a headless Chromium of its own that has no network. For the
times, BertViz gets the scripts it asks the network for from segviz's copies, at once.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from playwright.sync_api import sync_playwright

from benchmarks import peer_checks
from benchmarks.common import Cell, Table, machine, progress
from benchmarks.peer_tools import NEW, TOOLS, Chromium, Run, Tool

SIZES = {
    "full": {
        "cases": ((1, 8, 64), (1, 8, 256), (1, 8, 512), (16, 32, 64), (16, 32, 256)),
        "lengths": tuple(64 << power for power in range(8)),
        "repeats": 3,
    },
    "quick": {"cases": ((1, 8, 64), (16, 32, 64)), "lengths": (64, 128, 256), "repeats": 1},
    "tiny": {"cases": ((1, 4, 24), (2, 4, 24)), "lengths": (24,), "repeats": 1},
}
"""Layers, heads and tokens of the pages; how long inputs may get; how often each page is opened."""

SOON = 10.0
"""Seconds to make and draw the longest input."""

OTHERS = "pip install circuitsvis inspectus"


def tables(
    names: Sequence[str],
    *,
    cases: Sequence[tuple[int, int, int]],
    lengths: Sequence[int],
    repeats: int,
) -> Iterator[Table]:
    """All of them, for these tools."""
    chosen = {name: TOOLS[name] for name in names}
    with sync_playwright() as playwright:
        chromium = Chromium(playwright)
        yield peer_checks.table(chromium, Chromium(playwright, served=False), chosen)
        yield sizes(chromium, chosen, cases, repeats)
        yield longest(chromium, chosen, lengths)


def sizes(
    chromium: Chromium, chosen: dict[str, Tool], cases: Sequence[tuple[int, int, int]], repeats: int
) -> Table:
    """Pages of one layer and of several: their sizes, and how long they take."""
    rows: list[list[Cell]] = []
    for layers, heads, tokens in cases:
        case = f"{layers} × {heads} heads, {tokens} tokens"
        found: dict[str, list[tuple[float, float, Cell]]] = {name: [] for name in chosen}
        with Run(layers, heads, tokens) as run:
            # They take turns, so that a slow moment of the machine slows all of them.
            for _ in range(repeats):
                for name, tool in chosen.items():
                    if any(isinstance(drawn, str) for *_, drawn in found[name]):
                        continue  # to wait in vain once is enough
                    progress(f"{name}: {case}")
                    html, made = _made(tool, run)
                    size = len(html.encode()) / 1e6
                    found[name].append((size, made, chromium.seconds(tool, html, run.shape)))
        rows += [[case, name, *map(_median, zip(*found[name], strict=True))] for name in chosen]
    return Table(
        "Pages",
        {"pages": "", "tool": "", "MB": ".1f", "made, s": ".2f", "drawn, s": ".2f"},
        rows,
        (
            f"{NEW} of the tokens are generated. segviz: the explorer's page, with both masks and "
            "the difference; one layer's heads in full, of several layers thumbnails of all "
            "and 4 heads in full. BertViz: head view of one layer, model view of several. "
            f"Medians of {repeats}."
        ),
    )


def longest(chromium: Chromium, chosen: dict[str, Tool], lengths: Sequence[int]) -> Table:
    """How many tokens there may be for 8 heads to be soon on screen."""
    found: dict[str, list[Cell]] = {name: ["none", "–"] for name in chosen}
    going = dict(chosen)
    for tokens in lengths:
        if not going:
            break
        with Run(1, 8, tokens) as run:
            for name, tool in list(going.items()):
                progress(f"{name}: 8 heads, {tokens} tokens")
                html, made = _made(tool, run)
                drawn = "late" if made > SOON else chromium.seconds(tool, html, run.shape, SOON)
                if isinstance(drawn, str) or made + drawn > SOON:
                    del going[name]
                else:
                    found[name] = [tokens, made + drawn]
    return Table(
        "The longest input",
        {"tool": "", "tokens": ",d", "seconds": ".1f"},
        [[name, *cells] for name, cells in found.items()],
        (
            f"8 heads of one layer, made and drawn within {SOON:.0f} s; lengths tried: "
            f"{', '.join(map(str, lengths))}. segviz pools what has more than 1,024 tokens."
        ),
    )


def _median(cells: Sequence[Cell]) -> Cell:
    """Of numbers; else the words that stand among them."""
    words = [cell for cell in cells if isinstance(cell, str)]
    return words[0] if words else statistics.median(cells)  # type: ignore[type-var]


def _made(tool: Tool, run: Run) -> tuple[str, float]:
    """A page, and the seconds it took to make; the attention of the peers was there before."""
    if tool.whole is None:
        run.attention  # noqa: B018 - computed when it is asked for first
    started = time.perf_counter()
    html = tool.of(run)
    return html, time.perf_counter() - started


def missing(names: Sequence[str]) -> list[str]:
    """Those of the tools that are not installed."""
    return [name for name in names if importlib.util.find_spec(TOOLS[name].package) is None]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer and smaller pages")
    parser.add_argument(
        "--only", nargs="+", choices=TOOLS, default=list(TOOLS), metavar="TOOL",
        help=f"some of them: {', '.join(TOOLS)}",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    lacking = missing(options.only)
    if lacking:
        parser.error(f"not installed: {', '.join(lacking)}. {OTHERS}, or leave them out by --only")
    print(machine(), end="")  # with the versions of segviz and BertViz
    for package in sorted({TOOLS[name].package for name in options.only} - {"segviz", "bertviz"}):
        print(f"; {package} {version(package)}", end="")
    print("\n", flush=True)
    for table in tables(options.only, **SIZES["quick" if options.quick else "full"]):
        print(table.markdown(), flush=True)
    progress("done")


if __name__ == "__main__":
    main()
