"""BertViz views in a real browser without network, alone and in a JupyterLab."""

from __future__ import annotations

import base64
import gzip
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import reference
import torch

import segviz as sv
from segviz.bertviz.page import Page
from segviz.patterns import CapturedLayer

VIEWS = ["head", "model", "neuron"]
HOSTILE = ["</script><img src=x onerror=alert(1)>", '"&quot;', "<b>&amp;", "${alert()}", "\n"]
SHOWN = "html[data-state='shown']"
# Asked of the notebook: a page whose policy forbids eval is not one to wait in.
FITS = """(title) => {
  const frame = document.querySelector(`iframe[title*='${title}']`);
  const { scrollHeight, clientHeight } = frame.contentDocument.documentElement;
  return scrollHeight <= clientHeight;
}"""
LINES = """(lines) => lines.map((line) => +line.getAttribute("stroke-opacity"))"""


@pytest.fixture(scope="module")
def trace() -> sv.Trace:
    """Of 12 prompt tokens and 3 generated ones, under sliding windows in layers 1 and 2."""
    model = sv.Model(reference.make("qwen2-windowed"), reference.tokenizer(), name="windowed")
    segments = [sv.Segment(0, 1, "bos", "causal"), sv.Segment(1, 5, "system"),
                sv.Segment(5, 12, "user")]  # fmt: skip
    prompt = reference.random_prompt(12, 3, sv.Segmentation(segments))
    return model.trace(prompt, "segment", max_new_tokens=3, eos_token_id=-1)


@pytest.fixture
def shown(browser, complaints, tmp_path) -> Iterator[Any]:
    """Shows a page as a notebook would, in its frame; returns the frame."""
    context = browser.new_context(viewport={"width": 1300, "height": 900}, offline=True)

    def show(page: Page) -> Any:
        path = tmp_path / "notebook.html"
        path.write_text(f"<!doctype html><body>{page._repr_html_()}", encoding="utf-8")
        tab = context.new_page()
        complaints.watch(tab)
        tab.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        tab.on("request", lambda sent: complaints.append(sent.url) if "://" in sent.url
               and not sent.url.startswith("file:") else None)  # fmt: skip
        tab.goto(path.as_uri())
        [frame] = tab.main_frame.child_frames
        frame.wait_for_selector(SHOWN)
        return frame

    yield show
    context.close()


def opacities(frame, selector: str) -> np.ndarray:
    found = np.array(frame.locator(selector).evaluate_all(LINES))
    length = round(len(found) ** 0.5)
    return found.reshape(length, length)


def edges(bracket: dict[str, float]) -> tuple[float, float]:
    """Top and bottom, without what a browser adds for mitred corners that may be there."""
    mitre = 4 * 1.2 / 2
    return bracket["y"] + mitre, bracket["y"] + bracket["height"] - mitre


def texts(frame, selector: str) -> list[str]:
    return frame.locator(selector).evaluate_all("(all) => all.map((one) => one.textContent)")


def test_head_view(shown, trace):
    frame = shown(sv.bertviz.head_view(trace, layers=[2, 0], heads=[5, 1, 3]))
    assert texts(frame, "#layer option") == ["2", "0"]
    for layer in (2, 0):
        frame.locator("#layer").select_option(str(layer))
        assert texts(frame, ".sv-number") == ["5", "1", "3"]
        for i, head in enumerate((5, 1, 3)):
            drawn = opacities(frame, f".headAttention[head-index='{i}'] line")
            np.testing.assert_allclose(drawn, trace.attention(layer, head) / 3, atol=5e-5)

    # The number is on the square that switches its head off, and takes no click itself.
    square = frame.locator("#vis rect:has(title)").nth(1)
    assert square.locator("title").text_content().startswith("head 1: ")
    box, number = square.bounding_box(), frame.locator(".sv-number").nth(1).bounding_box()
    assert abs(box["x"] + box["width"] / 2 - number["x"] - number["width"] / 2) < 1
    assert abs(box["y"] + box["height"] / 2 - number["y"] - number["height"] / 2) < 3
    frame.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert not opacities(frame, ".headAttention[head-index='1'] line").any()
    drawn = opacities(frame, ".headAttention[head-index='2'] line")
    np.testing.assert_allclose(drawn, trace.attention(0, 3) / 2, atol=5e-5)


