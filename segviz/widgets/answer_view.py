"""The answer view: what the model says under each mask, side by side, as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, get_args

import traitlets

from segviz.labels import is_special, readable
from segviz.widgets import assets
from segviz.widgets.base import View

MaskKind = Literal["causal", "segment"]
MASK_KINDS: tuple[MaskKind, ...] = get_args(MaskKind)
State = Literal["waiting", "running", "done", "cancelled", "failed"]
STATES: tuple[State, ...] = get_args(State)
_EMPTY = {"tokens": [], "state": "waiting", "note": ""}


def _answer_to_json(answer: Mapping[str, Any], _widget: object) -> dict[str, Any]:
    return {
        "labels": [readable(token) for token in answer["tokens"]],
        "special": [i for i, token in enumerate(answer["tokens"]) if is_special(token)],
        "state": answer["state"],
        "note": answer["note"],
    }


class AnswerView(View):
    """The answers under the causal and the segment mask; marks where they part.

    >>> view = AnswerView()
    >>> view.set("segment", [" Kurt"], state="running")
    >>> view.append("segment", "<|end|>"); view.set("segment", state="done")
    >>> view.segment["tokens"], view.segment["state"]
    ([' Kurt', '<|end|>'], 'done')
    """

    _esm = assets.script("answer_view.js")
    _css: ClassVar[Any] = assets.style("base.css", "answer_view.css")

    causal = traitlets.Dict(
        _EMPTY, help="The answer under the causal mask: tokens, state, note."
    ).tag(sync=True, to_json=_answer_to_json)
    segment = traitlets.Dict(
        _EMPTY, help="The answer under the segment mask: tokens, state, note."
    ).tag(sync=True, to_json=_answer_to_json)
    untuned = traitlets.Unicode(
        help="A notice that the weights were never tuned for a segment mask; '' if they were."
    ).tag(sync=True)

    def __init__(self, *, untuned: str = "", **kwargs: Any) -> None:
        super().__init__(untuned=untuned, **kwargs)

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

    def set(
        self,
        mask: MaskKind,
        tokens: Iterable[str] | None = None,
        *,
        state: State | None = None,
        note: str | None = None,
    ) -> None:
        """Set what is given of one answer; the rest stays.

        Raises:
            ValueError: a mask that is neither ``"causal"`` nor ``"segment"``.
            traitlets.TraitError: an unknown state.
        """
        if mask not in MASK_KINDS:
            raise ValueError(f"mask={mask!r}; allowed are {' and '.join(map(repr, MASK_KINDS))}")
        changes = {"tokens": tokens, "state": state, "note": note}
        given = {name: value for name, value in changes.items() if value is not None}
        setattr(self, mask, {**getattr(self, mask), **given})

    def append(self, mask: MaskKind, *tokens: str) -> None:
        """Add tokens to an answer that is coming in."""
        if mask not in MASK_KINDS:
            raise ValueError(f"mask={mask!r}; allowed are {' and '.join(map(repr, MASK_KINDS))}")
        self.set(mask, [*getattr(self, mask)["tokens"], *tokens])

    def png(self) -> bytes:
        """The answers as a picture."""
        from segviz.widgets.drawing.answer import answer_png  # noqa: PLC0415 - matplotlib is slow to load

        return answer_png(self.causal, self.segment, self.untuned)
