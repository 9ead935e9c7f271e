"""The looker: computes what somebody looks at, the most urgent first, and nothing twice."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from segviz.comparison import Comparison, compared
from segviz.patterns import Head
from segviz.segments import Segmentation
from segviz.session.looks import VIEWS, Contrast, Flows, LayerLook, Look, Parting, Pattern, View
from segviz.tiles import ArrayTiles
from segviz.trace import MaskKind, Trace, with_response

if TYPE_CHECKING:
    from segviz.model import Model

THUMBNAIL = 24
"""Pixels on a side of the pictures in the head grid."""

LIKELY = 8
"""Next tokens shown of each distribution where the answers part."""

_WHOLE = 1024
"""Positions up to which a pattern is computed as a whole; longer ones tile by tile."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks at.

    Args:
        traces: those at hand, by mask.
        version: changes with the traces.
        segmentation: the prompt's segments.
        view: which attention.
        layer: 0-based.
        head: a query head, ``"mean"`` or ``"max"``.
        panels: of ``"heads"`` and ``"compare"`` those in sight.
        layers: in the order in which the head grid wants them.
    """

    traces: Mapping[MaskKind, Trace]
    version: Hashable
    segmentation: Segmentation
    view: View
    layer: int
    head: Head
    panels: frozenset[str]
    layers: Sequence[int]

    @property
    def shown(self) -> MaskKind:
        """The run that the view is about; of a difference the segment run."""
        return "causal" if self.view == "causal" else "segment"

    @property
    def ready(self) -> bool:
        """Whether the runs that the view needs are there."""
        needed = {"causal", "segment"} if self.view == "difference" else {self.shown}
        return needed <= set(self.traces)


class Looker:
    """Computes what is wanted, and remembers what has been taken already.

    Args:
        model: its head gives exact next-token distributions.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._taken: dict[str, Hashable] = {}
        self._kept: dict[str, tuple[Hashable, Any]] = {}

    def forget(self) -> None:
        """Begin anew: nothing has been taken, and no trace is kept."""
        self._taken.clear()
        self._kept.clear()

    def looks(self, wanted: Wanted) -> Iterator[Look]:
        """What is wanted and not taken yet. Whoever asks for the next look has taken the last."""
        if not wanted.ready:
            return
        shown = wanted.traces[wanted.shown]
        chosen = (wanted.version, wanted.layer, wanted.head)
        yield from self._once(
            "pattern", (chosen, wanted.view), lambda: pattern(wanted, wanted.view)
        )
        if isinstance(wanted.head, int):
            check = partial(shown.check, wanted.layer, wanted.head)
            yield from self._once("receipt", (chosen, wanted.shown), check)
        both = len(wanted.traces) == 2  # noqa: PLR2004 - causal and segment
        if both and "compare" in wanted.panels:
            yield from self._once("parting", wanted.version, lambda: self._parting(wanted))
            yield from self._once("contrast", chosen, lambda: contrast(wanted))
            yield from self._once("flows", chosen, lambda: self._flows(wanted))
        if "heads" in wanted.panels:
            for layer in wanted.layers:
                key = (wanted.version, wanted.view)
                yield from self._once(f"layer {layer}", key, partial(self._layer, wanted, layer))

    def _once(self, slot: str, key: Hashable, compute: Any) -> Iterator[Look]:
        if self._taken.get(slot) != key:
            yield compute()
            self._taken[slot] = key

    def _cached(self, slot: str, key: Hashable, compute: Any) -> Any:
        if self._kept.get(slot, (None,))[0] != key:
            self._kept[slot] = key, compute()
        return self._kept[slot][1]

    def _flows(self, wanted: Wanted) -> Flows:
        causal, segment = wanted.traces["causal"], wanted.traces["segment"]
        layer = wanted.layer
        by_layer = self._cached(
            "layer flow", (wanted.version, layer), lambda: (causal.flow(layer), segment.flow(layer))
        )
        by_model = self._cached(
            "model flow", wanted.version, lambda: (causal.flow(), segment.flow())
        )
        if isinstance(wanted.head, int):
            head = causal.flow(layer, wanted.head), segment.flow(layer, wanted.head)
        else:
            head = by_layer
        return Flows({"head": head, "layer": by_layer, "model": by_model})

    def _layer(self, wanted: Wanted, layer: int) -> LayerLook:
        """Pictures and numbers of all heads of a layer."""
        version, shown = wanted.version, wanted.traces[wanted.shown]
        summaries = self._cached(
            f"{wanted.shown} {layer}", version, lambda: shown.layer_summaries(layer)
        )
        pictured: Trace | Comparison = shown
        if len(wanted.traces) > 1:
            comparison = Comparison(**wanted.traces)
            changed = partial(comparison.layer_largest_difference, layer)
            largest = self._cached(f"largest {layer}", version, changed)
            summaries = {**summaries, "largest difference": largest}
            pictured = comparison if wanted.view == "difference" else shown
        thumbnails = pictured.layer_thumbnails(layer, THUMBNAIL)
        return LayerLook(version, wanted.view, layer, thumbnails, summaries)

    def _parting(self, wanted: Wanted) -> Parting:
        causal, segment = wanted.traces["causal"], wanted.traces["segment"]
        comparison = compared(self._model, causal, self._model, segment)
        return parting(comparison, wanted.segmentation)


def pattern(wanted: Wanted, view: View) -> Pattern:
    """The chosen head's pattern under a view."""
    shown = wanted.traces["causal" if view == "causal" else "segment"]
    layer, head = wanted.layer, wanted.head
    if view == "difference":
        comparison = Comparison(wanted.traces["causal"], shown)
        tiles = comparison.tiles(layer, head)
    else:
        tiles = shown.tiles(layer, head)
    length = tiles.shape[1]
    if length <= _WHOLE:
        tiles = ArrayTiles(*tiles.tile(slice(0, length), slice(0, length)))
    return Pattern(
        view,
        layer,
        head,
        tiles,
        shown.tokens[:length],
        with_response(wanted.segmentation, length),
        shown.prompt_length,
    )


def contrast(wanted: Wanted) -> Contrast:
    """The chosen head's pattern under all views."""
    return Contrast(*(pattern(wanted, view) for view in VIEWS))


def parting(comparison: Comparison, segmentation: Segmentation) -> Parting:
    """Where the answers of a comparison part, and what either run expected there."""
    causal, segment = comparison.causal, comparison.segment
    shared, divergence = comparison.shared_length, comparison.divergence()
    parted = causal.token_ids != segment.token_ids
    position = shared - 1 if parted else int(np.argmax(divergence))
    return Parting(
        divergence=divergence,
        exact=comparison.exact,
        position=position,
        parted=parted,
        next_tokens=(
            causal.next_tokens(position, LIKELY),
            segment.next_tokens(position, LIKELY),
        ),
        tokens=segment.tokens[:shared],
        segmentation=with_response(segmentation, shared),
        prompt_length=segment.prompt_length,
    )
