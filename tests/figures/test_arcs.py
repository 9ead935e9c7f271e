"""Arcs: lines, their strength and colours, and the tokens at both sides."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import laid
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import segviz as sv
from segviz.figures.drawing.arcs import head_colors
from segviz.figures.drawing.names import kept, round_positions, spread
from segviz.figures.kinds import arcs
from segviz.palette import DECODE, MUTED, segment_color


def fan(figure: Figure) -> LineCollection:
    """The lines from queries to keys: the collection that has an opacity for each."""
    return max(
        (one for one in figure.axes[0].collections if isinstance(one, LineCollection)),
        key=lambda one: len(one.get_segments()) * (len(one.get_colors()) > 1),
    )


def places(figure: Figure) -> tuple[dict[str, float], dict[str, float]]:
    """Baselines of the tokens at the left and at the right, by their label."""
    middle = figure.get_figwidth() * 36
    sides: tuple[dict[str, float], dict[str, float]] = ({}, {})
    for text in figure.axes[0].texts:
        if text.get_rotation() == 0 and text.get_text() in {f"t{i}" for i in range(99)}:
            sides[int(text.get_position()[0] > middle)][text.get_text()] = text.get_position()[1]
    return sides


def numbered(length: int, new: int = 0) -> sv.Trace:
    """A trace whose tokens say where they stand."""
    trace = laid.trace(length, new)
    return dataclasses.replace(trace, tokens=tuple(f"t{i}" for i in range(len(trace.tokens))))


def test_lines_join_the_right_tokens_with_the_right_strength() -> None:
    trace = numbered(24)
    figure = arcs(trace, 1, 2, least=0.05, limit=0.8, width="text")
    attention = trace.attention(1, 2)
    left, right = places(figure)
    assert len(left) == len(right) == 24
    lines = fan(figure)
    expected = np.argwhere(attention >= 0.05)
    assert len(lines.get_segments()) == len(expected)
    found = set()
    for line, color in zip(lines.get_segments(), lines.get_colors(), strict=True):
        (_, y), (_, z) = line
        query = min(left, key=lambda label: abs(left[label] - y))
        key = min(right, key=lambda label: abs(right[label] - z))
        pair = int(query[1:]), int(key[1:])
        assert color[3] == pytest.approx(min(attention[pair] / 0.8, 1), abs=0.006)
        found.add(pair)
    assert found == {tuple(pair) for pair in expected.tolist()}


def test_the_strongest_lines_are_drawn_last_and_thickest() -> None:
    lines = fan(arcs(laid.trace(24), 1, [0, 2, 4]))
    opacity = lines.get_colors()[:, 3]
    assert (np.diff(opacity) >= 0).all()
    assert (np.diff(lines.get_linewidths()) >= 0).all()
    assert lines.get_linewidths()[-1] > 1.5 * lines.get_linewidths()[0]


def test_one_head_has_the_colours_of_the_keys_segments() -> None:
    trace = numbered(24)
    figure = arcs(trace, 1, 2, width="text")
    _, right = places(figure)
    lines = fan(figure)
    for line, color in zip(lines.get_segments(), lines.get_colors(), strict=True):
        key = int(min(right, key=lambda label: abs(right[label] - line[1][1]))[1:])
        number = trace.segmentation.at(key)
        assert tuple(color[:3]) == to_rgb(segment_color(number))


def test_several_heads_have_a_colour_each_and_a_legend() -> None:
    figure = arcs(laid.trace(24), 1, [0, 2, 4])
    used = {tuple(color[:3]) for color in fan(figure).get_colors()}
    assert used == {to_rgb(color) for color in head_colors(3)}
    assert {"head 0", "head 2", "head 4"} <= set(laid.words(figure))
    # One colour has one meaning.
    names = [one for one in laid.texts(figure) if one.get_text() == "system"]
    assert len(names) == 2
    assert {one.get_color() for one in names} == {to_rgb(MUTED)}
    assert len(set(head_colors(32))) == 32


@pytest.mark.parametrize("width", ["column", "text"])
@pytest.mark.parametrize("length", [1, 12, 60, 90, 500, 4000])
def test_nothing_overlaps_or_is_cut_off(length, width) -> None:
    figure = arcs(laid.trace(length, new=2), 1, 2, width=width, highlight=[0, length // 2])
    assert figure.get_figwidth() == {"column": 3.25, "text": 6.75}[width]
    assert figure.get_figheight() <= 9
    laid.assert_readable(figure)


@pytest.mark.parametrize("arguments", [
    {"head": list(range(6)), "style": "slides", "width": "slide"},
    {"head": [1, 2], "merge": "words", "style": "notebook"},
    {"head": "mean", "queries": "user", "keys": "system"},
    {"head": 0, "queries": (39, 40), "hide_first": True},
    {"head": 0, "merge": "segments"},
])  # fmt: skip
def test_other_looks(arguments) -> None:
    laid.assert_readable(arcs(laid.trace(40, new=1), 1, **arguments))


def test_many_segments() -> None:
    laid.assert_readable(arcs(laid.trace(200, names=laid.MANY), 0, 1))


def test_height_follows_the_tokens_up_to_a_page() -> None:
    heights = [
        float(arcs(laid.trace(length), 1, 2, title="").get_figheight()) for length in (12, 24, 48)
    ]
    assert heights[2] - heights[1] == pytest.approx(2 * (heights[1] - heights[0]))
    long = arcs(laid.trace(90), 1, 2)
    assert long.get_figheight() == pytest.approx(9)
    labels = [one for one in laid.texts(long) if one.get_text() == "Anna"]
    assert labels
    assert min(one.get_fontsize() for one in labels) >= 5


def test_long_texts_have_round_positions_and_marked_tokens() -> None:
    trace = laid.trace(500)
    figure = arcs(trace, 1, 2, highlight=[123])
    words = laid.words(figure)
    assert {"0", "100", "400"} <= set(words)
    bold = [one for one in laid.texts(figure) if one.get_fontweight() == "bold"]
    assert {one.get_text() for one in bold} == {trace.tokens[123].strip()}
    assert len(bold) == 2
    pooled = laid.words(arcs(laid.trace(4000), 1, 2))
    assert "key, 4 tokens a line" in pooled


def test_equal_tokens_stand_at_equal_heights() -> None:
    trace = numbered(24)
    left, right = places(arcs(trace, 1, 2, queries=(20, 24), width="text"))
    assert list(left) == ["t20", "t21", "t22", "t23"]
    for label, y in left.items():
        assert right[label] == pytest.approx(y)


def test_the_figure_says_from_where_lines_are_drawn() -> None:
    trace = laid.trace(60)
    assert "lines from 0.02 on" in laid.words(arcs(trace, 1, 2))
    many = arcs(laid.trace(500), 1, list(range(6)), least=0.0)
    assert len(fan(many).get_segments()) == 2000
    least = fan(many).get_colors()[0, 3]
    note = next(word for word in laid.words(many) if word.startswith("lines from"))
    assert float(note.split()[2]) > 0
    assert least > 0
    all_lines = arcs(laid.trace(12), 1, 2, least=0.0)
    assert not [word for word in laid.words(all_lines) if "lines from" in word]


def test_decoding_has_a_dashed_line_on_both_sides() -> None:
    figure = arcs(laid.trace(24, new=2), 1, 2)
    dashes = [
        one
        for one in figure.axes[0].collections
        if isinstance(one, LineCollection) and tuple(one.get_colors()[0][:3]) == to_rgb(DECODE)
    ]
    assert len(dashes) == 2
    assert [word for word in laid.words(figure) if "decoding starts" in word]
    without = arcs(laid.trace(24), 1, 2)
    assert not [word for word in laid.words(without) if "decoding" in word]


def test_no_line_at_all_and_axes_of_the_user() -> None:
    laid.assert_readable(arcs(laid.trace(12), 1, 2, least=1.0, hide_first=True))
    figure = Figure(figsize=(4, 5))
    assert arcs(laid.trace(24), 1, 2, ax=figure.subplots()) is figure
    laid.assert_readable(figure)


def test_names_move_aside_only_as_far_as_needed() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        lengths = rng.uniform(1, 20, rng.integers(1, 9))
        centers = np.sort(rng.uniform(0, 100, len(lengths)))
        high = max(100.0, lengths.sum())
        middles = np.array(spread(centers, lengths, 0, high))
        starts, stops = middles - lengths / 2, middles + lengths / 2
        assert starts[0] >= -1e-9
        assert stops[-1] <= high + 1e-9
        assert (starts[1:] >= stops[:-1] - 1e-9).all()
        # Apart from each other and from the ends, they stay where they belong.
        free = np.diff(centers) >= (lengths[:-1] + lengths[1:]) / 2
        inside = centers[0] >= lengths[0] / 2 and centers[-1] <= high - lengths[-1] / 2
        if free.all() and inside:
            np.testing.assert_allclose(middles, centers)


def test_round_positions_and_names_that_fit() -> None:
    for start, stop, most in ((0, 500, 6), (37, 64, 4), (0, 1, 3), (995, 1003, 2), (0, 8192, 20)):
        found = round_positions(start, stop, most)
        assert len(found) <= most + 1
        assert all(start <= one < stop for one in found)
        assert len({b - a for a, b in pairwise(found)}) <= 1
    assert kept([5, 50, 20], [30, 30, 30], 65) == [1, 2]
    assert kept([5, 50, 20], [30, 30, 30], 20) == []


def test_the_embedded_model() -> None:
    trace = sv.load().trace(sv.examples["chain"], max_new_tokens=4)
    figure = arcs(trace, 2, [0, 1], hide_first=True)
    laid.assert_readable(figure)
    assert "first token hidden" in " ".join(laid.words(figure))
