"""LoRA layers in a model for the time of a training, and the model as it was afterwards."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import PreTrainedModel

from segviz.training.restoring import as_it_was, own_randomness
from segviz.training.settings import Settings


@contextmanager
def lora_layers(hf_model: PreTrainedModel, settings: Settings, name: str) -> Iterator[PeftModel]:
    """A model with LoRA layers to train, the same ones for the same seed.

    >>> import segviz as sv
    >>> hf_model = sv.load().hf_model
    >>> with lora_layers(hf_model, Settings(rank=2), "tiny-llama") as peft_model:
    ...     sum(weight.numel() for weight in peft_model.parameters() if weight.requires_grad)
    1920
    >>> any(isinstance(module, BaseTunerLayer) for module in hf_model.modules())
    False

    Afterwards the model is as before, whatever happened: its layers, what of it needs gradients,
    its training mode, ``use_cache``, its device, and the random number generators.

    Args:
        hf_model: to train.
        settings: of the layers: rank, alpha, dropout, targets and seed.
        name: of the base, for the adapter's configuration.

    Raises:
        ValueError: a model that carries an adapter already, or targets that it does not have.
    """
    if any(isinstance(module, BaseTunerLayer) for module in hf_model.modules()):
        raise ValueError(
            "the model carries an adapter already, and a new one would be trained on top of it: "
            "load the base with adapter=None, or merge the adapter first (merge_and_unload of peft)"
        )
    _check_targets(hf_model, settings.targets)
    targets = settings.targets
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type] (a float works as well)
        lora_dropout=settings.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        task_type="CAUSAL_LM",
    )
    with own_randomness(hf_model, settings.seed), as_it_was(hf_model):
        if settings.gradient_checkpointing:
            # Or nothing that enters a checkpointed layer would need gradients.
            hf_model.enable_input_require_grads()
        with warnings.catch_warnings():
            # Peft asks transformers for something under its former name.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            peft_model: Any = get_peft_model(hf_model, config)
        # After peft put the model's path there, which for an embedded model says nothing.
        peft_model.peft_config["default"].base_model_name_or_path = name
        # Else each checkpoint would ask the hub whether the vocabulary has grown.
        peft_model.save_pretrained = partial(
            peft_model.save_pretrained, save_embedding_layers=False
        )
        yield peft_model


def _check_targets(hf_model: PreTrainedModel, targets: tuple[str, ...] | str) -> None:
    """Peft takes a target that is not there for none."""
    if isinstance(targets, str):
        return
    names = [name for name, _ in hf_model.named_modules()]
    for target in targets:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            kinds = (torch.nn.Linear, torch.nn.Embedding)
            there = {
                name.rpartition(".")[2]
                for name, module in hf_model.named_modules()
                if isinstance(module, kinds)
            }
            raise ValueError(
                f"the model has no layer {target!r} to train; there are {', '.join(sorted(there))}"
            )
