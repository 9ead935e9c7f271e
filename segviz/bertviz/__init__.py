"""BertViz: its head, model and neuron view of a trace, that draw at once and without network.

>>> import segviz as sv
>>> trace = sv.load().trace(sv.examples["chain"], mask="segment", max_new_tokens=4)
>>> page = sv.bertviz.head_view(trace, layers=1)
>>> print(sv.bertviz.estimate(trace, view="model"))
model view: 20,172 SVG elements drawn at once, a page of about 0.2 MB: 0.067 of the limit

The views are BertViz's own scripts, run in a frame of their own with copies of the three scripts
that they load from elsewhere. Segment masks and generated tokens are in them, since they are in the
trace.
"""

from __future__ import annotations

from segviz.bertviz.cost import Estimate
from segviz.bertviz.page import Page
from segviz.bertviz.views import estimate, head_view, model_view, neuron_view

__all__ = ["Estimate", "Page", "estimate", "head_view", "model_view", "neuron_view"]
