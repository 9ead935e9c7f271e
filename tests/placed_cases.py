"""A model on two pretended accelerators; run by `test_devices.py` in a process of its own."""

from __future__ import annotations

import accelerate
import numpy as np
import placed
import pytest
import reference
import torch

import segviz as sv

FIRST, SECOND = (torch.device(placed.KIND, number) for number in (0, 1))
CPU = torch.device("cpu")
# As transformers shares them out: a head that is tied to the embedding stays with it.
PLACES = {
    "model.embed_tokens": FIRST,
    "model.layers.0": FIRST,
    "model.layers.1": SECOND,
    "model.layers.2": SECOND,
    "model.norm": SECOND,
    "model.rotary_emb": FIRST,
    "lm_head": FIRST,
}


def placed_model(architecture: str, **options) -> sv.Model:
    hf_model = accelerate.dispatch_model(reference.make(architecture), PLACES, main_device=FIRST)
    return sv.Model(hf_model, reference.tokenizer(), **options)


def plain_model(architecture: str) -> sv.Model:
    return sv.Model(reference.make(architecture), reference.tokenizer())


def same_traces(trace: sv.Trace, expected: sv.Trace) -> None:
    assert trace.token_ids == expected.token_ids
    for layer in range(reference.LAYERS):
        for head in (*range(reference.HEADS), "mean"):
            np.testing.assert_allclose(
                trace.attention(layer, head), expected.attention(layer, head), atol=1e-5
            )
    np.testing.assert_allclose(trace.flow(), expected.flow(), atol=1e-5)
    np.testing.assert_allclose(trace.thumbnails(8), expected.thumbnails(8), atol=1)
    for name, numbers in expected.summaries().items():
        np.testing.assert_allclose(trace.summaries()[name], numbers, atol=1e-4)
    np.testing.assert_allclose(
        trace.likely.log_probabilities, expected.likely.log_probabilities, atol=1e-4
    )
    np.testing.assert_allclose(
        trace.token_probabilities(), expected.token_probabilities(), atol=1e-5
    )


def test_tensors_of_two_devices_do_not_mix() -> None:
    """Without which nothing here could fail."""
    one, other = torch.ones(3, device=FIRST), torch.ones(3, device=SECOND)
    assert (one + 1).device == FIRST
    assert (one + other.to(FIRST)).tolist() == [2, 2, 2]
    for wrong in (other, torch.ones(3)):
        with pytest.raises(RuntimeError, match="expected all tensors on one device"):
            one + wrong


@pytest.mark.parametrize("offload", [None, "cpu"])
@pytest.mark.parametrize("architecture", ["qwen2-windowed", "qwen3"])
def test_both_masks_and_an_edit(architecture, offload) -> None:
    plain, model = plain_model(architecture), placed_model(architecture, offload=offload)
    prompt = reference.random_chat()
    for mask in ("causal", "segment"):
        trace = model.trace(prompt, mask, max_new_tokens=5)
        same_traces(trace, plain.trace(prompt, mask, max_new_tokens=5))
        where = [layer.queries.device for layer in trace.layers]
        assert where == ([CPU] * 3 if offload else [FIRST, SECOND, SECOND])
        assert where == [layer.keys.device for layer in trace.layers]
    edited = prompt.with_segmentation(prompt.segmentation.move_boundary(1, 20))
    same_traces(model.trace(edited), plain.trace(edited))


def test_one_accelerator_that_keeps_little() -> None:
    """Nothing but segviz brings the hidden states back to the head."""
    hf_model = reference.make("qwen2")
    torch.__future__.set_swap_module_params_on_conversion(True)
    model = sv.Model(hf_model.to(FIRST), reference.tokenizer(), offload="cpu")
    prompt = reference.random_chat()
    for mask in ("causal", "segment"):
        trace = model.trace(prompt, mask, max_new_tokens=5)
        same_traces(trace, plain_model("qwen2").trace(prompt, mask, max_new_tokens=5))
        held = [x for layer in trace.layers for x in (layer.queries, layer.keys)]
        assert {x.device for x in (*held, trace.hidden)} == {CPU}


def test_a_comparison() -> None:
    prompt = reference.random_chat()
    comparison = sv.compare(placed_model("qwen2"), prompt, max_new_tokens=4)
    expected = sv.compare(plain_model("qwen2"), prompt, max_new_tokens=4)
    same_traces(comparison.segment, expected.segment)
    np.testing.assert_allclose(comparison.difference(2, 5), expected.difference(2, 5), atol=1e-5)
    np.testing.assert_allclose(comparison.divergence(), expected.divergence(), atol=1e-4)


def test_a_sampled_answer() -> None:
    model, prompt = placed_model("qwen2"), reference.random_chat()
    one, again = (model.trace(prompt, max_new_tokens=6, do_sample=True, seed=3) for _ in range(2))
    assert one.token_ids == again.token_ids


def test_the_estimate_knows_the_devices() -> None:
    model, prompt = placed_model("qwen2"), reference.random_chat()
    needed = model.estimate(prompt)
    assert list(needed.devices) == [FIRST, SECOND]
    trace = model.trace(prompt)
    for device in (FIRST, SECOND):
        held = [x for layer in trace.layers for x in (layer.queries, layer.keys, layer.keys)]
        size = sum(
            x.numel() * x.element_size() for x in [*held, trace.hidden] if x.device == device
        )
        assert needed.devices[device] == size + needed.workspace // 2


def test_a_saved_trace(tmp_path) -> None:
    trace = placed_model("qwen2").trace(reference.random_chat(), max_new_tokens=2)
    trace.save(tmp_path / "trace.safetensors")
    same_traces(sv.Trace.load(tmp_path / "trace.safetensors"), trace)
