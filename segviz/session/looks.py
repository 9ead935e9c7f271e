"""Looks: what an explorer shows of a pair of runs."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from segviz.patterns import Head
from segviz.segments import Segmentation
from segviz.tiles import Tiles
from segviz.trace import HeadCheck

View = Literal["causal", "segment", "difference"]
VIEWS: tuple[View, ...] = get_args(View)


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Pattern:
    """The attention pattern that is looked at.

    Args:
        view: ``"causal"``, ``"segment"`` or ``"difference"``.
        layer: of the head.
        head: a query head, or ``"mean"`` or ``"max"`` over those of the layer.
        tiles: the ``[query, key]`` array: probabilities, or in the difference view segment minus
            causal, in [-1, 1], over the positions before the answers part.
        tokens: text of the positions.
        segmentation: their segments.
        prompt_length: how many of them are the prompt's.
        answered: False while the answer is still to come, which adds positions.
    """

    view: View
    layer: int
    head: Head
    tiles: Tiles
    tokens: tuple[str, ...]
    segmentation: Segmentation
    prompt_length: int
    answered: bool = True

    @property
    def array(self) -> np.ndarray:
        """The whole pattern, float32 ``[query, key]``."""
        return self._whole()[0]

    @property
    def mask(self) -> np.ndarray:
        """Bool ``[query, key]``: what could be attended to; of a difference under either mask."""
        return self._whole()[1]

    def _whole(self) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = self.tiles.shape
        return self.tiles.tile(slice(0, rows), slice(0, columns))


@dataclass(frozen=True, eq=False, slots=True)
class LayerLook:
    """All heads of one layer: small pictures, and a few numbers of each.

    Args:
        version: of the traces, see :class:`Wanted`.
        view: ``"causal"``, ``"segment"`` or ``"difference"``.
        layer: which one.
        thumbnails: uint8 ``[head, size, size]``.
        summaries: float32 ``[head]`` by name.
    """

    version: Hashable
    view: View
    layer: int
    thumbnails: np.ndarray
    summaries: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False, slots=True)
class Contrast:
    """One head under the causal mask, under the segment mask, and the difference."""

    causal: Pattern
    segment: Pattern
    difference: Pattern


@dataclass(frozen=True, eq=False, slots=True)
class Flows:
    """Mean attention mass ``[segment, segment]`` under the causal and the segment mask.

    Args:
        by_scope: ``"head"``, ``"layer"`` and ``"model"``: of the chosen head, the mean over its
            layer, the mean over all layers.
        names: of the prompt's segments.
    """

    by_scope: Mapping[str, tuple[np.ndarray, np.ndarray]]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Parting:
    """Where the two answers part.

    Args:
        divergence: KL(segment || causal), float ``[position]`` in nats.
        exact: whether that is exact, or a lower bound.
        position: the position that predicts the first differing token; where the answers are the
            same, that of the largest divergence.
        parted: whether the answers differ.
        next_tokens: ``[(token, probability), …]`` at that position, causal and segment.
        tokens: text of the positions.
        segmentation: their segments.
        prompt_length: how many of them are the prompt's.
    """

    divergence: np.ndarray
    exact: bool
    position: int
    parted: bool
    next_tokens: tuple[list[tuple[str, float]], list[tuple[str, float]]]
    tokens: tuple[str, ...]
    segmentation: Segmentation
    prompt_length: int


Look = Pattern | HeadCheck | Contrast | Flows | Parting | LayerLook
