"""Naming: what runs and heads are called in the titles of figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segviz.labels import head_name

if TYPE_CHECKING:
    from segviz.comparison import Comparison
    from segviz.patterns import Head
    from segviz.trace import Trace

DIFFERENCE = "segment minus causal"


def run_of(of: Trace | Comparison) -> Trace:
    """A trace, or that of the segment mask.

    Raises:
        TypeError: neither a trace nor a comparison.
    """
    run: Any = getattr(of, "segment", of)
    if not hasattr(run, "mask_kind"):
        raise TypeError(
            f"what is drawn is a Trace or a Comparison, and given was a {type(of).__name__}"
        )
    return run


def only_run(of: Trace) -> Trace:
    """A trace, where a comparison cannot be drawn.

    >>> only_run("run.safetensors")
    Traceback (most recent call last):
    TypeError: what is drawn is a Trace or a Comparison, and given was a str

    Raises:
        TypeError: a comparison, or something else.
    """
    run = run_of(of)
    if run is not of:
        raise TypeError("a comparison has two runs: give one, comparison.segment or .causal")
    return run


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
    return noted(what, run)


def noted(title: str, run: Trace) -> str:
    """A title that says if the weights were never tuned for the mask that they ran under."""
    return f"{title} (untuned)" if run.untuned else title


def head_of(trace: Trace, layer: int, head: Head) -> str:
    """Layer and head by their numbers, also where they were counted from the end."""
    which = head if isinstance(head, str) else range(trace.heads)[head]
    return head_name(range(len(trace.layers))[layer], which)
