"""The three pictures of a comparison: what is painted and read out is what Python knows."""

from __future__ import annotations

import numpy as np
import pytest

from segviz.tiles import ArrayTiles
from segviz.widgets import CompareView

from .compare_page import (
    bytes_of,
    comparison,
    hover,
    known,
    numbers,
    painted,
    spoken,
    view_of,
    wait_numbers,
)
from .conftest import settle

MEGABYTE = 1_000_000
MASKS = ("causal", "segment", "difference")


def expected_shade(values: np.ndarray, largest: float, look: str) -> np.ndarray:
    """0 to 1 along the colours, by the definition of each scale."""
    share = np.abs(values) / largest
    if look == "sqrt":
        return np.sqrt(share)
    if look == "log":
        return np.clip(1 + np.log10(np.maximum(share, 1e-12)) / 4, 0, 1)
    return share


@pytest.mark.parametrize(
    ("look", "hide_first"), [("sqrt", False), ("linear", False), ("log", True), ("sqrt", True)]
)
def test_pixels_are_the_numbers_of_the_traces(static_page, look, hide_first):
    page = static_page(view_of(look=look, hide_first=hide_first))
    values, visible = known()
    visible = [one.copy() for one in visible]
    if hide_first:
        for one in visible:
            one[:, 0] = False
    ends = [np.abs(array[seen]).max() for array, seen in zip(values, visible, strict=True)]
    ends[:2] = [max(ends[:2])] * 2
    for index, (array, seen, end) in enumerate(zip(values, visible, ends, strict=True)):
        colors, solid = painted(page, index, array.shape)
        if hide_first:
            # Left out: nothing at all, not even the hatching of masked cells.
            assert (colors[:, 0] == 255).all()
            assert solid[:, 0].all()
        first = int(hide_first)
        assert (solid[:, first:] == seen[:, first:]).all()
        diverging = MASKS[index] == "difference"
        found = bytes_of(colors, "diverging" if diverging else "sequential", seen)
        shade = expected_shade(array, end, look)
        wanted = 128 + 127 * np.copysign(shade, array) if diverging else 1 + 254 * shade
        # The bytes that the page gets are good for this much.
        assert np.abs(found - wanted)[seen].max() < 3.2
        if not hide_first or diverging:
            assert found[seen].max() - found[seen].min() > 120


@pytest.mark.parametrize("hide_first", [False, True])
def test_the_masks_share_one_scale_and_the_axes_are_not_swapped(static_page, hide_first):
    view = CompareView(hide_first=hide_first)
    causal, segment = np.zeros((2, 3)), np.zeros((2, 3))
    causal[0, 2], segment[1, 1] = 0.2, 0.8
    if hide_first:
        causal[:, 0] = segment[:, 0] = 0.95
    view.show_patterns(
        causal=causal, segment=segment, difference=segment - causal, tokens=["a", "b", "c"]
    )
    page = static_page(view)
    seen = np.ones((2, 3), bool)
    seen[:, 0] = not hide_first
    found = [
        bytes_of(painted(page, index, (2, 3))[0], kind, seen)[:, 1:]
        for index, kind in enumerate(["sequential", "sequential", "diverging"])
    ]
    # A quarter of the common end is half way up the square-root scale.
    assert found[0] == pytest.approx(np.array([[1, 128], [1, 1]]), abs=2)
    assert found[1].tolist() == [[1, 1], [255, 1]]
    assert found[2] == pytest.approx(np.array([[128, 64.5], [255, 128]]), abs=2)
    hover(page, 0, 0, 2, rows=2, columns=3)
    assert page.locator(".sv-readout-names").inner_text() == "query 1 “b” · key 2 “c”"
    assert numbers(page) == ["≈ 0.2", "≈ 0", "≈ −0.2"]


