"""Decode: an answer with capture, beside transformers' ``generate``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from reference import tokenizer

import segviz as sv
from benchmarks.common import Cell, Table, progress, ratio
from benchmarks.measure import Way, compiled, medians
from benchmarks.models import chat, llama, prompt, shape_text

SIZES = {
    "full": {"tokens": 512, "new": 64, "repeats": 5},
    "quick": {"tokens": 256, "new": 32, "repeats": 3},
    "tiny": {"tokens": 24, "new": 3, "repeats": 1},
}


def tables(tokens: int, new: int, repeats: int) -> Iterator[Table]:
    """One answer, then the answers under both masks."""
    hf_model = llama(tokens + new)
    progress(f"{new} new tokens behind {tokens}")
    yield one_answer(hf_model, tokens, new, repeats)
    progress("the answers under both masks")
    yield two_answers(hf_model, tokens, new, repeats)


def one_answer(hf_model: Any, tokens: int, new: int, repeats: int, **also: Any) -> Table:
    """Decoding alone: what an answer takes longer than its first token.

    Args:
        hf_model: decodes.
        tokens: of the prompt.
        new: of the answer.
        repeats: how often.
        also: options of ``generate`` for one more row, a peer that is compiled.
    """
    asked = prompt(chat(tokens))
    plain, captured = "`generate`", "**traced, with capture**"
    makers = {plain: generate(hf_model, asked), captured: _trace(hf_model, asked)}
    if also:
        named = ", ".join(f"{name}={value!r}" for name, value in also.items())
        peer = generate(hf_model, asked, **also)
        makers[f"`generate({named})`"] = lambda count: compiled(peer(count))
    runs = {(name, count): make(count) for name, make in makers.items() for count in (new, 1)}
    labels = {f"{name} {count}": run for (name, count), run in runs.items()}
    found = medians(labels, repeats, str(hf_model.device))
    whole = {name: found[f"{name} {new}"] for name in makers}
    each = {name: _each(found[f"{name} {new}"], found[f"{name} 1"], new - 1) for name in makers}
    return Table(
        "Decoding",
        {"answer": "", "seconds": ".2f", "ratio": ".2f", "ms per token": ".2f", "its ratio": ".2f"},
        [
            [name, x, ratio(x, whole[plain]), each[name], ratio(each[name], each[plain])]
            for name, x in whole.items()
        ],
        (
            f"{new} new tokens behind {tokens:,} of a causal prompt; {shape_text(hf_model)}, "
            f"{hf_model.dtype}. Seconds of all, and of each token behind the first. Medians of "
            f"{repeats}."
        ),
    )


def two_answers(hf_model: Any, tokens: int, new: int, repeats: int) -> Table:
    """Both masks' answers, beside two plain answers."""
    asked = prompt(chat(tokens))
    answer = generate(hf_model, asked)(new)
    model = sv.Model(hf_model, tokenizer())

    def twice() -> object:
        return answer(), answer()

    def traces() -> object:
        model.clear_cache()
        return [model.trace(asked, kind, new) for kind in ("causal", "segment")]

    def comparison() -> object:
        model.clear_cache()
        return sv.compare(model, asked, new)

    plain = "`generate`, twice, causal"
    found = medians(
        {plain: twice, "two traces": traces, "**`sv.compare`**": comparison},
        repeats,
        str(hf_model.device),
    )
    return Table(
        "Both answers",
        {"answers": "", "seconds": ".2f", "ratio": ".2f"},
        [[name, seconds, ratio(seconds, found[plain])] for name, seconds in found.items()],
        f"{new} new tokens each, behind {tokens:,}, prefill included. Medians of {repeats}.",
    )


def generate(hf_model: Any, asked: sv.Prompt, **options: Any) -> Callable[[int], Way]:
    """A plain, causal, greedy answer of so many tokens."""
    ids = torch.tensor([asked.token_ids], device=hf_model.device)

    def make(count: int) -> Way:
        return lambda: hf_model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=count,
            do_sample=False,
            **options,
        )

    return make


def _trace(hf_model: Any, asked: sv.Prompt) -> Callable[[int], Way]:
    model = sv.Model(hf_model, tokenizer())

    def make(count: int) -> Way:
        def run() -> object:
            model.clear_cache()
            return model.trace(asked, "causal", count)

        return run

    return make


def _each(whole: Cell, first: Cell, count: int) -> Cell:
    """Milliseconds per token."""
    if isinstance(whole, str) or isinstance(first, str):
        return "–"
    return 1000 * (whole - first) / count
