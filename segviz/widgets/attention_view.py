"""The attention view: one head's attention pattern as a heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import traitlets

from segviz.segments import Segmentation
from segviz.widgets import assets, scale
from segviz.widgets.mask_view import checked_prompt_length
from segviz.widgets.segmented import SegmentedView, segment_dicts


class AttentionView(SegmentedView):
    """An attention pattern ``[query, key]``; the numbers stay in Python, the page gets bytes.

    >>> view = AttentionView(np.array([[1.0, 0.0], [0.3, 0.7]]))
    >>> view.show(np.array([[0.0, 0.0], [-0.2, 0.2]]), kind="diverging", title="difference")

    Args:
        attention: float ``[query, key]``, shown at once if given.
        tokens: decoded tokens of the keys, for labels.
        segmentation: the segments of all keys, generated ones included.
        prompt_length: where the generated positions start; None if there are none.

    Raises:
        traitlets.TraitError: arguments that do not fit together.
        ValueError: an array that does not fit them.
    """

    _esm = assets.script("attention_view.js")
    _css: ClassVar[Any] = assets.style("base.css", "matrix.css")

    prompt_length = traitlets.Int(
        None, allow_none=True, help="Position at which decoding starts; None: prompt only."
    ).tag(sync=True)
    stale = traitlets.Bool(help="True while the picture is of an earlier state; it is dimmed.").tag(
        sync=True
    )

    def __init__(
        self,
        attention: np.ndarray | None = None,
        tokens: Sequence[str] | None = None,
        segmentation: Segmentation | None = None,
        prompt_length: int | None = None,
        **kwargs: Any,
    ) -> None:
        self._shown: tuple[np.ndarray, np.ndarray | None, int] | None = None
        self.heading = ""
        self.encoded: scale.Encoded | None = None
        super().__init__(
            tokens=list(tokens or []),
            segments=segment_dicts(segmentation) if segmentation else [],
            prompt_length=prompt_length,
            **kwargs,
        )
        if attention is not None:
            self.show(attention)

    @traitlets.validate("prompt_length")
    def _valid_prompt_length(self, proposal: Mapping[str, Any]) -> int | None:
        return checked_prompt_length(proposal["value"], self.segments)

    def show(
        self,
        array: np.ndarray,
        *,
        kind: scale.Kind = "sequential",
        title: str = "",
        mask: np.ndarray | None = None,
        maximum: float | None = None,
        **traits: Any,
    ) -> None:
        """Show another array; the next hover asks about this one.

        Args:
            array: float ``[query, key]``; with fewer queries than keys the queries are the last.
            kind: ``"sequential"`` for probabilities, ``"diverging"`` for differences.
            title: the heading, such as ``"layer 3, head 5"``.
            mask: bool ``[query, key]``, True = may attend; masked cells are drawn as such.
            maximum: end of the colour scale; the largest visible magnitude unless given.
            traits: ``tokens``, ``segmentation``, ``prompt_length`` that go with the array.

        Raises:
            ValueError: an array or a mask of the wrong shape or kind, or NaN in a visible cell.
        """
        array = np.asarray(array, dtype=np.float32)
        if kind not in scale.KINDS:
            raise ValueError(f"kind={kind!r}; allowed are {' and '.join(map(repr, scale.KINDS))}")
        if array.ndim != 2 or 0 in array.shape:  # noqa: PLR2004 - query and key
            raise ValueError(f"an attention pattern is [query, key], not of shape {array.shape}")
        if mask is not None and np.shape(mask) != array.shape:
            raise ValueError(f"the mask is {np.shape(mask)} and the array {array.shape}")
        finite = np.isfinite(array)
        if not finite.all():
            if mask is None or (np.asarray(mask, bool) & ~finite).any():
                raise ValueError("the array holds NaN or infinity in a cell that is not masked")
            array = np.where(finite, array, np.float32(0))
        self._check_keys(array.shape[1], traits)
        if traits:
            self.update(**traits)
        encoded = scale.encode(array, kind=kind, mask=mask, maximum=maximum)
        self.encoded, self.heading = encoded, title
        with self._publishing:
            number = self._sequence + 1
            self._shown = (array, None if mask is None else np.asarray(mask, bool), number)
            self.publish(
                "attention",
                {
                    "scale": kind,
                    "maximum": encoded.maximum,
                    "title": title,
                    "factor": encoded.factor,
                    "size": array.shape,
                },
                encoded.data,
                scale.table(kind),
            )

    def clear(self) -> None:
        """Show nothing, as before the first :meth:`show`."""
        self._shown, self.encoded, self.heading = None, None, ""
        self.forget("attention")
        self.send({"kind": "attention", "clear": True})

    def _check_keys(self, keys: int, traits: dict[str, Any]) -> None:
        segmentation = traits.get("segmentation") or self.segmentation
        if segmentation is not None and segmentation.length != keys:
            raise ValueError(
                f"the array has {keys} keys, but the segments cover {segmentation.length} "
                "positions; give tokens= and segmentation= that go with it"
            )

    def receive(self, kind: str, content: dict[str, Any]) -> None:
        """Answer the page's question for the exact number of a cell."""
        if kind != "value" or self._shown is None:
            return
        array, mask, number = self._shown
        query, key = int(content["query"]), int(content["key"])
        if content.get("seq") != number or not (
            0 <= query < array.shape[0] and 0 <= key < array.shape[1]
        ):
            return
        factor = self.encoded.factor if self.encoded else 1
        cells = np.s_[query : query + factor, key : key + factor]
        values = array[cells] if mask is None else array[cells][mask[cells]]
        value = float(values.flat[np.argmax(np.abs(values))]) if values.size else None
        self.send({"kind": "value", "id": content.get("id"), "seq": number, "value": value})

    def png(self) -> bytes | None:
        """The heat map as a picture; None before anything was shown."""
        if self.encoded is None:
            return None
        from segviz.widgets.drawing.matrices import attention_png  # noqa: PLC0415 - matplotlib is slow to load

        return attention_png(self.encoded, self.segments, self.prompt_length, self.heading)
