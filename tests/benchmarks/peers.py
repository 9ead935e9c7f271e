"""Peers: a prefill as segviz runs it, and as one would run it without segviz."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from reference import tokenizer
from torch.nn.attention.flex_attention import create_block_mask

import segviz as sv
from benchmarks.measure import Way, compiled

CAUSAL = "causal, SDPA"
TRACED_CAUSAL = "causal, traced by segviz"
TRACED = "**segment, traced by segviz**"
OFFLOADED = '**segment, traced, `offload="cpu"`**'
DENSE = "segment, SDPA with a dense mask"
FLEX = "segment, flex_attention with a block mask"
EAGER = "segment, eager with attentions"

SEGMENT = frozenset({TRACED, OFFLOADED, DENSE, FLEX, EAGER})
"""Those that run under the segment mask."""


def ways(hf_model: Any, prompt: sv.Prompt) -> dict[str, Callable[[], Way]]:
    """What is compared, by name; the first one is the floor.

    Each is given as what prepares it: the masks of several at once may not fit a GPU. All compute
    the logits of the last row only.
    """
    device, dtype = hf_model.device, hf_model.dtype
    segmentation = prompt.segmentation
    ids = torch.tensor([prompt.token_ids], device=device)

    def plain(implementation: str, **options: Any) -> Way:
        def run() -> object:
            hf_model.set_attn_implementation(implementation)
            with torch.no_grad():
                return hf_model(ids, use_cache=True, logits_to_keep=1, **options)

        return run

    def dense_mask() -> torch.Tensor:
        return torch.from_numpy(sv.segment_mask(segmentation))[None, None].to(device)

    def eager() -> Way:
        mask = torch.zeros(1, 1, len(ids[0]), len(ids[0]), dtype=dtype, device=device)
        mask.masked_fill_(~dense_mask(), torch.finfo(dtype).min)
        return plain("eager", attention_mask=mask, output_attentions=True)

    def flex() -> Way:
        mask = compiled(lambda: _block_mask(segmentation, device))()
        return compiled(plain("flex_attention", attention_mask=mask))

    def traced(kind: str, **options: Any) -> Way:
        model = sv.Model(hf_model, tokenizer(), **options)

        def run() -> object:
            hf_model.set_attn_implementation("sdpa")
            model.clear_cache()
            return model.trace(prompt, kind)

        return run

    found: dict[str, Callable[[], Way]] = {
        CAUSAL: lambda: plain("sdpa"),
        TRACED_CAUSAL: lambda: traced("causal"),
        TRACED: lambda: traced("segment"),
        DENSE: lambda: plain("sdpa", attention_mask=dense_mask()),
        FLEX: flex,
        EAGER: eager,
    }
    if device.type == "cuda":
        found[OFFLOADED] = lambda: traced("segment", offload="cpu")
    return found


def _block_mask(segmentation: sv.Segmentation, device: torch.device) -> Any:
    """The mask as flex_attention takes it."""
    block = torch.from_numpy(segmentation.block_ids()).to(device)

    def visible(_batch: Any, _head: Any, query: Any, key: Any) -> Any:
        return (key <= query) | ((block[query] == block[key]) & (block[query] >= 0))

    length = segmentation.length
    # Compiled it never holds the whole mask; a CPU has room for it, and no time to compile.
    return create_block_mask(
        visible, None, None, length, length, str(device), _compile=device.type == "cuda"
    )
