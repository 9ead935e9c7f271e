"""The prompt view: edits in the page that Python takes, refuses, or answers late."""

from __future__ import annotations

import pytest

from segviz.widgets.prompt_view import PromptView

from .conftest import settle

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Who leads\nAnna?"},
    {"role": "assistant", "content": "Ben", "name": "helper"},
]
PARTS = [{"type": "text", "text": "Look at this"}, {"type": "image", "url": "<b>x</b>"}]
HOSTILE = "<b>x</b><script>alert(1)</script>\u202e</textarea> שלום"


def box(page, index: int):
    """The text field of a message."""
    return page.locator(".sv-message:not([hidden]) textarea").nth(index)


def texts(page) -> list[str]:
    fields = page.locator(".sv-message:not([hidden]) textarea:not([hidden])")
    return [field.input_value() for field in fields.all()]


def roles(page) -> list[str]:
    return [one.input_value() for one in page.locator(".sv-message:not([hidden]) select").all()]


def said(page) -> str:
    return page.locator(".sv-prompt-said").inner_text()


def contents(view) -> list[str]:
    return [message["content"] for message in view.messages]


def edits(live) -> list:
    return [one["value"] for one in live.asked if one["kind"] == "edit"]


def test_an_edit_waits_for_a_pause_in_typing(live_page):
    view = PromptView(messages=CHAT, note="12 tokens")
    live = live_page(view)
    page = live.page
    assert texts(page) == contents(view)
    assert roles(page) == ["system", "user", "assistant"]
    assert page.get_by_text("12 tokens").is_visible()
    box(page, 1).focus()
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.type(" And Ben?")
    assert said(page) == "edited …"
    live.until(lambda: view.messages[1]["content"] == "Who leads\nAnna? And Ben?")
    assert len(edits(live)) == 1, "one edit, not one per key"
    # What the message holds besides is kept.
    assert view.messages == [
        CHAT[0], {"role": "user", "content": "Who leads\nAnna? And Ben?"}, CHAT[2],
    ]  # fmt: skip
    settle(page)
    assert said(page) == ""
    assert box(page, 1).evaluate("(field) => field.matches(':focus')")
    assert box(page, 1).evaluate("(field) => field.selectionStart") == len(
        "Who leads\nAnna? And Ben?"
    )


def test_control_enter_and_leaving_take_an_edit_at_once(live_page):
    view = PromptView(messages=CHAT)
    live = live_page(view)
    page = live.page
    page.clock.install()  # no pause ever ends by itself
    box(page, 0).fill("Be long.")
    assert edits(live) == []
    page.keyboard.press("Control+Enter")
    live.until(lambda: contents(view)[0] == "Be long.")
    box(page, 0).fill("Be kind.")
    box(page, 1).focus()
    live.until(lambda: contents(view)[0] == "Be kind.")
    assert len(edits(live)) == 2


def test_add_a_message(live_page):
    view = PromptView(messages=CHAT[:2])
    live = live_page(view)
    page = live.page
    page.get_by_role("button", name="Add message").click()
    assert roles(page) == ["system", "user", "assistant"], "an assistant answers a user"
    assert box(page, 2).evaluate("(field) => field.matches(':focus')")
    assert edits(live) == [], "it waits for its text"
    page.keyboard.type("Ben")
    page.keyboard.press("Control+Enter")
    live.until(lambda: view.messages == [*CHAT[:2], {"role": "assistant", "content": "Ben"}])
    page.get_by_role("button", name="Add message").click()
    assert roles(page)[3] == "user"


def test_remove_a_message(live_page):
    view = PromptView(messages=CHAT)
    live = live_page(view)
    page = live.page
    page.get_by_role("button", name="remove: message 2, user").click()
    live.until(lambda: view.messages == [CHAT[0], CHAT[2]])
    assert texts(page) == ["Be brief.", "Ben"]
    assert box(page, 1).evaluate("(field) => field.matches(':focus')")
    page.get_by_role("button", name="remove: message 2, assistant").click()
    live.until(lambda: view.messages == [CHAT[0]])
    assert page.get_by_role("button", name="remove: message 1").is_disabled()


def test_reorder_by_button_and_by_key(live_page):
    view = PromptView(messages=CHAT)
    live = live_page(view)
    page = live.page
    page.get_by_role("button", name="move down: message 1, system").click()
    live.until(lambda: view.messages == [CHAT[1], CHAT[0], CHAT[2]])
    # The button of the message that moved has the focus.
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused == "move down: message 2, system"
    assert page.get_by_role("button", name="move up: message 1").is_disabled()
    assert page.get_by_role("button", name="move down: message 3").is_disabled()
    box(page, 2).focus()
    page.keyboard.press("ControlOrMeta+Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Alt+ArrowUp")
    live.until(lambda: view.messages == [CHAT[1], CHAT[2], CHAT[0]])
    page.keyboard.type("x")
    live.until(lambda: contents(view) == ["Who leads\nAnna?", "Bxen", "Be brief."])


