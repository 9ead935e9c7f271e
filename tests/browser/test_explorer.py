"""The main job, end to end: the tutorial in a real JupyterLab, a drag, a new answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .actions import cell_color, drag, handle_point, hover_cell, token_point
from .conftest import settle

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_segment_masks.ipynb"
PLOT = ".sv-explorer .sv-attention .sv-plot"
SETTLED = "not session.busy"

# The example "chain": the answer that looking ahead gives and the one it takes without; the fact
# that completes the chain, "Fay follows Lena."; and the link that the explorer's head finds, from
# the name that ends "Kurt follows Fay." to the name that ends that fact.
RIGHT, WRONG = "Lena", "Fay"
NEEDED = 21
LINK = (15, 23)


def answer(explorer, mask: str) -> str:
    """The answer as the page shows it, once its run is done."""
    panel = explorer.locator(f".sv-answer[data-mask='{mask}']")
    panel.locator(".sv-state", has_text="done").wait_for()
    return panel.locator(".sv-answer-text").inner_text().replace("<|end|>", "").strip()


def test_a_drag_changes_mask_attention_and_answer(lab):
    lab.open(lab.server.copy(NOTEBOOK))
    page = lab.run_all(wait_for=PLOT).page
    # The notebook's last cells split the user's turn, leave a picture, and mend the segments.
    page.wait_for_selector(".jp-OutputArea-output img", state="attached")
    lab.wait_kernel(f"{SETTLED} and session.segmentation == prompt.segmentation", timeout=60)
    explorer = page.locator(".sv-explorer").first
    assert answer(explorer, "segment") == RIGHT

    # Writing the session from Python moves the page: a split breaks the answer, and no split
    # mends it.
    lab.run_code(f"session.segmentation = prompt.segmentation.split({NEEDED})")
    lab.wait_kernel(SETTLED)
    settle(page)
    assert explorer.locator(".sv-handle:not([hidden])").count() == 4
    assert answer(explorer, "segment") == answer(explorer, "causal") == WRONG
    lab.run_code("session.segmentation = prompt.segmentation")
    lab.wait_kernel(SETTLED)
    settle(page)
    assert explorer.locator(".sv-handle:not([hidden])").count() == 3
    assert answer(explorer, "segment") == RIGHT
    assert answer(explorer, "causal") == WRONG

    drag_over_the_facts(lab, page, explorer)
    assert answer(explorer, "segment") == WRONG
    assert answer(explorer, "causal") == WRONG
    assert lab.kernel("session.trace.generated_text") == f" {WRONG}"


def drag_over_the_facts(lab, page, explorer) -> None:
    # Drag the boundary between system and user over most of the facts. The mask follows before
    # the pointer is up; Python hears of it while it is down.
    assert lab.kernel(f"prompt.tokens[{NEEDED}:{NEEDED} + 4]") == [" Fay", " follows", " Lena", "."]
    covered = dict(zip(("row", "column"), LINK, strict=True))  # visible before, and not after
    mask_before = cell_color(explorer, ".sv-mask", **covered)
    attention_before = lab.kernel("session.pattern.array.tolist()")
    assert attention_before[LINK[0]][LINK[1]] > 0.9  # the head finds the link ahead
    pixel_before = cell_color(explorer, ".sv-attention", *LINK)
    drag(page, handle_point(explorer, 1), token_point(explorer, NEEDED), release=False)
    settle(page)
    assert cell_color(explorer, ".sv-mask", **covered) != mask_before
    lab.wait_kernel("session.dragging")
    page.mouse.up()
    lab.wait_kernel(f"{SETTLED} and not session.dragging")
    assert lab.kernel("list(session.segmentation.boundaries)") == [1, NEEDED, 38]
    assert lab.kernel("list(prompt.segmentation.boundaries)") == [1, 8, 38]

    # The mask's pixels are the new mask; attention and answer are those of a fresh run.
    settle(page)
    mask = np.array(lab.kernel("sv.segment_mask(session.segmentation).tolist()"))
    causal = np.tri(len(mask), dtype=bool)
    for row, column in [LINK, (10, 20), (2, 19), (20, 21), (22, 37), (38, 3), (31, 30)]:
        red, green, blue, opacity = cell_color(explorer, ".sv-mask", row, column)
        colored = opacity > 0 and max(red, green, blue) - min(red, green, blue) > 60
        assert colored == (mask[row, column] and not causal[row, column]), (row, column)
    fresh = lab.kernel(
        "sv.load().trace(session.prompt, max_new_tokens=4)"
        ".attention(session.layer, session.head).tolist()"
    )
    np.testing.assert_allclose(lab.kernel("session.pattern.array.tolist()"), fresh, atol=1e-5)
    assert fresh[LINK[0]][LINK[1]] == 0
    assert cell_color(explorer, ".sv-attention", *LINK) != pixel_before

    # The read-out gives the exact probability, asked from Python.
    query, key = 19, int(np.argmax(fresh[19]))
    hover_cell(explorer, ".sv-attention", query, key)
    exact = f"{fresh[query][key]:.3g}"
    explorer.locator(".sv-attention .sv-readout", has_text=exact).wait_for()


EXPLORER = """\
import segviz as sv
session = sv.explore(sv.load(), sv.examples["chain"], max_new_tokens=4)"""


def test_split_merge_and_an_error(lab):
    lab.open(lab.server.write("explore.ipynb", [EXPLORER]))
    page = lab.run_all(wait_for=PLOT).page
    lab.wait_kernel(SETTLED)
    explorer = page.locator(".sv-explorer").first
    assert answer(explorer, "segment") == RIGHT

    # A click splits, and the answer breaks; a double-click merges, and it is mended.
    page.mouse.click(*token_point(explorer, NEEDED))
    lab.wait_kernel(f"{SETTLED} and list(session.segmentation.boundaries) == [1, 8, {NEEDED}, 38]")
    assert answer(explorer, "segment") == WRONG
    page.wait_for_timeout(600)  # a double-click that began on the token is no merge
    page.mouse.dblclick(*handle_point(explorer, 2))
    lab.wait_kernel(f"{SETTLED} and list(session.segmentation.boundaries) == [1, 8, 38]")
    assert answer(explorer, "segment") == RIGHT

    # A run that fails is seen under the widget, which goes on working.
    lab.run_code("session.model.trace = None")
    page.mouse.click(*token_point(explorer, NEEDED))
    explorer.locator(".sv-error", has_text="TypeError").first.wait_for(state="visible")
    panel = explorer.locator(".sv-answer[data-mask='segment']")
    panel.locator(".sv-state", has_text="failed").wait_for()
    lab.run_code("del session.model.trace")
    lab.run_code("session.segmentation = session.segmentation.merge(2)")
    lab.wait_kernel(f"{SETTLED} and session.error == ''")
    assert answer(explorer, "segment") == RIGHT
    explorer.locator(".sv-error", has_text="TypeError").first.wait_for(state="hidden")

    # The page chooses what is looked at, and the kernel follows.
    explorer.get_by_role("button", name="next layer").click()
    explorer.get_by_role("radio", name="causal").click()
    lab.wait_kernel("(session.layer, session.view) == (1, 'causal')")
    heading = explorer.locator(".sv-attention .sv-heading")
    heading.get_by_text("Layer 1, head 0: causal mask").wait_for()
    lab.run_code("session.view = 'difference'")
    heading.get_by_text("Layer 1, head 0: segment minus causal").wait_for()
