"""Plots: their numbers, labels, brackets and sizes; what they look like is for the browser."""

from __future__ import annotations

import html
import inspect
import itertools
import random
import re
import subprocess
import sys
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import plotly.graph_objects as go
import pytest
import reference
import torch
from matplotlib.colors import to_rgb

import segviz as sv
from segviz import charts, labels, plots, scales
from segviz.charts import Axis
from segviz.patterns import CapturedLayer
from segviz.plots.brackets import placed
from segviz.plots.colors import color_scale, ticks
from segviz.plots.lines import cells_of, set_in_lines
from segviz.plots.page import THEMES, Page


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


def long_trace(trace: sv.Trace, length: int) -> sv.Trace:
    """A trace of random queries and keys, of as many tokens as one likes."""
    generator = torch.Generator().manual_seed(0)
    layer = CapturedLayer(
        torch.randn(4, length, 8, generator=generator),
        torch.randn(2, length, 8, generator=generator),
        scale=1.0,
    )
    segments = [sv.Segment(0, length // 3, "system"), sv.Segment(length // 3, length, "user")]
    return replace(
        trace, tokens=tuple(f" t{i}" for i in range(length)), token_ids=tuple(range(length)),
        prompt_length=length, segmentation=sv.Segmentation(segments), layers=[layer],
    )  # fmt: skip


def heat_maps(plot) -> list:
    return [one for one in plot.data if one.type == "heatmap"]


def test_a_part_of_a_pattern_is_exact_and_masked_cells_are_gaps(trace) -> None:
    plot = plots.attention(trace, 1, 4, queries=(2, 9), keys="system")
    (z,) = (one.z for one in heat_maps(plot))
    expected = trace.attention(1, 4)[2:9, 3:11]
    visible = reference.dense_mask(trace.segmentation, 33)[2:9, 3:11]
    assert z.dtype == np.float32
    np.testing.assert_array_equal(np.isfinite(z), visible)
    np.testing.assert_allclose(z[visible], expected[visible], rtol=1e-5)
    assert 0 < visible.sum() < visible.size


def test_labels_name_the_token_of_each_cell(trace) -> None:
    plot = plots.attention(trace, 1, 4, queries=(12, 20), keys="system")
    for axis, start, stop in ((plot.layout.yaxis, 12, 20), (plot.layout.xaxis, 3, 11)):
        shown = [re.sub("<.*?>", "", axis.labelalias[str(i)]) for i in range(stop - start)]
        assert shown == [f"{trace.tokens[at].strip()}␣ ({at})" for at in range(start, stop)]
        assert len(axis.labelalias) == stop - start
    assert plot.layout.yaxis.range == (7.5, -0.5)


def test_panels_share_their_axes_and_their_limit(pair) -> None:
    plot = plots.comparison(pair, 1, 2, limit=0.4)
    layout = plot.layout
    assert [layout[f"xaxis{i}"].matches for i in (2, 3)] == ["x", "x"]
    assert [layout[f"yaxis{i}"].matches for i in (2, 3)] == ["y", "y"]
    assert layout.yaxis.scaleanchor == "x"
    assert [one.coloraxis for one in heat_maps(plot)] == ["coloraxis", "coloraxis", "coloraxis2"]
    assert (layout.coloraxis.cmin, layout.coloraxis.cmax) == (0, 0.4)
    assert (layout.coloraxis2.cmin, layout.coloraxis2.cmax) == (-0.4, 0.4)
    np.testing.assert_array_equal(
        np.nan_to_num(heat_maps(plot)[2].z), pair.difference(1, 2), strict=True
    )


@pytest.mark.parametrize("scale", scales.SCALES)
@pytest.mark.parametrize("kind", ["sequential", "diverging"])
@pytest.mark.parametrize("limit", [1.0, 0.0317])
def test_colours_are_those_of_the_scale(scale, kind, limit) -> None:
    name = {"sequential": "magma", "diverging": "RdBu_r"}[kind]
    stops = color_scale(name, kind, scale, limit)
    at = np.array([stop for stop, _ in stops])
    rgb = np.array([to_rgb(color) for _, color in stops])
    assert at[0] == 0
    assert at[-1] == 1
    assert (np.diff(at) >= 0).all()
    rng = np.random.default_rng(0)
    values = limit * rng.uniform(0, 1, 500) ** 4
    if kind == "diverging":
        values *= rng.choice([-1, 1], 500)
    share = scales.shares(scales.magnitudes(values, kind), limit, scale)
    if kind == "diverging":
        share = (1 + np.sign(values) * share) / 2
        place = (values / limit + 1) / 2
    else:
        place = values / limit
    found = np.stack([np.interp(place, at, rgb[:, i]) for i in range(3)], axis=-1)
    assert np.abs(found - mpl.colormaps[name](share)[:, :3]).max() < 0.03


@pytest.mark.parametrize("scale", scales.SCALES)
@pytest.mark.parametrize("kind", ["sequential", "diverging"])
@pytest.mark.parametrize("limit", [1.0, 0.8734, 0.0021, 0.05])
def test_ticks_stand_where_their_numbers_are(scale, kind, limit) -> None:
    at, texts = ticks(kind, scale, limit, clipped=False)
    assert len(at) == len(texts) >= 3
    assert at == sorted(at)
    least = 0.3 if kind == "diverging" else 0.15
    assert np.diff(at).min() > least - 1e-5
    for place, text in zip(at, texts, strict=True):
        value = float(re.sub("[≤≥± ]", "", text).replace("−", "-"))
        share = float(scales.shares(np.array([abs(value)]), limit, scale)[0])
        # Texts have two digits.
        assert abs(place) == pytest.approx(share, abs=0.015)
        assert value == 0 or place == 0 or (value < 0) == (place < 0)


def test_the_bar_is_even_in_the_shares(trace) -> None:
    layout = plots.attention(trace, 1, 4, scale="log").layout
    bar = layout.coloraxis2
    assert not layout.coloraxis.showscale
    positions = [at for at, _ in bar.colorscale]
    assert np.allclose(np.diff(positions), positions[1])
    assert bar.colorbar.tickvals[0] == 0
    assert any("attention probability" in one.text for one in layout.annotations)


def test_many_tokens_are_pooled_and_the_axes_say_so(trace) -> None:
    long = long_trace(trace, 2100)
    plot = plots.attention(long, 0, 1)
    (z,) = (one.z for one in heat_maps(plot))
    assert z.shape == (700, 700)
    whole = long.attention(0, 1)
    np.testing.assert_array_equal(z[650, 300], whole[1950:1953, 900:903].max())
    assert plot.layout.xaxis.title.text == "key, 3 tokens a cell"
    assert plot.layout.yaxis.title.text == "query, 3 tokens a cell"
    assert plot.layout.xaxis.labelalias["300"] == "900–902"


def test_a_page_has_the_numbers_once(trace) -> None:
    long = long_trace(trace, 500)
    page = plots.attention(long, 0, 1).to_html(include_plotlyjs=False)
    in_base64 = 500 * 500 * 4 * 4 / 3
    assert in_base64 < len(page) < in_base64 + 500 * 700


def test_the_mask(trace) -> None:
    plot = plots.mask(trace, queries=(1, 20))
    causal, *added = heat_maps(plot)
    assert causal.name == "causal"
    assert [one.name for one in added] == ["added by system", "added by user"]
    found = np.zeros((19, 33), bool)
    for one in added:
        found[np.ix_(one.y, one.x)] |= np.isfinite(one.z)
    expected = reference.dense_mask(trace.segmentation, 33)[1:20]
    np.testing.assert_array_equal(found, expected & ~np.tri(33, dtype=bool)[1:20])
    # Zooming in must not leave out the cells that nobody sees.
    assert plot.layout.xaxis.categoryarray == tuple(range(33))


def test_the_mask_of_a_segmentation() -> None:
    plot = plots.mask(sv.Segmentation([sv.Segment(0, 4, "a"), sv.Segment(4, 6, "b", "causal")]))
    assert [one.name for one in heat_maps(plot)] == ["causal", "added by a"]


def test_heads_are_where_their_names_are(trace, pair) -> None:
    for of, expected in (
        (trace, (trace.thumbnails(33) / 255) ** 2),
        (pair, None),
    ):
        plot = plots.heads(of, layers=[2, 0])
        visible = trace.mask()[: len(of.tiles(0, 0).spans), : len(of.tiles(0, 0).spans)]
        (z,) = (one.z for one in heat_maps(plot))
        rows, columns = plot.layout.yaxis.labelalias, plot.layout.xaxis.labelalias
        for layer, head in ((2, 5), (0, 1)):
            here = np.ix_(
                [int(row) for row, name in rows.items() if name == str(layer)],
                [int(at) for at, name in columns.items() if name.startswith(f"{head} (KV")],
            )
            tile = z[here]
            if expected is None:
                difference = pair.difference(layer, head)
                np.testing.assert_allclose(tile[visible], difference[visible], atol=0.008)
                assert np.nanmin(tile) < -0.05
            else:
                np.testing.assert_allclose(tile[visible], expected[layer, head][visible], atol=1e-6)
            np.testing.assert_array_equal(np.isfinite(tile), visible)


def test_many_heads_are_smaller(trace) -> None:
    assert heat_maps(plots.heads(trace))[0].z.shape[0] > 3 * 33
    sizes = {plots.mosaic.size_of(layers, heads) for layers, heads in ((32, 32), (80, 64))}
    assert max(sizes) * 32 <= 1024


def test_flow(trace, pair) -> None:
    (one,) = heat_maps(plots.flow(trace, 1, 3))
    seen = np.isfinite(one.z)
    np.testing.assert_array_equal(one.z[seen], trace.flow(1, 3)[seen])
    np.testing.assert_array_equal(seen, np.tri(4, dtype=bool))
    assert one.text[3][0] == f"{trace.flow(1, 3)[3, 0]:.2f}"
    _, _, change = heat_maps(plots.flow(pair))
    expected = pair.segment.flow() - pair.causal.flow()
    np.testing.assert_allclose(change.z[np.tri(3, dtype=bool)], expected[np.tri(3, dtype=bool)])


def test_a_text_fits_into_a_notebook(trace) -> None:
    # JupyterLab has about 800 pixels for it, with its side bar, in a window 1,280 wide.
    assert plots.tokens(trace).layout.width <= 800
    assert plots.tokens(trace, width="slide").layout.width == 960


@pytest.mark.parametrize("kind", plots.__all__)
@pytest.mark.parametrize("module", [plots, sv.figures])
def test_help_explains_every_argument(kind, module) -> None:
    function = getattr(module, kind)
    explained = re.findall(r"^    (\w+): \S", inspect.getdoc(function) or "", re.MULTILINE)
    names = list(inspect.signature(function).parameters)
    assert [name for name in names if explained.count(name) != 1] == []


def test_a_text_is_all_there_and_in_order(trace) -> None:
    plot = plots.tokens(trace)
    (words,) = (one for one in plot.data if one.type == "scatter" and one.mode == "text")
    order = np.lexsort((words.x, words.y))
    assert order.tolist() == list(range(33))
    shown = [html.unescape(text) for text in words.text]
    assert shown == [label.lstrip() for label in labels.labels(trace.tokens)]
    # Each segment begins a line.
    for segment in trace.segmentation.segments:
        assert words.x[segment.start] == 0


@pytest.mark.parametrize("seed", range(5))
def test_lines_hold_every_token_and_are_not_too_long(seed) -> None:
    rng = random.Random(seed)
    words = [" a", "word", " internationalisation", "⏎", "北京", " 😀", ".", " e\u0301t\u00e9"]
    tokens = [rng.choice(words) for _ in range(80)]
    spans = charts.tokens(sv.load().trace(sv.examples["chain"])).spans[:1]
    places = set_in_lines(tokens, spans, 12)
    assert len(places) == 80
    for (before, place), label in zip(itertools.pairwise(places), tokens, strict=False):
        assert place.line - before.line in (0, 1)
        assert place.line > before.line or place.start == before.stop
        assert (place.line > before.line) or label != "⏎"
    assert max(place.stop for place in places) <= 12
    for place in places:
        assert place.stop - place.start == place.lead + cells_of(place.text)


def test_arcs_end_at_their_tokens(trace) -> None:
    plot = plots.arcs(trace, 1, 3, least=0.1, queries="user", limit=0.5)
    attention = trace.attention(1, 3)
    found = {}
    for one in (one for one in plot.data if one.customdata is not None):
        for start in range(0, len(one.x), 8):
            query, key = map(int, re.findall(r"\((\d+)\)", one.text[start]))
            found[query, key] = one.customdata[start]
            assert (one.x[start], one.x[start + 6]) == (0, 1)
            assert np.isnan(one.y[start + 7])
            # Queries stand beside the keys that they are.
            assert (one.y[start], one.y[start + 6]) == (query, key)
            assert abs(one.opacity - min(1, attention[query, key] / 0.5)) <= 1 / 16 + 1e-6
    expected = {(q, k) for q, k in np.argwhere(attention >= 0.1).tolist() if 11 <= q < 30}
    assert set(found) == expected
    assert all(found[pair] == pytest.approx(attention[pair]) for pair in expected)


def test_segments_borders_and_marks(trace) -> None:
    plot = plots.attention(trace, 1, 3, queries=(8, 33), highlight=[12, 2])
    shapes = plot.layout.shapes
    brackets = [shape for shape in shapes if shape.type == "path"]
    assert len(brackets) == 4 + 3
    assert [shape.line.dash for shape in brackets] == [
        "dot", "solid", "solid", "dot", "solid", "solid", "dot",
    ]  # fmt: skip
    (down, across) = (shape for shape in shapes if shape.type == "line")
    assert (down.xref, down.x0, down.x1, down.yref) == ("x", 29.5, 29.5, "y domain")
    assert (across.yref, across.y0, across.y1, across.xref) == ("y", 21.5, 21.5, "x domain")
    frames = [shape for shape in shapes if shape.type == "rect"]
    # Token 2 is no query in sight.
    assert [(f.x0, f.x1) for f in frames if f.xref == "x"] == [(1.5, 2.5), (11.5, 12.5)]
    assert [(f.y0, f.y1) for f in frames if f.yref == "y"] == [(3.5, 4.5)]
    names = {note.text for note in plot.layout.annotations}
    assert {"bos", "system", "user", "response"} <= names
    assert "dashed: decoding starts" in plot.layout.title.text


@pytest.mark.parametrize("seed", range(8))
def test_names_beside_each_other_do_not_overlap(seed) -> None:
    rng = random.Random(seed)
    segmentation = reference.random_segmentation(rng.randint(6, 400), rng)
    named = sv.Segmentation(
        replace(segment, name=rng.choice(["bos", "system", "a rather long name", "user 2"]))
        for segment in segmentation.segments
    )
    length = named.length
    axis = Axis.of([], named, None, np.arange(length), length)
    page = Page.of()
    pitch = rng.choice([100, 300, 600]) / length
    taken: dict[int, list[tuple[float, float]]] = {0: [], 1: []}
    names = placed(axis, pitch, page)
    assert names
    for name in names:
        middle = (name.span.start + name.span.stop) / 2 * pitch + name.shift
        half = page.text_width(name.text) / 2
        taken[name.level].append((middle - half, middle + half))
    for level in taken.values():
        for before, after in itertools.pairwise(sorted(level)):
            assert before[1] < after[0]


def test_hidden_first_token_and_untuned_weights_are_told(trace) -> None:
    plot = plots.attention(trace, 1, 3, hide_first=True)
    assert plot.layout.xaxis.title.text == "key (first token hidden)"
    assert np.nansum(heat_maps(plot)[0].z[:, 0]) == 0
    assert (
        "hidden"
        not in plots.attention(trace, 1, 3, hide_first=True, keys="user").layout.xaxis.title.text
    )
    lines = plots.arcs(trace, 1, 3, hide_first=True)
    assert lines.layout.xaxis.ticktext == ("query", "key (first token hidden)")
    assert "untuned" in plot.layout.title.text
    tuned = sv.load().trace(sv.examples["chain"])
    assert "untuned" not in plots.attention(tuned, 1, 3).layout.title.text


def test_titles(trace) -> None:
    assert plots.attention(trace, 1, 3).layout.title.text.startswith("Layer 1, head 3")
    assert plots.mask(trace, title="Mine & yours").layout.title.text.startswith("Mine &amp; yours")
    for plot in (
        plots.comparison(sv.compare(sv.load(), sv.examples["chain"]), 0, 0, title=""),
        plots.flow(sv.load().trace(sv.examples["chain"]), title=""),
    ):
        assert plot.layout.title.text is None


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """As WCAG has it."""

    def luminance(rgb: np.ndarray) -> float:
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("theme", "pages", "least"),
    [("auto", ["#ffffff", "#111111"], 4.3), ("light", ["#ffffff"], 7), ("dark", ["#111111"], 7)],
)
def test_text_can_be_read(theme, pages, least) -> None:
    ink = np.array(to_rgb(THEMES[theme].ink))
    for page in map(np.array, map(to_rgb, pages)):
        assert contrast(ink, page) >= least
        # Positions and markers are paler.
        assert contrast(0.8 * ink + 0.2 * page, page) >= 3


def test_themes_are_templates(trace) -> None:
    auto, dark = (plots.attention(trace, 0, 0, theme=theme) for theme in ("auto", "dark"))
    assert auto.layout.template.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert dark.layout.template.layout.paper_bgcolor == "#111111"
    assert dark.layout.paper_bgcolor is None
    # The user's default template is left alone.
    assert go.Figure().layout.template.layout.paper_bgcolor != "#111111"


@pytest.mark.parametrize(
    ("width", "pixels"), [(None, None), ("column", 312), ("text", 648), ("slide", 960), (5, 480)]
)
def test_widths(trace, width, pixels) -> None:
    assert plots.attention(trace, 0, 0, width=width).layout.width == pixels


def test_font_sizes_are_points(trace) -> None:
    plot = plots.attention(trace, 0, 0, font_size=12)
    assert plot.layout.template.layout.font.size == 16


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"theme": "sepia"}, ValueError, "theme='sepia'; allowed are 'auto', 'light', 'dark'"),
        ({"width": "page"}, ValueError, "width='page'; allowed are 'column', 'text', 'slide'"),
        ({"width": 0.2}, ValueError, "width=0.2; allowed are 1 to 60 inches"),
        ({"width": True}, TypeError, "width=True; it is a number of inches"),
        ({"font_size": "9"}, TypeError, "font_size='9'; it is a number of points"),
        ({"font_size": float("nan")}, ValueError, "font_size=nan; allowed are 1 to 200 points"),
        ({"colors": "virids"}, ValueError, "colors='virids'; there is no such colormap"),
        ({"colors": 3}, TypeError, "colors=3; it is a colormap"),
        ({"colors": ("a", "b", "c")}, ValueError, "a pair for attention and for differences"),
        ({"scale": "cubic"}, ValueError, "scale='cubic'; allowed are"),
        ({"limit": -1}, ValueError, "limit=-1"),
        ({"queries": "usr"}, ValueError, "there is no such segment"),
        ({"highlight": [99]}, IndexError, "highlight is 99"),
    ],
)
def test_bad_arguments(trace, arguments, error, match) -> None:
    with pytest.raises(error, match=re.escape(match)):
        plots.attention(trace, 0, 0, **arguments)


