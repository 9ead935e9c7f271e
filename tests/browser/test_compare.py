"""The compare view on a page: mass between segments, where the answers part, and how it looks."""

from __future__ import annotations

import numpy as np
import pytest

import segviz as sv
from segviz.segments import Segment, Segmentation
from segviz.widgets import CompareView

from .compare_page import (
    HEAD,
    LAYER,
    bytes_of,
    comparison,
    hover,
    numbers,
    painted,
    view_of,
    wait_numbers,
)
from .conftest import settle
from .looks import backgrounds, contrasts, overlaps
from .samples import explorer


class TestFlows:
    @pytest.mark.parametrize("of", ["head", "model"])
    def test_tables(self, static_page, of):
        page = static_page(view_of(flow_of=of))
        which = {"head": (LAYER, HEAD), "model": ()}[of]
        causal, segment = (
            trace.flow(*which) for trace in (comparison().causal, comparison().segment)
        )
        change = segment - causal
        names = [part.name for part in comparison().segment.segmentation.segments]
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

    def test_what_moved_in_words(self, static_page):
        page = static_page(view_of())
        causal, segment = (
            trace.flow(LAYER, HEAD) for trace in (comparison().causal, comparison().segment)
        )
        change = segment - causal
        query, key = np.unravel_index(np.abs(change).argmax(), change.shape)
        names = [part.name for part in comparison().segment.segmentation.segments]
        first = page.get_by_role("list", name="what moved most").locator("li").first.inner_text()
        assert first == (
            f"{names[query]} → {names[key]}: {causal[query, key]:.2f} → "
            f"{segment[query, key]:.2f} ({change[query, key]:+.2f})".replace("-", "−")
        )


class TestParting:
    def test_where_why_and_how_far(self, static_page):
        page = static_page(view_of())
        part = page.get_by_role("region", name="Where the answers part")
        causal, segment = comparison().causal, comparison().segment
        at = next(i for i, (a, b) in enumerate(
            zip(causal.token_ids, segment.token_ids, strict=False)) if a != b) - 1  # fmt: skip
        assert at == causal.prompt_length - 1
        said = part.locator(".sv-parting-sentence").inner_text()
        assert said == (
            f"The answers part at their first token, after position {at} “{causal.tokens[at]}”."
        )
        kl = comparison().divergence()[at]
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

    def test_the_divergence_by_keyboard(self, static_page):
        page = static_page(view_of())
        divergence = comparison().divergence()
        slider = page.get_by_role("slider", name="divergence at a token position")
        slider.focus()
        for key, position in {"Home": 0, "PageDown": 10, "ArrowLeft": 9, "End": 38}.items():
            page.keyboard.press(key)
            assert slider.get_attribute("aria-valuenow") == str(position)
            nats = slider.get_attribute("aria-valuetext").split(" · ")[1].removesuffix(" nats")
            assert float(nats) == pytest.approx(divergence[position], rel=0.06, abs=1e-4)

    def test_a_lower_bound_says_so(self, static_page, tmp_path):
        paths = [tmp_path / f"{mask}.safetensors" for mask in ("causal", "segment")]
        for path, trace in zip(paths, (comparison().causal, comparison().segment), strict=True):
            trace.save(path)
        saved = sv.Comparison(*map(sv.Trace.load, paths))
        page = static_page(CompareView.of(saved, LAYER, HEAD))
        kl = saved.divergence()[comparison().shared_length - 1]
        assert kl < comparison().divergence()[comparison().shared_length - 1]
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
            "document.querySelector('.sv-compare-number').textContent === '0'"
        )
        assert wait_numbers(live.page) == ["0", "0.25", "+0.25"]
        assert live.page.get_by_text("layer 1: attention patterns").is_visible()

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

    def test_stale_and_untuned(self, live_page):
        view = view_of(untuned="untuned: <b>never</b>")
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
        assert page.get_by_text("head 1: attention patterns").is_visible()
        view_place = page.locator(".sv-explorer [aria-label^='Attention; left']")
        view_place.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowLeft")
        page.get_by_text("head 0: attention patterns").wait_for()
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
        assert page.get_by_text(f"{bad}: attention patterns").is_visible()


@pytest.mark.parametrize("width", [500, 900, 1600])
def test_nothing_overlaps(static_page, width):
    page = static_page(view_of(untuned="untuned"), width=width)
    found = overlaps(page.locator(".sv-compare"))
    # The chart's largest value stands in its corner.
    assert [one for one in found if "nats" not in one[0] + one[1]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    tops = [one.bounding_box()["y"] for one in page.locator(".sv-compare-panel").all()]
    assert len(set(tops)) == (3 if width == 500 else 1)
    cut = page.locator(".sv-flow-table td").evaluate_all(
        "(cells) => cells.filter((one) => one.scrollWidth > one.clientWidth).length"
    )
    assert cut == 0


@pytest.mark.parametrize("dark", [False, True])
def test_text_is_readable_in_both_themes(static_page, dark):
    page = static_page(view_of(untuned="untuned"), dark=dark)
    root = page.locator(".sv-compare")
    assert root.get_attribute("data-theme") == ("dark" if dark else "light")
    page.locator(".sv-plot").first.hover()
    for selector in (
        ".sv-heading", ".sv-hint", ".sv-compare-name", ".sv-compare-bar-name", ".sv-notice",
        ".sv-compare-number", ".sv-readout-names", ".sv-colorbar-numbers span",
        ".sv-flow-table td.sv-more", ".sv-flow-table td.sv-less", ".sv-flow-table .sv-none",
        ".sv-flow-table th", ".sv-moves .sv-more", ".sv-moves .sv-less", ".sv-parting-sentence",
        ".sv-likely-number", ".sv-divergence-top",
    ):  # fmt: skip
        found = contrasts(page.locator(f"{selector}:visible"))
        assert found, selector
        assert min(found) >= 4.5, selector
