"""The explorer's view: the four views in one, linked inside the page."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import anywidget
import numpy as np
import traitlets

from segviz.segments import Segment, Segmentation
from segviz.widgets import assets
from segviz.widgets.answer_view import AnswerView
from segviz.widgets.attention_view import AttentionView
from segviz.widgets.base import View
from segviz.widgets.mask_view import MaskView
from segviz.widgets.scale import Kind
from segviz.widgets.token_strip import TokenStrip


class ExplorerView(View):
    """Strip, mask, attention and answers as one widget; a drag reaches the mask inside the page.

    >>> from segviz.segments import Segment
    >>> view = ExplorerView(["a", "b", "c"], Segmentation([Segment(0, 3, "user")]),
    ...                     layers=2, heads=4, kv_heads=2)
    >>> view.strip.segmentation = view.strip.segmentation.split(1)
    >>> view.mask.segments == view.strip.segments
    True

    The children are ordinary views: ``view.strip``, ``view.mask``, ``view.attention``,
    ``view.answer``. The strip's segments are the truth; mask and attention follow them.

    Args:
        tokens: the prompt's decoded tokens.
        segmentation: the prompt's segments.
        layers, heads, kv_heads: how many there are to choose from.
        title: the heading.
    """

    _esm = assets.script("explorer_view.js")
    _css: ClassVar[Any] = assets.style(
        "base.css", "controls.css", "token_strip.css", "matrix.css", "answer_view.css", "explorer_view.css"
    )

    strip = anywidget.WidgetTrait().tag(sync=True)
    mask = anywidget.WidgetTrait().tag(sync=True)
    attention = anywidget.WidgetTrait().tag(sync=True)
    answer = anywidget.WidgetTrait().tag(sync=True)
    layer = traitlets.Int(0, help="The chosen layer, 0-based.").tag(sync=True)
    head = traitlets.Int(0, help="The chosen query head, 0-based.").tag(sync=True)
    layers = traitlets.Int(1, min=1, help="Number of layers.").tag(sync=True)
    heads = traitlets.Int(1, min=1, help="Number of query heads per layer.").tag(sync=True)
    kv_heads = traitlets.Int(
        None, allow_none=True, help="Number of KV heads per layer; None: as many as query heads."
    ).tag(sync=True)
    view = traitlets.Enum(
        ["causal", "segment", "difference"], "segment", help="Which attention is shown."
    ).tag(sync=True)
    reduce = traitlets.Enum(
        ["head", "mean", "max"], "head", help="One head, or the mean or maximum over the layer's."
    ).tag(sync=True)
    panels = traitlets.List(
        traitlets.Enum(["prompt", "heads", "compare"]), help="The parts that are unfolded."
    ).tag(sync=True)
    status = traitlets.Unicode(help="What is going on, in a few words.").tag(sync=True)
    busy = traitlets.Bool(help="True while a run is under way.").tag(sync=True)
    title = traitlets.Unicode(help="The heading, such as the model's name.").tag(sync=True)

    def __init__(
        self,
        tokens: Sequence[str],
        segmentation: Segmentation,
        *,
        layers: int = 1,
        heads: int = 1,
        kv_heads: int | None = None,
        title: str = "",
        **kwargs: Any,
    ) -> None:
        # An edit from the page and a result from a worker thread may meet in the same views.
        self._following = threading.RLock()
        super().__init__(
            strip=TokenStrip(tokens, segmentation),
            mask=MaskView(segmentation, tokens=tokens),
            attention=AttentionView(tokens=tokens, segmentation=segmentation),
            answer=AnswerView(),
            layers=layers,
            heads=heads,
            kv_heads=kv_heads,
            title=title,
            **kwargs,
        )
        for child in (self.strip, self.mask, self.attention):
            child.observe(self._follow_strip, "segments")
        self.observe(self._follow_view, "view")

    def set_prompt(self, tokens: Sequence[str], segmentation: Segmentation) -> None:
        """Show another prompt in all views; the attention waits for :meth:`show`.

        Raises:
            traitlets.TraitError: tokens and segments that do not fit together.
        """
        with self._following:
            self.attention.clear()
            for child in (self.strip, self.mask, self.attention):
                traits = {} if child is self.strip else {"prompt_length": None}
                child.update(tokens=tokens, segmentation=segmentation, **traits)

    def show(
        self,
        array: np.ndarray,
        *,
        tokens: Sequence[str],
        segmentation: Segmentation,
        prompt_length: int,
        kind: Kind = "sequential",
        title: str = "",
        mask: np.ndarray | None = None,
        maximum: float | None = None,
    ) -> None:
        """Show the attention of a run, and let the mask view cover the same positions.

        Where the strip has moved on since the run, borders and mask stay with the strip.

        Args:
            array: float ``[query, key]`` over prompt and generated positions.
            tokens: decoded tokens of all positions.
            segmentation: segments of all positions, the response included.
            prompt_length: number of prompt positions.
            kind: as in :meth:`AttentionView.show`, like those that follow.
            title: the heading.
            mask: bool ``[query, key]``, True = may attend.
            maximum: end of the colour scale.
        """
        with self._following:
            positions = {
                "tokens": tokens,
                "segmentation": self._with_strip(segmentation),
                "prompt_length": prompt_length,
            }
            self.mask.update(**positions)
            self.attention.show(
                array, kind=kind, title=title, mask=mask, maximum=maximum, **positions
            )

    def close(self) -> None:
        """Close this widget and the views it hosts."""
        for child in (self.strip, self.mask, self.attention, self.answer):
            if child is not None:
                child.close()
        super().close()

    def png(self) -> bytes:
        """All views as one picture."""
        from segviz.widgets.drawing.explorer import explorer_png  # noqa: PLC0415 - matplotlib is slow to load

        return explorer_png(self)

    @traitlets.validate("layer")
    def _valid_layer(self, proposal: Mapping[str, Any]) -> int:
        return _below(proposal["value"], self.layers, "layer")

    @traitlets.validate("head")
    def _valid_head(self, proposal: Mapping[str, Any]) -> int:
        return _below(proposal["value"], self.heads, "head")

    @traitlets.validate("kv_heads")
    def _valid_kv_heads(self, proposal: Mapping[str, Any]) -> int | None:
        count = proposal["value"]
        if count is not None and (count < 1 or self.heads % count):
            raise traitlets.TraitError(
                f"kv_heads is {count}; it has to divide the number of heads, {self.heads}"
            )
        return count

    def _follow_strip(self, _change: object) -> None:
        with self._following:
            for child in (self.mask, self.attention):
                if child.segmentation is not None:
                    child.segmentation = self._with_strip(child.segmentation)

    def _follow_view(self, change: Mapping[str, Any]) -> None:
        self.mask.mask = "causal" if change["new"] == "causal" else "segment"

    def _with_strip(self, whole: Segmentation) -> Segmentation:
        """``whole`` with the strip's segments for the prompt, where they cover the same prompt."""
        prompt = self.strip.segmentation
        response = [segment for segment in whole.segments if segment.start >= prompt.length]
        joined = Segmentation((*prompt.segments, *response)) if _fits(prompt, response) else whole
        return joined if joined.length == whole.length else whole


def _fits(prompt: Segmentation, response: list[Segment]) -> bool:
    return not response or response[0].start == prompt.length


def _below(value: int, count: int, name: str) -> int:
    if not 0 <= value < count:
        raise traitlets.TraitError(f"{name} is {value}; allowed are 0 to {count - 1}")
    return value
