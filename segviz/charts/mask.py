"""The mask as cells: what the causal mask shows, and what the segments add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from segviz.charts.axis import Axis
from segviz.charts.look import Part, checked_positions, positions
from segviz.masks import key_spans, mask_tile
from segviz.segments import Segmentation
from segviz.tiles import PICTURE, factor_for

if TYPE_CHECKING:
    from segviz.trace import Trace

MASKED = -1
CAUSAL = 0


@dataclass(frozen=True, eq=False, slots=True)
class MaskChart:
    """A mask.

    Args:
        title: what it shows.
        cells: int ``[row, column]``: -1 masked, 0 visible under the causal mask, else one more than
            the number of the segment that adds the cell.
        rows: the queries.
        columns: the keys.
    """

    title: str
    cells: np.ndarray
    rows: Axis
    columns: Axis


def mask(
    of: Trace | Segmentation,
    layer: int | None = None,
    *,
    queries: Part = None,
    keys: Part = None,
    highlight: Sequence[int] = (),
    side: int = PICTURE,
) -> MaskChart:
    """The mask of a run, or of a segmentation.

    >>> from segviz.segments import Segment
    >>> mask(Segmentation([Segment(0, 1, "bos", "causal"), Segment(1, 3, "user")])).cells
    array([[ 0, -1, -1],
           [ 0,  0,  2],
           [ 0,  0,  0]])

    Args:
        of: a trace: the mask that was in force; or a segmentation.
        layer: which layer; None where all layers share one mask.
        queries: which rows to show: a segment's name, or ``(start, stop)`` in token positions.
        keys: which columns, likewise.
        highlight: token positions to mark.
        side: cells on a side at most; more are pooled, a cell is visible where any of its own is.

    Raises:
        TypeError: something that has no mask.
        IndexError: no such layer, or token position.
        ValueError: no layer was named and they differ; a part that is not there.
    """
    spans, causal, segmentation, title = _spans(of, layer)
    tokens, prompt_length = ((), None)
    if not isinstance(of, Segmentation):
        tokens, prompt_length = of.tokens, of.prompt_length
    length = segmentation.length
    parts = positions(queries, segmentation, "queries"), positions(keys, segmentation, "keys")
    shape = parts[0].stop - parts[0].start, parts[1].stop - parts[1].start
    factor = factor_for(shape, side)
    visible, before = (mask_tile(one, *parts, factor) for one in (spans, causal))
    owner = np.repeat(
        np.arange(len(segmentation.segments)), [s.length for s in segmentation.segments]
    )
    # A cell that the segments add lies in one of them; a pooled one goes by its last query.
    last = np.minimum(np.arange(*parts[0].indices(length)[:2], factor) + factor, parts[0].stop) - 1
    cells = np.where(visible, 1 + owner[last][:, None], MASKED)
    cells[before] = CAUSAL
    marked = checked_positions(highlight, length, "highlight")
    rows, columns = (
        Axis.of(
            tokens,
            segmentation,
            prompt_length,
            np.arange(part.start, part.stop),
            part.stop,
            factor=factor,
            highlight=marked,
        )
        for part in parts
    )
    return MaskChart(title, cells, rows, columns)


def _spans(
    of: Trace | Segmentation, layer: int | None
) -> tuple[np.ndarray, np.ndarray, Segmentation, str]:
    """Key spans of the mask and of the causal one, the segments, and a title."""
    if isinstance(of, Segmentation):
        if layer is not None:
            raise ValueError("layer= goes with a trace; a segmentation has one mask")
        return key_spans(of.length, of), key_spans(of.length), of, "Segment mask"
    if not hasattr(of, "key_spans"):
        two = ": a Comparison has two, give comparison.segment or .causal"
        raise TypeError(
            f"a mask is that of a Trace or of a Segmentation, and given was a {type(of).__name__}"
            + (two if hasattr(of, "shared_length") else "")
        )
    if layer is None and not of.one_mask:
        raise ValueError(
            "the layers of this model differ in their sliding window, and so in their mask: name "
            f"one, layer=… with 0 to {len(of.layers) - 1}"
        )
    number = 0 if layer is None else layer
    spans = of.key_spans(number)
    title = f"{of.mask_kind.capitalize()} mask" + ("" if layer is None else f", layer {layer}")
    return spans, key_spans(len(of.tokens), window=of.layers[number].window), of.segmentation, title
