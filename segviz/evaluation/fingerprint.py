"""The fingerprint of weights, adapters included: answers of other weights are not resumed."""

from __future__ import annotations

import hashlib

import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from segviz.weights import adapters_state, sample

_SAMPLED = 1024
"""Values of each weight that count, from all over it."""


def weights_fingerprint(model: torch.nn.Module) -> str:
    """The same in another process, and another one for other weights or other active adapters.

    >>> layer = torch.nn.Linear(3, 2)
    >>> before = weights_fingerprint(layer)
    >>> torch.nn.init.constant_(layer.bias, 0.5)
    Parameter containing:
    tensor([0.5000, 0.5000], requires_grad=True)
    >>> weights_fingerprint(layer) == before
    False

    Values of weights that are on no device now, or that a quantization packs, are not looked at.

    Args:
        model: any module.

    Returns:
        SHA-256, in hexadecimal.
    """
    digest = hashlib.sha256()
    for name, weight in model.named_parameters():
        digest.update(f"{name} {tuple(weight.shape)}".encode())
        if weight.device.type != "meta" and not is_traceable_wrapper_subclass(weight):
            digest.update(sample(weight, _SAMPLED).float().cpu().numpy().tobytes())
    digest.update(repr(adapters_state(model)).encode())
    return digest.hexdigest()
