"""Masks equal the rule written out, and what transformers makes of the same block ids."""

from inspect import signature

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_segments import segmentations
from transformers import LlamaConfig, MistralConfig
from transformers.masking_utils import create_causal_mask, create_sliding_window_causal_mask

from segviz.masks import causal_mask, segment_mask
from segviz.segments import Segment, Segmentation

WINDOWS = st.one_of(st.none(), st.integers(1, 8))


def by_the_rule(segmentation, window):
    """``mask[q, k] = (k <= q, within the window) or (both in one bidirectional segment)``."""
    blocks = segmentation.block_ids()
    mask = np.zeros((segmentation.length, segmentation.length), dtype=bool)
    for q in range(segmentation.length):
        for k in range(segmentation.length):
            causal = k <= q and (window is None or q - k < window)
            mask[q, k] = causal or (blocks[q] == blocks[k] and blocks[q] != -1)
    return mask


@given(segmentations(), WINDOWS)
def test_segment_mask_is_the_rule(segmentation, window):
    mask = segment_mask(segmentation, window=window)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, by_the_rule(segmentation, window))


@given(st.integers(0, 12), WINDOWS)
def test_causal_mask_is_the_rule_without_bidirectional_segments(length, window):
    mask = causal_mask(length, window=window)
    assert mask.shape == (length, length)
    if length:
        causal = Segmentation([Segment(0, length, "all", "causal")])
        np.testing.assert_array_equal(mask, by_the_rule(causal, window))
        np.testing.assert_array_equal(mask, segment_mask(causal, window=window))


@pytest.mark.skipif(
    "block_sequence_ids" not in signature(create_causal_mask).parameters,
    reason="this transformers makes causal masks only",
)
@settings(deadline=None, max_examples=40)
@given(segmentations(), WINDOWS, st.sampled_from(["sdpa", "eager"]))
def test_transformers_makes_the_same_mask(segmentation, window, implementation):
    # Distinct sizes everywhere, so that a swapped axis cannot go unnoticed.
    sizes = {"hidden_size": 6, "num_attention_heads": 3, "num_hidden_layers": 1, "vocab_size": 7}
    if window is None:
        config, create = LlamaConfig(**sizes), create_causal_mask
    else:
        config = MistralConfig(**sizes, sliding_window=window)
        create = create_sliding_window_causal_mask
    config._attn_implementation = implementation
    theirs = create(
        config,
        inputs_embeds=torch.zeros(1, segmentation.length, 6),
        attention_mask=None,
        past_key_values=None,
        block_sequence_ids=torch.from_numpy(segmentation.block_ids())[None],
    )
    allowed = theirs[0, 0] if theirs.dtype == torch.bool else theirs[0, 0] == 0
    np.testing.assert_array_equal(segment_mask(segmentation, window=window), allowed.numpy())


def test_rows_are_queries_and_columns_are_keys():
    mask = segment_mask(Segmentation([Segment(0, 2, "user"), Segment(2, 3, "assistant", "causal")]))
    assert mask[0, 1], "a query sees a later key of its own segment"
    assert mask[2, 0], "a query sees every earlier key"
    assert not mask[0, 2], "a query sees no key of a later segment"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((-1, None), "length is -1.*0 or more"), ((3, 0), "window is 0.*at least itself")],
)
def test_impossible_masks_are_rejected(arguments, message):
    length, window = arguments
    with pytest.raises(ValueError, match=message):
        causal_mask(length, window=window)
