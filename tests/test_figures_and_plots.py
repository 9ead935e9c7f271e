"""Figures and plots show the same numbers, in the same colours, and take the same arguments."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest
import reference
from matplotlib.collections import LineCollection, PolyCollection, QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.image import AxesImage

import segviz as sv
from segviz import figures, plots
from segviz.scales import ROUNDING, SCALES, values_at

KINDS = ("mask", "attention", "comparison", "heads", "flow", "tokens", "arcs")
OF_FIGURES = {"style", "ax", "recipe"}
OF_PLOTS = {"theme"}


@pytest.fixture(scope="module")
def model() -> sv.Model:
    return sv.Model(reference.make("llama", seed=2), reference.tokenizer())


@pytest.fixture(scope="module")
def prompt():
    return reference.random_chat()


@pytest.fixture(scope="module")
def trace(model, prompt) -> sv.Trace:
    return model.trace(prompt, max_new_tokens=3)


@pytest.fixture(scope="module")
def pair(model, prompt) -> sv.Comparison:
    return sv.compare(model, prompt)


def cells(figure) -> list[Any]:
    """What draws the panels of a figure: the bar is one row of colours."""
    found = figure.findobj(lambda one: isinstance(one, QuadMesh | AxesImage))
    return [one for one in found if one.get_array().shape[0] > 1]


def numbers(figure) -> list[np.ndarray]:
    return [np.ma.asarray(one.get_array()).filled(np.nan) for one in cells(figure)]


def heat_maps(plot) -> list[Any]:
    return [one for one in plot.data if one.type == "heatmap"]


def colors_of(plot, number: int) -> np.ndarray:
    """RGB ``[row, column, 3]`` of a heat map, as plotly makes them: linear between two stops."""
    trace = heat_maps(plot)[number]
    axis = plot.layout[trace.coloraxis]
    share = (np.asarray(trace.z, float) - axis.cmin) / (axis.cmax - axis.cmin)
    stops = np.array([at for at, _ in axis.colorscale])
    rgb = np.array([to_rgb(color) for _, color in axis.colorscale])
    clipped = np.clip(share, 0, 1)
    return np.stack([np.interp(clipped, stops, rgb[:, i]) for i in range(3)], axis=-1)


def test_the_modules_have_the_same_functions() -> None:
    assert set(KINDS) <= set(figures.__all__)
    assert sorted(plots.__all__) == sorted(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_arguments_are_the_same(kind) -> None:
    theirs, ours = (inspect.signature(getattr(one, kind)).parameters for one in (figures, plots))
    assert [name for name in theirs if name not in OF_FIGURES] == [
        name for name in ours if name not in OF_PLOTS
    ]
    for name in set(theirs) & set(ours) - {"width"}:
        assert theirs[name].default == ours[name].default, name
        assert theirs[name].kind == ours[name].kind, name


@pytest.mark.parametrize(
    "look",
    [
        {},
        {"queries": (12, 20), "keys": "system"},
        {"merge": "words", "hide_first": True},
        {"merge": "segments", "scale": "linear", "limit": 0.3},
        {"normalize": True, "queries": "user"},
    ],
    ids=["all", "part", "words", "segments", "normalized"],
)
def test_attention(trace, look) -> None:
    figure = figures.attention(trace, [1, 2], [0, 4, "mean"], **look)
    plot = plots.attention(trace, [1, 2], [0, 4, "mean"], **look)
    shown = numbers(figure)
    assert len(shown) == len(heat_maps(plot)) == 6
    for theirs, ours in zip(shown, heat_maps(plot), strict=True):
        np.testing.assert_array_equal(theirs, ours.z)
    for panel in cells(figure):
        assert panel.norm.vmax == pytest.approx(plot.layout.coloraxis.cmax)


def test_differences_of_several_heads(pair) -> None:
    figure, plot = (one.attention(pair, [0, 2], [1, 5]) for one in (figures, plots))
    assert len(cells(figure)) == 4
    for number, (panel, ours) in enumerate(zip(cells(figure), heat_maps(plot), strict=True)):
        values = np.ma.asarray(panel.get_array())
        np.testing.assert_array_equal(values.filled(np.nan), ours.z)
        expected = panel.get_cmap()(panel.norm(values))[..., :3]
        seen = ~np.ma.getmaskarray(values)
        assert np.abs(colors_of(plot, number) - expected)[seen].max() < 0.02


def test_long_patterns(model) -> None:
    trace = model.trace(reference.random_prompt(90, 3))
    (theirs,) = numbers(figures.attention(trace, 2, 1))
    np.testing.assert_array_equal(theirs, heat_maps(plots.attention(trace, 2, 1))[0].z)
    assert theirs.shape == (90, 90)


@pytest.mark.parametrize("scale", SCALES)
def test_a_comparison_and_its_colours(pair, scale) -> None:
    figure = figures.comparison(pair, 1, 3, scale=scale)
    plot = plots.comparison(pair, 1, 3, scale=scale)
    assert len(cells(figure)) == 3
    for number, (panel, ours) in enumerate(zip(cells(figure), heat_maps(plot), strict=True)):
        values = np.ma.asarray(panel.get_array())
        np.testing.assert_array_equal(values.filled(np.nan), ours.z)
        expected = panel.get_cmap()(panel.norm(values))[..., :3]
        seen = ~np.ma.getmaskarray(values)
        # Between stops plotly's colours are linear, and matplotlib's in 256 steps.
        assert np.abs(colors_of(plot, number) - expected)[seen].max() < 0.02


def test_the_mask(trace) -> None:
    (panel,) = cells(figures.mask(trace))
    values = np.ma.asarray(panel.get_array())
    theirs = panel.get_cmap()(panel.norm(values))[..., :3]
    ours = np.full(theirs.shape, np.nan)
    for one in heat_maps(plots.mask(trace)):
        here = np.ix_(one.y, one.x)
        part = ours[here]
        part[np.isfinite(one.z)] = to_rgb(one.colorscale[0][1])
        ours[here] = part
    visible = np.isfinite(ours[..., 0])
    np.testing.assert_array_equal(visible, trace.mask())
    np.testing.assert_allclose(theirs[visible], ours[visible], atol=1e-6)


def tiles(pixels: np.ndarray, size: int) -> np.ndarray:
    """The pictures in a mosaic ``[picture, size, size]``, found by the gaps between them."""
    seen = np.isfinite(pixels)
    parts = []
    for axis in (1, 0):
        edges = np.diff(seen.any(axis=axis).astype(int), prepend=0, append=0)
        parts.append(np.flatnonzero(edges).reshape(-1, 2).tolist())
    return np.stack(
        [
            pixels[top:bottom, left:right][:: (bottom - top) // size, :: (right - left) // size]
            for top, bottom in parts[0]
            for left, right in parts[1]
        ]
    )


def test_heads(trace, pair) -> None:
    for of, size in ((trace, 33), (pair, 30)):
        found = max(numbers(figures.heads(of, limit=0.9)), key=np.size)
        share = tiles(found, size)
        theirs = np.copysign(values_at(np.abs(share), 0.9, "sqrt"), share)
        (ours,) = heat_maps(plots.heads(of, limit=0.9))
        clipped = np.clip(tiles(ours.z, size), -0.9, 0.9)
        assert theirs.shape == (18, size, size)
        # Of differences the figure has left out those that are rounding.
        np.testing.assert_allclose(theirs, clipped, atol=1e-5 if of is trace else ROUNDING)


def test_flow(trace, pair) -> None:
    for of, panels in ((trace, 1), (pair, 3)):
        figure, plot = figures.flow(of, width=8), plots.flow(of)
        theirs = [
            text.get_text()
            for axes in figure.axes
            for text in axes.texts
            if re.fullmatch(r"[+−]?\d\.\d\d", text.get_text())
        ]
        ours = [text for one in heat_maps(plot) for row in one.text for text in row if text]
        assert len(heat_maps(plot)) == panels
        assert len(ours) > 5 * panels
        assert theirs == ours


def test_tokens(trace) -> None:
    figure = figures.tokens(trace, 1, 2, query=20, hide_first=True)
    plot = plots.tokens(trace, 1, 2, query=20, hide_first=True)
    (shades,) = [
        one for axes in figure.axes for one in axes.collections if isinstance(one, PolyCollection)
    ]
    shaded = heat_maps(plot)[0]
    rgb = colors_of(plot, 0)
    # The cells of a token share their hover text, which names its position.
    first = {}
    for place in np.argwhere(np.isfinite(shaded.z)):
        position = int(re.findall(r"\((\d+)\)", shaded.text[tuple(place)])[0])
        first.setdefault(position, rgb[tuple(place)])
    # Token 20 stands in the last segment of the prompt, and sees all of it but what is hidden.
    assert sorted(first) == list(range(1, 30))
    theirs = np.asarray(shades.get_facecolors())[:, :3]
    assert len(theirs) == len(first)
    assert np.abs(theirs - [first[at] for at in sorted(first)]).max() < 0.02


def test_arcs(trace) -> None:
    arguments = {"least": 0.05, "limit": 0.7, "queries": "user"}
    figure = figures.arcs(trace, 1, [2, 5], **arguments)
    plot = plots.arcs(trace, 1, [2, 5], **arguments)
    lines = max(
        (one for one in figure.axes[0].collections if isinstance(one, LineCollection)),
        key=lambda one: len(one.get_segments()) * (len(one.get_colors()) > 1),
    )
    ours = np.concatenate([one.customdata[::8] for one in plot.data if one.customdata is not None])
    theirs = lines.get_colors()[:, 3]
    assert len(ours) == len(theirs) > 20
    np.testing.assert_allclose(np.sort(np.minimum(ours / 0.7, 1)), np.sort(theirs), atol=0.01)
