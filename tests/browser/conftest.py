"""Fixtures: a Chromium, static pages of views, a real JupyterLab."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tools

from segviz.session import Session
from segviz.widgets import View

from .lab import LabServer, NotebookPage
from .live import LivePage

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
# What JupyterLab and the other hosts themselves write to the console; everything else fails a test.
NOISE = re.compile(
    r"favicon|api/contents/.*(404|checkpoints)|workspaces|translation|lsp|ResizeObserver loop"
    r"|Failed to load resource.*40[134]|WebSocket|api/kernels|api/me|collaborat|sourcemap"
    r"|Canceled future for \w+ message|debugger state"
    # Notebook 7, on any notebook; voila, whose icons come from outside, and whose Lab is older.
    r"|Cannot read properties of undefined \(reading 'schema'\)"
    r"|fortawesome|shared module is not a function",
    re.IGNORECASE,
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    if sync_playwright is None:
        tools.missing("playwright is not installed")
    path = tools.find(*BROWSERS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Complaints(list):
    """What the page complained about; checked when the test ends."""

    def watch(self, page: Any) -> None:
        page.on(
            "pageerror",
            lambda error: NOISE.search(str(error)) or self.append(f"page error: {error}"),
        )
        page.on(
            "console",
            lambda message: (
                message.type == "error"
                and not NOISE.search(f"{message.text} {message.location}")
                and self.append(f"console: {message.text}")
            ),
        )


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    """Fails the test that leaves page or console errors behind."""
    found = Complaints()
    yield found
    assert not found, found


@pytest.fixture
def static_page(browser: Any, complaints: Complaints, tmp_path: Path) -> Iterator[Any]:
    """Opens a static page from a file: ``static_page(view, width=1000, dark=False)``.

    Of a view, or of a session; further options go to its ``to_html``.
    """
    contexts = []

    def show(
        shown: View | Session,
        *,
        width: int = 1000,
        height: int = 1000,
        dark: bool = False,
        **options: Any,
    ) -> Any:
        path = tmp_path / f"page-{len(contexts)}.html"
        path.write_text(shown.to_html(**options), encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            offline=True,
        )
        contexts.append(context)
        page = context.new_page()
        complaints.watch(page)
        page.goto(path.as_uri())
        page.wait_for_selector("#segviz[data-state='shown'] .sv-root")
        settle(page)
        return page

    yield show
    for context in contexts:
        context.close()


@pytest.fixture
def live_page(browser: Any, complaints: Complaints, tmp_path: Path) -> Iterator[Any]:
    """Opens a view that Python answers: ``live_page(view, width=1000, dark=False)``."""
    pages = []

    def show(view: View, *, width: int = 1000, height: int = 1000, dark: bool = False) -> LivePage:
        live = LivePage(
            browser,
            view,
            tmp_path,
            watch=complaints.watch,
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
        )
        pages.append(live)
        settle(live.page)
        return live

    yield show
    for live in pages:
        live.close()


def settle(page: Any) -> None:
    """Let messages, measurements and two frames pass."""
    page.evaluate(
        "() => new Promise((done) => setTimeout(() => "
        "requestAnimationFrame(() => requestAnimationFrame(done)), 20))"
    )


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A JupyterLab for the whole session."""
    if importlib.util.find_spec("jupyterlab") is None:
        tools.missing("jupyterlab is not installed")
    server = LabServer(tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


@pytest.fixture
def lab(browser: Any, lab_server: LabServer, complaints: Complaints) -> Iterator[NotebookPage]:
    """A page in the JupyterLab: ``lab.open(name).run_all(selector)``."""
    context = browser.new_context(viewport={"width": 1400, "height": 1600})
    page = context.new_page()
    complaints.watch(page)
    yield NotebookPage(page, lab_server)
    try:
        page.evaluate("window.jupyterapp?.shell?.currentWidget?.sessionContext?.shutdown()")
    finally:
        context.close()
