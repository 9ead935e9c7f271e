"""The answer view: what the model says under each mask, side by side, as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import traitlets

from segviz.labels import UNTUNED
from segviz.sampling import DEFAULTS, checked_settings
from segviz.widgets import assets
from segviz.widgets.answer_parts import (
    LIKELIEST,
    Likely,
    answer_to_json,
    checked_probabilities,
    checked_top,
    likely_message,
)
from segviz.widgets.base import View

if TYPE_CHECKING:
    from segviz.comparison import Comparison
    from segviz.session.runs import Answer
    from segviz.trace import Trace

MaskKind = Literal["causal", "segment"]
MASK_KINDS: tuple[MaskKind, ...] = get_args(MaskKind)
State = Literal["waiting", "running", "done", "cancelled", "failed"]
STATES: tuple[State, ...] = get_args(State)
_EMPTY = {"tokens": [], "state": "waiting", "note": ""}


class AnswerView(View):
    """The answers under the causal and the segment mask; marks where they part.

    >>> view = AnswerView()
    >>> view.set("segment", [" Kurt"], state="running")
    >>> view.append("segment", "<|end|>"); view.set("segment", state="done")
    >>> view.segment["tokens"], view.segment["state"]
    ([' Kurt', '<|end|>'], 'done')
    >>> view.set("segment", probabilities=[0.9, 1], top=[[(" Kurt", 0.9), (" Ben", 0.04)]])
    >>> view.probabilities("segment")
    (0.9, 1.0)
    """

    _esm = assets.script("answer_view.js")
    _css: ClassVar[Any] = assets.style("base.css", "controls.css", "answer_view.css")

    causal = traitlets.Dict(
        _EMPTY, help="The answer under the causal mask: tokens, state, note."
    ).tag(sync=True, to_json=answer_to_json)
    segment = traitlets.Dict(
        _EMPTY, help="The answer under the segment mask: tokens, state, note."
    ).tag(sync=True, to_json=answer_to_json)
    masks = traitlets.List(
        traitlets.Enum(MASK_KINDS), list(MASK_KINDS), help="The masks whose answers are shown."
    ).tag(sync=True)
    untuned = traitlets.Unicode(
        help="A notice that the weights were never tuned for a segment mask; '' if they were."
    ).tag(sync=True)
    colored = traitlets.Bool(
        default_value=True, help="Whether tokens are coloured by their probability."
    ).tag(sync=True)
    decoding = traitlets.Dict(
        dict(DEFAULTS), help="max_new_tokens, do_sample, temperature, top_p, seed of the answers."
    ).tag(sync=True)
    can_run = traitlets.Bool(
        help="Whether somebody answers “Run again” and the decoding controls."
    ).tag(sync=True)
    can_stop = traitlets.Bool(help="Whether somebody answers “Stop”.").tag(sync=True)

    def __init__(self, *, untuned: str = "", **kwargs: Any) -> None:
        self._on_run: list[Callable[[], object]] = []
        self._on_stop: list[Callable[[], object]] = []
        self._probabilities: dict[str, tuple[float, ...]] = dict.fromkeys(MASK_KINDS, ())
        self._top: dict[str, tuple[Likely, ...]] = dict.fromkeys(MASK_KINDS, ())
        super().__init__(untuned=untuned, **kwargs)

    @classmethod
    def of(cls, run: Trace | Comparison) -> AnswerView:
        """The answers of a comparison, or the one of a trace; no model is needed.

        >>> import segviz as sv
        >>> comparison = sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=4)
        >>> view = AnswerView.of(comparison)
        >>> view.segment["tokens"][0], len(view.probabilities("segment"))
        (' Lena', 2)

        Args:
            run: a :class:`segviz.Comparison` or a :class:`segviz.Trace`. One that ends with its
                prompt has an empty answer.
        """
        traces: list[Any] = [getattr(run, kind, None) or run for kind in MASK_KINDS]
        if traces[0] is traces[1]:
            traces = traces[:1]
        view = cls(untuned=UNTUNED if any(trace.untuned for trace in traces) else "")
        view.masks = [trace.mask_kind for trace in traces]
        for trace in traces:
            view._take(trace)
        return view

    def _take(self, trace: Trace) -> None:
        self.set(
            trace.mask_kind,
            trace.tokens[trace.prompt_length :],
            state="done",
            probabilities=trace.token_probabilities().tolist(),
            top=trace.alternatives(LIKELIEST),
        )

    @traitlets.validate("causal", "segment")
    def _valid_answer(self, proposal: Mapping[str, Any]) -> dict[str, Any]:
        name, given = proposal["trait"].name, proposal["value"]
        unknown = set(given) - set(_EMPTY)
        if unknown:
            raise traitlets.TraitError(f"{name}: unknown {unknown}; allowed are {set(_EMPTY)}")
        answer = {**_EMPTY, **given, "tokens": list(given.get("tokens", []))}
        if answer["state"] not in STATES:
            raise traitlets.TraitError(
                f"{name}: state={answer['state']!r}; allowed are {', '.join(STATES)}"
            )
        if not all(isinstance(token, str) for token in answer["tokens"]):
            raise traitlets.TraitError(f"{name}: tokens are strings, not {answer['tokens']!r}")
        return answer

    @traitlets.validate("decoding")
    def _valid_decoding(self, proposal: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return checked_settings(proposal["value"])
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from error

    def set(
        self,
        mask: MaskKind,
        tokens: Iterable[str] | None = None,
        *,
        state: State | None = None,
        note: str | None = None,
        probabilities: Iterable[float] | None = None,
        top: Iterable[Iterable[tuple[str, float]]] | None = None,
    ) -> None:
        """Set what is given of one answer; the rest stays.

        >>> view = AnswerView()
        >>> view.set("causal", [" Fay"], state="running", probabilities=[0.9])
        >>> view.set("causal", state="done", note="greedy")
        >>> view.causal
        {'tokens': [' Fay'], 'state': 'done', 'note': 'greedy'}

        Probabilities stay as long as the tokens before and in their place stay.

        Args:
            mask: under which mask the answer was given.
            tokens: text of the generated tokens.
            state: how far the answer has come: ``"waiting"``, ``"running"``, ``"done"``,
                ``"cancelled"`` or ``"failed"``.
            note: a few words about it.
            probabilities: of each token, as far as known; NaN where unknown.
            top: in place of each token the likeliest ones, as (token, probability); the first ten
                are kept.

        Raises:
            ValueError: a mask that is neither ``"causal"`` nor ``"segment"``, more probabilities
                than tokens, or values that are none.
            traitlets.TraitError: an unknown state, or tokens that are no strings.
        """
        self._check_mask(mask)
        before = getattr(self, mask)["tokens"]
        after = before if tokens is None else list(tokens)
        changes = {"tokens": after, "state": state, "note": note}
        given = {name: value for name, value in changes.items() if value is not None}
        kept = _shared(before, after)
        own = self._probabilities[mask][:kept] if probabilities is None else probabilities
        likely = self._top[mask][:kept] if top is None else top
        own = checked_probabilities(own, len(after))
        likely = checked_top(likely, len(after))
        setattr(self, mask, {**getattr(self, mask), **given})
        if (own, likely) != (self._probabilities[mask], self._top[mask]):
            self._probabilities[mask], self._top[mask] = own, likely
            content, arrays = likely_message(after, own, likely)
            self.publish(f"top {mask}", content, *arrays)

    def show(self, mask: MaskKind, answer: Answer) -> None:
        """Show an answer of a session, as far as it has come.

        >>> import segviz as sv
        >>> session = sv.Session(sv.load(), sv.examples["chain"]).wait()
        >>> view = AnswerView()
        >>> view.show("segment", session.segment_answer)
        >>> view.segment["tokens"]
        [' Lena', '<|end|>']

        Args:
            mask: under which mask it was given.
            answer: ``session.causal_answer`` or ``session.segment_answer``.
        """
        self.set(
            mask,
            answer.tokens,
            state=answer.state,
            note=answer.note,
            probabilities=answer.probabilities,
            top=answer.top,
        )

    def append(self, mask: MaskKind, *tokens: str) -> None:
        """Add tokens to an answer that is coming in.

        >>> view = AnswerView()
        >>> view.append("causal", " Fay", "<|end|>")
        >>> view.causal["tokens"]
        [' Fay', '<|end|>']

        Raises:
            ValueError: a mask that is neither ``"causal"`` nor ``"segment"``.
            traitlets.TraitError: tokens that are no strings.
        """
        self._check_mask(mask)
        self.set(mask, [*getattr(self, mask)["tokens"], *tokens])

    def probabilities(self, mask: MaskKind) -> tuple[float, ...]:
        """Of the tokens of one answer, as far as they were given.

        >>> view = AnswerView()
        >>> view.set("causal", [" Fay", "<|end|>"], probabilities=[0.9])
        >>> view.probabilities("causal")
        (0.9,)

        Returns:
            0 to 1, NaN where unknown.

        Raises:
            ValueError: a mask that is neither ``"causal"`` nor ``"segment"``.
        """
        self._check_mask(mask)
        return self._probabilities[mask]

    def _check_mask(self, mask: str) -> None:
        if mask not in MASK_KINDS:
            raise ValueError(f"mask={mask!r}; allowed are {' and '.join(map(repr, MASK_KINDS))}")

    def on_run(self, callback: Callable[[], object]) -> None:
        """Call a function when “Run again” is pressed; shows the button and the decoding controls.

        >>> view = AnswerView()
        >>> view.on_run(lambda: print("runs"))
        >>> view.can_run
        True
        """
        self._on_run.append(callback)
        self.can_run = True

    def on_stop(self, callback: Callable[[], object]) -> None:
        """Call a function when “Stop” is pressed; the button is there while an answer is running.

        >>> view = AnswerView()
        >>> view.on_stop(lambda: view.set("segment", state="cancelled"))
        >>> view.can_stop
        True
        """
        self._on_stop.append(callback)
        self.can_stop = True

    def receive(self, kind: str, content: dict[str, Any]) -> None:  # noqa: ARG002
        """Pass on a press of a button."""
        for callback in {"run": self._on_run, "stop": self._on_stop}.get(kind, []):
            callback()

    def png(self) -> bytes:
        """The answers as a picture, a PNG file.

        >>> view = AnswerView()
        >>> view.set("segment", [" Lena"], state="done")
        >>> view.png()[1:4]
        b'PNG'
        """
        from segviz.widgets.drawing.answer import answer_png  # noqa: PLC0415 - matplotlib is slow to load

        return answer_png(self)


def _shared(before: Sequence[str], after: Sequence[str]) -> int:
    """How many tokens two answers have in common, from the first on."""
    pairs = enumerate(zip(before, after, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(before), len(after)))
