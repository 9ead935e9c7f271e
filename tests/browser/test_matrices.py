"""Mask and attention on static pages."""

from __future__ import annotations

import numpy as np
import pytest

from segviz import palette
from segviz.masks import segment_mask
from segviz.segments import Segment, Segmentation
from segviz.widgets import AttentionView, MaskView
from segviz.widgets.scale import table

from .actions import cell_color, cell_colors, hover_cell
from .conftest import settle
from .samples import ADDED, ALL, CAUSAL, CHAT, HIDDEN, WHOLE, explorer, mask_state, rgb


def test_the_whole_mask_is_the_rule(static_page):
    whole = Segmentation(
        [Segment(0, 2, "a", "causal"), Segment(2, 5, "b"), Segment(5, 9, "c")]
    ).append(1, "response")
    page = static_page(MaskView(whole, prompt_length=9))
    root = page.locator("#segviz")
    expected = np.where(np.tri(10, dtype=bool), CAUSAL, np.where(segment_mask(whole), ADDED, 0))
    seen = [[mask_state(root, row, column) for column in range(10)] for row in range(10)]
    assert seen == expected.tolist()
    assert cell_color(root, ".sv-mask", 2, 4)[:3] == rgb(palette.SEGMENTS[1])
    assert cell_color(root, ".sv-mask", 4, 2)[:3] == rgb(palette.CAUSAL)


def test_the_causal_mask_adds_nothing(static_page):
    page = static_page(MaskView(CHAT, mask="causal"))
    root = page.locator("#segviz")
    assert mask_state(root, 1, 3) == HIDDEN
    assert mask_state(root, 3, 1) == CAUSAL
    assert page.get_by_text("added by the segment mask").is_hidden()


def test_a_window(static_page):
    page = static_page(MaskView(CHAT, window=2))
    root = page.locator("#segviz")
    assert [mask_state(root, 6, column) for column in (0, 4, 5, 6, 9)] == [
        HIDDEN, HIDDEN, CAUSAL, CAUSAL, ADDED,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ((6, 8), "query 6 “ Who” (user) · key 8 “ Anna” (user) · added by the segment mask"),
        ((6, 2), "query 6 “ Who” (user) · key 2 “ follows” (system) · allowed by the causal mask"),
        ((2, 6), "query 2 “ follows” (system) · key 6 “ Who” (user) · masked"),
        ((10, 11), "query 10 “ Kurt” (response) · key 11 “<|end|>” (response) · masked"),
    ],
)
def test_hover_names_both_sides_and_why(static_page, cell, said):
    page = static_page(MaskView(WHOLE, 10, ALL), width=900)
    hover_cell(page.locator("#segviz"), ".sv-mask", *cell)
    assert page.locator(".sv-readout").text_content() == said
    page.mouse.move(1, 1)
    assert page.locator(".sv-readout").text_content() == ""


def test_the_border_of_prefill_and_decode(static_page):
    page = static_page(MaskView(WHOLE, 10, ALL))
    assert page.get_by_text("decoding starts").is_visible()
    # Where something has the colour of the line, #c2185b, in cells.
    points = page.evaluate(
        """() => {
          const canvas = document.querySelector("canvas.sv-overlay");
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
          const found = [];
          for (let at = 0; at < data.length; at += 4) {
            const [x, y] = [(at / 4) % width, Math.floor(at / 4 / width)];
            const line = data[at] > 170 && data[at + 1] < 60 && data[at + 3] > 250;
            if (line) found.push([(12 * x) / width, (12 * y) / height]);
          }
          return found;
        }"""
    )
    key, query = np.array(points).T
    down, across = np.abs(key - 10) < 0.05, np.abs(query - 10) < 0.05
    assert (down | across).all()
    for along in (query[down & ~across], key[across & ~down]):
        # Dashed, from end to end: five pixels in nine.
        lengths, _ = np.histogram(along, bins=600, range=(0, 12))
        assert 0.4 < np.count_nonzero(lengths) / 600 < 0.7
        assert along.min() < 0.3
        assert along.max() > 11.5
    prompt = static_page(MaskView(CHAT, tokens=ALL[:10]))
    assert prompt.get_by_text("decoding starts").is_hidden()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_mask_colours_of_both_themes(static_page, dark):
    page = static_page(MaskView(WHOLE, 10, ALL), dark=dark)
    colors = np.array(cell_colors(page.locator("#segviz"), ".sv-mask"))
    causal = np.tri(12, dtype=bool)
    added = segment_mask(WHOLE) & ~causal
    assert (colors[~causal & ~added][:, 3] == 0).all()
    grey = colors[causal][:, :3]
    assert (np.ptp(grey, axis=1) < 25).all()
    assert (grey < 110).all() if dark else (grey > 190).all()
    # One colour for each segment that adds cells: system and user.
    assert len({tuple(color) for color in colors[added][:, :3].tolist()}) == 2
    assert (np.ptp(colors[added][:, :3], axis=1) > 60).all()


