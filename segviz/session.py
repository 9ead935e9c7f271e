"""The state behind an explorer: a prompt that can be edited, and runs that follow its edits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import traitlets

from segviz.comparison import Comparison, compared
from segviz.prompts import Prompt
from segviz.run import RunCancelledError
from segviz.segments import Segmentation
from segviz.trace import MaskKind, Trace, with_response
from segviz.worker import Worker

if TYPE_CHECKING:
    from segviz.model import Messages, Model

PAUSE = 0.15
"""Seconds without an edit after which a run begins while a boundary is being dragged."""

_PATIENCE = 0.1
"""Seconds that a streamed token waits for the session's state before it is left to the next one."""

AnswerState = Literal["waiting", "running", "done", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer under one mask, as far as it has come."""

    tokens: tuple[str, ...] = ()
    state: AnswerState = "waiting"
    note: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class Pattern:
    """The attention pattern that is looked at.

    Args:
        view: ``"causal"``, ``"segment"`` or ``"difference"``.
        layer: of the head.
        head: a query head.
        array: float32 ``[query, key]``: probabilities, or in the difference view segment minus
            causal, in [-1, 1], over the positions before the answers part.
        mask: bool ``[query, key]``: what could be attended to, under either mask.
        tokens: text of the positions.
        segmentation: their segments.
        prompt_length: how many of them are the prompt's.
    """

    view: str
    layer: int
    head: int
    array: np.ndarray
    mask: np.ndarray
    tokens: tuple[str, ...]
    segmentation: Segmentation
    prompt_length: int


class Session(traitlets.HasTraits):
    """A prompt under both masks, kept up to date while its segments are edited.

    >>> import segviz as sv
    >>> session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=4)
    >>> right = session.trace.generated_text
    >>> session.view = "causal"
    >>> session.trace.generated_text == right
    False

    Runs happen in a worker thread, so the kernel stays free. The latest edit wins: it cancels the
    run under way, and the result of an older edit never takes the place of a newer one. All traits
    may be observed; observers are called in the thread that changed them.

    Args:
        model: runs the prompt.
        prompt: a prompt, or text, or messages.
        max_new_tokens: length of the answers at most.
        options: decoding options, as in :meth:`segviz.Model.trace`.

    Raises:
        ValueError: a prompt the model cannot take.
        TypeError, NotImplementedError: decoding options it cannot take.
        traitlets.TraitError: a segmentation of another length, no such layer, head or view.
    """

    segmentation = traitlets.Instance(Segmentation, help="The prompt's segments.")
    prompt = traitlets.Instance(Prompt, help="The prompt, with the current segments.")
    layer = traitlets.Int(0, help="The layer looked at.")
    head = traitlets.Int(0, help="The query head looked at.")
    view = traitlets.Enum(
        ["causal", "segment", "difference"], "segment", help="Which attention is looked at."
    )
    pattern = traitlets.Instance(
        Pattern, allow_none=True, help="What the chosen head shows; None before the first run."
    )
    causal_answer = traitlets.Instance(Answer, (), help="The answer under the causal mask.")
    segment_answer = traitlets.Instance(Answer, (), help="The answer under the segment mask.")
    stale = traitlets.Bool(
        default_value=True, help="The pattern is that of an earlier edit, or there is none yet."
    )
    dragging = traitlets.Bool(help="A boundary is being dragged: runs wait for a pause.")
    busy = traitlets.Bool(help="A run is under way, or waits for a pause.")
    error = traitlets.Unicode(help="Why the last run failed; '' if it did not.")

    def __init__(
        self,
        model: Model,
        prompt: Prompt | str | Messages,
        *,
        max_new_tokens: int = 16,
        **options: Any,
    ) -> None:
        prompt = model.as_prompt(prompt)
        self._model = model
        self._max_new_tokens = max_new_tokens
        # One seed for all runs: an answer changes with an edit, not by chance.
        self._options = model.with_seed(prompt, max_new_tokens, options)
        self._traces: dict[MaskKind, Trace] = {}
        self._answered: set[MaskKind] = set()
        self._state = threading.RLock()
        self._worker = Worker(self._state, on_idle=self._settled)
        self._revision = 0
        self.views: list[Any] = []
        """The explorers that show this session."""
        self.draw: Callable[[], bytes] | None = None
        """Draws the explorer of this session, once there is one, as a PNG."""
        super().__init__(prompt=prompt, segmentation=prompt.segmentation)
        self._run_soon()

    def __repr__(self) -> str:
        return (
            f"<segviz.Session: {self._model.name!r}, {len(self.segmentation.segments)} segments, "
            f"layer {self.layer}, head {self.head}, {self.view} view>"
        )

    @property
    def model(self) -> Model:
        """The model that runs the prompt."""
        return self._model

    @property
    def trace(self) -> Trace:
        """The trace behind the current view: the causal one, else the segment one.

        Reading waits for the run of the latest edit. Writing shows a trace from elsewhere, of this
        model: its prompt and segments become the session's, and the other mask is run for it.
        """
        self.wait()
        return self._traces["causal" if self.view == "causal" else "segment"]

    @trace.setter
    def trace(self, trace: Trace) -> None:
        if (len(trace.layers), trace.heads) != (self._model.layers, self._model.heads):
            raise ValueError(
                f"this trace has {len(trace.layers)} layers of {trace.heads} heads; the session's "
                f"model has {self._model.layers} of {self._model.heads}"
            )
        prompt_segments = [s for s in trace.segmentation.segments if s.stop <= trace.prompt_length]
        prompt = Prompt(
            trace.token_ids[: trace.prompt_length],
            trace.tokens[: trace.prompt_length],
            "".join(trace.tokens[: trace.prompt_length]),
            Segmentation(prompt_segments),
        )
        with self._state:
            self._forget()
            self.prompt = prompt
            self.segmentation = prompt.segmentation
            self.view = trace.mask_kind
            self._take(trace, done=True)
            self._run_soon()

    @property
    def comparison(self) -> Comparison:
        """Both traces side by side; reading waits for the run of the latest edit."""
        self.wait()
        return compared(self._model, self._traces["causal"], self._model, self._traces["segment"])

    def wait(self, timeout: float | None = None) -> Session:
        """Wait until the latest edit has been run.

        Raises:
            TimeoutError: it takes longer than ``timeout`` seconds.
            RuntimeError: the run failed or was stopped, or this is the worker thread itself.
        """
        if not self._worker.wait(timeout):
            raise TimeoutError(f"the run is not done after {timeout} s")
        if self.error:
            raise RuntimeError(self.error)
        if not self._answered.issuperset(_KINDS):
            raise RuntimeError("the run was stopped: session.run() starts it again")
        return self

    def stop(self) -> None:
        """Cancel the run under way; what is there stays."""
        with self._state:
            self._worker.cancel()
            self._mark(self._revision, "cancelled")

    def run(self) -> None:
        """Run both masks again, for instance after the weights have changed."""
        self._model.clear_cache()
        with self._state:
            self._forget()
            self._look()
            self._run_soon()

    def close(self) -> None:
        """Close the explorers of this session, and free its traces."""
        self.stop()
        self._worker.wait()
        for view in self.views:
            view.close()
        self.views.clear()
        self.unobserve_all()
        with self._state:
            self._forget()
            self.draw = None
            self.pattern = None

    def snapshot(self) -> None:
        """Leave a static picture of the explorer in the notebook, which shows on GitHub, too.

        Raises:
            RuntimeError: a session without an explorer; see :func:`segviz.explore`.
        """
        from IPython.display import Image, display  # noqa: PLC0415 (only notebooks have it)

        if self.draw is None:
            raise RuntimeError(
                "this session has no explorer to draw: use sv.explore(model, prompt)"
            )
        self.wait()
        display(Image(data=self.draw(), format="png"))

    # Edits

    @traitlets.validate("segmentation")
    def _valid_segmentation(self, proposal: Any) -> Segmentation:
        value = proposal["value"]
        if value.length != self.prompt.length:
            raise traitlets.TraitError(
                f"this segmentation spans {value.length} tokens, the prompt has "
                f"{self.prompt.length}: edit session.segmentation (split, move_boundary, merge)"
            )
        return value

    @traitlets.validate("layer", "head")
    def _valid_index(self, proposal: Any) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        count = self._model.layers if name == "layer" else self._model.heads
        if not 0 <= value < count:
            raise traitlets.TraitError(f"{name} is {value}; allowed are 0 to {count - 1}")
        return value

    @traitlets.observe("segmentation")
    def _segmentation_edited(self, change: Any) -> None:
        with self._state:
            if change["new"] == self.prompt.segmentation:
                return
            self.prompt = self.prompt.with_segmentation(change["new"])
            self._traces.pop("segment", None)
            self._answered.discard("segment")
            if "causal" in self._traces:
                # The causal run is the same under any segments; only their names move.
                causal = self._traces["causal"]
                labelled = with_response(change["new"], len(causal.tokens))
                self._traces["causal"] = replace(causal, segmentation=labelled)
            self._look()
            self._run_soon()

    @traitlets.observe("dragging")
    def _dragging_changed(self, change: Any) -> None:
        if not change["new"]:
            self._worker.hurry()

    @traitlets.observe("layer", "head", "view")
    def _look(self, _change: object = None) -> None:
        """Compute what the chosen head shows, from the traces at hand."""
        with self._state:
            view, layer, head = str(self.view), int(self.layer), int(self.head)
            wanted: list[MaskKind] = [kind for kind in _KINDS if view in (kind, "difference")]
            self.stale = not all(kind in self._traces for kind in wanted)
            if self.stale:
                return
            trace = self._traces[wanted[0]]
            if view == "difference":
                array = Comparison(self._traces["causal"], trace).difference(layer, head)
            else:
                array = trace.attention(layer, head)
            length = len(array)
            self.pattern = Pattern(
                view,
                layer,
                head,
                array,
                trace.mask(layer)[:length, :length],
                trace.tokens[:length],
                with_response(self.prompt.segmentation, length),
                trace.prompt_length,
            )

    # Runs

    def _forget(self) -> None:
        self._traces.clear()
        self._answered.clear()

    def _run_soon(self) -> None:
        """Ask for a run of the current state; it takes the place of any other."""
        with self._state:
            self._revision += 1
            self.error = ""
            self.busy = True
            missing: list[MaskKind] = [kind for kind in _KINDS if kind not in self._answered]
            job = partial(self._run, self._revision, self.prompt, missing)
            self._worker.submit(job, delay=PAUSE if self.dragging else 0.0)

    def _settled(self) -> None:
        self.busy = False

    def _run(
        self, revision: int, prompt: Prompt, missing: list[MaskKind], cancel: threading.Event
    ) -> None:
        """Run a prompt under the masks that are missing; called in the worker's thread."""
        try:
            for kind in missing:
                self._answer(revision, kind, Answer())
            # Attention first: a prefill takes a blink, an answer takes its time and reuses it.
            for kind in missing:
                self._publish(revision, self._model.trace(prompt, kind, cancel=cancel), done=False)
            for kind in missing:
                self._publish(revision, self._stream(revision, prompt, kind, cancel), done=True)
        except RunCancelledError:
            self._mark(revision, "cancelled")
        except Exception as error:  # noqa: BLE001 (whatever it is, the user has to see it)
            self._mark(revision, "failed", f"{type(error).__name__}: {error}")

    def _stream(
        self, revision: int, prompt: Prompt, kind: MaskKind, cancel: threading.Event
    ) -> Trace:
        tokens: list[str] = []

        def heard(token: str) -> None:
            tokens.append(token)
            # The model is locked here. Who holds the session's state may be waiting for the model,
            # so never wait for the state: the next token, or the end, brings this one, too.
            if self._state.acquire(timeout=_PATIENCE):
                try:
                    self._answer(revision, kind, Answer(tuple(tokens), "running"))
                finally:
                    self._state.release()

        self._answer(revision, kind, Answer(state="running"))
        return self._model.trace(
            prompt, kind, self._max_new_tokens, on_token=heard, cancel=cancel, **self._options
        )

    def _publish(self, revision: int, trace: Trace, *, done: bool) -> None:
        with self._state:
            if revision == self._revision:
                self._take(trace, done=done)

    def _take(self, trace: Trace, *, done: bool) -> None:
        self._traces[trace.mask_kind] = trace
        if done:
            self._answered.add(trace.mask_kind)
            answer = Answer(trace.tokens[trace.prompt_length :], "done")
            self.set_trait(f"{trace.mask_kind}_answer", answer)
        if self.view in (trace.mask_kind, "difference"):
            self._look()

    def _answer(self, revision: int, kind: MaskKind, answer: Answer) -> None:
        with self._state:
            if revision == self._revision:
                self.set_trait(f"{kind}_answer", answer)

    def _mark(self, revision: int, state: AnswerState, note: str = "") -> None:
        """Say of the answers that are not done why they are not."""
        with self._state:
            if revision != self._revision:
                return
            self.error = note
            for kind in _KINDS:
                if kind not in self._answered:
                    answer: Answer = getattr(self, f"{kind}_answer")
                    self.set_trait(f"{kind}_answer", replace(answer, state=state, note=note))


_KINDS: tuple[MaskKind, MaskKind] = ("segment", "causal")
