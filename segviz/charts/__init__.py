"""Charts: the numbers and the labels of a figure, before anybody draws it.

``segviz.figures`` draws charts with matplotlib for papers, ``segviz.plots`` with plotly for
notebooks. What both show is worked out here, once. One module per kind; ``axis`` and ``look`` for
what they share.
"""

from segviz.charts.arcs import Arc, Arcs, arcs
from segviz.charts.axis import Axis, Span
from segviz.charts.flow import Flows, flow
from segviz.charts.heads import Mosaic, heads
from segviz.charts.heatmap import Heatmap, Heatmaps, attention, comparison
from segviz.charts.look import Look, Part
from segviz.charts.mask import MaskChart, mask
from segviz.charts.naming import run_of
from segviz.charts.text import Text, tokens

__all__ = [
    "Arc",
    "Arcs",
    "Axis",
    "Flows",
    "Heatmap",
    "Heatmaps",
    "Look",
    "MaskChart",
    "Mosaic",
    "Part",
    "Span",
    "Text",
    "arcs",
    "attention",
    "comparison",
    "flow",
    "heads",
    "mask",
    "run_of",
    "tokens",
]
