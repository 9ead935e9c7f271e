"""Models: a small Llama with random weights, the prompts, and the arithmetic of a run.

Speed does not depend on what the weights are.
"""

from __future__ import annotations

from typing import Any

import torch
from reference import random_prompt
from transformers import LlamaConfig, LlamaForCausalLM

import segviz as sv

SHAPE = {
    "vocab_size": 8000,
    "hidden_size": 512,
    "intermediate_size": 1408,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "eos_token_id": None,  # an answer has as many tokens as it may
}

SENTENCES = 300
"""Segments of a prompt of 2,048 tokens that has one per sentence."""


def llama(tokens: int, **changes: Any) -> LlamaForCausalLM:
    """A Llama of :data:`SHAPE`, with room for so many tokens."""
    torch.manual_seed(0)
    config = LlamaConfig(**(SHAPE | {"max_position_embeddings": tokens} | changes))
    return LlamaForCausalLM(config).eval()


def shape_text(hf_model: Any) -> str:
    """The shape of a model in a few words."""
    config = hf_model.config
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    return f"{config.num_hidden_layers} layers, {heads} / {kv_heads} heads of {_head_dim(config)}"


def prompt(segmentation: sv.Segmentation, seed: int = 0) -> sv.Prompt:
    """Random tokens in these segments."""
    return random_prompt(segmentation.length, seed, segmentation)


def chat(tokens: int) -> sv.Segmentation:
    """A chat: 20 % system, 70 % user, 10 % for the generation prompt."""
    return _cut(tokens, {"system": 0.2, "user": 0.9})


def sentences(tokens: int) -> sv.Segmentation:
    """One short segment per sentence."""
    count = max(2, round(SENTENCES * tokens / 2048))
    stops = {f"sentence {i}": i / (count - 1) for i in range(1, count - 1)}
    return _cut(tokens, stops)


def conversation(tokens: int, stop: float) -> sv.Segmentation:
    """A document, and a question about it in the last tenth, which ends at a share of all."""
    return _cut(tokens, {"system": 0.2, "document": 0.9, "question": stop})


def _cut(tokens: int, stops: dict[str, float]) -> sv.Segmentation:
    """Segments by name and the share of the tokens at which each ends."""
    segments = [sv.Segment(0, 1, "bos", "causal")]
    for name, share in stops.items():
        start, stop = segments[-1].stop, round(share * tokens)
        if start < stop < tokens:
            segments.append(sv.Segment(start, stop, name))
    segments.append(sv.Segment(segments[-1].stop, tokens, "assistant", "causal"))
    return sv.Segmentation(segments)


def work_ratio(hf_model: Any, segmentation: sv.Segmentation) -> float:
    """All multiplications of the layers in a segment run, over those of a causal run.

    A segment mask shows more pairs of query and key than a causal one; everything outside of
    attention is the same.
    """
    config, tokens = hf_model.config, segmentation.length
    layers = hf_model.get_decoder().layers
    linear = tokens * sum(p.numel() for p in layers.parameters() if p.dim() > 1)
    # Of every pair: query with key, and probability with value.
    pair = 2 * config.num_attention_heads * _head_dim(config) * config.num_hidden_layers
    causal = tokens * (tokens + 1) // 2
    return (linear + pair * _pairs(segmentation)) / (linear + pair * causal)


def _pairs(segmentation: sv.Segmentation) -> int:
    """Pairs of query and key that the mask shows."""
    total = 0
    for segment in segmentation.segments:
        if segment.attention == "bidirectional":
            total += segment.length * segment.stop
        else:
            total += sum(range(segment.start + 1, segment.stop + 1))
    return total


def _head_dim(config: Any) -> int:
    named = getattr(config, "head_dim", None)
    return named or config.hidden_size // config.num_attention_heads
