"""The page of a session: an explorer that works without a kernel, and its picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import index
from typing import TYPE_CHECKING

import numpy as np

from segviz.comparison import Comparison
from segviz.explorer import showing
from segviz.session.looker import Looker, Wanted
from segviz.session.looks import VIEWS
from segviz.session.runs import answer_of
from segviz.widgets import ExplorerView

if TYPE_CHECKING:
    from segviz.session import Session

CHANGED_MOST = 3
"""Heads in full resolution besides the chosen one, unless others are asked for."""

_SHARED = {
    "": ("layers", "heads", "kv_heads", "layer", "head", "view", "reduce", "panels", "title"),
    "answer": ("untuned", "colored"),
    "attention": ("merge", "scale", "hide_first", "normalize", "pinned"),
    "grid": ("layers", "heads", "kv_heads", "layer", "head", "sort", "color"),
    "compare": ("untuned", "look", "hide_first", "flow_of"),
}
"""What the page has in common with the view that is shown: traits of it, and of its children."""


class SessionFront:
    """Draws a session: the picture of the view that was opened last, and a page like it.

    Args:
        session: has the numbers, and the views that show them.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def png(self) -> bytes:
        """The view as a picture."""
        return self._session.views[-1].png()

    def html(self, heads: Sequence[tuple[int, int]] | None) -> str:
        """A self-contained page; see :meth:`segviz.Session.to_html`."""
        wanted = self._session.wanted()
        kept = _heads(wanted, heads)
        view = self._stored(wanted)
        try:
            _keep(view, wanted, kept, Looker())
            return view.to_html(title=f"segviz: {self._session.model.name}")
        finally:
            view.close()

    def _stored(self, wanted: Wanted) -> ExplorerView:
        """A view of its own, set like the one that is shown."""
        session, shown = self._session, self._session.views[-1]
        view = ExplorerView(session.prompt.tokens, wanted.segmentation, status="saved page")
        for child, names in _SHARED.items():
            source, target = (getattr(one, child) if child else one for one in (shown, view))
            for name in names:
                setattr(target, name, getattr(source, name))
        showing.show_source(view.prompt, session.prompt)
        showing.show_presets(view.strip, session.presets)
        for mask, trace in wanted.traces.items():
            view.answer.show(mask, answer_of(trace))
        return view


def _heads(wanted: Wanted, heads: Sequence[tuple[int, int]] | None) -> list[tuple[int, int | str]]:
    """The heads to keep in full resolution, the chosen one last."""
    shown = wanted.traces["segment"]
    if heads is None:
        changed = Comparison(**wanted.traces).largest_difference()
        order = np.argsort(-changed, axis=None)[:CHANGED_MOST]
        heads = [divmod(int(place), shown.heads) for place in order]
    layers, count = range(len(shown.layers)), shown.heads
    try:
        asked = [(index(layer), index(head)) for layer, head in heads]
    except (TypeError, ValueError):
        raise TypeError(
            f"heads are pairs of layer and query head, like [(3, 5), (0, 1)], not {heads!r}"
        ) from None
    for layer, head in asked:
        shown.tiles(layer, head)  # raises what there is to say of a head that does not exist
    heads = [(layers[layer], range(count)[head]) for layer, head in asked]
    chosen = (wanted.layer, wanted.head)
    return [*(head for head in dict.fromkeys(heads) if head != chosen), chosen]


def _keep(
    view: ExplorerView, wanted: Wanted, heads: Sequence[tuple[int, int | str]], looker: Looker
) -> None:
    """Store all that the page may be asked for; what is shown at first comes last."""
    for name in sorted(VIEWS, key=lambda name: name == wanted.view):
        for look in looker.looks(replace(wanted, view=name, panels=frozenset({"heads"}))):
            showing.show(view, look)
        view.grid.keep(name)
    for layer, head in heads:
        for name in sorted(VIEWS, key=lambda name: name == wanted.view):
            one = replace(wanted, layer=layer, head=head, view=name, panels=frozenset({"compare"}))
            for look in looker.looks(one):
                showing.show(view, look)
            view.attention.keep(f"{name} {layer} {head}")
        view.compare.keep(f"{layer} {head}")
