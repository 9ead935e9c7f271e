"""The token strip in a real browser: edited by mouse, touch and keyboard."""

from __future__ import annotations

from typing import Any

import pytest

from segviz.segments import Segment, Segmentation
from segviz.widgets import TokenStrip

from .actions import drag, handle_point, segments, token_point
from .conftest import settle
from .samples import CHAT, TOKENS

CUT = [["bos", 0], ["system", 1], ["user", 5]]


def wrapped() -> TokenStrip:
    words = ["<s>", *(f" word{number}" for number in range(60))]
    return TokenStrip(
        words,
        Segmentation(
            [Segment(0, 1, "bos", "causal"), Segment(1, 30, "system"), Segment(30, 61, "user")]
        ),
    )


def label(page: Any, index: int) -> Any:
    return page.locator(".sv-label:visible").nth(index)


def tokens(page: Any) -> Any:
    return page.get_by_role("group", name="Tokens of the prompt")


def kinds(page: Any) -> list[str]:
    """How each token looks."""
    return page.locator(".sv-token").evaluate_all(
        "(all) => all.map((one) => /sv-(causal|bidirectional)/.exec(one.className)[1])"
    )


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
    settle(page)


class TestDrag:
    def test_it_stops_at_its_neighbours_and_follows_wrapped_lines(self, static_page):
        page = static_page(wrapped(), width=500)
        root = page.locator("#segviz")
        tops = {page.locator(f"[data-token='{at}']").bounding_box()["y"] for at in range(61)}
        assert len(tops) > 5
        drag(page, handle_point(root, 1), token_point(root, 50))
        assert segments(root)[2] == ["user", 50]
        drag(page, handle_point(root, 1), token_point(root, 3))
        assert segments(root)[2] == ["user", 3]
        drag(page, handle_point(root, 1), token_point(root, 0))
        assert segments(root)[2] == ["user", 2]
        drag(page, handle_point(root, 0), token_point(root, 60))
        assert segments(root) == [["bos", 0], ["system", 1], ["user", 2]]

    def test_the_handle_is_kept_outside_the_strip_and_stands_before_its_token(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        root = page.locator("#segviz")
        x, _ = token_point(root, 8)
        drag(page, handle_point(root, 1), (x, 900), release=False)
        settle(page)
        assert segments(root)[2] == ["user", 8]
        page.mouse.move(x - 2000, 900)
        settle(page)
        assert segments(root)[2] == ["user", 2]
        page.mouse.move(x, 900)
        page.mouse.up()
        settle(page)
        assert segments(root)[2] == ["user", 8]
        assert abs(handle_point(root, 1)[0] - x) < 7
        page.mouse.move(10, 10)
        assert segments(root)[2] == ["user", 8]

    def test_escape_takes_it_back(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        root = page.locator("#segviz")
        drag(page, handle_point(root, 1), token_point(root, 8), release=False)
        press(page, "Escape")
        assert segments(root) == CUT
        page.mouse.move(*token_point(root, 3))
        page.mouse.up()
        settle(page)
        assert segments(root) == CUT
        assert page.get_by_role("button", name="Undo").get_attribute("aria-disabled") == "true"

    def test_by_touch(self, static_page):
        page = static_page(wrapped(), width=500)
        root = page.locator("#segviz")
        start, end = handle_point(root, 1), token_point(root, 45)
        hand = page.context.new_cdp_session(page)
        between = (start[0], (start[1] + end[1]) / 2)
        for kind, point in (
            ("touchStart", start),
            ("touchMove", between),
            ("touchMove", end),
            ("touchEnd", None),
        ):
            touched = [{"x": point[0], "y": point[1]}] if point else []
            hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touched})
        settle(page)
        assert segments(root)[2] == ["user", 45]
        assert page.locator(".sv-dragging").count() == 0

    def test_python_hears_when_it_begins_and_ends(self, live_page):
        strip = TokenStrip(TOKENS, CHAT)
        seen: list[tuple[bool, int]] = []
        strip.observe(lambda _: seen.append((strip.dragging, strip.segments[2]["start"])),
                      ["dragging", "segments"])  # fmt: skip
        page = live_page(strip).page
        root = page.locator("#segviz")
        drag(page, handle_point(root, 1), token_point(root, 8))
        settle(page)
        assert seen[-1] == (False, 8)
        assert len(seen) > 2
        assert all(dragging for dragging, _ in seen[:-1])

    def test_a_view_that_goes_ends_it(self, live_page):
        strip = TokenStrip(TOKENS, CHAT)
        page = live_page(strip).page
        root = page.locator("#segviz")
        drag(page, handle_point(root, 1), token_point(root, 8), release=False)
        settle(page)
        assert strip.dragging
        page.evaluate("window.unmount()")
        settle(page)
        assert not strip.dragging
        assert strip.segments[2]["start"] == 8


