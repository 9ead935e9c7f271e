"""Cells and norms: what matplotlib is told is what is seen."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from pypdf import PdfReader

from segviz.figures.drawing.cells import draw_cells, furthest
from segviz.figures.drawing.norms import ShareNorm, colormaps
from segviz.scales import SCALES, magnitudes, shares, values_at

MAPS = colormaps(None)


def axes_of(pixels: int, dpi: int = 100) -> Any:
    """Axes that fill a square figure of so many pixels."""
    figure = Figure(figsize=(pixels / dpi, pixels / dpi), dpi=dpi)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return axes


def picture(axes: Any) -> np.ndarray:
    """Red, green and blue ``[row, column, 3]``."""
    canvas = FigureCanvasAgg(axes.figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", ["sequential", "diverging"])
@pytest.mark.parametrize("limit", [1.0, 0.37, 3e-5])
def test_the_norm_is_the_scale_of_the_other_views(scale, kind, limit) -> None:
    norm = ShareNorm(limit, scale, kind)
    values = np.random.default_rng(1).uniform(-1.2 * limit, 1.2 * limit, (7, 5)).astype("float32")
    if kind == "sequential":
        values = np.abs(values)
    share = shares(magnitudes(values, kind), limit, scale)
    expected = share if kind == "sequential" else (1 + np.sign(values) * share) / 2
    np.testing.assert_allclose(norm(values), expected, rtol=1e-6)
    shown = np.linspace(0.01, 1, 9)
    if kind == "sequential":
        np.testing.assert_allclose(norm.inverse(shown), values_at(shown, limit, scale))
    signed = norm.inverse(np.array([0.25, 0.5, 0.75])) if kind == "diverging" else None
    if signed is not None:
        assert signed[1] == 0
        assert signed[2] == -signed[0] == values_at(np.array(0.5), limit, scale)


def test_the_norm_leaves_out_what_is_masked() -> None:
    found = ShareNorm(1.0, "linear")([[0.5, np.nan]])
    assert found.mask.tolist() == [[False, True]]
    assert ShareNorm(1.0, "linear")(np.float32(0.5)) == 0.5


@pytest.mark.parametrize("side", [8, 80])
@pytest.mark.parametrize("dpi", [50, 400])
@pytest.mark.parametrize("at", [2, 10, 17])
def test_every_cell_has_its_colour_and_masked_ones_show_the_ground(side, dpi, at) -> None:
    values = np.random.default_rng(2).uniform(0, 1, (side, side)).astype("float32")
    values[np.triu_indices(side, 1)] = np.nan
    norm = ShareNorm(1.0, "sqrt")
    axes = axes_of(side * 20, dpi)
    axes.figure.set_facecolor("#ff0000")
    draw_cells(axes, values, MAPS["sequential"], norm)
    shown = picture(axes)[at::20, at::20]
    expected = np.asarray(MAPS["sequential"](norm(values), bytes=True))[..., :3]
    visible = np.isfinite(values)
    assert np.abs(shown[visible].astype(int) - expected[visible]).max() <= 1
    assert (shown[~visible] == [255, 0, 0]).all()


def test_in_few_pixels_no_spike_is_lost() -> None:
    values = np.zeros((900, 900), np.float32)
    spots = np.random.default_rng(3).integers(0, 900, (12, 2))
    values[spots[:, 0], spots[:, 1]] = 1
    axes = axes_of(200)
    draw_cells(axes, values, MAPS["sequential"], ShareNorm(1.0, "linear"))
    shown = picture(axes)
    brightest = np.asarray(MAPS["sequential"](1.0, bytes=True))[:3]
    for row, column in spots:
        near = shown[max(0, row * 200 // 900 - 1) :][:3, max(0, column * 200 // 900 - 1) :][:, :3]
        assert (np.abs(near.astype(int) - brightest).max(axis=-1) <= 1).any()


def test_fewer_cells_are_those_furthest_from_0() -> None:
    rng = np.random.default_rng(4)
    values = np.ma.array(rng.normal(size=(7, 10)), mask=rng.random((7, 10)) < 0.4)
    found = furthest(values, 3, 4)
    for row, column in np.ndindex(3, 4):
        rows = slice(row * 7 // 3, (row + 1) * 7 // 3)
        columns = slice(column * 10 // 4, (column + 1) * 10 // 4)
        block = values[rows, columns].compressed()
        if not len(block):
            assert np.ma.getmaskarray(found)[row, column]
        else:
            assert found[row, column] == block[np.abs(block).argmax()]


def test_a_pdf_holds_the_pixels_as_they_are() -> None:
    values = np.random.default_rng(5).uniform(0, 1, (90, 70)).astype("float32")
    norm = ShareNorm(1.0, "linear")
    axes = axes_of(300)
    draw_cells(axes, values, MAPS["sequential"], norm)
    axes.figure.savefig(buffer := BytesIO(), format="pdf")
    page = PdfReader(buffer).pages[0]
    (image,) = page.images
    pixels = np.asarray(Image.open(BytesIO(image.data)).convert("RGB"))
    expected = np.asarray(MAPS["sequential"](norm(values), bytes=True))[..., :3]
    # It is stored from the bottom to the top, and mirrored where it is placed.
    np.testing.assert_array_equal(pixels[::-1], expected)
    assert b"216 0 0 -216 0 216 cm" in page.get_contents().get_data()  # type: ignore[reportOptionalMemberAccess]


def test_vector_cells_leave_no_hair_of_the_ground_between_them() -> None:
    axes = axes_of(247)
    axes.figure.set_facecolor("#ff0000")
    draw_cells(axes, np.full((13, 13), 0.5), MAPS["sequential"], ShareNorm(1.0, "linear"))
    inside = picture(axes)[3:-3, 3:-3].astype(int)
    assert np.ptp(inside.reshape(-1, 3), axis=0).max() <= 1