def test_another_role(live_page):
    view = PromptView(messages=[{"role": "wizard", "content": "Hi"}], roles=["user", "tool"])
    live = live_page(view)
    select = live.page.get_by_role("combobox", name="role of message 1")
    assert select.locator("option").all_inner_texts() == ["user", "tool", "wizard"]
    assert select.input_value() == "wizard"
    select.select_option("tool")
    live.until(lambda: view.messages == [{"role": "tool", "content": "Hi"}])


def test_a_plain_text(live_page):
    view = PromptView(text="Anna follows Ben.")
    live = live_page(view, width=400)
    page = live.page
    field = page.get_by_role("textbox", name="prompt text")
    field.fill("Anna follows Ben.\n\n Ben leads")
    page.keyboard.press("Control+Enter")
    live.until(lambda: view.text == "Anna follows Ben.\n\n Ben leads")
    for name in ("Add message", "remove", "move up"):
        assert not page.get_by_role("button", name=name).first.is_visible()
    assert page.get_by_role("combobox").count() == 0
    # As high as its three lines.
    assert field.evaluate("(one) => one.scrollHeight <= one.clientHeight + 1")
    view.text = "from Python"
    live.deliver()
    assert field.input_value() == "from Python"


def refusing(view: PromptView) -> None:
    """An observer that takes no message with a shout in it."""

    def refuse(change) -> None:
        if "!" in str(change["new"]):
            raise ValueError("the template takes no <b>shouts</b>")

    view.observe(refuse, ["messages", "text"])


def test_a_refused_edit_stays_and_says_why(live_page):
    view = PromptView(messages=CHAT)
    refusing(view)
    live = live_page(view)
    page = live.page
    why = page.get_by_text("not taken: the template takes no <b>shouts</b>")
    box(page, 1).fill("Anna!")
    why.wait_for()
    assert view.messages == CHAT
    assert texts(page) == ["Be brief.", "Anna!", "Ben"]
    # The view's error line says the same: once is enough.
    assert not page.get_by_role("alert").is_visible()
    # Neither leaving the field nor time sends it again.
    box(page, 0).focus()
    settle(page)
    assert len(edits(live)) == 1
    # Corrected, it is taken.
    box(page, 1).fill("Anna?")
    live.until(lambda: contents(view)[1] == "Anna?")
    why.wait_for(state="hidden")
    assert not page.get_by_role("alert").is_visible()


@pytest.mark.parametrize("by", ["button", "typing"])
def test_a_refused_edit_is_taken_back(live_page, by):
    view = PromptView(text="Anna")
    refusing(view)
    live = live_page(view)
    page = live.page
    box(page, 0).fill("Anna!")
    page.get_by_text("not taken").wait_for()
    assert view.error
    if by == "button":
        page.get_by_role("button", name="Take back").click()
    else:
        box(page, 0).fill("Anna")
    live.until(lambda: not view.error)
    settle(page)
    assert box(page, 0).input_value() == view.text == "Anna"
    assert said(page) == ""
    assert not page.get_by_role("button", name="Take back").is_visible()
    assert not page.get_by_role("alert").is_visible()


# While a cell runs Python takes no message; they wait in order.
BUSY = """() => {
  window.waiting = [];
  model.ask = async (...asked) => void waiting.push(asked);
}"""
FREE = """async () => {
  delete model.ask;
  for (const asked of waiting.splice(0)) await model.ask(...asked);
}"""


def test_edits_while_python_is_busy(live_page):
    view = PromptView(messages=CHAT)
    live = live_page(view)
    page = live.page
    page.evaluate(BUSY)
    box(page, 0).fill("one")
    page.keyboard.press("Control+Enter")
    assert said(page) == "sent …"
    box(page, 1).fill("two")
    page.keyboard.press("Control+Enter")
    page.get_by_text("Python is busy and takes the edit when the running cell ends").wait_for()
    box(page, 1).fill("two, not sent yet")
    assert view.messages == CHAT
    page.evaluate(FREE)
    assert box(page, 1).input_value() == "two, not sent yet", "what is being typed stays"
    live.until(lambda: contents(view) == ["one", "two, not sent yet", "Ben"])
    settle(page)
    assert said(page) == ""
    assert len(edits(live)) == 3


