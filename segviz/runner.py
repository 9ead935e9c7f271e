"""The runner: runs prompts through a model, one at a time, and keeps what the next may reuse."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from segviz.decoding import decodes_together
from segviz.head import OutputHead
from segviz.prefix import Prefix, PrefixCache, visibility
from segviz.run import (
    Prefilled,
    Result,
    RunCancelledError,
    decode,
    decodes_as_one,
    finish,
    prefill,
    prefix_of,
)
from segviz.seeding import seeded
from segviz.segments import Segmentation
from segviz.support import rows_depend_on_each_other
from segviz.trace import MaskKind
from segviz.weights import weights_state


class Runner:
    """Runs a model under several masks at a time; threads wait for each other.

    Args:
        hf_model: a causal language model of transformers.
    """

    def __init__(self, hf_model: PreTrainedModel) -> None:
        self._hf_model = hf_model
        self._prefixes = PrefixCache()
        self._lock = threading.RLock()

    def clear(self) -> None:
        """Forget what is kept for the next run."""
        self._prefixes.clear()

    def run(
        self,
        token_ids: np.ndarray,
        segmentations: Mapping[MaskKind, Segmentation],
        generation: dict[str, Any] | None,
        *,
        seed: int | None,
        stream: Callable[[Sequence[MaskKind]], dict[str, Any]],
        offload: bool,
        cancel: threading.Event | None,
        on_layer: Callable[[int], object] | None,
    ) -> dict[MaskKind, Result]:
        """Prefill under each mask, then decode, all answers together where that may be.

        Args:
            token_ids: int ``[position]``, the prompt.
            segmentations: of each mask.
            generation: arguments of ``generate``; None to prefill only.
            seed: of each answer that is sampled.
            stream: more arguments of ``generate``, for the masks whose answers are a batch.
            offload: whether what is captured and kept goes to main memory.
            cancel: once set, the run ends at the next layer.
            on_layer: called in the prefill with each layer that begins.

        Raises:
            RunCancelledError: ``cancel`` was set.
        """
        with self.exclusive(cancel):
            weights, head = weights_state(self._hf_model), OutputHead(self._hf_model)
            runs: dict[MaskKind, Prefilled] = {}
            for mask, segmentation in segmentations.items():
                runs[mask] = prefill(
                    self._hf_model,
                    token_ids,
                    segmentation,
                    head,
                    reuse=self._reusable(token_ids, segmentation, weights, runs.values()),
                    cancel=cancel,
                    on_layer=on_layer,
                    offload=offload,
                )
            if generation is not None:
                for batch in self._batches(runs, generation):
                    prompts, options = [runs[mask] for mask in batch], generation | stream(batch)
                    with seeded(self._hf_model, seed):
                        decode(self._hf_model, prompts, options)
            results: dict[MaskKind, Result] = {
                mask: finish(run, head, weights) for mask, run in runs.items()
            }
            for mask, result in results.items():
                self._prefixes.put(mask, result.prefix)
        return results

    def _reusable(
        self,
        token_ids: np.ndarray,
        segmentation: Segmentation,
        weights: Hashable,
        others: Iterable[Prefilled],
    ) -> tuple[Prefix, int] | None:
        """What earlier runs, and the other masks of this one, have computed already."""
        if rows_depend_on_each_other(self._hf_model):
            return None
        these = [prefix_of(other, weights) for other in others]
        return self._prefixes.best(token_ids, visibility(segmentation), weights, these)

    def _batches(
        self, runs: Mapping[MaskKind, Prefilled], generation: dict[str, Any]
    ) -> list[list[MaskKind]]:
        """The masks whose answers are decoded together."""
        together = (
            decodes_together(generation)
            and decodes_as_one([*runs.values()])
            and not rows_depend_on_each_other(self._hf_model)
        )
        return [[*runs]] if together else [[mask] for mask in runs]

    @contextmanager
    def exclusive(self, cancel: threading.Event | None = None) -> Iterator[None]:
        """One run at a time; a run that waits can be cancelled.

        Raises:
            RunCancelledError: ``cancel`` was set.
        """
        while not self._lock.acquire(timeout=-1 if cancel is None else 0.02):
            if cancel is not None and cancel.is_set():
                raise RunCancelledError("the run was cancelled before it began")
        try:
            yield
        finally:
            self._lock.release()
