"""Several masks at a time: what they share is computed once, and each is as if run alone."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import reference
import torch
from transformers import StoppingCriteria

import segviz as sv

MASKS = ("causal", "segment")


@pytest.fixture(params=[*reference.CONFIGS, *reference.WINDOWED])
def model(request) -> sv.Model:
    return sv.Model(reference.make(request.param, seed=2), reference.tokenizer())


def alone(model: sv.Model, prompt, mask: str, new: int = 0, **options) -> sv.Trace:
    model.clear_cache()
    return model.trace(prompt, mask, new, **options)


def assert_same(trace: sv.Trace, other: sv.Trace) -> None:
    assert trace.token_ids == other.token_ids
    assert trace.mask_kind == other.mask_kind
    assert trace.segmentation == other.segmentation
    for layer, head in ((0, 5), (1, 0), (2, 3)):
        np.testing.assert_allclose(
            trace.attention(layer, head), other.attention(layer, head), atol=1e-5
        )
    for mine, theirs in zip(trace.alternatives(97), other.alternatives(97), strict=True):
        probabilities = dict(theirs)
        for token, probability in mine[:60]:
            assert probability == pytest.approx(probabilities[token], abs=1e-5)
    np.testing.assert_allclose(
        trace.token_probabilities(), other.token_probabilities(), atol=1e-5, rtol=1e-4
    )
    assert trace.receipt is not None
    assert trace.receipt.rows
    assert max(trace.receipt.output_error) < 1e-4


@pytest.mark.parametrize("seed", range(3))
def test_answers_together_are_those_of_each_alone(model, seed) -> None:
    prompt = reference.random_prompt(9 + 7 * seed, seed)
    expected = {mask: alone(model, prompt, mask, 8) for mask in MASKS}
    model.clear_cache()
    for _ in range(2):  # the second time from kept prefixes
        traces = model.traces(prompt, 8)
        assert list(traces) == ["causal", "segment"]
        for mask, trace in traces.items():
            assert_same(trace, expected[mask])
    # What is kept of a batch is as good as what is kept of a single run.
    longer = model.trace(prompt, "segment", 3)
    assert longer.token_ids == expected["segment"].token_ids[: len(longer.token_ids)]


def test_an_answer_that_ends_before_the_other(model) -> None:
    """The end-of-sequence token is one that only one of the answers comes to, and early."""
    prompt = reference.random_chat()
    endless = {"eos_token_id": reference.VOCABULARY + 1}
    answers = {mask: alone(model, prompt, mask, 9, **endless).token_ids[30:] for mask in MASKS}
    early, late = MASKS
    if set(answers[early][:6]) <= set(answers[late]):
        early, late = late, early
    end = next(i for i in answers[early][:6] if i not in answers[late])
    heard: dict[str, list[str]] = {mask: [] for mask in MASKS}
    model.clear_cache()
    traces = model.traces(
        prompt, 9, on_token=lambda mask, token: heard[mask].append(token), eos_token_id=end
    )
    stop = answers[early].index(end) + 1
    assert traces[early].token_ids[30:] == answers[early][:stop]
    assert traces[late].token_ids[30:] == answers[late]
    for mask, trace in traces.items():
        assert tuple(heard[mask]) == trace.tokens[30:]
        assert_same(trace, alone(model, prompt, mask, 9, eos_token_id=end))


def rows_computed(model: sv.Model, monkeypatch) -> list[tuple[int, int]]:
    """(sequences, rows) of every pass from now on."""
    passes = []
    forward = model.hf_model.forward

    def counted(*args, input_ids: torch.Tensor, **kwargs):
        passes.append(tuple(input_ids.shape))
        return forward(*args, input_ids=input_ids, **kwargs)

    monkeypatch.setattr(model.hf_model, "forward", counted)
    return passes


def test_masks_share_what_comes_before_the_first_bidirectional_segment(model, monkeypatch) -> None:
    segments = [sv.Segment(0, 11, "system", "causal"), sv.Segment(11, 25, "user")]
    prompt = reference.random_prompt(25, 4, sv.Segmentation(segments))
    expected = {mask: alone(model, prompt, mask) for mask in MASKS}
    model.clear_cache()
    passes = rows_computed(model, monkeypatch)
    traces = model.traces(prompt)
    assert passes == [(1, 25), (1, 14)]
    for mask, trace in traces.items():
        assert_same(trace, expected[mask])
    # One trace after the other shares it, too.
    model.clear_cache()
    model.trace(prompt, "segment")
    passes.clear()
    assert_same(model.trace(prompt, "causal"), expected["causal"])
    assert passes == [(1, 14)]


def test_greedy_answers_are_a_batch_and_others_are_not(model, monkeypatch) -> None:
    prompt = with_causal_end(reference.random_chat())
    passes = rows_computed(model, monkeypatch)

    class Never(StoppingCriteria):
        def __call__(self, input_ids, _scores, **_):
            return torch.zeros(len(input_ids), dtype=torch.bool)

    for options, sequences in (
        ({}, 2),
        ({"repetition_penalty": 1.3}, 2),
        ({"do_sample": True, "seed": 5}, 1),
        ({"stopping_criteria": [Never()]}, 1),
        ({"max_time": 60.0}, 1),
    ):
        expected = {mask: alone(model, prompt, mask, 4, **options) for mask in MASKS}
        model.clear_cache()
        passes.clear()
        traces = model.traces(prompt, 4, **options)
        assert {n for n, rows in passes if rows == 1} == {sequences}, options
        for mask, trace in traces.items():
            assert trace.token_ids == expected[mask].token_ids, options


def with_causal_end(prompt):
    """As a chat template ends, with the header of the answer."""
    segments = prompt.segmentation.split(prompt.length - 3)
    return prompt.with_segmentation(segments.set_attention(len(segments.segments) - 1, "causal"))


def test_the_end_of_the_prompt_decides_whether_windowed_layers_decode_as_a_batch(
    model, monkeypatch
) -> None:
    """Under a sliding window the last row sees all of a bidirectional segment at the end."""
    passes = rows_computed(model, monkeypatch)
    windowed = any(layer.window for layer in model.trace("w5 w6").layers)
    for prompt, sequences in (
        (reference.random_chat(), 1 if windowed else 2),
        (with_causal_end(reference.random_chat()), 2),
    ):
        passes.clear()
        model.traces(prompt, 4)
        assert {n for n, rows in passes if rows == 1} == {sequences}


def test_rows_that_depend_on_each_other_are_computed_anew(monkeypatch) -> None:
    """As in the 8-bit layers of bitsandbytes, which look for outliers over all rows of a pass."""
    model = sv.Model(reference.make("llama"), reference.tokenizer())
    model.hf_model.is_loaded_in_8bit = True
    prompt = with_causal_end(reference.random_chat())
    passes = rows_computed(model, monkeypatch)
    for _ in range(2):
        passes.clear()
        model.traces(prompt, 4)
        assert [size for size in passes if size[1] > 1] == [(1, 30), (1, 30)]
        assert {sequences for sequences, _rows in passes} == {1}


def test_a_cancelled_pair_leaves_nothing_behind(model) -> None:
    prompt = reference.random_chat()
    cancel = threading.Event()
    with pytest.raises(sv.RunCancelledError):
        model.traces(prompt, 5, on_token=lambda _mask, _token: cancel.set(), cancel=cancel)
    for mask, trace in model.traces(prompt, 5).items():
        assert_same(trace, alone(model, prompt, mask, 5))


@pytest.mark.parametrize("masks", [(), ("causal", "causal"), ("dense",), "segment"])
def test_masks_that_are_refused(masks) -> None:
    model = sv.Model(reference.make("llama"), reference.tokenizer())
    with pytest.raises(ValueError, match="allowed are 'causal' and 'segment', each once"):
        model.traces(reference.random_chat(), masks=masks)


def test_a_comparison_is_of_two_traces_and_its_divergence_is_exact(model) -> None:
    prompt = reference.random_chat()
    comparison = sv.compare(model, prompt, 5)
    for mask in MASKS:
        assert_same(getattr(comparison, mask), alone(model, prompt, mask, 5))
    shared = comparison.shared_length
    logs = []
    for segmentation in (None, prompt.segmentation):
        eager = reference.eager_run(
            model.hf_model, comparison.causal.token_ids[:shared], segmentation
        )
        logs.append(torch.from_numpy(eager.logits).double().log_softmax(-1))
    causal, segment = logs
    expected = (segment.exp() * (segment - causal)).sum(-1).numpy()
    assert expected.max() > 0.1
    np.testing.assert_allclose(comparison.divergence(), expected, atol=1e-4)
    # Both see the same in the causal segment at the beginning.
    assert not comparison.divergence()[:3].any()


def test_two_threads_on_one_model_are_exact_and_independent(model) -> None:
    prompts = [reference.random_prompt(26, seed) for seed in range(4)]
    expected = [{mask: alone(model, prompt, mask, 5) for mask in MASKS} for prompt in prompts]
    model.clear_cache()
    found: dict[int, dict] = {}

    def work(numbers) -> None:
        for _ in range(3):
            for number in numbers:
                found[number] = model.traces(prompts[number], 5)

    threads = [threading.Thread(target=work, args=(numbers,)) for numbers in ((0, 1), (2, 3))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, traces in found.items():
        for mask, trace in traces.items():
            assert_same(trace, expected[number][mask])
    assert sorted(found) == [0, 1, 2, 3]
