"""Restoring: a model, and the random number generators, as they were before a training."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import PreTrainedModel

from segviz.seeding import seeded


@contextmanager
def own_randomness(hf_model: PreTrainedModel, seed: int) -> Iterator[None]:
    """Random numbers of torch from a seed; the state of all generators is given back.

    >>> import segviz as sv
    >>> random.seed(1)
    >>> expected = random.random()
    >>> random.seed(1)
    >>> with own_randomness(sv.load().hf_model, seed=0):
    ...     _ = random.random()
    >>> random.random() == expected
    True
    """
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 (Trainer's)
    try:
        with seeded(hf_model, seed):
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002


@contextmanager
def as_it_was(hf_model: PreTrainedModel) -> Iterator[None]:
    """Give a model back as it was, whatever happens to it.

    >>> import segviz as sv
    >>> hf_model = sv.load().hf_model
    >>> with as_it_was(hf_model):
    ...     _ = hf_model.train()
    >>> hf_model.training
    False

    That is: its layers, without those of peft around them; which weights need gradients; of each
    module its mode, its hooks and whether it is checkpointed; ``use_cache``; its device.
    """
    with _weights(hf_model), _attributes(hf_model), _modules(hf_model):
        try:
            yield
        finally:
            for path, module in list(hf_model.named_modules()):
                if isinstance(module, BaseTunerLayer):
                    hf_model.set_submodule(path, module.get_base_layer())


@contextmanager
def _weights(hf_model: PreTrainedModel) -> Iterator[None]:
    learning = [(weight, weight.requires_grad) for weight in hf_model.parameters()]
    device = next(hf_model.parameters()).device
    try:
        yield
    finally:
        for weight, needs in learning:
            weight.requires_grad_(needs)
        if next(hf_model.parameters()).device != device:
            hf_model.to(device)  # type: ignore[arg-type] (annotated for other classes)


@contextmanager
def _attributes(hf_model: PreTrainedModel) -> Iterator[None]:
    before = set(vars(hf_model))
    use_cache = getattr(hf_model.config, "use_cache", None)
    try:
        yield
    finally:
        for name in set(vars(hf_model)) - before:
            delattr(hf_model, name)
        if use_cache is not None:
            hf_model.config.use_cache = use_cache


@contextmanager
def _modules(hf_model: PreTrainedModel) -> Iterator[None]:
    before = [
        (module, module.training, getattr(module, "gradient_checkpointing", None))
        for module in hf_model.modules()
    ]
    hooks = [(module, set(_hooks(module))) for module in hf_model.modules()]
    try:
        yield
    finally:
        for module, training, checkpointing in before:
            module.training = training
            if checkpointing is not None:
                module.gradient_checkpointing = checkpointing
        for module, known in hooks:
            # Whoever asks for gradients of the embeddings adds one, and keeps the last handle only.
            for key in set(_hooks(module)) - known:
                del _hooks(module)[key]


def _hooks(module: torch.nn.Module) -> dict[int, Any]:
    return module._forward_hooks  # noqa: SLF001 (there is no public way to tell which are there)
