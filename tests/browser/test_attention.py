"""The attention view with Python behind it: looks, groups, exact numbers, pins, details."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from segviz.masks import key_spans, segment_mask
from segviz.pattern_tiles import PatternTiles
from segviz.patterns import CapturedLayer
from segviz.segments import Segment, Segmentation
from segviz.widgets import AttentionView
from segviz.widgets.scale import SCALES, shaded, table

from .actions import cell_colors, drag, hover_cell
from .conftest import settle
from .samples import ALL, WHOLE

VIEW = ".sv-attention"
MASK = segment_mask(WHOLE)
WORDS = [0, 1, 2, 3, 5, 6, 7, 8, 10, 11]
"""First tokens of the words of ``ALL``; borders of segments are 1, 5 and 10."""


def softmax_rows(seed: int = 0, last: int = 12) -> np.ndarray:
    """Attention of the last queries over all keys of the sample chat, its first key a sink."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 2, MASK.shape)
    scores[:, 0] += 3
    weights = np.where(MASK, np.exp(scores), 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)[-last:]


def attention_view(last: int = 12, **traits) -> AttentionView:
    view = AttentionView(None, ALL, WHOLE, 10, **traits)
    view.show(softmax_rows(last=last), mask=MASK[-last:], title="layer 0, head 1")
    return view


