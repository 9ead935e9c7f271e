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
    """
    blocks = segmentation.block_ids()
    same_block = (blocks[:, None] == blocks[None, :]) & (blocks[:, None] != -1)
    return causal_mask(segmentation.length, window=window) | same_block
