"""The head grid in a real browser: seen, chosen, sorted, coloured, scrolled."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segviz.widgets.head_grid import HeadGrid, colors

from .conftest import settle

LAYERS, HEADS, KV_HEADS = 3, 6, 2
CHOICES = """() => {
  window.choices = [];
  addEventListener("segviz-choose", (event) => window.choices.push(event.detail));
}"""
# RGBA in the middle of a head's picture (or `below` it, on its bar), on the canvas of its line.
PIXEL = """(cell, below) => {
  const canvas = cell.parentElement.querySelector("canvas");
  const [at, on] = [cell.getBoundingClientRect(), canvas.getBoundingClientRect()];
  const ratio = canvas.width / on.width;
  const x = (at.x - on.x + (below ? 3 : at.width / 2)) * ratio;
  const y = below ? canvas.height - 2 * ratio : (at.width / 2) * ratio;
  return [...canvas.getContext("2d").getImageData(Math.floor(x), Math.floor(y), 1, 1).data];
}"""


def value(layer: int, head: int) -> int:
    """The byte that fills a head's picture: another one for each."""
    return 10 + 40 * layer + 7 * head


def show(grid: HeadGrid, layer: int, kind: str = "sequential", extra: int = 0) -> None:
    thumbnails = np.stack([np.full((8, 8), value(layer, h) + extra) for h in range(grid.heads)])
    heads = np.arange(grid.heads)
    # Entropy: highest in the middle of the last layer.
    summaries = {
        "entropy": layer + 1 - 0.1 * np.abs(heads - 2.2),
        "distance": 3.0 * heads + 30 * (layer == 1),
    }
    grid.show_layer(layer, thumbnails.astype(np.uint8), summaries, kind)


def small(layers=range(LAYERS), **traits: Any) -> HeadGrid:
    grid = HeadGrid(LAYERS, HEADS, KV_HEADS, **traits)
    for layer in layers:
        show(grid, layer)
    return grid


def cell(page: Any, layer: int, head: int) -> Any:
    return page.locator(f".sv-heads-cell[data-layer='{layer}'][data-head='{head}']:visible")


def color(page: Any, layer: int, head: int, *, below: bool = False) -> list[int]:
    return cell(page, layer, head).evaluate(PIXEL, below)


def order(page: Any) -> list[str]:
    return page.locator(".sv-heads-name:visible").all_inner_texts()


def focused(page: Any) -> tuple[int, int]:
    data = page.evaluate("({...document.activeElement.dataset})")
    return int(data["layer"]), int(data["head"])


def chosen(page: Any) -> list[str]:
    return page.get_by_role("gridcell", selected=True).evaluate_all(
        "(cells) => cells.map((cell) => cell.getAttribute('aria-label'))"
    )


def choose_option(page: Any, name: str, option: str) -> None:
    page.get_by_label(name, exact=True).select_option(option)
    settle(page)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [500, 1200])
