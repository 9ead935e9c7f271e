"""Causal against segment: differences, and where the answers part."""

from __future__ import annotations

import numpy as np
import pytest
import reference
import torch

import segviz as sv


@pytest.fixture(scope="module", params=["llama", "qwen3"])
def model(request) -> sv.Model:
    return sv.Model(reference.make(request.param, seed=2), reference.tokenizer())


@pytest.fixture(scope="module")
def prompt():
    segments = [sv.Segment(0, 3, "bos", "causal"), sv.Segment(3, 23, "user")]
    return reference.random_prompt(23, 8, sv.Segmentation(segments))


def kl(p_logits, q_logits) -> np.ndarray:
    p, q = (torch.from_numpy(x).double().log_softmax(-1) for x in (p_logits, q_logits))
    return (p.exp() * (p - q)).sum(-1).numpy()


def test_both_runs_and_their_difference(model, prompt) -> None:
    heard = []
    comparison = sv.compare(
        model, prompt, max_new_tokens=6, on_token=lambda mask, token: heard.append((mask, token))
    )
    for mask, trace in (("causal", comparison.causal), ("segment", comparison.segment)):
        alone = model.trace(prompt, mask, max_new_tokens=6)
        assert trace.mask_kind == mask
        assert trace.token_ids == alone.token_ids
        assert tuple(t for m, t in heard if m == mask) == trace.tokens[23:]
    shared = comparison.shared_length
    assert comparison.causal.token_ids[:shared] == comparison.segment.token_ids[:shared]
    assert comparison.causal.token_ids != comparison.segment.token_ids
    assert comparison.causal.token_ids[shared] != comparison.segment.token_ids[shared]
    difference = comparison.difference(1, 4)
    expected = (
        comparison.segment.attention(1, 4)
        - comparison.causal.attention(1, 4)[
            : len(comparison.segment.tokens), : len(comparison.segment.tokens)
        ]
        if len(comparison.causal.tokens) == len(comparison.segment.tokens)
        else None
    )
    assert difference.shape == (shared, shared)
    if expected is not None:
        np.testing.assert_array_equal(difference, expected[:shared, :shared])
    np.testing.assert_allclose(difference.sum(axis=1), 0, atol=1e-5)
    # Positions before the first bidirectional segment are the same under both masks.
    np.testing.assert_allclose(difference[:3], 0, atol=1e-6)
    assert difference[3, 4:23].max() > 0


def test_divergence_is_exact(model, prompt, monkeypatch) -> None:
    monkeypatch.setattr("segviz.comparison._ROWS", 5)
    comparison = sv.compare(model, prompt, max_new_tokens=6)
    shared = comparison.shared_length
    ids = comparison.causal.token_ids[:shared]
    causal = reference.eager_run(model.hf_model, ids, None).logits
    segment = reference.eager_run(model.hf_model, ids, prompt.segmentation).logits
    np.testing.assert_allclose(comparison.divergence(), kl(segment, causal), atol=1e-4)


def test_divergence_of_two_traces_alone_is_a_lower_bound(model, prompt, tmp_path) -> None:
    exact = sv.compare(model, prompt, max_new_tokens=3)
    paths = tmp_path / "causal.safetensors", tmp_path / "segment.safetensors"
    exact.causal.save(paths[0])
    exact.segment.save(paths[1])
    loaded = sv.Comparison(*map(sv.Trace.load, paths))
    bound, truth = loaded.divergence(), exact.divergence()
    assert bound.shape == truth.shape == (exact.shared_length,)
    assert (bound <= truth + 1e-6).all()
    assert (bound >= -1e-9).all()
    assert bound[5:].max() > 0.3 * truth[5:].max()
    np.testing.assert_array_equal(loaded.difference(2, 1), exact.difference(2, 1))


def test_the_divergence_that_is_kept_cannot_be_written_to(model, prompt, tmp_path) -> None:
    exact = sv.compare(model, prompt)
    exact.causal.save(tmp_path / "causal.safetensors")
    bound = sv.Comparison(sv.Trace.load(tmp_path / "causal.safetensors"), exact.segment)
    assert (exact.exact, bound.exact) == (True, False)
    for comparison in (exact, bound):
        with pytest.raises(ValueError, match="read-only"):
            comparison.divergence()[0] = 1


def test_sampled_answers_share_their_seed(model, prompt) -> None:
    pair = sv.compare(model, prompt, 4, do_sample=True)
    assert pair.causal.recipe["seed"] == pair.segment.recipe["seed"] is not None


def test_a_pair_of_models(prompt) -> None:
    segment_model, causal_model = (
        sv.Model(reference.make("llama", seed), reference.tokenizer()) for seed in (3, 4)
    )
    pair = sv.compare(segment_model, prompt, 2, causal_model=causal_model)
    expected = causal_model.trace(prompt, "causal").attention(0, 0)
    np.testing.assert_allclose(pair.causal.attention(0, 0)[:23, :23], expected, atol=1e-6)
    ids = pair.causal.token_ids[: pair.shared_length]
    causal = reference.eager_run(causal_model.hf_model, ids, None).logits
    segment = reference.eager_run(segment_model.hf_model, ids, prompt.segmentation).logits
    np.testing.assert_allclose(pair.divergence(), kl(segment, causal), atol=1e-4)


def test_traces_that_cannot_be_compared(model, prompt) -> None:
    causal, segment = model.trace(prompt, "causal"), model.trace(prompt, "segment")
    with pytest.raises(ValueError, match="given were 'segment' and 'causal'"):
        sv.Comparison(segment, causal)
    other = model.trace(reference.random_prompt(9, 1), "segment")
    with pytest.raises(ValueError, match="different prompts, of 23 and 9 tokens"):
        sv.Comparison(causal, other)
