"""Heat maps as figures: the numbers shown, the size, and texts that never touch."""

from __future__ import annotations

import warnings
from dataclasses import replace
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from drawn import (
    chat,
    cut_off,
    draw,
    fields,
    line_sets,
    numbers,
    overlapping,
    panels,
    pixels,
    random_trace,
    texts,
    words,
)
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import segviz as sv
from segviz.figures import fonts
from segviz.figures.drawing.cells import Mesh, Picture
from segviz.figures.kinds import attention, comparison
from segviz.palette import DECODE, MUTED, segment_color


@pytest.fixture(scope="module")
def trace() -> sv.Trace:
    return sv.load().trace(sv.examples["chain"], max_new_tokens=4)


@pytest.fixture(scope="module")
def compared() -> sv.Comparison:
    return sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=4)


def test_the_cells_are_the_pattern_and_what_is_masked_is_left_out(trace) -> None:
    start = trace.segmentation.segments[1].start
    shown, *others = numbers(attention(trace, 1, -1, queries=(start, start + 5), keys=(0, 30)))
    assert not others
    assert shown.shape == (5, 30)
    pattern = trace.attention(1, trace.heads - 1)[start : start + 5, :30]
    visible = trace.mask(1)[start : start + 5, :30]
    np.testing.assert_array_equal(~np.ma.getmaskarray(shown), visible)
    np.testing.assert_allclose(shown[visible].data, pattern[visible], atol=1e-6)


def test_up_to_64_cells_a_side_are_vectors_and_more_are_exact_pixels() -> None:
    assert isinstance(fields(attention(chat(64), 0, 0))[0], Mesh)
    long = chat(65)
    (picture,) = fields(attention(long, 0, 0))
    assert isinstance(picture, Picture)
    assert picture.get_interpolation() == "none"
    assert isinstance(fields(attention(long, 0, 0, queries=(0, 20), keys=(0, 64)))[0], Mesh)


