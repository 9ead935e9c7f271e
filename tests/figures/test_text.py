"""Running text: lines, shades, segments and what happens to texts of thousands of tokens."""

from __future__ import annotations

import re
from itertools import pairwise

import laid
import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import segviz as sv
from segviz.figures.drawing.lines import in_lines, shortened
from segviz.figures.drawing.points import luminance
from segviz.figures.kinds import tokens
from segviz.palette import DECODE, MUTED, segment_color


class Monospaced:
    """One point for each character."""

    def width(self, text: str, _size: float) -> float:
        return len(text)

    def fit(self, text: str, _size: float, room: float) -> str:
        return text if len(text) <= room else text[: int(room) - 1] + "…"


def lines_of(labels, starts=(0,), room=12) -> list[str]:
    lines = in_lines(labels, set(starts), Monospaced(), 7, room)
    for line in lines:
        assert line[-1].x + line[-1].width <= room
        for before, after in pairwise(line):
            assert after.x == before.x + before.width
    return ["".join(piece.text for piece in line) for line in lines]


def test_words_stay_whole_where_a_line_holds_them() -> None:
    labels = ["An", "na", " fol", "lows", " Ben", ".", " Who", "?"]
    assert lines_of(labels) == ["Anna follows", "Ben. Who?"]
    assert lines_of(labels, room=8) == ["Anna", "follows", "Ben.", "Who?"]
    assert lines_of(labels, room=3) == ["An", "na", "fol", "low…"[:2] + "…", "Ben", ".", "Who", "?"]


def test_words_longer_than_a_line_are_divided_at_tokens() -> None:
    assert lines_of(["a", " inter", "nation", "al", "isation"], room=10) == [
        "a inter",
        "national",
        "isation",
    ]
    assert lines_of(["你", "好", "世", "界"], room=3) == ["你好世", "界"]


def test_lines_end_at_breaks_and_segments() -> None:
    labels = ["a", ".⏎", "b", "⏎⏎", "c", "<|end|>", "d"]
    assert lines_of(labels) == ["a.⏎", "b⏎⏎", "c<|end|>d"]
    assert lines_of(labels, starts=(0, 5)) == ["a.⏎", "b⏎⏎", "c", "<|end|>d"]


@pytest.mark.parametrize("seed", range(20))
def test_every_token_stands_in_some_line_once(seed) -> None:
    rng = np.random.default_rng(seed)
    labels = [rng.choice(["a", " bc", "d⏎", "␣␣", "<s>", " longest", "."]) for _ in range(60)]
    starts = {0, *rng.integers(1, 60, 3).tolist()}
    lines = in_lines(labels, starts, Monospaced(), 7, int(rng.integers(2, 20)))
    assert [piece.token for line in lines for piece in line] == list(range(60))
    assert starts <= {line[0].token for line in lines}


def test_the_middle_of_a_long_text_is_left_out() -> None:
    lines = in_lines(["ab"] * 30, {0}, Monospaced(), 7, 6)
    head, gone, tail = shortened(lines, 7)
    assert len(head) + 1 + len(tail) == 7
    assert sum(map(len, head)) + gone + sum(map(len, tail)) == 30
    assert head[0][0].token == 0
    assert tail[-1][-1].token == 29


@pytest.mark.parametrize("width", ["column", "text"])
@pytest.mark.parametrize("length", [1, 12, 60, 500, 4000])
def test_nothing_overlaps_or_is_cut_off(length, width) -> None:
    figure = tokens(laid.trace(length, new=2), 1, 2, width=width)
    assert figure.get_figwidth() == {"column": 3.25, "text": 6.75}[width]
    assert figure.get_figheight() <= 9
    laid.assert_readable(figure)


def test_in_a_narrow_figure_the_unit_is_shortened() -> None:
    figure = tokens(laid.trace(60, new=2), 1, 2, width=1.2)
    laid.assert_readable(figure)
    assert any(word.startswith("at") and "…" in word for word in laid.words(figure))


@pytest.mark.parametrize("style", ["slides", "notebook"])
def test_other_styles_and_many_segments(style) -> None:
    width = {"slides": "slide", "notebook": 5}[style]
    figure = tokens(laid.trace(300, names=laid.MANY), 0, 1, width=width, style=style)
    laid.assert_readable(figure)


def test_all_tokens_are_there_and_in_order() -> None:
    trace = laid.trace(60, new=2)
    figure = tokens(trace, 1, 2, title="")
    placed = [(-box[1], box[0], text) for text, box in laid.boxes(figure)]
    names = {"bos", "system", "user", "assistant", "response", "decode", "query",
             "attention probability", "not seen"}  # fmt: skip
    shown = [text for _, _, text in sorted((round(y), x, text) for y, x, text in placed)]
    body = [text for text in shown if text not in names and not re.fullmatch(r"\d[\d.]*", text)]
    expected = [token.strip(" ").replace("\n", "⏎") for token in trace.tokens]
    assert body == [token if token != "" else "␣" for token in expected]


