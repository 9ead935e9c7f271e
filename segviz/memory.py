"""Memory: what a run will hold, told before it begins, and a refusal where that cannot fit.

What is counted are the tensors that grow with the prompt, when there are the most of them: in a
layer of the prefill, or while answers are decoded together. Of the C library's own bookkeeping
nothing is known: on the CPU a process of many small layers may take twice as much for a moment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from transformers import PreTrainedModel

from segviz.free_memory import available
from segviz.head import LOGIT_ELEMENTS
from segviz.support import computing_device

Offload = Literal["cpu"]
"""Where captured tensors can go, instead of staying on the device of their layer."""

_CPU = torch.device("cpu")

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will hold at most, in bytes; good to about a quarter.

    >>> gpu = torch.device("cuda", 0)
    >>> run = Estimate(queries=600_000_000, keys=150_000_000, values=150_000_000, hidden=8_000_000,
    ...                workspace=100_000_000, attention=34_000_000_000,
    ...                devices={gpu: 1_008_000_000})
    >>> print(run)
    about 1.0 GB on cuda:0 (600 MB captured queries, 300 MB keys and values, 8.0 MB hidden states, \
100 MB workspace); storing attention would take 34 GB

    Args:
        queries: captured, of all layers.
        keys: of all layers; a trace shares them with the KV cache of its run.
        values: of all layers, the other half of the KV cache.
        hidden: final hidden states.
        workspace: activations of a layer while it computes, and what else lives for a moment.
        attention: not held: what storing the attention patterns of all heads would take.
        devices: what each device has to hold of it all.
    """

    queries: int
    keys: int
    values: int
    hidden: int
    workspace: int
    attention: int
    devices: Mapping[torch.device, int]

    @property
    def kept(self) -> int:
        """What stays as long as the trace does, or the model's prefix, which shares it."""
        return self.queries + self.keys + self.values + self.hidden

    def __str__(self) -> str:
        """One line for people."""
        where = " and ".join(f"{_size(held)} on {device}" for device, held in self.devices.items())
        parts = {
            "captured queries": self.queries,
            "keys and values": self.keys + self.values,
            "hidden states": self.hidden,
            "workspace": self.workspace,
        }
        what = ", ".join(f"{_size(part)} {name}" for name, part in parts.items() if part)
        return f"about {where} ({what}); storing attention would take {_size(self.attention)}"


def estimate(
    hf_model: PreTrainedModel,
    length: int,
    max_new_tokens: int = 0,
    *,
    masks: int = 1,
    offload: Offload | None = None,
    dtype: torch.dtype | None = None,
) -> Estimate:
    """What a run will hold.

    Args:
        hf_model: what runs.
        length: of the prompt, in tokens.
        max_new_tokens: of the answer, at most.
        masks: under how many masks the prompt is run side by side.
        offload: ``"cpu"`` if captured tensors leave their device layer by layer.
        dtype: of the activations, instead of the model's own.
    """
    shape = _Shape.of(hf_model, dtype)
    layers = _layer_devices(hf_model)
    tokens = masks * (length + max_new_tokens)
    # Answers under several masks are decoded as a batch, whose cache holds them all once more.
    batch = tokens if max_new_tokens and masks > 1 else 0
    logits = min((max_new_tokens + 1) * shape.vocabulary, LOGIT_ELEMENTS) * (shape.item + 8)
    one_layer = shape.activations(length) + _streamed_weights(hf_model)

    devices: dict[torch.device, int] = {}
    workspace = 0
    for device in dict.fromkeys(layers):
        count, last = layers.count(device), device == layers[-1]
        cache = count * tokens * 2 * shape.keys
        captured = count * tokens * shape.queries + (tokens * shape.hidden if last else 0)
        moment = max(one_layer, count * batch * 2 * shape.keys + (logits if last else 0))
        workspace += moment
        devices[device] = devices.get(device, 0) + cache + moment
        home = device if offload is None else torch.device(offload)
        if home != device:
            captured += cache
        devices[home] = devices.get(home, 0) + captured
    every = len(layers)
    return Estimate(
        queries=every * tokens * shape.queries,
        keys=every * tokens * shape.keys,
        values=every * tokens * shape.keys,
        hidden=tokens * shape.hidden,
        workspace=workspace,
        attention=every * masks * shape.heads * (length + max_new_tokens) ** 2 * shape.item,
        devices=devices,
    )


def check(
    hf_model: PreTrainedModel,
    length: int,
    max_new_tokens: int = 0,
    *,
    masks: int = 1,
    offload: Offload | None = None,
) -> None:
    """Refuse a run that cannot fit; the arguments are those of :func:`estimate`.

    Where a device does not tell what it has free, nothing is refused.

    Raises:
        MemoryError: what is needed, what is free, and what would help.
    """
    needs = partial(estimate, hf_model, max_new_tokens=max_new_tokens, masks=masks, offload=offload)
    needed = needs(length)
    full = _too_small(needed)
    if full is None:
        return
    answer = f" and {max_new_tokens:,} new ones" if max_new_tokens else ""
    sides = f" under {masks} masks side by side" if masks > 1 else ""
    helps = "; or ".join(_advice(hf_model, needs, length)) or "a smaller model"
    raise MemoryError(
        f"a run of {length:,} tokens{answer}{sides} needs {needed}. But {full} has "
        f"{_size(available(full) or 0)} free. By this estimate would help: {helps}"
    )