@pytest.mark.parametrize("count", [12, 60, 500, 4000])
@pytest.mark.parametrize("width", ["column", "text"])
@pytest.mark.parametrize("kind", ["one", "grid", "marked"])
def test_texts_never_touch_and_nothing_is_cut_off(count, width, kind) -> None:
    trace = chat(count, seed=count)
    if kind == "grid":
        figure = attention(trace, [0, 1], [0, "mean", 3], width=width, hide_first=True)
    else:
        marked = [0, 3, 4, count // 2, count - 1] if kind == "marked" else []
        figure = attention(trace, 1, 2, width=width, highlight=marked)
    assert overlapping(figure) == []
    assert cut_off(figure) == []
    assert figure.get_figwidth() == {"column": 3.25, "text": 6.75}[width]
    assert "query" in " ".join(words(figure))
    for axes in panels(figure):
        box = axes.get_window_extent()
        assert box.width == pytest.approx(box.height, rel=1e-6)


@pytest.mark.parametrize("width", ["column", "text", 1.6])
@pytest.mark.parametrize(
    "segments",
    [
        [(f"user {number}", 3) for number in range(40)],
        [("a", 1), ("a name that is longer than all of its segment", 9), ("b!", 1), ("c", 1)],
        [("retrieved document number 1", 40), ("retrieved document number 2", 40), ("q", 9)],
        [("one", 1)],
        [("one", 3000), ("two", 1), ("three", 1), ("four", 1), ("five", 1)],
    ],
    ids=["many", "one long name", "long names", "one token", "short ones at the end"],
)
def test_names_of_segments_never_touch(segments, width) -> None:
    trace = random_trace(segments, new=2 if len(segments) > 1 else 0)
    figure = attention(trace, 0, 1, width=width)
    assert overlapping(figure) == []
    assert cut_off(figure) == []


@pytest.mark.parametrize(
    ("queries", "keys"),
    [((0, 40), (3, 9)), ((7, 9), (0, 60)), ((60, 61), (0, 1)), ((700, 703), (0, 900))],
)
@pytest.mark.parametrize("width", ["column", "slide"])
def test_patterns_that_are_no_square(queries, keys, width) -> None:
    trace = chat(900, new=3)
    figure = attention(trace, 0, 0, queries=queries, keys=keys, width=width)
    assert overlapping(figure) == []
    assert cut_off(figure) == []
    tallest = 6 if width == "slide" else 9
    assert figure.get_figheight() <= tallest + 0.5
    (axes,) = panels(draw(figure))
    box = axes.get_window_extent()
    rows, columns = queries[1] - queries[0], keys[1] - keys[0]
    if max(rows, columns) < 100:
        assert box.width / columns == pytest.approx(box.height / rows, rel=1e-6)
    else:
        assert box.height > 5


def test_every_token_has_a_label_where_there_is_room(trace) -> None:
    figure = attention(trace, 1, 0, width="text", queries="user", keys="system")
    shown = words(figure)
    for segment in ("system", "user"):
        (part,) = (one for one in trace.segmentation.segments if one.name == segment)
        for token in trace.tokens[part.start : part.stop]:
            assert token.strip() in shown
    assert "query" in shown
    assert "key" in shown
    assert "query position" not in shown


def test_without_room_there_are_round_positions_and_the_names_of_segments() -> None:
    figure = attention(chat(500), 1, 0)
    shown = words(figure)
    assert {"0", "100", "200", "300", "400"} <= set(shown)
    assert {"system", "user", "query position", "key position"} <= set(shown)
    assert "word" not in shown


def test_long_tokens_are_shortened_in_the_middle_and_a_dollar_is_no_formula() -> None:
    tokens = (" internationalisations", " $x$", "  ", "\n", *["."] * 8)
    figure = attention(replace(chat(12), tokens=tokens), 0, 0)
    shown = words(figure)
    (short,) = {one for one in shown if one.startswith("inter")}
    assert short.endswith("ations")
    assert "…" in short
    assert {"␣␣", "⏎"} <= set(shown)
    assert overlapping(figure) == []
    assert cut_off(figure) == []
    assert "$x$" in shown
    assert all(not text.get_parse_math() for text in texts(figure)
               if text.get_text() == "$x$")  # fmt: skip


def test_markers_of_the_template_are_muted(trace) -> None:
    figure = attention(trace, 1, 0, width="text")
    colors = {text.get_text(): text.get_color() for text in texts(figure)}
    assert colors["<|user|>"] == MUTED
    assert colors["follows"] != MUTED


def test_a_column_in_a_narrow_figure_is_pooled_and_says_so() -> None:
    figure = attention(chat(4000), 0, 0, hide_first=True)
    shown = " ".join(words(figure))
    assert "key position (4 tokens a cell, first token hidden)" in shown
    assert numbers(figure)[0].shape == (1000, 1000)


def test_the_hidden_first_token_is_named_only_where_it_would_be(trace) -> None:
    assert "key position (first token hidden)" in words(attention(trace, 1, 0, hide_first=True))
    cropped = attention(trace, 1, 0, hide_first=True, keys="user")
    assert not any("hidden" in word for word in words(cropped))


def test_segments_have_brackets_in_their_colours_dotted_where_causal(trace) -> None:
    figure = draw(attention(trace, 1, 0))
    (axes,) = panels(figure)
    rows = len(trace.tokens)
    for number, segment in enumerate(trace.segmentation.segments):
        found = [
            (one, line)
            for one in line_sets(axes)
            if to_hex(one.get_color()[0]) == segment_color(number)
            for line in pixels(one)
            if len(line) > 1
        ]
        top = axes.get_window_extent().y1
        wide = [
            (one, line)
            for one, line in found
            if np.ptp(line[:, 0]) > 0 and line[:, 1].min() > top and len(line) != 3
        ]
        assert wide, segment
        one, line = max(wide, key=lambda pair: np.ptp(pair[1][:, 0]))
        ends = axes.transData.inverted().transform(line)[:, 0]
        assert ends.min() == pytest.approx(segment.start, abs=0.3)
        assert ends.max() == pytest.approx(segment.stop, abs=0.3)
        dotted = one.get_linestyles()[0][1] is not None
        assert dotted == (segment.attention == "causal")
    assert rows == axes.get_xlim()[1]


def test_decoding_starts_at_dashed_lines_on_both_axes(trace) -> None:
    figure = attention(trace, 1, 0)
    (axes,) = panels(figure)
    dashed = [one for one in line_sets(axes) if to_hex(one.get_color()[0]) == DECODE]
    ends = {tuple(map(tuple, line)) for one in dashed for line in one.get_segments()}
    at, every = trace.prompt_length, len(trace.tokens)
    assert {((0, at), (every, at)), ((at, 0), (at, every))} <= ends
    assert "decoding starts" in words(figure)
    before = attention(trace, 1, 0, queries="user", keys="system")
    assert "decoding starts" not in words(before)


def test_highlighted_tokens_are_bold_and_framed_even_among_thousands() -> None:
    trace = chat(4000)
    figure = draw(attention(trace, 0, 0, highlight=[2001]))
    bold = [one.get_text() for one in texts(figure) if one.get_weight() == "bold"]
    assert bold == ["2000–2003", "2000–2003"]
    few = attention(chat(12), 0, 0, highlight=[5])
    patches: list[Any] = list(panels(few)[0].patches)
    frames = [one for one in patches if not one.get_fill()]
    assert sorted((one.get_x(), one.get_y(), one.get_width(), one.get_height()) for one in frames
                  ) == [(0, 5, 12, 1), (5, 0, 1, 12)]  # fmt: skip


def test_a_long_highlighted_token_leaves_room_for_the_cells_of_a_slide() -> None:
    long = replace(chat(300), tokens=(" internationalisation",) * 300)
    settings: Any = {"style": "slides", "width": "slide"}
    figure = attention(long, 1, 2, highlight=[150], **settings)
    plain = attention(long, 1, 2, **settings)
    tall, usual = (
        panels(one)[0].get_position().height * one.get_figheight() for one in (figure, plain)
    )
    assert tall > 0.6 * usual
    below, left = sorted((one for one in words(figure) if "(150)" in one), key=len)
    for label in (below, left):
        assert label.startswith("i")
        assert label.endswith(" (150)")
    assert "…" in below


def test_a_comparison_shares_one_limit_and_has_two_bars(compared) -> None:
    figure = comparison(compared, 1, 0)
    length = compared.shared_length
    causal, segment, change = numbers(figure)
    np.testing.assert_allclose(causal.filled(0), compared.causal.attention(1, 0)[:length, :length],
                               atol=1e-6)  # fmt: skip
    assert change.shape == segment.shape == (length, length)
    np.testing.assert_allclose(
        change.filled(0), compared.difference(1, 0)[:length, :length], atol=1e-6
    )
    norms: list[Any] = [one.norm for one in fields(figure)]
    assert norms[0].vmax == norms[1].vmax == norms[2].vmax == -norms[2].vmin
    shown = words(figure)
    assert {"attention probability", "change in probability", "Layer 1, head 0"} <= set(shown)
    assert overlapping(figure) == []
    assert cut_off(figure) == []


def test_a_narrow_comparison_still_fits(compared) -> None:
    figure = comparison(compared, 1, 0, width="column")
    assert {"causal", "segment", "difference"} <= set(words(figure))
    assert overlapping(figure) == []
    assert cut_off(figure) == []


def test_a_grid_has_labels_at_its_edges_and_short_titles(trace) -> None:
    figure = draw(attention(trace, [0, 1, 2], range(4), width=2.6))
    axes = panels(figure)
    assert len(axes) == 12
    shown = [[text.get_text() for text in one.texts] for one in axes]
    for number, some in enumerate(shown):
        row, column = divmod(number, 4)
        assert f"L{row} H{column}" in some
        # Numbers of positions stand at the left and below, and only there.
        assert sum(one.isdecimal() for one in some) > 0 or (column and row < 2)
        assert ("user" in some) == (row == 0 or column == 3)
    with pytest.raises(ValueError, match="too many for a figure 1.5 inches wide: choose fewer"):
        attention(trace, [0, 1, 2] * 12, [0, 1, 2, 3] * 9, width=1.5)


def test_names_beside_a_row_of_a_grid_stay_off_the_next_row() -> None:
    prefill = sv.load().trace(sv.examples["chain"])
    figure = attention(prefill, [0, 1], [0, 3], width="text")
    assert words(figure).count("assistant") >= 2
    assert overlapping(figure) == []


def test_a_title_of_ones_own_and_none(trace) -> None:
    assert "Layer 1, head 0: segment mask" in words(attention(trace, 1, 0))
    own = attention(trace, 1, 0, title="Heads that copy")
    assert "Heads that copy" in words(own)
    assert "Layer 1, head 0: segment mask" not in words(own)
    none = attention(trace, 1, 0, title="")
    assert none.get_figheight() < own.get_figheight()
    long = attention(trace, 1, 0, title="a title of many words " * 6)
    assert cut_off(long) == []
    assert overlapping(long) == []


def test_colours_of_ones_own(trace, compared) -> None:
    (field,) = fields(attention(trace, 1, 0, colors="Greys"))
    assert field.get_cmap().name == "Greys"
    names = [one.get_cmap().name for one in fields(comparison(compared, 1, 0,
             colors=("cividis", mpl.colormaps["RdBu"])))]  # fmt: skip
    assert names == ["cividis", "cividis", "RdBu"]
    with pytest.raises(ValueError, match="colors='virids'.*'viridis'"):
        attention(trace, 1, 0, colors="virids")
    with pytest.raises(ValueError, match="one colormap, or two"):
        comparison(compared, 1, 0, colors=("Greys", "RdBu", "Reds"))


def test_numbers_beyond_the_limit_are_marked_at_the_bar(trace) -> None:
    shown = words(attention(trace, 1, 0, limit=0.25))
    assert "≥0.25" in shown
    assert not any("≥" in one for one in words(attention(trace, 1, 0, limit=1)))


def test_axes_of_ones_own_stay_where_they_are(trace) -> None:
    figure = Figure(figsize=(7, 4))
    left, right = figure.subplots(1, 2)
    left.plot([1, 2])
    place = right.get_position(original=True).bounds
    before = dict(mpl.rcParams)
    assert attention(trace, 1, 0, ax=right, queries="user") is figure
    draw(figure)
    assert right.get_position(original=True).bounds == place
    assert left.get_position().bounds == left.get_position(original=True).bounds
    assert dict(mpl.rcParams) == before
    assert numbers(figure)[0].shape == (30, 41)
    assert "attention probability" in words(figure)
    with pytest.raises(ValueError, match="ax= holds 2 axes, and this figure has 1 panels"):
        attention(trace, 1, 0, ax=[left, right])


def test_axes_in_a_layout_that_makes_room(trace) -> None:
    figure = Figure(figsize=(4, 4), layout="constrained")
    attention(trace, 1, 0, ax=figure.subplots())
    assert overlapping(figure) == []
    assert len(numbers(figure)) == 1


def test_axes_in_a_part_of_a_figure(trace) -> None:
    figure = Figure(figsize=(7, 4))
    parts: Any = figure.subfigures(1, 2)
    part = parts[1]
    assert attention(trace, 1, 0, ax=part.subplots()) is figure
    draw(figure)


@pytest.mark.parametrize("merge", ["words", "segments"])
def test_words_and_segments(trace, merge) -> None:
    figure = attention(trace, 1, 0, merge=merge, width="text")
    assert overlapping(figure) == []
    assert cut_off(figure) == []
    shown = words(figure)
    if merge == "segments":
        assert {"query segment", "key segment"} <= set(shown)
        assert shown.count("user") == 2
    else:
        assert "Lena." in shown


def test_greyscale_keeps_negative_and_positive_apart(compared) -> None:
    (*_, change) = fields(comparison(compared, 1, 0))
    low, middle, high = (np.array(change.to_rgba(np.array([one])))[0, :3] @ [0.299, 0.587, 0.114]
                         for one in (change.norm.vmin, 0.0, change.norm.vmax))  # fmt: skip
    assert low + 0.05 < high < middle - 0.2


@pytest.mark.parametrize("ending", ["pdf", "svg", "png"])
@pytest.mark.parametrize("count", [1, 30, 100])
def test_it_is_saved_in_every_format(ending, count) -> None:
    trace = random_trace([("text", count)])
    attention(trace, 0, 0).savefig(buffer := BytesIO(), format=ending)
    assert buffer.getbuffer().nbytes > 1000


@pytest.mark.parametrize("style", ["slides", "notebook"])
def test_styles(trace, style) -> None:
    figure = attention(trace, 1, 0, style=style, width="slide" if style == "slides" else 5)
    assert overlapping(figure) == []
    assert cut_off(figure) == []


def test_a_font_size_of_ones_own_changes_the_text_and_not_the_width(trace) -> None:
    sizes = {}
    for size in (6, 12):
        figure = attention(trace, 1, 0, font_size=size)
        assert overlapping(figure) == []
        assert cut_off(figure) == []
        assert figure.get_figwidth() == 3.25
        title = next(one for one in texts(figure) if "Layer 1" in one.get_text())
        sizes[size] = title.get_fontsize()
    assert sizes == {6: 6, 12: 12}


def test_the_users_colour_and_font_of_text_are_respected(trace) -> None:
    with mpl.rc_context({"text.color": "#123456", "font.family": ["DejaVu Serif"]}):
        figure = attention(trace, 1, 0)
    title = next(one for one in texts(figure) if "Layer 1" in one.get_text())
    number = next(one for one in texts(figure) if one.get_text() == "20")
    assert title.get_color() == number.get_color() == "#123456"
    assert title.get_fontfamily() == number.get_fontfamily() == ["DejaVu Serif"]
    assert overlapping(figure) == []
    assert cut_off(figure) == []


def test_characters_without_a_font_are_code_points_and_warn_at_the_users_line(monkeypatch) -> None:
    monkeypatch.setattr(fonts, "_installed", lambda: ["DejaVu Sans"])
    trace = replace(chat(12), tokens=(" 龍", *[" a"] * 11))
    with pytest.warns(UserWarning, match="no font that matplotlib knows has 龍") as warned:
        figure = attention(trace, 0, 0)
    assert warned[0].filename == __file__
    assert "⟨9F8D⟩" in words(figure)
    long = replace(chat(500), tokens=(" 龍",) * 500)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attention(long, 0, 0)