def test_python_edits_while_something_is_typed(live_page):
    view = PromptView(messages=CHAT)
    live = live_page(view)
    page = live.page
    page.clock.install()
    box(page, 1).fill("mine")
    view.messages = [{"role": "system", "content": "theirs"}, *CHAT[1:]]
    live.deliver()
    assert texts(page) == ["theirs", "mine", "Ben"]
    page.keyboard.press("Control+Enter")
    live.until(lambda: contents(view) == ["theirs", "mine", "Ben"])
    # Another kind of prompt is another prompt.
    box(page, 1).fill("lost")
    view.set_trait("text", "plain")
    view.kind = "text"
    live.deliver()
    assert texts(page) == ["plain"]


TYPED = """(field, text) => {
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}"""


def test_one_view_in_two_places(live_page):
    view = PromptView(messages=CHAT)
    live = live_page(view)
    page = live.page
    page.evaluate("""() => {
      const place = document.createElement("div");
      place.id = "second";
      document.body.append(place);
      return showIn(place);
    }""")
    first, second = page.locator("#segviz"), page.locator("#second")
    page.clock.install()
    # Without focus: leaving a field sends what was typed in it.
    box(first, 0).evaluate(TYPED, "being typed here")
    box(second, 1).fill("edited there")
    page.keyboard.press("Control+Enter")
    live.until(lambda: contents(view)[1] == "edited there")
    settled = ["being typed here", "edited there", "Ben"]
    page.wait_for_function(
        "document.querySelectorAll('#segviz textarea')[1].value === 'edited there'"
    )
    assert texts(first) == settled
    assert texts(second) == ["Be brief.", "edited there", "Ben"]
    box(first, 0).focus()
    page.keyboard.press("Control+Enter")
    live.until(lambda: contents(view) == settled)
    page.wait_for_function(
        "document.querySelectorAll('#second textarea')[0].value === 'being typed here'"
    )
    # The other place is not told that its edits were taken: it made none.
    assert [one.inner_text() for one in page.locator(".sv-prompt-said").all()] == ["", ""]


def test_closing_sends_what_was_typed_last(live_page):
    view = PromptView(messages=CHAT)
    live = live_page(view)
    box(live.page, 0).fill("last words")
    live.page.evaluate("unmount()")
    live.until(lambda: contents(view)[0] == "last words")
    assert live.page.locator(".sv-root").count() == 0


def test_a_prompt_of_tokens_is_to_read(live_page):
    view = PromptView(kind="tokens", text=f"<s>{HOSTILE}", note="9 tokens")
    page = live_page(view).page
    assert page.get_by_text("This prompt came as tokens").is_visible()
    shown = page.get_by_role("group", name="text of the tokens, read-only")
    assert shown.inner_text() == f"<s>{HOSTILE}"
    assert page.locator("textarea:visible, button:visible, select:visible").count() == 0
    assert page.locator(".sv-prompt b, .sv-prompt script").count() == 0


def test_content_with_parts_is_kept(live_page):
    view = PromptView(messages=[{"role": "user", "content": PARTS}, CHAT[0]])
    live = live_page(view)
    page = live.page
    parts = page.get_by_label("message 1, user, read-only")
    assert parts.inner_text() == "Look at this\n[image]"
    page.get_by_role("combobox", name="role of message 1").select_option("tool")
    page.get_by_role("button", name="move down: message 1").click()
    wanted = [CHAT[0], {"role": "tool", "content": PARTS}]
    live.until(lambda: view.messages == wanted)


def test_text_is_text(live_page):
    view = PromptView(
        messages=[{"role": HOSTILE, "content": HOSTILE}, {"role": "user", "content": [HOSTILE]}],
        note=HOSTILE,
    )
    live = live_page(view)
    page = live.page
    assert texts(page) == [HOSTILE]
    assert roles(page)[0] == HOSTILE
    assert page.locator("b, #segviz script").count() == 0
    box(page, 0).focus()
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.type("x")
    live.until(lambda: contents(view)[0] == HOSTILE + "x")


def test_without_python_edits_stay_in_the_page(static_page):
    page = static_page(PromptView(messages=CHAT), width=400)
    box(page, 0).fill("Mine")
    page.keyboard.press("Control+Enter")
    assert said(page) == "no Python behind this page: edits stay in it"
    assert texts(page)[0] == "Mine"
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    widths = [
        box(page, 1).bounding_box()["width"],
        page.locator(".sv-messages").bounding_box()["width"],
    ]
    assert widths[0] == pytest.approx(widths[1], abs=1), "a narrow column is for the text"
