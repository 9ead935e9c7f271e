"""The choice of a head: how many layers and heads there are, and which one is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import traitlets

from segviz.widgets.base import View


class HeadChoice(View):
    """A view in which one of a model's heads is chosen.

    >>> choice = HeadChoice(layers=2, heads=4, kv_heads=2, layer=1, head=3)
    >>> choice.head
    3

    Raises:
        traitlets.TraitError: no such layer or head, or heads that cannot be grouped.
    """

    layers = traitlets.Int(1, min=1, help="Number of layers.").tag(sync=True)
    heads = traitlets.Int(1, min=1, help="Number of query heads per layer.").tag(sync=True)
    kv_heads = traitlets.Int(
        None, allow_none=True, help="Number of KV heads per layer; None: as many as query heads."
    ).tag(sync=True)
    layer = traitlets.Int(0, help="The chosen head's layer, 0-based.").tag(sync=True)
    head = traitlets.Int(0, help="The chosen query head, 0-based.").tag(sync=True)

    @traitlets.validate("layer")
    def _valid_layer(self, proposal: Mapping[str, Any]) -> int:
        return _checked_index(proposal["value"], self.layers, "layer")

    @traitlets.validate("head")
    def _valid_head(self, proposal: Mapping[str, Any]) -> int:
        return _checked_index(proposal["value"], self.heads, "head")

    @traitlets.validate("kv_heads")
    def _valid_kv_heads(self, proposal: Mapping[str, Any]) -> int | None:
        count = proposal["value"]
        if count is not None and (count < 1 or self.heads % count):
            raise traitlets.TraitError(
                f"kv_heads is {count}; it has to divide the number of query heads, {self.heads}: "
                "give a divisor, or None where every head has keys and values of its own"
            )
        return count


def _checked_index(value: int, count: int, name: str) -> int:
    if not 0 <= value < count:
        raise traitlets.TraitError(f"{name} is {value}; allowed are 0 to {count - 1}")
    return value
