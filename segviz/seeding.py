"""Seeds: a sampled run draws from its own, and leaves the random number generators as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel

from segviz.support import computing_device


def seed_for(generation: dict[str, Any] | None, seed: int | None) -> int | None:
    """The seed of a run: the one given, or one drawn from torch's generator if it samples."""
    if seed is None and generation is not None and generation["generation_config"].do_sample:
        return int(torch.randint(2**31, ()))
    return seed


@contextmanager
def seeded(model: PreTrainedModel, seed: int | None) -> Iterator[None]:
    """Seed the random number generators for one run, and give back their state."""
    if seed is None:
        yield
        return
    # Weights that accelerate brings for each call are on no device now.
    devices = {computing_device(model), *(parameter.device for parameter in model.parameters())}
    kinds = {device.type for device in devices}
    cuda = {device.index or 0 for device in devices if device.type == "cuda"}
    # Not torch.manual_seed, which also seeds devices that no one would give back.
    with torch.random.fork_rng(devices=cuda):
        mps = torch.mps.get_rng_state() if "mps" in kinds else None
        torch.default_generator.manual_seed(seed)
        for index in cuda:
            torch.cuda.default_generators[index].manual_seed(seed)
        if mps is not None:
            torch.mps.manual_seed(seed)
        try:
            yield
        finally:
            if mps is not None:
                torch.mps.set_rng_state(mps)
