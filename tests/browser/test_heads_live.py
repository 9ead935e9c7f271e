"""The head grid while layers come, on pages that recall them, with thousands of heads, in a Lab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from segviz.segments import Segment, Segmentation
from segviz.widgets import ExplorerView
from segviz.widgets.head_grid import HeadGrid, colors

from .conftest import settle
from .test_heads import (
    HEADS,
    LAYERS,
    cell,
    choose_option,
    chosen,
    color,
    focused,
    order,
    show,
    value,
)


def shown(layer: int, head: int, kind: str = "sequential", extra: int = 0) -> list[int]:
    return [*colors(kind)[value(layer, head) + extra].tolist(), 255]


def dimmed(page: Any, layer: int, head: int) -> bool:
    return 0 < color(page, layer, head)[3] < 128


def wait_until(page: Any, condition: Callable[[], bool]) -> None:
    """Let the page go on until Python has heard of something."""
    for _ in range(200):
        if condition():
            return
        settle(page)
    pytest.fail("Python has not heard of it")


class TestLive:
    def test_layers_come_one_by_one_in_any_order(self, live_page):
        grid = HeadGrid(LAYERS, HEADS, 2)
        live = live_page(grid)
        page = live.page
        for count, layer in enumerate((2, 0, 1), start=1):
            show(grid, layer)
            live.deliver()
            settle(page)
            assert color(page, layer, 4) == shown(layer, 4)
            said = page.get_by_text(f"{count} of {LAYERS} layers", exact=True)
            assert said.is_visible() == (count < LAYERS)
        assert page.get_by_role("progressbar").is_hidden()
        show(grid, 0, extra=3)
        live.deliver()
        settle(page)
        assert color(page, 0, 4) == shown(0, 4, extra=3)
        assert color(page, 1, 4) == shown(1, 4)

    def test_bars_follow_the_largest_value_so_far(self, live_page):
        grid = HeadGrid(LAYERS, HEADS, 2, color="distance")
        live = live_page(grid)
        page = live.page
        show(grid, 0)
        live.deliver()
        settle(page)
        assert page.locator(".sv-heads-legend-bar").inner_text().split("\n")[1] == "15.0 (tokens)"
        before = color(page, 0, 5, below=True)
        show(grid, 1)
        live.deliver()
        settle(page)
        assert page.locator(".sv-heads-legend-bar").inner_text().split("\n")[1] == "45.0 (tokens)"
        assert sum(color(page, 0, 5, below=True)[:3]) > sum(before[:3])

    def test_ranks_and_the_focus_follow_what_comes(self, live_page):
        grid = HeadGrid(LAYERS, HEADS, 2, sort="entropy")
        live = live_page(grid)
        page = live.page
        show(grid, 0)
        live.deliver()
        settle(page)
        assert order(page)[:2] == ["L0 H2", "L0 H3"]
        cell(page, 0, 3).click()
        show(grid, 2)
        live.deliver()
        settle(page)
        assert order(page)[:2] == ["L2 H2", "L2 H3"]
        assert order(page)[6:8] == ["L0 H2", "L0 H3"]
        assert focused(page) == (0, 3)
        assert chosen(page) == ["layer 0, head 3, KV 1, entropy 0.920"]

    def test_another_state_dims_until_its_layers_come(self, live_page):
        grid = HeadGrid(LAYERS, HEADS, 2)
        for layer in range(LAYERS):
            show(grid, layer)
        live = live_page(grid)
        page = live.page
        assert not any(dimmed(page, layer, 1) for layer in range(LAYERS))
        grid.stale = True
        live.deliver()
        settle(page)
        assert all(dimmed(page, layer, 1) for layer in range(LAYERS))
        assert page.get_by_text("0 of 3 layers", exact=True).is_visible()
        show(grid, 1, extra=3)
        live.deliver()
        settle(page)
        assert color(page, 1, 1) == shown(1, 1, extra=3)
        assert dimmed(page, 0, 1)
        for layer in (0, 2):
            show(grid, layer, extra=3)
        grid.stale = False
        live.deliver()
        settle(page)
        assert color(page, 2, 5) == shown(2, 5, extra=3)

    def test_python_hears_what_is_in_sight_and_what_is_chosen(self, live_page):
        grid = HeadGrid(60, HEADS, 2)
        seen: list[tuple[int, int]] = []
        grid.on_visible.append(lambda first, last: seen.append((first, last)))
        page = live_page(grid).page
        page.wait_for_function("() => document.querySelector('[data-layer=\"3\"]')")
        cell(page, 3, 4).click()
        settle(page)
        assert (grid.layer, grid.head) == (3, 4)
        page.locator(".sv-heads-scroller").evaluate("(box) => box.scrollTo(0, 1e6)")
        wait_until(page, lambda: seen[-1][1] == 59)
        assert seen[0][0] == 0
        assert seen[0][1] < 40
        assert seen[-1][0] > 20
        choose_option(page, "sort by", "entropy")
        wait_until(page, lambda: seen[-1] == (0, 59))
        assert grid.sort == "entropy"

    def test_python_chooses_and_clears(self, live_page):
        grid = HeadGrid(LAYERS, HEADS, 2)
        show(grid, 1)
        live = live_page(grid)
        page = live.page
        grid.layer, grid.head = 1, 3
        live.deliver()
        settle(page)
        assert chosen(page) == ["layer 1, head 3, KV 1"]
        assert page.locator(".sv-heads-title").inner_text() == "layer 1, head 3"
        grid.clear()
        live.deliver()
        settle(page)
        assert page.get_by_text("0 of 3 layers", exact=True).is_visible()
        assert page.get_by_text("not computed yet").is_visible()


@pytest.mark.parametrize("folded", [False, True], ids=["unfolded", "folded"])
def test_a_page_without_a_kernel_recalls_the_heads_of_each_view(static_page, folded):
    view = ExplorerView(
        ["a", "b"], Segmentation([Segment(0, 2, "user")]), layers=LAYERS, heads=HEADS, kv_heads=2,
        panels=[] if folded else ["heads"],
    )  # fmt: skip
    # The last one is the one that is replayed at first.
    for name, kind, extra, layers in (
        ("causal", "sequential", 5, (0, 1, 2)),
        ("difference", "diverging", 9, (0, 2)),
        ("segment", "sequential", 0, (0, 1, 2)),
    ):
        view.grid.clear()
        for layer in layers:
            show(view.grid, layer, kind, extra)
        view.grid.keep(name)
    page = static_page(view, width=1000)
    page.set_viewport_size({"width": 1000, "height": 2400})  # heads out of sight are not painted
    if not folded:
        assert color(page, 1, 4) == shown(1, 4)
    page.get_by_role("radio", name="difference").click()
    settle(page)
    if folded:
        page.get_by_role("button", name="All heads").click()
        settle(page)
    page.get_by_text("2 of 3 layers", exact=True).wait_for()
    assert color(page, 2, 4) == shown(2, 4, "diverging", 9)
    empty = color(page, 1, 4)
    assert max(empty[:3]) - min(empty[:3]) < 15
    assert page.get_by_text("segment − causal").is_visible()
    page.get_by_role("radio", name="causal").click()
    page.get_by_text("2 of 3 layers", exact=True).wait_for(state="hidden")
    assert color(page, 1, 4) == shown(1, 4, extra=5)
    # A choice recalls, too: the heads stay.
    cell(page, 2, 1).click()
    settle(page)
    assert chosen(page) == ["layer 2, head 1, KV 0"]
    assert color(page, 0, 5) == shown(0, 5, extra=5)
    assert page.get_by_label("layer", exact=True).input_value() == "2"


@pytest.mark.parametrize(("layers", "heads", "sort"), [(16, 32, "layer"), (80, 64, "layer"),
                                                      (80, 64, "entropy")])  # fmt: skip
def test_thousands_of_heads_scroll_fluently(static_page, layers, heads, sort):
    grid = HeadGrid(layers, heads, 8, sort=sort)
    rng = np.random.default_rng(0)
    for layer in range(layers):
        thumbnails = rng.integers(0, 255, (heads, 24, 24)).astype(np.uint8)
        grid.show_layer(layer, thumbnails, {"entropy": rng.random(heads)})
    page = static_page(grid, width=1100)
    settle(page)
    blank = page.evaluate(
        """async () => {
          const box = document.querySelector(".sv-heads-scroller");
          box.style.maxHeight = "300px";
          const frame = () => new Promise((done) => requestAnimationFrame(done));
          const inside = (line) => {
            const [a, b] = [line.getBoundingClientRect(), box.getBoundingClientRect()];
            return a.bottom > b.top + 40 && a.top < b.bottom;
          };
          window.times = [];
          let blank = 0;
          let last = await frame() ?? performance.now();
          for (let step = 0; step < 40; step++) {
            box.scrollTop += 40;
            await frame();
            const now = performance.now();
            window.times.push(now - last);
            last = now;
            blank += [...document.querySelectorAll(".sv-heads-row:not([hidden])")]
              .filter((line) => inside(line) && !line.querySelector("canvas").width).length;
          }
          return blank;
        }"""
    )
    # Frames, not measurements of the machine: scrolling must neither freeze nor run empty.
    assert np.median(page.evaluate("window.times")) < 50
    assert blank < 5
    painted = page.evaluate(
        "[...document.querySelectorAll('.sv-heads-picture')].filter((one) => one.width).length"
    )
    assert painted < 60


CELL = """\
import numpy as np
from segviz.widgets.head_grid import HeadGrid
grid, seen = HeadGrid(40, 8, 4), []
grid.on_visible.append(lambda first, last: seen.append((first, last)))
def show(layer):
    grid.show_layer(layer, np.full((8, 16, 16), 5 * layer, np.uint8), {"entropy": np.arange(8.0)})
