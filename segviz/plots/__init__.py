"""Plots for notebooks and web pages, drawn with plotly: the names of :mod:`segviz.figures`.

>>> import segviz as sv
>>> trace = sv.load().trace(sv.examples["chain"])
>>> plot = sv.plots.attention(trace, layer=1, head=0)

``help(sv.plots.attention)`` explains all that can be asked of one.
"""

from segviz.plots.kinds import arcs, attention, comparison, flow, heads, mask, tokens

__all__ = ["arcs", "attention", "comparison", "flow", "heads", "mask", "tokens"]
