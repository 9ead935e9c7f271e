"""A small chat and its explorer, for the tests of the views."""

from __future__ import annotations

import numpy as np

from segviz.masks import segment_mask
from segviz.segments import Segment, Segmentation
from segviz.widgets import ExplorerView

from .actions import cell_color

TOKENS = ["<s>", "Anna", " follows", " Ben", ".", "\n", " Who", " leads", " Anna", "?"]
CHAT = Segmentation(
    [Segment(0, 1, "bos", "causal"), Segment(1, 5, "system"), Segment(5, 10, "user")]
)
WHOLE = CHAT.append(2, "response")
ALL = [*TOKENS, " Kurt", "<|end|>"]
HIDDEN, CAUSAL, ADDED = 0, 1, 2


def explorer(**options) -> ExplorerView:
    view = ExplorerView(
        TOKENS, CHAT, layers=3, heads=4, kv_heads=2, title="test model", status="ready", **options
    )
    mask = segment_mask(WHOLE)
    attention = np.where(mask, 0.001, 0).astype(np.float32)
    attention[7, 2] = 0.8
    view.show(
        attention, tokens=ALL, segmentation=WHOLE, prompt_length=10, mask=mask, title="layer 0"
    )
    view.answer.set("causal", [" Carl", "<|end|>"], state="done")
    view.answer.set("segment", [" Kurt", "<|end|>"], state="done")
    return view


def rgb(color: str) -> list[int]:
    return [int(color[i : i + 2], 16) for i in (1, 3, 5)]


def mask_state(root, row: int, column: int, view: str = ".sv-mask") -> int:
    """What a mask cell looks like: hidden (nothing painted), grey, or a segment's colour."""
    *color, alpha = cell_color(root, view, row, column)
    if alpha == 0:
        return HIDDEN
    return CAUSAL if max(color) - min(color) < 25 else ADDED