class TestHover:
    @pytest.mark.parametrize(("index", "row", "column"), [(0, 30, 14), (1, 10, 26), (2, 20, 9)])
    def test_exact_numbers_in_all_three(self, live_page, index, row, column):
        live = live_page(view_of())
        page, n = live.page, comparison().shared_length
        page.evaluate(
            "() => { window.heard = []; document.addEventListener('segviz-hover', "
            "({detail}) => heard.push(detail && [detail.query, detail.key])); }"
        )
        hover(page, index, row, column, rows=n, columns=n)
        values, visible = known()
        wanted = [
            ("+" if index == 2 and array[row, column] > 0 else "") + spoken(array[row, column])
            if seen[row, column]
            else "masked"
            for index, (array, seen) in enumerate(zip(values, visible, strict=True))
        ]
        assert wait_numbers(page) == wanted
        assert (wanted[0] == "masked") == (column > row)
        names = page.locator(".sv-readout-names").inner_text()
        tokens = comparison().segment.tokens
        assert (
            names == f"query {row} “{tokens[row]}” (user) · key {column} “{tokens[column]}” (user)"
        )
        assert page.evaluate("heard.at(-1)") == [row, column]
        settle(page)
        overlays = page.locator(".sv-compare-panel canvas.sv-overlay").evaluate_all(
            "(all) => all.map((one) => one.toDataURL())"
        )
        assert len(set(overlays)) == 1, "the same cell is marked in all three"
        page.mouse.move(1, 1)
        settle(page)
        assert page.locator(".sv-compare-values").is_hidden()
        assert page.evaluate("heard.at(-1)") is None
        assert overlays[0] != page.locator(".sv-overlay").first.evaluate("(one) => one.toDataURL()")

    def test_what_neither_mask_allows_is_not_asked_for(self, live_page):
        live = live_page(view_of())
        n = comparison().shared_length
        hover(live.page, 2, 3, n - 1, rows=n, columns=n)
        assert wait_numbers(live.page) == ["masked"] * 3
        assert not [one for one in live.asked if one["kind"] == "value"]

    def test_the_strip_of_the_divergence_follows(self, static_page):
        page = static_page(view_of())
        n = comparison().shared_length
        hover(page, 1, 12, 3, rows=n, columns=n)
        settle(page)
        slider = page.get_by_role("slider", name="divergence")
        assert slider.get_attribute("aria-valuenow") == "12"


class TestZoom:
    def test_one_zoom_for_all(self, live_page):
        live = live_page(view_of(), width=1600)
        page = live.page
        page.evaluate(
            "() => { window.told = []; document.addEventListener('segviz-zoom', "
            "({bubbles, detail}) => told.push([bubbles, detail && detail.rows])); }"
        )

        def labels() -> list[list[str]]:
            return [
                page.locator(
                    f".sv-compare-panel-{index} .sv-tick-y:not([hidden])"
                ).all_inner_texts()
                for index in range(3)
            ]

        whole = labels()
        page.locator(".sv-plot").nth(1).focus()
        page.keyboard.press("+")
        page.keyboard.press("+")
        settle(page)
        zoomed = labels()
        assert zoomed[0] == zoomed[1] == zoomed[2]
        assert 5 < len(zoomed[0]) < len(whole[0])
        assert page.get_by_role("group", name="Zoom").count() == 1
        times = page.get_by_role("button", name="Show everything")
        assert times.inner_text() == "2.6×"
        # The explorer around hears of each step once.
        assert [bubbles for bubbles, _rows in page.evaluate("told")] == [True, True]
        times.click()
        settle(page)
        assert labels() == whole

    def test_details_of_a_large_pattern_on_demand(self, live_page):
        side, view = 1300, CompareView()
        middle = np.s_[647:653, 647:653]
        causal, segment = (np.zeros((side, side), np.float32) for _ in range(2))
        causal[651, 648], segment[649, 652], causal[9, 3], segment[1200, 5] = 0.5, 0.125, 0.5, 0.5
        lower = np.tri(side, dtype=bool)
        view.show_patterns(
            causal=ArrayTiles(causal, lower), segment=segment, difference=segment - causal
        )
        live = live_page(view)
        page = live.page
        assert page.get_by_text("a cell is the largest of 3 × 3").is_visible()
        # Another position of the same cell: the largest number of the nine is meant.
        hover(page, 0, 652, 649, rows=side, columns=side)
        assert wait_numbers(page) == ["0.5", "0", "−0.5"]
        assert page.locator(".sv-readout-names").inner_text() == "query 651–653 · key 648–650"
        page.locator(".sv-plot").first.focus()
        for _ in range(12):  # as close as it gets: six positions around the middle
            page.keyboard.press("+")
        live.until(lambda: {one["picture"] for one in live.asked if one["kind"] == "tile"
                            and one["factor"] == 1} == {0, 1, 2})  # fmt: skip
        settle(page)
        colors, solid = painted(page, 0, (6, 6))
        assert (solid == lower[middle]).all()
        found = bytes_of(colors, "sequential", solid)
        assert (found[solid] == np.where(causal[middle] > 0, 255, 1)[solid]).all()
        colors, solid = painted(page, 1, (6, 6))
        assert solid.all()
        found = bytes_of(colors, "sequential")
        assert found == pytest.approx(np.where(segment[middle] > 0, 128, 1), abs=1)
        hover(page, 1, 2, 5, rows=6, columns=6)
        assert wait_numbers(page) == ["masked", "0.125", "+0.125"]
        assert page.locator(".sv-readout-names").inner_text() == "query 649 · key 652"
        assert max(sum(map(len, buffers)) for _content, buffers in live.answered) < MEGABYTE

    def test_eight_thousand_tokens(self, live_page):
        """Every message is below 1 MB, also where nothing is masked."""

        class Diagonal:
            shape = (8192, 8192)

            def tile(self, rows: slice, columns: slice, factor: int = 1):
                query, key = (np.arange(s.start, s.stop, factor) for s in (rows, columns))
                values = np.abs(query[:, None] - key) < factor
                return values.astype(np.float32), np.ones(values.shape, bool)

        view = CompareView()
        view.show_patterns(causal=Diagonal(), segment=Diagonal(), difference=Diagonal())
        live = live_page(view)
        page = live.page
        page.locator(".sv-plot").first.focus()
        for _ in range(18):
            page.keyboard.press("+")
        live.until(lambda: any(one.get("factor") == 1 for one in live.asked))
        sizes = [len(str(content)) + sum(map(len, buffers)) for content, buffers in live.answered]
        assert max(sizes) < MEGABYTE
        assert max(sizes) > MEGABYTE / 2
        hover(page, 2, 3, 3, rows=6, columns=6)
        assert wait_numbers(page) == ["1", "1", "+1"]


