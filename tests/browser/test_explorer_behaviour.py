"""The explorer under stress, in a real JupyterLab: fast edits, stops, restarts, several at once."""

from __future__ import annotations

import numpy as np

from .actions import cell_color, drag, handle_point, segments, token_point
from .conftest import settle

PLOT = ".sv-explorer .sv-attention .sv-plot"
SETTLED = "not session.busy"
SETUP = """\
import gc, threading, weakref
import numpy as np
import segviz as sv
model = sv.load()
"""
EXPLORER = SETUP + 'session = sv.explore(model, sv.examples["chain"], max_new_tokens=4)'
LONG = EXPLORER.replace("max_new_tokens=4", "max_new_tokens=400, eos_token_id=[]")

# Keys on a handle, as fast as the page takes them.
EDITS = """(root, keys) => {
  const handle = root.querySelectorAll(".sv-handle:not([hidden])")[1];
  handle.focus();
  for (const key of keys) {
    handle.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  }
}"""
FRESH = """\
def fresh():
    trace = sv.load().trace(session.prompt, max_new_tokens=4)
    return (bool(np.allclose(session.pattern.array, trace.attention(session.layer, session.head),
                             atol=1e-5)),
            list(trace.tokens[trace.prompt_length:]) == list(session.segment_answer.tokens))
"""
MEMORY = """\
def memory():
    gc.collect()
    tensors = [one for one in gc.get_objects() if type(one).__module__ == "torch"]
    return sum(getattr(one, "nbytes", 0) for one in tensors)
"""


def opened(lab, name: str, cell: str = EXPLORER):
    lab.open(lab.server.write(name, [cell]))
    page = lab.run_all(wait_for=PLOT).page
    return page, page.locator(".sv-explorer").first


def test_two_hundred_edits_in_a_row(lab):
    page, explorer = opened(lab, "fast.ipynb")
    lab.run_code(FRESH + MEMORY)
    lab.wait_kernel(SETTLED)
    lab.run_code("session.wait()")
    before = lab.kernel("memory()")
    keys = ["ArrowRight"] * 20 + ["ArrowLeft"] * 7
    keys = (keys * 8)[:200]
    explorer.evaluate(EDITS, keys)
    shown = segments(explorer)
    moved = shown[2][1]
    lab.wait_kernel(f"{SETTLED} and session.segmentation.boundaries[1] == {moved}", timeout=60)
    lab.run_code("session.wait()")
    settle(page)
    assert segments(explorer) == shown
    assert lab.kernel("session.segmentation == session.views[0].strip.segmentation")
    assert lab.kernel("fresh()") == [True, True]
    assert not explorer.locator(".sv-outdated, .sv-stale").count()
    # The pixels are those of the last run: its largest cell is yellow, masked ones are not.
    pattern = np.array(lab.kernel("session.pattern.array.tolist()"))
    row, column = np.unravel_index(pattern.argmax(), pattern.shape)
    assert cell_color(explorer, ".sv-attention", int(row), int(column)) == [253, 231, 37, 255]
    # As many edits again leave no more tensors behind than the first ones.
    explorer.evaluate(EDITS, ["ArrowLeft", "ArrowRight"] * 100)
    lab.wait_kernel(SETTLED, timeout=60)
    lab.run_code("session.wait()")
    assert lab.kernel("memory()") <= 1.2 * before
    assert lab.kernel("threading.active_count()") < 40


def test_a_long_answer_stops_at_once(lab):
    _, explorer = opened(lab, "long.ipynb", LONG)
    panel = explorer.locator(".sv-answer[data-mask='segment']")
    lab.wait_kernel("len(session.segment_answer.tokens) > 5", timeout=30)
    # How many tokens have come when the kernel hears of it, and how many come after.
    lab.run_code(
        "heard = []\n"
        "stop = session.stop\n"
        "def heard_stop():\n"
        "    heard.append(len(session.segment_answer.tokens))\n"
        "    stop()\n"
        "session.views[0].on_stop[:] = [heard_stop]"
    )
    explorer.get_by_role("button", name="Stop").first.click()
    panel.locator(".sv-state", has_text="stopped").or_(
        panel.locator(".sv-state", has_text="cancelled")
    ).first.wait_for()
    lab.wait_kernel(SETTLED)
    assert lab.kernel("len(session.segment_answer.tokens) - heard[0]") <= 1
    assert lab.kernel("session.segment_answer.state") == "cancelled"
    explorer.get_by_role("button", name="Run again").click()
    lab.wait_kernel("session.segment_answer.state == 'running'")
    lab.run_code("session.stop()")


