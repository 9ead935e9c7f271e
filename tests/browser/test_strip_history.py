"""The token strip's history: undo and redo, presets, and edits by Python in between."""

from __future__ import annotations

from typing import Any

from segviz.segments import Segment, Segmentation
from segviz.widgets import TokenStrip
from segviz.widgets.segmented import segment_dicts

from .actions import drag, handle_point, segments, token_point
from .conftest import settle
from .samples import CHAT, TOKENS
from .test_strip import CUT, label, press, tokens

CAUSAL = Segmentation([Segment(0, 10, "all", "causal")])
BLOCK = Segmentation([Segment(0, 10, "all")])


def moved(start: int) -> list[list[object]]:
    return [["bos", 0], ["system", 1], ["user", start]]


def undo(page: Any) -> Any:
    return page.get_by_role("button", name="Undo (Ctrl-Z)")


def redo(page: Any) -> Any:
    return page.get_by_role("button", name="Redo (Ctrl-Shift-Z)")


def allowed(button: Any) -> bool:
    return button.get_attribute("aria-disabled") == "false"


def with_presets(*more: tuple[str, Segmentation]) -> TokenStrip:
    named = {"segment": CHAT, "causal": CAUSAL, "prefix-LM": BLOCK, **dict(more)}
    presets = [{"name": name, "segments": segment_dicts(one)} for name, one in named.items()]
    return TokenStrip(TOKENS, CHAT, presets=presets)


