"""Figure: what a session shows now, as arguments of :mod:`segviz.figures`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from segviz.session.session import Session

_CELLS = ("layer", "head", "scale", "merge", "hide_first", "normalize", "highlight")
# What each kind of figure has in common with the explorer.
_SETTINGS = {
    "attention": _CELLS,
    "comparison": _CELLS,
    "mask": ("highlight",),
    "heads": ("scale",),
    "flow": ("layer", "head"),
    "tokens": ("layer", "head", "query", "scale", "hide_first"),
    "arcs": ("layer", "head", "merge", "hide_first", "highlight"),
}
# Of these there is one of the difference, too.
_OF_BOTH = ("attention", "heads", "flow")


def figure_of(session: Session, kind: str, options: dict[str, Any]) -> Figure:
    """The figure of :meth:`segviz.Session.figure`."""
    from segviz import figures  # noqa: PLC0415 (matplotlib is slow to load)

    if kind not in _SETTINGS:
        raise ValueError(f"kind={kind!r}; allowed are {', '.join(map(repr, _SETTINGS))}")
    comparison = session.comparison
    subject: Any = comparison.causal if session.view == "causal" else comparison.segment
    if kind == "comparison" or (session.view == "difference" and kind in _OF_BOTH):
        subject = comparison
    pinned = session.pinned
    shown = {name: getattr(session, name) for name in _CELLS if name not in ("head", "highlight")}
    shown["head"] = session.head if session.reduce == "head" else session.reduce
    shown["highlight"] = () if pinned is None else (pinned,)
    shown["query"] = pinned
    if kind == "flow" and session.reduce != "head":
        shown["head"] = None
    return getattr(figures, kind)(subject, **{n: shown[n] for n in _SETTINGS[kind]} | options)
