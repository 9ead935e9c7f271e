"""Mask and attention on static pages."""

from __future__ import annotations

import numpy as np

from segviz.masks import segment_mask
from segviz.segments import Segment, Segmentation
from segviz.widgets import AttentionView, MaskView, palette
from segviz.widgets.scale import table

from .actions import cell_color, hover_cell
from .samples import ADDED, CAUSAL, CHAT, HIDDEN, explorer, mask_state, rgb


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
    text = page.locator(".sv-readout").inner_text()
    assert text == "query 3 “d” · key 4 “e” · ≈ 0.5"
    hover_cell(root, ".sv-attention", 1, 1)
    assert page.locator(".sv-readout").inner_text() == "query 4 “e” · key 1 “b” · ≈ −0.5"
