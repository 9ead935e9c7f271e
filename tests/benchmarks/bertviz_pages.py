"""BertViz's head view of a trace, made by segviz and by BertViz itself: size and time to draw.

In ``tests/``: ``python -m benchmarks.bertviz_pages``. Both pages are opened in one headless
Chromium; BertViz's own gets the scripts it asks the network for from segviz's copies, at once.
"""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import bertviz
import tools
import torch
from browser.conftest import ARGUMENTS, BROWSERS
from playwright.sync_api import sync_playwright
from reference import VOCABULARY, random_prompt, tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

import segviz as sv

SHAPES = ((4, 8, 4, 41), (16, 32, 8, 64), (4, 8, 4, 128))
"""Layers, query heads, KV heads, tokens."""

SCRIPTS = Path(sv.bertviz.__file__).parent / "static"
NAMES = {"require": "require.js", "d3": "d3.min.js", "jquery": "jquery.min.js"}


def traced(layers: int, heads: int, kv_heads: int, tokens: int) -> sv.Trace:
    """A run of a random model of that shape."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16 * heads,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        # Far larger than usual, so that attention is peaked, as in a trained model.
        initializer_range=0.25,
    )
    model = sv.Model(LlamaForCausalLM(config).eval(), tokenizer())
    return model.trace(random_prompt(tokens, seed=0))


def of_bertviz(trace: sv.Trace) -> str:
    """The page that BertViz makes itself."""
    attention = [
        torch.stack([torch.from_numpy(trace.attention(layer, head)) for head in range(trace.heads)])
        for layer in range(len(trace.layers))
    ]
    view: Any = bertviz.head_view(
        [layer[None] for layer in attention], list(trace.tokens), html_action="return"
    )
    return f"<!doctype html><body>{view.data}"


def of_segviz(trace: sv.Trace) -> str:
    """The page of segviz."""
    return sv.bertviz.head_view(trace, limit=100).html


def timed(make: Callable[[sv.Trace], str], trace: sv.Trace) -> tuple[str, float]:
    """A page, and the seconds it took to make."""
    started = time.perf_counter()
    page = make(trace)
    return page, time.perf_counter() - started


def drawn(browser: Any, html: str, lines: int) -> float:
    """Seconds until all lines of a page are there."""

    def answer(route: Any) -> None:
        url = route.request.url
        name = next((file for key, file in NAMES.items() if key in url), None)
        if name and url.startswith("http"):
            route.fulfill(path=SCRIPTS / name, content_type="text/javascript")
        else:
            route.continue_()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_text(html, encoding="utf-8")
        page = browser.new_page()
        page.route("**/*", answer)
        started = time.perf_counter()
        page.goto(path.as_uri(), wait_until="commit")
        page.wait_for_function(
            "(count) => document.querySelectorAll('#vis svg line').length >= count",
            arg=lines,
            timeout=180_000,
        )
        seconds = time.perf_counter() - started
        page.close()
    return seconds


def main() -> None:
    """Print the table."""
    print(
        f"BertViz {version('bertviz')}, torch {torch.__version__}, Python "
        f"{platform.python_version()} on {platform.machine()}, {datetime.now(UTC):%Y-%m-%d}\n"
    )
    print("| trace | page, segviz / BertViz | made | drawn |\n| --- | --- | --- | --- |")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tools.find(*BROWSERS), args=ARGUMENTS)
        for shape in SHAPES:
            trace = traced(*shape)
            lines = trace.heads * len(trace.tokens) ** 2
            pages = [timed(make, trace) for make in (of_segviz, of_bertviz)]
            sizes = " / ".join(f"{len(html) / 1e6:.1f}" for html, _ in pages)
            made = " / ".join(f"{seconds:.1f}" for _, seconds in pages)
            seen = " / ".join(f"{drawn(browser, html, lines):.1f}" for html, _ in pages)
            name = f"{shape[0]} × {shape[1]} heads, {shape[3]} tokens"
            print(f"| {name} | {sizes} MB | {made} s | {seen} s |", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
