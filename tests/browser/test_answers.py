"""The answers on static pages, and on a page with a stand-in for a live model."""

from __future__ import annotations

import pytest

from segviz.widgets.answer_view import AnswerView

from .conftest import settle
from .live import live, sent, told

TOKENS = [" The", " queen", " sings", "<|end|>"]
PROBABILITIES = [0.99, 0.02, 0.6, float("nan")]
TOP = [
    [(" The", 0.99), (" A", 0.01)],
    [(" king", 0.75), (" duke", 0.125), (" <b>x</b>", 0.0001)],
    [(" sings", 0.6), (" talks", 0.4)],
]


def known() -> AnswerView:
    """Two answers, one of them with probabilities."""
    view = AnswerView()
    view.set("causal", [" The", " king", "."], state="done", note="3 tokens")
    view.set("segment", TOKENS, state="done", probabilities=PROBABILITIES, top=TOP)
    return view


def token(page, index: int, mask: str = "segment"):
    return page.locator(f"[data-mask='{mask}'] .sv-answer-token").nth(index)


def rows(page) -> list[str]:
    """The popover's lines; [] where it is hidden."""
    popover = page.locator(".sv-popover")
    if not popover.is_visible():
        return []
    lines = popover.locator("tr:not([hidden])").all()
    return [" ".join(line.inner_text().split()) for line in lines]


def background(locator) -> list[float]:
    return locator.evaluate(
        """(element) => {
          const context = new OffscreenCanvas(1, 1).getContext("2d");
          context.fillStyle = getComputedStyle(element).backgroundColor;
          context.fillRect(0, 0, 1, 1);
          return [...context.getImageData(0, 0, 1, 1).data];
        }"""
    )


def test_where_the_answers_part(static_page):
    view = AnswerView()
    view.set("causal", [" The", " king", "."], state="done", note="3 tokens")
    view.set("segment", [" The", " queen"], state="running")
    page = static_page(view)
    assert page.locator("[data-parting='true']").all_inner_texts() == [" king", " queen"]
    assert page.get_by_text("3 tokens").is_visible()
    assert page.locator("[data-mask='segment'] .sv-state").inner_text() == "running"
    # Nothing is known of how likely they were: nothing speaks of it.
    assert not page.get_by_text("Colour by probability").is_visible()
    assert background(token(page, 0))[3] == 0
    token(page, 0).hover()
    assert rows(page) == []
    assert "click picks it" in token(page, 0).get_attribute("title")


@pytest.mark.parametrize("dark", [False, True])
def test_the_less_likely_the_more_colour(static_page, dark):
    page = static_page(known(), dark=dark)
    base = background(page.locator("[data-mask='segment']"))

    def strength(index: int) -> float:
        painted = zip(background(token(page, index)), base, strict=True)
        return sum(abs(a - b) for a, b in painted)

    assert strength(1) > 1.5 * strength(2) > 1.5 * 1.5 * strength(0) > 0
    assert background(token(page, 3))[3] == 0, "what is unknown has no colour"
    assert background(token(page, 0, "causal"))[3] == 0
    assert page.get_by_text("probability 1").is_visible()
    page.get_by_role("button", name="Colour by probability").click()
    assert background(token(page, 2))[3] == 0
    assert not page.get_by_text("probability 1").is_visible()


def test_the_likeliest_tokens_in_its_place(static_page):
    page = static_page(known())
    token(page, 2).hover()
    assert rows(page) == ["sings 0.600 ◂ chosen", "talks 0.400"]
    token(page, 1).hover()
    # The chosen token was not among them: it follows.
    assert rows(page) == ["king 0.750", "duke 0.125", "<b>x</b> <0.001", "queen 0.020 ◂ chosen"]
    assert page.locator(".sv-popover b").count() == 0
    described = token(page, 1).get_attribute("aria-describedby")
    assert page.locator(f"#{described}").get_by_text("probability 0.020").is_visible()
    widths = page.locator(".sv-popover-bar").evaluate_all(
        "(bars) => bars.map((bar) => bar.getBoundingClientRect().width)"
    )
    assert widths[0] == pytest.approx(6 * widths[1], rel=0.05)
    popover, anchor = (
        page.locator(".sv-popover").bounding_box(),
        token(page, 1).bounding_box(),
    )
    assert popover["y"] >= anchor["y"] + anchor["height"]
    page.mouse.move(5, 500)
    assert rows(page) == []


