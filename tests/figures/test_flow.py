"""Flow: cells, their numbers, names and colours."""

from __future__ import annotations

import laid
import matplotlib as mpl
import numpy as np
import pytest
from baselines import compared
from drawn import random_trace
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import segviz as sv
from segviz.figures.drawing.points import contrast, legible
from segviz.figures.kinds import flow
from segviz.palette import segment_color


def numbers(figure: Figure) -> dict[tuple[float, float], str]:
    """What is written in cells, by its place; every axes has its own thousand points."""
    return {
        (text.get_position()[0] + 1000 * number, text.get_position()[1]): text.get_text()
        for number, axes in enumerate(figure.axes)
        for text in axes.texts
        if len(text.get_text()) in (4, 5) and text.get_text()[-3] == "."
    }


def in_rows(found: dict[tuple[float, float], str]) -> list[list[str]]:
    rows = sorted({round(y, 3) for _, y in found})
    return [[found[place] for place in sorted(found) if round(place[1], 3) == row] for row in rows]


def test_numbers_are_the_flow() -> None:
    trace = laid.trace(60, new=2)
    expected = trace.flow(1, 2)
    found = in_rows(numbers(flow(trace, 1, 2, width="text")))
    assert len(found) == len(expected) == 5
    for row, (texts, values) in enumerate(zip(found, expected, strict=True)):
        # A segment sees itself and those before it.
        assert texts == [f"{value:.2f}" for value in values[: row + 1]]


def test_masked_cells_are_hatched_and_have_no_number() -> None:
    figure = flow(laid.trace(60, new=2), 1, 2)
    hatched = [one for one in figure.axes[0].collections if one.get_hatch()]
    assert len(hatched) == 1
    assert len(hatched[0].get_paths()) == 10
    assert len(numbers(figure)) == 15


def test_colours_are_those_of_the_numbers() -> None:
    trace = laid.trace(60)
    values = trace.flow(1, 2)
    figure = flow(trace, 1, 2, colors="Greys")
    cells = next(
        one
        for one in figure.axes[0].collections
        if isinstance(one, PolyCollection) and not one.get_hatch()
    )
    seen = np.tril(np.ones((4, 4), bool))
    expected = mpl.colormaps["Greys"](values[seen] / values.max())
    np.testing.assert_allclose(cells.get_facecolors(), expected, atol=1e-5)
    paths = [path.get_extents() for path in cells.get_paths()]
    written = 0
    for (x, y), text in numbers(figure).items():
        behind = next(
            color
            for box, color in zip(paths, cells.get_facecolors(), strict=True)
            if box.x0 < x < box.x1 and box.y0 < y < box.y1
        )
        ink = next(one.get_color() for one in figure.axes[0].texts if one.get_position() == (x, y))
        assert contrast(ink, tuple(behind)) >= 4.5, text
        written += 1
    assert written == 10


def test_a_comparison_shares_its_scale_and_shows_signs() -> None:
    compared = laid.comparison(60, new=1)
    figure = flow(compared, 1, 2)
    assert figure.get_figwidth() == 6.75
    found = numbers(figure)
    change = (compared.segment.flow(1, 2) - compared.causal.flow(1, 2))[:3, :3]
    texts = [text for row in in_rows(found) for text in row]
    for value in change[np.tril_indices(3)]:
        rounded = f"{abs(value):.2f}"
        sign = "" if float(rounded) == 0 else "+" if value > 0 else "−"
        assert sign + rounded in texts
    words = laid.words(figure)
    assert {"causal mask", "segment mask", "segment minus causal"} <= set(words)
    assert words.count("key segment") == 3
    assert words.count("query segment") == 1
    # Both bars end at the same number.
    assert words.count("1") == 2
    laid.assert_readable(figure)


