"""Displayed: what a notebook's cells have shown, so that a cell run again leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from IPython.core.getipython import get_ipython

if TYPE_CHECKING:
    from segviz.session import Session

_shown: dict[str, tuple[str, list[tuple[ref[Any], ref[Session]]]]] = {}
"""By cell: the execution that showed them, and views with their sessions."""


def close_earlier(view: Any, session: Session) -> None:
    """Close what earlier runs of the same cell have shown; their output is gone.

    A widget lives until it is closed, and an explorer holds the traces of its session: without
    this a cell that is run ten times holds ten of them. A run for a session that no view shows any
    more is stopped, because it would keep the model busy; ``session.run()`` starts it again.

    Args:
        view: what this run of the cell shows.
        session: is shown by it.
    """
    cell, execution = _place()
    if cell is None:
        return
    before, earlier = _shown.get(cell, ("", []))
    if before != execution:
        for old_view, old_session in earlier:
            _let_go(old_view(), old_session())
        earlier = []
    earlier.append((ref(view), ref(session)))
    _shown[cell] = execution, earlier


def _let_go(view: Any | None, session: Session | None) -> None:
    if view is not None:
        view.close()
    if session is not None and session.busy and not session.views:
        session.stop()


def _place() -> tuple[str | None, str]:
    """The running cell and its execution; None where there is none, as in a script."""
    shell = get_ipython()
    parent: Any = getattr(shell, "get_parent", dict)() or {}
    cell = parent.get("metadata", {}).get("cellId")
    return cell, parent.get("header", {}).get("msg_id", "")
