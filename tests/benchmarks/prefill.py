"""A prefill under a segment mask, captured, beside what one would run without segviz.

In ``tests/``: ``python -m benchmarks.prefill [--tokens 2048] [--repeats 5]``. Prints a Markdown
table: medians, as ratios to plain causal SDPA, whose logits are those of the last row only. A
segment mask shows more pairs of query and key than a causal one; the ratio of all multiplications
of the two runs stands above the table.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import torch
import transformers
from reference import random_prompt, tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

import segviz as sv

SHAPE = {
    "vocab_size": 8000,
    "hidden_size": 512,
    "intermediate_size": 1408,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
}


def segments(tokens: int) -> sv.Segmentation:
    """A chat: 20 % system, 70 % user."""
    system, user = tokens // 5, 9 * tokens // 10
    return sv.Segmentation(
        [
            sv.Segment(0, 1, "bos", "causal"),
            sv.Segment(1, system, "system"),
            sv.Segment(system, user, "user"),
            sv.Segment(user, tokens, "assistant", "causal"),
        ]
    )


def ways(model: Any, tokens: int) -> dict[str, Callable[[], object]]:
    """What is timed, by name; the first one is what the others are compared with."""
    segmentation = segments(tokens)
    prompt = random_prompt(tokens, 0, segmentation)
    traced = sv.Model(model, tokenizer())
    ids = torch.tensor([prompt.token_ids])
    mask = torch.from_numpy(sv.segment_mask(segmentation))[None, None]
    added = torch.zeros(mask.shape).masked_fill_(~mask, torch.finfo(torch.float32).min)

    def plain(implementation: str, **options: Any) -> Callable[[], object]:
        def run() -> object:
            model.set_attn_implementation(implementation)
            with torch.no_grad():
                return model(ids, use_cache=True, logits_to_keep=1, **options)

        return run

    def trace(kind: str) -> Callable[[], object]:
        def run() -> object:
            model.set_attn_implementation("sdpa")
            traced.clear_cache()
            return traced.trace(prompt, kind)

        return run

    return {
        "causal, SDPA": plain("sdpa"),
        "causal, traced by segviz": trace("causal"),
        "**segment, traced by segviz**": trace("segment"),
        "segment, SDPA with a dense mask": plain("sdpa", attention_mask=mask),
        "segment, eager with attentions": plain(
            "eager", attention_mask=added, output_attentions=True
        ),
    }


def work(model: Any, tokens: int) -> float:
    """All multiplications of the segment run over those of the causal one."""
    config = model.config
    linear = sum(p.numel() for p in model.model.layers.parameters() if p.dim() > 1) * tokens
    pair = 2 * config.hidden_size * config.num_hidden_layers
    causal, segment = (
        linear + pair * int(mask.sum())
        for mask in (sv.causal_mask(tokens), sv.segment_mask(segments(tokens)))
    )
    return segment / causal


def timed(makers: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each; they take turns, so that a slow moment slows all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in makers}
    for _ in range(repeats + 1):
        for name, run in makers.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.manual_seed(0)
    config = LlamaConfig(**SHAPE, max_position_embeddings=options.tokens)
    model = LlamaForCausalLM(config).eval()
    found = timed(ways(model, options.tokens), options.repeats)
    floor = next(iter(found.values()))
    print(
        f"{options.tokens} tokens, 4 layers, 8 / 2 heads of 64, torch {torch.__version__}, "
        f"transformers {transformers.__version__}, {torch.get_num_threads()} threads on "
        f"{platform.machine()}, {datetime.now(UTC):%Y-%m-%d}. Multiplications, segment / causal: "
        f"{work(model, options.tokens):.2f}\n"
    )
    print("| prefill | seconds | ratio |\n| --- | --- | --- |")
    for name, seconds in found.items():
        print(f"| {name} | {seconds:.2f} | {seconds / floor:.2f} |")


if __name__ == "__main__":
    main()
