"""Segmented: the traits of a view that shows tokens and their segments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import traitlets

from segviz.labels import is_special, readable
from segviz.segments import Segmentation
from segviz.widgets.base import View


def _labels_to_json(tokens: Iterable[str], _widget: object) -> dict[str, Any]:
    tokens = list(tokens)
    return {
        "labels": [readable(token) for token in tokens],
        "special": [index for index, token in enumerate(tokens) if is_special(token)],
    }


def segment_dicts(segmentation: Segmentation) -> list[dict[str, Any]]:
    """A segmentation as the ``segments`` trait holds it.

    >>> from segviz.segments import Segment
    >>> segment_dicts(Segmentation([Segment(0, 2, "user")]))
    [{'start': 0, 'stop': 2, 'name': 'user', 'attention': 'bidirectional'}]
    """
    return segmentation.to_dict()["segments"]


class SegmentedView(View):
    """A view with ``tokens`` and ``segments``; set both at once with :meth:`update`.

    >>> from segviz.segments import Segment
    >>> view = SegmentedView(tokens=["Hi", "!"])
    >>> view.segmentation = Segmentation([Segment(0, 2, "user")])
    >>> view.segments
    [{'start': 0, 'stop': 2, 'name': 'user', 'attention': 'bidirectional'}]

    Raises:
        traitlets.TraitError: tokens and segments that do not fit together.
    """

    _needs_segments: ClassVar[bool] = False

    tokens = traitlets.List(
        traitlets.Unicode(), help="Decoded tokens; the page gets their labels. May be empty."
    ).tag(sync=True, to_json=_labels_to_json, from_json=lambda _value, widget: widget.tokens)
    segments = traitlets.List(
        traitlets.Dict(), help="The segments as dicts: start, stop, name, attention. Or empty."
    ).tag(sync=True)

    @traitlets.validate("segments")
    def _valid_segments(self, proposal: Mapping[str, Any]) -> list[dict[str, Any]]:
        given = proposal["value"]
        if not given:
            return self._without_segments()
        try:
            segmentation = Segmentation.from_dict({"segments": given})
        except (TypeError, ValueError) as error:
            raise traitlets.TraitError(f"segments: {error}") from error
        self._check_length(segmentation)
        return segment_dicts(segmentation)

    @traitlets.validate("tokens")
    def _valid_tokens(self, proposal: Mapping[str, Any]) -> list[str]:
        if self.segments and proposal["value"]:
            self._check(self.segments[-1]["stop"], len(proposal["value"]))
        return proposal["value"]

    def _without_segments(self) -> list[dict[str, Any]]:
        if self.tokens and self._needs_segments:
            raise traitlets.TraitError(
                f"segments: there are {len(self.tokens)} tokens and no segment; "
                "segments partition all of them"
            )
        return []

    def _check_length(self, segmentation: Segmentation) -> None:
        if self.tokens:
            self._check(segmentation.length, len(self.tokens))

    def _check(self, segments: int, tokens: int) -> None:
        if segments != tokens:
            raise traitlets.TraitError(
                f"segments: they cover {segments} positions, but there are {tokens} tokens; "
                "set both at once with update(tokens=…, segmentation=…)"
            )

    @property
    def segmentation(self) -> Segmentation | None:
        """The segments as a :class:`segviz.segments.Segmentation`; None where there are none.

        >>> from segviz.segments import Segment
        >>> view = SegmentedView(tokens=["Hi", "!"])
        >>> view.segmentation = Segmentation([Segment(0, 2, "user")])
        >>> view.segmentation = view.segmentation.split(1)
        >>> view.segmentation.boundaries
        (1,)

        Raises:
            traitlets.TraitError: writing segments that do not cover the tokens.
        """
        return Segmentation.from_dict({"segments": self.segments}) if self.segments else None

    @segmentation.setter
    def segmentation(self, segmentation: Segmentation) -> None:
        self.segments = segment_dicts(segmentation)

    def update(
        self,
        *,
        tokens: Sequence[str] | None = None,
        segmentation: Segmentation | None = None,
        **traits: Any,
    ) -> None:
        """Set tokens, segments and other traits in one step; the page gets one message.

        >>> from segviz.segments import Segment
        >>> view = SegmentedView(tokens=["Hi", "!"])
        >>> view.update(tokens=["Hi"], segmentation=Segmentation([Segment(0, 1, "user")]))
        >>> view.tokens, view.segmentation.length
        (['Hi'], 1)

        Args:
            tokens: decoded tokens; those there, unless given.
            segmentation: segments that cover them, likewise.
            traits: other traits, by name.

        Raises:
            traitlets.TraitError: values that do not fit together, or traits that there are not;
                all stay as they were.
        """
        if tokens is not None:
            traits["tokens"] = list(tokens)
        if segmentation is not None:
            traits["segments"] = segment_dicts(segmentation)
        with self.hold_sync(), self.hold_trait_notifications():
            for name, value in traits.items():
                if not self.has_trait(name):
                    raise traitlets.TraitError(f"{self._no_trait(name)}, and a segmentation")
                self.set_trait(name, value)