def large_view(length: int) -> tuple[AttentionView, PatternTiles]:
    torch.manual_seed(0)
    layer = CapturedLayer(torch.randn(4, length, 8) * 2, torch.randn(2, length, 8), scale=8**-0.5)
    whole = Segmentation([Segment(0, length // 3, "system"), Segment(length // 3, length, "user")])
    tiles = PatternTiles(layer, key_spans(length, whole), head=2)
    view = AttentionView(None, [f" w{at}" for at in range(length)], whole)
    view.show(tiles, title="large")
    return view, tiles


def readout(page) -> str:
    """What the line under the plot says, the number no longer an estimate."""
    page.wait_for_function(
        "() => { const text = document.querySelector('.sv-readout').textContent;"
        " return text && !text.includes('≈'); }"
    )
    return page.locator(".sv-readout").text_content()


def is_printed(value: float, text: str) -> bool:
    """Whether ``text`` shows all its digits of a number right."""
    text = text.replace("−", "-")
    if "e" in text:
        return f"{value:.1e}".replace("e-0", "e-") == text
    decimals = len(text.partition(".")[2])
    return f"{value:.{decimals}f}" == text and decimals >= 1


def assert_drawn(page, data: np.ndarray, kind: str = "sequential") -> None:
    """Every cell has the colour of its byte, give or take what the page's bytes are off by."""
    seen = np.array(cell_colors(page.locator("#segviz"), VIEW))
    visible = data > 0
    colors = table(kind).astype(int)
    apart = np.abs(seen[..., :3][visible][:, None] - colors[None, 1:]).sum(axis=2)
    nearest = 1 + apart.argmin(axis=1)
    assert apart.min(axis=1).max() == 0
    assert np.abs(nearest - data[visible]).max() <= 6
    # The ground shines through where a cell is masked.
    assert (np.ptp(seen[~visible][:, :3], axis=1) < 25).all()


class TestLooks:
    @pytest.mark.parametrize("kind", ["sequential", "diverging"])
    def test_scales(self, live_page, kind):
        rng = np.random.default_rng(2)
        mask = np.tri(25, 40, 15, dtype=bool)
        values = np.where(mask, rng.dirichlet(np.full(40, 0.2), 25), 0)
        if kind == "diverging":
            values -= np.where(mask, rng.dirichlet(np.full(40, 0.2), 25), 0)
        view = AttentionView()
        view.show(values, mask=mask, kind=kind)
        live = live_page(view)
        pictures = set()
        for scale in SCALES[::-1]:
            live.page.get_by_label("Scale").select_option(scale)
            live.until(lambda scale=scale: view.scale == scale)
            settle(live.page)
            data, _ = shaded(values, mask, kind=kind, scale=scale)
            assert_drawn(live.page, data, kind)
            pictures.add(data.tobytes())
        assert len(pictures) == len(SCALES)

    def test_without_the_first_token_and_by_row(self, live_page):
        view = attention_view(last=9)
        live = live_page(view)
        values = softmax_rows(last=9)
        hidden = MASK[-9:].copy()
        hidden[:, 0] = False
        live.page.get_by_role("button", name="Hide first token").click()
        live.until(lambda: view.hide_first)
        settle(live.page)
        assert_drawn(live.page, shaded(values, hidden, kind="sequential")[0])
        numbers = live.page.locator(".sv-colorbar-numbers").inner_text()
        # From bytes, and said so.
        assert numbers.split()[-2] == "≈"
        assert float(numbers.split()[-1]) == pytest.approx(values[:, 1:].max(), rel=0.03)
        live.page.get_by_role("button", name="Normalise rows").click()
        live.until(lambda: view.normalize)
        settle(live.page)
        assert_drawn(live.page, shaded(values, hidden, kind="sequential", normalize=True)[0])
        assert "100 %" in live.page.locator(".sv-colorbar-numbers").inner_text()
        hover_cell(live.page.locator("#segviz"), VIEW, 4, 0)
        assert "key 0" in readout(live.page)

    def test_set_from_python(self, live_page):
        view = attention_view()
        live = live_page(view)
        view.update(scale="log", normalize=True)
        live.deliver()
        settle(live.page)
        assert view.encoded is not None
        assert_drawn(live.page, view.encoded.data)
        assert live.page.get_by_label("Scale").input_value() == "log"
        rows = live.page.get_by_role("button", name="Normalise rows")
        assert rows.get_attribute("aria-pressed") == "true"

    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    def test_numbers_keep_their_colours_in_any_theme(self, static_page, dark):
        view = attention_view()
        page = static_page(view, dark=dark)
        assert_drawn(page, view.encoded.data)
        ground = np.array(cell_colors(page.locator("#segviz"), VIEW))[0, 1:]
        lines = ground[ground[:, 3] > 128][:, :3]
        assert len(lines)
        assert (lines < 130).all() if dark else (lines > 180).all()

    def test_nothing_yet_and_no_more(self, live_page):
        view = AttentionView(None, ALL, WHOLE)
        live = live_page(view)
        waiting = live.page.get_by_text("no attention yet")
        assert waiting.is_visible()
        view.show(softmax_rows(), mask=MASK)
        live.deliver()
        settle(live.page)
        assert waiting.is_hidden()
        view.stale = True
        live.deliver()
        assert live.page.locator(".sv-stale").count() == 1
        view.clear()
        live.deliver()
        settle(live.page)
        assert waiting.is_visible()
        hover_cell(live.page.locator("#segviz"), VIEW, 3, 1)
        assert live.page.locator(".sv-readout").text_content() == ""


class TestGroups:
    @pytest.mark.parametrize("merge", ["words", "segments"])
    def test_columns_are_summed_and_rows_averaged(self, live_page, merge):
        view = attention_view(last=9)
        live = live_page(view)
        values = softmax_rows(last=9)
        live.page.get_by_label("Merge").select_option(merge)
        live.until(lambda: view.merge == merge)
        settle(live.page)
        keys = WORDS if merge == "words" else [0, 1, 5, 10]
        queries = [3, *[start for start in keys if start > 3]]
        columns = list(zip(keys, [*keys[1:], 12], strict=True))
        rows = list(zip(queries, [*queries[1:], 12], strict=True))
        mass = np.array(
            [[values[a - 3 : b - 3, c:d].sum() / (b - a) for c, d in columns] for a, b in rows]
        )
        visible = np.array([[MASK[a:b, c:d].any() for c, d in columns] for a, b in rows])
        assert_drawn(live.page, shaded(mass, visible, kind="sequential")[0])
        root = live.page.locator("#segviz")
        row, column = len(rows) - 2, len(columns) - 2
        hover_cell(root, VIEW, row, column)
        said, _, number = readout(live.page).rpartition(" · ")
        assert is_printed(mass[row, column], number)
        if merge == "segments":
            assert said == "query 5–9 (user) · key 5–9 (user)"
            assert live.page.locator(".sv-text-tick").all_inner_texts()[1:4] == [
                "system", "user", "response",
            ]  # fmt: skip
        live.page.get_by_label("Merge").select_option("tokens")
        settle(live.page)
        assert_drawn(live.page, shaded(values, MASK[-9:], kind="sequential")[0])

    def test_a_boundary_moves_the_groups(self, live_page):
        view = attention_view(merge="segments")
        live = live_page(view)
        view.segmentation = WHOLE.move_boundary(1, 7)
        live.deliver()
        settle(live.page)
        hover_cell(live.page.locator("#segviz"), VIEW, 2, 1)
        said, _, number = readout(live.page).rpartition(" · ")
        assert said == "query 7–9 “ leads Anna?” (user) · key 1–6 (system)"
        assert is_printed(softmax_rows()[7:10, 1:7].sum() / 3, number)

    def test_what_cannot_be_merged(self, live_page):
        live = live_page(AttentionView(softmax_rows()))
        disabled = live.page.get_by_label("Merge").evaluate(
            "(box) => [...box.options].map((option) => option.disabled)"
        )
        assert disabled == [False, True, True]


class TestNumbers:
    def test_the_exact_number_under_the_pointer(self, live_page):
        live = live_page(attention_view(last=9))
        values = softmax_rows(last=9)
        for row, column in [(0, 0), (1, 4), (6, 9), (8, 11)]:
            hover_cell(live.page.locator("#segviz"), VIEW, row, column)
            names, _, number = readout(live.page).rpartition(" · ")
            assert names.startswith(f"query {row + 3} “{ALL[row + 3]}”".replace("\n", "⏎"))
            assert f"key {column} " in names
            assert is_printed(values[row, column], number)
        hover_cell(live.page.locator("#segviz"), VIEW, 0, 8)
        assert readout(live.page).endswith("(system) · key 8 “ Anna” (user) · masked")

    def test_of_the_picture_that_is_shown(self, live_page):
        view = attention_view()
        live = live_page(view)
        hover_cell(live.page.locator("#segviz"), VIEW, 8, 2)
        readout(live.page)
        view.show(softmax_rows(5), mask=MASK, title="another head")
        live.deliver()
        assert live.page.get_by_text("another head").is_visible()
        number = readout(live.page).rpartition(" · ")[2]
        assert is_printed(softmax_rows(5)[8, 2], number)


LISTEN = """() => {
  window.pins = [];
  addEventListener("segviz-pin", ({ detail }) => window.pins.push(
    detail && { query: detail.query, values: [...detail.values], maximum: detail.maximum }));
}"""


class TestPins:
    def test_a_click_pins_and_announces_the_row(self, live_page):
        view = attention_view(last=9)
        live = live_page(view)
        page = live.page
        page.evaluate(LISTEN)
        hover_cell(page.locator("#segviz"), VIEW, 5, 2)
        page.mouse.down()
        page.mouse.up()
        live.until(lambda: view.pinned == 8)
        expected = np.where(MASK[8], softmax_rows(last=9)[5], np.nan)
        live.until(lambda: page.evaluate("window.pins.length") == 2)
        near, exact = page.evaluate("window.pins")
        np.testing.assert_allclose(near["values"], expected, atol=0.009)
        np.testing.assert_array_equal(np.float32(exact["values"]), expected)
        assert exact["query"] == 8
        assert exact["maximum"] == pytest.approx(np.nanmax(expected))
        chip = page.get_by_role("button", name="Unpin 8, the query")
        assert chip.is_visible()
        page.mouse.move(2, 2)
        most = int(np.nanargmax(expected))
        assert readout(page).startswith(f"query 8 “ Anna” (user) · most on key {most} ")
        chip.click()
        live.until(lambda: view.pinned is None)
        assert page.evaluate("window.pins.at(-1)") is None
        assert chip.is_hidden()

    def test_ways_to_let_go(self, live_page):
        view = attention_view(pinned=4)
        live = live_page(view)
        plot = live.page.locator(".sv-plot")
        plot.focus()
        live.page.keyboard.press("Escape")
        live.until(lambda: view.pinned is None)
        for _ in range(2):
            hover_cell(live.page.locator("#segviz"), VIEW, 6, 1)
            live.page.mouse.down()
            live.page.mouse.up()
            live.until(lambda: view.pinned != 0)
        live.until(lambda: view.pinned is None)
        view.pinned = 9
        live.deliver()
        live.page.evaluate("el.dispatchEvent(new CustomEvent('segviz-unpin'))")
        live.until(lambda: view.pinned is None)

    def test_a_double_click_zooms_and_pins_nothing(self, live_page):
        view = attention_view()
        live = live_page(view)
        box = live.page.locator(".sv-plot").bounding_box()
        live.page.mouse.dblclick(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.7)
        settle(live.page)
        assert view.pinned is None
        assert live.page.get_by_role("button", name="Show everything; shown 2×").is_enabled()

    def test_a_merged_row_is_the_mean_of_its_queries(self, live_page):
        view = attention_view(merge="segments", hide_first=True)
        live = live_page(view)
        live.page.evaluate(LISTEN)
        view.pinned = 6
        live.deliver()
        live.until(lambda: live.page.evaluate("window.pins.length") == 2)
        values = live.page.evaluate("window.pins")[1]
        mean = softmax_rows()[5:10].mean(axis=0)
        np.testing.assert_allclose(values["values"][:10], mean[:10], rtol=1e-5)
        assert np.isnan(values["values"][10:]).all()
        assert values["maximum"] == pytest.approx(mean[1:].max(), rel=1e-5)
        assert live.page.get_by_role("button", name="Unpin 5–9, the query").is_visible()

    def test_by_keyboard(self, live_page):
        view = attention_view(last=9)
        live = live_page(view)
        plot = live.page.get_by_role(
            "application", name="Attention pattern, query down, key across"
        )
        assert "Enter pins the query" in plot.get_attribute("aria-description")
        plot.focus()
        for key in ["ArrowDown", "ArrowDown", "ArrowRight", "Shift+ArrowDown", "ArrowUp", "Enter"]:
            live.page.keyboard.press(key)
        live.until(lambda: view.pinned == 10)
        assert readout(live.page).startswith("query 10 “ Kurt” (response) · key 1 “Anna” (system)")


def cell_at(page, x: float, y: float) -> tuple[int, int]:
    """Query and key under a point of the plot, 0 to 1, as the read-out names them."""
    box = page.locator(".sv-plot").bounding_box()
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    settle(page)
    query, key = (part.split()[1] for part in readout(page).split(" · ")[:2])
    return int(query.partition("–")[0]), int(key.partition("–")[0])


def zoomed(page) -> str:
    settle(page)
    return page.locator(".sv-zoom-times").inner_text()


class TestZoom:
    @pytest.fixture
    def page(self, static_page):
        length = 120
        view = AttentionView(np.tri(length) / np.arange(1, length + 1)[:, None])
        page = static_page(view)
        # Without Python the number stays an estimate; only where things are counts here.
        page.evaluate(
            """() => Object.defineProperty(document.querySelector(".sv-readout"), "textContent", {
              get() { return this.innerText.replaceAll("\\n", "").replace("≈ ", ""); } })"""
        )
        return page

    def test_the_wheel_keeps_what_is_under_the_pointer(self, page):
        before = cell_at(page, 0.77, 0.83)
        page.keyboard.down("Control")
        page.mouse.wheel(0, -100)
        page.mouse.wheel(0, -100)
        page.keyboard.up("Control")
        assert zoomed(page) == "3×"
        assert cell_at(page, 0.77, 0.83) == before
        assert cell_at(page, 0.01, 0.01) == (67, 62)

    def test_without_ctrl_the_wheel_scrolls_the_page(self, page):
        cell_at(page, 0.5, 0.5)
        page.mouse.wheel(0, -100)
        assert zoomed(page) == "1×"

    def test_keys(self, page):
        page.locator(".sv-plot").focus()
        for _ in range(3):
            page.keyboard.press("+")
        assert zoomed(page) == "4.1×"
        page.keyboard.press("-")
        assert zoomed(page) == "2.6×"
        page.keyboard.press("0")
        assert zoomed(page) == "1×"
        assert page.get_by_role("button", name="Zoom out").is_disabled()

    def test_arrows_bring_their_cell_into_sight(self, page):
        page.locator(".sv-plot").focus()
        for key in ["+", "+", "+", "+", "ArrowDown", *["Shift+ArrowDown"] * 6, "ArrowDown"]:
            page.keyboard.press(key)
        settle(page)
        query = int(page.locator(".sv-readout").text_content().split()[1])
        first, last = cell_at(page, 0.5, 0.01)[0], cell_at(page, 0.5, 0.99)[0]
        assert query >= 111
        assert first <= query <= last

    def test_a_drag_moves_and_a_shifted_one_zooms_to_its_box(self, page):
        page.get_by_role("button", name="Zoom in").click()
        page.get_by_role("button", name="Zoom in").click()
        before = cell_at(page, 0.6, 0.6)
        box = page.locator(".sv-plot").bounding_box()
        point = lambda x, y: (box["x"] + x * box["width"], box["y"] + y * box["height"])  # noqa: E731
        drag(page, point(0.6, 0.6), point(0.4, 0.3))
        settle(page)
        assert cell_at(page, 0.4, 0.3) == before
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Show everything").click()
        page.keyboard.down("Shift")
        drag(page, point(0.5, 0.5), point(0.75, 0.75))
        page.keyboard.up("Shift")
        assert zoomed(page) == "4×"
        assert cell_at(page, 0.02, 0.02) == (60, 60)


class TestLarge:
    @pytest.mark.parametrize("length", [2048, 8192])
    def test_details_come_on_demand(self, live_page, length):
        view, tiles = large_view(length)
        live = live_page(view, width=760)
        page = live.page
        unit = page.locator(".sv-colorbar-unit")
        assert "largest of" in unit.inner_text()
        page.locator(".sv-plot").focus()
        for _ in range(6):
            page.keyboard.press("+")
        live.until(lambda: unit.inner_text() == "")
        page.wait_for_timeout(0)
        query, key = cell_at(page, 0.3, 0.7)
        value, _ = tiles.tile(slice(query, query + 1), slice(key, key + 1))
        assert is_printed(float(value[0, 0]), readout(page).rpartition(" · ")[2])
        seen = page.evaluate(
            """() => {
              const canvas = document.querySelector("canvas.sv-image");
              return [...canvas.getContext("2d").getImageData(
                canvas.width * 0.3, canvas.height * 0.7, 1, 1).data].slice(0, 3);
            }"""
        )
        end = max(message["maximum"] for message, _ in live.answered if "maximum" in message)
        data, _ = shaded(value, value >= 0, kind="sequential", maximum=end)
        assert np.abs(table("sequential")[int(data[0, 0])].astype(int) - seen).max() <= 6
        assert all(sum(map(len, buffers)) < 1_000_000 for _, buffers in live.answered)
        page.keyboard.press("0")
        live.until(lambda: "largest of" in unit.inner_text())

    def test_words_and_segments_of_what_python_has(self, live_page):
        view, tiles = large_view(2048)
        live = live_page(view, width=760)
        live.page.get_by_label("Merge").select_option("segments")
        live.until(lambda: view.merge == "segments")
        settle(live.page)
        hover_cell(live.page.locator("#segviz"), VIEW, 1, 0)
        number = readout(live.page).rpartition(" · ")[2]
        values, _ = tiles.tile(slice(682, 2048), slice(0, 682))
        assert is_printed(float(values.sum(axis=1, dtype=float).mean()), number)
        live.page.get_by_role("button", name="Hide first token").click()
        live.until(lambda: view.hide_first)
        settle(live.page)
        without = float(values[:, 1:].sum(axis=1, dtype=float).mean())
        hover_cell(live.page.locator("#segviz"), VIEW, 1, 1)
        hover_cell(live.page.locator("#segviz"), VIEW, 1, 0)
        assert is_printed(without, readout(live.page).rpartition(" · ")[2])