@pytest.mark.parametrize(("view", "rows"), [("head", "#left text"), ("neuron", "#collapsed text")])
def test_segments_stand_beside_their_tokens(view, rows, shown, trace):
    frame = shown(getattr(sv.bertviz, f"{view}_view")(trace, heads=0, positions=(3, 14)))
    names = frame.locator(".sv-segments text")
    heard = [name.split(":")[0] for name in texts(frame, ".sv-segments text title")]
    assert heard == ["system", "user", "response"]
    brackets = [one.bounding_box() for one in frame.locator(".sv-segments path").all()]
    for i, (start, stop) in enumerate([(0, 2), (2, 9), (9, 11)]):
        first, last = (frame.locator(rows).nth(row).bounding_box() for row in (start, stop - 1))
        top, bottom = edges(brackets[i])
        assert top < first["y"] + first["height"] / 2
        assert bottom > last["y"] + last["height"] / 2
        if i:
            assert top > edges(brackets[i - 1])[1]
        name = names.nth(i).bounding_box()
        assert name["x"] >= 0
        assert name["x"] + name["width"] <= brackets[i]["x"] < first["x"]


def test_model_view(shown, trace):
    frame = shown(sv.bertviz.model_view(trace, layers=[2, 0], heads=[5, 1, 3]))
    headings = texts(frame, "#vis > svg > text")
    assert headings == ["Heads", "5", "1", "3", "Layers", "2", "0"]
    panels = frame.locator("#vis > svg > g:has(.attn_background)")
    assert panels.count() == 6
    for i, (layer, head) in enumerate((layer, head) for layer in (2, 0) for head in (5, 1, 3)):
        panel = panels.nth(i).locator("line").evaluate_all(LINES)
        np.testing.assert_allclose(panel, trace.attention(layer, head).ravel(), atol=5e-5)
    panels.nth(4).locator("> rect").last.click()
    assert texts(frame, "text.detail") == ["Layer 0, Head 1"]
    drawn = opacities(frame, "g.detail line")
    np.testing.assert_allclose(drawn, trace.attention(0, 1), atol=5e-5)


def test_neuron_view(shown, trace):
    frame = shown(sv.bertviz.neuron_view(trace, layers=[2, 0], heads=[5, 1]))
    assert texts(frame, "#layer option") == ["2", "0"]
    assert texts(frame, "#att_head option") == ["5", "1"]
    # Unfolded, by the plus beside a token.
    row = frame.locator("#collapsed #leftText > g").nth(4)
    row.locator("text").hover()
    row.locator("> rect").last.click()
    rng = random.Random(2)
    for layer, head in [(2, 5), (2, 1), (0, 1)]:
        for selector, number in (("#layer", layer), ("#att_head", head)):
            frame.locator(selector).select_option(label=str(number))
        attention = trace.attention(layer, head)
        drawn = opacities(frame, ".attn-line-group line")
        np.testing.assert_allclose(drawn, attention, atol=5e-5)
        captured = trace.layers[layer]
        queries, keys = captured.queries[head].float(), captured.keys[head // 3].float()
        products = (queries @ keys.T / keys.shape[1] ** 0.5).numpy()
        for query in rng.sample(range(15), 5):
            frame.locator("#expanded #leftText > g").nth(query).locator("text").hover()
            dots = frame.locator("#dotproducts rect")
            values = dots.evaluate_all("(all) => all.map((one) => +one.dataset.value)")
            np.testing.assert_allclose(values, products[query], atol=5e-3)
            see = "(all) => all.map((one) => getComputedStyle(one).visibility === 'visible')"
            assert dots.evaluate_all(see) == trace.mask(layer)[query].tolist()
            vectors = frame.locator("#product .vector")
            assert vectors.evaluate_all(see) == trace.mask(layer)[query].tolist()
            marks = frame.locator("#expanded #rightText .highlight")
            weights = marks.evaluate_all("(all) => all.map((one) => +one.style.opacity)")
            np.testing.assert_allclose(weights, attention[query], atol=5e-5)


@pytest.mark.parametrize("view", VIEWS)
def test_the_estimate_counts_what_is_drawn(view, shown):
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.randn(4, 80, 8, generator=generator) for _ in range(2)]
    trace = _trace(80, [_layer(tensors)] * 3)
    frame = shown(getattr(sv.bertviz, f"{view}_view")(trace))
    count = frame.locator("#vis svg *").count()
    assert count == pytest.approx(sv.bertviz.estimate(trace, view=view).drawn, rel=0.1)


@pytest.mark.parametrize("view", VIEWS)
def test_tokens_are_text(view, shown, trace):
    hostile = replace(
        trace,
        tokens=(*HOSTILE, *trace.tokens[len(HOSTILE) :]),
        recipe={**trace.recipe, "model": HOSTILE[0]},
        segmentation=sv.Segmentation([sv.Segment(0, 15, HOSTILE[0])]),
    )
    frame = shown(getattr(sv.bertviz, f"{view}_view")(hostile, layers=0, heads=0))
    assert frame.locator(".sv-caption").inner_text().startswith(HOSTILE[0])
    if view == "model":
        frame.locator("#vis > svg > g > rect").last.click()
    tokens = {"head": "#left text", "model": "text.token", "neuron": "#collapsed text.token"}[view]
    first = frame.locator(tokens)
    assert first.nth(0).locator("title").text_content() == HOSTILE[0]
    visible = first.nth(0).evaluate("(one) => one.firstChild.data")
    assert visible.startswith("</sc")
    assert "…" in visible
    assert [first.nth(i).text_content() for i in range(1, 5)] == [*HOSTILE[1:4], "⏎"]
    assert frame.locator("img, b").count() == 0


