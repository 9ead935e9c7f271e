"""What surrounds a run: the user's model is left as it was, options pass through, errors help."""

from __future__ import annotations

import threading

import pytest
import reference
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    Gemma2Config,
    GenerationConfig,
    GraniteConfig,
    Qwen3NextConfig,
    T5Config,
    TextStreamer,
)

import segviz as sv


@pytest.fixture(scope="module")
def model() -> sv.Model:
    return sv.Model(reference.make("llama"), reference.tokenizer())


@pytest.fixture(scope="module")
def prompt():
    return reference.random_prompt(20, 6)


def own_logits(model: sv.Model, prompt) -> torch.Tensor:
    with torch.no_grad():
        return model.hf_model(torch.tensor([prompt.token_ids])).logits


# The user's model stays as it was


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("architecture", [*reference.CONFIGS, *reference.WINDOWED])
def test_outside_of_a_run_the_model_is_as_before(architecture, implementation, prompt) -> None:
    model = sv.Model(reference.make(architecture), reference.tokenizer())
    model.hf_model.set_attn_implementation(implementation)
    before = own_logits(model, prompt)
    model.trace(prompt, max_new_tokens=3)
    assert model.hf_model.config._attn_implementation == implementation
    torch.testing.assert_close(own_logits(model, prompt), before, rtol=0, atol=0)
    assert not model.hf_model.get_decoder()._forward_hooks
    # The user may change it in between.
    other = "eager" if implementation == "sdpa" else "sdpa"
    model.hf_model.set_attn_implementation(other)
    model.trace(prompt, max_new_tokens=3)
    assert model.hf_model.config._attn_implementation == other


def test_training_mode_comes_back_and_dropout_is_off_during_a_run(prompt) -> None:
    model = sv.Model(reference.make("llama"), reference.tokenizer())
    expected = model.trace(prompt).attention(2, 3)
    model.clear_cache()
    for layer in model.hf_model.model.layers:
        layer.mlp.down_proj = torch.nn.Sequential(layer.mlp.down_proj, torch.nn.Dropout(0.5))
    model.hf_model.train()
    model.hf_model.model.norm.eval()
    modes = [module.training for module in model.hf_model.modules()]
    assert (model.trace(prompt).attention(2, 3) == expected).all()
    assert [module.training for module in model.hf_model.modules()] == modes


def test_an_exception_in_the_middle_of_a_run_leaves_no_trace(model, prompt) -> None:
    before = own_logits(model, prompt)
    broken = model.hf_model.model.layers[1].mlp.register_forward_pre_hook(
        lambda *_: (_ for _ in ()).throw(RuntimeError("out of memory"))
    )
    model.clear_cache()
    with pytest.raises(RuntimeError, match="out of memory"):
        model.trace(prompt)
    broken.remove()
    assert model.hf_model.config._attn_implementation == "sdpa"
    torch.testing.assert_close(own_logits(model, prompt), before, rtol=0, atol=0)
    model.trace(prompt)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_a_call_from_another_thread_during_a_run(implementation, prompt) -> None:
    """The user's own call meets the installed hook, and still gets plain causal attention."""
    model = sv.Model(reference.make("qwen2-windowed"), reference.tokenizer())
    model.hf_model.set_attn_implementation(implementation)
    before, seen = own_logits(model, prompt), []

    def call_from_elsewhere(_token: str) -> None:
        assert model.hf_model.config._attn_implementation == "segviz"
        thread = threading.Thread(target=lambda: seen.append(own_logits(model, prompt)))
        thread.start()
        thread.join()

    model.trace(prompt, max_new_tokens=2, on_token=call_from_elsewhere)
    assert len(seen) == 2
    for logits in seen:
        torch.testing.assert_close(logits, before, rtol=0, atol=0)


