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
    run = comparison.segment if subject is comparison else subject
    pinned = session.pinned
    if pinned is not None and pinned >= len(run.tokens):
        # It may be one of the other run's answer, or of an earlier one, which was longer.
        pinned = None
    shown = {name: getattr(session, name) for name in _CELLS if name not in ("head", "highlight")}
    shown["head"] = session.head if session.reduce == "head" else session.reduce
    shown["highlight"] = () if pinned is None else (pinned,)
    shown["query"] = pinned
    if kind == "flow" and session.reduce != "head":
        shown["head"] = None
    names = _SETTINGS[kind]
    if kind == "mask" and not run.one_mask:
        # Under sliding windows each kind of layer has a mask of its own.
        names = (*names, "layer")
    return getattr(figures, kind)(subject, **{name: shown[name] for name in names} | options)
