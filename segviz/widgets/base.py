"""Base: what every view shares: binary messages, replay, errors in sight, static pages.

A view holds traits (small, synced) and publishes arrays (binary messages, never traits, so that a
saved notebook stays small). The last message of each kind is kept and sent again to a page that
says ``ready``: a second view of the widget, a reload, a static page.
"""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import anywidget
import numpy as np
import traitlets

from segviz.widgets import export

Message = tuple[dict[str, Any], list[bytes]]
"""Content and buffers."""


class View(anywidget.AnyWidget):
    """An anywidget whose errors are shown under it and whose pictures survive a reload.

    >>> view = View()
    >>> with view.guard("run"):
    ...     raise ValueError("no such head")
    >>> view.error
    'ValueError: no such head'
    >>> with view.guard("run"):
    ...     pass
    >>> view.error
    ''

    Raises:
        TypeError: a trait that there is not.
    """

    _esm: ClassVar[Any] = "export default { render() {} }"

    error = traitlets.Unicode(
        help="What went wrong last, shown under the widget; '' if nothing."
    ).tag(sync=True)

    def __init__(self, **kwargs: Any) -> None:
        if unknown := [name for name in kwargs if not self.has_trait(name)]:
            raise TypeError(self._no_trait(*unknown))
        self._errors: dict[str, str] = {}
        self._published: dict[str, Message] = {}
        self.kept: dict[str, list[Message]] = {}
        """Messages for pages without a kernel, by the key that recalls them."""
        self._sequence = 0
        self._publishing = threading.RLock()
        super().__init__(**kwargs)
        self.on_msg(View._dispatch)

    def __repr__(self) -> str:
        # What stands for the view where there are no widgets: the same in every run.
        return f"<{type(self).__name__}>"

    def _no_trait(self, *names: str) -> str:
        """That there are no such traits, and which ones a user may set."""
        # Those with an underscore are between the widgets' machinery and the page.
        allowed = sorted(name for name in self.traits(sync=True) if not name.startswith("_"))
        return (
            f"{type(self).__name__} has no trait {', '.join(map(repr, names))}; "
            f"it has {', '.join(allowed)}"
        )

    # Messages to the page

    def publish(self, kind: str, content: Mapping[str, Any], *arrays: np.ndarray) -> int:
        """Send a message with arrays, and keep it for pages that come later.

        The page gets ``{"kind", "seq", "arrays": [{"shape", "dtype"}, …], …content}`` and one
        buffer per array. A later message of the same kind takes its place.

        Returns:
            the message's sequence number.
        """
        contiguous = [np.ascontiguousarray(array) for array in arrays]
        with self._publishing:
            self._sequence += 1
            message = {
                "kind": kind,
                "seq": self._sequence,
                "arrays": [{"shape": a.shape, "dtype": str(a.dtype)} for a in contiguous],
                **content,
            }
            buffers = [array.tobytes() for array in contiguous]
            self._published[kind] = (message, buffers)
            self.send(message, buffers)
            return self._sequence

    def forget(self, kind: str) -> None:
        """Do not replay the last message of a kind any more."""
        with self._publishing:
            self._published.pop(kind, None)

    def keep(self, key: str) -> None:
        """Keep what is published now for the page of :meth:`to_html`, which recalls it by a key."""
        with self._publishing:
            self.kept[key] = list(self._published.values())

    # Messages from the page

    def _dispatch(self, content: Any, buffers: list[memoryview]) -> None:  # noqa: ARG002
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "ready":
            with self._publishing:
                for message, stored in self._published.values():
                    self.send(message, stored)
        elif kind == "ping":
            self.send({"kind": "pong", "id": content.get("id")})
        elif kind is not None:
            with self.guard(f"message {kind}"):
                self.receive(kind, content)

    def receive(self, kind: str, content: dict[str, Any]) -> None:
        """Hook: a message of the view's own kind came from the page."""

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take an edit from the page; what is refused is shown, and the page falls back."""
        # By trait: letting go of a handle must not clear what its drag had to say.
        sources = [f"edit {name}" for name in sync_data]
        try:
            super().set_state(sync_data)
        except Exception as error:  # noqa: BLE001 - whatever it is, the reader of the page sees it
            self._note(sources, error)
            self.send_state([name for name in sync_data if name in self.keys])
        else:
            self._note(sources, None)

    # Errors

    @contextmanager
    def guard(self, source: str = "") -> Iterator[None]:
        """Show an exception of the block under the widget; a later success clears it.

        Also a decorator: ``@view.guard("run")``. Page edits and the observers they call are
        guarded already.

        Args:
            source: what the block does; a success clears the errors of its own source only.
        """
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the same
            self._note([source], error)
        else:
            self._note([source], None)

    def _note(self, sources: list[str], error: Exception | None) -> None:
        """Take down how it went; the latest error that still stands is shown."""
        for source in sources:
            self._errors.pop(source, None)
            if error is not None:
                self._errors[source] = f"{type(error).__name__}: {error}"
        if error is not None:
            self.log.debug("shown under the widget", exc_info=error)
        self.error = next(reversed(self._errors.values()), "")

    # Pictures

    def png(self) -> bytes | None:
        """Hook: a static picture of the current state, for places without a kernel.

        >>> print(View().png())  # a view has one where it says so
        None

        Returns:
            a PNG file; None where there is no picture.
        """
        return None

    def to_html(self, title: str = "segviz") -> str:
        """One self-contained page in which the view works as far as it can without Python.

        >>> View().to_html().startswith("<!doctype html>")
        True

        Args:
            title: of the page.
        """
        return export.page(self, title)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        try:
            picture = self.png()
        except Exception:
            self.log.debug("no static picture", exc_info=True)
            picture = None
        if picture is not None:
            data = {**data, "image/png": b64encode(picture).decode("ascii")}
        return data, metadata
