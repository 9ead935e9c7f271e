"""The attention function alone, against attention with the dense mask."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
import reference
import torch
from torch.nn.functional import scaled_dot_product_attention

import segviz as sv
from segviz.attention import RowBlock, attend, row_blocks


@pytest.mark.parametrize("seed", range(20))
def test_equals_a_dense_mask(seed) -> None:
    """Grouped heads, rows from any segment boundary on, keys from the beginning."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    length = rng.randint(1, 40)
    segmentation = reference.random_segmentation(length, rng)
    start = rng.choice([0, *segmentation.boundaries])
    query = torch.randn(1, 6, length - start, 8)
    key, value = torch.randn(2, 1, 2, length, 8)
    mask = torch.from_numpy(reference.dense_mask(segmentation, length)[start:])
    expected = scaled_dot_product_attention(
        query, key.repeat_interleave(3, 1), value.repeat_interleave(3, 1), mask, scale=0.7
    )
    blocks = row_blocks(segmentation, start)
    torch.testing.assert_close(attend(query, key, value, blocks, 0.7), expected)


@pytest.mark.parametrize("seed", range(20))
def test_row_blocks_cover_the_rows_and_join_causal_neighbours(seed) -> None:
    rng = random.Random(seed)
    segmentation = reference.random_segmentation(30, rng)
    blocks = row_blocks(segmentation)
    assert [b.start for b in blocks] == [0, *(b.stop for b in blocks[:-1])]
    assert blocks[-1].stop == 30
    assert not any(a.causal and b.causal for a, b in pairwise(blocks))
    bidirectional = [s for s in segmentation.segments if s.attention == "bidirectional"]
    assert [(b.start, b.stop) for b in blocks if not b.causal] == [
        (s.start, s.stop) for s in bidirectional
    ]


def test_rows_from_inside_a_segment() -> None:
    segments = [sv.Segment(0, 10, "a", "causal"), sv.Segment(10, 20, "b")]
    segmentation = sv.Segmentation(segments)
    assert row_blocks(segmentation, 4) == [RowBlock(4, 10, True), RowBlock(10, 20, False)]
    with pytest.raises(ValueError, match="row 15 lies inside the bidirectional segment"):
        row_blocks(segmentation, 15)


def test_a_causal_prompt_needs_no_mask_tensor(monkeypatch) -> None:
    """What keeps the fused kernels: one call, is_causal, no mask."""
    calls = []
    monkeypatch.setattr(
        "segviz.attention.scaled_dot_product_attention",
        lambda q, *_args, **kwargs: calls.append(kwargs) or q,
    )
    query, key = torch.randn(1, 6, 30, 8), torch.randn(1, 2, 30, 8)
    attend(query, key, key, row_blocks(sv.Segmentation([sv.Segment(0, 30, "x", "causal")])))
    segments = [sv.Segment(0, 10, "system"), sv.Segment(10, 30, "user")]
    attend(query, key, key, row_blocks(sv.Segmentation(segments)))
    assert [(call["attn_mask"], call["is_causal"]) for call in calls] == [
        (None, True),
        (None, False),
        (None, False),
    ]
