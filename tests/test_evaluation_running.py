"""Batches: what they answer is what one run, or one full pass with a dense mask, would give."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest
import reference
import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

import segviz as sv
from segviz.data import Encoded
from segviz.evaluation.running import Item, answer

ARCHITECTURES = [*reference.CONFIGS, *reference.WINDOWED]
LENGTHS = (23, 1, 9, 16, 2, 30)
NEW_TOKENS = 7


def model_of(architecture: str, **options) -> sv.Model:
    return sv.Model(reference.make(architecture, **options), reference.tokenizer())


def items_of(prompts, answers=()) -> list[Item]:
    return [
        Item(
            number,
            Encoded(
                prompt.token_ids,
                prompt.segmentation.block_ids(),
                np.zeros(prompt.length, dtype=bool),
                prompt.length,
            ),
            answers[number] if answers else (),
        )
        for number, prompt in enumerate(prompts)
    ]


@pytest.fixture(scope="module")
def prompts():
    """Unequal lengths, down to one token; segments of both kinds at the end."""
    return [reference.random_prompt(length, length) for length in LENGTHS]


@pytest.fixture(scope="module")
def answers():
    """Choices of unequal number and length, one token among them."""
    rng = random.Random(3)
    return [
        [[rng.randrange(4, 97) for _ in range(rng.choice([1, 2, 3, 6]))] for _ in range(count)]
        for count in (3, 2, 4, 1, 3, 2)
    ]


def texts_of(model, prompts, mask, new_tokens=NEW_TOKENS) -> list[str | None]:
    return [one.text for one in answer(model, items_of(prompts), mask, new_tokens)]


def traced(model, prompts, mask, new_tokens=NEW_TOKENS) -> list[str]:
    return [model.trace(prompt, mask, new_tokens).generated_text for prompt in prompts]


@pytest.mark.parametrize("mask", ["causal", "segment"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_generated_answers_are_those_of_single_runs(prompts, architecture, mask) -> None:
    model = model_of(architecture)
    found = texts_of(model, prompts, mask)
    assert found == traced(model, prompts, mask)
    assert len(set(found)) == len(prompts), "answers that are all the same would show no mistake"


@pytest.mark.parametrize("architecture", reference.WINDOWED)
def test_a_bidirectional_segment_that_ends_a_prompt_reaches_beyond_the_window(architecture) -> None:
    model = model_of(architecture)
    prompts = [
        reference.random_prompt(
            stop, stop, sv.Segmentation([sv.Segment(0, start, "a"), sv.Segment(start, stop, "b")])
        )
        for start, stop in ((3, 24), (9, 20), (2, 5))
    ]
    for mask in ("segment", "causal"):
        assert texts_of(model, prompts, mask) == traced(model, prompts, mask)


def test_answers_under_the_two_masks_differ(prompts) -> None:
    model = model_of("llama")
    assert texts_of(model, prompts, "causal") != texts_of(model, prompts, "segment")


def test_answers_end_at_different_places(prompts) -> None:
    model = model_of("qwen2")
    free = texts_of(model, prompts, "segment")
    # The second word of one answer ends an answer from now on.
    model.hf_model.generation_config.eos_token_id = [1, int(free[0].split()[1][1:])]
    ended = texts_of(model, prompts, "segment")
    assert ended == traced(model, prompts, "segment")
    assert len({len(text.split()) for text in ended}) > 1


def test_the_models_own_decoding_defaults_hold(prompts) -> None:
    model = model_of("llama")
    settings = model.hf_model.generation_config
    plain = texts_of(model, prompts, "segment", 12)
    settings.repetition_penalty = 3.0
    found = texts_of(model, prompts, "segment", 12)
    assert found == traced(model, prompts, "segment", 12)
    assert found != plain
    shortest = LENGTHS.index(min(LENGTHS))
    settings.pad_token_id = settings.eos_token_id = int(found[shortest].split()[2][1:])
    ended = texts_of(model, prompts, "segment", 12)
    assert len(ended[shortest].split()) == 3
    assert ended == traced(model, prompts, "segment", 12)


def test_padding_does_not_count_as_something_that_was_said(prompts, monkeypatch) -> None:
    """What punishes repetition would make its token rarer, the end of an answer least of all."""
    model, rows = model_of("llama"), []
    original = model.hf_model.generate

    def generate(ids, **options):
        rows.extend(set(row) for row in ids.tolist())
        return original(ids, **options)

    monkeypatch.setattr(model.hf_model, "generate", generate)
    texts_of(model, prompts, "segment")
    assert rows == [set(prompt.token_ids) for prompt in prompts]


def test_stop_strings() -> None:
    model = sv.load()
    prompts = [model.chat(sv.examples["chain"]), model.prompt("Anna follows")]
    free = texts_of(model, prompts, "segment")
    assert free[0].strip() == "Lena"
    model.hf_model.generation_config.stop_strings = ["Len", free[1].strip()[:2]]
    model.hf_model.generation_config.eos_token_id = None
    stopped = texts_of(model, prompts, "segment")
    assert stopped == traced(model, prompts, "segment")
    assert stopped[0].strip() == "Lena"


@pytest.mark.parametrize("mask", ["causal", "segment"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_likelihood_is_that_of_a_full_pass(prompts, answers, architecture, mask) -> None:
    model = model_of(architecture)
    found = answer(model, items_of(prompts, answers), mask, 0)
    for prompt, choices, answered in zip(prompts, answers, found, strict=True):
        assert answered.text is None
        assert len(answered.log_probabilities) == len(choices)
        for choice, score in zip(choices, answered.log_probabilities, strict=True):
            ids = [*prompt.token_ids, *choice]
            segmentation = prompt.segmentation if mask == "segment" else None
            logits = reference.eager_run(model.hf_model, ids, segmentation).logits
            likely = torch.from_numpy(logits).log_softmax(-1)
            wanted = sum(
                float(likely[prompt.length + i - 1, token]) for i, token in enumerate(choice)
            )
            assert score == pytest.approx(wanted, abs=2e-4)


@pytest.mark.parametrize("architecture", ["llama", "qwen2-windowed"])
def test_scoring_and_generating_do_not_disturb_each_other(prompts, answers, architecture) -> None:
    model = model_of(architecture)
    both = answer(model, items_of(prompts, answers), "segment", NEW_TOKENS)
    alone = answer(model, items_of(prompts, answers), "segment", 0)
    assert [one.text for one in both] == texts_of(model, prompts, "segment")
    assert [one.log_probabilities for one in both] == [one.log_probabilities for one in alone]


def test_nothing_but_the_rows_that_count_gets_logits(prompts, answers) -> None:
    model, rows = model_of("llama"), []
    model.hf_model.get_output_embeddings().register_forward_hook(
        lambda _module, _args, logits: rows.append(logits.shape[1])
    )
    answer(model, items_of(prompts, answers), "segment", 0)
    # The prompt's last row; then every choice's longest answer, but for its last token.
    longest = [max(len(one[i]) for one in answers if i < len(one)) for i in range(4)]
    assert rows == [1, *[length - 1 for length in longest if length > 1]]


def test_eager_attention(prompts, answers) -> None:
    model = model_of("qwen3")
    items = items_of(prompts, answers)
    wanted = answer(model, items, "segment", NEW_TOKENS)
    model.hf_model.set_attn_implementation("eager")
    found = answer(model, items, "segment", NEW_TOKENS)
    assert [one.text for one in found] == [one.text for one in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert one.log_probabilities == pytest.approx(other.log_probabilities, abs=1e-4)


def test_attention_that_takes_no_dense_mask_is_replaced_for_a_while(prompts) -> None:
    AttentionInterface.register("other", sdpa_attention_forward)
    AttentionMaskInterface.register("other", sdpa_mask)
    model = model_of("llama")
    wanted = texts_of(model, prompts, "segment")
    model.hf_model.set_attn_implementation("other")
    assert texts_of(model, prompts, "segment") == wanted
    assert model.hf_model.config._attn_implementation == "other"


def test_the_model_stays_as_it_is(prompts, answers) -> None:
    model = model_of("qwen2")
    wanted = answer(model, items_of(prompts, answers), "segment", NEW_TOKENS)
    hf_model = model.hf_model.train()
    for layer in hf_model.model.layers:
        layer.self_attn.attention_dropout = 0.5
    hf_model.model.layers[1].eval()
    modes = [module.training for module in hf_model.modules()]
    settings = hf_model.generation_config.to_dict()
    state = torch.get_rng_state()
    weights = model.weights()
    assert answer(model, items_of(prompts, answers), "segment", NEW_TOKENS) == wanted
    assert [module.training for module in hf_model.modules()] == modes
    assert hf_model.generation_config.to_dict() == settings
    assert hf_model.config._attn_implementation == "sdpa"
    assert torch.equal(torch.get_rng_state(), state)
    assert model.weights() == weights
    assert not any(weight.grad is not None for weight in hf_model.parameters())


def test_half_precision(prompts, answers) -> None:
    model = model_of("llama", dtype=torch.bfloat16)
    found = answer(model, items_of(prompts, answers), "segment", 0)
    full = answer(model_of("llama"), items_of(prompts, answers), "segment", 0)
    for one, other in zip(found, full, strict=True):
        assert one.log_probabilities == pytest.approx(other.log_probabilities, abs=1.5)


def test_a_batch_waits_for_a_run_in_another_thread(prompts) -> None:
    model, found = model_of("llama"), []
    thread = threading.Thread(target=lambda: found.extend(texts_of(model, prompts, "causal")))
    with model.exclusive():
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
    thread.join()
    assert found == texts_of(model, prompts, "causal")


def test_runs_and_batches_at_the_same_time(prompts) -> None:
    model = model_of("llama")
    wanted = texts_of(model, prompts, "segment"), traced(model, prompts, "segment")
    found, traces = [], []
    thread = threading.Thread(target=lambda: traces.extend(traced(model, prompts, "segment")))
    thread.start()
    found = texts_of(model, prompts, "segment")
    thread.join()
    assert (found, traces) == wanted


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("new_tokens", [0, NEW_TOKENS])
def test_logits_that_are_not_finite_are_no_answers(prompts, answers, value, new_tokens) -> None:
    model = model_of("llama")
    with torch.no_grad():
        model.hf_model.lm_head.weight[5] = value
    items = items_of(prompts, [] if new_tokens else answers)
    with pytest.raises(FloatingPointError, match="the model gives no number for record 1 "):
        answer(model, items, "segment", new_tokens)
