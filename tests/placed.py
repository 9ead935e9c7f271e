"""Pretended devices: tensors that compute on the CPU and claim to be on an accelerator.

An operation on tensors of two devices fails as it does on real ones, so that code which forgets to
move a tensor is found without any accelerator. The devices stay for the rest of the process.
"""

from __future__ import annotations

import torch
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

KIND = "pretended"
COPIES = (torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default)


class Placed(torch.Tensor):
    """A tensor on a pretended device."""

    @staticmethod
    def __new__(cls, inner: torch.Tensor, device: torch.device):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=device,
        )

    def __init__(self, inner: torch.Tensor, _device: torch.device) -> None:
        self.inner = inner

    def tolist(self):
        return self.inner.tolist()

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        """Run an operation on the CPU, and give its results the device they would have."""
        kwargs = dict(kwargs or {})
        flat = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, torch.Tensor)]
        # A single number on the CPU takes part anywhere.
        places = {x.device for x in flat if isinstance(x, Placed) or x.dim()}
        if len(places) > 1 and function not in COPIES:
            raise RuntimeError(f"{function}: expected all tensors on one device, found {places}")
        target = args[0].device if function in COPIES else next(x for x in places if x.type == KIND)
        if kwargs.get("device") is not None:
            target = torch.device(kwargs["device"])
            kwargs["device"] = torch.device("cpu")
        own = {id(x.inner): x for x in flat if isinstance(x, Placed)}
        inner = tree_map(lambda x: x.inner if isinstance(x, Placed) else x, (args, kwargs))
        results = function(*inner[0], **inner[1])

        def placed(x):
            if not isinstance(x, torch.Tensor) or target.type != KIND:
                return x
            return own[id(x)] if id(x) in own else Placed(x, target)

        return tree_map(placed, results)


def _made(operation):
    """An operation that makes a tensor, for pretended devices."""

    def make(*args, device=None, **kwargs):
        kwargs.pop("pin_memory", None)
        return Placed(operation(*args, **kwargs), device)

    return make


def _copy_from(source, target, _non_blocking=False):
    inner = source.inner if isinstance(source, Placed) else source
    (target.inner if isinstance(target, Placed) else target).copy_(inner)
    return target


_setup_privateuseone_for_python_backend(KIND)
_kernels = torch.library.Library("aten", "IMPL")
_kernels.impl("_copy_from", _copy_from, "PrivateUse1")
for name in ("empty.memory_format", "empty_strided", "arange", "arange.start", "arange.start_step"):
    packet, _, overload = name.partition(".")
    operation = getattr(getattr(torch.ops.aten, packet), overload or "default")
    _kernels.impl(name, _made(operation), "PrivateUse1")
