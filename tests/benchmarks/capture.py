"""Capture: what it costs to keep the queries of a run, and how much memory it takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from reference import tokenizer
from transformers import DynamicCache

import segviz as sv
from benchmarks.common import Cell, Table, minus, progress, ratio
from benchmarks.measure import FAILURES, Way, in_fresh_process, medians, peak, said
from benchmarks.models import chat, llama, prompt, shape_text
from benchmarks.peers import CAUSAL, EAGER, TRACED, ways
from segviz.hook import Activity, active, installed

SIZES = {
    "full": {"tokens": 2048, "repeats": 7, "long": 4096},
    "quick": {"tokens": 1024, "repeats": 3, "long": 2048},
    "tiny": {"tokens": 48, "repeats": 1, "long": 64, "fresh": False},
}


def tables(tokens: int, repeats: int, long: int, *, fresh: bool = True) -> Iterator[Table]:
    """The share of a run's time, and the peak of its memory."""
    progress(f"capture at {tokens} tokens")
    yield share(llama(tokens), tokens, repeats)
    progress(f"memory at {long} tokens")
    yield memory(long, fresh=fresh)


def share(hf_model: Any, tokens: int, repeats: int) -> Table:
    """Time of one pass that keeps nothing, of the same that keeps queries, and of a trace."""
    asked = prompt(chat(tokens))
    model = sv.Model(hf_model, tokenizer())

    def trace() -> object:
        model.clear_cache()
        return model.trace(asked)

    nothing, kept, whole = (
        "the pass under the segment mask, nothing kept",
        "the same pass, queries kept",
        "`model.trace`: queries, likely next tokens, receipt",
    )
    found = medians(
        {
            nothing: _pass(hf_model, asked, keep=False),
            kept: _pass(hf_model, asked, keep=True),
            whole: trace,
        },
        repeats,
        str(hf_model.device),
    )
    return Table(
        "Capture",
        {"run": "", "seconds": ".3f", "ratio": ".2f", "share of a trace": ".1%"},
        [
            [name, seconds, ratio(seconds, found[nothing]), ratio(seconds, found[whole])]
            for name, seconds in found.items()
        ],
        f"{tokens:,} tokens, a chat; {shape_text(hf_model)}. Medians of {repeats}.",
    )


def _pass(hf_model: Any, asked: sv.Prompt, *, keep: bool) -> Way:
    """The model's own forward pass through segviz's attention."""
    ids = torch.tensor([asked.token_ids], device=hf_model.device)

    def run() -> object:
        queries = []

        def observe(_layer: int, _start: int, seen: torch.Tensor, *_: object) -> None:
            if keep:
                queries.append(seen)

        activity = Activity(asked.segmentation, observe, lambda *_: None)
        with torch.no_grad(), installed(hf_model), active(activity):
            cache = DynamicCache()
            outputs = hf_model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return outputs, queries

    return run


def memory(tokens: int, *, fresh: bool = True) -> Table:
    """The peak of a trace beside that of a plain run, and of one that stores attention."""
    found: dict[str, Cell] = {}
    for name in (CAUSAL, TRACED, EAGER):
        try:
            found[name] = 1e-6 * (
                in_fresh_process(held_by, name, tokens, gives_back=True)
                if fresh
                else held_by(name, tokens)
            )
        except FAILURES as error:
            found[name] = said(error)
    own = " of its own" if fresh else ""
    more = {name: minus(held, found[CAUSAL]) for name, held in found.items()}
    return Table(
        "Memory",
        {
            "prefill": "",
            "peak, MB": ",.0f",
            "stored attention / this": ".1f",
            "more than plain, MB": ",.0f",
            "stored attention / this, in what is more": ".1f",
        },
        [
            [name, held, ratio(found[EAGER], held), more[name], ratio(more[EAGER], more[name])]
            for name, held in found.items()
        ],
        f"{tokens:,} tokens, a chat. The most that each held in a process{own}, above the model "
        "and what Python had loaded.",
    )


def held_by(name: str, tokens: int) -> int:
    """Bytes at the peak of one prefill, its masks included."""
    hf_model = llama(tokens)
    ways(hf_model, prompt(chat(32)))[name]()()  # loads what is loaded with the first run

    def prepare_and_run() -> object:
        return ways(hf_model, prompt(chat(tokens)))[name]()()

    return peak(prepare_and_run)
