"""The state behind an explorer: a prompt that can be edited, and runs that follow its edits."""

from __future__ import annotations

import logging
import threading
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import traitlets

from segviz.comparison import Comparison
from segviz.files import whole
from segviz.prompts import Prompt, carried, presets
from segviz.sampling import checked_settings, options_of, settings_of
from segviz.segments import Segmentation
from segviz.session import file
from segviz.session.figure import figure_of
from segviz.session.looker import Wanted
from segviz.session.looking import Looking
from segviz.session.looks import LayerLook, Look
from segviz.session.runs import KINDS, Answer, Runs
from segviz.session.state import SessionState
from segviz.trace import MaskKind, Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from segviz.grouping import Merge
    from segviz.model import Messages, Model
    from segviz.patterns import Head
    from segviz.session.looks import View

_log = logging.getLogger(__name__)

PAUSE = 0.15
"""Seconds without an edit after which a run begins while a boundary is being dragged."""


class Front(Protocol):
    """What shows a session: draws it, and puts it on a page."""

    def png(self) -> bytes:
        """A picture of the current state."""
        ...

    def html(self, heads: list[tuple[int, int]] | None) -> str:
        """A self-contained page of the current state."""
        ...


class Session(SessionState):
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

    A sampled answer takes its random numbers from torch's own generator, seeded for the run and put
    back after it: random numbers drawn elsewhere at the same time share it.

    Args:
        model: runs the prompt.
        prompt: a prompt, or text, or messages.
        max_new_tokens: length of the answers at most.
        options: decoding options, as in :meth:`segviz.Model.trace`.

    Raises:
        ValueError: a prompt the model cannot take.
        TypeError, NotImplementedError: decoding options it cannot take.
        MemoryError: a run that cannot fit.
        traitlets.TraitError: a segmentation of another length, no such layer, head or view.
    """

    _ready = False
    """Whether changes are edits, and not the first values."""

    _closed = False

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
        settings, self._other_options = settings_of(model, max_new_tokens, options)
        # One seed for all runs: an answer changes with an edit, not by chance.
        self._options = self._checked_options(prompt, settings)
        self.lock = threading.RLock()
        """Guards the session; hold it to change several traits as one."""
        self._runs = Runs(model, self.lock, self._notice)
        self._looking = Looking(self.lock, self._show, self._notice)
        self.first_layers: range = range(model.layers)
        """The layers in sight in the head grid, which are summarised first."""
        self.views: list[Any] = []
        """The explorers that show this session."""
        self.front: Front | None = None
        """Draws the latest of them, once there was one."""
        super().__init__(
            prompt=prompt,
            segmentation=prompt.segmentation,
            template=prompt.segmentation,
            decoding=settings,
        )
        self._ready = True
        self._run_soon()

    def __setattr__(self, name: str, value: Any) -> None:
        # What is set now would be followed by no run, and by no other trait.
        if self._closed and self.has_trait(name):
            self._refuse_if_closed()
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return (
            f"<segviz.Session: {self._model.name!r}, {len(self.segmentation.segments)} segments, "
            f"layer {self.layer}, head {self.head}, {self.view} view>"
        )

    @property
    def model(self) -> Model:
        """The model that runs the prompt.

        >>> import segviz as sv
        >>> session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=0)
        >>> session.model.name
        'tiny-llama'
        """
        return self._model

    @property
    def trace(self) -> Trace:
        """The trace behind the current view: the causal one, else the segment one.

        >>> import segviz as sv
        >>> session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=4)
        >>> session.trace.mask_kind
        'segment'
        >>> session.trace = session.model.trace("Anna follows Ben.", mask="causal")
        >>> session.view, session.prompt.length == session.trace.prompt_length
        ('causal', True)

        Reading waits for the run of the latest edit. Writing shows a trace from elsewhere, of this
        model: its prompt and segments become the session's, and the other mask is run for it.

        Raises:
            RuntimeError: reading: as in :meth:`wait`; writing: a closed session.
            TypeError: writing something that is no :class:`segviz.Trace`.
            ValueError: writing a trace of another model (by its name and adapter, which the trace
                keeps, and by its layers and query heads), or of a prompt the model cannot take.
        """
        self.wait()
        return self._runs.traces["causal" if self.view == "causal" else "segment"]

    @trace.setter
    def trace(self, trace: Trace) -> None:
        self._refuse_if_closed()
        if not isinstance(trace, Trace):
            raise TypeError(f"this takes a segviz.Trace, not {trace!r}")
        if (len(trace.layers), trace.heads) != (self._model.layers, self._model.heads):
            raise ValueError(
                f"this trace has {len(trace.layers)} layers of {trace.heads} heads; the session's "
                f"model has {self._model.layers} of {self._model.heads}"
            )
        self._refuse_trace_of_another(trace.recipe)
        prompt_segments = [s for s in trace.segmentation.segments if s.stop <= trace.prompt_length]
        prompt = Prompt(
            trace.token_ids[: trace.prompt_length],
            trace.tokens[: trace.prompt_length],
            "".join(trace.tokens[: trace.prompt_length]),
            Segmentation(prompt_segments),
        )
        self._checked_options(prompt, self.decoding)
        with self.lock:
            self._runs.forget()
            self.prompt = prompt
            self.view = trace.mask_kind
            self._runs.take(trace, done=True)
            self._run_soon()

    def _refuse_trace_of_another(self, recipe: Mapping[str, Any]) -> None:
        own = {"model": self._model.name, "adapter": self._model.adapter}
        made = {name: recipe.get(name) for name in own}
        if made["model"] is not None and made != own:
            raise ValueError(
                f"this trace is of {made['model']!r} with the adapter {made['adapter']!r}; the "
                f"session's model is {own['model']!r} with {own['adapter']!r}: open a session with "
                "the trace's model (if that is the same under another name, set session.model.name "
                "and session.model.adapter), or show the trace alone, AttentionView.of(trace)"
            )

    @property
    def comparison(self) -> Comparison:
        """Both traces side by side; reading waits for the run of the latest edit.

        >>> import segviz as sv
        >>> session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=4)
        >>> session.comparison.parted
        True

        Raises:
            RuntimeError: as in :meth:`wait`.
        """
        self.wait()
        traces = self._runs.traces
        return Comparison(traces["causal"], traces["segment"])

    @property
    def presets(self) -> dict[str, Segmentation]:
        """Segmentations of this prompt by name: ``segment``, ``causal``, ``prefix-LM``, ….

        >>> import segviz as sv
        >>> session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=0)
        >>> session.segmentation = session.presets["prefix-LM"]
        >>> [segment.name for segment in session.segmentation.segments]
        ['bos', 'prompt']
        """
        return presets(self.prompt.tokens, self.template)

    def edit(self, prompt: Prompt | str | Messages) -> None:
        """Take another prompt; edits of the segments survive where the text did not change.

        >>> import segviz as sv
        >>> session = sv.Session(sv.load(), "Anna follows Ben. Ben leads", max_new_tokens=0)
        >>> session.segmentation = session.segmentation.split(3)
        >>> session.edit("Anna follows Ben. Ben follows")
        >>> session.segmentation.boundaries
        (1, 3)

        To replace the prompt and its segments outright, assign ``session.prompt``.

        Args:
            prompt: a prompt; a text, cut at the delimiter of the text before it; or messages, under
                the template options of the chat before it.

        Raises:
            ValueError: a prompt the model cannot take; the session stays as it was.
            TypeError: something that stands for no prompt; likewise.
            RuntimeError: a closed session.
        """
        self._refuse_if_closed()
        with self.lock:
            old = self.prompt
            if isinstance(prompt, str):
                new = self._model.prompt(prompt, old.split)
            elif isinstance(prompt, Prompt):
                new = prompt
            else:
                new = self._model.chat(prompt, **(old.template_options or {}))
            self._checked_options(new, self.decoding)
            segmentation = carried(old, self.template, new)
            self.prompt = new.with_segmentation(segmentation)
            self.template = new.segmentation

    def wait(self, timeout: float | None = None) -> Session:
        """Wait until the latest edit has been run, and what is looked at is up to date.

        >>> import segviz as sv
        >>> session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=4)
        >>> session.wait(timeout=60).busy
        False

        Args:
            timeout: in seconds; None: as long as it takes.

        Returns:
            the session.

        Raises:
            TimeoutError: it takes longer than ``timeout`` seconds.
            RuntimeError: the run failed or was stopped, something cannot be shown, the session is
                closed, or this is called in one of the worker threads.
        """
        workers = (self._runs.worker, self._looking.worker)
        for worker in workers:
            worker.refuse_to_wait_inside()
        deadline = None if timeout is None else time.monotonic() + timeout
        for worker in workers:
            if not worker.wait(None if deadline is None else max(0.0, deadline - time.monotonic())):
                raise TimeoutError(f"the run is not done after {timeout} s")
        self._refuse_if_closed()
        if problem := self.error or self.look_error:
            raise RuntimeError(problem)
        if not self._runs.done:
            raise RuntimeError("the run was stopped: session.run() starts it again")
        return self

    def stop(self) -> None:
        """Cancel the run under way; what is there stays.

        >>> import segviz as sv
        >>> session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=4)
        >>> session.stop()
        >>> session.segment_answer.state in ("cancelled", "done")
        True

        The next edit, or :meth:`run`, starts another one.
        """
        self._runs.stop()

    def run(self) -> None:
        """Run both masks again, for instance after the weights have changed.

        >>> import segviz as sv
        >>> session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=4)
        >>> session.stop()
        >>> session.run()
        >>> session.trace.generated_text
        ' Lena'

        Raises:
            RuntimeError: a closed session.
        """
        self._refuse_if_closed()
        self._model.clear_cache()
        with self.lock:
            self._runs.forget()
            self._traces_changed()
            self._run_soon()

    def close(self) -> None:
        """Close the explorers of this session, and free its traces.

        >>> import segviz as sv
        >>> session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=4)
        >>> session.close()
        >>> session.trace
        Traceback (most recent call last):
        RuntimeError: this session is closed: make another one of session.prompt

        A run under way is cancelled, and waited for. What the session holds can still be read and
        saved, but not changed. Closing it again does nothing.
        """
        if self._closed:
            return
        self.stop()
        self._looking.worker.cancel()
        self._runs.worker.wait()
        self._looking.worker.wait()
        for view in list(self.views):
            view.close()
        self.unobserve_all()
        with self.lock:
            self._ready = False
            self._runs.forget()
            self._looking.forget()
            self.front = None
            self.pattern = self.receipt = self.contrast = self.flows = self.parting = None
            self.overview = {}
            self._closed = True

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise RuntimeError("this session is closed: make another one of session.prompt")

    # Leaving something behind

    def save(self, path: str | Path) -> None:
        """Write prompt, segments, view and settings as small JSON; :func:`segviz.open_session`.

        >>> import tempfile
        >>> import segviz as sv
        >>> session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=4)
        >>> session.save(Path(tempfile.mkdtemp()) / "session.json")

        No weights and no traces: opened again, the session runs again. A warning names decoding
        options that JSON does not know, such as ``stopping_criteria``: they are left out.

        Raises:
            FileNotFoundError: no such folder.
            IsADirectoryError: a folder of that name.
            TypeError: messages or template options that JSON does not know.
        """
        file.write(Path(path), self)

    def figure(self, kind: str = "attention", **options: Any) -> Figure:
        """A figure for a paper of what is shown now; see :mod:`segviz.figures`.

        >>> import segviz as sv
        >>> session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=4)
        >>> session.layer, session.scale = 1, "log"
        >>> figure = session.figure(width="text")  # figure.savefig("attention.pdf")

        Layer, head, view, scale, merging, hidden first token and pinned query are those of the
        explorer.

        Args:
            kind: ``"attention"``, ``"comparison"``, ``"mask"``, ``"heads"``, ``"flow"``,
                ``"tokens"`` or ``"arcs"``.
            options: arguments of that kind of figure, in place of what is shown.

        Raises:
            ValueError: no such kind.
            TypeError: an argument that the kind does not take.
            RuntimeError: as in :meth:`wait`.
        """
        return figure_of(self, kind, options)

    def snapshot(self) -> None:
        """Leave a static picture of the explorer in the notebook, which shows on GitHub, too.

        >>> import segviz as sv
        >>> session = sv.explore(sv.load(), sv.examples["chain"])
        <ExplorerView>
        >>> session.snapshot()  # doctest: +ELLIPSIS
        {'image/png': '...'}

        Raises:
            RuntimeError: a session without an explorer, see :func:`segviz.explore`; or as in
                :meth:`wait`.
        """
        from IPython.display import display  # noqa: PLC0415 (only notebooks have it)

        front = self._shown("snapshot()")
        self.wait()
        picture = b64encode(front.png()).decode("ascii")
        # Plain data: not every notebook knows IPython's Image.
        display({"image/png": picture}, raw=True)

    def to_html(
        self, path: str | Path | None = None, heads: list[tuple[int, int]] | None = None
    ) -> str | None:
        """One self-contained page of the explorer, which works without a kernel and a network.

        >>> import segviz as sv
        >>> session = sv.explore(sv.load(), sv.examples["chain"])
        <ExplorerView>
        >>> session.to_html(heads=[(1, 0)]).startswith("<!doctype html>")
        True

        Segments and mask can be edited in it, all heads are there as thumbnails, and some in full
        resolution; the attention and the answers are those of now.

        Args:
            path: where to write it; None: return it.
            heads: ``(layer, head)`` in full resolution; None: the chosen one, and the three that
                the segment mask changed most.

        Returns:
            the page; None where it was written.

        Raises:
            RuntimeError: a session without an explorer, see :func:`segviz.explore`; or as in
                :meth:`wait`.
            IndexError: no such head.
            TypeError: heads of another form.
            FileNotFoundError: no such folder.
        """
        front = self._shown("to_html()")
        self.wait()
        page = front.html(heads)
        if path is None:
            return page
        with whole(Path(path), "a page") as unfinished:
            unfinished.write_text(page, encoding="utf-8")
        return None

    def _shown(self, what: str) -> Front:
        if self.front is None or not self.views:
            raise RuntimeError(
                f"{what}: this session has no explorer to draw; use sv.explore(model, prompt)"
            )
        return self.front

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

    @traitlets.validate("pinned")
    def _valid_pinned(self, proposal: Any) -> int | None:
        position = proposal["value"]
        answers = (self.causal_answer, self.segment_answer)
        generated = max(self.decoding["max_new_tokens"], *(len(one.tokens) for one in answers))
        count = self.prompt.length + generated
        if position is not None and not 0 <= position < count:
            raise traitlets.TraitError(
                f"pinned is {position}; allowed are 0 to {count - 1}, a token position, and None"
            )
        return position

    @traitlets.validate("decoding")
    def _valid_decoding(self, proposal: Any) -> dict[str, Any]:
        settings = checked_settings(proposal["value"])
        self._checked_options(self.prompt, settings)
        return settings

    @traitlets.validate("prompt")
    def _valid_prompt(self, proposal: Any) -> Prompt:
        self._checked_options(proposal["value"], self.decoding)
        return proposal["value"]

    def _checked_options(self, prompt: Prompt, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Decoding options with a seed; raises what a run would raise."""
        if not settings["max_new_tokens"]:
            self._model.check(prompt)
            return {}
        options = options_of(settings, self._other_options)
        return self._model.with_seed(prompt, settings["max_new_tokens"], options)

    @traitlets.observe("decoding")
    def _decoding_changed(self, change: Any) -> None:
        with self.lock:
            if not self._ready:
                return
            self._options = self._checked_options(self.prompt, change["new"])
            self._runs.forget_answers()
            self._run_soon()

    @traitlets.observe("segmentation")
    def _segmentation_edited(self, change: Any) -> None:
        with self.lock:
            if self._ready and change["new"] != self.prompt.segmentation:
                self.prompt = self.prompt.with_segmentation(change["new"])

    @traitlets.observe("prompt")
    def _prompt_changed(self, change: Any) -> None:
        with self.lock:
            if not self._ready:
                return
            new: Prompt = change["new"]
            told: dict[str, Any] = {"segmentation": new.segmentation}
            if new.token_ids == change["old"].token_ids:
                self._runs.resegment(new.segmentation)
            else:
                self._runs.forget()
                told |= {"pinned": None, "template": new.segmentation}
            try:
                for name, value in told.items():
                    self.set_trait(name, value)
            finally:
                # Whatever an observer thinks of it, the edit is made.
                self._traces_changed()
                self._run_soon()

    @traitlets.observe("dragging")
    def _dragging_changed(self, change: Any) -> None:
        if not change["new"]:
            self._runs.worker.hurry()

    # Runs and looks

    def _run_soon(self) -> None:
        """Ask for a run of the current state; it takes the place of any other."""
        delay = PAUSE if self.dragging else 0.0
        self._runs.start(self.prompt, self.decoding["max_new_tokens"], self._options, delay)

    def _notice(self, name: str, value: Any) -> None:
        """Take what a run has to say; called under the lock."""
        if name == "traces":
            self._traces_changed()
        elif name.endswith("_state"):
            name, (state, note, stays) = name.replace("_state", "_answer"), value
            before = getattr(self, name) if stays else Answer()
            self._tell(name, replace(before, state=state, note=note))
        else:
            self._tell(name, value)
            if name == "fresh":
                self._tell("stale", "pattern" not in value)

    def _tell(self, name: str, value: Any) -> None:
        """Set a trait; an observer that raises is no reason for a run to fail."""
        try:
            self.set_trait(name, value)
        except Exception:  # noqa: BLE001 (logged)
            _log.exception("an observer of %r failed", name)

    def _traces_changed(self) -> None:
        self._tell("version", self.version + 1)  # type: ignore[reportOperatorIssue]
        self._look()

    @traitlets.observe("layer", "head", "view", "reduce", "panels")
    def _look(self, _change: object = None) -> None:
        """Ask for what is looked at now; it takes the place of what was asked for before."""
        with self.lock:
            if self._ready:
                self._looking.ask(self.wanted())

    def look_first(self, first: int, last: int) -> None:
        """Summarise these layers before the others: they are in sight in the head grid.

        >>> import segviz as sv
        >>> session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=0)
        >>> session.look_first(1, 2)
        >>> session.wanted().layers
        [1, 2, 0]

        Args:
            first: the first of the layers, 0-based.
            last: the last of them.
        """
        with self.lock:
            self.first_layers = range(first, last + 1)
            self._look()

    def pin_answer(self, mask: MaskKind, index: int) -> None:
        """Pin a generated token of the answer under a mask, and look at that run.

        >>> import segviz as sv
        >>> session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=4)
        >>> session.wait().pin_answer("causal", 0)
        >>> session.view, session.pinned == session.prompt.length
        ('causal', True)

        Args:
            mask: ``"causal"`` or ``"segment"``.
            index: 0-based, of the answer's tokens.

        Raises:
            ValueError: a mask that is neither ``"causal"`` nor ``"segment"``.
            IndexError: no such token.
            RuntimeError: a closed session.
        """
        self._refuse_if_closed()
        if mask not in KINDS:
            raise ValueError(f"mask={mask!r}; allowed are 'causal' and 'segment'")
        with self.lock:
            tokens = getattr(self, f"{mask}_answer").tokens
            if not 0 <= index < len(tokens):
                raise IndexError(
                    f"there is no generated token {index}: the answer has {len(tokens)}"
                )
            if self.view != mask:
                self.view = mask
            self.pinned = self.prompt.length + index

    def wanted(self) -> Wanted:
        """What is looked at now, of the traces at hand; it does not wait for a run.

        >>> import segviz as sv
        >>> session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=0)
        >>> session.layer = 2
        >>> session.wanted().layer, session.wanted().view
        (2, 'segment')
        """
        with self.lock:
            inside, layers = self.first_layers, range(self._model.layers)
            return Wanted(
                traces=dict(self._runs.traces),
                version=self.version,
                answered=self._runs.answered,
                segmentation=self.prompt.segmentation,
                view=cast("View", self.view),
                layer=self.layer,
                head=self.head if self.reduce == "head" else cast("Head", self.reduce),
                # What takes both runs, or all heads, waits until they belong together.
                panels=frozenset(self.panels if self._runs.settled else ()),
                layers=sorted(layers, key=lambda layer: (layer not in inside, layer)),
                merge=cast("Merge", self.merge),
                hide_first=self.hide_first,
            )

    def _show(self, slot: str, look: Look) -> None:
        """Take a look; called under the lock."""
        if isinstance(look, LayerLook):
            self.overview = {**self.overview, look.layer: look}
        else:
            self.set_trait(slot, look)
