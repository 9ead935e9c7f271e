"""Contents: the numbers and words of a trace that a BertViz view is given."""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np

from segviz.bertviz.choice import Choice
from segviz.bertviz.template import ViewKind
from segviz.labels import labels

if TYPE_CHECKING:
    from segviz.trace import Trace

DECIMALS = 4
"""Decimal places of every number in a page: none is off by more than 0.00005."""

# Characters that fit beside the lines of each view.
_WIDTH = {"head": 13, "model": 10, "neuron": 13}


def attention(trace: Trace, choice: Choice) -> list[Any]:
    """Patterns of the chosen layers and heads; no other is computed.

    Returns:
        ``[layer][head][query][key]``, rounded to :data:`DECIMALS`.
    """
    rows = choice.positions
    return [
        [_rounded(trace.tiles(layer, head).tile(rows, rows)[0]) for head in choice.heads]
        for layer in choice.layers
    ]


def queries_and_keys(trace: Trace, choice: Choice) -> dict[str, Any]:
    """Captured queries and keys, those of a KV head once however many query heads share it.

    Returns:
        ``queries`` ``[layer][head][query][dimension]``, ``keys``
        ``[layer][KV head][key][dimension]``, rounded to :data:`DECIMALS`; and ``kvHeads``, for each
        chosen head which of these KV heads is its own.
    """
    group = trace.heads // trace.kv_heads
    shared = list(dict.fromkeys(head // group for head in choice.heads))
    captured = [trace.layers[layer] for layer in choice.layers]
    positions = choice.positions
    return {
        "queries": [
            [
                _rounded(layer.queries[head, positions].float().cpu().numpy())
                for head in choice.heads
            ]
            for layer in captured
        ],
        "keys": [
            [_rounded(layer.keys[head, positions].float().cpu().numpy()) for head in shared]
            for layer in captured
        ],
        "kvHeads": [shared.index(head // group) for head in choice.heads],
    }


def spans(trace: Trace, choice: Choice) -> list[Any]:
    """Which of the shown keys each shown query sees: ``[layer][query]``, (first, stop)."""
    first = choice.positions.start
    return [
        (trace.key_spans(layer)[choice.positions] - first).clip(0, choice.length).tolist()
        for layer in choice.layers
    ]


def check_products(trace: Trace, choice: Choice) -> None:
    """Whether BertViz's neuron view computes the products that these layers have used.

    It divides ``q·k`` by the square root of the head's dimension, one for all layers.

    Raises:
        ValueError: layers that scale their products in another way, or differ in dimension.
    """
    dimensions = {layer: trace.layers[layer].queries.shape[2] for layer in choice.layers}
    if len(set(dimensions.values())) > 1:
        raise ValueError(
            f"the layers {choice.layers} have heads of {sorted(set(dimensions.values()))} "
            "dimensions, and BertViz's neuron view knows one number for all: ask for one layer, "
            "layers=…"
        )
    for layer, dimension in dimensions.items():
        scale = trace.layers[layer].scale
        if not math.isclose(scale, dimension**-0.5, rel_tol=1e-4):
            raise ValueError(
                f"layer {layer} multiplies q·k by {scale:.6g}, and BertViz's neuron view always by "
                f"1/√{dimension} = {dimension**-0.5:.6g}: it would show products that the model "
                "has not used. sv.bertviz.head_view shows the same heads"
            )


def words(trace: Trace, choice: Choice) -> list[str]:
    """The labels of the chosen tokens."""
    return labels(trace.tokens[choice.positions])


def shortened(label: str, view: ViewKind) -> str:
    """A label that fits into a view, shortened in the middle.

    >>> shortened("<|start_header_id|>", "head"), shortened(" Anna", "head")
    ('<|star…r_id|>', ' Anna')

    Letters of Chinese, Japanese and Korean are as wide as two others.
    """
    width = _WIDTH[view]
    if _width(label) <= width:
        return label
    head, tail = "", ""
    # From both ends at once, the front first.
    for front, back in zip(label, reversed(label), strict=True):
        if _width(head + front + tail) >= width:
            break
        head += front
        if _width(head + back + tail) >= width:
            break
        tail = back + tail
    return f"{head}…{tail}"


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _rounded(values: np.ndarray) -> list[Any]:
    # In float64, which prints no more places than are asked for.
    return np.round(values.astype(np.float64), DECIMALS).tolist()
