"""Runs are exact: attention, logits and answers equal an eager run with a dense mask."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
import reference
import torch

import segviz as sv

ARCHITECTURES = [*reference.CONFIGS, *reference.WINDOWED]
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def models() -> dict[str, sv.Model]:
    return {a: sv.Model(reference.make(a), reference.tokenizer()) for a in ARCHITECTURES}


def assert_equals_eager(model: sv.Model, trace: sv.Trace, prompt, mask: str) -> None:
    segmentation = prompt.segmentation if mask == "segment" else None
    eager = reference.eager_run(model.hf_model, trace.token_ids, segmentation)
    for layer in range(reference.LAYERS):
        for head in range(reference.HEADS):
            attention = trace.attention(layer, head)
            assert attention.dtype == np.float32
            np.testing.assert_allclose(
                attention, eager.attentions[layer, head], atol=TOLERANCE, rtol=0
            )
            np.testing.assert_allclose(attention.sum(axis=1), 1, atol=1e-5)
            assert not attention[~trace.mask(layer)].any()
    log_probabilities = torch.from_numpy(eager.logits).log_softmax(-1).numpy()
    kept = np.take_along_axis(log_probabilities, trace.likely.token_ids, axis=1)
    np.testing.assert_allclose(trace.likely.log_probabilities, kept, atol=TOLERANCE)
    np.testing.assert_array_equal(
        trace.likely.log_probabilities.max(axis=1) + 0.0, trace.likely.log_probabilities[:, 0]
    )
    np.testing.assert_allclose(
        trace.likely.log_probabilities[:, 0], log_probabilities.max(axis=1), atol=TOLERANCE
    )


@pytest.mark.parametrize("mask", ["segment", "causal"])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_equals_eager(models, architecture, seed, mask) -> None:
    model = models[architecture]
    model.clear_cache()
    prompt = reference.random_prompt(length=5 + 4 * seed, seed=seed)
    trace = model.trace(prompt, mask, max_new_tokens=6)
    segmentation = prompt.segmentation if mask == "segment" else None
    answer = reference.eager_answer(model.hf_model, prompt, segmentation, 6)
    assert trace.token_ids == prompt.token_ids + answer
    assert len(trace.tokens) == len(trace.token_ids)
    assert trace.segmentation == prompt.segmentation.append(len(answer), "response")
    assert_equals_eager(model, trace, prompt, mask)
    window = {layer.window for layer in trace.layers}
    assert window == (
        {7}
        if architecture == "mistral"
        else {None, 5}
        if architecture == "qwen2-windowed"
        else {None}
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_segment_mask_changes_what_the_model_says(models, architecture) -> None:
    """Else the tests above could pass with a mask that is ignored."""
    prompt = reference.random_prompt(
        20, 3, sv.Segmentation([sv.Segment(0, 4, "system"), sv.Segment(4, 20, "user")])
    )
    causal = models[architecture].trace(prompt, "causal")
    segment = models[architecture].trace(prompt, "segment")
    assert np.abs(causal.attention(1, 2) - segment.attention(1, 2)).max() > 0.05
    assert causal.next_tokens(k=3) != segment.next_tokens(k=3)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_chain_of_edits_with_prefix_reuse(architecture) -> None:
    """Twenty random edits, the masks alternating; every run equals a fresh eager one."""
    rng = random.Random(7)
    model = sv.Model(reference.make(architecture, seed=1), reference.tokenizer())
    prompt = reference.random_prompt(24, 11)
    kept = []
    for _ in range(20):
        prompt = random_edit(prompt, rng)
        for mask in ("segment", "causal"):
            trace = model.trace(prompt, mask, max_new_tokens=rng.choice([0, 0, 3]))
            assert_equals_eager(model, trace, prompt, mask)
        kept.append((trace, trace.attention(2, 1)))
    for trace, attention in kept:  # no later run has overwritten an earlier trace
        np.testing.assert_array_equal(trace.attention(2, 1), attention)


def random_edit(prompt, rng: random.Random):
    segmentation = prompt.segmentation
    kind = rng.choice(["split", "merge", "move", "kind", "tokens"])
    if kind == "split":
        free = [p for p in range(1, prompt.length) if p not in segmentation.boundaries]
        segmentation = segmentation.split(rng.choice(free))
    elif kind == "kind":
        index = rng.randrange(len(segmentation.segments))
        segmentation = segmentation.set_attention(index, rng.choice(["causal", "bidirectional"]))
    elif kind == "tokens":
        changed = reference.random_prompt(prompt.length, rng.randrange(1000)).token_ids
        at = rng.randrange(prompt.length)
        ids = prompt.token_ids[:at] + changed[at:]
        tokens = tuple(f"w{i} " for i in ids)
        return type(prompt)(
            token_ids=ids, tokens=tokens, text="".join(tokens), segmentation=segmentation
        )
    elif segmentation.boundaries:
        index = rng.randrange(len(segmentation.boundaries))
        if kind == "merge":
            segmentation = segmentation.merge(index)
        else:
            before, after = segmentation.segments[index : index + 2]
            position = rng.randrange(before.start + 1, after.stop)
            segmentation = segmentation.move_boundary(index, position)
    return prompt.with_segmentation(segmentation)


def test_an_edit_recomputes_only_what_changed(models) -> None:
    model = models["llama"]
    model.clear_cache()
    rows = []
    hook = model.hf_model.get_decoder().register_forward_pre_hook(
        lambda _module, _args, kwargs: rows.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    segments = [sv.Segment(0, 10, "a"), sv.Segment(10, 20, "b"), sv.Segment(20, 30, "c")]
    prompt = reference.random_prompt(30, 1, sv.Segmentation(segments))
    try:
        model.trace(prompt)
        model.trace(prompt)
        model.trace(prompt.with_segmentation(prompt.segmentation.move_boundary(1, 23)))
        model.trace(prompt.with_segmentation(prompt.segmentation.move_boundary(1, 23)), "causal")
        model.clear_cache()
        model.trace(prompt)
    finally:
        hook.remove()
    assert rows == [30, 20, 30, 30]


def test_weights_that_changed_are_not_mixed_with_a_kept_prefix() -> None:
    model = sv.Model(reference.make("llama"), reference.tokenizer())
    prompt = reference.random_prompt(20, 5)
    model.trace(prompt)
    with torch.no_grad():
        model.hf_model.model.layers[0].self_attn.q_proj.weight.mul_(-1)
    assert_equals_eager(model, model.trace(prompt), prompt, "segment")


def test_weights_written_through_data_and_switched_adapters_are_noticed() -> None:
    peft = pytest.importorskip("peft", reason="peft is an optional dependency")
    config = peft.LoraConfig(target_modules=["q_proj"], r=4, init_lora_weights=False)
    adapted = peft.get_peft_model(reference.make("llama"), config, adapter_name="a")
    adapted.add_adapter("b", config)
    model = sv.Model(adapted, reference.tokenizer())
    prompt = reference.random_prompt(20, 5)
    seen = []
    for change in (
        lambda: adapted.set_adapter("a"),
        lambda: adapted.set_adapter("b"),
        lambda: model.hf_model.model.layers[0].self_attn.q_proj.base_layer.weight.data.mul_(-2),
        adapted.merge_adapter,
    ):
        change()
        trace = model.trace(prompt)
        assert_equals_eager(model, trace, prompt, "segment")
        seen.append(trace.attention(0, 0))
    with adapted.disable_adapter():
        assert_equals_eager(model, model.trace(prompt), prompt, "segment")
    for before, after in itertools.pairwise(seen[:3]):
        assert np.abs(before - after).max() > 1e-3


def test_a_pad_token_in_the_prompt_is_a_token_like_any_other() -> None:
    model = sv.Model(reference.make("llama"), reference.tokenizer())
    prompt = reference.random_prompt(20, 5)
    model.hf_model.generation_config.pad_token_id = prompt.token_ids[7]
    for mask in ("segment", "causal"):
        trace = model.trace(prompt, mask, max_new_tokens=6)
        segmentation = prompt.segmentation if mask == "segment" else None
        answer = reference.eager_answer(model.hf_model, prompt, segmentation, 6)
        assert trace.token_ids == prompt.token_ids + answer
        assert_equals_eager(model, trace, prompt, mask)


def test_bfloat16() -> None:
    """In bf16 the runs agree with the eager one as far as its eight bits of mantissa carry."""
    model = sv.Model(reference.make("qwen3", dtype=torch.bfloat16), reference.tokenizer())
    prompt = reference.random_prompt(24, 2)
    trace = model.trace(prompt)
    eager = reference.eager_run(model.hf_model, trace.token_ids, prompt.segmentation)
    exact = reference.eager_run(model.hf_model.float(), trace.token_ids, prompt.segmentation)
    for layer in range(reference.LAYERS):
        for head in range(reference.HEADS):
            difference = trace.attention(layer, head) - exact.attentions[layer, head]
            assert np.abs(difference).max() < 0.25, (layer, head)
    log_probabilities = torch.from_numpy(eager.logits).log_softmax(-1).numpy()
    kept = np.take_along_axis(log_probabilities, trace.likely.token_ids, axis=1)
    assert np.abs(trace.likely.log_probabilities - kept).max() < 0.5


def test_a_prefill_tells_its_layers_and_decoding_does_not() -> None:
    model = sv.Model(reference.make("llama"), reference.tokenizer())
    prompt = reference.random_prompt(20, 3)
    seen = []
    model.trace(prompt, max_new_tokens=3, on_layer=seen.append)
    assert seen == [0, 1, 2]
    # What is reused has nothing to tell.
    model.trace(prompt, max_new_tokens=3, on_layer=seen.append)
    assert seen == [0, 1, 2]
