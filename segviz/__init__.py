"""See and touch segment-based attention masks on a live Llama or Qwen in Jupyter.

>>> import segviz as sv
>>> model = sv.load()
>>> model.trace(sv.examples["chain"], mask="segment", max_new_tokens=4).generated_text.strip()
'Lena'

Names are imported when they are first used, so that ``import segviz`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segviz import bertviz, figures, plots
    from segviz.comparison import Comparison, compare
    from segviz.evaluation import Evaluation, evaluate
    from segviz.explorer import explore, open_session
    from segviz.loading import load
    from segviz.masks import causal_mask, segment_mask
    from segviz.model import Model
    from segviz.prompts import Prompt
    from segviz.run import RunCancelledError
    from segviz.segments import Segment, Segmentation
    from segviz.session import Session
    from segviz.tiny.examples import examples
    from segviz.trace import Trace
    from segviz.training import finetune

__version__ = "0.1.0"

_HOME = {
    "Comparison": "segviz.comparison",
    "Evaluation": "segviz.evaluation",
    "Model": "segviz.model",
    "Prompt": "segviz.prompts",
    "RunCancelledError": "segviz.run",
    "Segment": "segviz.segments",
    "Segmentation": "segviz.segments",
    "Session": "segviz.session",
    "Trace": "segviz.trace",
    "causal_mask": "segviz.masks",
    "compare": "segviz.comparison",
    "evaluate": "segviz.evaluation",
    "explore": "segviz.explorer",
    "examples": "segviz.tiny.examples",
    "finetune": "segviz.training",
    "load": "segviz.loading",
    "open_session": "segviz.explorer",
    "segment_mask": "segviz.masks",
}

_MODULES = ("bertviz", "figures", "plots")

__all__ = [
    "Comparison",
    "Evaluation",
    "Model",
    "Prompt",
    "RunCancelledError",
    "Segment",
    "Segmentation",
    "Session",
    "Trace",
    "bertviz",
    "causal_mask",
    "compare",
    "evaluate",
    "examples",
    "explore",
    "figures",
    "finetune",
    "load",
    "open_session",
    "plots",
    "segment_mask",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"segviz.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'segviz' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_MODULES})
