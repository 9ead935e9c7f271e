"""Links: a view shows the state of its session, and what is done in the page becomes its state."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import traitlets

from segviz.explorer import showing
from segviz.explorer.exporting import exported
from segviz.explorer.linking import link_traits
from segviz.explorer.page import SessionFront
from segviz.labels import UNTUNED
from segviz.widgets import ExplorerView

if TYPE_CHECKING:
    from segviz.session import Session
    from segviz.session.looks import LayerLook
    from segviz.trace import MaskKind


def explorer_view(session: Session) -> ExplorerView:
    """The explorer of a session; each call gives an independent one.

    >>> import segviz as sv
    >>> session = sv.Session(sv.load(), sv.examples["chain"])
    >>> view = explorer_view(session)
    >>> view.layer = 2
    >>> session.layer
    2

    It follows the session until either is closed.
    """
    model = session.model
    with session.lock:
        view = ExplorerView(
            session.prompt.tokens,
            session.segmentation,
            layers=model.layers,
            heads=model.heads,
            kv_heads=model.kv_heads,
            title=model.name,
            lock=session.lock,
        )
        view.answer.untuned = "" if model.default_mask == "segment" else UNTUNED
        view.compare.untuned = view.answer.untuned
        try:
            _Links(session, view)
        except BaseException:
            view.close()
            raise
        session.views.append(view)
        session.front = session.front or SessionFront(session)
    return view


class _Links:
    """Everything that ties a view to its session; undone when the view is closed."""

    def __init__(self, session: Session, view: ExplorerView) -> None:
        self.session = session
        self.view = view
        self._undo: list[Callable[[], object]] = []
        view.on_close.append(self.close)
        self._link_traits()
        self._link_prompt()
        self._link_runs()
        self._link_looks()

    def close(self) -> None:
        """End all links."""
        for undo in self._undo:
            undo()
        self._undo.clear()
        if self.view in self.session.views:
            self.session.views.remove(self.view)

    def _link_traits(self) -> None:
        session, view = self.session, self.view
        for target, names in (
            (view, ("layer", "head", "view", "reduce", "panels")),
            (view.attention, ("merge", "scale", "hide_first", "normalize", "pinned")),
            (view.answer, ("decoding",)),
        ):
            for name in names:
                self._undo.append(link_traits(session, target, name, session.lock))
        for name in ("layer", "head"):
            self._undo.append(link_traits(view, view.grid, name, session.lock))

    def _link_prompt(self) -> None:
        session, view = self.session, self.view

        def edited_segments(_change: object) -> None:
            session.segmentation = view.strip.segmentation

        def edited_source(change: Any) -> None:
            if change["new"] != showing.source_of(session.prompt)[change["name"]]:
                session.edit(change["new"])

        self._observe(view.strip, edited_segments, "segments")
        self._observe(view.strip, lambda c: setattr(session, "dragging", c["new"]), "dragging")
        self._observe(view.prompt, edited_source, ["messages", "text"])
        self._follow(self._show_prompt, "prompt")
        self._follow(self._show_presets, "template")

    def _link_runs(self) -> None:
        session, view = self.session, self.view
        view.answer.on_run(session.run)
        view.answer.on_stop(session.stop)
        view.on_stop.append(session.stop)
        view.on_export.append(partial(exported, session))
        view.on_pick.append(lambda mask, index: session.pin_answer(cast("MaskKind", mask), index))
        self._follow(self._show_error, "error", "look_error")
        self._follow(self._show_status, "busy", "stage", "error", "segment_answer")
        for mask in ("causal", "segment"):
            self._follow(partial(self._show_answer, mask), f"{mask}_answer")

    def _link_looks(self) -> None:
        view = self.view
        view.grid.on_visible.append(self.session.look_first)
        self._follow(self._show_stale, "fresh", "panels")
        self._follow(self._show_receipt, "receipt", "fresh", "reduce")
        for name in ("pattern", "contrast", "flows", "parting"):
            self._follow(partial(self._show, name), name)
        self._follow(self._show_age, "version", "view")
        self._observe(self.session, self._show_layers, "overview")
        for layer in self.session.overview.values():
            self._show_layer(layer)

    def _observe(self, source: traitlets.HasTraits, observer: Any, names: Any) -> None:
        source.observe(observer, names)
        self._undo.append(lambda: source.unobserve(observer, names))

    def _follow(self, show: Callable[[], object], *names: str) -> None:
        """Show what is there now, and again whenever one of the session's traits changes."""
        show()
        self._observe(self.session, lambda _change: show(), list(names))

    # What is shown

    def _show_prompt(self) -> None:
        prompt, view = self.session.prompt, self.view
        if list(prompt.tokens) != view.strip.tokens:
            view.set_prompt(prompt.tokens, prompt.segmentation)
        else:
            view.strip.segmentation = prompt.segmentation
        showing.show_source(view.prompt, prompt)

    def _show_presets(self) -> None:
        showing.show_presets(self.view.strip, self.session.presets)

    def _show_status(self) -> None:
        session = self.session
        self.view.busy = self.view.prompt.busy = session.busy
        if session.busy:
            self.view.status = session.stage or "running"
        elif session.error:
            self.view.status = "failed"
        else:
            stopped = session.segment_answer.state == "cancelled"
            self.view.status = "stopped" if stopped else "up to date"

    def _show_answer(self, mask: Any) -> None:
        self.view.answer.show(mask, getattr(self.session, f"{mask}_answer"))

    def _show_error(self) -> None:
        self.view.error = self.session.error or self.session.look_error

    def _show_stale(self) -> None:
        fresh, unfolded = self.session.fresh, "compare" in self.session.panels
        self.view.attention.stale = "pattern" not in fresh
        self.view.compare.stale = unfolded and not {"contrast", "flows", "parting"} <= fresh

    def _show(self, name: str) -> None:
        look = getattr(self.session, name)
        if look is not None:
            showing.show(self.view, look)

    def _show_receipt(self) -> None:
        session, view = self.session, self.view.receipt
        if session.reduce != "head":
            view.state = "unknown"
            view.summary = "the mask is checked head by head: choose one"
        elif "receipt" in session.fresh and session.receipt is not None:
            view.show(session.receipt)
        else:
            view.state = "checking"

    def _show_age(self) -> None:
        """The heads are those of an earlier state, until the new ones come."""
        grid = self.view.grid
        if grid.stale:
            grid.revision += 1
        grid.stale = True

    def _show_layers(self, change: Any) -> None:
        before = change["old"]
        for number, look in change["new"].items():
            if before.get(number) is not look:
                self._show_layer(look)

    def _show_layer(self, look: LayerLook) -> None:
        session, grid = self.session, self.view.grid
        if (look.version, look.view) != (session.version, session.view):
            return
        showing.show(self.view, look)
        if not grid.missing:
            grid.stale = False