def test_a_popover_stays_in_the_window(static_page):
    view = known()
    view.set("segment", TOKENS * 12)
    page = static_page(view, width=500)
    page.set_viewport_size({"width": 500, "height": 260})
    token(page, 2).hover()
    box = page.locator(".sv-popover").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 500
    assert page.evaluate("document.documentElement.scrollWidth") <= 500


def test_keyboard(static_page):
    page = static_page(known())
    tabbable = page.locator("[data-mask='segment'] .sv-answer-token[tabindex='0']")
    assert tabbable.count() == 1
    tabbable.focus()
    page.keyboard.press("ArrowRight")
    assert token(page, 1).evaluate("(element) => element.matches(':focus')")
    assert rows(page)[0] == "king 0.750"
    assert tabbable.count() == 1
    page.keyboard.press("Escape")
    assert rows(page) == []
    page.keyboard.press("End")
    assert token(page, 3).evaluate("(element) => element.matches(':focus')")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    assert token(page, 0).evaluate("(element) => element.matches(':focus')")


def test_picking_a_token(static_page):
    page = live(static_page(known()))
    token(page, 1).click()
    assert token(page, 1).get_attribute("aria-pressed") == "true"
    token(page, 2, "causal").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("heard") == [
        ["segviz-pick", {"mask": "segment", "index": 1}],
        ["segviz-pick", {"mask": "causal", "index": 2}],
    ]
    picked = page.locator("[aria-pressed='true'].sv-answer-token")
    assert picked.all_inner_texts() == ["."]
    page.keyboard.press(" ")
    assert page.evaluate("heard")[-1] == ["segviz-unpin", None]
    assert picked.count() == 0
    # An answer that becomes another one has no picked token any more.
    token(page, 1).click()
    told(page, segment={"labels": [" A", " queen"], "special": [], "state": "done", "note": ""})
    assert picked.all_inner_texts() == [" queen"]
    told(page, segment={"labels": [" A", " king"], "special": [], "state": "done", "note": ""})
    assert picked.count() == 0
    token(page, 0).click()
    page.evaluate("el.dispatchEvent(new CustomEvent('segviz-unpin'))")
    assert picked.count() == 0


def test_a_stream_only_adds(static_page):
    page = live(static_page(AnswerView()))
    labels: list[str] = []
    for count in range(1, 40):
        labels.append(f" w{count}")
        answer = {"labels": labels, "special": [], "state": "running", "note": ""}
        told(page, segment=answer)
        if count == 3:
            token(page, 1).focus()
            page.evaluate(
                """() => {
                  const text = document.querySelector("[data-mask='segment'] .sv-answer-text");
                  window.changes = [];
                  new MutationObserver((records) => window.changes.push(...records.map((one) =>
                    one.type === "childList" ? -one.removedNodes.length : one.target.textContent
                  ))).observe(text, { childList: true, subtree: true, attributes: true,
                                      characterData: true });
                }"""
            )
    settle(page)
    assert token(page, 38).inner_text() == " w39"
    assert token(page, 1).evaluate("(element) => element.matches(':focus')")
    changes = page.evaluate("changes")
    assert changes
    # Nothing is taken out; only what is new is touched.
    assert not {-1, " w1", " w2", " w3"} & set(changes)


