"""The fingerprint of weights, adapters included: answers of other weights are not resumed."""

from __future__ import annotations

import hashlib

import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

_SAMPLED = 1024
"""Values of each weight that count, from all over it."""

# What decides in a layer of peft which adapters take part, and how much.
_ADAPTER_STATE = ("active_adapters", "disable_adapters", "scaling")


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
            step = max(1, weight.numel() // _SAMPLED)
            few = weight.detach().reshape(-1)[::step].float()
            digest.update(few.cpu().numpy().tobytes())
    for name, module in model.named_modules():
        if hasattr(module, "scaling") and hasattr(module, "active_adapters"):
            state = [str(getattr(module, one, None)) for one in _ADAPTER_STATE]
            digest.update(f"{name} {state}".encode())
    return digest.hexdigest()
