"""Independent references: small models of the real architectures, run eagerly with dense masks."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

import segviz as sv
from segviz.prompts import Prompt

VOCABULARY = 97
LAYERS, HEADS, KV_HEADS = 3, 6, 2

_SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
    # Far larger than usual, so that attention is peaked and a wrong mask shows.
    "initializer_range": 0.25,
}

CONFIGS = {
    "llama": (LlamaConfig, {}),
    "qwen2": (Qwen2Config, {}),
    "qwen3": (Qwen3Config, {"head_dim": 16}),
}
WINDOWED = {
    "mistral": (MistralConfig, {"sliding_window": 7}),
    "qwen2-windowed": (
        Qwen2Config,
        {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1},
    ),
}


def make(
    architecture: str, seed: int = 0, dtype: torch.dtype = torch.float32, positions: int = 256
):
    """A transformers model with random weights; biases are random, too."""
    config_class, extra = (CONFIGS | WINDOWED)[architecture]
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(
        config_class(**_SHAPE, max_position_embeddings=positions, **extra),
        attn_implementation="sdpa",
    )
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.5)
    return model.to(dtype).eval()


def tokenizer() -> PreTrainedTokenizerFast:
    """One word per token id."""
    words = {f"w{i}": i for i in range(VOCABULARY)}
    backend = Tokenizer(models.WordLevel(words, unk_token="w3"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="w0", eos_token="w1", pad_token="w2", unk_token="w3"
    )


def random_segmentation(length: int, rng: random.Random) -> sv.Segmentation:
    """Segments of both kinds, down to a single token, the last one bidirectional half the time."""
    count = rng.randint(1, min(6, length))
    stops = [*sorted(rng.sample(range(1, length), count - 1)), length]
    starts = [0, *stops[:-1]]
    return sv.Segmentation(
        sv.Segment(start, stop, f"s{i}", rng.choice(["bidirectional", "causal"]))
        for i, (start, stop) in enumerate(zip(starts, stops, strict=True))
    )


def random_prompt(length: int, seed: int, segmentation: sv.Segmentation | None = None) -> Prompt:
    rng = random.Random(seed)
    ids = tuple(rng.randrange(4, VOCABULARY) for _ in range(length))
    tokens = tuple(f"w{i} " for i in ids)
    return Prompt(
        token_ids=ids,
        tokens=tokens,
        text="".join(tokens),
        segmentation=segmentation or random_segmentation(length, rng),
    )


def random_chat() -> Prompt:
    """30 tokens in three segments of uneven lengths, the first one causal."""
    segments = [
        sv.Segment(0, 3, "bos", "causal"),
        sv.Segment(3, 11, "system"),
        sv.Segment(11, 30, "user"),
    ]
    return random_prompt(30, 8, sv.Segmentation(segments))


def dense_mask(
    segmentation: sv.Segmentation | None, length: int, window: int | None = None
) -> np.ndarray:
    """The rule, written out: (window AND causal) OR same bidirectional segment."""
    mask = np.zeros((length, length), dtype=bool)
    for q in range(length):
        for k in range(length):
            mask[q, k] = k <= q and (window is None or k > q - window)
    for segment in segmentation.segments if segmentation else ():
        if segment.attention == "bidirectional":
            mask[segment.start : segment.stop, segment.start : segment.stop] = True
    return mask


@dataclass
class Eager:
    """What the eager run with a dense mask gives."""

    attentions: np.ndarray  # [layer, head, query, key]
    logits: np.ndarray  # [position, vocabulary]


def eager_run(model, token_ids, segmentation: sv.Segmentation | None) -> Eager:
    """One full pass with eager attention; a float mask, since a bool one is silently wrong."""
    length = len(token_ids)
    masks = {}
    for kind, window in (("full_attention", None), ("sliding_attention", _window(model))):
        visible = torch.from_numpy(dense_mask(segmentation, length, window))
        mask = torch.zeros(1, 1, length, length, dtype=model.dtype)
        masks[kind] = mask.masked_fill(~visible, torch.finfo(model.dtype).min)
    attention_mask = masks["full_attention"]
    if model.config.model_type.startswith("qwen"):
        attention_mask = masks  # a mapping by layer type is taken as it is
    elif model.config.model_type == "mistral":
        attention_mask = masks["sliding_attention"]
    implementation = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        with torch.no_grad():
            outputs = model(
                torch.tensor([list(token_ids)]),
                attention_mask=attention_mask,
                output_attentions=True,
                use_cache=False,
            )
    finally:
        model.set_attn_implementation(implementation)
    return Eager(
        attentions=torch.stack([a[0] for a in outputs.attentions]).float().numpy(),
        logits=outputs.logits[0].float().numpy(),
    )


def eager_answer(model, prompt: Prompt, segmentation, new_tokens: int) -> tuple[int, ...]:
    """Greedy decoding by recomputing everything for every token."""
    ids = list(prompt.token_ids)
    for _ in range(new_tokens):
        logits = eager_run(model, ids, segmentation).logits[-1]
        ids.append(int(logits.argmax()))
        if ids[-1] == model.config.eos_token_id:
            break
    return tuple(ids[prompt.length :])


def _window(model) -> int | None:
    return getattr(model.config, "sliding_window", None)
