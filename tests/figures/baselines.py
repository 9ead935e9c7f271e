"""Figures whose pictures are kept: ``python -m baselines`` in this folder draws them anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
from drawn import random_trace
from matplotlib.figure import Figure

import segviz as sv

FOLDER = Path(__file__).parent / "baseline"
VERSION = FOLDER / "matplotlib.txt"
DPI = 72


def figures() -> dict[str, Callable[[], Figure]]:
    """How each figure is made, by the name of its file."""
    chat = [("bos!", 1), ("system", 5), ("user", 9), ("assistant!", 2)]
    few = random_trace(chat, new=3)
    many = random_trace([("bos!", 1), ("system", 60), ("user", 239)], new=20, heads=8)
    few_compared, many_compared = compared(few), compared(many)
    return {
        "attention-few": lambda: sv.figures.attention(few, 1, 2, highlight=[7]),
        "attention-part": lambda: sv.figures.attention(
            few, 1, 2, queries="user", keys=(0, 9), scale="log", merge="words"
        ),
        "attention-many": lambda: sv.figures.attention(many, 0, "mean", hide_first=True),
        "attention-grid": lambda: sv.figures.attention(few, [0, 1], [0, 1, 3], width="text"),
        "comparison-few": lambda: sv.figures.comparison(few_compared, 1, 2),
        "comparison-many": lambda: sv.figures.comparison(many_compared, 1, 2, scale="clipped"),
        "mask-few": lambda: sv.figures.mask(few),
        "mask-many": lambda: sv.figures.mask(many, width="text"),
        "heads": lambda: sv.figures.heads(many),
        "heads-difference": lambda: sv.figures.heads(many_compared, layers=[1]),
        "flow": lambda: sv.figures.flow(few, layer=1),
        "flow-difference": lambda: sv.figures.flow(few_compared),
        "tokens": lambda: sv.figures.tokens(few, layer=1, head=2),
        "tokens-slides": lambda: sv.figures.tokens(few, style="slides", width="slide"),
        "arcs": lambda: sv.figures.arcs(few, layer=1, head=[0, 2]),
        "arcs-many": lambda: sv.figures.arcs(many, layer=1, head=1, queries="user"),
    }


def compared(trace: sv.Trace) -> sv.Comparison:
    """The same queries and keys under both masks."""
    return sv.Comparison(replace(trace, mask_kind="causal"), trace)


def main() -> None:
    """Draw all of them."""
    FOLDER.mkdir(exist_ok=True)
    VERSION.write_text(".".join(mpl.__version__.split(".")[:2]) + "\n")
    for name, make in figures().items():
        make().savefig(FOLDER / f"{name}.png", dpi=DPI)


if __name__ == "__main__":
    main()
