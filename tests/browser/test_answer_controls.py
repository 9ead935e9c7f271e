"""The answer view's controls: stop, run again, and how answers are decoded."""

from __future__ import annotations

import pytest

from segviz.widgets.answer_view import AnswerView

from .conftest import settle


def known() -> AnswerView:
    """Two answers that are there."""
    view = AnswerView()
    view.set("causal", [" The", " king", "."], state="done", note="3 tokens")
    view.set("segment", [" The", " queen"], state="done")
    return view


def test_stop_and_run_again(live_page):
    view = known()
    runs = []
    view.on_run(lambda: (runs.append(1), view.set("causal", [], state="running", note="")))
    view.on_stop(lambda: view.set("causal", state="cancelled", note="stopped"))
    page = live_page(view).page
    stop, again = (page.get_by_role("button", name=name) for name in ("Stop", "Run again"))
    state = page.locator("[data-mask='causal'] .sv-state")
    places = [button.bounding_box() for button in (stop, again)]
    assert stop.get_attribute("aria-disabled") == "true"
    stop.click(force=True)
    again.click()
    page.locator("[data-mask='causal'][data-state='running']").wait_for()
    # Nothing moves under the pointer while answers come.
    assert [button.bounding_box() for button in (stop, again)] == places
    assert state.inner_text() == "running"
    assert stop.get_attribute("aria-disabled") == "false"
    stop.focus()
    page.keyboard.press("Enter")
    page.locator("[data-mask='causal'][data-state='cancelled']").wait_for()
    assert stop.get_attribute("aria-disabled") == "true"
    assert stop.evaluate("(button) => button.matches(':focus')")
    assert runs == [1]
    assert view.causal == {"tokens": [], "state": "cancelled", "note": "stopped"}
    assert state.inner_text() == "cancelled"
    assert page.get_by_text("stopped").is_visible()


def test_a_run_that_fails_says_so(live_page):
    view = known()

    def broken() -> None:
        raise RuntimeError("out of memory")

    view.on_run(broken)
    page = live_page(view).page
    page.get_by_role("button", name="Run again").click()
    page.get_by_role("alert").get_by_text("RuntimeError: out of memory").wait_for()


def test_buttons_that_nobody_answers(live_page, static_page):
    view = known()
    view.set("causal", state="running")
    shown = [live_page(view).page]
    view.on_stop(lambda: None)
    view.on_run(lambda: None)
    # No Python behind a static page.
    shown.append(static_page(view))
    for page in shown:
        assert page.locator(".sv-answer-token").first.is_visible()
        assert not page.get_by_role("button", name="Stop").is_visible()
        assert not page.get_by_role("button", name="Run again").is_visible()
        assert not page.get_by_role("radio", name="greedy").is_visible()


def test_decoding(live_page):
    view = AnswerView()
    view.on_run(lambda: None)
    live = live_page(view, width=500)
    page = live.page
    fields = {
        name: page.get_by_role("spinbutton", name=name)
        for name in ("seed", "top-p", "temperature", "max tokens")
    }
    assert page.get_by_role("radio", name="greedy").get_attribute("aria-checked") == "true"
    assert not fields["seed"].is_visible()
    page.get_by_role("radio", name="greedy").focus()
    page.keyboard.press("ArrowRight")
    live.until(lambda: view.decoding["do_sample"])
    fields["top-p"].fill("0.9")
    page.keyboard.press("Enter")
    live.until(lambda: view.decoding["top_p"] == 0.9)
    fields["max tokens"].fill("64")
    page.keyboard.press("Tab")
    live.until(lambda: view.decoding["max_new_tokens"] == 64)
    fields["temperature"].fill("0.5")
    page.keyboard.press("Tab")
    live.until(lambda: view.decoding["temperature"] == 0.5)
    assert view.decoding["seed"] is None
    page.get_by_role("button", name="new seed").click()
    live.until(lambda: view.decoding["seed"] is not None)
    seed = view.decoding["seed"]
    assert fields["seed"].input_value() == str(seed)
    page.get_by_role("button", name="new seed").click()
    live.until(lambda: view.decoding["seed"] != seed)
    fields["seed"].fill("")
    page.keyboard.press("Tab")
    live.until(lambda: view.decoding["seed"] is None)
    assert page.evaluate("document.documentElement.scrollWidth") <= 500


@pytest.mark.parametrize(
    ("name", "typed", "shown"),
    [
        ("temperature", "0", "1"),
        ("temperature", "", "1"),
        ("top-p", "1.5", "1"),
        ("seed", "1.5", "7"),
        ("max tokens", "-1", "16"),
        ("max tokens", "", "16"),
    ],
)
def test_settings_that_are_none(live_page, name, typed, shown):
    view = AnswerView(decoding={"do_sample": True, "seed": 7})
    view.on_run(lambda: None)
    page = live_page(view).page
    field = page.get_by_role("spinbutton", name=name)
    assert field.input_value() == shown
    field.fill(typed)
    if typed:
        assert field.get_attribute("aria-invalid") == "true"
    page.keyboard.press("Tab")
    assert field.input_value() == shown
    assert field.get_attribute("aria-invalid") == "false"
    settle(page)
    assert view.decoding == {**AnswerView().decoding, "do_sample": True, "seed": 7}


def test_settings_that_python_refuses(live_page):
    view = AnswerView()
    view.on_run(lambda: None)

    def too_long(change) -> None:
        if change["new"]["max_new_tokens"] > 500:
            view.decoding = change["old"]
            raise ValueError("the model reads 512 tokens at most")

    view.observe(too_long, "decoding")
    live = live_page(view)
    page = live.page
    field = page.get_by_role("spinbutton", name="max tokens")
    field.fill("1000")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("the model reads 512 tokens at most").wait_for()
    assert field.input_value() == "16"
    field.fill("20")
    page.keyboard.press("Enter")
    live.until(lambda: view.decoding["max_new_tokens"] == 20)
    page.get_by_role("alert").wait_for(state="hidden")
