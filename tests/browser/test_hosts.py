"""The same explorer in other hosts than JupyterLab: Notebook 7, voila, marimo."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import tools
from PIL import Image

from segviz.segments import Segment, Segmentation
from segviz.widgets import MaskView

from .actions import cell_color, drag, handle_point, segments, token_point
from .conftest import Complaints, settle
from .hosts import MarimoServer, NotebookServer, VoilaServer
from .lab import LabServer, NotebookPage
from .looks import overlaps
from .samples import explorer
from .servers import Server
from .test_explorer import LINK, NEEDED, RIGHT, WRONG
from .test_heads import small

CELL = """\
import segviz as sv
session = sv.explore(sv.load(), sv.examples["chain"], max_new_tokens=4)"""

MASK_CELL = """\
import segviz as sv
from segviz.widgets import MaskView
prompt = sv.load().chat(sv.examples["chain"])
MaskView(prompt.segmentation, tokens=prompt.tokens)"""

# How the host's own elements look with the explorer's style sheets, and without them.
LOOKS = """() => {
  const probe = document.body.appendChild(document.createElement("div"));
  for (const tag of ["h2", "p", "a", "button", "select", "input", "textarea", "label", "canvas",
                     "table", "th", "td", "dl", "dt", "dd", "ul", "li", "details", "summary"]) {
    probe.append(document.createElement(tag));
  }
  const look = () => [document.documentElement, document.body, ...probe.children].map((element) => {
    const style = getComputedStyle(element);
    return ["--sv-fg", ...style].map((name) => `${name}: ${style.getPropertyValue(name)}`);
  });
  const sheets = [...document.styleSheets, ...document.adoptedStyleSheets].filter((sheet) => {
    try {
      return [...sheet.cssRules].some((rule) => rule.cssText.includes(".sv-"));
    } catch {
      return false; // from another origin
    }
  });
  const styled = look();
  for (const sheet of sheets) sheet.disabled = true;
  const plain = look();
  for (const sheet of sheets) sheet.disabled = false;
  probe.remove();
  return { sheets: sheets.length, styled, plain };
}"""


@pytest.fixture
def start() -> Iterator[Callable[[Server], Server]]:
    """Ends the servers it is given; asked for before the page, which is closed first then."""
    with ExitStack() as servers:
        yield servers.enter_context


@pytest.fixture
def page(browser: Any, complaints: Complaints) -> Iterator[Any]:
    """A page for a host, on a system that prefers light."""
    context = browser.new_context(viewport={"width": 1400, "height": 1600}, color_scheme="light")
    page = context.new_page()
    complaints.watch(page)
    yield page
    context.close()


def need(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        tools.missing(f"{module} is not installed: pip install 'segviz-attention[hosts]'")


def test_notebook_7(start, page, tmp_path):
    need("notebook")
    server = start(NotebookServer(tmp_path))
    notebook = NotebookPage(page, server).open(server.write("explore.ipynb", [CELL]))
    notebook.start_all()
    explorer = shown(page)
    follows_a_drag(page, explorer, server)
    assert notebook.kernel("list(session.segmentation.boundaries)") == [1, NEEDED, 38]
    looks_right(page, explorer, "light")
    assert stays_inside(page) > 0
    notebook.go_dark()
    looks_right(page, explorer, "dark")


def test_a_view_alone_in_a_dark_jupyterlab(start, page, tmp_path):
    """Which renders it outside of the page first, where there are no colours to read."""
    server = start(LabServer(tmp_path))
    notebook = NotebookPage(page, server).open(server.write("mask.ipynb", [MASK_CELL]))
    notebook.go_dark()
    notebook.run_all(wait_for=".sv-mask[data-theme='dark'] .sv-plot")
    settle(page)
    mask = page.locator(".sv-root.sv-mask")
    assert is_added(cell_color(mask, "", 10, 30))
    causal = cell_color(mask, "", 30, 10)
    assert not is_added(causal)
    assert causal != [0, 0, 0, 255]


def test_voila(start, page, tmp_path):
    need("voila")
    server = start(VoilaServer(tmp_path, [CELL], theme="dark"))
    page.goto(server.url)
    explorer = shown(page)
    follows_a_drag(page, explorer, server)
    looks_right(page, explorer, "dark")
    assert stays_inside(page) > 0


def test_marimo(start, page, tmp_path):
    need("marimo")
    server = start(MarimoServer(tmp_path, [CELL], theme="system"))
    page.goto(server.url)
    explorer = shown(page)
    follows_a_drag(page, explorer, server)
    looks_right(page, explorer, "light")
    assert stays_inside(page) == 0  # the styles are in a shadow root
    page.emulate_media(color_scheme="dark")
    looks_right(page, explorer, "dark")


def test_the_theme_is_what_is_painted(static_page):
    view = MaskView(Segmentation([Segment(0, 2, "system"), Segment(2, 5, "user")]))
    page = static_page(view, dark=True)
    root = page.locator(".sv-root")
    looks = [  # the page's background and color-scheme, what the system prefers, what is to be seen
        ("color(srgb 1 1 1)", "normal", "dark", "light"),
        ("oklch(0.2 0 0)", "normal", "light", "dark"),
        ("transparent", "normal", "dark", "light"),
        ("transparent", "light dark", "dark", "dark"),
        ("transparent", "light dark", "light", "light"),
        ("transparent", "dark", "light", "dark"),
    ]
    for background, scheme, system, theme in looks:
        page.emulate_media(color_scheme=system)
        page.evaluate(
            """([background, scheme]) => {
              document.documentElement.style.colorScheme = scheme;
              document.body.style.background = background;
            }""",
            [background, scheme],
        )
        page.locator(f".sv-root[data-theme='{theme}']").wait_for(timeout=3000)
        assert painted(root) == theme


# Makes the page narrower. While the views' next frame lays them out, they are hidden: that is how
# JupyterLab may take a cell out of the page and put it back, and no observer of sizes hears of it.
NARROWER = """(hidden) => new Promise((done) => {
  const style = document.getElementById("segviz").style;
  requestAnimationFrame(() => {
    style.width = "600px"; // observed after the callbacks of this frame
    requestAnimationFrame(() => (style.display = hidden ? "none" : ""));
    const last = new ResizeObserver(() => requestAnimationFrame(() => {
      style.display = "";
      last.disconnect();
      setTimeout(done, 200);
    }));
    last.observe(document.querySelector(".sv-root"));
  });
})"""
PLACES = """(root) =>
  [...root.querySelectorAll(".sv-label, .sv-handle, .sv-plot, .sv-heads-cell, .sv-bar, canvas")]
    .map((element) => element.getBoundingClientRect())
    .map(({ x, y, width, height }) => [x, y, width, height].map(Math.round))"""


@pytest.mark.parametrize("view", [explorer, small])
def test_a_host_may_hide_the_view_for_a_moment(static_page, view):
    plain, shaken = static_page(view()), static_page(view())
    wide = places(plain)
    plain.evaluate(NARROWER, False)
    shaken.evaluate(NARROWER, True)
    settle(plain)
    settle(shaken)
    assert places(plain) != wide
    assert places(shaken) == places(plain)


def places(page: Any) -> list[list[int]]:
    return page.locator(".sv-root").first.evaluate(PLACES)


COLOR = "(title) => getComputedStyle(title).color.match(/[\\d.]+/g).slice(0, 3).map(Number)"


def shown(page: Any) -> Any:
    """The explorer, once it is there with its first answer."""
    explorer = page.locator(".sv-explorer").first
    explorer.locator(".sv-attention .sv-plot").wait_for(timeout=60_000)
    answered(explorer, RIGHT)
    settle(page)
    return explorer


def follows_a_drag(page: Any, explorer: Any, server: Server) -> None:
    """Drag the boundary between system and user over a fact that the answer needs."""
    assert is_added(cell_color(explorer, ".sv-mask", *LINK))
    seen_before = cell_color(explorer, ".sv-attention", *LINK)
    start, end = handle_point(explorer, 1), token_point(explorer, NEEDED)
    with server.frozen():
        drag(page, start, end, release=False)
        settle(page)
        assert segments(explorer)[2] == ["user", NEEDED]
        assert not is_added(cell_color(explorer, ".sv-mask", *LINK))
    page.mouse.up()
    answered(explorer, WRONG)
    explorer.locator(".sv-place-attention:not(.sv-outdated)").wait_for()
    settle(page)
    assert cell_color(explorer, ".sv-attention", *LINK) != seen_before
    assert not explorer.locator(".sv-error:visible").count()


def answered(explorer: Any, answer: str) -> None:
    panel = explorer.locator(".sv-answer[data-mask='segment']")
    panel.locator(".sv-answer-text", has_text=answer).wait_for(timeout=30_000)
    panel.locator(".sv-state", has_text="done").wait_for()


def is_added(color: list[int]) -> bool:
    """Whether a mask's cell has a segment's colour: visible, and not under the causal mask."""
    red, green, blue, opacity = color
    return opacity > 0 and max(red, green, blue) - min(red, green, blue) > 60


def looks_right(page: Any, explorer: Any, theme: str) -> None:
    """The explorer goes with the host's theme, and the host's style sheets do no harm to it."""
    page.mouse.move(0, 0)
    explorer.locator(f".sv-strip[data-theme='{theme}']").wait_for()
    assert explorer.get_attribute("data-theme") == theme
    settle(page)
    title = explorer.locator(".sv-title")
    assert painted(title) == theme
    text = max(title.evaluate(COLOR))
    assert text > 180 if theme == "dark" else text < 75
    # Lists are what JupyterLab has styles of its own for: the keys of the strip, a head's numbers.
    keys = explorer.get_by_role("button", name="Gestures and keys")
    keys.click()
    assert not overlaps(explorer)
    keys.click()


def painted(locator: Any) -> str:
    """``"light"`` or ``"dark"``: what is behind an element, as a picture of it shows."""
    picture = Image.open(io.BytesIO(locator.screenshot())).convert("L")
    return "dark" if picture.getpixel((1, 1)) < 128 else "light"


def stays_inside(page: Any) -> int:
    """The host's own elements look as without the explorer's sheets; returns how many it has."""
    found = page.evaluate(LOOKS)
    assert found["styled"] == found["plain"]
    return found["sheets"]
