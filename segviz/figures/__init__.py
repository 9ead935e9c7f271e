"""Figures for papers, drawn with matplotlib: vectors with real text, of exactly the asked-for size.

>>> import segviz as sv
>>> trace = sv.load().trace(sv.examples["chain"])
>>> figure = sv.figures.attention(trace, layer=1, head=0)  # figure.savefig("attention.pdf")

What can be asked of each kind is written in :mod:`segviz.figures.kinds`. Every file carries the
recipe it was made by: :func:`recipe` reads it, :func:`redraw` makes the figure again.
"""

from segviz.figures.carrying import recipe
from segviz.figures.kinds import arcs, attention, comparison, flow, heads, mask, tokens
from segviz.figures.redrawing import redraw
from segviz.figures.saved import PaperFigure

__all__ = [
    "PaperFigure",
    "arcs",
    "attention",
    "comparison",
    "flow",
    "heads",
    "mask",
    "recipe",
    "redraw",
    "tokens",
]
