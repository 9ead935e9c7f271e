"""The looker: computes what somebody looks at, the most urgent first, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from segviz.comparison import Comparison, compared
from segviz.patterns import Head
from segviz.segments import Segmentation
from segviz.session.looks import VIEWS, Contrast, Flows, LayerLook, Look, Parting, Pattern, View
from segviz.tiles import PANEL, PICTURE, ArrayTiles, RememberedTiles, Tiles
from segviz.trace import MaskKind, Trace, with_response

if TYPE_CHECKING:
    from segviz.model import Model

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

    @property
    def shown(self) -> MaskKind:
        """The run that the view is about; of a difference the segment run."""
        return "causal" if self.view == "causal" else "segment"

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
    """Knows how to compute what is wanted, and remembers what has been taken already.

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

    def pending(self, wanted: Wanted) -> list[Job]:
        """What is wanted and not taken yet, the most urgent first."""
        return [job for job in self._jobs(wanted) if self._taken.get(job.slot) != job.key]

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

    def _jobs(self, wanted: Wanted) -> Iterator[Job]:
        """All that is wanted, the most urgent first."""
        if not wanted.ready:
            return
        shown = wanted.traces[wanted.shown]
        version, layer, head = wanted.version, wanted.layer, wanted.head
        chosen = (version, layer, head)
        yield Job("pattern", (chosen, wanted.view), partial(pattern, wanted, wanted.view))
        if not isinstance(head, str):
            yield Job("receipt", (chosen, wanted.shown), partial(shown.check, layer, head))
        both = len(wanted.traces) == 2  # noqa: PLR2004 - causal and segment
        if both and "compare" in wanted.panels:
            yield Job("parting", version, partial(self._parting, wanted))
            yield Job("contrast", chosen, partial(contrast, wanted))
            yield Job("flows", chosen, partial(self._flows, wanted))
        if "heads" in wanted.panels:
            for number in wanted.layers:
                key = (version, wanted.view)
                yield Job(f"layer {number}", key, partial(self._layer, wanted, number))

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
        if isinstance(wanted.head, str):
            head = by_layer
        else:
            head = causal.flow(layer, wanted.head), segment.flow(layer, wanted.head)
        names = tuple(segment.name for segment in wanted.segmentation.segments)
        return Flows({"head": head, "layer": by_layer, "model": by_model}, names)

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
        tiles = Comparison(wanted.traces["causal"], shown).tiles(layer, head)
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
