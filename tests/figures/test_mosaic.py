"""The mosaic of all heads: its pixels, its numbers and its KV groups."""

from __future__ import annotations

import laid
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

import segviz as sv
from segviz import charts
from segviz.figures.kinds import heads

BIG = (32, 32, 8)


def picture(figure: Figure):
    """The mosaic, the larger one of the two images."""
    return max(figure.axes[0].images, key=lambda image: image.get_array().size)


def tiles(figure: Figure) -> list[list[np.ndarray]]:
    """The pictures of the heads, found by the gaps between them."""
    pixels = picture(figure).get_array().filled(np.nan)
    empty = np.isnan(pixels)
    rows, columns = ~empty.all(axis=1), ~empty.all(axis=0)
    parts = [
        np.flatnonzero(np.diff(one.astype(int), prepend=0, append=0)) for one in (rows, columns)
    ]
    return [
        [pixels[a:b, c:d] for c, d in parts[1].reshape(-1, 2)] for a, b in parts[0].reshape(-1, 2)
    ]


def test_every_head_is_shown_exactly() -> None:
    trace = laid.trace(30)
    found = tiles(heads(trace, width="text", scale="sqrt", limit=1))
    expected = np.where(trace.mask(), trace.thumbnails(30) / 255, np.nan)
    assert len(found) == 3
    assert {len(row) for row in found} == {6}
    for layer, row in enumerate(found):
        for head, tile in enumerate(row):
            repeated = len(tile) // 30
            cells = tile[::repeated, ::repeated]
            np.testing.assert_allclose(cells, expected[layer, head], atol=1e-6)
            np.testing.assert_array_equal(tile, np.kron(cells, np.ones((repeated, repeated))))


def test_small_heads_show_the_largest_of_their_cells() -> None:
    trace = laid.trace(96, shape=BIG)
    found = tiles(heads(trace, limit=1))
    side = len(found[0][0])
    whole = trace.thumbnails(48)[7, 19] / 255
    cells = found[7][19]
    # Every cell is drawn as so many pixels on a side.
    step = np.flatnonzero((np.diff(np.nan_to_num(cells), axis=1) != 0).any(axis=0))[0] + 1
    factor = 48 * step // side
    blocks = pooled(whole, factor)
    assert factor > 1
    expected = np.where(pooled(trace.mask(), 2 * factor), blocks, np.nan)
    assert np.isnan(expected).any()
    np.testing.assert_allclose(cells[::step, ::step], expected, atol=1e-6)


def pooled(array: np.ndarray, factor: int) -> np.ndarray:
    """The largest of each block of cells."""
    return array.reshape(len(array) // factor, factor, -1, factor).max(axis=(1, 3))


def test_gaps_between_kv_groups_are_wider() -> None:
    pixels = picture(heads(laid.trace(30))).get_array()
    empty = np.ma.getmaskarray(pixels).all(axis=0)
    edges = np.flatnonzero(np.diff(empty.astype(int))).reshape(-1, 2)
    widths = (edges[:, 1] - edges[:, 0]).tolist()
    assert len(widths) == 5
    assert widths[2] > 2 * widths[0]
    assert set(widths[:2] + widths[3:]) == {widths[0]}


def test_kv_groups_have_brackets_and_names() -> None:
    figure = heads(laid.trace(30))
    assert {"KV 0", "KV 1"} <= set(laid.words(figure))
    brackets = [
        path.get_extents().width
        for one in figure.axes[0].collections
        if isinstance(one, LineCollection)
        for path in one.get_paths()
        if len(path.vertices) == 4
    ]
    assert len(brackets) == 2
    alone = heads(laid.trace(12, shape=(2, 4, 4)))
    assert not [word for word in laid.words(alone) if "KV" in word]
    shared = heads(laid.trace(12, shape=(2, 4, 1)))
    assert "KV 0" in laid.words(shared)


@pytest.mark.parametrize("width", ["column", "text", 1.5])
@pytest.mark.parametrize("shape", [(3, 6, 2), BIG, (40, 4, 1), (1, 32, 4)])
def test_nothing_overlaps_or_is_cut_off(shape, width) -> None:
    figure = heads(laid.trace(12, shape=shape), width=width)
    assert figure.get_figwidth() == {"column": 3.25, "text": 6.75}.get(width, width)
    assert figure.get_figheight() <= 9.01
    laid.assert_readable(figure)
    assert len(tiles(figure)) == shape[0]
    assert len(tiles(figure)[0]) == shape[1]


def test_numbers_stand_at_their_heads_and_layers() -> None:
    figure = heads(laid.trace(12, shape=BIG), width="text", title="")
    image = picture(figure)
    left, right, bottom, top = image.get_extent()
    pixels = image.get_array().filled(np.nan)
    for text in figure.axes[0].texts:
        x, y = text.get_position()
        word = text.get_text()
        if not word.isdigit() or y > bottom:
            continue
        if x < left:
            place = (y - 2.5 - top) / (bottom - top) * len(pixels)
            rows = np.isnan(pixels).all(axis=1)
            assert np.diff(rows[: int(place)].astype(int)).clip(0).sum() == int(word)
        else:
            place = (x - left) / (right - left) * pixels.shape[1]
            columns = np.isnan(pixels).all(axis=0)
            assert np.diff(columns[: int(place)].astype(int)).clip(0).sum() == int(word)


def test_differences_have_signs_and_other_colours() -> None:
    compared = laid.comparison(30)
    figure = heads(compared, limit=1, width="text")
    expected = (compared.thumbnails(30).astype(float) - 128) / 127
    expected[abs(expected) < 0.01] = 0
    expected[:, :, ~(compared.segment.mask() | compared.causal.mask())] = np.nan
    found = tiles(figure)
    for layer in range(3):
        for head in range(6):
            tile = found[layer][head]
            step = len(tile) // 30
            np.testing.assert_allclose(tile[::step, ::step], expected[layer, head], atol=1e-6)
    assert picture(figure).get_cmap().name == "PuOr_r"
    assert "change in probability" in laid.words(figure)
    assert "All heads: segment minus causal (untuned)" in laid.words(figure)


def test_one_token_chosen_layers_and_no_title() -> None:
    figure = heads(laid.trace(1), layers=[2, 0], title="")
    laid.assert_readable(figure)
    assert len(tiles(figure)) == 2
    assert not [word for word in laid.words(figure) if "All heads" in word]


def test_axes_of_the_user_and_unknown_colors() -> None:
    figure = Figure(figsize=(4, 4))
    axes = figure.subplots()
    assert heads(laid.trace(30), ax=axes, colors="Greys") is figure
    laid.assert_readable(figure)
    assert picture(figure).get_cmap().name == "Greys"
    with pytest.raises(ValueError, match="colors='blues'"):
        heads(laid.trace(30), colors="blues")
    with pytest.raises(ValueError, match="scale='cubic'"):
        heads(laid.trace(30), scale="cubic")


def test_clipped_numbers_say_so() -> None:
    figure = heads(laid.trace(30), limit=0.05)
    assert "≥0.05" in laid.words(figure)
    chart = charts.heads(laid.trace(30), limit=0.05)
    assert chart.clipped


def test_the_embedded_model() -> None:
    laid.assert_readable(heads(sv.load().trace(sv.examples["chain"])))