def test_every_head_stands_in_its_row_and_column(static_page, width, dark):
    page = static_page(small(), width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for layer in range(LAYERS):
        for head in range(HEADS):
            assert color(page, layer, head)[:3] == colors("sequential")[value(layer, head)].tolist()
    boxes = [[cell(page, i, j).bounding_box() for j in range(HEADS)] for i in range(LAYERS)]
    for upper, lower in pairwise(boxes):
        assert lower[0]["y"] >= upper[0]["y"] + upper[0]["height"]
        assert [box["x"] for box in lower] == [box["x"] for box in upper]
    gaps = [b["x"] - a["x"] - a["width"] for a, b in pairwise(boxes[0])]
    assert gaps[2] > max(gaps[:2] + gaps[3:])
    # Each bracket spans the heads of its KV head.
    for group, first, last in ((0, 0, 2), (1, 3, 5)):
        bracket = page.get_by_text(f"KV {group}", exact=True).first.bounding_box()
        assert bracket["x"] == pytest.approx(boxes[0][first]["x"], abs=1)
        right = boxes[0][last]["x"] + boxes[0][last]["width"]
        assert bracket["x"] + bracket["width"] == pytest.approx(right, abs=1)
        assert bracket["y"] + bracket["height"] <= boxes[0][0]["y"]
    assert page.locator(".sv-heads-layer:visible").all_inner_texts() == ["head", "L0", "L1", "L2"]


def test_a_click_chooses(static_page):
    page = static_page(small(layer=0, head=1))
    page.evaluate(CHOICES)
    assert chosen(page) == ["layer 0, head 1, KV 0"]
    cell(page, 2, 4).click()
    settle(page)
    assert chosen(page) == ["layer 2, head 4, KV 1"]
    assert page.evaluate("window.choices") == [{"layer": 2, "head": 4}]
    shadow = cell(page, 2, 4).evaluate("(cell) => getComputedStyle(cell).boxShadow")
    assert shadow != "none"
    assert cell(page, 0, 1).evaluate("(cell) => getComputedStyle(cell).boxShadow") == "none"


@pytest.mark.parametrize("sort", ["layer", "entropy"])
def test_the_frame_of_the_chosen_head_is_whole(static_page, sort):
    first = (0, 0) if sort == "layer" else (2, 2)
    page = static_page(small(layer=first[0], head=first[1], sort=sort), width=500)
    box = cell(page, *first).bounding_box()
    left, top = box["x"] - 3, box["y"] - 3
    right, bottom = box["x"] + box["width"] + 3, box["y"] + box["height"] + 3
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    mark = (216, 27, 96)
    for x, y in ((left, (top + bottom) / 2), (right, (top + bottom) / 2),
                 ((left + right) / 2, top), ((left + right) / 2, bottom)):  # fmt: skip
        pixel = picture.getpixel((round(x), round(y)))
        assert max(abs(a - b) for a, b in zip(pixel, mark, strict=True)) < 30, (x, y, pixel)


def test_everything_by_keyboard(static_page):
    page = static_page(small(layer=1, head=2))
    page.evaluate(CHOICES)
    page.get_by_label("colour by").focus()
    page.keyboard.press("Tab")
    assert focused(page) == (1, 2)
    for key, expected in (
        ("ArrowRight", (1, 3)),
        ("ArrowDown", (2, 3)),
        ("ArrowDown", (2, 3)),
        ("Home", (2, 0)),
        ("ArrowLeft", (2, 0)),
        ("PageUp", (0, 0)),
        ("End", (0, 5)),
        ("Control+End", (2, 5)),
        ("Control+Home", (0, 0)),
        ("ArrowRight", (0, 1)),
    ):
        page.keyboard.press(key)
        assert focused(page) == expected, key
    assert page.locator(".sv-heads-title").inner_text() == "layer 0, head 1"
    assert chosen(page) == ["layer 1, head 2, KV 0"]
    page.keyboard.press("Enter")
    settle(page)
    assert chosen(page) == ["layer 0, head 1, KV 0"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    settle(page)
    assert chosen(page) == ["layer 1, head 1, KV 0"]
    assert page.evaluate("window.choices") == [{"layer": 0, "head": 1}, {"layer": 1, "head": 1}]
    # One stop for the tab key, wherever it is.
    assert page.locator(".sv-heads-cell[tabindex='0']").count() == 1
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert focused(page) == (1, 1)


def test_a_summary_sorts_the_heads(static_page):
    page = static_page(small(layer=1, head=2))
    choose_option(page, "sort by", "entropy")
    ranked = order(page)
    assert len(ranked) == LAYERS * HEADS
    assert ranked[:7] == ["L2 H2", "L2 H3", "L2 H1", "L2 H4", "L2 H0", "L2 H5", "L1 H2"]
    assert color(page, 2, 3)[:3] == colors("sequential")[value(2, 3)].tolist()
    assert page.locator(".sv-heads-value:visible").first.inner_text() == "2.98"
    assert page.get_by_text("entropy, highest first: how widely", exact=False).is_visible()
    assert page.locator(".sv-heads-headings").is_hidden()
    assert chosen(page) == ["layer 1, head 2, KV 0, entropy 1.98"]
    # Keys follow what is seen, over the ends of lines.
    cell(page, 2, 3).click()
    page.keyboard.press("ArrowRight")
    assert focused(page) == (2, 1)
    page.keyboard.press("Control+End")
    assert focused(page) == (0, 5)
    choose_option(page, "sort by", "layer")
    assert order(page) == []
    assert page.get_by_text("KV 1", exact=True).first.is_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_summary_colours_the_heads(static_page, dark):
    page = static_page(small(), dark=dark)
    height = cell(page, 0, 0).bounding_box()["height"]
    choose_option(page, "colour by", "distance")
    low, middle, high = (sum(color(page, 1, head, below=True)[:3]) for head in (0, 2, 5))
    assert low < middle < high if dark else low > middle > high
    # No share, no bar: only its track.
    track = color(page, 0, 0, below=True)
    assert max(track[:3]) - min(track[:3]) < 25
    legend = page.locator(".sv-heads-legend-bar")
    assert legend.inner_text().split("\n") == ["0", "45.0 (tokens)"]
    assert "tokens" in legend.get_attribute("title")
    assert page.get_by_text("distance: how far from the query", exact=False).is_visible()
    choose_option(page, "colour by", "")
    assert legend.is_hidden()
    assert cell(page, 0, 0).bounding_box()["height"] == height


def test_summaries_that_nobody_knows_cannot_be_chosen(static_page):
    page = static_page(small())
    unknown = page.locator("select").first.evaluate(
        "(box) => [...box.options].filter((option) => option.disabled).map((one) => one.value)"
    )
    assert unknown == ["forward mass", "first-token mass", "largest difference"]


def test_the_head_under_the_pointer_is_enlarged(static_page):
    page = static_page(small(layer=0, head=0))
    detail = page.get_by_role("group", name="one head")
    assert detail.locator(".sv-heads-title").inner_text() == "layer 0, head 0"
    cell(page, 1, 4).hover()
    assert detail.locator(".sv-heads-title").inner_text() == "layer 1, head 4"
    assert detail.locator("dt:visible").all_inner_texts() == ["entropy", "distance"]
    assert detail.locator("dd:visible").all_inner_texts() == ["1.82 nats", "42.0 tokens"]
    for row in detail.locator("dl > div:visible").all():
        assert len(row.get_attribute("title")) > 20
    pixel = detail.locator("canvas").evaluate(
        "(canvas) => [...canvas.getContext('2d').getImageData(3, 3, 1, 1).data]"
    )
    assert pixel[:3] == colors("sequential")[value(1, 4)].tolist()
    page.mouse.move(1, 1)
    assert detail.locator(".sv-heads-title").inner_text() == "layer 0, head 0"


def test_missing_layers_are_placeholders_and_counted(static_page):
    page = static_page(small(layers=[1], layer=2, head=3))
    assert page.get_by_text("1 of 3 layers", exact=True).is_visible()
    bar = page.get_by_role("progressbar")
    assert bar.get_attribute("aria-valuetext") == "1 of 3 layers"
    assert color(page, 1, 3)[:3] == colors("sequential")[value(1, 3)].tolist()
    empty = color(page, 2, 3)
    assert max(empty[:3]) - min(empty[:3]) < 15
    assert page.get_by_text("not computed yet").is_visible()
    # They can be chosen, and sorted to the end.
    cell(page, 0, 2).click()
    settle(page)
    assert chosen(page) == ["layer 0, head 2, KV 0"]
    choose_option(page, "sort by", "entropy")
    assert order(page)[5:8] == ["L1 H5", "L0 H0", "L0 H1"]


def test_nothing_is_shown_yet(static_page):
    page = static_page(HeadGrid(LAYERS, HEADS))
    assert page.get_by_text("0 of 3 layers", exact=True).is_visible()
    assert cell(page, 2, 5).is_visible()
    # Every head has keys and values of its own: nothing to bracket.
    assert page.get_by_text("KV 0", exact=True).count() == 0


def test_layers_of_an_earlier_state_are_dimmed(static_page):
    grid = small()
    grid.stale = True
    show(grid, 1, extra=3)
    page = static_page(grid)
    assert page.get_by_text("1 of 3 layers", exact=True).is_visible()
    assert color(page, 1, 2) == [*colors("sequential")[value(1, 2) + 3].tolist(), 255]
    assert 0 < color(page, 0, 2)[3] < 128
    assert 0 < color(page, 2, 5)[3] < 128


def test_differences_have_their_own_colours_and_legend(static_page):
    grid = HeadGrid(2, 4, 2)
    for layer in range(2):
        show(grid, layer, "diverging")
    page = static_page(grid)
    assert color(page, 1, 3)[:3] == colors("diverging")[value(1, 3)].tolist()
    assert page.get_by_text("segment − causal").is_visible()
    assert page.get_by_text("numbers of the segment run").is_visible()


def test_a_choice_far_away_is_brought_into_sight(static_page):
    grid = HeadGrid(60, 6, 3, layer=50, head=4)
    page = static_page(grid)
    page.wait_for_function("document.querySelector('.sv-heads-scroller').scrollTop > 0")
    box, at = page.locator(".sv-heads-scroller").bounding_box(), cell(page, 50, 4).bounding_box()
    assert box["y"] <= at["y"]
    assert at["y"] + at["height"] <= box["y"] + box["height"]
