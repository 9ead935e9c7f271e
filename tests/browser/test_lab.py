"""The widgets in a real JupyterLab: page and kernel agree, errors are seen, views come twice."""

from __future__ import annotations

import base64
import json

from .actions import cell_color, drag, handle_point, hover_cell, segments, token_point
from .conftest import settle

SETUP = """\
import numpy as np
from segviz.segments import Segment, Segmentation
from segviz.widgets import ExplorerView

tokens = ["<s>", "Anna", " follows", " Ben", ".", " Who", " leads", "?"]
segmentation = Segmentation([Segment(0, 1, "bos", "causal"), Segment(1, 5, "system"),
                             Segment(5, 8, "user")])
explorer = ExplorerView(tokens, segmentation, layers=3, heads=4, kv_heads=2, title="test")
answers, broken = [], False

def answer(change):
    if broken:
        raise RuntimeError("the observer failed")
    boundary = explorer.strip.segments[1]["stop"]
    attention = np.zeros((9, 9), np.float32)
    attention[:, 0] = 0.1
    attention[7, boundary] = 1.0
    answers.append(boundary)
    whole = explorer.strip.segmentation.append(1, "response")
    explorer.show(attention, tokens=[*tokens, " Kurt"], segmentation=whole, prompt_length=8,
                  title=f"boundary {boundary}")

explorer.strip.observe(answer, "segments")
explorer.answer.set("segment", [" Kurt"], state="done")
"""
MATRICES = ".sv-explorer .sv-attention .sv-plot"
YELLOW = [253, 231, 37, 255]


def opened(lab, name):
    """The explorer of the first output, painted."""
    lab.open(lab.server.write(name, [SETUP, "explorer"]))
    page = lab.run_all(wait_for=MATRICES).page
    settle(page)
    return page, page.locator(".sv-explorer").first


def test_an_edit_reaches_python_and_its_answer_the_page(lab):
    page, explorer = opened(lab, "edit.ipynb")

    # A drag changes the mask in the page, and the kernel has the segments.
    before = cell_color(explorer, ".sv-mask", 1, 5)
    drag(page, handle_point(explorer, 1), token_point(explorer, 6), release=False)
    settle(page)
    assert cell_color(explorer, ".sv-mask", 1, 5) != before
    assert lab.wait_kernel("explorer.strip.dragging")
    page.mouse.up()
    lab.wait_kernel("explorer.strip.segments[1]['stop'] == 6 and not explorer.strip.dragging")
    assert lab.kernel("explorer.mask.segments[:3] == explorer.strip.segments")

    # Python answers with new attention data, and it is painted.
    explorer.locator(".sv-attention .sv-heading", has_text="boundary 6").wait_for()
    settle(page)
    assert cell_color(explorer, ".sv-attention", 7, 6) == YELLOW
    assert lab.kernel("answers[-1]") == 6

    # The exact number comes from Python.
    hover_cell(explorer, ".sv-attention", 3, 0)
    explorer.locator(".sv-attention .sv-readout", has_text="· 0.1").wait_for()

    # Choices reach Python.
    explorer.get_by_role("button", name="next head").click()
    explorer.get_by_role("radio", name="difference").click()
    lab.wait_kernel("explorer.head == 1 and explorer.view == 'difference'")


def test_an_error_is_shown_and_the_keyboard_is_the_widgets(lab):
    page, explorer = opened(lab, "error.ipynb")

    # An exception in an observer is shown, and the widget goes on working.
    lab.run_code("broken = True")
    drag(page, handle_point(explorer, 1), token_point(explorer, 4))
    error = explorer.locator(".sv-strip .sv-error")
    error.wait_for(state="visible")
    assert error.inner_text() == "RuntimeError: the observer failed"
    lab.run_code("broken = False")
    drag(page, handle_point(explorer, 1), token_point(explorer, 3))
    explorer.locator(".sv-attention .sv-heading", has_text="boundary 3").wait_for()
    error.wait_for(state="hidden")

    # The keyboard is the widget's, not the notebook's.
    explorer.get_by_role("slider", name="Boundary between system and user").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    lab.wait_kernel("explorer.strip.segments[1]['stop'] == 5")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    lab.wait_kernel("explorer.strip.segments[1]['stop'] == 3")
    assert page.evaluate("window.jupyterapp.shell.currentWidget.content.widgets.length") == 2


def test_a_second_view_and_what_is_saved(lab):
    page, explorer = opened(lab, "second.ipynb")
    drag(page, handle_point(explorer, 1), token_point(explorer, 3))
    explorer.locator(".sv-attention .sv-heading", has_text="boundary 3").wait_for()

    # A second view of the same widget shows the same picture.
    panel = "window.jupyterapp.shell.currentWidget"
    page.evaluate(f"{panel}.content.activeCellIndex = 1")
    page.evaluate("window.jupyterapp.commands.execute('notebook:copy-cell')")
    page.evaluate("window.jupyterapp.commands.execute('notebook:paste-cell-below')")
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-cell')")
    second = page.locator(".sv-explorer").nth(1)
    second.locator(".sv-attention .sv-heading", has_text="boundary 3").wait_for()
    settle(page)
    second.scroll_into_view_if_needed()
    settle(page)
    assert cell_color(second, ".sv-attention", 7, 3) == YELLOW
    drag(page, handle_point(second, 1), token_point(second, 5))
    page.wait_for_function(
        "() => document.querySelectorAll('.sv-explorer')[0]"
        ".querySelector('.sv-attention .sv-heading').textContent.includes('boundary 5')"
    )

    # What is saved stays small, and carries a picture for places without widgets.
    saved = lab.save()
    notebook = json.loads(saved.read_text())
    picture = base64.b64decode(notebook["cells"][1]["outputs"][0]["data"]["image/png"])
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 100_000
    state = notebook["metadata"].get("widgets", {})
    assert len(json.dumps(state)) < 600_000


def test_edits_while_a_cell_runs(lab):
    lab.open(lab.server.write("busy.ipynb", [SETUP, "explorer", "import time; time.sleep(4)"]))
    lab.start_all()
    page = lab.page
    page.wait_for_selector(MATRICES)
    settle(page)
    explorer = page.locator(".sv-explorer").first
    drag(page, handle_point(explorer, 1), token_point(explorer, 6))
    status = explorer.locator(".sv-status")
    status.get_by_text("Python is not answering").wait_for(timeout=4000)
    status.get_by_text("Python is not answering").wait_for(state="hidden", timeout=10_000)
    lab.wait_kernel("explorer.strip.segments[1]['stop'] == 6")


def test_after_a_reload_and_after_a_restart(lab):
    page, explorer = opened(lab, "again.ipynb")
    drag(page, handle_point(explorer, 1), token_point(explorer, 3))
    heading = explorer.locator(".sv-attention .sv-heading", has_text="boundary 3")
    heading.wait_for()
    lab.save()

    # The page is new, the kernel is not: traits and pictures come back from there.
    lab.open("again.ipynb")
    heading.wait_for()
    settle(page)
    assert segments(explorer)[2] == ["user", 3]
    assert cell_color(explorer, ".sv-attention", 7, 3) == YELLOW

    # The kernel is new: the view says so, and edits stay in the page.
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    drag(page, handle_point(explorer, 1), token_point(explorer, 6))
    explorer.locator(".sv-status").get_by_text("kernel is gone").wait_for()
    assert segments(explorer)[2] == ["user", 6]
