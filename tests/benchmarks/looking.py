"""Looking: one head of a long prompt, and a grid of many heads, beside what BertViz sends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import bertviz
import torch
from reference import tokenizer

import segviz as sv
from benchmarks.common import Cell, Table, progress, ratio
from benchmarks.measure import medians
from benchmarks.models import chat, llama, prompt, shape_text

PIXELS = 512
"""Cells on a side of the picture of one head."""

SIZES = {
    "full": {"tokens": 4096, "repeats": 7, "grid": (16, 32), "grid_tokens": 2048, "page": 128},
    "quick": {"tokens": 2048, "repeats": 3, "grid": (8, 32), "grid_tokens": 512, "page": 32},
    "tiny": {"tokens": 64, "repeats": 1, "grid": (2, 4), "grid_tokens": 40, "page": 16},
}


def tables(
    tokens: int, repeats: int, grid: tuple[int, int], grid_tokens: int, page: int
) -> Iterator[Table]:
    """One head, then the grid."""
    progress(f"one head at {tokens} tokens")
    yield one_head(llama(tokens), tokens, repeats)
    progress(f"a grid of {grid[0]} × {grid[1]} heads at {grid_tokens} tokens")
    yield heads(grid, grid_tokens, page)


def one_head(hf_model: Any, tokens: int, repeats: int) -> Table:
    """One head's attention as a picture, beside computing all of it and pooling then."""
    trace = sv.Model(hf_model, tokenizer()).trace(prompt(chat(tokens)))
    layer, head, factor = trace.layers[1], 3, max(1, tokens // PIXELS)
    spans = torch.from_numpy(trace.key_spans(1).copy()).to(layer.queries.device)
    key = torch.arange(tokens, device=spans.device)
    masked = (key < spans[:, :1]) | (key >= spans[:, 1:])

    def whole() -> object:
        # What eager attention does, for one head.
        keys = layer.keys[head * layer.kv_heads // layer.heads].float()
        scores = layer.queries[head].float() @ keys.T * layer.scale
        attention = scores.masked_fill(masked, -torch.inf).softmax(dim=-1)
        return torch.nn.functional.max_pool2d(attention[None], factor, ceil_mode=True).cpu()

    full, name = "all of it in float32, then pooled", "**pooled by segviz**"
    found = medians(
        {full: whole, name: lambda: view(trace, 1, head)}, repeats, str(hf_model.device)
    )
    return Table(
        "One head",
        {"attention": "", "milliseconds": ".1f", "ratio": ".2f"},
        [
            [way, x if isinstance(x, str) else 1000 * x, ratio(x, found[full])]
            for way, x in found.items()
        ],
        (
            f"{tokens:,} tokens to {-(-tokens // factor)} cells on a side, each the largest of "
            f"{factor} × {factor}; {shape_text(hf_model)}, {hf_model.dtype}. Medians of {repeats}."
        ),
    )


def view(trace: sv.Trace, layer: int, head: int) -> object:
    """What an explorer asks for when somebody looks at a head."""
    tokens = len(trace.tokens)
    whole = slice(0, tokens)
    return trace.tiles(layer, head).tile(whole, whole, max(1, tokens // PIXELS))


def heads(grid: tuple[int, int], tokens: int, page: int) -> Table:
    """All heads of a model, layer by layer, beside BertViz's page of them."""
    rows = [_grid(grid, length) for length in (page, tokens)]
    return Table(
        "All heads",
        {
            "pictures": "",
            "tokens": ",d",
            "first layer, seconds": ".2f",
            "all, seconds": ".2f",
            "to the browser, MB": ",.1f",
        },
        [*rows, _page(grid, page)],
        (
            f"{grid[0]} layers with {grid[1]} heads of 64. segviz: a picture and four numbers of "
            "every head, layer by layer; BertViz's page grows with the square of the tokens."
        ),
    )


def _trace(grid: tuple[int, int], tokens: int) -> sv.Trace:
    layers, count = grid
    hf_model = llama(
        tokens,
        num_hidden_layers=layers,
        num_attention_heads=count,
        num_key_value_heads=count // 4,
        intermediate_size=512,
        head_dim=64,
    )
    return sv.Model(hf_model, tokenizer()).trace(prompt(chat(tokens)))


def _grid(grid: tuple[int, int], tokens: int) -> list[Cell]:
    trace = _trace(grid, tokens)
    grid_layer(trace, 0)  # to warm up
    started = time.perf_counter()
    sent = grid_layer(trace, 0)
    first = time.perf_counter() - started
    sent += sum(grid_layer(trace, layer) for layer in range(1, grid[0]))
    return ["**segviz, head grid**", tokens, first, time.perf_counter() - started, sent / 1e6]


def grid_layer(trace: sv.Trace, layer: int) -> int:
    """One layer's part of the grid; the bytes it sends."""
    pictures = trace.layer_thumbnails(layer)
    numbers = trace.layer_summaries(layer)
    return pictures.nbytes + sum(array.nbytes for array in numbers.values())


def _page(grid: tuple[int, int], tokens: int) -> list[Cell]:
    trace = _trace(grid, tokens)
    attention = [
        torch.stack([torch.from_numpy(trace.attention(layer, head)) for head in range(grid[1])])
        for layer in range(grid[0])
    ]
    started = time.perf_counter()
    shown: Any = bertviz.model_view(
        [layer[None] for layer in attention], list(trace.tokens), html_action="return"
    )
    spent = time.perf_counter() - started
    return ["BertViz, model view", tokens, "all at once", spent, len(shown.data.encode()) / 1e6]
