"""The compare view in a browser: what it paints, reads out and says is what Python knows."""

from __future__ import annotations

import numpy as np
import pytest

import segviz as sv
from segviz.segments import Segment, Segmentation
from segviz.tiles import ArrayTiles
from segviz.widgets import CompareView
from segviz.widgets.scale import table

from .conftest import settle
from .samples import explorer

LAYER, HEAD = 1, 0
MEGABYTE = 1_000_000
MASKS = ("causal", "segment", "difference")
CELLS = """([index, rows, columns]) => {
  const canvas = document.querySelectorAll(".sv-compare-panel canvas.sv-image")[index];
  const context = canvas.getContext("2d");
  const [wide, high] = [canvas.width / columns, canvas.height / rows];
  const cells = [];
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) {
    const [x, y] = [Math.ceil(column * wide), Math.ceil(row * high)];
    const side = Math.max(1, Math.floor(Math.min(wide, high)) - 1);
    const all = context.getImageData(x, y, side, side).data;
    const middle = 4 * (Math.floor(side / 2) * side + Math.floor(side / 2));
    let solid = true;
    for (let at = 3; at < all.length; at += 4) solid &&= all[at] === 255;
    cells.push([...all.slice(middle, middle + 3), solid]);
  }
  return cells;
}"""


@pytest.fixture(scope="module")
def comparison():
    return sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=4)


@pytest.fixture(scope="module")
def known(comparison):
    """Values and visibility of causal, segment and difference, straight from the traces."""
    n = comparison.shared_length
    shared = np.s_[:n, :n]
    arrays, masks = [], []
    for trace in (comparison.causal, comparison.segment):
        arrays.append(trace.attention(LAYER, HEAD)[shared])
        masks.append(trace.mask(LAYER)[shared])
    return [*arrays, arrays[1] - arrays[0]], [*masks, masks[0] | masks[1]]


def view_of(comparison, **traits) -> CompareView:
    view = CompareView.of(comparison, LAYER, HEAD)
    view.update(**traits)
    return view


