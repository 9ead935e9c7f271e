"""The prompt view in Python: what it takes, and what happens when an edit is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from traitlets import TraitError

from segviz.widgets.base import View
from segviz.widgets.prompt_view import PromptView

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
EDITED = [CHAT[0], {"role": "user", "content": "Hello"}]


@pytest.fixture
def sent(monkeypatch):
    """Custom messages."""
    messages = []
    monkeypatch.setattr(View, "send", lambda self, content, *_: messages.append(content))  # noqa: ARG005
    return messages


def edit(view: PromptView, of: str, value: object, number: int = 1) -> None:
    """An edit, by the way it takes from the page."""
    content = {"kind": "edit", "of": of, "value": value, "id": f"x {number}"}
    view._handle_custom_msg(content, [])


def test_the_kind_follows_from_what_is_given():
    assert PromptView().kind == "tokens"
    assert PromptView(text="a").kind == "text"
    assert PromptView(messages=CHAT).kind == "chat"
    assert PromptView(kind="tokens", text="a").kind == "tokens"


def test_an_edit_is_taken(sent):
    view = PromptView(messages=CHAT)
    seen = []
    view.observe(lambda change: seen.append(change["new"]), "messages")
    edit(view, "chat", EDITED)
    assert seen == [EDITED]
    assert sent == [{"kind": "edited", "id": "x 1", "refused": ""}]
    view = PromptView(text="once")
    edit(view, "text", "once upon", 2)
    assert view.text == "once upon"


def test_an_edit_that_an_observer_refuses(sent):
    view = PromptView(messages=CHAT)
    runs = [CHAT]

    def rerun(change):
        if change["new"] == runs[-1]:
            return
        if len(change["new"]) > 2:
            raise ValueError("the chat template refuses these messages")
        runs.append(change["new"])

    view.observe(rerun, "messages")
    edit(view, "chat", [*CHAT, CHAT[1]])
    assert view.messages == CHAT, "the trait says what is run"
    assert view.error == "ValueError: the chat template refuses these messages"
    assert sent[-1]["refused"] == "the chat template refuses these messages"
    edit(view, "chat", EDITED, 2)
    assert view.messages == runs[-1] == EDITED
    assert view.error == ""
    assert sent[-1] == {"kind": "edited", "id": "x 2", "refused": ""}


def test_an_observer_that_refuses_everything(sent):
    view = PromptView(text="once")

    def refuse(_change):
        raise RuntimeError("no model")

    view.observe(refuse, "text")
    edit(view, "text", "twice")
    assert view.text == "once"
    assert view.error == "RuntimeError: no model"
    assert sent[-1]["refused"] == "no model"


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([{"content": "x"}], "message 1 has the role None"),
        ([*CHAT, {"role": "", "content": "x"}], "message 3 has the role ''"),
        ([{"role": "user"}], "message 1 has no content, but role"),
        (["Hi"], "messages"),
    ],
)
def test_refused_messages(messages, said, sent):
    view = PromptView(messages=CHAT)
    with pytest.raises(TraitError, match=said):
        view.messages = messages
    edit(view, "chat", messages)
    assert view.messages == CHAT
    assert view.error.startswith("TraitError: ")
    assert sent[-1]["refused"]


def test_contents_and_further_fields_are_kept():
    parts = [{"type": "text", "text": "hi"}]
    messages = [
        {"role": "wizard", "content": parts, "name": "m"},
        {"role": "tool", "content": None},
    ]
    assert PromptView(messages=messages).get_state()["messages"] == messages


def test_other_messages_are_ignored(sent):
    view = PromptView(kind="tokens")
    edit(view, "tokens", "x")
    view._handle_custom_msg({"kind": "dance"}, [])
    assert sent == []
    assert view.error == ""


def test_of_a_trace():
    trace = SimpleNamespace(tokens=("<s>", "Hi", " there", " answer"), prompt_length=3)
    view = PromptView.of(trace)
    assert (view.kind, view.text, view.note) == ("tokens", "<s>Hi there", "3 tokens")
