"""Reusing the unchanged beginning of a prompt between runs.

Attention is block-causal: the keys and values of a position depend on nothing behind its own
segment. When a boundary moves, everything before the first changed segment is still exact.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
import torch

from segviz.patterns import CapturedLayer
from segviz.segments import Segmentation


@dataclass(frozen=True, eq=False, slots=True)
class Prefix:
    """All that a run computed about the positions of its prompt.

    Args:
        weights: identifies the state of the weights that computed it.
        token_ids: int ``[position]``.
        visibility: int ``[position, 2]``, see :func:`visibility`.
        layers: captured queries and keys of every layer.
        values: per layer ``[KV head, position, head_dim]``.
        hidden: ``[position, hidden]``.
    """

    weights: Hashable
    token_ids: np.ndarray
    visibility: np.ndarray
    layers: list[CapturedLayer]
    values: list[torch.Tensor]
    hidden: torch.Tensor


def visibility(segmentation: Segmentation) -> np.ndarray:
    """What every query position sees, in two numbers.

    >>> from segviz.segments import Segment
    >>> visibility(Segmentation([Segment(0, 2, "bos", "causal"), Segment(2, 4, "user")]))
    array([[0, 1],
           [1, 2],
           [2, 4],
           [2, 4]])

    Returns:
        int ``[position, 2]``: the start of the span that a position shares with others in both
        directions (its own position where it is causal), and the position at which its view ends.
        Equal rows see the same keys, under any sliding window.
    """
    positions = np.arange(segmentation.length)
    view = np.stack([positions, positions + 1], axis=1)
    for segment in segmentation.segments:
        if segment.attention == "bidirectional":
            view[segment.start : segment.stop] = segment.start, segment.stop
    return view


def reusable_length(prefix: Prefix, token_ids: np.ndarray, view: np.ndarray) -> int:
    """How many positions of ``prefix`` are exact for a new prompt.

    Args:
        prefix: of an earlier run.
        token_ids: int ``[position]`` of the new prompt.
        view: its :func:`visibility`.
    """
    shared = min(len(prefix.token_ids), len(token_ids))
    same = (prefix.token_ids[:shared] == token_ids[:shared]) & (
        prefix.visibility[:shared] == view[:shared]
    ).all(axis=1)
    length = shared if same.all() else int(same.argmin())
    if length and view[length - 1, 1] > length:
        # The first change lies inside a bidirectional span, all of which has seen it.
        length = int(view[length - 1, 0])
    return length


class PrefixCache:
    """The last prefix of each kind of mask, so that comparing two masks does not thrash."""

    def __init__(self) -> None:
        self._prefixes: dict[str, Prefix] = {}
        self._lock = threading.Lock()

    def best(
        self,
        token_ids: np.ndarray,
        view: np.ndarray,
        weights: Hashable,
        others: Iterable[Prefix] = (),
    ) -> tuple[Prefix, int] | None:
        """The prefix of which most is exact for a prompt, and how many positions of it.

        Any kind of mask will do: up to the first bidirectional segment all see the same.

        Args:
            token_ids: int ``[position]`` of the prompt.
            view: its :func:`visibility`.
            weights: the state that they are in now; a prefix of other weights is of no use.
            others: prefixes that are not kept yet.
        """
        with self._lock:
            prefixes = [*self._prefixes.values(), *others]
        lengths = [
            (prefix, reusable_length(prefix, token_ids, view))
            for prefix in prefixes
            if prefix.weights == weights
        ]
        return max(lengths, key=itemgetter(1), default=None)

    def put(self, kind: str, prefix: Prefix) -> None:
        """Keep ``prefix`` in place of the one before."""
        with self._lock:
            self._prefixes[kind] = prefix

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._prefixes.clear()