def painted(page, index: int, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Colours ``[row, column, 3]``, and whether a cell is painted all over."""
    cells = np.array(page.evaluate(CELLS, [index, *shape])).reshape(*shape, 4)
    return cells[..., :3], cells[..., 3].astype(bool)


def bytes_of(colors: np.ndarray, kind: str, seen: np.ndarray | None = None) -> np.ndarray:
    """The entry of the colour table that each colour is; 0 where nothing is seen."""
    distance = np.abs(colors[:, :, None, :] - table(kind)[1:].astype(int)).sum(axis=-1)
    seen = np.ones(colors.shape[:2], bool) if seen is None else seen
    assert distance.min(axis=-1)[seen].max() == 0, "a colour that is not in the table"
    return np.where(seen, distance.argmin(axis=-1) + 1, 0)


def expected_shade(values: np.ndarray, largest: float, look: str) -> np.ndarray:
    """0 to 1 along the colours, by the definition of each scale."""
    share = np.abs(values) / largest
    if look == "sqrt":
        return np.sqrt(share)
    if look == "log":
        return np.clip(1 + np.log10(np.maximum(share, 1e-12)) / 4, 0, 1)
    return share


COLORS = """(elements) => elements.map((element) => {
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  const read = (color) => {
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
  };
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    layers.unshift(getComputedStyle(at).backgroundColor);
  }
  layers.forEach(read);
  const behind = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  read(getComputedStyle(element).color);
  return [behind, [...context.getImageData(0, 0, 1, 1).data].slice(0, 3)];
})"""


def backgrounds(locator) -> list[list[int]]:
    return [behind for behind, _text in locator.evaluate_all(COLORS)]


def contrasts(locator) -> list[float]:
    """Of texts with what is behind them, as WCAG defines it."""

    def luminance(color: list[int]) -> float:
        parts = np.array(color) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    pairs = [sorted(map(luminance, colors)) for colors in locator.evaluate_all(COLORS)]
    return [(high + 0.05) / (low + 0.05) for low, high in pairs]


def hover(page, index: int, row: int, column: int, *, rows: int, columns: int) -> None:
    plot = page.locator(".sv-compare-panel .sv-plot").nth(index)
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(
        box["x"] + box["width"] * (column + 0.5) / columns,
        box["y"] + box["height"] * (row + 0.5) / rows,
    )


def numbers(page) -> list[str]:
    return page.locator(".sv-compare-values b").all_inner_texts()


def wait_numbers(page) -> list[str]:
    """The exact ones: those from the bytes have a ≈ in front."""
    page.wait_for_function(
        "[...document.querySelectorAll('.sv-compare-values b')].every((one) => one.textContent && "
        "!one.textContent.includes('≈')) && !document.querySelector('.sv-compare-values').hidden"
    )
    return numbers(page)


def spoken(number: float) -> str:
    """As the page writes numbers: up to five decimals, none of them a trailing zero."""
    size = abs(number)
    if size == 0:
        return "0"
    if size < 0.0001:
        text = f"{size:.1e}"
        mantissa, exponent = text.split("e")
        return f"{'−' if number < 0 else ''}{mantissa}e-{-int(exponent)}"
    text = f"{size:.{3 if size >= 0.1 else 4 if size >= 0.01 else 5}f}".rstrip("0").rstrip(".")
    return f"−{text}" if number < 0 else text


@pytest.mark.parametrize(
    ("look", "hide_first"), [("sqrt", False), ("linear", False), ("log", True), ("sqrt", True)]
)
def test_pixels_are_the_numbers_of_the_traces(static_page, comparison, known, look, hide_first):
    page = static_page(view_of(comparison, look=look, hide_first=hide_first))
    values, visible = known
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


def test_the_masks_share_one_scale_and_the_axes_are_not_swapped(static_page):
    view = CompareView()
    causal, segment = np.zeros((2, 3)), np.zeros((2, 3))
    causal[0, 2], segment[1, 0] = 0.2, 0.8
    view.show_patterns(causal=causal, segment=segment, difference=segment - causal,
                       tokens=["a", "b", "c"])  # fmt: skip
    page = static_page(view)
    found = [
        bytes_of(painted(page, index, (2, 3))[0], kind)
        for index, kind in enumerate(["sequential", "sequential", "diverging"])
    ]
    # A quarter of the common end is half way up the square-root scale.
    assert found[0] == pytest.approx(np.array([[1, 1, 128], [1, 1, 1]]), abs=1)
    assert found[1].tolist() == [[1, 1, 1], [255, 1, 1]]
    assert found[2] == pytest.approx(np.array([[128, 128, 64.5], [255, 128, 128]]), abs=1)
    hover(page, 0, 0, 2, rows=2, columns=3)
    assert page.locator(".sv-readout-names").inner_text() == "query 1 “b” · key 2 “c”"
    assert numbers(page) == ["≈ 0.2", "≈ 0", "≈ −0.2"]


class TestHover:
    @pytest.mark.parametrize(("index", "row", "column"), [(0, 30, 14), (1, 10, 26), (2, 20, 9)])
    def test_exact_numbers_in_all_three(self, live_page, comparison, known, index, row, column):
        live = live_page(view_of(comparison))
        page, n = live.page, comparison.shared_length
        page.evaluate(
            "() => { window.heard = []; document.addEventListener('segviz-hover', "
            "({detail}) => heard.push(detail && [detail.query, detail.key])); }"
        )
        hover(page, index, row, column, rows=n, columns=n)
        values, visible = known
        wanted = [
            ("+" if index == 2 and array[row, column] > 0 else "") + spoken(array[row, column])
            if seen[row, column]
            else "masked"
            for index, (array, seen) in enumerate(zip(values, visible, strict=True))
        ]
        assert wait_numbers(page) == wanted
        assert (wanted[0] == "masked") == (column > row)
        names = page.locator(".sv-readout-names").inner_text()
        tokens = comparison.segment.tokens
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

    def test_what_neither_mask_allows_is_not_asked_for(self, live_page, comparison):
        live = live_page(view_of(comparison))
        n = comparison.shared_length
        hover(live.page, 2, 3, n - 1, rows=n, columns=n)
        assert wait_numbers(live.page) == ["masked"] * 3
        assert not [one for one in live.asked if one["kind"] == "value"]

    def test_the_strip_of_the_divergence_follows(self, static_page, comparison):
        page = static_page(view_of(comparison))
        n = comparison.shared_length
        hover(page, 1, 12, 3, rows=n, columns=n)
        settle(page)
        slider = page.get_by_role("slider", name="divergence")
        assert slider.get_attribute("aria-valuenow") == "12"


class TestZoom:
    def test_one_zoom_for_all(self, live_page, comparison):
        live = live_page(view_of(comparison), width=1600)
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
    def test_they_reach_python(self, live_page, comparison):
        view = view_of(comparison)
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

    def test_the_colour_bars_end_where_the_numbers_do(self, static_page, comparison, known):
        values, visible = known
        page = static_page(view_of(comparison, hide_first=True, look="linear"))
        bars = [
            [one.inner_text() for one in bar.locator(".sv-colorbar-numbers span").all()]
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
        assert page.get_by_text("blue less, red more").is_visible()

    def test_keyboard(self, live_page, comparison, known):
        live = live_page(view_of(comparison))
        page = live.page
        for picture, name in enumerate(["causal mask", "segment mask", "segment minus causal"]):
            plot = page.get_by_role("application", name=f"{name}, query down")
            plot.focus()
            for key in ["ArrowDown", *["Shift+ArrowDown"] * 2, "ArrowRight", "ArrowRight"]:
                page.keyboard.press(key)
            found = wait_numbers(page)
            assert found[picture].lstrip("+") == spoken(known[0][picture][20, 2])
            assert page.locator(".sv-readout-names").inner_text().startswith("query 20 ")
        page.keyboard.press("Tab")
        settle(page)
        assert page.locator(".sv-compare-values").is_hidden()


class TestFlows:
    @pytest.mark.parametrize("of", ["head", "model"])
    def test_tables(self, static_page, comparison, of):
        page = static_page(view_of(comparison, flow_of=of))
        which = {"head": (LAYER, HEAD), "model": ()}[of]
        causal, segment = (trace.flow(*which) for trace in (comparison.causal, comparison.segment))
        change = segment - causal
        names = [part.name for part in comparison.segment.segmentation.segments]
        tables = page.locator(".sv-flow-table").all()
        assert [one.locator("caption").inner_text() for one in tables] == [
            "causal mask", "segment mask", "difference: segment minus causal",
        ]  # fmt: skip
        for one, values in zip(tables, (causal, segment, change), strict=True):
            assert one.locator("th[scope='row']").all_inner_texts() == names
            assert one.locator("th[scope='col']").all_inner_texts() == names
            cells = np.array(one.locator("td:not(.sv-flow-corner)").all_inner_texts())
            found = [float(text.replace("−", "-")) for text in cells]
            assert np.abs(np.reshape(found, values.shape) - values).max() < 0.00501
        cells = tables[2].locator("td:not(.sv-flow-corner)")
        for text, (red, _green, blue), value in zip(
            cells.all_inner_texts(), backgrounds(cells), change.ravel(), strict=True
        ):
            if abs(value) >= 0.005:
                assert text[0] == ("+" if value > 0 else "−")
                assert (red > blue) == (value > 0)

    def test_what_moved_in_words(self, static_page, comparison):
        page = static_page(view_of(comparison))
        causal, segment = (
            trace.flow(LAYER, HEAD) for trace in (comparison.causal, comparison.segment)
        )
        change = segment - causal
        query, key = np.unravel_index(np.abs(change).argmax(), change.shape)
        names = [part.name for part in comparison.segment.segmentation.segments]
        first = page.get_by_role("list", name="what moved most").locator("li").first.inner_text()
        assert first == (
            f"{names[query]} → {names[key]}: {causal[query, key]:.2f} → "
            f"{segment[query, key]:.2f} ({change[query, key]:+.2f})".replace("-", "−")
        )


class TestParting:
    def test_where_why_and_how_far(self, static_page, comparison):
        page = static_page(view_of(comparison))
        part = page.get_by_role("region", name="Where the answers part")
        causal, segment = comparison.causal, comparison.segment
        at = next(i for i, (a, b) in enumerate(
            zip(causal.token_ids, segment.token_ids, strict=False)) if a != b) - 1  # fmt: skip
        assert at == causal.prompt_length - 1
        said = part.locator(".sv-parting-sentence").inner_text()
        assert said == (
            f"The answers part at their first token, after position {at} “{causal.tokens[at]}”."
        )
        kl = comparison.divergence()[at]
        assert (
            part.locator(".sv-parting-kl").inner_text() == f"KL(segment ‖ causal) = {kl:.2f} nats"
        )
        likely = [dict(trace.next_tokens(at, 64)) for trace in (causal, segment)]
        rows = [
            (row.locator("th").inner_text(), *row.locator(".sv-likely-number").all_inner_texts())
            for row in part.locator(".sv-likely tr:not([hidden])").all()[1:]
        ]
        shown = {row[0]: row[1:] for row in rows}
        for probabilities in likely:
            assert set(list(probabilities)[:8]) <= set(shown)
        for token, texts in shown.items():
            for text, probabilities in zip(texts, likely, strict=True):
                probability = probabilities.get(token)
                if text == "<0.001":
                    assert probability < 0.0005
                else:
                    assert text == ("–" if probability is None else f"{probability:.3f}")
        widths = part.locator(".sv-likely-bar").evaluate_all(
            "(bars) => bars.map((bar) => bar.getBoundingClientRect().width)"
        )
        top = [max(one.values()) for one in likely]
        assert max(widths[0::2]) / max(widths[1::2]) == pytest.approx(top[0] / top[1], rel=0.03)

    def test_the_divergence_by_keyboard(self, static_page, comparison):
        page = static_page(view_of(comparison))
        divergence = comparison.divergence()
        slider = page.get_by_role("slider", name="divergence at a token position")
        slider.focus()
        for key, position in {"Home": 0, "PageDown": 10, "ArrowLeft": 9, "End": 38}.items():
            page.keyboard.press(key)
            assert slider.get_attribute("aria-valuenow") == str(position)
            nats = slider.get_attribute("aria-valuetext").split(" · ")[1].removesuffix(" nats")
            assert float(nats) == pytest.approx(divergence[position], rel=0.06, abs=1e-4)

    def test_a_lower_bound_says_so(self, static_page, comparison):
        saved = sv.Comparison(comparison.causal, comparison.segment)
        page = static_page(CompareView.of(saved, LAYER, HEAD))
        kl = saved.divergence()[comparison.shared_length - 1]
        assert kl < comparison.divergence()[comparison.shared_length - 1]
        text = page.locator(".sv-parting-kl").inner_text()
        assert text.startswith(f"KL(segment ‖ causal): at least {kl:.2f} nats")

    def test_the_same_answer(self, static_page):
        view, same = CompareView(), np.full((5, 5), 0.2)
        view.show_patterns(causal=same, segment=same, difference=0 * same,
                           tokens=["Who", "?", " Fay", " Ben", "."], prompt_length=2,
                           segmentation=Segmentation([Segment(0, 5, "user")]))  # fmt: skip
        view.show_flows({"head": (np.ones((1, 1)), np.ones((1, 1)) - 0.004)})
        view.show_parting(divergence=np.array([0, 0.1, 0.04, 0.02, 0]), position=1, parted=False,
                          next_tokens=([(" Fay", 0.9)], [(" Fay", 0.8)]))  # fmt: skip
        page = static_page(view)
        assert page.get_by_text("The answers are the same").is_visible()
        assert page.locator(".sv-parting-sentence").inner_text() == (
            "Both masks give the same answer, “ Fay Ben.”. "
            "Most different is what would follow position 1 “?”."
        )
        assert page.locator(".sv-parting-kl").inner_text() == "KL(segment ‖ causal) = 0.1 nats"
        assert page.get_by_text("nothing: every share stays within 0.005").is_visible()
        assert (bytes_of(painted(page, 2, (5, 5))[0], "diverging") == 128).all()


class TestView:
    def test_each_part_waits_for_its_numbers(self, live_page):
        view = CompareView()
        live = live_page(view)
        page = live.page
        assert page.get_by_text("no comparison yet: it needs both runs").is_visible()
        assert page.get_by_role("region").count() == 0
        view.show_flows({"head": (np.eye(2), np.full((2, 2), 0.5))}, ["a", "b"])
        live.deliver()
        assert page.get_by_role("region").count() == 1
        assert page.get_by_text("no comparison yet").is_hidden()
        view.show_patterns(causal=np.eye(2), segment=np.eye(2), difference=np.zeros((2, 2)))
        live.deliver()
        settle(page)
        assert painted(page, 0, (2, 2))[1].all()
        view.clear()
        live.deliver()
        assert page.get_by_text("no comparison yet").is_visible()
        assert page.get_by_role("region").count() == 0

    def test_another_head_under_the_pointer(self, live_page):
        view = CompareView()
        zero = np.zeros((4, 4))
        view.show_patterns(causal=np.eye(4), segment=zero, difference=-np.eye(4), title="layer 0")
        live = live_page(view)
        hover(live.page, 1, 2, 2, rows=4, columns=4)
        assert wait_numbers(live.page) == ["1", "0", "−1"]
        other = np.full((4, 4), 0.25)
        view.show_patterns(causal=zero, segment=other, difference=other, title="layer 1")
        live.deliver()
        live.page.wait_for_function(
            "document.querySelector('.sv-compare-values b').textContent === '0'"
        )
        assert wait_numbers(live.page) == ["0", "0.25", "+0.25"]
        assert live.page.get_by_text("Attention patterns of layer 1").is_visible()

    def test_segments_and_the_start_of_decoding(self, static_page):
        whole = Segmentation([Segment(0, 3, "system"), Segment(3, 7, "user")]).append(3, "response")
        view, even = CompareView(), np.full((10, 10), 0.1)
        view.show_patterns(causal=even, segment=even, difference=even * 0, segmentation=whole,
                           tokens=list("abcdefghij"), prompt_length=7)  # fmt: skip
        page = static_page(view)
        assert page.get_by_text("decoding starts").is_visible()
        for panel in page.locator(".sv-compare-panel").all():
            bars = panel.locator(".sv-bar-x:not([hidden])")
            assert bars.all_inner_texts() == ["system", "user", "response"]
            lines = panel.locator(".sv-overlay").evaluate(
                """(canvas) => {
                  const context = canvas.getContext("2d");
                  const row = context.getImageData(0, canvas.height / 20, canvas.width, 1).data;
                  const found = [];
                  for (let x = 0; x < canvas.width; x++) {
                    if (row[4 * x + 3] > 150) found.push((10 * x) / canvas.width);
                  }
                  return found;
                }"""
            )
            assert {round(at) for at in lines} == {3, 7}
        view.prompt_length = None
        assert static_page(view).get_by_text("decoding starts").is_hidden()

    def test_stale_and_untuned(self, live_page, comparison):
        view = view_of(comparison, untuned="untuned: <b>never</b>")
        live = live_page(view)
        assert live.page.get_by_role("note").inner_text() == "untuned: <b>never</b>"
        region = live.page.get_by_role("region").first
        view.stale, view.untuned = True, ""
        live.deliver()
        live.page.wait_for_function(
            "getComputedStyle(document.querySelector('.sv-compare-part')).opacity === '0.5'"
        )
        assert live.page.get_by_role("note").count() == 0
        view.stale = False
        live.deliver()
        live.page.wait_for_function(
            "getComputedStyle(document.querySelector('.sv-compare-part')).opacity === '1'"
        )
        assert region.is_visible()

    def test_kept_heads_are_recalled_without_python(self, static_page):
        view = explorer(panels=["compare"])
        for head in range(2):
            pattern = np.full((12, 12), 0.1 + head / 10)
            view.compare.show_patterns(
                causal=pattern, segment=pattern, difference=0 * pattern, title=f"head {head}"
            )
            view.compare.keep(f"0 {head}")
        page = static_page(view)
        assert page.get_by_text("Attention patterns of head 1").is_visible()
        view_place = page.locator(".sv-explorer [aria-label^='Attention; left']")
        view_place.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowLeft")
        page.get_by_text("Attention patterns of head 0").wait_for()
        settle(page)
        hover(page, 0, 5, 5, rows=12, columns=12)
        assert numbers(page) == ["≈ 0.1", "≈ 0.1", "≈ 0"]

    def test_token_text_is_text(self, static_page):
        bad = "<img src=x onerror=alert(1)>"
        view, eye = CompareView(), np.eye(2)
        view.show_patterns(causal=eye, segment=eye, difference=0 * eye, title=bad,
                           tokens=[bad, "\u202e"],
                           segmentation=Segmentation([Segment(0, 2, bad)]))  # fmt: skip
        view.show_flows({"head": (np.ones((1, 1)), np.zeros((1, 1)))})
        view.show_parting(divergence=np.ones(2), position=0, parted=True,
                          next_tokens=([(bad, 0.5)], [(bad, 1.0)]))  # fmt: skip
        page = static_page(view)
        hover(page, 0, 0, 1, rows=2, columns=2)
        assert page.locator("img").count() == 0
        assert bad in page.locator(".sv-readout-names").inner_text()
        assert page.get_by_text(f"Attention patterns of {bad}").is_visible()


OVERLAPS = """() => {
  const shown = (one) => one.checkVisibility({ visibilityProperty: true });
  const leaves = [...document.querySelectorAll(".sv-compare *")].filter((one) =>
    shown(one) && !one.closest(".sv-plot, select, canvas") && [...one.childNodes].some(
      (child) => child.nodeType === 3 && child.textContent.trim()));
  const boxes = [...leaves, ...document.querySelectorAll(".sv-plot, .sv-divergence-plot canvas")]
    .filter(shown).map((one) => {
      // Text that is cut off by its box, or by one around it, ends there.
      const range = document.createRange();
      range.selectNodeContents(one);
      const own = one.getBoundingClientRect();
      const text = one.matches(".sv-plot, canvas") ? own : range.getBoundingClientRect();
      let [left, right, top, bottom] = [text.left, text.right, text.top, text.bottom];
      for (let at = one; at; at = at.parentElement) {
        if (getComputedStyle(at).overflowX === "visible") continue;
        const box = at.getBoundingClientRect();
        [left, right] = [Math.max(left, box.left), Math.min(right, box.right)];
        [top, bottom] = [Math.max(top, box.top), Math.min(bottom, box.bottom)];
      }
      const name = one.textContent.slice(0, 30) || one.className;
      return { one, left, right, top, bottom, text: name };
    });
  const found = [];
  for (const [index, a] of boxes.entries()) for (const b of boxes.slice(index + 1)) {
    if (a.one.contains(b.one) || b.one.contains(a.one)) continue;
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 1.5 && high > 3) found.push([a.text, b.text, wide, high]);
  }
  return found;
}"""


@pytest.mark.parametrize("width", [500, 900, 1600])
def test_nothing_overlaps(static_page, comparison, width):
    page = static_page(view_of(comparison, untuned="untuned"), width=width)
    overlaps = page.evaluate(OVERLAPS)
    # The chart's largest value stands in its corner.
    assert [one for one in overlaps if "nats" not in one[0] + one[1]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    tops = [one.bounding_box()["y"] for one in page.locator(".sv-compare-panel").all()]
    assert len(set(tops)) == (3 if width == 500 else 1)
    cut = page.locator(".sv-flow-table td").evaluate_all(
        "(cells) => cells.filter((one) => one.scrollWidth > one.clientWidth).length"
    )
    assert cut == 0


@pytest.mark.parametrize("dark", [False, True])
def test_text_is_readable_in_both_themes(static_page, comparison, dark):
    page = static_page(view_of(comparison, untuned="untuned"), dark=dark)
    root = page.locator(".sv-compare")
    assert root.get_attribute("data-theme") == ("dark" if dark else "light")
    page.locator(".sv-plot").first.hover()
    for selector in (
        ".sv-heading", ".sv-hint", ".sv-compare-name", ".sv-compare-bar-name", ".sv-notice",
        ".sv-compare-values b", ".sv-readout-names", ".sv-colorbar-numbers span",
        ".sv-flow-table td.sv-more", ".sv-flow-table td.sv-less", ".sv-flow-table .sv-none",
        ".sv-flow-table th", ".sv-moves .sv-more", ".sv-moves .sv-less", ".sv-parting-sentence",
        ".sv-likely-number", ".sv-divergence-top",
    ):  # fmt: skip
        found = contrasts(page.locator(f"{selector}:visible"))
        assert found, selector
        assert min(found) >= 4.5, selector
