"""The attention view: one head's attention pattern as a heat map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import traitlets

from segviz.grouping import MERGES, Merge, group_starts
from segviz.labels import head_name
from segviz.segments import Segmentation
from segviz.tiles import Tiles, WithoutFirst
from segviz.widgets import assets
from segviz.widgets import attention_parts as parts
from segviz.widgets.attention_parts import Shown
from segviz.widgets.mask_view import checked_prompt_length
from segviz.widgets.scale import KINDS, SCALES, Encoded, Kind, Scale, fine, packed, shaded, table
from segviz.widgets.segmented import SegmentedView, segment_dicts

if TYPE_CHECKING:
    from segviz.comparison import Comparison
    from segviz.patterns import Head
    from segviz.trace import Trace


class AttentionView(SegmentedView):
    """An attention pattern ``[query, key]``; the numbers stay in Python, the page gets bytes.

    >>> view = AttentionView(np.array([[1.0, 0.0], [0.3, 0.7]]), scale="log", hide_first=True)
    >>> view.show(np.array([[0.0, 0.0], [-0.2, 0.2]]), kind="diverging", title="difference")

    Args:
        attention: float ``[query, key]`` or :class:`segviz.tiles.Tiles`, shown at once if given.
        tokens: decoded tokens of the keys, for labels.
        segmentation: the segments of all keys, generated ones included.
        prompt_length: where the generated positions start; None if there are none.

    Raises:
        traitlets.TraitError: arguments that do not fit together.
        TypeError: a trait that there is not.
        ValueError: an array that does not fit them.
    """

    _esm = assets.script("attention_view.js")
    _css: ClassVar[Any] = assets.style("base.css", "controls.css", "matrix.css")

    prompt_length = traitlets.Int(
        None, allow_none=True, help="Position at which decoding starts; None: prompt only."
    ).tag(sync=True)
    merge = traitlets.Enum[Merge](
        MERGES, "tokens", help="What a row and a column is: a token, a word or a segment."
    ).tag(sync=True)
    scale = traitlets.Enum[Scale](
        SCALES, "sqrt", help="How a number becomes a colour; 'clipped' ends at the 99th percentile."
    ).tag(sync=True)
    hide_first = traitlets.Bool(
        help="Leave the first token out: it often takes most of the attention."
    ).tag(sync=True)
    normalize = traitlets.Bool(help="Each row relative to its own largest value.").tag(sync=True)
    pinned = traitlets.Int(
        None,
        allow_none=True,
        help="Token position of the pinned query; None: no query is. Kept where there is none.",
    ).tag(sync=True)
    stale = traitlets.Bool(help="True while the picture is of an earlier state; it is dimmed.").tag(
        sync=True
    )

    def __init__(
        self,
        attention: np.ndarray | Tiles | None = None,
        tokens: Sequence[str] | None = None,
        segmentation: Segmentation | None = None,
        prompt_length: int | None = None,
        **kwargs: Any,
    ) -> None:
        self._shown: Shown | None = None
        self._held = False
        super().__init__(
            tokens=list(tokens or []),
            segments=segment_dicts(segmentation) if segmentation else [],
            prompt_length=prompt_length,
            **kwargs,
        )
        self.observe(self._redraw, ["merge", "segments", "hide_first", "tokens"])
        if attention is not None:
            self.show(attention)

    @classmethod
    def of(cls, trace: Trace, layer: int = 0, head: Head = 0, **traits: Any) -> Self:
        """The view of one head of a trace; no model is needed.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> AttentionView.of(trace, layer=1, head=0, hide_first=True).heading
        'Layer 1, head 0: segment mask'

        Args:
            trace: what a run left behind.
            layer: 0-based.
            head: a query head, or ``"mean"`` or ``"max"`` over the heads of the layer.
            traits: such as ``scale="log"``.

        Raises:
            IndexError, TypeError, ValueError: as in :meth:`segviz.Trace.attention`.
            TypeError: a trait that there is not.
            traitlets.TraitError: a value that a trait cannot have.
        """
        view = cls(None, trace.tokens, trace.segmentation, trace.prompt_length, **traits)
        title = f"{head_name(layer, head)}: {trace.mask_kind} mask"
        view.show(parts.at_hand(trace.tiles(layer, head)), title=title)
        return view

    @classmethod
    def of_difference(
        cls, comparison: Comparison, layer: int = 0, head: Head = 0, **traits: Any
    ) -> Self:
        """The view of one head's difference, segment minus causal, as far as the answers agree.

        >>> import segviz as sv
        >>> comparison = sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=2)
        >>> AttentionView.of_difference(comparison, layer=1, head=0).heading
        'Layer 1, head 0: segment minus causal'

        Args:
            comparison: of two runs.
            layer: 0-based.
            head: a query head, or ``"mean"`` or ``"max"`` over the heads of the layer.
            traits: as in :meth:`of`.

        Raises:
            IndexError, TypeError, ValueError: as in :meth:`segviz.Comparison.difference`.
            TypeError: a trait that there is not.
            traitlets.TraitError: a value that a trait cannot have.
        """
        tiles, shown = comparison.tiles(layer, head), comparison.segment
        length = tiles.shape[1]
        whole = shown.segmentation.cut(length)
        view = cls(None, shown.tokens[:length], whole, shown.prompt_length, **traits)
        title = f"{head_name(layer, head)}: segment minus causal"
        view.show(parts.at_hand(tiles), kind="diverging", title=title)
        return view

    @traitlets.validate("prompt_length")
    def _valid_prompt_length(self, proposal: Mapping[str, Any]) -> int | None:
        return checked_prompt_length(proposal["value"], self.segments)

    @traitlets.validate("pinned")
    def _valid_pinned(self, proposal: Mapping[str, Any]) -> int | None:
        # A position behind the last one may come to be there: an answer is on its way.
        position = proposal["value"]
        if position is not None and position < 0:
            raise traitlets.TraitError(f"pinned is {position}; allowed are 0 and more, and None")
        return position

    @property
    def heading(self) -> str:
        """The title of what is shown; ``""`` before anything was.

        >>> view = AttentionView()
        >>> view.show(np.eye(2), title="layer 3, head 5")
        >>> view.heading
        'layer 3, head 5'
        """
        return self._shown.title if self._shown else ""

    @property
    def encoded(self) -> Encoded | None:
        """What is on show as colours, under the chosen scale; None before anything was shown.

        >>> view = AttentionView(np.array([[1.0, 0.0], [0.5, 0.5]]), scale="linear")
        >>> view.encoded.data.tolist(), view.encoded.maximum
        ([[255, 1], [128, 128]], 1.0)

        Returns:
            :class:`segviz.widgets.scale.Encoded`: uint8 ``[row, column]``, 0 where masked, and the
            number at which the colours end.
        """
        shown = self._shown
        if shown is None:
            return None
        values, visible, starts = shown.values, shown.visible.copy(), shown.starts
        if shown.whole:
            starts = self._starts(shown.tiles)
            if starts is not None:
                drawn = parts.merged_tiles(self._chosen(shown.tiles), starts)
                rows, columns = (slice(0, side) for side in drawn.shape)
                values, visible = drawn.tile(rows, columns)
        if starts is None and self.hide_first:
            visible[:, 0] = False
        # What is given is the end of the scale of what was given; merged or hidden, it is another.
        own = starts is None and not self.hide_first
        data, limit = shaded(
            values,
            visible,
            kind=shown.kind,
            scale=self.scale,
            maximum=shown.maximum if own else None,
            normalize=self.normalize,
        )
        return Encoded(data, shown.kind, limit, shown.factor, *(starts or (None, None)))

    def show(
        self,
        array: np.ndarray | Tiles,
        *,
        kind: Kind = "sequential",
        title: str = "",
        mask: np.ndarray | None = None,
        maximum: float | None = None,
        **traits: Any,
    ) -> None:
        """Show another pattern; the next hover asks about this one.

        >>> view = AttentionView()
        >>> view.show(np.array([[0.0, 0.0], [-0.2, 0.2]]), kind="diverging", title="difference")
        >>> view.encoded.kind
        'diverging'

        Args:
            array: float ``[query, key]``; with fewer queries than keys the queries are the last.
                Or :class:`segviz.tiles.Tiles`, read where somebody looks.
            kind: ``"sequential"`` for probabilities, ``"diverging"`` for differences.
            title: the heading, such as ``"layer 3, head 5"``.
            mask: of an array, bool ``[query, key]``, True = may attend; masked cells are drawn
                as such. Tiles bring their own.
            maximum: end of the colour scale; the largest visible magnitude unless given.
            traits: ``tokens``, ``segmentation``, ``prompt_length`` that go with the array.

        Raises:
            ValueError: an array or a mask of the wrong shape or kind, or NaN in a visible cell.
            traitlets.TraitError: traits that do not fit together, or that there are not.
        """
        if kind not in KINDS:
            raise ValueError(f"kind={kind!r}; allowed are {' and '.join(map(repr, KINDS))}")
        tiles = parts.tiles_of(array, mask)
        self._check_keys(tiles.shape[1], traits)
        with self._holding():
            if traits:
                self.update(**traits)
            self._draw(tiles, kind, title, maximum)

    def clear(self) -> None:
        """Show nothing, as before the first :meth:`show`; no query is pinned any more.

        >>> view = AttentionView(np.eye(2))
        >>> view.clear()
        >>> print(view.encoded)
        None
        """
        self._shown = None
        self.pinned = None
        self.forget("attention")
        self.send({"kind": "attention", "clear": True})

    def _draw(self, tiles: Tiles, kind: Kind, title: str, maximum: float | None) -> None:
        whole = parts.fits(tiles)
        starts = None if whole else self._starts(tiles)
        drawn = tiles if starts is None else parts.merged_tiles(self._chosen(tiles), starts)
        values, visible, factor = parts.overview(drawn)
        if not np.isfinite(values[visible]).all():
            raise ValueError("the array holds NaN or infinity in a cell that is not masked")
        data, end = fine(values, visible, kind, maximum if starts is None else None)
        content = {
            "scale": kind,
            "maximum": end,
            "title": title,
            "factor": factor,
            "size": tiles.shape,
            "shape": data.shape,
            "merged": self.merge if starts is not None else None,
            "words": parts.words(self.tokens, tiles.shape[1]) if whole else None,
        }
        groups = () if starts is None else [one.astype(np.int32) for one in starts]
        with self._publishing:
            number = self._sequence + 1
            self._shown = Shown(
                tiles, kind, title, maximum, number, whole, drawn, starts, factor, values, visible
            )
            self.publish("attention", content, *packed(data), table(kind), *groups)

    def _redraw(self, change: Mapping[str, Any]) -> None:
        """Anew where the page cannot do it: it does not know words, nor what it has not got."""
        shown = self._shown
        if self._held or shown is None:
            return
        name = change["name"]
        ours = not shown.whole and (name == "merge" or shown.starts is not None)
        if ours or (name == "tokens" and shown.whole):
            self._draw(shown.tiles, shown.kind, shown.title, shown.maximum)

    def _starts(self, tiles: Tiles) -> tuple[np.ndarray, np.ndarray] | None:
        return group_starts(self.merge, tiles.shape, self.tokens, self.segmentation)

    def _chosen(self, tiles: Tiles) -> Tiles:
        return WithoutFirst(tiles) if self.hide_first else tiles

    @contextmanager
    def _holding(self) -> Iterator[None]:
        """Traits that are set together with an array do not draw the one before."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    def _check_keys(self, keys: int, traits: dict[str, Any]) -> None:
        segmentation = traits.get("segmentation") or self.segmentation
        if segmentation is not None and segmentation.length != keys:
            raise ValueError(
                f"the array has {keys} keys, but the segments cover {segmentation.length} "
                "positions; give tokens= and segmentation= that go with it"
            )

    def receive(self, kind: str, content: dict[str, Any]) -> None:
        """Answer the page's questions: a cell's exact number, a query's row, a part in detail."""
        shown = self._shown
        if shown is None or content.get("seq") != shown.number:
            return
        answer = {"kind": kind, "id": content.get("id"), "seq": shown.number}
        if kind == "value":
            # What the page merged by itself is asked for in positions, other cells as drawn.
            merged = bool(content.get("merged"))
            tiles = shown.tiles if merged else shown.drawn
            rows, columns = (
                parts.within(content[name], side)
                for name, side in zip(("rows", "columns"), tiles.shape, strict=True)
            )
            if rows is not None and columns is not None:
                value = parts.cell_value(tiles, rows, columns, as_group=merged)
                self.send({**answer, "value": value})
        elif kind == "row":
            queries = parts.within(content["queries"], shown.tiles.shape[0])
            if queries is not None:
                self.send(answer, [parts.mean_row(shown.tiles, queries).tobytes()])
        elif kind == "tile":
            self._send_tile(shown, answer, content)

    def _send_tile(self, shown: Shown, answer: dict[str, Any], content: dict[str, Any]) -> None:
        rows, columns = (slice(*map(int, content[name])) for name in ("rows", "columns"))
        factor = int(content["factor"])
        values, visible, peaks = parts.detail(shown.drawn, rows, columns, factor)
        maximum = shown.maximum if shown.starts is None else None
        if maximum is None:
            maximum = float(np.abs(shown.values).max(initial=0.0, where=shown.visible))
        data, _ = fine(values, visible, shown.kind, maximum)
        ends, _ = fine(peaks, np.ones(peaks.shape, bool), "sequential", maximum)
        answer |= {
            "rows": [rows.start, rows.stop],
            "columns": [columns.start, columns.stop],
            "factor": factor,
            "shape": data.shape,
        }
        self.send(answer, [array.tobytes() for array in (*packed(data), ends)])

    def png(self) -> bytes | None:
        """The heat map as a picture, under the chosen scale; None before anything was shown.

        >>> AttentionView(np.eye(2)).png()[1:4]
        b'PNG'
        """
        if self._shown is None:
            return None
        from segviz.widgets.drawing.matrices import attention_png  # noqa: PLC0415 - matplotlib is slow to load

        return attention_png(self)
