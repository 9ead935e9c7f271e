"""The mask as a figure."""

from __future__ import annotations

import random

import numpy as np
import pytest
import reference
from drawn import chat, cut_off, draw, fields, numbers, overlapping, panels, words
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import segviz as sv
from segviz.figures.kinds import mask
from segviz.palette import CAUSAL, segment_color


def test_the_cells_are_the_mask_and_their_colours_say_who_adds_them() -> None:
    segmentation = reference.random_segmentation(37, random.Random(3))
    figure = mask(segmentation, queries=(2, 37), keys=(0, 30))
    (shown,) = numbers(figure)
    causal = reference.dense_mask(None, 37)[2:, :30]
    both = reference.dense_mask(segmentation, 37)[2:, :30]
    np.testing.assert_array_equal(~np.ma.getmaskarray(shown), both)
    colors = np.asarray(fields(draw(figure))[0].to_rgba(shown))
    for query, key in np.argwhere(both):
        expected = CAUSAL if causal[query, key] else segment_color(segmentation.at(int(key)))
        assert to_hex(tuple(colors[query, key])) == expected
    assert (both & ~causal).any()


def test_the_legend_names_what_there_is() -> None:
    trace = chat(30)
    assert {"causal", "added by a segment", "masked", "decoding starts"} <= set(words(mask(trace)))
    plain = set(words(mask(sv.Segmentation([sv.Segment(0, 9, "text", "causal")]))))
    assert {"causal", "masked"} <= plain
    assert not {"added by a segment", "decoding starts"} & plain


@pytest.mark.parametrize("count", [12, 60, 500, 4000])
@pytest.mark.parametrize("width", ["column", "text", 1.5])
def test_texts_never_touch_and_nothing_is_cut_off(count, width) -> None:
    figure = mask(chat(count), width=width, highlight=[3, count - 2])
    assert overlapping(figure) == []
    assert cut_off(figure) == []


def test_a_segmentation_of_one_token() -> None:
    figure = mask(sv.Segmentation([sv.Segment(0, 1, "bos")]))
    assert overlapping(figure) == []
    assert cut_off(figure) == []


def test_in_axes_of_ones_own() -> None:
    figure = Figure(figsize=(5, 5))
    axes = figure.subplots()
    assert mask(chat(40), ax=axes) is figure
    draw(figure)
    assert panels(figure) == [axes]
    assert "added by a segment" in words(figure)
