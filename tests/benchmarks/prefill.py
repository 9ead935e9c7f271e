"""Prefill: a prompt under a segment mask, captured, beside what one would run without segviz."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

import segviz as sv
from benchmarks.common import Table, progress, ratio
from benchmarks.measure import medians
from benchmarks.models import chat, llama, prompt, sentences, shape_text, work_ratio
from benchmarks.peers import CAUSAL, DENSE, FLEX, SEGMENT, ways
from segviz.attention import attend, row_plan

SIZES = {
    "full": {"tokens": 2048, "repeats": 5},
    "quick": {"tokens": 1024, "repeats": 2, "flex": False},
    "tiny": {"tokens": 48, "repeats": 1, "flex": False},
}


def tables(tokens: int, repeats: int, *, flex: bool = True) -> Iterator[Table]:
    """One table for a chat, one for a segment per sentence."""
    hf_model = llama(tokens)
    named = {"a chat: 20 % system, 70 % user": chat, "one short segment per sentence": sentences}
    for name, cut in named.items():
        progress(f"prefill of {tokens} tokens, {name}")
        segmentation = cut(tokens)
        prepared = ways(hf_model, prompt(segmentation))
        if not flex:
            del prepared[FLEX]
        found = medians({way: prepare() for way, prepare in prepared.items()}, repeats)
        work = work_ratio(hf_model, segmentation)
        rows = [
            [way, seconds, slower, ratio(slower, work) if way in SEGMENT else slower]
            for way, seconds in found.items()
            for slower in [ratio(seconds, found[CAUSAL])]
        ]
        if not flex:
            rows.append([FLEX, "left out: it is compiled first, which takes a minute", "–", "–"])
        yield Table(
            f"Prefill, {name}",
            {"prefill": "", "seconds": ".2f", "ratio": ".2f", "ratio / arithmetic": ".2f"},
            rows,
            (
                f"{tokens:,} tokens in {len(segmentation.segments)} segments; "
                f"{shape_text(hf_model)}, {hf_model.dtype}. Multiplications of the layers, "
                f"segment / causal: {work:.2f}. Medians of {repeats}, as ratios to the first row."
            ),
        )
        yield _attention_alone(hf_model, name, segmentation, repeats)


def _attention_alone(
    hf_model: Any, name: str, segmentation: sv.Segmentation, repeats: int
) -> Table:
    """The attention of one layer: what masks change, the linear layers being the same for all."""
    config, length = hf_model.config, segmentation.length
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    mask = torch.from_numpy(sv.segment_mask(segmentation))
    shapes = ((1, count, length, config.head_dim) for count in (heads, kv_heads, kv_heads))
    query, key, value = (torch.randn(shape) for shape in shapes)
    plan = row_plan(segmentation, 0, None, query.device)

    def eager() -> torch.Tensor:
        every = [x.repeat_interleave(heads // kv_heads, dim=1) for x in (key, value)]
        scores = query @ every[0].mT * config.head_dim**-0.5
        return scores.masked_fill_(~mask, -torch.inf).softmax(dim=-1) @ every[1]

    def sdpa(**options: Any) -> torch.Tensor:
        return scaled_dot_product_attention(query, key, value, enable_gqa=True, **options)

    found = medians(
        {
            CAUSAL: lambda: sdpa(is_causal=True),
            "**segment, segviz**": lambda: attend(query, key, value, plan),
            DENSE: lambda: sdpa(attn_mask=mask),
            "segment, eager": eager,
        },
        3 * repeats,
    )
    pairs = mask.sum().item() / (length * (length + 1) / 2)
    return Table(
        f"Attention alone, {name}",
        {"attention of one layer": "", "milliseconds": ".1f", "ratio": ".2f"},
        [
            [way, x if isinstance(x, str) else 1000 * x, ratio(x, found[CAUSAL])]
            for way, x in found.items()
        ],
        f"Pairs of query and key, segment / causal: {pairs:.2f}.",
    )
