"""How fast the explorer follows a hand, in a real JupyterLab with the embedded model.

In ``tests/``: ``python -m benchmarks.explorer [--tokens 256] [--edits 30]``. Prints a Markdown
table: medians over the edits, each a drag of the boundary between system and user.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import anywidget
import jupyterlab
import tools
import torch
import transformers
from browser.actions import handle_point, token_point
from browser.conftest import ARGUMENTS, BROWSERS, settle
from browser.lab import LabServer, NotebookPage
from playwright.sync_api import sync_playwright

CELL = """\
import segviz as sv
model = sv.load()
system, user = sv.examples["chain"]
facts, question = user["content"].rsplit(". ", 1)
text = facts
while model.chat([system, {{**user, "content": f"{{text}}. {{question}}"}}]).length < {tokens} - 4:
    text += ". " + facts
chat = [system, {{**user, "content": f"{{text}}. {{question}}"}}]
session = sv.explore(model, chat, layer=1, head=0, max_new_tokens=4)
"""
# Reads a few rows of each picture in every frame, and notes when they change after the pointer
# moved or was let go. What is read is what was painted.
WATCH = """(explorer) => {
  const rows = (view) => {
    const canvas = explorer.querySelector(`${view} canvas.sv-image`);
    const context = canvas.getContext("2d");
    let sum = 0;
    for (let part = 1; part < 24; part++) {
      const y = Math.floor((canvas.height * part) / 24);
      const { data } = context.getImageData(0, y, canvas.width, 1);
      for (let at = 0; at < data.length; at += 4) {
        sum = (sum * 31 + data[at] + 7 * data[at + 1]) | 0;
      }
    }
    return sum;
  };
  const seen = { mask: rows(".sv-mask"), attention: rows(".sv-attention") };
  const times = { mask: [], attention: null };
  let [moved, up] = [null, null];
  addEventListener("pointermove", () => (moved ??= performance.now()), true);
  addEventListener("pointerup", () => (up = performance.now()), true);
  window.begin = () => {
    seen.attention = rows(".sv-attention");
    [moved, up, times.mask, times.attention] = [null, null, [], null];
  };
  window.times = times;
  const frame = () => {
    const [mask, now] = [rows(".sv-mask"), performance.now()];
    if (mask !== seen.mask && moved !== null && up === null) times.mask.push(now - moved);
    seen.mask = mask;
    moved = null;
    if (up !== null && times.attention === null) {
      const attention = rows(".sv-attention");
      if (attention !== seen.attention) times.attention = performance.now() - up;
    }
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""


def measure(lab: NotebookPage, tokens: int, edits: int) -> dict[str, Any]:
    """Drag a boundary to and fro; times in milliseconds."""
    lab.open(lab.server.write("speed.ipynb", [CELL.format(tokens=tokens)]))
    page = lab.run_all(wait_for=".sv-explorer .sv-attention .sv-plot").page
    lab.run_code("session.wait()")
    settle(page)
    explorer = page.locator(".sv-explorer").first
    explorer.evaluate(WATCH)
    length = lab.kernel("session.prompt.length")
    masks, repaints, settled = [], [], []
    for number in range(edits + 2):
        target = (length // 3) if number % 2 else (2 * length // 3)
        start, end = handle_point(explorer, 1), token_point(explorer, target)
        page.mouse.move(*start)
        page.mouse.down()
        page.evaluate("window.begin()")
        page.mouse.move(*end, steps=6)
        began = time.perf_counter()
        page.mouse.up()
        page.wait_for_function("window.times.attention !== null")
        lab.wait_kernel("not session.busy")
        settled.append(1000 * (time.perf_counter() - began))
        times = page.evaluate("window.times")
        masks += times["mask"]
        repaints.append(times["attention"])
        lab.run_code("session.wait()")
    return {
        "tokens": length,
        "drag: pointer moved → mask painted": masks,
        "pointer up → head repainted": repaints[2:],
        "pointer up → both answers there (polled)": settled[2:],
    }


def main() -> None:
    """Start a JupyterLab, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--edits", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        # As `segviz lab` does: threads that spin while they wait take the browser's cores.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        server = LabServer(Path(folder))
        browser = playwright.chromium.launch(executable_path=tools.find(*BROWSERS), args=ARGUMENTS)
        try:
            page = browser.new_context(viewport={"width": 1400, "height": 1600}).new_page()
            found = measure(NotebookPage(page, server), options.tokens, options.edits)
        finally:
            browser.close()
            server.stop()
    tokens = found.pop("tokens")
    print(f"{tokens} prompt tokens, {options.edits} edits, {os.cpu_count()} CPU cores,")
    print(f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__},")
    print(
        f"transformers {transformers.__version__}, JupyterLab {jupyterlab.__version__}, "
        f"anywidget {anywidget.__version__}; {time.strftime('%Y-%m-%d')}\n"
    )
    print("| milliseconds | median | 90 % below |\n| --- | --- | --- |")
    for name, values in found.items():
        high = statistics.quantiles(values, n=10)[-1]
        print(f"| {name} | {statistics.median(values):.0f} | {high:.0f} |")


if __name__ == "__main__":
    main()
