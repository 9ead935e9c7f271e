"""Masks: which query position may attend to which key position.

The rule (Katz et al., *Segment-Based Attention Masking for GPTs*, ACL 2025, arXiv 2412.18487):
``mask[q, k] = (k <= q) or (block[q] == block[k] != -1)``, with the block ids of
:meth:`segviz.segments.Segmentation.block_ids`.
"""

from __future__ import annotations

import numpy as np

from segviz.segments import Segmentation


def causal_mask(length: int, *, window: int | None = None) -> np.ndarray:
    """The mask under which a token sees itself and what comes before it.

    >>> causal_mask(3).astype(int)
    array([[1, 0, 0],
           [1, 1, 0],
           [1, 1, 1]])

    Args:
        length: number of token positions.
        window: of a sliding-window layer: a token sees itself and the ``window - 1`` before it.

    Returns:
        bool ``[query, key]``, True = may attend.

    Raises:
        ValueError: a negative length, or a window below 1.
    """
    if length < 0:
        raise ValueError(f"length is {length}; a mask has 0 or more positions")
    if window is not None and window < 1:
        raise ValueError(f"window is {window}; a token sees at least itself")
    mask = np.tri(length, dtype=bool)
    if window is not None:
        mask &= ~np.tri(length, k=-window, dtype=bool)
    return mask


def segment_mask(segmentation: Segmentation, *, window: int | None = None) -> np.ndarray:
    """The causal mask, plus both directions inside every bidirectional segment.

    >>> from segviz.segments import Segment
    >>> segment_mask(Segmentation([Segment(0, 1, "bos", "causal"), Segment(1, 3, "user"),
    ...                            Segment(3, 4, "response", "causal")])).astype(int)
    array([[1, 0, 0, 0],
           [1, 1, 1, 0],
           [1, 1, 1, 0],
           [1, 1, 1, 1]])

    Args:
        segmentation: the segments; its length is the mask's.
        window: of a sliding-window layer. As in transformers (``create_causal_mask`` with
            ``block_sequence_ids``), a segment is seen whole: (window AND causal) OR same block.

    Returns:
        bool ``[query, key]``, True = may attend.

    Raises:
        ValueError: a window below 1.
    """
    blocks = segmentation.block_ids()
    same_block = (blocks[:, None] == blocks[None, :]) & (blocks[:, None] != -1)
    return causal_mask(segmentation.length, window=window) | same_block


def key_spans(
    length: int, segmentation: Segmentation | None = None, *, window: int | None = None
) -> np.ndarray:
    """A mask in two numbers per query: the keys that a query sees are neighbours.

    >>> from segviz.segments import Segment
    >>> key_spans(4, Segmentation([Segment(0, 1, "bos", "causal"), Segment(1, 3, "user"),
    ...                            Segment(3, 4, "response", "causal")]))
    array([[0, 1],
           [0, 3],
           [0, 3],
           [0, 4]])

    Args:
        length: number of token positions.
        segmentation: the segments, of that length; None: a causal mask.
        window: of a sliding-window layer, as in :func:`causal_mask` and :func:`segment_mask`.

    Returns:
        int ``[query, 2]``: the first key seen, and the position behind the last one. Neither falls
        from one query to the next, and every query sees itself.
    """
    positions = np.arange(length)
    first = np.zeros_like(positions) if window is None else np.maximum(positions - window + 1, 0)
    spans = np.stack([first, positions + 1], axis=1)
    for segment in segmentation.segments if segmentation else ():
        if segment.attention == "bidirectional":
            own = spans[segment.start : segment.stop]
            own[:, 0] = np.minimum(own[:, 0], segment.start)
            own[:, 1] = segment.stop
    return spans


def mask_tile(
    spans: np.ndarray, rows: slice, columns: slice | None = None, factor: int = 1
) -> np.ndarray:
    """A part of a mask, from its :func:`key_spans`; no more of the mask is ever made.

    >>> mask_tile(key_spans(4), slice(1, 3)).astype(int)
    array([[1, 1, 0, 0],
           [1, 1, 1, 0]])

    Args:
        spans: int ``[query, 2]``.
        rows: query positions, ``slice(start, stop)``.
        columns: key positions, likewise; None: all.
        factor: cells on a side that become one, which is visible where any of them is.

    Returns:
        bool ``[⌈rows / factor⌉, ⌈columns / factor⌉]``, True = may attend.
    """
    columns = columns or slice(0, len(spans))
    row_edges, column_edges = (
        np.append(np.arange(side.start, side.stop, factor), side.stop) for side in (rows, columns)
    )
    return visible_groups(spans, row_edges, column_edges)


def visible_groups(
    spans: np.ndarray, row_edges: np.ndarray, column_edges: np.ndarray
) -> np.ndarray:
    """Which groups of neighbouring queries see which groups of neighbouring keys.

    >>> visible_groups(key_spans(4), np.array([0, 1, 4]), np.array([0, 2, 2, 4])).astype(int)
    array([[1, 0, 0],
           [1, 0, 1]])

    Args:
        spans: int ``[query, 2]``, a mask as :func:`key_spans`.
        row_edges: int ``[row + 1]``, first query of each group and the end of the last, ascending.
        column_edges: int ``[column + 1]``, the same of the keys; a group may be empty.

    Returns:
        bool ``[row, column]``: True where any query sees any key.
    """
    left, right = column_edges[:-1], column_edges[1:]
    # Every query sees itself, so the spans of neighbours touch: together they are a span, too.
    first, stop = spans[row_edges[:-1], 0], spans[row_edges[1:] - 1, 1]
    return (left < right) & (left < stop[:, None]) & (right > first[:, None])
