"""Encoded records for tests: random token ids in random segments, with an answer at the end."""

from __future__ import annotations

import random

import numpy as np
import reference

import segviz as sv
from segviz.data import Encoded


def record(length: int, answer: int, seed: int) -> Encoded:
    """A prompt of ``length`` tokens in segments of both kinds, and an answer of ``answer``."""
    prompt = reference.random_prompt(length, seed)
    rng = random.Random(seed)
    ids = [rng.randrange(4, reference.VOCABULARY) for _ in range(answer)]
    return Encoded(
        (*prompt.token_ids, *ids),
        np.concatenate([prompt.segmentation.block_ids(), np.full(answer, -1)]),
        np.arange(length + answer) >= length,
        length,
    )


def records(count: int, seed: int = 0) -> list[Encoded]:
    """Records of unequal lengths."""
    rng = random.Random(seed)
    return [record(rng.randint(3, 20), rng.randint(1, 6), seed + i) for i in range(count)]


def segmentation(one: Encoded) -> sv.Segmentation:
    """The segments that block ids stand for, each causal token one of its own."""
    segments: list[sv.Segment] = []
    for position, block in enumerate(one.block_ids):
        before = one.block_ids[position - 1] if position else None
        if block != -1 and block == before:
            start = segments.pop().start
            segments.append(sv.Segment(start, position + 1, f"s{start}"))
        else:
            kind = "causal" if block == -1 else "bidirectional"
            segments.append(sv.Segment(position, position + 1, f"s{position}", kind))
    return sv.Segmentation(segments)
