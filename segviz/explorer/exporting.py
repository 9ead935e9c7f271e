"""Exporting: what an explorer shows as the file of a figure."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segviz.session import Session

_UNSAFE = re.compile(r"[^\w.-]+")


def exported(session: Session, kind: str, ending: str, width: str) -> tuple[str, bytes]:
    """A figure of what a session shows now, as a file.

    >>> import segviz as sv
    >>> session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=0).wait()
    >>> name, data = exported(session, "attention", "pdf", "column")
    >>> name, data[:5]
    ('tiny-llama-segment-attention-L0-H0.pdf', b'%PDF-')

    Args:
        session: has the numbers.
        kind: one of the kinds of :meth:`segviz.Session.figure`.
        ending: ``"pdf"``, ``"svg"`` or ``"png"``.
        width: ``"column"``, ``"text"`` or ``"slide"``.

    Returns:
        a name for the file, and what it holds.

    Raises:
        RuntimeError: a run is under way, or has failed.
        ValueError: no such kind, ending or width.
    """
    if session.busy:
        raise RuntimeError("a run is under way: export the figure when it is done")
    if session.error:
        raise RuntimeError(f"there is nothing to export, the last run failed: {session.error}")
    figure = session.figure(kind, width=width)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=ending)
    return f"{_name(session, kind)}.{ending}", buffer.getvalue()


def _name(session: Session, kind: str) -> str:
    parts = [session.model.name.rsplit("/", 1)[-1], kind]
    if kind != "comparison":
        # These show one run: beside a difference, that under the segment mask.
        one = kind in ("mask", "tokens", "arcs") and session.view == "difference"
        parts.insert(1, "segment" if one else session.view)
    if kind not in ("mask", "heads"):
        parts.append(f"L{session.layer}")
        parts.append(f"H{session.head}" if session.reduce == "head" else session.reduce)
    return _UNSAFE.sub("-", "-".join(parts))
