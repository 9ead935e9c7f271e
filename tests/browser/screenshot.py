"""The README's pictures, taken of the explorer in a real JupyterLab.

In ``tests/``: ``python -m browser.screenshot ../assets/comparison.png [--dark] [--panels compare]``
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tools
from playwright.sync_api import sync_playwright

from .actions import drag, handle_point, token_point
from .conftest import ARGUMENTS, BROWSERS, settle
from .lab import LabServer, NotebookPage

CELL = """\
import segviz as sv
session = sv.explore(sv.load(), sv.examples["chain"], layer=1, head=0, max_new_tokens=4)"""


DRAWN = ".sv-explorer .sv-attention .sv-plot"


@contextmanager
def notebook(**options: Any) -> Iterator[NotebookPage]:
    """A notebook with the cell, which has not run, open in a JupyterLab of its own.

    Args:
        options: of the browser's context.
    """
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = LabServer(Path(folder))
        browser = playwright.chromium.launch(executable_path=tools.find(*BROWSERS), args=ARGUMENTS)
        try:
            lab = NotebookPage(browser.new_context(**options).new_page(), server)
            yield lab.open(server.write("explorer.ipynb", [CELL]))
        finally:
            browser.close()
            server.stop()


def take(target: Path, *, dark: bool, width: int, edit: bool, panels: list[str], part: str) -> None:
    """Run the cell, make an edit if asked for, and save the explorer's picture."""
    with notebook(viewport={"width": width, "height": 2400}, device_scale_factor=1.5) as lab:
        if dark:
            lab.go_dark()
        lab.run_all(wait_for=DRAWN)
        lab.run_code(f"session.panels = {panels!r}")
        lab.run_code("session.wait()")
        explorer = lab.page.locator(".sv-explorer").first
        if edit:
            drag(lab.page, handle_point(explorer, 1), token_point(explorer, 21))
            lab.wait_kernel("not session.busy")
            lab.run_code("session.wait()")
        lab.page.mouse.move(0, 0)
        settle(lab.page)
        lab.page.locator(part).first.screenshot(path=target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--edit", action="store_true", help="drag a boundary first")
    parser.add_argument("--width", type=int, default=1500)
    parser.add_argument("--panels", nargs="*", default=["heads"], help="what is unfolded")
    parser.add_argument("--part", default=".sv-explorer", help="a selector")
    options = parser.parse_args()
    take(
        options.target,
        dark=options.dark,
        width=options.width,
        edit=options.edit,
        panels=options.panels,
        part=options.part,
    )
