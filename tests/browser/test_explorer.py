"""The main job, end to end: the tutorial in a real JupyterLab, a drag, a new answer."""

from __future__ import annotations

from pathlib import Path

from .actions import cell_color, drag, handle_point, token_point
from .conftest import settle

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_segment_masks.ipynb"
ANSWER = ".sv-answers"


def test_a_drag_changes_mask_attention_and_answer(lab):
    lab.open(lab.server.copy(NOTEBOOK))
    page = lab.run_all(wait_for=".sv-explorer .sv-attention .sv-plot").page
    lab.wait_kernel("not session.busy", timeout=60)
