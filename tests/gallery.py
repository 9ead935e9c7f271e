"""The gallery in the README: every kind of figure, drawn anew by ``python -m gallery``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

import segviz as sv

FOLDER = Path(__file__).parents[1] / "assets" / "gallery"
DPI = 160


def figures() -> dict[str, Callable[[], Figure]]:
    """How each figure is made, by the name of its file."""
    model = sv.load()
    comparison = sv.compare(model, sv.examples["chain"], max_new_tokens=4)
    trace = comparison.segment
    return {
        "attention": lambda: sv.figures.attention(
            trace, layer=1, head=0, queries="user", keys="user"
        ),
        "arcs": lambda: sv.figures.arcs(
            trace, layer=1, head=0, queries="user", keys="user", least=0.1
        ),
        "mask": lambda: sv.figures.mask(trace),
        "heads": lambda: sv.figures.heads(trace),
        "flow": lambda: sv.figures.flow(trace, layer=1),
        "comparison": lambda: sv.figures.comparison(comparison, layer=1, head=0),
        "tokens": lambda: sv.figures.tokens(trace, layer=2, head=3, hide_first=True),
    }


def main() -> None:
    """Draw all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name, make in figures().items():
        make().savefig(FOLDER / f"{name}.png", dpi=DPI)


if __name__ == "__main__":
    main()