@pytest.mark.parametrize("view", VIEWS)
def test_the_frame_is_as_high_as_its_page(view, shown, trace):
    frame = shown(getattr(sv.bertviz, f"{view}_view")(trace))
    root = "document.documentElement"
    frame.page.wait_for_function(FITS, arg=view)
    content = frame.evaluate("document.body.getBoundingClientRect().height")
    assert content > 300
    assert frame.evaluate("window.frameElement.clientHeight") - content < 2
    assert frame.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
    # It follows where the page gets wider than the frame: then a scroll bar has its place.
    frame.page.set_viewport_size({"width": 340, "height": 900})
    assert frame.evaluate(f"{root}.scrollWidth > {root}.clientWidth")
    frame.page.wait_for_function(FITS, arg=view)


@pytest.mark.parametrize("view", VIEWS)
def test_one_token(view, shown):
    trace = _trace(1, [_layer([torch.ones(4, 1, 8)] * 2)])
    frame = shown(getattr(sv.bertviz, f"{view}_view")(trace))
    line = {"head": "#attention line", "model": "line", "neuron": ".attn-line-group line"}[view]
    assert set(frame.locator(line).evaluate_all(LINES)) == {0.25 if view == "head" else 1}


def test_a_page_that_fails_says_so(browser, trace, tmp_path):
    page = sv.bertviz.head_view(trace)
    broken = base64.b64encode(gzip.compress(b'{"scripts": []}')).decode()
    start, end = page.html.index('"sv-packed">') + 12, page.html.index('</script>\n<script type="m')
    path = tmp_path / "broken.html"
    path.write_text(page.html[:start] + broken + page.html[end:], encoding="utf-8")
    tab = browser.new_page()
    tab.goto(path.as_uri())
    tab.get_by_text("This view cannot be shown: TypeError").wait_for()
    tab.close()


def test_it_draws_on_the_first_run_in_a_lab_without_network(lab):
    """Two views in one notebook, in the dark theme: the frame stays white and is readable."""
    outside = []
    lab.page.route(
        lambda url: not url.startswith(lab.server.url) and "://" in url,
        lambda route: (outside.append(route.request.url), route.abort()),
    )
    setup = """\
import segviz as sv
trace = sv.load().trace(sv.examples["chain"], "segment", max_new_tokens=4)
sv.bertviz.head_view(trace, layers=[1, 2], heads=[3, 1])"""
    second = "sv.bertviz.neuron_view(trace, layers=2, heads=3)"
    lab.open(lab.server.write("bertviz.ipynb", [setup, second]))
    lab.go_dark()
    outside.clear()  # what JupyterLab itself may have asked for
    lab.run_all(wait_for="iframe[title*='head view'][style*='height']")
    lab.page.wait_for_selector("iframe[title*='neuron view']")
    length = lab.kernel("len(trace.tokens)")
    attention = np.array(lab.kernel("trace.attention(1, 3).tolist()"))
    for view in ("head", "neuron"):
        frame = lab.page.query_selector(f"iframe[title*='{view} view']").content_frame()
        frame.wait_for_selector(SHOWN)
        root = "document.documentElement"
        lab.page.wait_for_function(FITS, arg=f"{view} view")
        assert frame.evaluate(f"getComputedStyle({root}).backgroundColor") == "rgb(255, 255, 255)"
        texts_shown = frame.locator("#left text" if view == "head" else "#collapsed #leftText text")
        assert texts_shown.count() == length
        if view == "head":
            drawn = opacities(frame, ".headAttention[head-index='0'] line")
            np.testing.assert_allclose(drawn, attention / 2, atol=5e-5)
    assert outside == []


def _layer(tensors: list[torch.Tensor]) -> Any:
    return CapturedLayer(tensors[0], tensors[1], scale=8**-0.5)


def _trace(length: int, layers: list[Any]) -> sv.Trace:
    return sv.Trace(
        tokens=("x",) * length,
        token_ids=(5,) * length,
        prompt_length=length,
        generated_text="",
        segmentation=sv.Segmentation([sv.Segment(0, length, "text")]),
        mask_kind="segment",
        layers=layers,
        likely=None,  # type: ignore[reportArgumentType]
        recipe={},
        decode=str,
    )
