"""Opening: the calls that display an explorer."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets
from IPython.display import display

from segviz.explorer.displayed import close_earlier
from segviz.explorer.links import explorer_view
from segviz.session import Session, file

if TYPE_CHECKING:
    from segviz.model import Messages, Model
    from segviz.prompts import Prompt

FIRST_RUN = 0.5
"""Seconds to wait for the first run before the explorer is displayed without it."""


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
    return _displayed(session)


def open_session(path: str | Path, model: Model) -> Session:
    """Display the explorer of a session that :meth:`segviz.Session.save` wrote, and go on there.

    >>> import segviz as sv, tempfile
    >>> path = tempfile.mktemp(suffix=".json")
    >>> sv.Session(sv.load(), sv.examples["chain"]).save(path)
    >>> session = sv.open_session(path, sv.load())  # doctest: +ELLIPSIS
    <segviz...ExplorerView object at ...>

    The runs are made again, by ``model``. A setting that it cannot take (a layer it does not have)
    stays as in a new session, and a warning says so.

    Args:
        path: the file.
        model: runs the prompt; where it cuts the text into other tokens than the model before,
            edits of the segments are lost, and a warning says so.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that is no session, or a prompt the model cannot take.
    """
    prompt, template, decoding, settings = file.read(Path(path), model)
    session = Session(model, prompt, max_new_tokens=0)
    session.template = template
    for name, value in {"decoding": decoding, **settings}.items():
        try:
            setattr(session, name, value)
        except (traitlets.TraitError, ValueError) as error:
            warnings.warn(f"{path}: {error}", stacklevel=2)
    return _displayed(session)


def _displayed(session: Session) -> Session:
    shown = explorer_view(session)
    close_earlier(shown)
    with suppress(TimeoutError, RuntimeError):
        # The static picture of a saved notebook is drawn when the explorer is displayed: a run
        # that takes a blink may end first. One that fails says so in the explorer.
        session.wait(FIRST_RUN)
    display(shown)
    return session