def test_states_in_words(static_page):
    page = live(static_page(AnswerView()))
    panel = page.locator("[data-mask='causal']")
    assert panel.get_by_text("no answer yet").is_visible()
    for state, words in {
        "running": "reading the prompt",
        "cancelled": "cancelled before the first token",
        "done": "no new tokens",
    }.items():
        told(page, causal={"labels": [], "special": [], "state": state, "note": ""})
        assert panel.locator(".sv-state").inner_text() == state
        assert panel.get_by_text(words).is_visible()
    told(page, causal={"labels": [], "special": [], "state": "failed", "note": "out of memory"})
    assert panel.locator(".sv-state").inner_text() == "failed"
    assert panel.get_by_text("out of memory").is_visible()


def test_stop_and_run_again(static_page):
    view = known()
    view.on_stop(lambda: None)
    view.on_run(lambda: None)
    page = static_page(view)
    stop, again = (page.get_by_role("button", name=name) for name in ("Stop", "Run again"))
    # No Python behind a static page.
    assert not again.is_visible()
    assert not page.get_by_role("radio", name="greedy").is_visible()
    page = live(page)
    assert not stop.is_visible()
    told(page, causal={"labels": [" The"], "special": [], "state": "running", "note": ""})
    stop.click()
    again.click()
    assert len(sent(page, "stop")) == len(sent(page, "run")) == 1
    told(page, can_run=False, can_stop=False)
    assert not stop.is_visible()
    assert not again.is_visible()
    assert not page.get_by_role("radio", name="greedy").is_visible()


def test_decoding(static_page):
    view = AnswerView()
    view.on_run(lambda: None)
    page = live(static_page(view, width=500))
    seed, top_p = (page.get_by_role("spinbutton", name=name) for name in ("seed", "top-p"))
    assert page.get_by_role("radio", name="greedy").get_attribute("aria-checked") == "true"
    assert not seed.is_visible()
    page.get_by_role("radio", name="sample").click()
    assert page.evaluate("model.get('decoding').do_sample") is True
    assert page.evaluate("saved") == 1
    top_p.fill("0.9")
    page.keyboard.press("Enter")
    page.get_by_role("spinbutton", name="max tokens").fill("64")
    page.get_by_role("spinbutton", name="temperature").fill("0")
    page.keyboard.press("Tab")
    assert page.get_by_role("spinbutton", name="temperature").input_value() == "1"
    page.get_by_role("button", name="new seed").click()
    settings = page.evaluate("model.get('decoding')")
    assert isinstance(settings.pop("seed"), int)
    assert settings == {
        "max_new_tokens": 64,
        "do_sample": True,
        "temperature": 1.0,
        "top_p": 0.9,
    }
    assert seed.input_value() == str(page.evaluate("model.get('decoding').seed"))
    seed.fill("")
    page.keyboard.press("Tab")
    assert page.evaluate("model.get('decoding').seed") is None
    # Python has the last word.
    told(page, decoding={**settings, "do_sample": False, "seed": None})
    assert not seed.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 500


def test_one_answer_and_the_notice(static_page):
    view = AnswerView(untuned="never tuned", masks=["segment"])
    view.set("segment", [" The"], state="done")
    page = static_page(view)
    assert page.get_by_role("note").inner_text() == "never tuned"
    assert not page.locator("[data-mask='causal']").is_visible()
    assert page.locator("[data-parting='true']").count() == 0


def test_token_text_is_text(static_page):
    hostile = ["<img src=x onerror=alert(1)>", "</script>", "\u202e", "\n"]
    view = AnswerView()
    view.set(
        "causal", hostile, state="done", probabilities=[0.5] * 4, top=[[(hostile[0], 0.5)]] * 4
    )
    page = static_page(view)
    token(page, 0, "causal").hover()
    assert page.locator("img").count() == 0
    assert rows(page) == [f"{hostile[0]} 0.500 ◂ chosen"]
    assert [token(page, index, "causal").inner_text() for index in (2, 3)] == ["⟨202E⟩", "⏎"]
