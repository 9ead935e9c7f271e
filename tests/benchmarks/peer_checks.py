"""Peer checks: what each tool does with what a segment mask and generation bring about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from playwright.sync_api import Error
from reference import VOCABULARY

from benchmarks.common import Cell, Table, progress
from benchmarks.models import chat, llama, prompt
from benchmarks.peer_tools import NEW, Chromium, Tool, offline

QUICK = 10.0
"""Seconds after which a page of eight tokens counts as not drawn."""

WORDS = [f"w{i}" for i in range(8)]


def table(served: Chromium, alone: Chromium, chosen: dict[str, Tool]) -> Table:
    """The answers of the tools, one column each.

    Args:
        served: a Chromium with BertViz's scripts.
        alone: one without them.
        chosen: the tools by name.
    """
    questions: dict[str, Callable[[Chromium, Tool], Cell]] = {
        "hosts it asks on the network": _hosts,
        "draws without a network": lambda _, tool: _without_network(alone, tool),
        "shows what is above the diagonal, unasked": _above,
        "tells a negative number from 0": _negative,
        "takes query and key tokens that differ": _two_texts,
        "takes what `generate()` returns": _generated,
    }
    rows: list[list[Cell]] = []
    for question, answer in questions.items():
        progress(question)
        rows.append([question, *(answer(served, tool) for tool in chosen.values())])
    return Table("Checks", dict.fromkeys(["", *chosen], ""), rows)


def _hosts(chromium: Chromium, tool: Tool) -> Cell:
    """By Python or by the page, which gets its scripts: they may ask for more."""
    attention = _attention()
    with offline() as asked:
        html = tool.page(tool.form(attention), WORDS, WORDS)
    chromium.seconds(tool, html, attention.shape, QUICK)
    return str(len(asked | chromium.hosts))


def _without_network(chromium: Chromium, tool: Tool) -> Cell:
    return _accepts(chromium, tool, tool.form(_attention()))


def _above(chromium: Chromium, tool: Tool) -> Cell:
    # Below the diagonal, too: a picture that never changes proves nothing.
    if not _exchanged(chromium, tool, (6, 1), (6, 4)):
        return "cannot tell"
    return "yes" if _exchanged(chromium, tool, (1, 3), (1, 6)) else "no"


def _negative(chromium: Chromium, tool: Tool) -> Cell:
    # The same in both heads, and beside a larger cell: no sum of the heads and no scale changes.
    attention = np.zeros_like(_attention())
    attention[..., 2, 0] = 1
    changed = attention.copy()
    changed[..., 6, 1] = -0.25
    return "yes" if _differ(chromium, tool, (attention, WORDS), (changed, WORDS)) else "no"


def _two_texts(chromium: Chromium, tool: Tool) -> Cell:
    attention = _attention()[:, :, :3]
    try:
        named = _differ(chromium, tool, (attention, [*"abc"]), (attention, [*"def"]))
    except (ValueError, Error):
        return "no"
    return "yes" if named else "no"


def _generated(chromium: Chromium, tool: Tool) -> Cell:
    hf_model: Any = llama(16, vocab_size=VOCABULARY, num_hidden_layers=2)
    hf_model.set_attn_implementation("eager")
    ids = torch.tensor([prompt(chat(len(WORDS) + 1 - NEW)).token_ids])
    made = hf_model.generate(
        ids,
        max_new_tokens=NEW,
        do_sample=False,
        output_attentions=True,
        return_dict_in_generate=True,
    )
    return _accepts(chromium, tool, made.attentions)


def _attention() -> np.ndarray:
    """Different in every cell, rows that sum to 1; one layer with two heads."""
    scores = np.exp(np.random.default_rng(0).normal(size=(1, 2, len(WORDS), len(WORDS))))
    return (scores / scores.sum(axis=-1, keepdims=True)).astype(np.float32)


def _accepts(chromium: Chromium, tool: Tool, attention: Any) -> Cell:
    """Whether a page of it is made and drawn."""
    try:
        with offline():
            html = tool.page(attention, WORDS, WORDS)
    except Exception:  # noqa: BLE001 - each refuses in a way of its own
        return "no"
    seconds = chromium.seconds(tool, html, (1, 2, len(WORDS), len(WORDS)), QUICK)
    return "no" if isinstance(seconds, str) else "yes"


def _exchanged(chromium: Chromium, tool: Tool, one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether the picture changes when two cells change places."""
    attention = _attention()
    changed = attention.copy()
    changed[0, 0, *one], changed[0, 0, *other] = attention[0, 0, *other], attention[0, 0, *one]
    return _differ(chromium, tool, (attention, WORDS), (changed, WORDS))


def _differ(
    chromium: Chromium,
    tool: Tool,
    one: tuple[np.ndarray, list[str]],
    other: tuple[np.ndarray, list[str]],
) -> bool:
    """Whether the pictures of two attentions with their query tokens are different."""
    first, again, second = (
        chromium.picture(tool, attention, queries, WORDS)
        for attention, queries in (one, one, other)
    )
    if first != again:
        raise RuntimeError("two pictures of the same attention differ: nothing can be compared")
    return first != second