class TestControls:
    def test_they_reach_python(self, live_page):
        view = view_of()
        live = live_page(view)
        page = live.page
        before = painted(page, 1, (39, 39))[0]
        page.get_by_role("combobox", name="Scale").select_option("log")
        live.until(lambda: view.look == "log")
        page.get_by_role("button", name="Hide first token").click()
        live.until(lambda: view.hide_first)
        assert (
            page.get_by_role("button", name="Hide first token").get_attribute("aria-pressed")
            == "true"
        )
        settle(page)
        assert (painted(page, 1, (39, 39))[0] != before).any()
        page.get_by_role("radio", name="all layers").click()
        live.until(lambda: view.flow_of == "model")
        view.look, view.hide_first, view.flow_of = "sqrt", False, "layer"
        live.deliver()
        settle(page)
        assert (painted(page, 1, (39, 39))[0] == before).all()
        assert page.get_by_role("combobox", name="Scale").input_value() == "sqrt"
        assert page.get_by_role("radio", name="layer mean").get_attribute("aria-checked") == "true"

    def test_the_colour_bars_end_where_the_numbers_do(self, static_page):
        values, visible = known()
        page = static_page(view_of(hide_first=True, look="linear"))
        bars = [
            [
                one.inner_text().removeprefix("≈ ")
                for one in bar.locator(".sv-colorbar-numbers span").all()
            ]
            for bar in page.locator(".sv-compare-bar").all()
        ]
        pairs = zip(values, visible, strict=True)
        ends = [np.abs(array[:, 1:][seen[:, 1:]]).max() for array, seen in pairs]
        ends = [max(ends[:2]), ends[2]]
        for texts, end in zip(bars, ends, strict=True):
            assert float(texts[-1]) == pytest.approx(end, rel=0.02)
        assert bars[0][0] == "0"
        assert bars[1][0] == f"−{bars[1][-1]}"
        assert page.get_by_text("attention probability, one scale for both masks").is_visible()
        assert page.get_by_text("purple less, orange more").is_visible()

    def test_keyboard(self, live_page):
        live = live_page(view_of())
        page = live.page
        for picture, name in enumerate(["causal mask", "segment mask", "segment minus causal"]):
            plot = page.get_by_role("application", name=f"{name}, query down")
            plot.focus()
            for key in ["ArrowDown", *["Shift+ArrowDown"] * 2, "ArrowRight", "ArrowRight"]:
                page.keyboard.press(key)
            found = wait_numbers(page)
            assert found[picture].lstrip("+") == spoken(known()[0][picture][20, 2])
            assert page.locator(".sv-readout-names").inner_text().startswith("query 20 ")
        page.keyboard.press("Tab")
        settle(page)
        assert page.locator(".sv-compare-values").is_hidden()
