"""How the explorer's page looks where there is little room, and where something goes wrong."""

from __future__ import annotations

import numpy as np
import pytest

from segviz.segments import Segment, Segmentation
from segviz.widgets import ExplorerView

from .actions import hover_cell
from .conftest import settle

TOKENS = ["<|bos|>", "a", " b", " c", " d", " e"]
SEGMENTS = Segmentation([Segment(0, 1, "bos", "causal"), Segment(1, 6, "user")])
PATTERN = np.tril(np.ones((6, 6))) / np.arange(1, 7)[:, None]


@pytest.fixture
def explorer():
    view = ExplorerView(TOKENS, SEGMENTS, layers=2, heads=4, status="up to date")
    view.attention.show(PATTERN, tokens=TOKENS, segmentation=SEGMENTS)
    yield view
    view.close()


@pytest.mark.parametrize(("width", "beside"), [(480, False), (1000, True)])
def test_matrices_stand_below_each_other_where_there_is_no_room(
    explorer, static_page, width, beside
):
    page = static_page(explorer, width=width)
    mask, attention = (page.locator(f".sv-{name} .sv-plot").bounding_box() for name in VIEWS)
    assert (mask["x"] + mask["width"] <= attention["x"]) == beside
    assert (mask["y"] + mask["height"] <= attention["y"]) != beside
    assert page.evaluate("document.documentElement.scrollWidth") <= width


VIEWS = ("mask", "attention")


def test_a_line_that_says_nothing_tells_what_to_do(explorer, static_page):
    page = static_page(explorer)
    line = page.locator(".sv-attention .sv-readout-names")

    def hint() -> str:
        return line.evaluate("(line) => getComputedStyle(line, '::before').content")

    assert "click to pin" in hint()
    assert line.inner_text() == ""
    hover_cell(page, ".sv-attention", 4, 1)
    assert line.inner_text().startswith("query 4")
    assert hint() == "none"


def test_an_error_is_in_the_header_and_moves_nothing(explorer, static_page):
    explorer.error = "ValueError: it does not fit"
    page = static_page(explorer)
    status = page.locator(".sv-header .sv-status")
    place = page.locator(".sv-strip").bounding_box()
    assert status.inner_text() == "ValueError: it does not fit"
    explorer.error = ""
    page = static_page(explorer)
    settle(page)
    assert page.locator(".sv-header .sv-status").inner_text() == "up to date"
    assert page.locator(".sv-strip").bounding_box() == place


def test_keys_of_the_attention_are_shown_with_its_focus(explorer, static_page):
    page = static_page(explorer)
    place = page.get_by_role("group", name="Attention; left and right arrow change the head")
    shown = "(place) => getComputedStyle(place, '::after').content"
    assert place.evaluate(shown) == "none"
    page.locator(".sv-mask .sv-plot").focus()
    page.keyboard.press("Tab")
    assert "head" in place.evaluate(shown)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    settle(page)
    assert page.get_by_label("head", exact=True).input_value() == "1"
    assert page.get_by_label("layer", exact=True).input_value() == "1"
