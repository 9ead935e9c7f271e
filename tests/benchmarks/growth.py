"""Growth: how time and memory grow with the number of tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from statistics import median

import numpy as np
from reference import tokenizer

import segviz as sv
from benchmarks.common import Cell, Table, progress
from benchmarks.edits import boundary_moved, full_trace
from benchmarks.looking import grid_layer, view
from benchmarks.measure import FAILURES, Way, in_fresh_process, peak, said, seconds
from benchmarks.models import chat, llama, prompt

SIZES = {
    "full": {"lengths": (256, 512, 1024, 2048, 4096, 8192), "repeats": 3},
    "quick": {"lengths": (256, 512, 1024), "repeats": 1},
    "tiny": {"lengths": (32, 64), "repeats": 1, "fresh": False},
}

WHAT = {
    "trace": "a trace",
    "edit": "an edit in the last tenth",
    "head": "one head, pooled to 512 cells on a side",
    "grid": "the grid's pictures and numbers of one layer",
}

Measured = dict[str, tuple[float, float]]
"""Seconds, and bytes at the peak, by what was run."""


def tables(lengths: Sequence[int], repeats: int, *, fresh: bool = True) -> Iterator[Table]:
    """Seconds, then memory."""
    found: dict[int, Measured | str] = {}
    for tokens in lengths:
        progress(f"growth: {tokens} tokens")
        try:
            found[tokens] = (
                in_fresh_process(measured, tokens, repeats) if fresh else measured(tokens, repeats)
            )
        except FAILURES as error:
            found[tokens] = said(error)
    note = (
        "Exponents: a line fitted by least squares to the logarithms over the upper half of the "
        "lengths; 1 is proportional to the tokens, 2 to their square."
    )
    yield _table("Growth of time, seconds", ".3f", found, 0, 1, note)
    yield _table(
        "Growth of memory, MB at the peak above what was held before", ",.1f", found, 1, 1e6, note
    )


def measured(tokens: int, repeats: int) -> Measured:
    """Seconds and peak bytes of everything at one length."""
    hf_model = llama(tokens)
    trace = sv.Model(hf_model, tokenizer()).trace(prompt(chat(tokens)))
    makers: dict[str, Callable[[], Way]] = {
        "trace": lambda: full_trace(hf_model, tokens),
        "edit": lambda: boundary_moved(hf_model, tokens),
        "head": lambda: lambda: view(trace, 1, 3),
        "grid": lambda: lambda: grid_layer(trace, 1),
    }
    found: Measured = {}
    for name, make in makers.items():
        way = make()
        way()
        spent = median(seconds(way) for _ in range(repeats))
        # Memory of a new one: what this one has kept would be given back on the way.
        del way
        found[name] = spent, peak(make())
    return found


def _table(
    title: str, spec: str, found: dict[int, Measured | str], part: int, unit: float, note: str
) -> Table:
    rows: list[list[Cell]] = []
    for name, words in WHAT.items():
        cells = [x if isinstance(x, str) else x[name][part] / unit for x in found.values()]
        rows.append([words, *cells, exponent(list(found), cells)])
    columns = {"run": "", **{f"{tokens:,}": spec for tokens in found}, "exponent": ".2f"}
    return Table(title, columns, rows, note)


def exponent(lengths: Sequence[int], values: Sequence[Cell]) -> Cell:
    """The power of the length with which values grow, over the upper half of the lengths."""
    half = len(lengths) // 2
    pairs = [
        (math.log(length), math.log(value))
        for length, value in zip(lengths[half:], values[half:], strict=True)
        if not isinstance(value, str) and value > 0
    ]
    if len(pairs) < 2:
        return "–"
    x, y = np.array(pairs).T
    return float(np.polyfit(x, y, 1)[0])
