"""The views together on static pages: what a hand does and an eye sees."""

from __future__ import annotations

import numpy as np
import pytest

from segviz.segments import Segment, Segmentation
from segviz.widgets import AnswerView, AttentionView, ExplorerView, MaskView, TokenStrip

from .actions import drag, handle_point, hover_cell, segments, token_point
from .conftest import settle
from .samples import ADDED, ALL, CHAT, HIDDEN, TOKENS, WHOLE, explorer, mask_state


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [700, 1400])
def test_every_part_renders_without_overlap(static_page, dark, width):
    page = static_page(explorer(), width=width, dark=dark)
    assert page.locator(".sv-root").first.get_attribute("data-theme") == (
        "dark" if dark else "light"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    mask, attention = (page.locator(f"{name} .sv-plot") for name in (".sv-mask", ".sv-attention"))
    left, right = mask.bounding_box(), attention.bounding_box()
    assert abs(left["y"] - right["y"]) < 1
    assert abs(left["width"] - right["width"]) < 1
    assert abs(left["width"] - left["height"]) < 1
    assert left["x"] + left["width"] < right["x"]
    strip, answers = (page.locator(name).bounding_box() for name in (".sv-strip", ".sv-answers"))
    assert strip["y"] + strip["height"] <= answers["y"]
    assert answers["y"] + answers["height"] <= left["y"]
    for text in ("test model", "ready", "system", "Segment mask", "layer 0", "Answers"):
        assert page.get_by_text(text, exact=True).first.is_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    "view",
    [
        TokenStrip(TOKENS, CHAT),
        MaskView(WHOLE, prompt_length=10, tokens=ALL),
        AttentionView(np.eye(12), ALL, WHOLE, 10),
        AnswerView(untuned="never tuned"),
    ],
    ids=lambda view: type(view).__name__,
)
def test_each_view_stands_alone(static_page, view, dark):
    page = static_page(view, width=600, dark=dark)
    root = page.locator(".sv-root")
    assert root.count() == 1
    assert root.bounding_box()["height"] > 60
    contrast = root.evaluate(
        """(root) => {
          const light = (color) => color.match(/[\\d.]+/g).slice(0, 3).map(Number)
            .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0) / 255;
          const page = light(getComputedStyle(document.body).backgroundColor);
          return Math.abs(light(getComputedStyle(root).color) - page);
        }"""
    )
    assert contrast > 0.6


def test_a_drag_changes_the_mask_before_it_ends(static_page):
    page = static_page(explorer())
    root = page.locator(".sv-explorer")
    assert mask_state(root, 1, 5) == HIDDEN
    drag(page, handle_point(root, 1), token_point(root, 7), release=False)
    settle(page)
    assert mask_state(root, 1, 5) == ADDED
    assert segments(root) == [["bos", 0], ["system", 1], ["user", 7]]
    # In the page alone, within two frames of the pointer's move.
    x, y = token_point(root, 9)
    page.evaluate(
        """() => {
          window.frames_ = [];
          const canvas = document.querySelector(".sv-mask canvas.sv-image");
          const color = () => canvas.getContext("2d").getImageData(
            canvas.width * 8.5 / 12, canvas.height * 1.5 / 12, 1, 1).data[3];
          addEventListener("pointermove", () => {
            let frames = 0;
            const look = () => {
              frames += 1;
              if (color()) window.frames_.push(frames);
              else if (frames < 60) requestAnimationFrame(look);
            };
            requestAnimationFrame(look);
          }, { once: true, capture: true });
        }"""
    )
    page.mouse.move(x, y)
    page.wait_for_function("window.frames_.length")
    assert page.evaluate("window.frames_[0]") <= 2
    page.mouse.up()
    settle(page)
    assert segments(root)[2] == ["user", 9]
    # The picture of attention is of the earlier segments now, and looks it.
    assert "sv-stale" in page.locator(".sv-attention").get_attribute("class")


def test_everything_by_keyboard(static_page):
    page = static_page(explorer())
    root = page.locator(".sv-explorer")
    handle = page.get_by_role("slider", name="Boundary between system and user")
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    settle(page)
    assert segments(root)[2] == ["user", 6]
    assert handle.get_attribute("aria-valuetext") == "before token 6,  Who"
    assert mask_state(root, 1, 5) == ADDED
    page.keyboard.press("Home")
    settle(page)
    assert segments(root)[2] == ["user", 2]
    page.keyboard.press("Delete")
    settle(page)
    assert segments(root) == [["bos", 0], ["system", 1]]
    page.get_by_role("group", name="Tokens of the prompt").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    settle(page)
    assert segments(root) == [["bos", 0], ["system", 1], ["system 2", 4]]
    page.get_by_role("radio", name="segment").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("radio", name="difference").get_attribute("aria-checked") == "true"
    page.keyboard.press("ArrowRight")
    settle(page)
    assert page.get_by_text("Causal mask", exact=True).is_visible()
    page.locator(".sv-place-attention").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.get_by_label("head", exact=True).input_value() == "2"
    assert page.get_by_label("layer", exact=True).input_value() == "1"
    assert page.get_by_text("KV 1").is_visible()


def test_hover_names_the_cell_and_marks_the_others(static_page):
    page = static_page(explorer())
    root = page.locator(".sv-explorer")
    hover_cell(root, ".sv-mask", 6, 8)
    settle(page)
    read = page.locator(".sv-mask .sv-readout")
    assert read.text_content() == (
        "query 6 “ Who” (user) · key 8 “ Anna” (user) · added by the segment mask"
    )
    assert page.locator("[data-token='6'][data-query]").count() == 1
    assert page.locator("[data-token='8'][data-key]").count() == 1
    hover_cell(root, ".sv-attention", 1, 7)
    assert "masked" in page.locator(".sv-attention .sv-readout").text_content()
    page.mouse.move(2, 2)
    settle(page)
    assert page.locator("[data-query]").count() == 0
    assert page.locator(".sv-attention .sv-readout").text_content() == ""


def test_many_tokens_stay_fluent(static_page):
    length = 1024
    prompt = Segmentation([Segment(0, 500, "system"), Segment(500, length, "user")])
    view = ExplorerView([f" w{number}" for number in range(length)], prompt)
    view.attention.show(np.random.default_rng(0).random((length, length)))
    page = static_page(view)
    root = page.locator(".sv-explorer")
    start = handle_point(root, 0)
    page.mouse.move(*start)
    page.mouse.down()
    page.evaluate(
        """() => {
          window.times = [];
          let last = performance.now();
          const tick = (now) => {
            window.times.push(now - last);
            last = now;
            requestAnimationFrame(tick);
          };
          requestAnimationFrame(tick);
        }"""
    )
    for step in range(20):
        page.mouse.move(start[0] + 10 * step - 100, start[1])
    times = page.evaluate("window.times")
    page.mouse.up()
    # Frames, not measurements of the machine: a drag must not freeze the page.
    assert np.median(times) < 100


def test_token_text_is_text(static_page):
    hostile = ["<img src=x onerror=alert(1)>", "</script>", "\u202e", "$x$", "&amp;"]
    view = ExplorerView(hostile, Segmentation([Segment(0, 5, "<b>user</b>")]), title="<i>t</i>")
    view.answer.set("causal", hostile, state="done", note="<u>n</u>")
    page = static_page(view)
    assert page.locator("img").count() == 0
    assert page.locator(".sv-root b, .sv-root i, .sv-root u").count() == 0
    assert page.locator("[data-token='0']").inner_text() == hostile[0]
    assert page.locator("[data-token='2']").inner_text() == "⟨202E⟩"
