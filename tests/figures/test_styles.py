"""Styles of the user: colours for a dark page, and layouts that move axes."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import matplotlib as mpl
import matplotlib.style
import pytest
from baselines import compared
from drawn import draw, random_trace, texts
from matplotlib.figure import Figure

from segviz import figures
from segviz.figures.drawing.points import contrast
from segviz.labels import labels

TRACE = random_trace([("bos!", 1), ("system", 5), ("user", 9), ("assistant!", 2)], new=3)
KINDS: dict[str, Callable[[], Figure]] = {
    "mask": lambda: figures.mask(TRACE),
    "attention": lambda: figures.attention(TRACE, 1, 2),
    "comparison": lambda: figures.comparison(compared(TRACE), 1, 2),
    "heads": lambda: figures.heads(TRACE),
    "flow": lambda: figures.flow(TRACE),
    "tokens": lambda: figures.tokens(TRACE, 1, 2),
    "arcs": lambda: figures.arcs(TRACE, 1, [0, 2]),
}
SAID = {
    "mask": ("Segment mask", "masked", "key", "response"),
    "attention": ("key", "query", "attention probability", "1"),
    "comparison": ("causal mask", "change in probability", "0"),
    "heads": ("head", "KV 1", "3", "attention probability"),
    "flow": ("query segment", "key segment", "mean attention mass", "user"),
    "tokens": ("query", "not seen", "attention probability", "user"),
    "arcs": ("head 2", "query", "key", "attention probability"),
}
_LARGE = 3
"""The contrast that guidelines ask of what is not the main text."""


@pytest.mark.parametrize("kind", KINDS)
def test_on_a_dark_page_texts_are_light(kind) -> None:
    with matplotlib.style.context("dark_background"):
        figure = KINDS[kind]()
    # What stands on colours of its own: tokens in running text, numbers in cells.
    on_shades = {"tokens": {token.strip() for token in labels(TRACE.tokens)}}
    if kind == "flow":
        on_shades[kind] = {f"{one:.2f}" for one in TRACE.flow().ravel()}
    beside = [one for one in texts(figure) if one.get_text() not in on_shades.get(kind, set())]
    assert {*SAID[kind]} <= {one.get_text() for one in beside}
    dark = [one.get_text() for one in beside if contrast(one.get_color(), "black") < _LARGE]
    assert dark == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setting", ["figure.autolayout", "figure.constrained_layout.use"])
def test_a_layout_of_the_user_moves_nothing(kind, setting) -> None:
    usual = draw(KINDS[kind]())
    with mpl.rc_context({setting: True}):
        moved = KINDS[kind]()
        # Saving has set the layout of rcParams, for what is drawn after it.
        for ending in ("svg", "pdf"):
            moved.savefig(BytesIO(), format=ending)
        draw(moved)
    for one, other in zip(usual.axes, moved.axes, strict=True):
        assert one.get_position().bounds == other.get_position().bounds
