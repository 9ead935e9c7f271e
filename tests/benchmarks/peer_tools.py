"""Peer tools: segviz, BertViz, CircuitsVis and inspectus make pages, and a Chromium opens them."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch
from urllib.parse import urlsplit

import bertviz
import numpy as np
import tools
import torch
from browser.conftest import ARGUMENTS, BROWSERS
from playwright.sync_api import Error
from reference import VOCABULARY, tokenizer

import segviz as sv
from benchmarks.bertviz_pages import NAMES, SCRIPTS
from benchmarks.common import Cell
from benchmarks.models import chat, llama, prompt
from segviz.widgets import AttentionView

PATIENCE = 60.0
"""Seconds after which a page counts as not drawn."""

NEW = 4
"""Generated tokens."""

VIEWPORT = {"width": 1400, "height": 1600}

PAINTED = """const painted = (canvas) => canvas && canvas.width > 0 && canvas.height > 0 && canvas
  .getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte);"""
POLLING = 50
"""Milliseconds from one look at a page to the next."""

PIXEL = {"x": 0, "y": 0, "width": 1, "height": 1}


class Run:
    """A run of a random model with peaked attention under a segment mask, answer included.

    Args:
        layers: of the model.
        heads: query heads in each, four to a KV head.
        tokens: with the answer.
    """

    def __init__(self, layers: int, heads: int, tokens: int) -> None:
        self.shape = (layers, heads, tokens, tokens)
        hf_model = llama(
            tokens,
            vocab_size=VOCABULARY,
            hidden_size=16 * heads,
            intermediate_size=64,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads // 4,
            initializer_range=0.25,
        )
        model = sv.Model(hf_model, tokenizer())
        with contextlib.redirect_stdout(io.StringIO()):  # where the explorer is displayed
            self.session = sv.explore(model, prompt(chat(tokens - NEW)), max_new_tokens=NEW)
        self.session.panels = ["heads"]
        self.trace = self.session.trace

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    @cached_property
    def attention(self) -> np.ndarray:
        """What the peers get: ``[layer, head, query, key]``."""
        layers, heads = map(range, self.shape[:2])
        return np.array([[self.trace.attention(i, j) for j in heads] for i in layers])


@contextlib.contextmanager
def offline() -> Iterator[set[str]]:
    """Python gets no network; what it asks for is noted."""
    asked: set[str] = set()

    def refuse(host: object, *_: object, **__: object) -> None:
        asked.add(str(host))
        raise OSError("no network")

    with patch("socket.getaddrinfo", refuse):
        yield asked


@dataclass(frozen=True)
class Tool:
    """One of those compared.

    Args:
        package: what is imported.
        form: from ``[layer, head, query, key]`` to what the tool takes.
        page: of attention in that form, query tokens and key tokens.
        drawn: JavaScript, true once the page of so many layers, heads and tokens is there.
        map: a selector of the picture of the attention itself.
        whole: the page of a run, unless it is the page of its attention.
    """

    package: str
    form: Callable[[np.ndarray], Any]
    page: Callable[[Any, list[str], list[str]], str]
    drawn: str
    map: str
    whole: Callable[[Run], str] | None = None

    def of(self, run: Run) -> str:
        """The page of a run."""
        if self.whole is not None:
            return self.whole(run)
        tokens = list(run.trace.tokens)
        with offline():
            return self.page(self.form(run.attention), tokens, tokens)


def _segviz(attention: Any, queries: list[str], keys: list[str]) -> str:
    del queries  # the last of the keys
    signed = isinstance(attention, np.ndarray) and attention.min() < 0
    view = AttentionView(tokens=keys)
    view.show(attention, kind="diverging" if signed else "sequential", maximum=1.0)
    return view.to_html()


def _explorer(run: Run) -> str:
    """With all heads of one layer in full; of a whole model as it comes."""
    layers, heads = run.shape[:2]
    page = run.session.to_html(heads=[(0, head) for head in range(heads)] if layers == 1 else None)
    assert page is not None  # it was not written to a file
    return page


def _bertviz(attention: Any, queries: list[str], keys: list[str]) -> str:
    """Its view of one layer, of all layers, or of two texts."""
    if queries != keys:
        shown: Any = bertviz.head_view(
            cross_attention=attention,
            decoder_tokens=queries,
            encoder_tokens=keys,
            html_action="return",
        )
    else:
        view = bertviz.head_view if len(attention) == 1 else bertviz.model_view
        shown = view(attention, keys, html_action="return")
    return f"<!doctype html><body>{shown.data}"


def _circuitsvis(attention: Any, queries: list[str], keys: list[str]) -> str:
    from circuitsvis.attention import (  # type: ignore[import-not-found]  # noqa: PLC0415 - not everywhere
        attention_heads,
    )

    del queries
    shown = attention_heads(attention, keys)._repr_html_()
    return f'<!doctype html><meta charset="utf-8"><body>{shown}'


def _inspectus(attention: Any, queries: list[str], keys: list[str]) -> str:
    import inspectus  # type: ignore[import-not-found]  # noqa: PLC0415 - not everywhere

    parts: list[str] = []
    with patch("IPython.display.display", lambda shown: parts.append(shown.data)):
        inspectus.attention(attention, queries, keys)
    return f'<!doctype html><meta charset="utf-8"><body>{"".join(parts)}'


TOOLS = {
    "segviz": Tool(
        "segviz",
        form=lambda attention: attention[0, 0],
        page=_segviz,
        drawn="""({ layers }) => {
          const first = (selector) => document.querySelector(selector);
          return first("#segviz[data-state='shown']") && painted(first("canvas.sv-image"))
            && (layers === 1 || painted(first("canvas.sv-heads-picture")));
        }""",
        map="canvas.sv-image",
        whole=_explorer,
    ),
    "BertViz": Tool(
        "bertviz",
        form=lambda attention: [torch.from_numpy(layer)[None] for layer in attention],
        page=_bertviz,
        drawn="""({ layers, heads, queries, keys }) =>
          document.querySelectorAll("#vis svg line").length >= layers * heads * queries * keys""",
        map="#vis svg",
    ),
    "CircuitsVis": Tool(
        "circuitsvis",
        form=lambda attention: attention.reshape(-1, *attention.shape[2:]),
        page=_circuitsvis,
        drawn="""({ layers, heads }) => {
          const all = document.querySelectorAll("canvas");
          return all.length > layers * heads && painted(all[0]) && painted(all[all.length - 1]);
        }""",
        map="canvas >> nth=-1",
    ),
    "inspectus": Tool(
        "inspectus",
        form=lambda attention: attention,
        page=_inspectus,
        drawn="""({ queries, keys }) =>
          document.querySelectorAll("svg rect").length >= queries * keys""",
        map="svg:has(rect)",
    ),
}


class Chromium:
    """Opens pages one after the other, in a Chromium that a page which hangs takes along.

    Args:
        playwright: starts it.
        served: whether BertViz's scripts are there.
    """

    def __init__(self, playwright: Any, *, served: bool = True) -> None:
        self._start = partial(
            playwright.chromium.launch, executable_path=tools.find(*BROWSERS), args=ARGUMENTS
        )
        self._served = served
        self._browser: Any = None
        self.hosts: set[str] = set()
        """What the last page asked the network for."""

    def _answer(self, route: Any) -> None:
        url = route.request.url
        self.hosts.add(urlsplit(url).hostname)
        name = next((file for key, file in NAMES.items() if key in url), None)
        if self._served and name:
            route.fulfill(path=SCRIPTS / name, content_type="text/javascript")
        else:
            route.abort()

    @contextlib.contextmanager
    def opened(
        self, tool: Tool, html: str, shape: Sequence[int], patience: float = PATIENCE
    ) -> Iterator[tuple[Any, float]]:
        """A page of ``[layer, head, query, key]``, and the seconds until it was drawn.

        Raises:
            Error: it was not drawn in time, or its process died.
        """
        count = dict(zip(("layers", "heads", "queries", "keys"), shape, strict=True))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "page.html"
            path.write_text(html, encoding="utf-8")
            if self._browser is None or not self._browser.is_connected():
                self._browser = self._start()
            context = self._browser.new_context(viewport=VIEWPORT)
            context.set_default_timeout(0)
            context.route(lambda url: url.startswith(("http:", "https:")), self._answer)
            self.hosts = set()
            page = context.new_page()
            # A page that is busy keeps playwright from telling that time is over.
            late = threading.Timer(patience, os.kill, (_process(self._browser), signal.SIGKILL))
            try:
                late.start()
                started = time.perf_counter()
                page.goto(path.as_uri(), wait_until="commit")
                there = f"(count) => {{ {PAINTED} return ({tool.drawn})(count); }}"
                page.wait_for_function(there, arg=count, polling=POLLING)
                page.screenshot(clip=PIXEL)  # waits for what is in the page to be on screen
                seconds = time.perf_counter() - started
                late.cancel()
                yield page, seconds
            finally:
                late.cancel()
                with contextlib.suppress(Error):  # it is gone with its browser
                    context.close()

    def seconds(
        self, tool: Tool, html: str, shape: Sequence[int], patience: float = PATIENCE
    ) -> Cell:
        """Until a page was drawn, or the words for one that was not."""
        try:
            with self.opened(tool, html, shape, patience) as (_, seconds):
                return seconds
        except Error:
            return f"not in {patience:.0f} s"

    def picture(
        self, tool: Tool, attention: np.ndarray, queries: list[str], keys: list[str]
    ) -> bytes:
        """The map of ``[layer, head, query, key]`` as it is seen once it stands still."""
        with offline():
            html = tool.page(tool.form(attention), queries, keys)
        with self.opened(tool, html, attention.shape) as (page, _):
            shown = page.locator(tool.map)
            before, now = b"", shown.screenshot()
            while now != before:
                page.wait_for_timeout(300)
                before, now = now, shown.screenshot()
        return now


def _process(browser: Any) -> int:
    """The number of the browser's process."""
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    return next(process["id"] for process in processes if process["type"] == "browser")
