"""The looker: computes what somebody looks at, the most urgent first, and nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from segviz.comparison import Comparison
from segviz.grouping import Merge, MergedTiles, group_starts
from segviz.patterns import Head
from segviz.segments import Segmentation
from segviz.session.looks import VIEWS, Contrast, Flows, LayerLook, Look, Parting, Pattern, View
from segviz.summaries import flow, overview
from segviz.tiles import (
    PANEL,
    PICTURE,
    ArrayTiles,
    RememberedTiles,
    Tiles,
    WithoutFirst,
    factor_for,
)
from segviz.trace import MaskKind, Trace, with_response

THUMBNAIL = 24
"""Pixels on a side of the pictures in the head grid."""

LIKELY = 8
"""Next tokens shown of each distribution where the answers part."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks at.

    Args:
        traces: those at hand, by mask.
        version: changes with the traces.
        answered: the masks whose answers are there, or will not come.
        segmentation: the prompt's segments.
        view: which attention.
        layer: 0-based.
        head: a query head, ``"mean"`` or ``"max"``.
        panels: of ``"heads"`` and ``"compare"`` those in sight.
        layers: in the order in which the head grid wants them.
        merge: what a row of the chosen head's pattern stands for.
        hide_first: whether attention on the first token is left out of what is merged.
    """

    traces: Mapping[MaskKind, Trace]
    version: Hashable
    answered: frozenset[MaskKind]
    segmentation: Segmentation
    view: View
    layer: int
    head: Head
    panels: frozenset[str]
    layers: Sequence[int]
    merge: Merge = "tokens"
    hide_first: bool = False

    @property
    def shown(self) -> MaskKind:
        """The run that the view is about; of a difference the segment run."""
        return "causal" if self.view == "causal" else "segment"

    @property
    def comparison(self) -> Comparison:
        """Both runs, where both are there."""
        return Comparison(self.traces["causal"], self.traces["segment"])

    @property
    def ready(self) -> bool:
        """Whether the runs that the view needs are there."""
        needed = {"causal", "segment"} if self.view == "difference" else {self.shown}
        return needed <= set(self.traces)


@dataclass(frozen=True, slots=True)
class Job:
    """One look to compute.

    Args:
        slot: what kind of look it is: ``"pattern"``, ``"receipt"``, ``"parting"``,
            ``"contrast"``, ``"flows"``, ``"layer 3"``.
        key: what it is of; another key is another look.
        compute: gives the look.
    """

    slot: str
    key: Hashable
    compute: Callable[[], Look]


class Looker:
    """Knows how to compute what is wanted, and remembers what has been taken already."""

    def __init__(self) -> None:
        self._taken: dict[str, Hashable] = {}
        self._kept: dict[str, tuple[Hashable, Any]] = {}

    def forget(self) -> None:
        """Begin anew: nothing has been taken, and no trace is kept."""
        self._taken.clear()
        self._kept.clear()

    def pending(self, wanted: Wanted, cancel: threading.Event | None = None) -> list[Job]:
        """What is wanted and not taken yet, the most urgent first.

        Args:
            wanted: what somebody looks at.
            cancel: set it to end the job under way with a ``LookCancelledError``, where it is one
                that takes its time.
        """
        jobs = self._jobs(wanted, cancel)
        return [job for job in jobs if self._taken.get(job.slot) != job.key]

    def fresh(self, wanted: Wanted) -> frozenset[str]:
        """The slots of what is wanted and was taken."""
        jobs = self._jobs(wanted)
        return frozenset(job.slot for job in jobs if self._taken.get(job.slot) == job.key)

    def take(self, job: Job) -> None:
        """Remember that a job's look has been taken."""
        self._taken[job.slot] = job.key

    def looks(self, wanted: Wanted) -> Iterator[Look]:
        """What is wanted and not taken yet, taken one by one."""
        for job in self.pending(wanted):
            yield job.compute()
            self.take(job)

    def _jobs(self, wanted: Wanted, cancel: threading.Event | None = None) -> Iterator[Job]:
        """All that is wanted, the most urgent first."""
        if not wanted.ready:
            return
        shown = wanted.traces[wanted.shown]
        version, layer, head = wanted.version, wanted.layer, wanted.head
        chosen = (version, layer, head)
        yield Job("pattern", (chosen, wanted.view), partial(pattern, wanted, wanted.view))
        if not isinstance(head, str):
            yield Job("receipt", (chosen, wanted.shown), partial(shown.check, layer, head))
        compared = len(wanted.traces) > 1 and "compare" in wanted.panels
        if compared:
            yield Job("contrast", chosen, partial(contrast, wanted))
            yield Job("flows", chosen, partial(self._flows, wanted, cancel))
        if "heads" in wanted.panels:
            for number in wanted.layers:
                key = (version, wanted.view)
                compute = partial(self._layer, wanted, number, cancel)
                yield Job(f"layer {number}", key, compute)
        if compared:
            # Last, since it takes the longest for a large vocabulary.
            yield Job("parting", version, partial(self._parting, wanted, cancel))

    def _cached(self, slot: str, key: Hashable, compute: Any) -> Any:
        if self._kept.get(slot, (None,))[0] != key:
            self._kept[slot] = key, compute()
        return self._kept[slot][1]

    def _flows(self, wanted: Wanted, cancel: threading.Event | None) -> Flows:
        layer, layers = wanted.layer, range(len(wanted.traces["segment"].layers))

        def of_heads(kind: MaskKind, layer: int) -> np.ndarray:
            """``[head, segment, segment]``: kept of the latest layer only, which is asked again."""
            trace = wanted.traces[kind]
            stops = [segment.stop for segment in trace.segmentation.segments]
            spans = trace.key_spans(layer)
            compute = partial(flow, trace.layers[layer], spans, stops, cancel)
            key = wanted.version, layer
            return self._cached(f"{kind} flows", key, lambda: compute().cpu().numpy())

        def of_layer(kind: MaskKind, layer: int) -> np.ndarray:
            mean = partial(of_heads, kind, layer)
            return self._cached(f"{kind} flow {layer}", wanted.version, lambda: mean().mean(axis=0))

        def pair(of: Callable[[MaskKind], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
            return of("causal"), of("segment")

        by_model = pair(lambda kind: np.mean([of_layer(kind, i) for i in layers], axis=0))
        by_layer = pair(lambda kind: of_layer(kind, layer))
        head, by_head = wanted.head, by_layer
        if not isinstance(head, str):
            by_head = pair(lambda kind: of_heads(kind, layer)[head])
        names = tuple(segment.name for segment in wanted.segmentation.segments)
        return Flows({"head": by_head, "layer": by_layer, "model": by_model}, names)

    def _layer(self, wanted: Wanted, layer: int, cancel: threading.Event | None) -> LayerLook:
        """Pictures and numbers of all heads of a layer; kept, they are small."""
        shown = wanted.traces[wanted.shown]
        thumbnails, numbers = self._cached(
            f"{wanted.shown} {layer}",
            wanted.version,
            lambda: overview(shown.layers[layer], shown.key_spans(layer), THUMBNAIL, cancel),
        )
        if len(wanted.traces) > 1:
            changed, largest = self._cached(
                f"difference {layer}",
                wanted.version,
                lambda: wanted.comparison.differences(layer).overview(THUMBNAIL, cancel),
            )
            numbers = {**numbers, "largest difference": largest}
            if wanted.view == "difference":
                thumbnails = changed
        return LayerLook(wanted.version, wanted.view, layer, thumbnails, numbers)

    def _parting(self, wanted: Wanted, cancel: threading.Event | None) -> Parting:
        comparison = wanted.comparison
        comparison.divergence(cancel=cancel)
        return parting(comparison, wanted.segmentation)


def pattern(wanted: Wanted, view: View, side: int = PICTURE) -> Pattern:
    """The chosen head's pattern under a view.

    Args:
        wanted: which head of which traces.
        view: under which mask, or the difference.
        side: cells on a side of the picture that will be asked for first.

    Raises:
        FloatingPointError: attention that is NaN.
    """
    shown = wanted.traces["causal" if view == "causal" else "segment"]
    layer, head = wanted.layer, wanted.head
    if view == "difference":
        tiles = wanted.comparison.tiles(layer, head)
    else:
        tiles = shown.tiles(layer, head)
    length = tiles.shape[1]
    whole = slice(0, length)
    # Here nobody waits: whoever shows it holds the session's lock.
    ready: Tiles
    if length <= PICTURE:
        ready = ArrayTiles(*tiles.tile(whole, whole))
        _check_finite(ready.array, layer)
    else:
        ready = RememberedTiles(tiles, side)
        _check_finite(ready.tile(whole, whole, ready.factor)[0], layer)
        if side == PICTURE:
            _merge_ahead(ready, wanted, shown.tokens[:length])
    return Pattern(
        view,
        layer,
        head,
        ready,
        shown.tokens[:length],
        with_response(wanted.segmentation, length),
        shown.prompt_length,
        answered=wanted.answered >= (set(wanted.traces) if view == "difference" else {view}),
    )


def _merge_ahead(tiles: RememberedTiles, wanted: Wanted, tokens: Sequence[str]) -> None:
    """Let tiles remember what will be asked for where words or segments are shown."""
    segmentation = with_response(wanted.segmentation, len(tokens))
    starts = group_starts(wanted.merge, tiles.shape, tokens, segmentation)
    if starts is not None:
        chosen = WithoutFirst(tiles) if wanted.hide_first else tiles
        merged = MergedTiles(chosen, *starts)
        rows, columns = (slice(0, side) for side in merged.shape)
        merged.tile(rows, columns, factor_for(merged.shape, PICTURE))


def _check_finite(values: np.ndarray, layer: int) -> None:
    if not np.isfinite(values).all():
        raise FloatingPointError(
            f"attention of layer {layer} holds NaN: the layer has overflowed, or its weights hold "
            "NaN; try another dtype (float32, bfloat16)"
        )


def contrast(wanted: Wanted) -> Contrast:
    """The chosen head's pattern under all views."""
    return Contrast(*(pattern(wanted, view, PANEL) for view in VIEWS))


def parting(comparison: Comparison, segmentation: Segmentation) -> Parting:
    """Where the answers of a comparison part, and what either run expected there."""
    causal, segment = comparison.causal, comparison.segment
    shared, position = comparison.shared_length, comparison.position
    return Parting(
        divergence=comparison.divergence(),
        exact=comparison.exact,
        position=position,
        parted=comparison.parted,
        next_tokens=(
            causal.next_tokens(position, LIKELY),
            segment.next_tokens(position, LIKELY),
        ),
        tokens=segment.tokens[:shared],
        segmentation=with_response(segmentation, shared),
        prompt_length=segment.prompt_length,
    )
