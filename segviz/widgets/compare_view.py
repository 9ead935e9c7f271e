"""The compare view: causal, segment and difference on the same weights and prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from segviz.labels import UNTUNED, readable
from segviz.segments import Segmentation
from segviz.tiles import Tiles
from segviz.widgets import assets, scale
from segviz.widgets.compare_parts import (
    FLOWS,
    LOOKS,
    Flow,
    Likely,
    Patterns,
    likely_rows,
    shared_flows,
)
from segviz.widgets.mask_view import checked_prompt_length
from segviz.widgets.segmented import SegmentedView

if TYPE_CHECKING:
    from segviz.comparison import Comparison


class CompareView(SegmentedView):
    """One head under both masks, the mass that moves, and where the two answers part.

    >>> causal = np.array([[1.0, 0.0], [0.4, 0.6]])
    >>> segment = np.array([[0.7, 0.3], [0.4, 0.6]])
    >>> view = CompareView()
    >>> view.show_patterns(causal=causal, segment=segment, difference=segment - causal)
    >>> view.show_flows({"head": (causal, segment)}, ["system", "user"])
    >>> likely = [(" Fay", 0.9), (" Lena", 0.1)], [(" Lena", 0.8), (" Fay", 0.2)]
    >>> view.show_parting(
    ...     divergence=np.array([0.1, 1.4]), position=1, parted=True, next_tokens=likely
    ... )

    The numbers stay in Python; the page gets bytes, and asks for the cell under the pointer. The
    three parts are independent: patterns change with the head, the parting only with a run.

    Raises:
        traitlets.TraitError: traits that do not fit together.
    """

    _esm = assets.script("compare_view.js")
    _css: ClassVar[Any] = assets.style("base.css", "controls.css", "matrix.css", "compare_view.css")

    prompt_length = traitlets.Int(
        None, allow_none=True, help="Position at which decoding starts; None: prompt only."
    ).tag(sync=True)
    stale = traitlets.Bool(help="True while the pictures are of an earlier state; dimmed.").tag(
        sync=True
    )
    look = traitlets.Enum(LOOKS, "sqrt", help="Scale of the colours, of all three pictures.").tag(
        sync=True
    )
    hide_first = traitlets.Bool(
        help="Whether the first token's column is left out, which often drowns all others."
    ).tag(sync=True)
    flow_of = traitlets.Enum(
        FLOWS, "head", help="Whose segment × segment mass: one head's, its layer's, all layers'."
    ).tag(sync=True)
    untuned = traitlets.Unicode(
        help="A notice that the weights were never tuned for a segment mask; '' if they were."
    ).tag(sync=True)

    def __init__(self, **kwargs: Any) -> None:
        self.patterns: Patterns | None = None
        self.heading = ""
        self._number = 0
        self.flows: dict[str, Flow] = {}
        self.flow_names: list[str] = []
        self.parting: dict[str, Any] | None = None
        self.divergence: np.ndarray | None = None
        super().__init__(**kwargs)

    @traitlets.validate("prompt_length")
    def _valid_prompt_length(self, proposal: Mapping[str, Any]) -> int | None:
        return checked_prompt_length(proposal["value"], self.segments)

    @classmethod
    def of(cls, comparison: Comparison, layer: int = 0, head: int = 0) -> CompareView:
        """All parts of a comparison, for one head; no model is needed.

        >>> import segviz as sv
        >>> comparison = sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=4)
        >>> CompareView.of(comparison, layer=1, head=0).parting["parted"]
        True

        Args:
            comparison: a :class:`segviz.Comparison`.
            layer: 0-based.
            head: a query head.

        Raises:
            IndexError, TypeError: no such layer or head.
            RuntimeError: a model's output head has changed since its run.
        """
        causal, segment = comparison.causal, comparison.segment
        shared = comparison.shared_length
        longer = max(causal, segment, key=lambda trace: len(trace.segmentation.segments))
        divergence = comparison.divergence()
        position = comparison.position
        kept = min(trace.likely.ranks for trace in (causal, segment))
        view = cls(untuned=UNTUNED if segment.untuned else "")
        view.show(
            causal=causal.tiles(layer, head),
            segment=segment.tiles(layer, head),
            difference=comparison.tiles(layer, head),
            tokens=segment.tokens[:shared],
            segmentation=longer.segmentation,
            prompt_length=segment.prompt_length,
            flows={
                "head": (causal.flow(layer, head), segment.flow(layer, head)),
                "layer": (causal.flow(layer), segment.flow(layer)),
                "model": (causal.flow(), segment.flow()),
            },
            divergence=divergence,
            exact=comparison.exact,
            position=position,
            parted=comparison.parted,
            next_tokens=(causal.next_tokens(position, kept), segment.next_tokens(position, kept)),
            title=f"layer {layer}, head {head}",
        )
        return view

    def show(  # noqa: PLR0913 - the arguments of its three parts
        self,
        *,
        causal: np.ndarray | Tiles,
        segment: np.ndarray | Tiles,
        difference: np.ndarray | Tiles,
        tokens: Sequence[str],
        segmentation: Segmentation,
        prompt_length: int,
        flows: Mapping[str, Flow],
        divergence: np.ndarray | None,
        exact: bool,
        position: int,
        parted: bool,
        next_tokens: tuple[Likely, Likely],
        title: str = "",
    ) -> None:
        """Show a whole comparison, as :meth:`show_patterns` and the other two do part by part.

        >>> from segviz.segments import Segment
        >>> causal, segment = np.array([[1.0, 0.0], [0.4, 0.6]]), np.array([[0.7, 0.3], [0.4, 0.6]])
        >>> view = CompareView()
        >>> view.show(
        ...     causal=causal, segment=segment, difference=segment - causal, tokens=["Hi", "!"],
        ...     segmentation=Segmentation([Segment(0, 2, "user")]), prompt_length=2,
        ...     flows={"head": (np.ones((1, 1)), np.ones((1, 1)))},
        ...     divergence=np.array([0.1, 1.4]), exact=True, position=1, parted=True,
        ...     next_tokens=([(" Fay", 0.9)], [(" Lena", 0.8)]), title="layer 1, head 0",
        ... )
        >>> view.heading, view.flow_names
        ('layer 1, head 0', ['user'])

        The arguments, and what is raised, are those of :meth:`show_patterns`, :meth:`show_flows`
        and :meth:`show_parting`.
        """
        self.show_patterns(
            causal=causal,
            segment=segment,
            difference=difference,
            tokens=tokens,
            segmentation=segmentation,
            prompt_length=prompt_length,
            title=title,
        )
        self.show_flows(flows, [part.name for part in segmentation.segments])
        self.show_parting(
            divergence=divergence,
            exact=exact,
            position=position,
            parted=parted,
            next_tokens=next_tokens,
        )

    def show_patterns(
        self,
        *,
        causal: np.ndarray | Tiles,
        segment: np.ndarray | Tiles,
        difference: np.ndarray | Tiles,
        tokens: Sequence[str] | None = None,
        segmentation: Segmentation | None = None,
        prompt_length: int | None = None,
        title: str = "",
    ) -> None:
        """Show one head under both masks; the next hover asks about this one.

        >>> causal, segment = np.array([[1.0, 0.0], [0.4, 0.6]]), np.array([[0.7, 0.3], [0.4, 0.6]])
        >>> view = CompareView()
        >>> view.show_patterns(causal=causal, segment=segment, difference=segment - causal)
        >>> view.patterns.size
        (2, 2)

        Positions behind the last one of ``difference`` are left out: there the answers have
        parted, and the two runs see different tokens.

        Args:
            causal: ``[query, key]`` under the causal mask, probabilities.
            segment: the same under the segment mask.
            difference: segment minus causal. :class:`segviz.tiles.ArrayTiles` take a mask, too.
            tokens: decoded tokens of the positions; those shown before, unless given.
            segmentation: their segments, likewise.
            prompt_length: where the generated positions start; None if there are none.
            title: such as ``"layer 3, head 5"``.

        Raises:
            ValueError: arrays that do not go together, or not with the segments.
        """
        patterns = Patterns.of(causal, segment, difference)
        self._update(patterns.size[1], tokens, segmentation, prompt_length)
        pictures = patterns.fine()
        content = {
            "title": title,
            "factor": patterns.factor,
            "size": patterns.size,
            "shape": pictures[0].shape,
            "maxima": patterns.maxima,
        }
        arrays = [array for data in pictures for array in scale.packed(data)]
        colors = [scale.table(kind) for kind in scale.KINDS]
        with self._publishing:
            self.patterns, self._number, self.heading = patterns, self._sequence + 1, title
            self.publish("patterns", content, *arrays, *colors)

    def show_flows(
        self,
        flows: Mapping[str, Flow],
        names: Sequence[str] | None = None,
    ) -> None:
        """Show the attention mass between segments under both masks, and what moved.

        >>> view = CompareView()
        >>> causal, segment = np.array([[1, 0], [0.4, 0.6]]), np.array([[1, 0], [0.1, 0.9]])
        >>> view.show_flows({"head": (causal, segment)}, ["system", "user"])
        >>> view.flow_of, view.flow_names
        ('head', ['system', 'user'])

        Where one run has no answer and the other has one, the response is left out.

        Args:
            flows: (causal, segment), each ``[query segment, key segment]``, of the ``"head"``,
                its ``"layer"`` and the whole ``"model"``; whatever of these is known.
            names: of the segments; those of the patterns, unless given. A response that is one
                more than the names is called that.

        Raises:
            ValueError: other keys, or arrays of which the names do not cover the segments.
        """
        known = [part["name"] for part in self.segments] if names is None else list(names)
        self.flows = shared_flows(flows, known)
        count = len(next(iter(self.flows.values()))[0])
        self.flow_names = [*known, "response"][:count]
        if self.flow_of not in self.flows:
            self.flow_of = next(iter(self.flows))
        content = {"names": self.flow_names, "of": list(self.flows)}
        self.publish("flows", content, *(np.stack(pair) for pair in self.flows.values()))

    def show_parting(
        self,
        *,
        divergence: np.ndarray | None,
        position: int,
        parted: bool,
        next_tokens: tuple[Likely, Likely],
        exact: bool = True,
        tokens: Sequence[str] | None = None,
        segmentation: Segmentation | None = None,
        prompt_length: int | None = None,
    ) -> None:
        """Show where the two answers part, and what each run expected there.

        >>> view = CompareView()
        >>> likely = [(" Fay", 0.9), (" Lena", 0.1)], [(" Lena", 0.8), (" Fay", 0.2)]
        >>> view.show_parting(
        ...     divergence=np.array([0.1, 1.4]), position=1, parted=True, next_tokens=likely
        ... )
        >>> view.parting["rows"][0]["label"]
        ' Lena'

        Args:
            divergence: KL(segment || causal) ``[position]`` in nats; None if it is not known.
            position: whose next-token distributions are shown: that before the first differing
                token, or where the answers are the same, that of the largest divergence.
            parted: whether the answers differ.
            next_tokens: ``[(token, probability), …]`` there, causal and segment.
            exact: whether the divergence is exact, or a lower bound.
            tokens: decoded tokens of the positions; those shown before, unless given.
            segmentation: their segments, likewise.
            prompt_length: where the generated positions start; None if there are none.

        Raises:
            ValueError: a position outside of the divergence.
        """
        if divergence is not None:
            divergence = np.asarray(divergence, np.float32)
            if not 0 <= position < len(divergence):
                raise ValueError(
                    f"position is {position}; the divergence covers 0 to {len(divergence) - 1}"
                )
            self._update(len(divergence), tokens, segmentation, prompt_length)
        elif tokens is not None:
            self._update(len(tokens), tokens, segmentation, prompt_length)
        start = len(self.tokens) if self.prompt_length is None else self.prompt_length
        shared = max(0, position + 1 - start) if parted else None
        self.divergence = divergence
        self.parting = {
            "position": position,
            "parted": bool(parted),
            "exact": bool(exact),
            "kl": None if divergence is None else float(divergence[position]),
            "answer": [readable(token) for token in self.tokens[start:][:shared]],
            "rows": likely_rows(*next_tokens),
        }
        self.publish("parting", self.parting, *([] if divergence is None else [divergence]))

    def clear(self) -> None:
        """Show nothing, as before the first run.

        >>> view = CompareView()
        >>> view.show_flows({"head": (np.eye(2), np.eye(2))}, ["system", "user"])
        >>> view.clear()
        >>> view.flows
        {}
        """
        self.patterns, self.flows, self.parting, self.divergence = None, {}, None, None
        for kind in ("patterns", "flows", "parting"):
            self.forget(kind)
            self.send({"kind": kind, "clear": True})

    def _update(
        self,
        length: int,
        tokens: Sequence[str] | None,
        segmentation: Segmentation | None,
        prompt_length: int | None,
    ) -> None:
        """Set what goes with arrays over ``length`` positions, all of it cut to these."""
        traits: dict[str, Any] = {}
        if tokens is not None:
            traits["tokens"] = list(tokens)[:length]
        if segmentation is not None:
            traits["segmentation"] = segmentation.cut(length)
            traits["prompt_length"] = prompt_length
        covered = traits.get("segmentation") or self.segmentation
        if covered is not None and covered.length != length:
            raise ValueError(
                f"the array has {length} positions, but the segments cover {covered.length}; "
                "give tokens= and segmentation= that go with it"
            )
        if traits:
            self.update(**traits)

    def receive(self, kind: str, content: dict[str, Any]) -> None:
        """Answer the page's questions: a cell's exact numbers, a part of a picture in detail."""
        with self._publishing:
            shown, number = self.patterns, self._number
        if shown is None or content.get("seq") != number or kind not in ("value", "tile"):
            return
        answer = {"kind": kind, "id": content.get("id"), "seq": number}
        rows, columns = (slice(*map(int, content[name])) for name in ("rows", "columns"))
        if kind == "value":
            values = shown.values(rows, columns)
            if values is not None:
                self.send(answer, [values.tobytes()])
            return
        factor = int(content["factor"])
        data = shown.detail(int(content["picture"]), rows, columns, factor)
        answer |= {
            "rows": [rows.start, rows.stop],
            "columns": [columns.start, columns.stop],
            "factor": factor,
            "shape": data.shape,
        }
        self.send(answer, [array.tobytes() for array in scale.packed(data)])

    def png(self) -> bytes | None:
        """What is shown as a picture; None before anything was.

        >>> view = CompareView()
        >>> view.show_flows({"head": (np.eye(2), np.eye(2))}, ["system", "user"])
        >>> view.png()[1:4]
        b'PNG'
        """
        if self.patterns is None and not self.flows and self.parting is None:
            return None
        from segviz.widgets.drawing.compare import compare_png  # noqa: PLC0415 - matplotlib is slow to load

        return compare_png(self)