grid"""


def test_python_hears_of_choices_and_of_layers_in_sight(lab):
    lab.open(lab.server.write("heads.ipynb", [CELL]))
    page = lab.run_all(wait_for=".sv-heads-cell").page
    lab.wait_kernel("seen and seen[-1][0] == 0 and seen[-1][1] < 20")
    page.get_by_text("0 of 40 layers", exact=True).wait_for()
    lab.run_code("[show(layer) for layer in range(12)]")
    page.get_by_text("12 of 40 layers", exact=True).wait_for()
    settle(page)
    assert color(page, 2, 3)[:3] == colors("sequential")[10].tolist()
    cell(page, 3, 6).click()
    lab.wait_kernel("(grid.layer, grid.head) == (3, 6)")
    page.locator(".sv-heads-scroller").evaluate("(box) => box.scrollTo(0, 1e6)")
    lab.wait_kernel("seen[-1][1] == 39 and seen[-1][0] > 20")
    page.get_by_label("sort by").select_option("entropy")
    lab.wait_kernel("grid.sort == 'entropy' and seen[-1] == (0, 39)")
    lab.run_code("grid.layer, grid.head = 7, 1")
    page.locator("[data-layer='7'][data-head='1'][aria-selected='true']").wait_for()
    lab.run_code("grid.clear()")
    page.get_by_text("0 of 40 layers", exact=True).wait_for()
