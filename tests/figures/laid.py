"""Laid: where texts lie in a figure that was worked out in points, and traces to draw."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from functools import cache

import numpy as np
import reference
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from transformers import AutoModelForCausalLM, LlamaConfig

import segviz as sv
from segviz.prompts import Prompt

DPI = 600
"""So many that rounding to pixels is small against the space between texts."""
_ROUNDING = 0.5
"""Points."""

WORDS = ("the", "inter", "nation", "al", "of", "follows", "Anna", "question", "a", "who")
MANY = ("bos", *(f"document {number}" for number in range(39)))


def texts(figure: Figure) -> list[Text]:
    """All texts that are seen."""
    found = figure.findobj(lambda one: isinstance(one, Text) and one.get_visible())
    return [one for one in found if one.get_text().strip()]


def words(figure: Figure) -> list[str]:
    return [one.get_text() for one in texts(figure)]


def boxes(figure: Figure) -> list[tuple[str, np.ndarray]]:
    """Every text and its sides (left, bottom, right, top), in points."""
    figure.set_dpi(DPI)
    FigureCanvasAgg(figure).draw()
    points = 72 / DPI
    return [(one.get_text(), one.get_window_extent().extents * points) for one in texts(figure)]


def assert_readable(figure: Figure) -> None:
    """No text overlaps another, and none is cut off."""
    found = boxes(figure)
    width, height = figure.get_size_inches() * 72
    for name, (left, bottom, right, top) in found:
        assert left >= -_ROUNDING, f"{name!r} is cut off at the left by {-left:.1f}"
        assert bottom >= -_ROUNDING, f"{name!r} is cut off below by {-bottom:.1f}"
        assert right <= width + _ROUNDING, f"{name!r} is cut off by {right - width:.1f}"
        assert top <= height + _ROUNDING, f"{name!r} is cut off above by {top - height:.1f}"
    corners = np.array([box for _, box in found])
    low = np.maximum(corners[:, None, :2], corners[None, :, :2])
    high = np.minimum(corners[:, None, 2:], corners[None, :, 2:])
    overlap = np.triu((high - low > _ROUNDING).all(axis=2), 1)
    pairs = [(found[a][0], found[b][0]) for a, b in np.argwhere(overlap)]
    assert not pairs, f"overlapping texts: {pairs[:5]}"


@cache
def model(layers: int = 3, heads: int = 6, kv_heads: int = 2) -> sv.Model:
    """A random model for thousands of tokens, its attention neither flat nor a single peak."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=reference.VOCABULARY,
        hidden_size=8 * heads,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=8,
        max_position_embeddings=9000,
        bos_token_id=0,
        eos_token_id=1,
        initializer_range=0.15,
    )
    network = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    return sv.Model(network.eval(), reference.tokenizer())


def prompt(length: int, names: Sequence[str] = ("bos", "system", "user", "assistant")) -> Prompt:
    """Segments of uneven lengths, the first a single token, and tokens that look like text."""
    rng = random.Random(length)
    names = list(names)[: max(1, min(len(names), length))]
    inner = sorted(rng.sample(range(2, length), len(names) - 2)) if len(names) > 2 else []
    stops = [1, *inner, length] if len(names) > 1 else [length]
    segmentation = sv.Segmentation(
        sv.Segment(start, stop, name, "causal" if name in ("bos", "assistant") else "bidirectional")
        for start, stop, name in zip([0, *stops], stops, names, strict=False)
    )
    made = reference.random_prompt(length, length, segmentation)
    tokens = [(" " if rng.random() < 0.8 else "") + rng.choice(WORDS) for _ in range(length)]
    for number, at in enumerate(range(7, length, 11)):
        tokens[at] = (".", "\n", " $5", ",", "\n\n")[number % 5]
    tokens[0] = "<|begin_of_text|>"
    return dataclasses.replace(made, tokens=tuple(tokens), text="".join(tokens))


@cache
def trace(
    length: int,
    new: int = 0,
    names: tuple[str, ...] = ("bos", "system", "user", "assistant"),
    shape: tuple[int, int, int] = (3, 6, 2),
) -> sv.Trace:
    """A run under the segment mask; ``shape`` is layers, query heads and KV heads."""
    return model(*shape).trace(prompt(length, names), "segment", max_new_tokens=new)


@cache
def comparison(
    length: int, new: int = 0, names: tuple[str, ...] = ("bos", "system", "user")
) -> sv.Comparison:
    return sv.compare(model(), prompt(length, names), max_new_tokens=new)
