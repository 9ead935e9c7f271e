"""The tutorials in a real JupyterLab: run from top to bottom, and looked at.

In ``tests/``: ``python -m browser.tutorials FOLDER [--dark] [--width 1400] [01 03 …]``

Saves pictures of each notebook, one per height of the window, and ends with an error that names the
cells where an output or a widget shows one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import tools
from playwright.sync_api import TimeoutError as TooLong
from playwright.sync_api import sync_playwright

from .conftest import ARGUMENTS, BROWSERS, Complaints, settle
from .lab import LabServer, NotebookPage

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
HEIGHT = 1400
# Seconds that cells may run, that widgets may take after that, and that a picture may move.
RUN, QUIET, STILL = 90, 20, 5

START = """() => {
  window.ran = undefined;
  void window.jupyterapp.commands.execute("notebook:run-all-cells").then(
    () => (window.ran = true),
    () => (window.ran = true),
  );
}"""
RAN = """() => {
  const { session } = window.jupyterapp.shell.currentWidget.sessionContext;
  const status = session?.kernel?.status ?? "dead";
  return (window.ran && status === "idle") || status === "dead";
}"""
# No run is under way, and no view shows an earlier state.
SETTLED = """() => ![...document.querySelectorAll(
  ".sv-busy, .sv-stale, .sv-outdated, .sv-working, .sv-answer[data-state=running]",
)].some((one) => one.checkVisibility())"""
# Outputs that say what went wrong, and widgets that do: [number of the cell, what it says].
WRONG = """() => {
  const { content } = window.jupyterapp.shell.currentWidget;
  const widgets = [
    ".sv-error", ".sv-failed > .sv-body > .sv-header .sv-status", "[data-state=failed]",
    ".jupyter-widgets-error-widget", ".jp-RenderedText[data-mime-type*=error]",
  ].join();
  const found = [];
  content.widgets.forEach((cell, index) => {
    const { cell_type, source, outputs = [], execution_count } = cell.model.toJSON();
    const say = (what) => found.push([index, what]);
    if (cell_type !== "code") return;
    if (source.length && execution_count === null) say("was not run to its end");
    for (const { output_type, ename, evalue } of outputs) {
      if (output_type === "error") say(`${ename}: ${evalue}`);
    }
    for (const one of cell.node.querySelectorAll(widgets)) {
      if (one.textContent.trim() && one.checkVisibility()) say(one.textContent.trim());
    }
    for (const one of cell.node.querySelectorAll(".jp-OutputArea-output")) {
      const said = one.textContent.trim();
      if (/^(Loading widget|Error displaying widget)/.test(said)) say(said);
    }
  });
  return found;
}"""
NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-NotebookPanel-notebook"
SCROLLER = f"{NOTEBOOK} .jp-WindowedPanel-outer"
SCROLL = "(scroller, top) => { scroller.scrollTop = top; return scroller.scrollTop; }"


def settings(folder: Path, theme: str) -> None:
    """Write a user's settings, where the server looks for them."""
    chosen = {
        "apputils-extension/themes": {"theme": theme},
        # All cells are in the page, and nothing is below the last one.
        "notebook-extension/tracker": {"windowingMode": "none", "scrollPastEnd": False},
    }
    for name, values in chosen.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))


def run(lab: NotebookPage) -> list[str]:
    """Run all cells; returns what is wrong with the outcome."""
    page = lab.page
    wrong = []
    page.evaluate(START)
    for what, done, seconds in (("cells", RAN, RUN), ("views", SETTLED, QUIET)):
        try:
            page.wait_for_function(done, timeout=seconds * 1000)
        except TooLong:
            wrong.append(f"{what} not done within {seconds} s")
    settle(page)
    return [*wrong, *(f"cell {index}: {said}" for index, said in page.evaluate(WRONG))]


def photograph(page: Any, target: Path) -> None:
    """Save pictures of the notebook from top to bottom, one window each."""
    scroller = page.locator(SCROLLER)
    whole, window = scroller.evaluate("(one) => [one.scrollHeight, one.clientHeight]")
    for number, top in enumerate(range(0, whole, window), start=1):
        scroller.evaluate(SCROLL, top)
        target.with_name(f"{target.name}-{number:02}.png").write_bytes(still(page))


def still(page: Any) -> bytes:
    """A picture, once two in a row are the same: what came into sight is painted."""
    deadline = time.monotonic() + STILL
    before, picture = b"", page.locator(NOTEBOOK).screenshot()
    while picture != before and time.monotonic() < deadline:
        settle(page)
        before, picture = picture, page.locator(NOTEBOOK).screenshot()
    return picture


def look(browser: Any, server: LabServer, notebook: Path, target: Path, width: int) -> list[str]:
    """Run one notebook and save its pictures; returns what is wrong with it."""
    context = browser.new_context(viewport={"width": width, "height": HEIGHT})
    complaints = Complaints()
    page = context.new_page()
    complaints.watch(page)
    try:
        lab = NotebookPage(page, server).open(server.copy(notebook))
        wrong = run(lab)
        photograph(page, target)
        page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    finally:
        context.close()
    return [*wrong, *complaints]


def main(folder: Path, notebooks: list[Path], *, dark: bool, width: int) -> list[str]:
    """Look at notebooks; returns what is wrong with them."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        settings(Path(temporary), "JupyterLab Dark" if dark else "JupyterLab Light")
        server = LabServer(Path(temporary))
        browser = playwright.chromium.launch(executable_path=tools.find(*BROWSERS), args=ARGUMENTS)
        try:
            for notebook in notebooks:
                began = time.monotonic()
                target = folder / f"{notebook.stem}-{'dark' if dark else 'light'}"
                wrong = look(browser, server, notebook, target, width)
                found += [f"{notebook.stem}, {one}" for one in wrong]
                seconds = time.monotonic() - began
                sys.stdout.write(f"{notebook.stem}: {seconds:.0f} s, {len(wrong)} wrong\n")
        finally:
            browser.close()
            server.stop()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("names", nargs="*", help="how notebooks' names begin; all by default")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--width", type=int, default=1400, help="of the window")
    options = parser.parse_intermixed_args()
    chosen = [
        path
        for path in sorted(NOTEBOOKS.glob("*.ipynb"))
        if not options.names or path.name.startswith(tuple(options.names))
    ]
    if not chosen:
        parser.error(f"no notebook begins with {' or '.join(options.names)}")
    sys.exit("\n".join(main(options.folder, chosen, dark=options.dark, width=options.width)) or 0)
