"""The token strip on static pages."""

from __future__ import annotations

from segviz.segments import Segment, Segmentation
from segviz.widgets import TokenStrip

from .actions import drag, handle_point, segments, token_point
from .conftest import settle
from .samples import CHAT, TOKENS


def test_a_drag_stops_at_its_neighbours_and_follows_wrapped_lines(static_page):
    words = ["<s>", *(f" word{number}" for number in range(60))]
    prompt = Segmentation(
        [Segment(0, 1, "bos", "causal"), Segment(1, 30, "system"), Segment(30, 61, "user")]
    )
    page = static_page(TokenStrip(words, prompt), width=500)
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


def test_split_merge_toggle(static_page):
    page = static_page(TokenStrip(TOKENS, CHAT))
    root = page.locator("#segviz")
    page.locator("[data-token='7']").click()
    assert segments(root) == [["bos", 0], ["system", 1], ["user", 5], ["user 2", 7]]
    page.locator("[data-token='7']").click()
    assert len(segments(root)) == 4
    page.wait_for_timeout(600)
    page.mouse.dblclick(*handle_point(root, 2))
    settle(page)
    assert segments(root) == [["bos", 0], ["system", 1], ["user", 5]]
    label = page.get_by_role("button", name="system: tokens 1 to 4, bidirectional")
    label.click()
    settle(page)
    assert "sv-causal" in page.locator("[data-token='1']").get_attribute("class")
    page.get_by_role("button", name="system: tokens 1 to 4, causal").click()
    settle(page)
    assert "sv-bidirectional" in page.locator("[data-token='1']").get_attribute("class")