def test_interrupting_the_kernel_changes_nothing_and_a_restart_is_told(lab):
    page, explorer = opened(lab, "restart.ipynb", LONG)
    lab.wait_kernel("session.segment_answer.state == 'running'", timeout=30)
    context = "window.jupyterapp.shell.currentWidget.sessionContext"
    page.evaluate(f"{context}.session.kernel.interrupt()")
    count = lab.kernel("len(session.segment_answer.tokens)")
    lab.wait_kernel(f"len(session.segment_answer.tokens) > {count} or not session.busy")
    assert explorer.locator(".sv-status").inner_text() != ""
    lab.run_code("session.stop()")
    # Nobody touches the page: it finds out by itself.
    page.evaluate(f"{context}.restartKernel()")
    explorer.locator(".sv-status").get_by_text("kernel is gone").wait_for(timeout=20_000)


def test_several_explorers_and_one_in_two_places(lab):
    cells = [
        EXPLORER,
        'other = sv.explore(model, sv.examples["chain-2"], max_new_tokens=2)',
        "session.views[0]",
    ]
    lab.open(lab.server.write("several.ipynb", cells))
    page = lab.run_all(wait_for=PLOT).page
    page.wait_for_function("() => document.querySelectorAll('.sv-explorer .sv-plot').length >= 6")
    lab.wait_kernel("not session.busy and not other.busy")
    first, second, again = (page.locator(".sv-explorer").nth(index) for index in range(3))
    again.locator(".sv-handle:not([hidden])").first.wait_for()
    before = lab.kernel("other.segmentation.boundaries")
    again.scroll_into_view_if_needed()
    drag(page, handle_point(again, 1), token_point(again, 20))
    lab.wait_kernel(f"{SETTLED} and session.segmentation.boundaries[1] == 20")
    settle(page)
    assert segments(first)[2] == segments(again)[2] == ["user", 20]
    assert lab.kernel("other.segmentation.boundaries") == before
    # Choices are shared between the two places, and with nobody else.
    first.get_by_role("button", name="next layer").click()
    lab.wait_kernel("session.layer == 1")
    page.wait_for_function(
        "() => document.querySelectorAll('.sv-explorer')[2]"
        ".querySelector('.sv-stepper select').value === '1'"
    )
    assert lab.kernel("other.layer") == 0
    assert second.locator(".sv-stepper select").first.input_value() == "0"


def test_a_cell_that_runs_again_leaves_nothing_of_its_last_run(lab):
    page, _ = opened(lab, "rerun.ipynb")
    lab.wait_kernel(SETTLED)
    lab.run_code("session.wait(); kept = weakref.ref(session), weakref.ref(session.views[0])")
    page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0")
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-cell')")
    lab.wait_kernel("session is not kept[0]()")
    lab.wait_kernel(SETTLED)
    lab.wait_kernel("[gc.collect() and None, kept[0](), kept[1]()] == [None, None, None]")
    assert page.locator(".sv-explorer").count() == 1


def test_closing_a_session_leaves_no_thread_and_no_tensor(lab):
    page, explorer = opened(lab, "close.ipynb")
    lab.wait_kernel(SETTLED)
    lab.run_code(MEMORY + "session.wait(); kept = weakref.ref(session.trace.layers[0].queries)")
    lab.run_code("session.close(); model.clear_cache()")
    lab.wait_kernel("[gc.collect() and None, kept()] == [None, None]")
    assert not lab.kernel("[t.name for t in threading.enumerate() if 'segviz' in t.name]")
    explorer.wait_for(state="detached")
    assert not page.locator(".sv-explorer").count()
