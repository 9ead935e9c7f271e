"""The mask view: which query may attend to which key, and what the segment mask adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import traitlets

from segviz.segments import Segmentation
from segviz.widgets import assets
from segviz.widgets.segmented import SegmentedView, segment_dicts

if TYPE_CHECKING:
    from segviz.trace import Trace


class MaskView(SegmentedView):
    """The mask ``[query, key]`` as a matrix, computed in the page from the segments.

    >>> from segviz.segments import Segment
    >>> view = MaskView(Segmentation([Segment(0, 4, "user"), Segment(4, 6, "response", "causal")]),
    ...                 prompt_length=4)
    >>> view.mask = "causal"

    Args:
        segmentation: the segments of all positions, generated ones included.
        prompt_length: where the generated positions start; None if there are none.
        tokens: decoded tokens, for labels.

    Raises:
        traitlets.TraitError: arguments that do not fit together.
    """

    _esm = assets.script("mask_view.js")
    _css: ClassVar[Any] = assets.style("base.css", "controls.css", "matrix.css")

    prompt_length = traitlets.Int(
        None, allow_none=True, help="Position at which decoding starts; None: prompt only."
    ).tag(sync=True)
    mask = traitlets.Enum(
        ["segment", "causal"], "segment", help="Which mask is shown: 'segment' or 'causal'."
    ).tag(sync=True)
    window = traitlets.Int(
        None,
        allow_none=True,
        help="Of a sliding-window layer: a token sees itself and the window - 1 before it.",
    ).tag(sync=True)

    def __init__(
        self,
        segmentation: Segmentation,
        prompt_length: int | None = None,
        tokens: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            segments=segment_dicts(segmentation),
            prompt_length=prompt_length,
            tokens=list(tokens or []),
            **kwargs,
        )

    @classmethod
    def of(cls, trace: Trace, layer: int = 0) -> Self:
        """The mask that was in force in a trace; no model is needed.

        >>> import segviz as sv
        >>> view = MaskView.of(sv.load().trace(sv.examples["chain"], mask="causal"))
        >>> view.mask, len(view.tokens) == view.segmentation.length
        ('causal', True)

        Args:
            trace: what a run left behind.
            layer: 0-based, or negative from the last one; layers differ under sliding windows only.

        Raises:
            IndexError, TypeError: no such layer.
        """
        trace.key_spans(layer)  # refuses a layer that there is not
        return cls(
            trace.segmentation,
            trace.prompt_length,
            trace.tokens,
            mask=trace.mask_kind,
            window=trace.layers[layer].window,
        )

    @traitlets.validate("window")
    def _valid_window(self, proposal: Mapping[str, Any]) -> int | None:
        window = proposal["value"]
        if window is not None and window < 1:
            raise traitlets.TraitError(f"window is {window}; a token sees at least itself")
        return window

    @traitlets.validate("prompt_length")
    def _valid_prompt_length(self, proposal: Mapping[str, Any]) -> int | None:
        return checked_prompt_length(proposal["value"], self.segments)

    def png(self) -> bytes:
        """The mask as a picture, a PNG file.

        >>> from segviz.segments import Segment
        >>> MaskView(Segmentation([Segment(0, 4, "user")])).png()[1:4]
        b'PNG'
        """
        from segviz.widgets.drawing.matrices import mask_png  # noqa: PLC0415 - matplotlib is slow to load

        return mask_png(self.segments, self.mask, self.window, self.prompt_length)


def checked_prompt_length(length: int | None, segments: list[dict[str, Any]]) -> int | None:
    """The prompt's length where it fits the segments.

    >>> checked_prompt_length(3, [{"start": 0, "stop": 4}])
    3

    Raises:
        traitlets.TraitError: a length below 1 or beyond the last segment.
    """
    if length is None:
        return None
    last = segments[-1]["stop"] if segments else None
    if length < 1 or (last is not None and length > last):
        raise traitlets.TraitError(
            f"prompt_length is {length}; allowed are 1 to {last or 'the number of positions'}"
        )
    return length
