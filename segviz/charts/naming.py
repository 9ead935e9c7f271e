"""Naming: what runs and heads are called in the titles of figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segviz.labels import head_name

if TYPE_CHECKING:
    from segviz.comparison import Comparison
    from segviz.patterns import Head
    from segviz.trace import Trace

DIFFERENCE = "segment minus causal"


def run_of(of: Trace | Comparison) -> Trace:
    """A trace, or that of the segment mask."""
    return getattr(of, "segment", of)  # type: ignore[reportReturnType]


def what_of(of: Trace | Comparison) -> str:
    """The mask of a run, or that it is a difference; and if the weights were not tuned for it.

    >>> import segviz as sv
    >>> what_of(sv.load().trace(sv.examples["chain"]))
    'segment mask'
    >>> what_of(sv.load(adapter=None).trace(sv.examples["chain"]))
    'segment mask (untuned)'
    """
    run = run_of(of)
    what = f"{run.mask_kind} mask" if run is of else DIFFERENCE
    return f"{what} (untuned)" if run.untuned else what


def head_of(trace: Trace, layer: int, head: Head) -> str:
    """Layer and head by their numbers, also where they were counted from the end."""
    which = head if isinstance(head, str) else range(trace.heads)[head]
    return head_name(range(len(trace.layers))[layer], which)