class TestMouse:
    def test_a_click_splits_and_a_double_click_merges(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        root = page.locator("#segviz")
        # The second click is on the handle that the first one made: it must not merge again.
        page.locator("[data-token='7']").dblclick(position={"x": 3, "y": 8})
        settle(page)
        assert segments(root) == [*CUT, ["user 2", 7]]
        page.locator("[data-token='1']").click(position={"x": 20, "y": 8})
        settle(page)
        assert len(segments(root)) == 4
        now = page.evaluate("performance.now()")
        page.wait_for_function("(since) => performance.now() > since + 500", arg=now)
        page.mouse.dblclick(*handle_point(root, 2))
        settle(page)
        assert segments(root) == CUT

    def test_a_short_token_in_front_of_a_handle_can_be_clicked(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        box = page.locator("[data-token='4']").bounding_box()
        page.mouse.click(box["x"] + 1, box["y"] + 10)
        settle(page)
        assert segments(page.locator("#segviz"))[2:] == [["system 2", 4], ["user", 5]]

    def test_a_click_on_a_name_toggles(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        assert kinds(page) == ["causal", *["bidirectional"] * 9]
        page.get_by_role("button", name="system: tokens 1 to 4, bidirectional").click()
        settle(page)
        assert kinds(page) == [*["causal"] * 5, *["bidirectional"] * 5]
        assert label(page, 1).inner_text().split() == ["→", "system"]
        page.get_by_role("button", name="system: tokens 1 to 4, causal").click()
        settle(page)
        assert kinds(page) == ["causal", *["bidirectional"] * 9]
        assert label(page, 1).inner_text().split() == ["⇄", "system"]

    def test_a_double_click_on_a_name_renames_and_toggles_nothing(self, live_page):
        strip = TokenStrip(TOKENS, CHAT)
        sent: list[list[dict]] = []
        strip.observe(lambda change: sent.append(change["new"]), "segments")
        page = live_page(strip).page
        label(page, 1).dblclick()
        field = page.get_by_role("textbox", name="Name of the segment")
        assert field.input_value() == "system"
        page.keyboard.type("rules <b>")
        press(page, "Enter")
        assert field.is_hidden()
        assert segments(page.locator("#segviz"))[1] == ["rules <b>", 1]
        assert [segment["name"] for segment in strip.segments] == ["bos", "rules <b>", "user"]
        assert {segments[1]["attention"] for segments in sent} == {"bidirectional"}

    def test_a_name_that_is_left_is_kept(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        label(page, 2).dblclick()
        page.keyboard.type("question")
        page.mouse.click(5, 900)
        settle(page)
        assert segments(page.locator("#segviz"))[2] == ["question", 5]


class TestKeyboard:
    def test_split_and_merge_at_the_caret(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        root = page.locator("#segviz")
        tokens(page).focus()
        press(page, *["ArrowRight"] * 4, "Enter")
        assert segments(root) == [["bos", 0], ["system", 1], ["system 2", 3], ["user", 5]]
        assert page.locator("[aria-live]").inner_text() == "system is split before token 3"
        press(page, "Delete")
        assert segments(root) == CUT
        # Only where a segment starts, and never before the first.
        press(page, "ArrowRight", "Delete", "Home", "Delete", "Enter")
        assert segments(root) == CUT
        press(page, "End", " ")
        assert segments(root)[3] == ["user 2", 9]
        press(page, "Backspace")
        assert segments(root) == CUT

    def test_keys_go_on_where_a_click_was(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        root = page.locator("#segviz")
        page.locator("[data-token='7']").click()
        press(page, "ArrowRight", "Enter")
        assert segments(root) == [*CUT, ["user 2", 7], ["user 2 2", 8]]

    def test_lines_and_pages(self, static_page):
        page = static_page(wrapped(), width=500)
        tokens(page).focus()

        def caret() -> dict[str, float]:
            return page.locator("[data-caret]").bounding_box()

        press(page, "ArrowDown", "ArrowRight")
        first = caret()
        press(page, "ArrowDown")
        second = caret()
        assert second["y"] > first["y"]
        assert abs(second["x"] - first["x"]) < first["width"]
        press(page, "ArrowDown", "ArrowUp")
        assert caret() == second
        press(page, "PageDown")
        last = page.locator("[data-token='60']").bounding_box()
        assert caret()["y"] == last["y"]

    def test_rename(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        root = page.locator("#segviz")
        field = page.get_by_role("textbox", name="Name of the segment")
        tokens(page).focus()
        press(page, *["ArrowRight"] * 7, "F2")
        assert field.input_value() == "user"
        page.keyboard.type("question")
        press(page, "Escape")
        assert segments(root) == CUT
        press(page, "F2", "Control+a", "Delete", "Enter")
        assert segments(root) == CUT
        press(page, "F2")
        page.keyboard.type("  question  ")
        press(page, "Enter")
        assert segments(root)[2] == ["question", 5]
        # The tokens have the focus again, where it was.
        press(page, "ArrowRight", "Enter")
        assert segments(root)[3] == ["question 2", 7]
        label(page, 1).focus()
        press(page, "Enter", "x", "Enter")
        assert segments(root)[1] == ["x", 1]
        press(page, " ")
        assert kinds(page)[1:5] == ["causal"] * 4

    @pytest.mark.parametrize(
        ("key", "start"),
        [
            ("ArrowRight", 21), ("ArrowLeft", 19), ("ArrowDown", 21), ("ArrowUp", 19),
            ("Shift+ArrowRight", 30), ("Shift+ArrowLeft", 10), ("Home", 2), ("End", 60),
        ],
    )  # fmt: skip
    def test_handles_move(self, static_page, key, start):
        strip = wrapped()
        strip.segmentation = strip.segmentation.move_boundary(1, 20)
        page = static_page(strip)
        handle = page.get_by_role("slider", name="Boundary between system and user")
        handle.focus()
        press(page, key)
        assert handle.get_attribute("aria-valuenow") == str(start)
        assert handle.get_attribute("aria-valuemin") == "2"
        assert handle.get_attribute("aria-valuemax") == "60"
        assert segments(page.locator("#segviz"))[2] == ["user", start]

    def test_delete_on_handles_leads_on_to_the_tokens(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        root = page.locator("#segviz")
        page.get_by_role("slider").last.focus()
        press(page, "Delete")
        assert segments(root) == [["bos", 0], ["system", 1]]
        press(page, "Delete")
        assert segments(root) == [["bos", 0]]
        press(page, "End", "Enter")
        assert segments(root) == [["bos", 0], ["bos 2", 9]]

    def test_one_way_through_everything_with_tab(self, static_page):
        page = static_page(TokenStrip(TOKENS, CHAT))
        page.keyboard.press("Tab")
        seen = []
        while page.evaluate("document.activeElement !== document.body"):
            seen.append(page.evaluate("document.activeElement.className.split(' ')[0]"))
            ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert ring != "none"
            page.keyboard.press("Tab")
        assert seen.count("sv-button") == 3
        assert seen.count("sv-label") == 3
        assert seen.count("sv-handle") == 2
        assert seen.count("sv-text") == 1
