"""The explorer's view: all views in one, linked inside the page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import anywidget
import numpy as np
import traitlets

from segviz.segments import Segment, Segmentation
from segviz.tiles import Tiles
from segviz.widgets import assets
from segviz.widgets.answer_view import AnswerView
from segviz.widgets.attention_view import AttentionView
from segviz.widgets.base import View
from segviz.widgets.compare_view import CompareView
from segviz.widgets.head_choice import HeadChoice
from segviz.widgets.head_grid import HeadGrid
from segviz.widgets.mask_view import MaskView
from segviz.widgets.prompt_view import PromptView
from segviz.widgets.receipt_view import ReceiptView
from segviz.widgets.scale import Kind
from segviz.widgets.token_strip import TokenStrip

PANELS = ("prompt", "heads", "compare")
"""The parts of an explorer that can be folded away."""

_STYLES = (
    "base", "controls", "prompt_view", "token_strip", "answer_view", "matrix", "receipt_view",
    "head_grid", "compare_view", "explorer_view",
)  # fmt: skip


class ExplorerView(HeadChoice):
    """All views as one widget; a drag in the strip reaches mask and attention inside the page.

    >>> from segviz.segments import Segment
    >>> view = ExplorerView(["a", "b", "c"], Segmentation([Segment(0, 3, "user")]),
    ...                     layers=2, heads=4, kv_heads=2)
    >>> view.strip.segmentation = view.strip.segmentation.split(1)
    >>> view.mask.segments == view.strip.segments
    True

    The children are ordinary views: ``view.prompt``, ``view.strip``, ``view.answer``,
    ``view.mask``, ``view.attention``, ``view.receipt``, ``view.grid``, ``view.compare``. The
    strip's segments are the truth; mask and attention follow them.

    Args:
        tokens: the prompt's decoded tokens.
        segmentation: the prompt's segments.
        layers, heads, kv_heads: how many there are to choose from.
        title: the heading.
        lock: held while the views follow each other; that of whoever writes from other threads.
    """

    _esm = assets.script("explorer_view.js")
    _css: ClassVar[Any] = assets.style(*(f"{name}.css" for name in _STYLES))

    prompt = anywidget.WidgetTrait().tag(sync=True)
    strip = anywidget.WidgetTrait().tag(sync=True)
    answer = anywidget.WidgetTrait().tag(sync=True)
    mask = anywidget.WidgetTrait().tag(sync=True)
    attention = anywidget.WidgetTrait().tag(sync=True)
    receipt = anywidget.WidgetTrait().tag(sync=True)
    grid = anywidget.WidgetTrait().tag(sync=True)
    compare = anywidget.WidgetTrait().tag(sync=True)
    view = traitlets.Enum(
        ["causal", "segment", "difference"], "segment", help="Which attention is shown."
    ).tag(sync=True)
    reduce = traitlets.Enum(
        ["head", "mean", "max"], "head", help="One head, or the mean or maximum over the layer's."
    ).tag(sync=True)
    panels = traitlets.List(traitlets.Enum(PANELS), help="The parts that are unfolded.").tag(
        sync=True
    )
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
        lock: threading.RLock | None = None,
        **kwargs: Any,
    ) -> None:
        # An edit from the page and a result from a worker thread may meet in the same views.
        self._following = lock or threading.RLock()
        self.on_stop: list[Callable[[], object]] = []
        """Called when “Stop” is pressed."""
        self.on_pick: list[Callable[[str, int], object]] = []
        """Called with the mask and the index of a generated token that is clicked."""
        self.on_export: list[Callable[[str, str, str], tuple[str, bytes]]] = []
        """Called with a figure's kind, format and width; the file and its name go to the page."""
        self.on_close: list[Callable[[], object]] = []
        """Called when the widget is closed."""
        super().__init__(
            prompt=PromptView(),
            strip=TokenStrip(tokens, segmentation),
            answer=AnswerView(),
            mask=MaskView(segmentation, tokens=tokens),
            attention=AttentionView(tokens=tokens, segmentation=segmentation),
            receipt=ReceiptView(),
            grid=HeadGrid(layers, heads, kv_heads),
            compare=CompareView(),
            layers=layers,
            heads=heads,
            kv_heads=kv_heads,
            title=title,
            **kwargs,
        )
        for child in (self.strip, self.mask, self.attention):
            child.observe(self._follow_strip, "segments")
        self.observe(self._follow_view, "view")

    @property
    def children(self) -> tuple[View, ...]:
        """The views it hosts, in the order in which they stand in the page.

        >>> from segviz.segments import Segment
        >>> view = ExplorerView(["Hi", "!"], Segmentation([Segment(0, 2, "user")]))
        >>> view.children.index(view.strip), len(view.children)
        (1, 8)
        """
        return (
            self.prompt, self.strip, self.answer, self.mask, self.attention, self.receipt,
            self.grid, self.compare,
        )  # fmt: skip

    def set_prompt(self, tokens: Sequence[str], segmentation: Segmentation) -> None:
        """Show another prompt in all views; what a run has to show waits for the run.

        >>> from segviz.segments import Segment
        >>> view = ExplorerView(["Hi", "!"], Segmentation([Segment(0, 2, "user")]))
        >>> view.set_prompt(["Bye"], Segmentation([Segment(0, 1, "user")]))
        >>> view.strip.tokens, view.mask.segmentation.length
        (['Bye'], 1)

        Raises:
            traitlets.TraitError: tokens and segments that do not fit together.
        """
        with self._following:
            self.attention.clear()
            self.compare.clear()
            for child in (self.strip, self.mask, self.attention):
                traits = {} if child is self.strip else {"prompt_length": None}
                child.update(tokens=tokens, segmentation=segmentation, **traits)

    def show(
        self,
        array: np.ndarray | Tiles,
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

        >>> from segviz.segments import Segment
        >>> view = ExplorerView(["Hi", "!"], Segmentation([Segment(0, 2, "user")]))
        >>> whole = view.strip.segmentation.append(1, "response")
        >>> view.show(np.eye(3), tokens=["Hi", "!", " Yes"], segmentation=whole, prompt_length=2)
        >>> view.mask.segmentation.length, view.mask.prompt_length
        (3, 2)

        Where the strip has moved on since the run, borders and mask stay with the strip.

        Args:
            array: float ``[query, key]`` over prompt and generated positions, or
                :class:`segviz.tiles.Tiles`.
            tokens: decoded tokens of all positions.
            segmentation: segments of all positions, the response included.
            prompt_length: number of prompt positions.
            kind: as in :meth:`AttentionView.show`, like those that follow.
            title: the heading.
            mask: bool ``[query, key]``, True = may attend; of an array.
            maximum: end of the colour scale.

        Raises:
            ValueError, traitlets.TraitError: as in :meth:`AttentionView.show`.
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

    def receive(self, kind: str, content: dict[str, Any]) -> None:
        """Pass on what was pressed in the page."""
        if kind == "stop":
            for callback in list(self.on_stop):
                callback()
        elif kind == "pick":
            for pick in list(self.on_pick):
                pick(str(content["mask"]), int(content["index"]))
        elif kind == "export":
            for make in list(self.on_export):
                self._export(make, *(str(content[key]) for key in ("figure", "format", "width")))

    def _export(self, make: Callable[[str, str, str], tuple[str, bytes]], *asked: str) -> None:
        name, data = "", b""
        try:
            name, data = make(*asked)
        finally:
            # The page waits for it, also for what could not be made; why not is shown as an error.
            self.send({"kind": "exported", "name": name}, [data])

    def close(self) -> None:
        """Close this widget and the views it hosts.

        >>> from segviz.segments import Segment
        >>> view = ExplorerView(["Hi", "!"], Segmentation([Segment(0, 2, "user")]))
        >>> view.close()
        >>> print(view.comm)
        None
        """
        for callback in self.on_close:
            callback()
        self.on_close.clear()
        for child in self.children:
            # Closed already, or never opened.
            if child is not None:
                child.close()
        super().close()

    def png(self) -> bytes:
        """All views as one picture, a PNG file.

        >>> from segviz.segments import Segment
        >>> view = ExplorerView(["Hi", "!"], Segmentation([Segment(0, 2, "user")]))
        >>> view.png()[1:4]
        b'PNG'
        """
        from segviz.widgets.drawing.explorer import explorer_png  # noqa: PLC0415 - matplotlib is slow to load

        return explorer_png(self)

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
