"""Edits: what the kept prefix saves, what two masks share, and two runs at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import numpy as np
from reference import tokenizer

import segviz as sv
from benchmarks.common import Table, progress, ratio
from benchmarks.measure import Way, medians
from benchmarks.models import chat, conversation, llama, prompt, shape_text

SIZES = {
    "full": {"tokens": 2048, "repeats": 7},
    "quick": {"tokens": 512, "repeats": 3},
    "tiny": {"tokens": 60, "repeats": 2},
}


NEW = 4
"""Tokens that each of two runs in two threads generates."""


def tables(tokens: int, repeats: int) -> Iterator[Table]:
    """Edits, both masks, two threads."""
    hf_model = llama(tokens + NEW)
    for make in (edits, both_masks, threads):
        progress(f"{make.__name__} at {tokens} tokens".replace("_", " "))
        yield make(hf_model, tokens, repeats)


def edits(hf_model: Any, tokens: int, repeats: int) -> Table:
    """A full trace beside edits of its last tenth."""
    full = "full trace"
    found = medians(
        {
            full: full_trace(hf_model, tokens),
            "a boundary moved in the last tenth": boundary_moved(hf_model, tokens),
            "other words in the last tenth": words_changed(hf_model, tokens),
        },
        repeats,
    )
    return Table(
        "Edits",
        {"run": "", "seconds": ".3f", "full / this": ".1f"},
        [[name, seconds, ratio(found[full], seconds)] for name, seconds in found.items()],
        f"{tokens:,} tokens; {shape_text(hf_model)}. Medians of {repeats}.",
    )


def full_trace(hf_model: Any, tokens: int) -> Way:
    """A trace for which nothing is kept."""
    model = sv.Model(hf_model, tokenizer())
    asked = prompt(conversation(tokens, 0.95))

    def run() -> object:
        model.clear_cache()
        return model.trace(asked)

    return run


def boundary_moved(hf_model: Any, tokens: int) -> Way:
    """A trace in which the end of the last bidirectional segment is another one every time."""
    return _in_turn(hf_model, [prompt(conversation(tokens, stop)) for stop in (0.95, 0.97)])


def words_changed(hf_model: Any, tokens: int) -> Way:
    """A trace in which the last tenth reads differently every time."""
    segmentation = conversation(tokens, 0.95)
    one, other = prompt(segmentation, seed=0), prompt(segmentation, seed=1)
    kept = segmentation.segments[2].stop
    ids = one.token_ids[:kept] + other.token_ids[kept:]
    texts = one.tokens[:kept] + other.tokens[kept:]
    changed = sv.Prompt(token_ids=ids, tokens=texts, text="".join(texts), segmentation=segmentation)
    return _in_turn(hf_model, [one, changed])


def _in_turn(hf_model: Any, prompts: list[sv.Prompt]) -> Way:
    model = sv.Model(hf_model, tokenizer())
    turns = cycle(prompts)
    model.trace(next(turns))
    return lambda: model.trace(next(turns))


def both_masks(hf_model: Any, tokens: int, repeats: int) -> Table:
    """A comparison beside two traces."""
    model = sv.Model(hf_model, tokenizer())
    asked = prompt(chat(tokens))

    def traces() -> object:
        model.clear_cache()
        return model.trace(asked, "causal"), model.trace(asked, "segment")

    def comparison() -> sv.Comparison:
        model.clear_cache()
        return sv.compare(model, asked)

    two = "two traces"
    found = medians(
        {
            two: traces,
            "`sv.compare`": comparison,
            "the same, and the divergence of every position": lambda: comparison().divergence(),
        },
        repeats,
    )
    return Table(
        "Both masks",
        {"run": "", "seconds": ".3f", "ratio": ".2f"},
        [[name, seconds, ratio(seconds, found[two])] for name, seconds in found.items()],
        f"{tokens:,} tokens, a chat. Medians of {repeats}.",
    )


def threads(hf_model: Any, tokens: int, repeats: int) -> Table:
    """Two runs in two threads on one model, beside one after the other."""
    model = sv.Model(hf_model, tokenizer())
    prompts = [prompt(chat(tokens), seed) for seed in (0, 1)]
    traces: dict[int, sv.Trace] = {}

    def run(number: int) -> None:
        traces[number] = model.trace(prompts[number], max_new_tokens=NEW)

    def in_order() -> None:
        model.clear_cache()
        for number in (0, 1):
            run(number)

    def at_once() -> None:
        model.clear_cache()
        started = [threading.Thread(target=run, args=(number,)) for number in (0, 1)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()

    ordered, together = "one after the other", "in two threads"
    found = medians({ordered: in_order, together: at_once}, repeats)
    expected = _results(in_order, traces)
    results = {ordered: "–", together: _same(expected, _results(at_once, traces))}
    return Table(
        "Two runs on one model",
        {"runs": "", "seconds": ".3f", "ratio": ".2f", "results": ""},
        [[name, x, ratio(x, found[ordered]), results[name]] for name, x in found.items()],
        f"{tokens:,} tokens each, and {NEW} new ones. Medians of {repeats}.",
    )


def _results(run: Callable[[], None], traces: dict[int, sv.Trace]) -> list[sv.Trace]:
    traces.clear()
    run()
    return [traces[number] for number in (0, 1)]


def _same(expected: list[sv.Trace], found: list[sv.Trace]) -> str:
    for one, other in zip(expected, found, strict=True):
        patterns = [trace.attention(-1, "mean") for trace in (one, other)]
        if one.token_ids != other.token_ids or not np.array_equal(*patterns):
            return "**different**"
    return "the same"