def test_overlapping_runs_of_two_wrappers_around_one_model(prompt) -> None:
    hf_model = reference.make("llama")
    one, two = (sv.Model(hf_model, reference.tokenizer()) for _ in range(2))
    expected = {m: one.trace(prompt, m, max_new_tokens=8).token_ids for m in ("causal", "segment")}
    results = {}

    def run(wrapper: sv.Model, mask: str) -> None:
        results[mask] = [wrapper.trace(prompt, mask, max_new_tokens=8).token_ids for _ in range(5)]

    threads = [
        threading.Thread(target=run, args=pair) for pair in ((one, "causal"), (two, "segment"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {mask: [ids] * 5 for mask, ids in expected.items()}
    assert hf_model.config._attn_implementation == "sdpa"


def test_an_implementation_changed_during_a_run_is_noticed(prompt) -> None:
    model = sv.Model(reference.make("llama"), reference.tokenizer())
    with pytest.raises(RuntimeError, match="its mask was not applied"):
        model.trace(
            prompt,
            max_new_tokens=3,
            on_token=lambda _token: model.hf_model.set_attn_implementation("eager"),
        )
    assert model.hf_model.config._attn_implementation == "eager"
    model.trace(prompt, max_new_tokens=3)


def test_a_peft_model_runs_with_its_adapter(prompt) -> None:
    peft = pytest.importorskip("peft", reason="peft is an optional dependency")
    hf_model = reference.make("llama")
    plain = sv.Model(hf_model, reference.tokenizer()).trace(prompt).attention(2, 0)
    config = peft.LoraConfig(target_modules=["q_proj"], r=4, init_lora_weights=False)
    adapted = sv.Model(peft.get_peft_model(hf_model, config), reference.tokenizer())
    assert abs(adapted.trace(prompt).attention(2, 0) - plain).max() > 1e-3


def test_prompt_learning_is_refused() -> None:
    peft = pytest.importorskip("peft", reason="peft is an optional dependency")
    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    tuned = peft.get_peft_model(reference.make("llama"), config)
    with pytest.raises(NotImplementedError, match="virtual tokens"):
        sv.Model(tuned, reference.tokenizer())


# Decoding


def test_a_causal_run_equals_generate(model, prompt) -> None:
    ids = torch.tensor([prompt.token_ids])
    greedy = model.hf_model.generate(ids, max_new_tokens=12, do_sample=False)
    assert model.trace(prompt, "causal", max_new_tokens=12).token_ids == tuple(greedy[0].tolist())
    options = {"do_sample": True, "temperature": 1.5, "top_k": 20, "top_p": 0.95}
    torch.manual_seed(3)
    sampled = model.hf_model.generate(ids, max_new_tokens=12, **options)
    trace = model.trace(prompt, "causal", max_new_tokens=12, seed=3, **options)
    assert trace.token_ids == tuple(sampled[0].tolist())
    assert trace.recipe["seed"] == 3


def test_sampling_leaves_the_random_state_alone_and_keeps_its_seed(model, prompt) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    model.trace(prompt, max_new_tokens=5, do_sample=True, seed=1)
    torch.testing.assert_close(torch.rand(3), expected)
    drawn = model.trace(prompt, max_new_tokens=9, do_sample=True)
    again = model.trace(prompt, max_new_tokens=9, do_sample=True, seed=drawn.recipe["seed"])
    assert drawn.token_ids == again.token_ids


def test_greedy_is_the_default_whatever_the_model_says(prompt) -> None:
    model = sv.Model(reference.make("llama"), reference.tokenizer())
    expected = model.trace(prompt, max_new_tokens=9).token_ids
    model.hf_model.generation_config.do_sample = True
    model.hf_model.generation_config.temperature = 5.0
    assert model.trace(prompt, max_new_tokens=9).token_ids == expected
    assert model.hf_model.generation_config.temperature == 5.0


def test_defaults_of_the_model_that_a_run_cannot_take_are_left_out_and_put_back(prompt) -> None:
    model = sv.Model(reference.make("llama"), reference.tokenizer())
    expected = model.trace(prompt, max_new_tokens=9).token_ids
    defaults = model.hf_model.generation_config
    defaults.cache_implementation, defaults.max_length, defaults.min_p = "static", 15, 0.5
    assert model.trace(prompt, max_new_tokens=9).token_ids == expected
    assert (defaults.cache_implementation, defaults.max_length, defaults.min_p) == (
        "static",
        15,
        0.5,
    )
    defaults.num_beams = 3
    with pytest.raises(NotImplementedError, match="num_beams=3"):
        model.trace(prompt, max_new_tokens=3, generation_config=GenerationConfig())


def test_a_whole_generation_config(model, prompt) -> None:
    config = GenerationConfig(do_sample=True, temperature=2.0)
    trace = model.trace(prompt, max_new_tokens=9, generation_config=config, seed=4)
    options = {"do_sample": True, "temperature": 2.0}
    expected = model.trace(prompt, max_new_tokens=9, seed=4, **options)
    assert trace.token_ids == expected.token_ids


def test_streaming(model, prompt, capsys) -> None:
    heard: list[str] = []
    streamer = TextStreamer(model.tokenizer, skip_prompt=True)
    trace = model.trace(prompt, max_new_tokens=7, on_token=heard.append, streamer=streamer)
    assert tuple(heard) == trace.tokens[prompt.length :]
    assert capsys.readouterr().out.split() == trace.generated_text.split()


def test_the_end_of_sequence_is_part_of_the_trace(model, prompt) -> None:
    free = model.trace(prompt, max_new_tokens=9)
    third = free.token_ids[prompt.length + 2]
    stopped = model.trace(prompt, max_new_tokens=9, eos_token_id=third)
    assert stopped.token_ids == free.token_ids[: prompt.length + 3]
    assert len(stopped.attention(0, 0)) == prompt.length + 3


def test_cancelling(model, prompt) -> None:
    cancel, heard = threading.Event(), []

    def hear(token: str) -> None:
        heard.append(token)
        if len(heard) == 3:
            cancel.set()

    with pytest.raises(sv.RunCancelledError):
        model.trace(prompt, max_new_tokens=100, on_token=hear, cancel=cancel)
    assert len(heard) == 3
    assert model.hf_model.config._attn_implementation == "sdpa"
    with pytest.raises(sv.RunCancelledError):
        model.trace(reference.random_prompt(9, 1), cancel=cancel)


def test_a_run_that_waits_for_another_can_be_cancelled(model, prompt) -> None:
    inside, leave, cancel = (threading.Event() for _ in range(3))
    outcome: list[Exception] = []

    def block(_token: str) -> None:
        inside.set()
        leave.wait(30)

    def wait_for_it() -> None:
        try:
            model.trace(prompt, cancel=cancel)
        except sv.RunCancelledError as error:
            outcome.append(error)

    first = threading.Thread(target=lambda: model.trace(prompt, max_new_tokens=1, on_token=block))
    first.start()
    assert inside.wait(30)
    second = threading.Thread(target=wait_for_it)
    second.start()
    cancel.set()
    second.join(30)
    leave.set()
    first.join(30)
    assert len(outcome) == 1


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"num_beams": 2}, NotImplementedError, "num_beams=2"),
        ({"num_return_sequences": 2, "do_sample": True}, NotImplementedError, "one sequence"),
        ({"num_return_sequences": 2}, NotImplementedError, "num_return_sequences=2"),
        ({"prompt_lookup_num_tokens": 3}, NotImplementedError, "prompt-lookup"),
        ({"assistant_model": object()}, NotImplementedError, "assistant_model"),
        ({"guidance_scale": 2.0}, NotImplementedError, "guidance_scale"),
        ({"use_cache": False}, TypeError, "use_cache=False cannot be set"),
        ({"temperatur": 2}, TypeError, "unknown decoding options: temperatur"),
        ({"temperature": 0.7}, TypeError, "add do_sample=True"),
    ],
)
def test_decoding_options_that_are_refused(model, prompt, options, error, sentence) -> None:
    with pytest.raises(error, match=sentence):
        model.trace(prompt, max_new_tokens=3, **options)


