"""What a model expects next is worked out when somebody asks, from the run's own hidden states."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import reference
import torch
from peft import LoraConfig, get_peft_model
from torch.utils.flop_counter import FlopCounterMode

import segviz as sv


@pytest.fixture(params=[*reference.CONFIGS])
def model(request) -> sv.Model:
    return sv.Model(reference.make(request.param), reference.tokenizer())


@pytest.fixture
def prompt():
    return reference.random_prompt(200, 5)


def head_rows(work, model: sv.Model) -> float:
    """For how many rows of hidden states logits are computed while ``work`` runs."""
    head = model.hf_model.get_output_embeddings()
    rows = []
    hook = head.register_forward_hook(
        lambda _module, args, _output: rows.append(args[0].numel() // args[0].shape[-1])
    )
    try:
        work()
    finally:
        hook.remove()
    return sum(rows)


def test_a_run_works_out_no_more_than_the_answers_logits(model, prompt) -> None:
    traces = []
    # The model's own last row, the same to check the head, what predicts the tokens and their rows.
    assert head_rows(lambda: traces.append(model.trace(prompt)), model) <= 3
    (trace,) = traces
    assert head_rows(lambda: trace.next_tokens(-1), model) == 0
    assert head_rows(lambda: trace.next_tokens(70), model) == 64
    assert head_rows(lambda: trace.next_tokens(127), model) == 0
    assert head_rows(lambda: trace.likely.token_ids, model) == 199 - 64


def test_a_number_does_not_depend_on_what_else_was_asked_for(model, prompt, tmp_path) -> None:
    trace = model.trace(prompt, max_new_tokens=5)
    few = {position: trace.next_tokens(position, 64) for position in (0, 63, 64, 198, 199, 203)}
    trace.save(tmp_path / "run.safetensors")
    loaded = sv.Trace.load(tmp_path / "run.safetensors")
    eager = reference.eager_run(model.hf_model, trace.token_ids, prompt.segmentation)
    for position, likely in few.items():
        assert loaded.next_tokens(position, 64) == likely == trace.next_tokens(position, 64)
        expected = torch.from_numpy(eager.logits[position]).softmax(-1).topk(64).values
        np.testing.assert_allclose([p for _, p in likely], expected, atol=1e-4)


def test_another_head_than_in_the_run_is_noticed(model, prompt, tmp_path) -> None:
    trace = model.trace(prompt, max_new_tokens=4)
    before, answer = trace.next_tokens(3), trace.next_tokens(-2)
    trace.save(tmp_path / "run.safetensors")
    again = model.trace(prompt, max_new_tokens=4)
    head = model.hf_model.get_output_embeddings()
    with torch.no_grad():
        head.weight.mul_(1.5)
    with pytest.raises(RuntimeError, match=r"other weights now.*Trace again; or save a trace"):
        again.next_tokens(100)
    with pytest.raises(RuntimeError, match="other weights"):
        again.save(tmp_path / "again.safetensors")
    # What was worked out before stays right, and so does the answer.
    assert trace.next_tokens(3) == before
    assert again.next_tokens(-2) == answer
    assert again.alternatives() == trace.alternatives()
    assert sv.Trace.load(tmp_path / "run.safetensors").next_tokens(3) == before


def test_another_adapter_of_the_head_is_noticed(prompt) -> None:
    lora = LoraConfig(r=2, target_modules=["lm_head"], init_lora_weights=False)
    tuned = get_peft_model(reference.make("llama"), lora)
    model = sv.Model(tuned, reference.tokenizer())
    trace = model.trace(prompt)
    with tuned.disable_adapter(), pytest.raises(RuntimeError, match="other weights"):
        trace.next_tokens(20)
    eager = reference.eager_run(model.hf_model, prompt.token_ids, prompt.segmentation)
    expected = torch.from_numpy(eager.logits[20]).softmax(-1).max()
    assert trace.next_tokens(20)[0][1] == pytest.approx(float(expected), abs=1e-4)


def test_a_trace_keeps_no_model_in_memory(prompt) -> None:
    model = sv.Model(reference.make("llama"), reference.tokenizer())
    gone = weakref.ref(model.hf_model.get_decoder())
    trace = model.trace(prompt, max_new_tokens=2)
    expected = trace.next_tokens(70)
    del model
    gc.collect()
    assert gone() is None
    assert trace.next_tokens(70) == expected
    assert len(trace.next_tokens(0)) == 10


def test_a_head_that_moved_or_took_a_wider_dtype_is_the_same(prompt) -> None:
    model = sv.Model(reference.make("qwen3", dtype=torch.bfloat16), reference.tokenizer())
    trace = model.trace(prompt)
    first = dict(model.trace(prompt).next_tokens(20, 64))
    model.hf_model.float()
    for token, probability in trace.next_tokens(20, 5):
        assert first[token] == pytest.approx(probability, abs=0.02)


def test_a_prefill_multiplies_no_more_than_the_model_itself(model, prompt) -> None:
    """But for the few rows of the receipt, the last row's logits, and the pairs of the mask."""
    ids = torch.tensor([prompt.token_ids])
    with torch.no_grad(), FlopCounterMode(display=False) as plain:
        model.hf_model(ids, logits_to_keep=1, use_cache=True)
    with FlopCounterMode(display=False) as traced:
        model.trace(prompt, "causal")
    assert traced.get_total_flops() < 1.1 * plain.get_total_flops()
