"""What is captured may leave the device, and a run that cannot fit is refused before it begins."""

from __future__ import annotations

import numpy as np
import pytest
import reference
import torch

import segviz as sv

GB = 10**9


@pytest.fixture
def prompt():
    return reference.random_chat()


def devices() -> list[str]:
    return ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.mark.parametrize("device", devices())
@pytest.mark.parametrize("architecture", [*reference.CONFIGS, "qwen2-windowed"])
def test_offloaded_runs_are_the_same(architecture, device, prompt) -> None:
    hf_model = reference.make(architecture).to(device)
    usual = sv.Model(hf_model, reference.tokenizer())
    offloading = sv.Model(hf_model, reference.tokenizer(), offload="cpu")
    edited = prompt.with_segmentation(prompt.segmentation.move_boundary(1, 15))
    for one in (prompt, edited, prompt):  # the later ones reuse a prefix that has left the device
        comparison, expected = (sv.compare(model, one, 5) for model in (offloading, usual))
        for mask in ("causal", "segment"):
            trace, other = getattr(comparison, mask), getattr(expected, mask)
            assert trace.token_ids == other.token_ids
            np.testing.assert_allclose(trace.attention(2, 4), other.attention(2, 4), atol=1e-5)
            np.testing.assert_allclose(trace.flow(), other.flow(), atol=1e-5)
            np.testing.assert_allclose(trace.thumbnails(8), other.thumbnails(8), atol=1)
            for layer in trace.layers:
                assert layer.queries.device.type == layer.keys.device.type == "cpu"
                assert layer.computes_on.type == device
            assert trace.hidden.device.type == "cpu"
            assert trace.check(1, 2).ok
        np.testing.assert_allclose(
            comparison.difference(1, 3), expected.difference(1, 3), atol=1e-5
        )
        np.testing.assert_allclose(comparison.divergence(), expected.divergence(), atol=1e-4)


def test_an_unknown_place_to_offload_to() -> None:
    with pytest.raises(ValueError, match=r"offload='disk'; allowed are 'cpu' and None"):
        sv.Model(reference.make("llama"), reference.tokenizer(), offload="disk")  # type: ignore[reportArgumentType]


def test_a_run_that_cannot_fit_is_refused_before_it_begins(prompt, monkeypatch) -> None:
    model = sv.Model(reference.make("qwen3"), reference.tokenizer())
    trace = model.trace(prompt)  # a prefix is kept, which a refusal leaves alone
    monkeypatch.setattr("segviz.memory.available", lambda _device: 200_000)
    monkeypatch.setattr(model.hf_model, "forward", None)
    longer = reference.random_prompt(200, 1)
    for work in (
        lambda: model.trace(longer),
        lambda: model.traces(longer, 4),
        lambda: sv.compare(model, longer, 4),
        lambda: sv.explore(model, longer),
    ):
        with pytest.raises(MemoryError, match=r"a run of 200 tokens.*has 200 kB free.*would help"):
            work()
    monkeypatch.undo()
    assert model.trace(prompt).next_tokens() == trace.next_tokens()


def test_two_masks_at_a_time_need_more_and_the_refusal_says_so(prompt, monkeypatch) -> None:
    model = sv.Model(reference.make("llama"), reference.tokenizer())
    one, two = (model.estimate(prompt, 6, masks=masks) for masks in (1, 2))
    assert two.queries == 2 * one.queries == 2 * 4 * 3 * 6 * 8 * 36
    assert two.attention == 2 * 4 * 3 * 6 * 36 * 36
    between = (sum(one.devices.values()) + sum(two.devices.values())) // 2
    monkeypatch.setattr("segviz.memory.available", lambda _device: between)
    model.trace(prompt, max_new_tokens=6)
    with pytest.raises(MemoryError, match=r"under 2 masks.*one mask after the other"):
        sv.compare(model, prompt, 6)
