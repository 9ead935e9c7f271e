"""The state of a model's weights: what is computed with it holds as long as it stays the same."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

# What decides in a layer of peft which adapters take part, and how much.
_ADAPTER_STATE = ("active_adapters", "disable_adapters", "merged_adapters", "scaling")

_SAMPLED = 8
"""Values of each tensor of a model that are compared."""

_SAMPLED_OF_PART = 1024
"""The same of a part of a model, from all over the tensor."""


def weights_state(model: torch.nn.Module) -> Hashable:
    """Changes when what computes changes: a weight written to or replaced, an adapter switched.

    Addresses and version counters tell of most; a few values of each tensor tell of writes through
    ``.data``, which count no version.
    """
    tensors = [part for x in (*model.parameters(), *model.buffers()) for part in _parts(x)]
    samples: dict[torch.device, list[torch.Tensor]] = {}
    for tensor in tensors:
        if tensor.device.type != "meta" and tensor.numel():
            few = tensor.detach().reshape(-1)[:_SAMPLED].float()
            samples.setdefault(tensor.device, []).append(few)
    values = tuple(torch.cat(few).cpu().numpy().tobytes() for few in samples.values())
    versions = tuple((tensor.data_ptr(), tensor._version) for tensor in tensors)  # noqa: SLF001
    return versions, values, adapters_state(model)


def fingerprint(part: torch.nn.Module) -> Hashable:
    """Changes with the weights of a part of a model, but not with where they are.

    Neither does it change with the dtype, as long as that holds the same values.
    """
    state: list[Hashable] = [adapters_state(part)]
    for weight in (x for parameter in part.parameters() for x in _parts(parameter)):
        if weight.device.type != "meta":
            few = sample(weight, _SAMPLED_OF_PART).float().cpu().numpy()
            state += [weight._version, few.tobytes()]  # noqa: SLF001
    return tuple(state)


def sample(weight: torch.Tensor, count: int) -> torch.Tensor:
    """Values from all over a weight, at least so many; all, where there are fewer.

    >>> sample(torch.arange(10.0), 3).tolist()
    [0.0, 3.0, 6.0, 9.0]
    """
    return weight.detach().reshape(-1)[:: max(1, weight.numel() // count)]


def adapters_state(model: torch.nn.Module) -> Hashable:
    """Which adapters of peft take part in what is computed, and how much.

    >>> adapters_state(torch.nn.Linear(3, 2))
    ()
    """
    return tuple(
        tuple(str(getattr(module, name, None)) for name in _ADAPTER_STATE)
        for module in model.modules()
        if _holds_adapters(module)
    )


def _parts(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """The tensors that one is made of: quantized weights and their scales, or itself."""
    if is_traceable_wrapper_subclass(tensor):
        for name in tensor.__tensor_flatten__()[0]:  # type: ignore[reportAttributeAccessIssue]
            yield from _parts(getattr(tensor, name))
    else:
        yield tensor


def _holds_adapters(module: torch.nn.Module) -> bool:
    """Whether it is a layer of peft; a model of transformers has a method of the same name."""
    active = getattr(module, "active_adapters", None)
    return active is not None and not callable(active)
