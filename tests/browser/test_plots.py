"""Plots in a browser: what is drawn, what the pointer is told, and that panels zoom together."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import reference

import segviz as sv
from segviz import plots

from .conftest import settle

CELL = """([x, y, panel]) => {
  const plot = document.querySelector(".js-plotly-plot");
  const layout = plot._fullLayout;
  const [column, row] = [layout[`xaxis${panel}`], layout[`yaxis${panel}`]];
  const box = plot.getBoundingClientRect();
  return [box.left + column._offset + column.l2p(x), box.top + row._offset + row.l2p(y)];
}"""
HOVERED = "[...document.querySelectorAll('.hoverlayer .hovertext')].map((e) => e.textContent)"
RANGES = """() => {
  const layout = document.querySelector(".js-plotly-plot")._fullLayout;
  return Object.keys(layout).filter((key) => /^[xy]axis/.test(key)).sort()
    .map((key) => [key, layout[key].range.map(Math.round)]);
}"""


@pytest.fixture(scope="module")
def model() -> sv.Model:
    return sv.Model(reference.make("llama", seed=2), reference.tokenizer())


@pytest.fixture(scope="module")
def prompt():
    return reference.random_chat()


@pytest.fixture(scope="module")
def trace(model, prompt) -> sv.Trace:
    return model.trace(prompt, max_new_tokens=3)


@pytest.fixture
def shown(browser, complaints, tmp_path):
    """Opens a plot as a page without a network: ``shown(figure, width=1000, dark=False)``."""
    contexts = []

    def show(figure, *, width: int = 1000, dark: bool = False):
        path = tmp_path / f"plot-{len(contexts)}.html"
        figure.write_html(path, include_plotlyjs=True)
        context = browser.new_context(
            viewport={"width": width, "height": 1000},
            color_scheme="dark" if dark else "light",
            offline=True,
        )
        contexts.append(context)
        page = context.new_page()
        complaints.watch(page)
        page.on(
            "request", lambda one: one.url.startswith("file:") or complaints.append(f"{one.url}")
        )
        page.goto(path.as_uri())
        page.wait_for_selector(".js-plotly-plot .main-svg")
        settle(page)
        return page

    yield show
    for context in contexts:
        context.close()


def hover(page, column: float, row: float, panel: str = "") -> list[str]:
    """What the pointer is told at a place in axis numbers."""
    x, y = page.evaluate(CELL, [column, row, panel])
    page.mouse.move(x + 1, y)
    page.mouse.move(x, y)
    page.wait_for_timeout(150)
    return page.evaluate(HOVERED)


def test_the_pointer_is_told_both_tokens_and_the_exact_number(shown, trace) -> None:
    attention = trace.attention(1, 4)
    page = shown(plots.attention(trace, 1, 4, queries=(12, 20), keys=(2, 18)))
    for query, key in ((12, 2), (19, 17), (14, 9)):
        names = (f"{trace.tokens[at].strip()}␣ ({at})" for at in (query, key))
        told = "query: {} · key: {} · ".format(*names) + f"{attention[query, key]:.4f}"
        assert hover(page, key - 2, query - 12) == [told]


def test_the_first_query_is_at_the_top_and_cells_are_squares(shown, trace) -> None:
    page = shown(plots.attention(trace, 1, 4))
    (left, top), (right, bottom) = (page.evaluate(CELL, [at, at, ""]) for at in (0, 20))
    assert right - left == pytest.approx(bottom - top, abs=1)
    assert bottom > top
    assert right - left > 100


def test_masked_cells_say_nothing(shown, trace) -> None:
    page = shown(plots.attention(trace, 1, 4))
    assert not trace.mask()[5, 20]
    assert hover(page, 20, 5) == []
    assert hover(page, 5, 20) != []


def test_panels_zoom_together(shown, model, prompt) -> None:
    page = shown(plots.comparison(sv.compare(model, prompt), 1, 2), width=1300)
    before = dict(page.evaluate(RANGES))
    start, stop = (page.evaluate(CELL, [at, at, "2"]) for at in (4, 16))
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*stop, steps=4)
    page.mouse.up()
    page.wait_for_timeout(400)
    after = dict(page.evaluate(RANGES))
    zoomed = {name: after[name] for name in before if before[name][0] != before[name][1]}
    columns = [zoomed[name] for name in ("xaxis", "xaxis2", "xaxis3")]
    rows = [zoomed[name] for name in ("yaxis", "yaxis2", "yaxis3")]
    assert columns[0] == columns[1] == columns[2] != before["xaxis"]
    assert rows[0] == rows[1] == rows[2] != before["yaxis"]
    assert columns[0] == pytest.approx([4, 16], abs=1)


def test_zoomed_in_every_cell_has_its_label(shown, model) -> None:
    trace = model.trace(reference.random_prompt(200, 3))
    page = shown(plots.attention(trace, 0, 0))
    count = "document.querySelectorAll('.xtick text').length"
    labels = page.evaluate(count)
    assert 10 < labels < 100
    page.evaluate(
        "Plotly.relayout(document.querySelector('.js-plotly-plot'),"
        "{'xaxis.range': [99.5, 119.5], 'yaxis.range': [119.5, 99.5]})"
    )
    settle(page)
    assert page.evaluate(count) == 20


HOSTILE = ["<b>bold</b>", "<script>hostile()</script>", "%{x}", "$x^2$", '<a href="http://x.y">z']


@pytest.mark.parametrize(
    "kind",
    [
        lambda trace: plots.attention(trace, 0, 0),
        lambda trace: plots.arcs(trace, 0, 0, least=0),
        lambda trace: plots.tokens(trace, 0, 0),
    ],
    ids=["attention", "arcs", "tokens"],
)
def test_hostile_tokens_are_text(shown, trace, kind) -> None:
    tokens = tuple(HOSTILE) + trace.tokens[len(HOSTILE) :]
    segments = sv.Segmentation(
        [sv.Segment(0, 10, "<i>user</i>"), sv.Segment(10, 30, "a & b"), sv.Segment(30, 33, "r")]
    )
    page = shown(kind(replace(trace, tokens=tokens, segmentation=segments)))
    text = page.evaluate("document.querySelector('.js-plotly-plot').textContent")
    for token in [*HOSTILE, "<i>user</i>"]:
        assert token in text
    assert (
        page.evaluate("document.querySelectorAll('.js-plotly-plot a[href*=\"x.y\"]').length") == 0
    )


@pytest.mark.parametrize("kind", [plots.mask, plots.flow], ids=["mask", "flow"])
def test_hostile_segment_names_are_text(shown, trace, kind) -> None:
    segments = sv.Segmentation([sv.Segment(0, 15, "<i>us</i>"), sv.Segment(15, 33, "$a$ & b")])
    page = shown(kind(replace(trace, segmentation=segments)))
    text = page.evaluate("document.querySelector('.js-plotly-plot').textContent")
    assert "<i>us</i>" in text
    assert "$a$ & b" in text


def test_hover_text_shows_hostile_tokens_as_they_are(shown, trace) -> None:
    tokens = tuple(HOSTILE) + trace.tokens[len(HOSTILE) :]
    page = shown(plots.attention(replace(trace, tokens=tokens), 0, 0))
    value = trace.attention(0, 0)[20, 2]
    assert hover(page, 2, 20)[0].endswith(f"· key: %{{x}} (2) · {value:.4f}")


def test_a_head_of_the_mosaic_is_named(shown, trace) -> None:
    figure = plots.heads(trace, layers=[0, 2])
    page = shown(figure)
    z = figure.data[0].z
    row, column = (int(at[-1]) for at in np.nonzero(np.isfinite(z)))
    told = hover(page, column, row)
    assert told == [f"layer 2, head 5 (KV head 1) · about {z[row, column]:.3f}"]
    assert hover(page, 0, 0)[0].startswith("layer 0, head 0 (KV head 0) · about ")


def test_a_token_of_the_text_is_told_its_attention(shown, trace) -> None:
    page = shown(plots.tokens(trace, 1, 3, query=8))
    told = hover(page, 1, 1)
    expected = trace.attention(1, 3)[8, 3]
    assert told == [f"{trace.tokens[3].strip()}␣ (3) · {expected:.4f}"]


def test_an_arc_is_told_its_tokens(shown, trace) -> None:
    figure = plots.arcs(trace, 1, 3, least=0.2)
    strongest = figure.data[-2] if figure.data[-1].x[0] is None else figure.data[-1]
    page = shown(figure)
    told = hover(page, float(strongest.x[3]), float(strongest.y[3]))
    assert len(told) == 1
    query, key = map(int, re.findall(r"\((\d+)\)", told[0]))
    assert told[0].endswith(f"· {trace.attention(1, 3)[query, key]:.4f}")
    # Other lines may pass there: the pointer is on a line through this place.
    assert query + (key - query) * 0.5 == pytest.approx(float(strongest.y[3]), abs=0.6)


KINDS = {
    "mask": lambda trace, _: plots.mask(trace),
    "attention": lambda trace, _: plots.attention(trace, [0, 1], [0, 1, "mean"]),
    "comparison": lambda _, pair: plots.comparison(pair, 0, 1, scale="log"),
    "heads": lambda _, pair: plots.heads(pair),
    "flow": lambda _, pair: plots.flow(pair),
    "tokens": lambda trace, _: plots.tokens(trace),
    "arcs": lambda trace, _: plots.arcs(trace, 0, [0, 1, 2]),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("width", "dark"), [(420, False), (1600, True)])
def test_every_kind_is_drawn_without_complaints(
    shown, model, prompt, trace, name, width, dark
) -> None:
    figure = KINDS[name](trace, sv.compare(model, prompt))
    page = shown(figure, width=width, dark=dark)
    drawn = page.evaluate("document.querySelectorAll('.heatmaplayer image, .scatterlayer path, "
                          ".scatterlayer text').length")  # fmt: skip
    assert drawn > 0


def test_a_plot_is_shown_in_jupyterlab_without_a_network(lab) -> None:
    outside = []

    def local(route) -> None:
        if not route.request.url.startswith(("http://127.0.0.1", "data:", "blob:")):
            outside.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    lab.page.context.route("**/*", local)
    cell = (
        "import segviz as sv, segviz.plots\n"
        'trace = sv.load().trace(sv.examples["chain"])\n'
        "segviz.plots.attention(trace, layer=1, head=0)"
    )
    lab.open(lab.server.write("plot.ipynb", [cell]))
    page = lab.run_all(wait_for=".jp-OutputArea-output.js-plotly-plot .main-svg").page
    settle(page)
    images = page.locator(".jp-OutputArea-output.js-plotly-plot .heatmaplayer image")
    assert images.count() == 1
    assert not outside
