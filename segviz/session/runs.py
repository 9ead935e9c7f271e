"""Runs: a prompt under both masks, in a worker thread; the latest prompt wins."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from segviz.prompts import Prompt
from segviz.run import RunCancelledError
from segviz.segments import Segmentation
from segviz.session.worker import Worker
from segviz.trace import MaskKind, Trace, with_response

if TYPE_CHECKING:
    from segviz.model import Model

KINDS: tuple[MaskKind, MaskKind] = ("segment", "causal")
"""In the order in which they run."""

LIKELY = 10
"""Likely tokens kept with each token of an answer."""

_PATIENCE = 0.1
"""Seconds that a streamed token waits for the session's state before it is left to the next one."""

_BEAT = 0.25
"""Seconds between two words on how far a prefill has come."""

AnswerState = Literal["waiting", "running", "done", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer under one mask, as far as it has come.

    Args:
        tokens: text of the generated tokens.
        state: how far it has come.
        note: why it failed.
        probabilities: of each token, once the answer is done.
        top: the likeliest tokens in place of each, ``(token, probability)``, once it is done.
    """

    tokens: tuple[str, ...] = ()
    state: AnswerState = "waiting"
    note: str = ""
    probabilities: tuple[float, ...] = ()
    top: tuple[tuple[tuple[str, float], ...], ...] = ()


class Runs:
    """The traces of a prompt, and the thread that makes them.

    Args:
        model: runs the prompt.
        lock: guards all state; ``notice`` is called under it.
        notice: called with a name and a ``value`` when something has changed: ``busy`` (bool),
            ``error`` and ``stage`` (str), ``causal_answer``, ``segment_answer`` (:class:`Answer`),
            ``causal_state``, ``segment_state`` (state, note, and whether the tokens stay),
            ``traces`` (None: other ones are at hand, or they are settled).
    """

    def __init__(self, model: Model, lock: threading.RLock, notice: Callable[..., object]) -> None:
        self._model = model
        self._lock = lock
        self._notice = notice
        self._answered: set[MaskKind] = set()
        self._revision = 0
        self._begun = False
        self._running = False
        self._weights: Hashable = None
        self.traces: dict[MaskKind, Trace] = {}
        self.settled = True
        """Whether they belong together: one is not a prefill while the other has an answer."""
        self.worker = Worker(lock, on_idle=partial(notice, "busy", value=False))

    @property
    def answered(self) -> frozenset[MaskKind]:
        """The masks whose answers are there, or are not on their way."""
        return frozenset(self._answered if self._running else KINDS)

    @property
    def done(self) -> bool:
        """Whether both answers are there."""
        return self._answered.issuperset(KINDS)

    def start(
        self, prompt: Prompt, max_new_tokens: int, options: Mapping[str, Any], delay: float = 0.0
    ) -> None:
        """Run a prompt under the masks that are missing; it takes the place of any other run."""
        with self._lock:
            self._revision += 1
            self._begun = False
            self._running = max_new_tokens > 0
            self._notice("error", "")
            self._notice("busy", value=True)
            missing: list[MaskKind] = [kind for kind in KINDS if kind not in self._answered]
            job = partial(self._run, self._revision, prompt, missing, max_new_tokens, options)
            self.worker.submit(job, delay)

    def stop(self) -> None:
        """Cancel the run under way; what is there stays."""
        with self._lock:
            if self.worker.cancel():
                self._mark(self._revision, "cancelled")

    def forget(self) -> None:
        """Drop all traces."""
        self.traces.clear()
        self._answered.clear()

    def forget_answers(self) -> None:
        """Run again, but show the traces that are there until the new ones come."""
        self._answered.clear()

    def resegment(self, segmentation: Segmentation) -> None:
        """Drop what other segments make wrong: the segment run."""
        self.traces.pop("segment", None)
        self._answered.discard("segment")
        causal = self.traces.get("causal")
        if causal is not None:
            # The causal run is the same under any segments; only their names move.
            labelled = with_response(segmentation, len(causal.tokens))
            self.traces["causal"] = replace(causal, segmentation=labelled)

    def take(self, trace: Trace, *, done: bool) -> None:
        """Keep a trace, in place of the one under the same mask."""
        self.traces[trace.mask_kind] = trace
        if done:
            self._answered.add(trace.mask_kind)
            self._notice(f"{trace.mask_kind}_answer", answer_of(trace))
        self._notice("traces", None)

    def _run(
        self,
        revision: int,
        prompt: Prompt,
        missing: list[MaskKind],
        max_new_tokens: int,
        options: Mapping[str, Any],
        cancel: threading.Event,
    ) -> None:
        """Called in the worker's thread."""
        try:
            missing = self._begin(revision, missing)
            # Attention first: a prefill takes a blink, an answer takes its time and reuses it.
            for kind in missing:
                stage = f"prefill under the {kind} mask"
                self._tell(revision, "stage", stage)
                told = self._progress(revision, stage)
                trace = self._model.trace(prompt, kind, cancel=cancel, on_layer=told)
                # A prefill beside the answer of the other mask is no pair to compare.
                settled = kind == missing[-1] and len(missing) == len(KINDS)
                self._publish(revision, trace, done=False, settled=settled)
            # Sampled answers are drawn one after the other: the first need not wait for the second.
            one_by_one: list[list[MaskKind]] = [[kind] for kind in missing]
            together = bool(missing) and not options.get("do_sample")
            for kinds in [missing] if together else one_by_one:
                which = f"the {kinds[0]} mask" if len(kinds) == 1 else "both masks"
                self._tell(revision, "stage", f"answering under {which}")
                traces = self._stream(revision, prompt, kinds, max_new_tokens, options, cancel)
                for kind in kinds:
                    settled = kind == missing[-1]
                    self._publish(revision, traces[kind], done=True, settled=settled)
        except RunCancelledError:
            self._mark(revision, "cancelled")
        except Exception as error:  # noqa: BLE001 (whatever it is, the user has to see it)
            self._mark(revision, "failed", f"{type(error).__name__}: {error}")

    def _begin(self, revision: int, missing: list[MaskKind]) -> list[MaskKind]:
        """The masks to run under: all, if the weights are others than those of the traces."""
        weights = self._model.weights()
        with self._lock:
            if revision == self._revision:
                self._begun = True
                if weights != self._weights:
                    self.forget()
                    self._weights, missing = weights, list(KINDS)
                for kind in missing:
                    self._notice(f"{kind}_answer", Answer())
        return missing

    def _progress(self, revision: int, stage: str) -> Callable[[int], None]:
        """What tells, now and then, how far a prefill has come."""
        told_at = time.monotonic()

        def begins(layer: int) -> None:
            nonlocal told_at
            if time.monotonic() - told_at > _BEAT:
                told_at = time.monotonic()
                share = f"{stage}, layer {layer + 1} of {self._model.layers}"
                self._tell_in_passing(revision, "stage", share)

        return begins

    def _stream(
        self,
        revision: int,
        prompt: Prompt,
        kinds: list[MaskKind],
        max_new_tokens: int,
        options: Mapping[str, Any],
        cancel: threading.Event,
    ) -> dict[MaskKind, Trace]:
        if not max_new_tokens:
            return self._model.traces(prompt, masks=kinds, cancel=cancel)
        tokens: dict[MaskKind, list[str]] = {kind: [] for kind in kinds}

        def heard(kind: MaskKind, token: str) -> None:
            tokens[kind].append(token)
            answer = Answer(tuple(tokens[kind]), "running")
            self._tell_in_passing(revision, f"{kind}_answer", answer)

        for kind in kinds:
            self._tell(revision, f"{kind}_answer", Answer(state="running"))
        return self._model.traces(
            prompt, max_new_tokens, masks=kinds, on_token=heard, cancel=cancel, **options
        )

    def _publish(self, revision: int, trace: Trace, *, done: bool, settled: bool) -> None:
        with self._lock:
            if revision == self._revision:
                self.settled = settled
                self.take(trace, done=done)

    def _tell(self, revision: int, name: str, value: object) -> None:
        with self._lock:
            if revision == self._revision:
                self._notice(name, value)

    def _tell_in_passing(self, revision: int, name: str, value: object) -> None:
        """The same from inside of a run, where it may be left to the next call."""
        # The model is locked here, and who holds the session's state may be waiting for the model:
        # never wait for the state.
        if self._lock.acquire(timeout=_PATIENCE):
            try:
                self._tell(revision, name, value)
            finally:
                self._lock.release()

    def _mark(self, revision: int, state: AnswerState, note: str = "") -> None:
        """Say of the answers that are not done why they are not."""
        with self._lock:
            if revision != self._revision:
                return
            self._notice("error", note)
            for kind in KINDS:
                if kind not in self._answered:
                    # Before a run has begun, the tokens are those of an earlier one.
                    self._notice(f"{kind}_state", (state, note, self._begun))
            self.settled, self._running = True, False
            self._notice("traces", None)


def answer_of(trace: Trace) -> Answer:
    """The finished answer of a trace, with how likely its tokens were."""
    return Answer(
        trace.tokens[trace.prompt_length :],
        "done",
        probabilities=tuple(trace.token_probabilities().tolist()),
        top=tuple(map(tuple, trace.alternatives(LIKELY))),
    )
