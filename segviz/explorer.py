"""The live explorer: a session and its views, linked."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import traitlets
from IPython.display import display

from segviz.session import Answer, Pattern, Session
from segviz.widgets import ExplorerView

if TYPE_CHECKING:
    from segviz.model import Messages, Model
    from segviz.prompts import Prompt

FIRST_RUN = 0.5
"""Seconds to wait for the first run before the explorer is displayed without it."""

UNTUNED = (
    "untuned: these weights were never tuned for segment masks, so what they do under one is off "
    "their training distribution"
)

_SHOWN = {
    "causal": "causal mask",
    "segment": "segment mask",
    "difference": "segment minus causal",
}


def explore(
    model: Model,
    prompt: Prompt | str | Messages,
    *,
    layer: int = 0,
    head: int = 0,
    view: str = "segment",
    max_new_tokens: int = 16,
    **options: Any,
) -> Session:
    """Display the live explorer: drag a segment boundary, and mask, attention and answer follow.

    >>> import segviz as sv
    >>> session = sv.explore(sv.load(), sv.examples["chain"])  # doctest: +ELLIPSIS
    <segviz...ExplorerView object at ...>
    >>> session.segmentation = session.segmentation.merge(1)  # as a double-click on its handle

    Args:
        model: runs the prompt.
        prompt: a prompt, or text, or messages.
        layer: the layer to begin with.
        head: the query head to begin with.
        view: ``"causal"``, ``"segment"`` or ``"difference"``.
        max_new_tokens: length of the answers at most.
        options: decoding options, as in :meth:`segviz.Model.trace`.

    Returns:
        The session: its ``segmentation``, ``layer``, ``head``, ``view`` and ``trace`` can be read
        and written, and the explorer follows.

    Raises:
        ValueError: a prompt the model cannot take.
        traitlets.TraitError: no such layer, head or view.
    """
    session = Session(model, prompt, max_new_tokens=max_new_tokens, **options)
    session.layer, session.head, session.view = layer, head, view
    shown = explorer_view(session)
    with suppress(TimeoutError, RuntimeError):
        # The static picture of a saved notebook is drawn when the explorer is displayed: a run
        # that takes a blink may end first. One that fails says so in the explorer.
        session.wait(FIRST_RUN)
    display(shown)
    return session


def explorer_view(session: Session) -> ExplorerView:
    """The views of a session: they show its state, and edits in the page become its state.

    Each call gives an independent view of the same session.
    """
    view = ExplorerView(
        session.prompt.tokens,
        session.segmentation,
        layers=session.model.layers,
        heads=session.model.heads,
        kv_heads=session.model.kv_heads,
        title=session.model.name,
    )
    view.answer.untuned = "" if session.model.default_mask == "segment" else UNTUNED
    for name in ("layer", "head", "view"):
        traitlets.link((session, name), (view, name))
    traitlets.dlink((view.strip, "dragging"), (session, "dragging"))
    traitlets.dlink((session, "busy"), (view, "busy"))
    traitlets.dlink((session, "busy"), (view, "status"), _status)
    traitlets.dlink((session, "stale"), (view.attention, "stale"))
    traitlets.dlink((session, "error"), (view, "error"))

    def edited(_change: object) -> None:
        session.segmentation = view.strip.segmentation

    def follow_prompt(_change: object) -> None:
        if list(session.prompt.tokens) != view.strip.tokens:
            view.set_prompt(session.prompt.tokens, session.prompt.segmentation)
        else:
            view.strip.segmentation = session.prompt.segmentation

    def follow_pattern(_change: object) -> None:
        if session.pattern is not None:
            _show(view, cast("Pattern", session.pattern))

    def follow_answer(change: Any) -> None:
        answer: Answer = change["new"]
        kind = change["name"].removesuffix("_answer")
        view.answer.set(kind, answer.tokens, state=answer.state, note=answer.note)

    view.strip.observe(edited, "segments")
    session.observe(follow_prompt, "prompt")
    session.observe(follow_pattern, "pattern")
    session.observe(follow_answer, ["causal_answer", "segment_answer"])
    for name in ("causal_answer", "segment_answer"):
        follow_answer({"name": name, "new": getattr(session, name)})
    follow_pattern(None)
    session.draw = view.png
    session.views.append(view)
    return view


def _show(view: ExplorerView, pattern: Pattern) -> None:
    view.show(
        pattern.array,
        tokens=pattern.tokens,
        segmentation=pattern.segmentation,
        prompt_length=pattern.prompt_length,
        kind="diverging" if pattern.view == "difference" else "sequential",
        mask=pattern.mask,
        title=f"Layer {pattern.layer}, head {pattern.head}: {_SHOWN[pattern.view]}",
    )


def _status(busy: bool) -> str:
    return "running" if busy else "up to date"