class TestUndo:
    def test_a_drag_is_one_step(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        root = page.locator("#segviz")
        assert not allowed(undo(page))
        drag(page, handle_point(root, 1), token_point(root, 8), steps=12)
        drag(page, handle_point(root, 1), token_point(root, 3), steps=12)
        settle(page)
        assert segments(root) == moved(3)
        undo(page).click()
        settle(page)
        assert segments(root) == moved(8)
        undo(page).click()
        settle(page)
        assert segments(root) == CUT
        assert not allowed(undo(page))
        redo(page).click()
        redo(page).click()
        settle(page)
        assert segments(root) == moved(3)
        assert not allowed(redo(page))

    def test_every_kind_of_edit_by_keys(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        root = page.locator("#segviz")

        def state() -> tuple[list, list[str]]:
            kinds = page.locator(".sv-label:visible").evaluate_all(
                "(all) => all.map((one) => one.firstChild.textContent)"
            )
            return segments(root), kinds

        states = [state()]
        tokens(page).focus()
        for keys in (
            [*["ArrowRight"] * 8, "Enter"],
            ["F2", "n", "e", "w", "Enter"],
            ["Delete"],
        ):
            press(page, *keys)
            states.append(state())
        label(page, 1).focus()
        press(page, " ")
        states.append(state())
        page.get_by_role("slider").last.focus()
        press(page, "ArrowRight")
        states.append(state())
        assert len({str(one) for one in states}) == len(states) - 1  # the merge undid the split
        for before in states[-2::-1]:
            press(page, "Control+z")
            assert state() == before
        press(page, "Control+z")
        assert state() == states[0]
        for after, key in zip(states[1:], ["Control+Shift+z", "Control+y"] * 3, strict=False):
            press(page, key)
            assert state() == after

    def test_a_key_that_is_held_is_one_step(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        root = page.locator("#segviz")
        page.get_by_role("slider").last.focus()
        for _ in range(3):
            page.keyboard.down("ArrowRight")
        page.keyboard.up("ArrowRight")
        settle(page)
        assert segments(root) == moved(8)
        press(page, "Control+z")
        assert segments(root) == CUT

    def test_the_focus_goes_to_the_tokens_where_a_handle_goes(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        root = page.locator("#segviz")
        page.locator("[data-token='7']").click()
        page.locator("[data-token='8']").click()
        page.get_by_role("slider").last.focus()
        press(page, "Control+z", "Control+z")
        assert segments(root) == CUT
        assert tokens(page).evaluate("(one) => one === document.activeElement")

    def test_an_edit_after_an_undo_ends_redo(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        page.locator("[data-token='7']").click()
        press(page, "Control+z")
        assert allowed(redo(page))
        page.locator("[data-token='8']").click()
        settle(page)
        assert not allowed(redo(page))
        press(page, "Control+y")
        assert segments(page.locator("#segviz")) == [*CUT, ["user 2", 8]]

    def test_a_double_click_on_a_name_is_no_step(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        page.locator("[data-token='7']").click()
        press(page, "Control+z")
        label(page, 1).dblclick()
        press(page, "Escape")
        assert not allowed(undo(page))
        assert allowed(redo(page))


class TestPython:
    def test_its_edits_are_steps_of_the_same_history(self, live_page):
        strip = TokenStrip(TOKENS, CHAT)
        live = live_page(strip)
        page, root = live.page, live.page.locator("#segviz")
        page.locator("[data-token='7']").click()
        settle(page)
        strip.segmentation = strip.segmentation.move_boundary(1, 3)
        live.deliver()
        settle(page)
        assert segments(root) == [*moved(3), ["user 2", 7]]
        page.get_by_role("slider").last.focus()
        press(page, "ArrowRight")
        for expected in ([*moved(3), ["user 2", 7]], [*CUT, ["user 2", 7]], CUT):
            press(page, "Control+z")
            assert segments(root) == expected
            assert [[one["name"], one["start"]] for one in strip.segments] == expected
        for _ in range(3):
            press(page, "Control+y")
        assert [one["start"] for one in strip.segments] == [0, 1, 3, 8]

    def test_an_edit_that_it_refuses_is_taken_back(self, live_page):
        strip = TokenStrip(TOKENS, CHAT)

        def refuse(change: dict) -> None:
            if len(change["new"]) > 3:
                strip.segments = change["old"]
                raise RuntimeError("three segments are enough")

        strip.observe(refuse, "segments")
        live = live_page(strip)
        page, root = live.page, live.page.locator("#segviz")
        page.locator("[data-token='7']").click()
        settle(page)
        assert segments(root) == CUT
        assert page.get_by_role("alert").inner_text() == "RuntimeError: three segments are enough"
        assert not allowed(undo(page))
        drag(page, handle_point(root, 1), token_point(root, 8))
        settle(page)
        assert segments(root) == moved(8)
        assert page.get_by_role("alert").is_hidden()
        press(page, "Control+z")
        assert segments(root) == CUT

    def test_another_prompt_begins_a_new_history(self, live_page):
        strip = with_presets()
        live = live_page(strip)
        page, root = live.page, live.page.locator("#segviz")
        page.locator("[data-token='7']").click()
        settle(page)
        assert allowed(undo(page))
        strip.update(tokens=["a", "b", "c"], segmentation=Segmentation([Segment(0, 3, "user")]))
        live.deliver()
        settle(page)
        assert segments(root) == [["user", 0]]
        assert page.locator(".sv-token").all_inner_texts() == ["a", "b", "c"]
        assert not allowed(undo(page))
        # The presets are those of the former prompt.
        assert page.get_by_label("preset").is_hidden()
        assert page.get_by_role("button", name="Reset").is_hidden()
        press(page, "Control+z")
        assert segments(root) == [["user", 0]]

    def test_two_views_of_one_strip_agree(self, live_page):
        strip = TokenStrip(TOKENS, CHAT)
        page = live_page(strip).page
        page.evaluate("""() => {
          const place = document.createElement("div");
          place.id = "other";
          document.body.append(place);
          return window.showIn(place);
        }""")
        one, other = page.locator("#segviz"), page.locator("#other")
        drag(page, handle_point(one, 1), token_point(one, 8))
        settle(page)
        assert segments(other) == moved(8)
        # A drag is one step there, too.
        other.get_by_role("button", name="Undo").click()
        settle(page)
        assert segments(other) == segments(one) == CUT
        assert [segment["start"] for segment in strip.segments] == [0, 1, 5]


class TestPresets:
    def test_choosing_and_resetting(self, static_page):
        page = static_page(with_presets())
        root = page.locator("#segviz")
        box = page.get_by_label("preset")
        reset = page.get_by_role("button", name="Reset")
        assert box.locator("option:not([hidden])").all_inner_texts() == [
            "segment", "causal", "prefix-LM",
        ]  # fmt: skip
        assert box.input_value() == "segment"
        assert not allowed(reset)
        box.select_option("causal")
        settle(page)
        assert segments(root) == [["all", 0]]
        assert page.locator(".sv-token.sv-causal").count() == 10
        box.select_option("prefix-LM")
        settle(page)
        assert page.locator(".sv-token.sv-causal").count() == 0
        assert box.input_value() == "prefix-LM"
        page.locator("[data-token='7']").click()
        settle(page)
        assert box.evaluate("(box) => box.selectedOptions[0].text") == "edited"
        reset.click()
        settle(page)
        assert segments(root) == CUT
        assert box.input_value() == "segment"
        for _ in range(2):
            press(page, "Control+z")
        assert box.input_value() == "prefix-LM"

    def test_of_two_alike_the_chosen_one_is_shown(self, static_page):
        page = static_page(with_presets(("by sentence", BLOCK)))
        box = page.get_by_label("preset")
        for name in ("by sentence", "segment", "prefix-LM"):
            box.select_option(name)
            settle(page)
            assert box.input_value() == name

    def test_one_is_enough_to_reset_to(self, static_page):
        preset = {"name": "segment", "title": "the run's segments", "segments": segment_dicts(CHAT)}
        page = static_page(TokenStrip(TOKENS, CHAT.split(7), presets=[preset]))
        assert page.get_by_label("preset").is_hidden()
        reset = page.get_by_role("button", name="Reset")
        assert reset.get_attribute("title") == "Back to: the run's segments"
        reset.click()
        settle(page)
        assert segments(page.locator("#segviz")) == CUT

    def test_without_any_there_is_nothing_to_reset_to(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        assert page.get_by_role("button", name="Reset").is_hidden()