@pytest.mark.parametrize("width", ["column", "text"])
@pytest.mark.parametrize(
    "names",
    [
        ("bos",),
        ("bos", "system", "user", "assistant"),
        ("bos", "a very long name that nobody would choose", "user", "assistant", "the question"),
        tuple(f"d{number}" for number in range(11)),
        laid.MANY,
        tuple(f"document {number}" for number in range(100)),
    ],
)
def test_nothing_overlaps_or_is_cut_off(names, width) -> None:
    figure = flow(laid.trace(max(len(names) * 3, 12), names=names), width=width)
    assert figure.get_figwidth() == {"column": 3.25, "text": 6.75}[width]
    assert figure.get_figheight() <= 9
    laid.assert_readable(figure)
    assert {"query segment", "key segment"} <= set(laid.words(figure))


@pytest.mark.parametrize("width", ["column", "text"])
@pytest.mark.parametrize("names", [("bos", "system", "user"), laid.MANY])
def test_nothing_overlaps_in_comparisons(names, width) -> None:
    laid.assert_readable(flow(laid.comparison(120, names=names), width=width))


def test_many_segments_have_no_numbers_and_fewer_names() -> None:
    figure = flow(laid.trace(120, names=laid.MANY))
    assert not numbers(figure)
    names = [word for word in laid.words(figure) if word.startswith("document")]
    assert 10 < len(names) < 60
    picture = flow(laid.trace(300, names=tuple(f"document {one}" for one in range(100))))
    cells = max(picture.axes[0].images, key=lambda image: image.get_array().size)
    assert cells.get_array().shape == (100, 100)
    np.testing.assert_array_equal(
        np.ma.getmaskarray(cells.get_array()), np.triu(np.ones((100, 100), bool), 1)
    )


def test_names_have_the_segments_colours() -> None:
    figure = flow(laid.trace(60))
    for number, name in enumerate(("bos", "system", "user", "assistant")):
        found = [text for text in laid.texts(figure) if text.get_text() == name]
        assert len(found) == 2
        for text in found:
            assert to_rgb(text.get_color()) == legible(segment_color(number))


def test_axes_of_the_user() -> None:
    figure = Figure(figsize=(8, 3))
    axes = figure.subplots(1, 3)
    assert flow(laid.comparison(60), 0, ax=axes) is figure
    laid.assert_readable(figure)
    assert len(numbers(figure)) == 18
    with pytest.raises(ValueError, match="holds 1 axes, and this figure has 3 panels"):
        flow(laid.comparison(60), ax=axes[0])
    alone = Figure(figsize=(4, 4))
    flow(laid.trace(60), ax=alone.subplots())
    laid.assert_readable(alone)


def test_titles_and_unknown_colors() -> None:
    trace = laid.trace(60)
    assert "Segment mask (untuned), mean over all heads" in laid.words(flow(trace))
    assert "Segment mask (untuned), layer 1, head 2" in laid.words(flow(trace, 1, 2))
    bare = flow(trace, title="")
    assert not [word for word in laid.words(bare) if "mask" in word]
    assert bare.get_figheight() < flow(trace).get_figheight()
    with pytest.raises(ValueError, match="colors='veridis'"):
        flow(trace, colors="veridis")
    figure = flow(laid.comparison(60), colors=("Greys", "RdBu"))
    laid.assert_readable(figure)


@pytest.mark.parametrize(("width", "font_size"), [(2.5, 9), (3.25, 9), (3.25, 12), (6.75, 20)])
def test_matrices_side_by_side_keep_their_texts_to_themselves(width, font_size) -> None:
    laid.assert_readable(flow(laid.comparison(60), width=width, font_size=font_size))


@pytest.mark.parametrize("count", [100, 101, 299])
@pytest.mark.parametrize("style", ["paper", "slides"])
def test_names_of_hundreds_of_segments_stay_on_the_page(count, style) -> None:
    trace = random_trace([(f"turn {number}", 1 + number % 2) for number in range(count)], new=2)
    for width in ("column", "text"):
        laid.assert_readable(flow(trace, 1, width=width, style=style))
    laid.assert_readable(flow(compared(trace), 1, style=style))


def test_no_room_for_three() -> None:
    with pytest.raises(ValueError, match=r"3 matrices are too many for a figure 1\.2 inches wide"):
        flow(laid.comparison(60), width=1.2)


def test_the_embedded_model() -> None:
    model = sv.load()
    laid.assert_readable(flow(sv.compare(model, sv.examples["chain"], max_new_tokens=2)))
