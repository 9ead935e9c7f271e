"""The two tuned versions: one base, the same data and steps, another mask."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

import torch
from peft import LoraConfig, get_peft_model

from segviz.tiny.base import answer_loss
from segviz.tiny.batches import draw_batches

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    from segviz.tiny.recipe import Recipe


def tune(
    base: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    mask: str,
    recipe: Recipe,
    seed: int,
    log: Callable[[str], None] = print,
) -> LlamaForCausalLM:
    """The base with a LoRA on q and v trained under `mask` and merged into the weights."""
    lora = recipe.lora
    torch.manual_seed(seed)  # the same LoRA to start from, whatever the mask
    config = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, target_modules=["q_proj", "v_proj"], lora_dropout=0.0
    )
    model = get_peft_model(copy.deepcopy(base), config).train()
    inner = cast("LlamaForCausalLM", model.get_base_model())
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=lora.rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / recipe.warmup_steps, 1 - step / lora.steps)
    )
    batches = draw_batches(tokenizer, lora.mixture, recipe.batch, f"{seed}/tuning")
    for step in range(1, lora.steps + 1):
        loss = answer_loss(inner, tokenizer, next(batches), mask)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        if step % recipe.gate_every == 0:
            log(f"tuned under the {mask} mask: step {step}, loss {loss.item():.3f}")
    return cast("LlamaForCausalLM", model.merge_and_unload()).eval()
