"""Displayed: which views a notebook's cells have shown, so that a cell run again leaves none."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

from IPython.core.getipython import get_ipython

_shown: dict[str, tuple[str, WeakSet[Any]]] = {}
"""By cell: the execution that showed them, and the views."""


def close_earlier(view: Any) -> None:
    """Close what earlier runs of the same cell have shown; their output is gone.

    A widget lives until it is closed, and an explorer holds the traces of its session: without
    this a cell that is run ten times holds ten of them. A session that somebody kept goes on.

    Args:
        view: what this run of the cell shows.
    """
    cell, execution = _place()
    if cell is None:
        return
    before, views = _shown.get(cell, ("", WeakSet()))
    if before != execution:
        for earlier in list(views):
            earlier.close()
        views = WeakSet()
    views.add(view)
    _shown[cell] = execution, views


def _place() -> tuple[str | None, str]:
    """The running cell and its execution; None where there is none, as in a script."""
    shell = get_ipython()
    parent: Any = getattr(shell, "get_parent", dict)() or {}
    cell = parent.get("metadata", {}).get("cellId")
    return cell, parent.get("header", {}).get("msg_id", "")
