"""The answers: on static pages, and on pages that Python answers."""

from __future__ import annotations

import pytest

import segviz as sv
from segviz.widgets.answer_view import AnswerView

from .conftest import settle

TOKENS = [" The", " queen", " sings", "<|end|>"]
PROBABILITIES = [0.99, 0.02, 0.6, float("nan")]
TOP = [
    [(" The", 0.99), (" A", 0.01)],
    [(" king", 0.75), (" duke", 0.125), (" <b>x</b>", 0.0001)],
    [(" sings", 0.6), (" talks", 0.4)],
]
HEAR = """() => {
  window.heard = [];
  for (const name of ["segviz-pick", "segviz-unpin"]) {
    document.addEventListener(name, (event) => heard.push([name, event.detail]));
  }
}"""
WATCH_CHANGES = """() => {
  const text = document.querySelector("[data-mask='segment'] .sv-answer-text");
  const seen = (one) =>
    one.type === "childList" ? -one.removedNodes.length : one.target.textContent;
  window.changes = [];
  new MutationObserver((records) => changes.push(...records.map(seen))).observe(text, {
    childList: true, subtree: true, attributes: true, characterData: true,
  });
}"""


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


def test_picking_a_token(live_page):
    view = known()
    live = live_page(view)
    page = live.page
    page.evaluate(HEAR)
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
    token(page, 1).click()
    page.evaluate("el.dispatchEvent(new CustomEvent('segviz-unpin'))")
    assert picked.count() == 0


def test_a_picked_token_that_is_another_one_now(live_page):
    view = known()
    live = live_page(view)
    picked = live.page.locator("[aria-pressed='true'].sv-answer-token")
    token(live.page, 1).click()
    view.set("segment", [" A", " queen"])
    live.deliver()
    assert picked.all_inner_texts() == [" queen"]
    view.set("segment", [" A", " king"])
    live.deliver()
    assert picked.count() == 0


def test_a_stream_only_adds(live_page):
    view = AnswerView()
    live = live_page(view)
    page = live.page
    for count in range(1, 40):
        view.append("segment", f" w{count}")
        view.set("segment", state="running")
        live.deliver()
        if count == 3:
            token(page, 1).focus()
            page.evaluate(WATCH_CHANGES)
    settle(page)
    assert token(page, 38).inner_text() == " w39"
    assert token(page, 1).evaluate("(element) => element.matches(':focus')")
    changes = page.evaluate("changes")
    assert len(changes) >= 36
    # Nothing is taken out; only what is new is touched.
    assert not {-1, " w1", " w2", " w3"} & set(changes)


def test_numbers_that_arrive_behind_the_tokens(live_page):
    view = AnswerView()
    view.set("segment", [" The", " queen"], state="running")
    live = live_page(view)
    page = live.page
    token(page, 1).focus()
    assert rows(page) == []
    view.set("segment", state="done", probabilities=[0.99, 0.02], top=TOP[:2])
    live.deliver()
    assert page.get_by_text("Colour by probability").is_visible()
    assert background(token(page, 1))[3] > 0
    # A new run: the numbers are those of the tokens that stayed.
    view.set("segment", [" The"], state="running")
    view.append("segment", " duke")
    live.deliver()
    assert background(token(page, 0))[3] > 0
    assert background(token(page, 1))[3] == 0
    token(page, 1).hover()
    assert rows(page) == []


def test_states_in_words(live_page):
    view = AnswerView()
    live = live_page(view)
    panel = live.page.locator("[data-mask='causal']")
    assert panel.get_by_text("no answer yet").is_visible()
    for state, words in {
        "running": "reading the prompt",
        "cancelled": "cancelled before the first token",
        "done": "no new tokens",
    }.items():
        view.set("causal", state=state)
        live.deliver()
        assert panel.locator(".sv-state").inner_text() == state
        assert panel.get_by_text(words).is_visible()
    view.set("causal", state="failed", note="out of memory")
    live.deliver()
    assert panel.locator(".sv-state").inner_text() == "failed"
    assert panel.get_by_text("out of memory").is_visible()


def test_one_answer_and_the_notice(static_page):
    view = AnswerView(untuned="never tuned", masks=["segment"])
    view.set("segment", [" The"], state="done")
    page = static_page(view)
    assert page.get_by_role("note").inner_text() == "never tuned"
    assert not page.locator("[data-mask='causal']").is_visible()
    assert page.locator("[data-parting='true']").count() == 0


HOSTILE = ["<b>x</b><script>alert(1)</script>", "</script>", "\u202e", "\n", "a\u2066b", " \u200f"]


def test_token_text_is_text(live_page):
    view = AnswerView(untuned=HOSTILE[0])
    live = live_page(view)
    page = live.page
    for one in HOSTILE:
        view.append("causal", one)
    top = [[(one, 0.5), (HOSTILE[0], 0.25)] for one in HOSTILE]
    view.set("causal", state="done", note=HOSTILE[0], probabilities=[0.5] * 6, top=top)
    live.deliver()
    shown = [token(page, index, "causal").inner_text() for index in range(len(HOSTILE))]
    assert shown == [*HOSTILE[:2], "⟨202E⟩", "⏎", "a⟨2066⟩b", " ⟨200F⟩"]
    token(page, 2, "causal").hover()
    assert rows(page) == ["⟨202E⟩ 0.500 ◂ chosen", f"{HOSTILE[0]} 0.250"]
    assert page.get_by_role("note").inner_text() == HOSTILE[0]
    assert page.locator(".sv-hint", has_text="alert").inner_text() == HOSTILE[0]
    assert page.locator("b, #segviz script").count() == 0
    # Nor does anything of it turn what stands around it.
    assert "\u202e" not in page.locator("body").inner_text()


def test_the_answers_of_a_comparison(static_page):
    comparison = sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=3)
    page = static_page(AnswerView.of(comparison))
    for mask in ("causal", "segment"):
        trace = getattr(comparison, mask)
        shown = page.locator(f"[data-mask='{mask}'] .sv-answer-text")
        assert shown.text_content() == "".join(trace.tokens[trace.prompt_length :])
        # What stands first in the answer is expected behind the last token of the prompt.
        (first, probability), *_ = trace.next_tokens(trace.prompt_length - 1, k=3)
        token(page, 0, mask).hover()
        assert rows(page)[0] == f"{first.strip()} {probability:.3f} ◂ chosen"
        assert len(rows(page)) == 10


def test_an_answer_that_comes_anew_takes_no_room_away(live_page):
    view = known()
    view.set("causal", [" word"] * 300, state="done", note="")
    live = live_page(view)
    panel = live.page.locator("[data-mask='causal']")

    def height() -> float:
        live.deliver()
        settle(live.page)
        return panel.bounding_box()["height"]

    before = height()
    view.set("causal", [], state="waiting")
    assert height() == before
    view.set("causal", [" word"], state="running")
    assert height() == before
    view.set("causal", [" word"] * 600)
    assert height() > before
    view.set("causal", [" word"], state="done")
    assert height() < before / 2