def test_the_mask_by_keyboard(static_page):
    page = static_page(MaskView(WHOLE, 10, ALL))
    plot = page.get_by_role("application", name="Attention mask, query down, key across")
    assert "Arrow keys move" in plot.get_attribute("aria-description")
    assert "Enter" not in plot.get_attribute("aria-description")
    plot.focus()
    for key in ["ArrowDown", "ArrowDown", "ArrowRight", "Shift+ArrowRight", "ArrowLeft"]:
        page.keyboard.press(key)
    readout = page.locator(".sv-readout")
    assert readout.get_attribute("aria-live") == "polite"
    assert readout.text_content() == (
        "query 1 “Anna” (system) · key 10 “ Kurt” (response) · masked"
    )
    for key in ["+", "+"]:
        page.keyboard.press(key)
    settle(page)
    assert page.get_by_role("button", name="Show everything; shown 2×").is_enabled()
    out = page.get_by_role("button", name="Zoom out")
    out.click()
    out.click()
    assert out.is_disabled()


def test_a_zoomed_mask_is_the_rule(static_page):
    length = 3000
    whole = Segmentation([Segment(0, 1000, "a"), Segment(1000, length, "b")])
    page = static_page(MaskView(whole), width=700)
    page.locator(".sv-plot").focus()
    for _ in range(9):
        page.keyboard.press("+")
    box = page.locator(".sv-plot").bounding_box()
    for x, y in [(0.31, 0.52), (0.87, 0.24), (0.5, 0.48)]:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        settle(page)
        text = page.locator(".sv-readout").text_content()
        query, key = (int(part.split()[1]) for part in text.split(" · ")[:2])
        alpha, red, blue = page.evaluate(
            """([x, y]) => {
              const canvas = document.querySelector("canvas.sv-image");
              const [r, , b, a] = canvas.getContext("2d").getImageData(
                canvas.width * x, canvas.height * y, 1, 1).data;
              return [a, r, b];
            }""",
            [x, y],
        )
        assert 1400 < query < 1600
        assert alpha == 255
        assert (abs(red - blue) > 60) == (key > query)
        assert ("added" in text) == (key > query)


def test_masked_is_not_tiny_and_query_is_not_key(static_page):
    page = static_page(explorer())
    root = page.locator(".sv-explorer")
    colors = table("sequential")
    tiny = cell_color(root, ".sv-attention", 3, 1)
    assert tiny[:3] == colors[1 + round(254 * (0.001 / 0.8) ** 0.5)].tolist()
    masked = cell_color(root, ".sv-attention", 1, 7)
    assert masked != tiny
    assert max(masked[:3]) - min(masked[:3]) < 15
    assert cell_color(root, ".sv-attention", 7, 2)[:3] == colors[255].tolist()
    assert cell_color(root, ".sv-attention", 2, 7)[:3] != colors[255].tolist()


def test_fewer_queries_than_keys(static_page):
    values = np.zeros((2, 5), np.float32)
    values[0, 4], values[1, 1] = 0.5, -0.5
    view = AttentionView(tokens=list("abcde"))
    view.show(values, kind="diverging", title="last rows")
    page = static_page(view, width=500)
    root = page.locator("#segviz")
    colors = table("diverging")
    assert cell_color(root, ".sv-attention", 0, 4)[:3] == colors[255].tolist()
    assert cell_color(root, ".sv-attention", 1, 1)[:3] == colors[1].tolist()
    hover_cell(root, ".sv-attention", 0, 4)
    text = page.locator(".sv-readout").text_content()
    assert text == "query 3 “d” · key 4 “e” · ≈ 0.5"
    hover_cell(root, ".sv-attention", 1, 1)
    assert page.locator(".sv-readout").text_content() == "query 4 “e” · key 1 “b” · ≈ −0.5"
