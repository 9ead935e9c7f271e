"""Opening: the calls that display an explorer."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets
from IPython.display import display

from segviz.explorer.displayed import close_earlier
from segviz.explorer.links import explorer_view
from segviz.model import Model
from segviz.session import Session, file

if TYPE_CHECKING:
    from segviz.model import Messages
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
    >>> session = sv.explore(sv.load(), sv.examples["chain"])
    <ExplorerView>
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
        TypeError: something that is no :class:`segviz.Model`.
        ValueError: a prompt the model cannot take.
        TypeError, NotImplementedError: a prompt or decoding options it cannot take.
        MemoryError: a run that cannot fit.
        traitlets.TraitError: no such layer, head or view.
    """
    _check_model(model, "explore(model, prompt)")
    session = Session(model, prompt, max_new_tokens=max_new_tokens, **options)
    with _closed_if_refused(session):
        session.layer, session.head, session.view = layer, head, view
        _display(session)
    return session


def open_session(path: str | Path, model: Model) -> Session:
    """Display the explorer of a session that :meth:`segviz.Session.save` wrote, and go on there.

    >>> import segviz as sv, tempfile
    >>> path = tempfile.mktemp(suffix=".json")
    >>> sv.Session(sv.load(), sv.examples["chain"]).save(path)
    >>> session = sv.open_session(path, sv.load())
    <ExplorerView>

    The runs are made again, by ``model``. A warning names what cannot be kept: a setting that it
    cannot take (a layer it does not have) is left out, and edits of the segments are
    lost where the prompt has other tokens than before, of another model or a template that prints
    the date.

    Args:
        path: the file.
        model: runs the prompt.

    Raises:
        TypeError: something that is no :class:`segviz.Model`.
        FileNotFoundError: no such file.
        ValueError: a file that is no session, or a prompt the model cannot take.
    """
    _check_model(model, "open_session(path, model)")
    saved = file.read(Path(path), model)
    session = Session(model, saved.prompt, max_new_tokens=0, **saved.options)
    with _closed_if_refused(session):
        for note in saved.notes:
            warnings.warn(f"{path}: {note}", stacklevel=2)
        session.template = saved.template
        for name, value in {"decoding": saved.decoding, **saved.settings}.items():
            try:
                setattr(session, name, value)
            except (traitlets.TraitError, ValueError) as error:
                warnings.warn(f"{path}: {error}", stacklevel=2)
        _display(session)
    return session


def _check_model(model: object, call: str) -> None:
    if not isinstance(model, Model):
        given = repr(model) if isinstance(model, str) else f"a {type(model).__name__}"
        raise TypeError(
            f"the model in {call} is {given}, no segviz.Model: make one with sv.load(…) or "
            "sv.Model(hf_model, tokenizer)"
        )


@contextmanager
def _closed_if_refused(session: Session) -> Iterator[None]:
    """Nobody gets hold of a session whose call fails, so that its run could never be stopped."""
    try:
        yield
    except BaseException:
        session.close()
        raise


def _display(session: Session) -> None:
    shown = explorer_view(session)
    close_earlier(shown, session)
    with suppress(TimeoutError, RuntimeError):
        # The static picture of a saved notebook is drawn when the explorer is displayed: a run
        # that takes a blink may end first. One that fails says so in the explorer.
        session.wait(FIRST_RUN)
    display(shown)
