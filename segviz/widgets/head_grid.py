"""The head grid: all heads of all layers as small pictures, sorted and coloured by what they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import traitlets

from segviz.widgets import assets, scale
from segviz.widgets.head_choice import HeadChoice

if TYPE_CHECKING:
    from segviz.comparison import Comparison
    from segviz.trace import Trace

SUMMARIES = {
    "forward mass": "share of attention",
    "entropy": "nats",
    "distance": "tokens",
    "first-token mass": "share of attention",
    "largest difference": "probability",
}
"""The unit of each summary; ``static/heads.js`` has the same, with a sentence on each."""

_LAYERS = "layer"
_LARGEST = 900_000  # bytes of a message
_KIND = "layer {}"


@dataclass(frozen=True, eq=False, slots=True)
class Row:
    """What is shown of a layer: uint8 ``[head, size, size]``, and float32 ``[head]`` by name."""

    thumbnails: np.ndarray
    summaries: dict[str, np.ndarray]
    kind: scale.Kind
    revision: int


class HeadGrid(HeadChoice):
    """All layers × heads as thumbnails: sort them, colour them, choose one.

    >>> grid = HeadGrid(layers=2, heads=4, kv_heads=2)
    >>> thumbnails = np.zeros((4, 16, 16), np.uint8)
    >>> grid.show_layer(1, thumbnails, {"entropy": np.array([0.5, 2.1, 1.0, 0.1])})
    >>> grid.sort, grid.color = "entropy", "entropy"
    >>> grid.missing
    [0]

    Layers may come one by one and in any order. To compute first what somebody looks at, add a
    callback to ``on_visible``: it is called with the first and the last layer in sight whenever
    these change (all layers where heads are sorted by a summary: a ranking needs them all).

    Args:
        layers: how many there are.
        heads: query heads of each.
        kv_heads: KV heads of each; None: as many as query heads.

    Raises:
        traitlets.TraitError: a layer or head that does not exist, heads that cannot be grouped, or
            an unknown summary.
        TypeError: a trait that there is not.
    """

    _esm = assets.script("head_grid.js")
    _css: ClassVar[Any] = assets.style("base.css", "controls.css", "head_grid.css")

    sort = traitlets.Enum(
        (_LAYERS, *SUMMARIES), _LAYERS, help="Layer by layer, or heads by a summary, highest first."
    ).tag(sync=True)
    color = traitlets.Enum(
        ("", *SUMMARIES), "", help="The summary that the bar below each head shows; '' for none."
    ).tag(sync=True)
    stale = traitlets.Bool(
        help="True while layers may be of an earlier state; those shown before are dimmed."
    ).tag(sync=True)
    revision = traitlets.Int(
        help="How often the grid has become stale: tells new layers from earlier ones."
    ).tag(sync=True)

    def __init__(
        self, layers: int = 1, heads: int = 1, kv_heads: int | None = None, **kwargs: Any
    ) -> None:
        self.rows: dict[int, Row] = {}
        """What is shown, by layer."""
        self.on_visible: list[Callable[[int, int], object]] = []
        """Called with the first and the last layer in sight."""
        super().__init__(layers=layers, heads=heads, kv_heads=kv_heads, **kwargs)

    @traitlets.observe("layers", "heads")
    def _on_another_model(self, _change: object) -> None:
        if self.rows:
            self.clear()

    @traitlets.observe("stale")
    def _on_stale(self, change: Mapping[str, Any]) -> None:
        if change["new"]:
            self.revision += 1

    @classmethod
    def of(cls, trace: Trace, size: int = 32, **traits: Any) -> HeadGrid:
        """The heads of a trace; no model is needed.

        >>> import segviz as sv
        >>> trace = sv.load().trace(sv.examples["chain"])
        >>> grid = HeadGrid.of(trace, sort="forward mass")
        >>> grid.missing
        []

        Args:
            trace: a :class:`segviz.Trace`.
            size: pixels on a side of a thumbnail.
            traits: the chosen ``layer`` and ``head``, ``sort``, ``color``.

        Raises:
            traitlets.TraitError, TypeError: as for the class.
            ValueError: a size below 1, or too large to be sent.
        """
        grid = cls(len(trace.layers), trace.heads, trace.kv_heads, **traits)
        for layer in range(grid.layers):
            grid.show_layer(
                layer, trace.layer_thumbnails(layer, size), trace.layer_summaries(layer)
            )
        return grid

    @classmethod
    def of_comparison(
        cls,
        comparison: Comparison,
        view: Literal["causal", "segment", "difference"] = "difference",
        size: int = 32,
        **traits: Any,
    ) -> HeadGrid:
        """The heads of a comparison; no model is needed.

        >>> import segviz as sv
        >>> comparison = sv.compare(sv.load(), sv.examples["chain"])
        >>> grid = HeadGrid.of_comparison(comparison, sort="largest difference")
        >>> grid.rows[0].kind
        'diverging'

        Args:
            comparison: a :class:`segviz.Comparison`.
            view: which pictures; the summaries are those of the run that is shown, of the segment
                run in the difference, and in all of them the largest difference.
            size: pixels on a side of a thumbnail.
            traits: as in :meth:`of`.

        Raises:
            ValueError: another view; what :meth:`of` raises.
        """
        runs = {"causal": comparison.causal, "segment": comparison.segment}
        sources = {**runs, "difference": comparison}
        if view not in sources:
            raise ValueError(f"view={view!r}; allowed are {', '.join(map(repr, sources))}")
        run = runs.get(view, comparison.segment)
        grid = cls(len(run.layers), run.heads, run.kv_heads, **traits)
        for layer in range(grid.layers):
            largest = comparison.layer_largest_difference(layer)
            grid.show_layer(
                layer,
                sources[view].layer_thumbnails(layer, size),
                {**run.layer_summaries(layer), "largest difference": largest},
                "diverging" if view == "difference" else "sequential",
            )
        return grid

    @property
    def missing(self) -> list[int]:
        """The layers of which nothing is shown yet, or only an earlier state.

        >>> grid = HeadGrid(layers=2, heads=4)
        >>> grid.show_layer(1, np.zeros((4, 16, 16), np.uint8), {})
        >>> grid.missing
        [0]
        """
        rows = dict(self.rows)
        fresh = {i for i, row in rows.items() if not self.stale or row.revision == self.revision}
        return [layer for layer in range(self.layers) if layer not in fresh]

    def show_layer(
        self,
        layer: int,
        thumbnails: np.ndarray,
        summaries: Mapping[str, np.ndarray],
        kind: scale.Kind = "sequential",
    ) -> None:
        """Show the heads of a layer; in place of what was shown of it.

        >>> grid = HeadGrid(layers=2, heads=4)
        >>> entropy = np.array([0.5, 2.1, 1.0, np.nan])
        >>> grid.show_layer(1, np.zeros((4, 16, 16), np.uint8), {"entropy": entropy})
        >>> sorted(grid.rows)
        [1]

        Args:
            layer: 0-based.
            thumbnails: uint8 ``[head, size, size]`` in square-root scale: 255 is a probability of
                1; diverging ones have 128 for no difference, and 1 and 255 for -1 and 1.
            summaries: float ``[head]`` by name, any of ``SUMMARIES``, NaN where unknown; with
                diverging thumbnails those of the segment run.
            kind: ``"sequential"`` for probabilities, ``"diverging"`` for differences.

        Raises:
            IndexError: no such layer.
            ValueError: arrays of another shape or type, an unknown summary or kind.
        """
        if layer not in range(self.layers):
            raise IndexError(f"there is no layer {layer}: allowed are 0 to {self.layers - 1}")
        if kind not in scale.KINDS:
            raise ValueError(f"kind={kind!r}; allowed are {' and '.join(map(repr, scale.KINDS))}")
        thumbnails = self._checked_thumbnails(np.asarray(thumbnails))
        named = {name: self._checked_summary(name, summaries[name]) for name in summaries}
        with self._publishing:
            if "grid" not in self._published:
                # First of all messages: a page that gets them again begins anew.
                self.publish("grid", {}, *(colors(one) for one in scale.KINDS))
            self.rows[layer] = Row(thumbnails, named, kind, self.revision)
            numbers = np.array([*named.values()], np.float32).reshape(len(named), self.heads)
            self.publish(
                _KIND.format(layer),
                {"scale": kind, "names": list(named), "revision": self.revision},
                thumbnails,
                numbers,
            )

    def clear(self) -> None:
        """Show placeholders, as before the first :meth:`show_layer`.

        >>> grid = HeadGrid(layers=2, heads=4)
        >>> grid.show_layer(1, np.zeros((4, 16, 16), np.uint8), {})
        >>> grid.clear()
        >>> grid.missing
        [0, 1]
        """
        with self._publishing:
            for layer in self.rows:
                self.forget(_KIND.format(layer))
            self.rows = {}
            self.forget("grid")
            self.send({"kind": "grid", "clear": True})

    def receive(self, kind: str, content: dict[str, Any]) -> None:
        """Pass on which layers are in sight."""
        if kind != "visible":
            return
        last = self.layers - 1
        first, stop = (min(max(int(content[name]), 0), last) for name in ("first", "last"))
        for callback in list(self.on_visible):
            callback(first, stop)

    def png(self) -> bytes | None:
        """The grid as a picture; None before anything was shown.

        >>> grid = HeadGrid(layers=2, heads=4)
        >>> grid.show_layer(1, np.zeros((4, 16, 16), np.uint8), {})
        >>> grid.png()[1:4]
        b'PNG'
        """
        if not self.rows:
            return None
        from segviz.widgets.drawing.heads import heads_png  # noqa: PLC0415 - matplotlib is slow to load

        return heads_png(self)

    def _checked_thumbnails(self, thumbnails: np.ndarray) -> np.ndarray:
        if thumbnails.dtype != np.uint8:
            raise ValueError(
                f"thumbnails are of type {thumbnails.dtype}; they have to be uint8, in square-root "
                "scale, as trace.layer_thumbnails(layer) gives them"
            )
        shape = thumbnails.shape
        size = shape[1] if len(shape) == 3 else 0  # noqa: PLR2004 - head, row and column
        if not size or shape != (self.heads, size, size):
            raise ValueError(
                f"thumbnails are of shape {shape}; they have to be [head, size, size] with "
                f"{self.heads} heads, as trace.layer_thumbnails(layer) gives them"
            )
        if thumbnails.nbytes > _LARGEST:
            raise ValueError(
                f"thumbnails of {size} × {size} pixels are {thumbnails.nbytes:,} bytes for "
                f"{self.heads} heads; a message may hold {_LARGEST:,}: "
                f"take a size up to {int((_LARGEST / self.heads) ** 0.5)}"
            )
        return thumbnails

    def _checked_summary(self, name: str, values: np.ndarray) -> np.ndarray:
        if name not in SUMMARIES:
            raise ValueError(
                f"there is no summary {name!r}: allowed are {', '.join(map(repr, SUMMARIES))}"
            )
        values = np.asarray(values, np.float32)
        if values.shape != (self.heads,):
            raise ValueError(
                f"the summary {name!r} is of shape {values.shape}; it has to be one number for "
                f"each of {self.heads} heads"
            )
        return values


def colors(kind: scale.Kind) -> np.ndarray:
    """uint8 ``[256, 3]``: the colour of each byte of a thumbnail.

    >>> bool((colors("diverging")[128] == scale.table("diverging")[128]).all())
    True
    """
    # The bytes of thumbnails know no masked cells: nothing is set apart for them.
    if kind == "sequential":
        return scale.table(kind)[1 + np.round(np.arange(256) * (254 / 255)).astype(int)]
    return scale.table(kind)[np.maximum(np.arange(256), 1)]
