"""The README's picture, taken of the explorer in a real JupyterLab.

In ``tests/``: ``python -m browser.screenshot ../assets/explorer.png [--dark]``
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import tools
from playwright.sync_api import sync_playwright

from .actions import drag, handle_point, token_point
from .conftest import ARGUMENTS, BROWSERS, settle
from .lab import LabServer, NotebookPage

CELL = """\
import segviz as sv
session = sv.explore(sv.load(), sv.examples["chain"], layer=1, head=3, max_new_tokens=4)"""


def take(target: Path, *, dark: bool, width: int, edit: bool) -> None:
    """Run the cell, make an edit if asked for, and save the explorer's picture."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = LabServer(Path(folder))
        browser = playwright.chromium.launch(executable_path=tools.find(*BROWSERS), args=ARGUMENTS)
        try:
            context = browser.new_context(
                viewport={"width": width, "height": 1300}, device_scale_factor=1.5
            )
            lab = NotebookPage(context.new_page(), server)
            lab.open(server.write("explorer.ipynb", [CELL]))
            if dark:
                lab.page.evaluate(
                    "window.jupyterapp.commands.execute("
                    "'apputils:change-theme', {theme: 'JupyterLab Dark'})"
                )
            lab.run_all(wait_for=".sv-explorer .sv-attention .sv-plot")
            lab.wait_kernel("not session.busy")
            explorer = lab.page.locator(".sv-explorer").first
            if edit:
                drag(lab.page, handle_point(explorer, 1), token_point(explorer, 25))
                lab.wait_kernel("not session.busy")
            lab.page.mouse.move(0, 0)
            settle(lab.page)
            explorer.screenshot(path=target)
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--edit", action="store_true", help="drag a boundary first")
    parser.add_argument("--width", type=int, default=1500)
    options = parser.parse_args()
    take(options.target, dark=options.dark, width=options.width, edit=options.edit)