def _too_small(needed: Estimate) -> torch.device | None:
    """A device that has less free than its part."""
    for device, held in needed.devices.items():
        free = available(device)
        if free is not None and held > free:
            return device
    return None


def _advice(
    hf_model: PreTrainedModel, needs: Callable[..., Estimate], length: int
) -> Iterator[str]:
    """What would make a run fit.

    Args:
        hf_model: what runs.
        needs: its estimate for a length, and for other arguments of :func:`estimate`.
        length: of the prompt.
    """
    if _too_small(needs(length, offload="cpu")) is None:
        yield "offload='cpu' in sv.load or sv.Model, which moves what is captured to main memory"
    if _too_small(needs(length, masks=1)) is None:
        yield "one mask after the other, with model.trace"
    fitting = _longest(needs, length)
    if fitting:
        yield f"a prompt of at most about {fitting:,} tokens"
    weights: dict[torch.device, int] = defaultdict(int)
    for parameter in hf_model.parameters():
        weights[parameter.device] += parameter.numel() * parameter.element_size()
    if hf_model.dtype == torch.float32:
        half = needs(length, dtype=torch.bfloat16)
        freed = {device: held - weights[device] // 2 for device, held in half.devices.items()}
        if _too_small(replace(half, devices=freed)) is None:
            yield "half precision, sv.load(…, dtype='bfloat16')"
    here = needs(length, offload=None).devices
    moved = sum(here.values()) + sum(weights.values())
    gpus = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    for other in [*gpus, _CPU]:
        if other not in here and (available(other) or 0) >= moved:
            yield f"another device, sv.load(…, device='{other}')"
            break


def _longest(needs: Callable[..., Estimate], too_long: int) -> int:
    """The longest prompt that fits, to about a hundredth; 0 if none does."""
    fitting = 0
    while too_long - fitting > max(1, too_long // 100):
        middle = (fitting + too_long) // 2
        if _too_small(needs(middle)) is None:
            fitting = middle
        else:
            too_long = middle
    return fitting


@dataclass(frozen=True, slots=True)
class _Shape:
    """The sizes of a model that count; bytes are those of a token in one layer.

    Args:
        item: bytes of a number.
        heads: query heads.
        queries: bytes of all query heads.
        keys: bytes of all KV heads.
        hidden: bytes of the hidden state.
        inner: bytes of the widest activation, between the two halves of the MLP.
        vocabulary: number of tokens.
    """

    item: int
    heads: int
    queries: int
    keys: int
    hidden: int
    inner: int
    vocabulary: int

    @staticmethod
    def of(hf_model: PreTrainedModel, dtype: torch.dtype | None) -> _Shape:
        config: Any = hf_model.config.get_text_config(decoder=True)
        item = (dtype or hf_model.dtype).itemsize
        heads, hidden = config.num_attention_heads, config.hidden_size
        kv_heads = getattr(config, "num_key_value_heads", None) or heads
        head_dim = getattr(config, "head_dim", None) or hidden // heads
        inner = getattr(config, "intermediate_size", None) or 4 * hidden
        experts = getattr(config, "num_experts_per_tok", None) or 0
        inner = max(inner, experts * (getattr(config, "moe_intermediate_size", None) or inner))
        return _Shape(
            item=item,
            heads=heads,
            queries=heads * head_dim * item,
            keys=kv_heads * head_dim * item,
            hidden=hidden * item,
            inner=inner * item,
            vocabulary=config.vocab_size,
        )

    def activations(self, length: int) -> int:
        """Bytes that live at once in a layer, beside what is captured of it."""
        # Its input and the normalised one, and then three of the MLP (gate, up and their product),
        # or of the attention the queries before, within and after the rotary embedding.
        return length * (2 * self.hidden + max(3 * self.inner, 4 * self.queries))


def _layer_devices(hf_model: PreTrainedModel) -> list[torch.device]:
    """Where each layer computes."""
    count = hf_model.config.get_text_config(decoder=True).num_hidden_layers
    for child in hf_model.get_decoder().children():
        if isinstance(child, torch.nn.ModuleList) and len(child) == count:
            return [computing_device(layer) for layer in child]
    return [computing_device(hf_model)] * count


def _streamed_weights(hf_model: PreTrainedModel) -> int:
    """Bytes of the largest weight that is brought to its device for each call only."""
    absent = (x for x in hf_model.parameters() if x.device.type == "meta")
    return max((x.numel() * x.element_size() for x in absent), default=0)


def _size(count: int) -> str:
    """Bytes, to two digits."""
    number, unit = float(count), 0
    while number >= 1000 and unit < len(_UNITS) - 1:  # noqa: PLR2004 (to the next unit)
        number, unit = number / 1000, unit + 1
    digits = 1 if number < 10 and unit else 0  # noqa: PLR2004
    return f"{number:,.{digits}f} {_UNITS[unit]}"