def test_a_long_text_says_how_much_is_missing() -> None:
    trace = laid.trace(4000)
    figure = tokens(trace, 1, 2, title="", width="column")
    words = laid.words(figure)
    remark = next(word for word in words if word.startswith("… "))
    missing = int(re.search(r"[\d,]+", remark).group().replace(",", ""))
    others = ("bos", "system", "user", "assistant", "query", "attention probability", remark)
    rest = [word for word in words if word not in others]
    ticks = [word for word in rest if re.fullmatch(r"\d[\d.]*|\d·10\S+|10\S+", word)]
    assert missing > 2000
    # What is written and what is missing are all tokens; figures in the text look like no tick.
    assert len(rest) - len(ticks) + missing == 4000


def test_shades_are_the_attention_of_the_query() -> None:
    trace = laid.trace(40)
    figure = tokens(trace, 1, 2, query=30, scale="linear", limit=0.5, colors="Greys", title="")
    expected = np.minimum(trace.attention(1, 2)[30] / 0.5, 1)
    visible = trace.mask()[30]
    (shades,) = [one for one in figure.axes[0].collections if isinstance(one, PolyCollection)]
    wanted = mpl.colormaps["Greys"](expected[visible])
    np.testing.assert_allclose(shades.get_facecolors()[:, :3], wanted[:, :3], atol=1e-6)


def test_texts_are_readable_on_their_shades() -> None:
    trace = laid.trace(60)
    figure = tokens(trace, 1, 2, hide_first=True, scale="sqrt", title="")
    (shades,) = [one for one in figure.axes[0].collections if isinstance(one, PolyCollection)]
    paths = [path.get_extents() for path in shades.get_paths()]
    found = 0
    for text in figure.axes[0].texts:
        x, y = text.get_position()
        behind = [
            color
            for box, color in zip(paths, shades.get_facecolors(), strict=True)
            if box.x0 < x + 1 < box.x1 and box.y0 < y < box.y1
        ]
        if len(behind) == 1:
            found += 1
            light, dark = sorted([luminance(text.get_color()), luminance(behind[0][:3])])[::-1]
            assert (light + 0.05) / (dark + 0.05) >= 4.5
    assert found == 59


def test_the_query_is_framed_and_special_tokens_are_muted() -> None:
    trace = laid.trace(40)
    figure = tokens(trace, 1, 2, query=30, title="")
    frames = [
        path.get_extents()
        for one in figure.axes[0].collections
        if isinstance(one, LineCollection)
        for path in one.get_paths()
        if len(path.vertices) == 5
    ]
    assert len(frames) == 1
    inside = [
        text.get_text()
        for text in figure.axes[0].texts
        if frames[0].contains(text.get_position()[0] + 0.1, text.get_position()[1])
    ]
    assert inside == [trace.tokens[30].replace("\n", "⏎").strip()]
    # On a dark shade nothing is muted.
    figure = tokens(trace, title="")
    special = next(one for one in laid.texts(figure) if one.get_text().startswith("<|"))
    assert special.get_color() == MUTED


def test_segments_have_bars_and_decoding_a_line() -> None:
    trace = laid.trace(40, new=2)
    figure = tokens(trace, title="")
    lines = [one for one in figure.axes[0].collections if isinstance(one, LineCollection)]
    colors = [tuple(one.get_colors()[0][:3]) for one in lines]
    for number in range(len(trace.segmentation.segments)):
        assert to_rgb(segment_color(number)) in colors
    assert to_rgb(DECODE) in colors
    assert "decode" in laid.words(figure)
    without = tokens(laid.trace(40), title="")
    assert "decode" not in laid.words(without)
    # Without a layer nothing is shaded by numbers, so there is no bar.
    assert not figure.axes[0].images


def test_a_part_in_axes_of_the_user() -> None:
    figure = Figure(figsize=(6, 5))
    axes = figure.subplots(2)
    axes[0].set_axis_off()
    assert tokens(laid.trace(40), 1, 2, keys="user", ax=axes[1], title="") is figure
    assert tuple(figure.get_size_inches()) == (6, 5)
    laid.assert_readable(figure)
    inside = axes[1].get_window_extent().padded(2)
    for text in axes[1].texts:
        for corner in text.get_window_extent().get_points():
            assert inside.contains(*corner), text
    with pytest.raises(ValueError, match="holds 2 axes"):
        tokens(laid.trace(40), 1, 2, ax=axes)


def test_dollars_are_no_formulas_and_titles_are_the_users() -> None:
    trace = laid.trace(60)
    assert " $5" in trace.tokens
    figure = tokens(trace, 1, 2, title="cost: $5")
    assert "$5" in laid.words(figure)
    assert "cost: $5" in laid.words(figure)
    laid.assert_readable(figure)


def test_unknown_colors() -> None:
    with pytest.raises(ValueError, match="colors='virdis': matplotlib has no colormap"):
        tokens(laid.trace(12), 1, 2, colors="virdis")


def test_unknown_scales_and_limits() -> None:
    with pytest.raises(ValueError, match="scale='cubic'"):
        tokens(laid.trace(12), 1, 2, scale="cubic")
    with pytest.raises(ValueError, match="limit=-1"):
        tokens(laid.trace(12), 1, 2, limit=-1)
    with pytest.raises(ValueError, match="name it, layer="):
        tokens(laid.trace(12), head=1)


def test_the_embedded_model() -> None:
    trace = sv.load().trace(sv.examples["chain"], max_new_tokens=4)
    figure = tokens(trace, 2, 0, hide_first=True, width="column")
    laid.assert_readable(figure)
    assert "hidden" in " ".join(laid.words(figure))
