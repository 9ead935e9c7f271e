"""The prompt view: the messages of a chat, or a plain text, edited in place."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from segviz.widgets import assets
from segviz.widgets.base import View

if TYPE_CHECKING:
    from segviz.trace import Trace

ROLES = ("system", "user", "assistant", "tool")
_EDITED = {"text": "text", "chat": "messages"}


class PromptView(View):
    """The source of a prompt; an edit in the page becomes ``messages`` or ``text``.

    >>> view = PromptView(messages=[{"role": "user", "content": "Who leads Anna?"}])
    >>> view.kind
    'chat'
    >>> view.observe(lambda change: print(change["new"][0]["content"]), "messages")
    >>> view.messages = [{"role": "user", "content": "Who leads Ben?"}]
    Who leads Ben?

    An observer refuses an edit by an exception: the traits fall back, the page says why and keeps
    what was typed until it is corrected or taken back.

    Args:
        messages: of a chat, each with ``role`` and ``content``.
        text: a plain text; a view has the one or the other.

    Raises:
        traitlets.TraitError: messages of another form.
    """

    _esm = assets.script("prompt_view.js")
    _css: ClassVar[Any] = assets.style("base.css", "controls.css", "prompt_view.css")

    kind = traitlets.Enum(
        ["tokens", "text", "chat"], "tokens", help="What the prompt was made of, if one knows."
    ).tag(sync=True)
    messages = traitlets.List(
        traitlets.Dict(), help="The messages of a chat: dicts with role and content."
    ).tag(sync=True)
    text = traitlets.Unicode(help="The plain text.").tag(sync=True)
    roles = traitlets.List(
        traitlets.Unicode(), list(ROLES), help="The roles that a message may be given."
    ).tag(sync=True)
    note = traitlets.Unicode(help="A few words about the prompt, such as its length.").tag(
        sync=True
    )
    busy = traitlets.Bool(help="Whether the model runs the prompt.").tag(sync=True)

    def __init__(self, **kwargs: Any) -> None:
        for kind, name in _EDITED.items():
            if name in kwargs:
                kwargs.setdefault("kind", kind)
        super().__init__(**kwargs)

    @classmethod
    def of(cls, trace: Trace) -> PromptView:
        """The prompt of a trace, to read: a trace keeps the tokens, not what they were made of.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> PromptView.of(trace).note == f"{trace.prompt_length} tokens"
        True

        Args:
            trace: a :class:`segviz.Trace`; its answer is left out.
        """
        shown = "".join(trace.tokens[: trace.prompt_length])
        return cls(kind="tokens", text=shown, note=f"{trace.prompt_length} tokens")

    @traitlets.validate("messages")
    def _valid_messages(self, proposal: Mapping[str, Any]) -> list[dict[str, Any]]:
        for number, message in enumerate(proposal["value"], 1):
            role = message.get("role")
            if not isinstance(role, str) or not role:
                raise traitlets.TraitError(
                    f"messages: message {number} has the role {role!r}; a role is a word"
                )
            if "content" not in message:
                raise traitlets.TraitError(
                    f"messages: message {number} has no content, but {', '.join(message)}"
                )
        return [dict(message) for message in proposal["value"]]

    def receive(self, kind: str, content: dict[str, Any]) -> None:
        """Take an edit from the page, or say why not and stay as before."""
        name = _EDITED.get(content.get("of", ""))
        if kind != "edit" or name is None:
            return
        before = getattr(self, name)
        reply = {"kind": "edited", "id": content.get("id")}
        try:
            setattr(self, name, content["value"])
        except Exception as error:
            with suppress(Exception):  # an observer that refuses may refuse this, too
                setattr(self, name, before)
            self.send({**reply, "refused": str(error)})
            raise  # into the error line
        self.send({**reply, "refused": ""})