def test_unknown_layers_and_heads(trace) -> None:
    with pytest.raises(IndexError, match="there is no layer 3: allowed are 0 to 2"):
        plots.attention(trace, 3, 0)
    with pytest.raises(IndexError, match="there is no head 6: allowed are 0 to 5"):
        plots.tokens(trace, 0, 6)
    with pytest.raises(IndexError, match="there is no layer 9"):
        plots.heads(trace, layers=[0, 9])


def test_one_token(model) -> None:
    trace = model.trace(reference.random_prompt(1, 0, sv.Segmentation([sv.Segment(0, 1, "x")])))
    for plot in (
        plots.mask(trace),
        plots.attention(trace, 0, 0),
        plots.comparison(sv.Comparison(replace(trace, mask_kind="causal"), trace), 0, 0),
        plots.heads(trace),
        plots.flow(trace),
        plots.tokens(trace, 0, 0),
        plots.arcs(trace, 0, 0),
    ):
        assert isinstance(plot, go.Figure)
        assert plot.layout.height > 0


def test_8192_tokens(trace) -> None:
    long = long_trace(trace, 8192)
    assert heat_maps(plots.attention(long, 0, 0))[0].z.shape == (1024, 1024)
    assert len(plots.tokens(long, 0, 0).to_json()) < 6_000_000
    assert sum(len(one.x) for one in plots.arcs(long, 0, 0).data) <= 2000 * 8 + 1


def test_the_import_is_light() -> None:
    code = "import segviz.plots, sys; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "matplotlib", "transformers", "plotly.express", "pandas"} & set(loaded)
