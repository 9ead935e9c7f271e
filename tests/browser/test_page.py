"""A session's page without a kernel and without a network: what it holds can be used."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from PIL import Image

import segviz as sv
from segviz.explorer import explorer_view
from segviz.session import Session

from .actions import cell_color, drag, handle_point, token_point
from .conftest import settle

HOSTILE = (
    "</script><script>window.hacked = 1</script> <img src=x onerror='window.hacked = 2'> \u202e $x$"
)


@pytest.fixture(scope="module")
def session():
    session = Session(sv.load(), sv.examples["chain"], max_new_tokens=4)
    explorer_view(session)
    session.panels = ["heads", "compare"]
    session.layer, session.head = 1, 3
    yield session.wait(60)
    session.close()


@pytest.fixture
def opened(static_page):
    """Opens a session's page from a file, offline."""
    return partial(static_page, width=1300, height=1800)


def largest_cell(session: Session, layer: int, head: int) -> tuple[int, int]:
    pattern = session.trace.attention(layer, head)
    row, column = np.unravel_index(pattern.argmax(), pattern.shape)
    return int(row), int(column)


def test_heads_that_are_kept_are_shown_and_others_say_so(session, opened):
    page = opened(session, heads=[(0, 1)])
    explorer = page.locator(".sv-explorer")
    heading = explorer.locator(".sv-attention .sv-heading").first
    status = explorer.locator(".sv-status")
    assert heading.inner_text() == "Layer 1, head 3: segment mask"
    explorer.locator(".sv-heads-cell[data-layer='0'][data-head='1']").click()
    heading.get_by_text("Layer 0, head 1: segment mask").wait_for()
    settle(page)
    assert status.inner_text() == "saved page"
    assert cell_color(explorer, ".sv-attention", *largest_cell(session, 0, 1))[:3] == [253, 231, 37]
    explorer.get_by_role("radio", name="difference").click()
    heading.get_by_text("Layer 0, head 1: segment minus causal").wait_for()
    compare = explorer.locator(".sv-compare")
    compare.get_by_text("Layer 0, head 1", exact=False).first.wait_for()
    # All heads are there as thumbnails, this one as nothing more.
    explorer.locator(".sv-heads-cell[data-layer='2'][data-head='0']").click()
    status.get_by_text("this page holds that head as a thumbnail only").wait_for()
    assert explorer.locator(".sv-attention .sv-waiting").is_visible()
    explorer.locator(".sv-heads-cell[data-layer='1'][data-head='3']").click()
    heading.get_by_text("Layer 1, head 3: segment minus causal").wait_for()


def test_segments_and_mask_can_be_edited(session, opened):
    page = opened(session)
    explorer = page.locator(".sv-explorer")
    covered = (12, 28)  # later, in the same segment
    before = cell_color(explorer, ".sv-mask", *covered)
    drag(page, handle_point(explorer, 1), token_point(explorer, 25))
    settle(page)
    assert cell_color(explorer, ".sv-mask", *covered) != before
    page.keyboard.press("Control+z")
    settle(page)
    assert cell_color(explorer, ".sv-mask", *covered) == before
    explorer.get_by_label("preset").select_option("causal")
    settle(page)
    assert cell_color(explorer, ".sv-mask", *covered)[3] == 0
    # What needs Python is not offered.
    for name in ("Stop", "Run again"):
        assert not explorer.get_by_role("button", name=name).first.is_visible()


def test_what_was_computed_is_marked_after_an_edit(session, opened):
    page = opened(session)
    explorer = page.locator(".sv-explorer")
    status = explorer.locator(".sv-header .sv-status")
    chosen = explorer.locator(".sv-heads-cell[aria-selected='true']")
    assert chosen.evaluate("(cell) => [cell.dataset.layer, cell.dataset.head]") == ["1", "3"]
    page.mouse.click(*token_point(explorer, 25))
    settle(page)
    assert status.inner_text() == "saved page: only the mask follows your edits"
    assert explorer.locator(".sv-attention.sv-stale").count() == 1
    page.keyboard.press("Control+z")
    settle(page)
    assert status.inner_text() == "saved page"
    assert explorer.locator(".sv-stale, .sv-outdated").count() == 0
    explorer.get_by_label("head", exact=True).select_option("mean")
    settle(page)
    assert status.inner_text() == "this page holds no mean of the layer's heads"


def test_a_generated_token_shows_its_own_run(session, opened):
    page = opened(session)
    explorer = page.locator(".sv-explorer")
    said = explorer.locator(".sv-attention .sv-readout")
    for mask, other in (("causal", "segment"), ("segment", "causal")):
        answers = {kind: getattr(session, f"{kind}_answer").tokens for kind in (mask, other)}
        assert answers[mask][0] != answers[other][0]
        explorer.locator(f"[data-mask='{mask}'] .sv-answer-token").first.click()
        explorer.locator(".sv-attention .sv-heading").get_by_text(f"{mask} mask").wait_for()
        settle(page)
        assert explorer.get_by_role("radio", name=mask).get_attribute("aria-checked") == "true"
        position = session.prompt.length
        assert said.inner_text().startswith(f"query {position} “{answers[mask][0]}” (response)")


def test_text_of_a_prompt_stays_text(opened):
    session = Session(sv.load(), f"Anna follows {HOSTILE}", max_new_tokens=1)
    explorer_view(session)
    session.panels = ["prompt", "heads", "compare"]
    session.segmentation = session.segmentation.rename(1, HOSTILE)
    page = opened(session)
    assert page.evaluate("window.hacked") is None
    assert not page.locator("#segviz img, #segviz script").count()
    assert page.get_by_text("</script><script>window.hacked").first.is_visible()
    session.close()


def test_the_picture_of_a_session(session, tmp_path):
    (tmp_path / "picture.png").write_bytes(session.front.png())
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.width > 800
    assert (tmp_path / "picture.png").stat().st_size < 95_000
