"""Adapters for tests: random LoRA layers, far enough from zero to show."""

from __future__ import annotations

import pytest
import torch


def lora(model, **options):
    """A peft model around a model, whose layers are wrapped in place."""
    peft = pytest.importorskip("peft", reason="peft is an optional dependency")
    torch.manual_seed(5)
    config = peft.LoraConfig(
        **{"target_modules": ["q_proj", "v_proj"], "r": 4, "init_lora_weights": False} | options
    )
    return peft.get_peft_model(model, config)
