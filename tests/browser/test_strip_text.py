"""The token strip as it is read: text of all scripts, the pinned query, the help, any width."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from segviz.segments import Segment, Segmentation
from segviz.widgets import TokenStrip
from segviz.widgets.segmented import segment_dicts

from .actions import drag, handle_point, segments, token_point
from .conftest import settle
from .samples import CHAT, TOKENS
from .test_strip import press, tokens

ARABIC, HEBREW = (" مرحبا", " بالعالم", "!"), (" שלום", "־", "עולם", " 12")
MIXED = [
    "<s>", *ARABIC, *HEBREW, " 日本", "語", "。", " 👩‍👩‍👧", "👍🏽", " \u202eevil", "\u2067x",
    "<script>", "</script>", "<b>", "a\x00b", "  ", "\n\n", "\t", "", "e\u0301", "\u0301", " end",
]  # fmt: skip
PROMPT = Segmentation(
    [Segment(0, 3, "سؤال"), Segment(3, 8, "user \u202e"), Segment(8, len(MIXED), "<i>answer</i>")]
)
SHADE = """(detail) => document.querySelector("#segviz").dispatchEvent(
  new CustomEvent("segviz-shade", { detail }))"""
# Milliseconds of the listeners of each pointer move.
MEASURE = """() => {
  let start = 0;
  window.moves = [];
  addEventListener("pointermove", () => (start = performance.now()), { capture: true });
  addEventListener("pointermove", () => window.moves.push(performance.now() - start));
}"""


def boxes(page: Any) -> list[dict[str, float]]:
    return page.locator(".sv-token").evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect().toJSON())"
    )


def readout(page: Any) -> str:
    return page.locator(".sv-strip-note .sv-hint").inner_text()


def pin(page: Any, **detail: Any) -> None:
    # NaN (masked) does not travel as JSON.
    page.evaluate(SHADE, detail)
    settle(page)


class TestText:
    @pytest.mark.parametrize("direction", ["ltr", "rtl"])
    def test_tokens_of_all_scripts_stand_in_their_order(self, static_page, direction):
        page = static_page(TokenStrip(MIXED, PROMPT), width=400)
        page.evaluate("(dir) => (document.documentElement.dir = dir)", direction)
        page.set_viewport_size({"width": 401, "height": 800})
        settle(page)
        found = boxes(page)
        assert len({box["top"] for box in found}) > 1
        for one, next_ in pairwise(found):
            assert next_["left"] >= one["right"] - 0.1 or next_["top"] > one["top"]
        # A handle stands at the left edge of its token, right-to-left or not.
        handles = page.locator(".sv-handle:visible").evaluate_all(
            "(all) => all.map((one) => one.getBoundingClientRect().left + 3)"
        )
        assert handles == pytest.approx([found[3]["left"], found[8]["left"]], abs=1)

    def test_a_drag_through_right_to_left_tokens(self, static_page):
        page = static_page(TokenStrip(MIXED, PROMPT), width=1200)
        root = page.locator("#segviz")
        for start in (1, 2, 4, 5, 6, 7):
            drag(page, handle_point(root, 0), token_point(root, start))
            assert segments(root)[1][1] == start

    def test_white_space_and_controls_are_readable(self, static_page):
        page = static_page(TokenStrip(MIXED, PROMPT))
        texts = page.locator(".sv-token").all_text_contents()
        assert texts[13:24] == [
            " ⟨202E⟩evil", "⟨2067⟩x", "<script>", "</script>", "<b>", "a⟨0000⟩b", "␣␣", "⏎⏎", "⇥",
            "∅", "e\u0301",
        ]  # fmt: skip
        assert all(box["width"] >= 4 for box in boxes(page))
        assert page.locator(".sv-strip b, .sv-strip i, .sv-strip script").count() == 0

    def test_text_that_turns_turns_nothing_else(self, static_page):
        page = static_page(TokenStrip(MIXED, PROMPT), width=1200)
        page.locator("[data-token='4']").hover(position={"x": 9, "y": 8})
        hint = page.locator(".sv-strip-note .sv-hint")
        assert "שלום" in hint.inner_text()
        # Where the letters stand: what follows the name in the text is on its right.
        lefts = hint.evaluate(
            """(hint) => {
              const text = hint.firstChild;
              const left = (what) => {
                const range = document.createRange();
                const at = text.data.indexOf(what);
                range.setStart(text, at);
                range.setEnd(text, at + 1);
                return range.getBoundingClientRect().left;
              };
              return ["token", "4", "user", "click", "split", "before"].map(left);
            }"""
        )
        assert lefts == sorted(lefts)
        page.get_by_role("button", name="سؤال").focus()
        press(page, " ")
        spoken = page.locator("[aria-live]").inner_text()
        assert spoken == "\u2068سؤال\u2069 is causal now"

    def test_a_token_wider_than_the_strip_is_cut(self, static_page):
        long = "x" * 500
        page = static_page(
            TokenStrip(["a", long, "b"], Segmentation([Segment(0, 3, "user " * 40)])), width=350
        )
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.locator("[data-token='1']").bounding_box()["width"] < 350
        assert page.locator("[data-token='1']").text_content() == long


class TestReading:
    def test_hover_reads_number_name_and_segment(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        hint = readout(page)
        assert "drag a handle" in hint
        page.locator("[data-token='3']").hover()
        assert readout(page) == "token 3 “ Ben” · system · click to split before it"
        page.locator("[data-token='1']").hover(position={"x": 20, "y": 8})
        assert readout(page) == "token 1 “Anna” · system"
        page.mouse.move(500, 900)
        assert readout(page) == hint

    def test_the_caret_reads_too(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        tokens(page).focus()
        press(page, "ArrowRight", "ArrowRight")
        assert page.locator("[aria-live]").inner_text() == "token 1 “Anna”"
        assert readout(page) == "token 1 “Anna” · system"

    def test_the_help_lists_all_gestures(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT), width=700)
        button = page.get_by_role("button", name="Gestures and keys")
        helped = page.locator("dl[aria-label='Gestures and keys']")
        assert helped.is_hidden()
        button.click()
        assert button.get_attribute("aria-expanded") == "true"
        text = helped.inner_text()
        mouse = ("Drag a handle", "Click a token", "Double-click a handle", "Click a name",
                 "Double-click a name")  # fmt: skip
        keys = ("Enter", "Delete", "F2", "Space", "Ctrl-Z", "Ctrl-Shift-Z", "Ctrl-Y", "Escape",
                "Home", "Shift", "Tab")  # fmt: skip
        for gesture in (*mouse, *keys, "␣", "⏎"):
            assert gesture in text, gesture
        press(page, "Escape")
        assert helped.is_hidden()
        assert button.get_attribute("aria-expanded") == "false"

    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    def test_a_pinned_query_shades_the_tokens_until_it_is_unpinned(self, static_page, dark):
        page = static_page(TokenStrip(TOKENS, CHAT), dark=dark)
        page.evaluate("""() => {
          window.unpins = 0;
          addEventListener("segviz-unpin", () => (window.unpins += 1));
        }""")
        plain = page.locator(".sv-token").evaluate_all(
            "(all) => all.map((one) => getComputedStyle(one).backgroundColor)"
        )
        chip = page.get_by_role("group", name="Pinned query")
        assert chip.is_hidden()
        pin(page, query=4, values=[0.4, 0.0, 0.1, 0.025, 0.0125], maximum=0.4)
        assert "attention of query 4 “.”" in chip.inner_text()
        assert "0.4" in chip.inner_text()
        shaded = page.locator(".sv-token").evaluate_all(
            """(all) => all.map((one) => {
              const { backgroundColor, color } = getComputedStyle(one);
              const light = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number)
                .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0) / 255;
              return [light(backgroundColor), light(color)];
            })"""
        )
        backs = [back for back, _ in shaded]
        order = [1, 4, 3, 2, 0]  # from the least to the most attention
        steps = np.diff([backs[at] for at in order])
        assert (steps > 0.02).all() if dark else (steps < -0.02).all()
        assert all(abs(back - ink) > 0.35 for back, ink in shaded[:5])
        # What the query cannot see is hatched.
        assert page.locator("[data-unseen]").count() == 5
        assert page.locator("[data-pinned]").get_attribute("data-token") == "4"
        page.locator("[data-token='2']").hover()
        assert readout(page).startswith("0.1 on token 2 “ follows” · system")
        page.locator("[data-token='7']").hover()
        assert readout(page).startswith("masked: no attention on token 7")
        page.get_by_role("button", name="Unpin").click()
        page.mouse.move(500, 900)
        settle(page)
        assert chip.is_hidden()
        assert page.evaluate("window.unpins") == 1
        assert page.locator("[data-unseen], [data-pinned]").count() == 0
        assert plain == page.locator(".sv-token").evaluate_all(
            "(all) => all.map((one) => getComputedStyle(one).backgroundColor)"
        )
        pin(page, query=4, values=[1.0] * 5, maximum=1.0)
        tokens(page).focus()
        press(page, "Escape")
        assert chip.is_hidden()
        assert page.evaluate("window.unpins") == 2


class TestSizes:
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    @pytest.mark.parametrize("width", [350, 700, 1600])
    def test_nothing_overlaps_at_any_width(self, static_page, width, dark):
        presets = [
            {"name": name, "segments": segment_dicts(one)}
            for name, one in (("segment", CHAT), ("prefix-LM", Segmentation([Segment(0, 10, "p")])))
        ]
        page = static_page(TokenStrip(TOKENS, CHAT, presets=presets), width=width, dark=dark)
        for pinned in (False, True):
            if pinned:
                before = page.locator(".sv-text").bounding_box()
                pin(page, query=4, values=[0.2] * 5, maximum=0.2)
                # Nothing jumps under the pointer when a query is pinned.
                assert page.locator(".sv-text").bounding_box() == before
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            parts = page.locator(
                ".sv-strip-head .sv-heading, .sv-strip-note, .sv-strip-head select, "
                ".sv-strip-head .sv-controls .sv-button:visible, .sv-text"
            ).evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().toJSON())")
            assert len(parts) == 8
            for at, one in enumerate(parts):
                assert one["left"] >= 0
                assert one["right"] <= width
                for other in parts[at + 1 :]:
                    assert (
                        one["right"] <= other["left"] + 0.5
                        or other["right"] <= one["left"] + 0.5
                        or one["bottom"] <= other["top"] + 0.5
                        or other["bottom"] <= one["top"] + 0.5
                    ), (one, other)

    @pytest.mark.parametrize("parts", [3, 300])
    def test_thousands_of_tokens_wrap_scroll_and_follow_the_pointer(self, static_page, parts):
        count = 5000
        edges = [count * part // parts for part in range(parts + 1)]
        prompt = Segmentation(
            Segment(start, stop, f"part {start}", "causal" if start % 3 else "bidirectional")
            for start, stop in pairwise(edges)
        )
        words = ["." if at % 17 == 0 else f" w{at}" for at in range(count)]
        page = static_page(TokenStrip(words, prompt), width=900)
        root, text = page.locator("#segviz"), page.locator(".sv-text")
        assert text.evaluate("(text) => text.scrollHeight > 3 * text.clientHeight")
        page.evaluate(MEASURE)
        index = parts // 2
        start = handle_point(root, index)
        box = text.bounding_box()
        page.mouse.move(*start)
        page.mouse.down()
        page.evaluate("window.moves.length = 0")
        rng = np.random.default_rng(0)
        for dx, dy in rng.random((40, 2)):
            page.mouse.move(box["x"] + dx * box["width"], box["y"] + dy * box["height"])
        moves = page.evaluate("window.moves")
        assert len(moves) >= 40
        assert np.median(moves) < 16
        # Held below the strip, it scrolls on, as far as the next boundary allows.
        before = segments(root)[index + 1][1]
        page.mouse.move(box["x"] + 200, box["y"] + box["height"] + 150)
        last = prompt.segments[index + 1].stop - 1
        page.wait_for_function(
            """([index, last]) => document.querySelectorAll(".sv-handle")[index]
              .getAttribute("aria-valuenow") === String(last)""",
            arg=[index, last],
        )
        page.mouse.up()
        settle(page)
        assert segments(root)[index + 1] == [f"part {edges[index + 1]}", last]
        assert before < last