# Errors


def test_bad_arguments(model, prompt) -> None:
    with pytest.raises(ValueError, match="mask='segments' is unknown; allowed are 'causal'"):
        model.trace(prompt, mask="segments")
    with pytest.raises(ValueError, match="mask=a ndarray is unknown"):
        model.trace(prompt, mask=sv.causal_mask(20))
    with pytest.raises(ValueError, match="spans 4 tokens, the prompt has 20"):
        model.trace(prompt, mask=sv.Segmentation([sv.Segment(0, 4, "x")]))
    with pytest.raises(ValueError, match="max_new_tokens is -1"):
        model.trace(prompt, max_new_tokens=-1)
    with pytest.raises(TypeError, match="max_new_tokens is an integer, not '4'"):
        model.trace(prompt, max_new_tokens="4")
    with pytest.raises(TypeError, match="do_sample: decoding options without an answer"):
        model.trace(prompt, do_sample=True)
    with pytest.raises(ValueError, match="300 tokens exceed the 256 positions"):
        model.trace(reference.random_prompt(300, 1))
    with pytest.raises(ValueError, match="20 tokens and 250 new ones exceed the 256 positions"):
        model.trace(prompt, max_new_tokens=250)
    with pytest.raises(ValueError, match="holds no token"):
        model.trace("")
    with pytest.raises(ValueError, match=r"model\.prompt"):
        model.chat([{"role": "user", "content": "hello"}])


