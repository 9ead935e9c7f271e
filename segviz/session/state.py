"""The state of a session: the traits that can be read, written and observed."""

from __future__ import annotations

import traitlets

from segviz.prompts import Prompt
from segviz.sampling import DEFAULTS
from segviz.segments import Segmentation
from segviz.session.looks import VIEWS, Contrast, Flows, Parting, Pattern
from segviz.session.runs import Answer
from segviz.trace import HeadCheck


class SessionState(traitlets.HasTraits):
    """What a session holds: what is edited, what is looked at, what was computed.

    >>> state = SessionState()
    >>> state.observe(lambda change: print(change["name"], change["new"]), ["layer", "head"])
    >>> state.layer = 2
    layer 2

    Every trait says in its ``help`` what it is: ``Session.layer.help``.
    """

    prompt = traitlets.Instance(Prompt, help="The prompt, with the current segments.")
    segmentation = traitlets.Instance(Segmentation, help="The prompt's segments.")
    template = traitlets.Instance(Segmentation, help="The segments before any edit.")
    decoding = traitlets.Dict(
        dict(DEFAULTS), help="max_new_tokens, do_sample, temperature, top_p, seed of the answers."
    )

    view = traitlets.Enum(VIEWS, "segment", help="Which attention is looked at.")
    layer = traitlets.Int(0, help="The layer looked at.")
    head = traitlets.Int(0, help="The query head looked at.")
    reduce = traitlets.Enum(
        ["head", "mean", "max"], "head", help="One head, or the mean or maximum over the layer's."
    )
    merge = traitlets.Enum(
        ["tokens", "words", "segments"], "tokens", help="What a row of the pattern stands for."
    )
    scale = traitlets.Enum(
        ["sqrt", "linear", "log", "clipped"], "sqrt", help="The scale of the colours."
    )
    hide_first = traitlets.Bool(help="Hide attention on the first token, the usual sink.")
    normalize = traitlets.Bool(help="Colour each row relative to its own maximum.")
    pinned = traitlets.Int(
        None, allow_none=True, help="The query whose row the strip shows; None: none."
    )
    panels = traitlets.List(
        traitlets.Enum(["prompt", "heads", "compare"]),
        ["heads"],
        help="The parts of the explorer that are unfolded.",
    )

    pattern = traitlets.Instance(
        Pattern, allow_none=True, help="What the chosen head shows; None before the first run."
    )
    receipt = traitlets.Instance(
        HeadCheck, allow_none=True, help="Whether the mask was applied in the chosen head."
    )
    contrast = traitlets.Instance(Contrast, allow_none=True, help="The chosen head in all views.")
    flows = traitlets.Instance(Flows, allow_none=True, help="Attention from segment to segment.")
    parting = traitlets.Instance(Parting, allow_none=True, help="Where the answers part.")
    overview = traitlets.Dict(help="All heads by layer, as far as they are computed.")
    version = traitlets.Int(help="Changes with the traces that all of these are computed from.")
    fresh = traitlets.Instance(
        frozenset,
        (),
        help="Which of these are of the latest edit: 'pattern', 'receipt', ….",
    )

    causal_answer = traitlets.Instance(Answer, (), help="The answer under the causal mask.")
    segment_answer = traitlets.Instance(Answer, (), help="The answer under the segment mask.")
    stale = traitlets.Bool(
        default_value=True, help="The pattern is that of an earlier edit, or there is none yet."
    )
    dragging = traitlets.Bool(help="A boundary is being dragged: runs wait for a pause.")
    busy = traitlets.Bool(help="A run is under way, or waits for a pause.")
    stage = traitlets.Unicode(help="What the run under way is doing.")
    error = traitlets.Unicode(help="Why the last run failed; '' if it did not.")
    look_error = traitlets.Unicode(help="Why something cannot be shown; '' if all can.")