def test_a_segmentation_in_place_of_a_mask(model, prompt) -> None:
    segmentation = sv.Segmentation([sv.Segment(0, 5, "a"), sv.Segment(5, 20, "b")])
    trace = model.trace(prompt, mask=segmentation)
    assert trace.segmentation == segmentation
    assert (trace.mask() == sv.segment_mask(segmentation)).all()


TINY = {
    "vocab_size": 50, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
}  # fmt: skip


def test_models_that_are_not_supported() -> None:
    tokenizer = reference.tokenizer()
    with pytest.raises(TypeError, match="a str is no model of transformers"):
        sv.Model("gpt2", tokenizer)
    t5 = AutoModelForSeq2SeqLM.from_config(
        T5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    )
    with pytest.raises(NotImplementedError, match="is an encoder-decoder"):
        sv.Model(t5, tokenizer)
    hybrid = Qwen3NextConfig(
        **TINY, layer_types=["linear_attention", "full_attention"], linear_num_value_heads=2,
        linear_num_key_heads=2, linear_key_head_dim=8, linear_value_head_dim=8, num_experts=2,
        num_experts_per_tok=1, moe_intermediate_size=8, shared_expert_intermediate_size=8,
    )  # fmt: skip
    with pytest.raises(NotImplementedError, match=r"without a mask to change \(linear_attention\)"):
        sv.Model(AutoModelForCausalLM.from_config(hybrid), tokenizer)


def test_scores_and_logits_that_a_plain_softmax_does_not_give() -> None:
    prompt = sv.Prompt((5, 6, 7), ("a", "b", "c"), "abc", sv.Segmentation([sv.Segment(0, 3, "x")]))
    capped = AutoModelForCausalLM.from_config(Gemma2Config(**TINY))
    with pytest.raises(NotImplementedError, match="softcap"):
        sv.Model(capped, reference.tokenizer()).trace(prompt)
    scaled = AutoModelForCausalLM.from_config(
        GraniteConfig(**{k: v for k, v in TINY.items() if k != "head_dim"}, logits_scaling=8.0,
                      initializer_range=1.0)
    )  # fmt: skip
    with pytest.raises(NotImplementedError, match="changes its logits"):
        sv.Model(scaled, reference.tokenizer()).trace(prompt)


def test_a_prompt_of_another_tokenizer(model) -> None:
    prompt = sv.Prompt((500,), ("?",), "?", sv.Segmentation([sv.Segment(0, 1, "x")]))
    with pytest.raises(ValueError, match="token id 500, but .* has 97 tokens"):
        model.trace(prompt)


def test_a_prompt_with_a_negative_token_id(model) -> None:
    prompt = sv.Prompt((5, -100), ("a", "?"), "a?", sv.Segmentation([sv.Segment(0, 2, "x")]))
    with pytest.raises(ValueError, match=r"token id -100; .* are 0 to 96: .* model\.chat"):
        model.trace(prompt)


def test_a_prompt_of_one_token(model) -> None:
    prompt = reference.random_prompt(1, 1)
    trace = model.trace(prompt, max_new_tokens=2)
    answer = reference.eager_answer(model.hf_model, prompt, None, 2)
    assert trace.token_ids == prompt.token_ids + answer
    assert trace.attention(0, 0)[0, 0] == 1
