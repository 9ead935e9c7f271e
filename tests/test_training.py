"""Loss and gradients against eager runs of single records; examples, arguments, the model after."""

from __future__ import annotations

import copy
import random
import warnings

import encoded
import numpy as np
import pytest
import reference
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import LlamaForCausalLM, TrainerCallback

import segviz as sv
from segviz.data import IGNORED, Collator, Encoded
from segviz.training import finetune
from segviz.training.examples import Examples, encoded_examples
from segviz.training.lora import lora_layers
from segviz.training.options import _CHECKPOINTING
from segviz.training.settings import Settings
from segviz.training.trainer import token_loss

ARCHITECTURES = [*reference.CONFIGS, *reference.WINDOWED]
SHORT = {"steps": 2, "batch_size": 4, "progress": False}


def model_of(architecture: str = "llama", **options) -> sv.Model:
    return sv.Model(reference.make(architecture, **options), reference.tokenizer())


def with_lora(hf_model):
    """LoRA layers whose update is not zero, or half of the gradients would be."""
    torch.manual_seed(3)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"])
    peft_model = get_peft_model(hf_model, config)
    for name, weight in peft_model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.2)
    return peft_model.train()


def gradients(peft_model) -> torch.Tensor:
    found = torch.cat([w.grad.flatten() for w in peft_model.parameters() if w.grad is not None])
    peft_model.zero_grad()
    return found


def eager_gradients(peft_model, records, mask) -> tuple[float, torch.Tensor]:
    """Record by record, with the rule written out: the loss per scored token, and gradients."""
    hf_model = peft_model.get_base_model()
    hf_model.set_attn_implementation("eager")
    count = sum(int(one.scored.sum()) for one in records)
    total = 0.0
    for one in records:
        length = len(one.token_ids)
        segments = encoded.segmentation(one) if mask == "segment" else None
        window = getattr(hf_model.config, "sliding_window", None)
        masks = {}
        for kind, size in (("full_attention", None), ("sliding_attention", window)):
            visible = torch.from_numpy(reference.dense_mask(segments, length, size))
            masks[kind] = torch.zeros(1, 1, length, length).masked_fill(
                ~visible, torch.finfo(torch.float32).min
            )
        given = masks if hf_model.config.model_type.startswith("qwen") else masks["full_attention"]
        if hf_model.config.model_type == "mistral":
            given = masks["sliding_attention"]
        logits = peft_model(torch.tensor([one.token_ids]), attention_mask=given).logits[0]
        for position in np.flatnonzero(one.scored):
            row = logits[position - 1].log_softmax(-1)
            loss = -row[one.token_ids[position]] / count
            loss.backward(retain_graph=True)
            total += loss.item()
    hf_model.set_attn_implementation("sdpa")
    return total, gradients(peft_model)


def batch_loss(peft_model, batch, **options):
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    return token_loss(peft_model(**inputs, **options), batch["labels"])


# Loss and gradients


@pytest.mark.parametrize("mask", ["segment", "causal"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_are_those_of_single_records_with_a_dense_mask(architecture, mask) -> None:
    hf_model = reference.make(architecture)
    peft_model = with_lora(hf_model)
    records = encoded.records(4, seed=7)
    expected_loss, expected = eager_gradients(peft_model, records, mask)
    scale = expected.abs().max()
    for implementation in ("sdpa", "eager"):
        hf_model.set_attn_implementation(implementation)
        for side in ("left", "right"):
            batch = Collator(hf_model.config, 2, mask, side)(records)
            loss = batch_loss(peft_model, batch)
            loss.backward()
            assert loss.item() == pytest.approx(expected_loss, rel=1e-5)
            torch.testing.assert_close(
                gradients(peft_model) / scale, expected / scale, atol=1e-5, rtol=0
            )


def test_the_masks_have_different_gradients() -> None:
    peft_model = with_lora(reference.make("llama"))
    records = encoded.records(4, seed=7)
    one, other = (eager_gradients(peft_model, records, mask)[1] for mask in ("segment", "causal"))
    assert (one - other).norm() > 0.1 * one.norm()


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_never_attended(side) -> None:
    hf_model = reference.make("qwen2")
    records = [encoded.record(5, 2, 0), encoded.record(30, 4, 1)]
    with torch.no_grad():
        losses = {
            float(batch_loss(hf_model, Collator(hf_model.config, pad_id, "segment", side)(records)))
            for pad_id in (2, 3, 50)
        }
    assert len(losses) == 1


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("architecture", ["qwen3", "qwen2-windowed"])
def test_gradient_checkpointing_changes_no_gradient(architecture, reentrant) -> None:
    hf_model = reference.make(architecture)
    peft_model = with_lora(hf_model)
    batch = Collator(hf_model.config, 2)(encoded.records(3, seed=1))
    batch_loss(peft_model, batch).backward()
    expected = gradients(peft_model)
    hf_model.enable_input_require_grads()
    getattr(hf_model, f"{_CHECKPOINTING}_enable")({"use_reentrant": reentrant})
    calls = []
    hf_model.model.layers[0].self_attn.register_forward_pre_hook(lambda *_: calls.append(1))
    batch_loss(peft_model, batch, use_cache=False).backward()
    assert len(calls) == 2, "nothing was computed again"
    torch.testing.assert_close(gradients(peft_model), expected)


@pytest.mark.parametrize("reentrant", [False, True])
def test_an_adapter_trained_with_gradient_checkpointing_is_the_same(tmp_path, reentrant) -> None:
    records = encoded.records(8)
    plain = finetune(model_of(), records, output=tmp_path / "plain", **SHORT, dropout=0.0)
    options = {f"{_CHECKPOINTING}_kwargs": {"use_reentrant": reentrant}}
    less = finetune(
        model_of(),
        records,
        output=tmp_path / "less",
        gradient_checkpointing=True,
        dropout=0.0,
        **SHORT,
        **options,
    )
    assert_same_weights(plain, less)


def test_loss_would_leak_inside_a_bidirectional_segment() -> None:
    """Nobody can predict tokens drawn evenly; under a bidirectional mask the loss says so."""
    losses = {}
    for kind in ("causal", "bidirectional"):
        torch.manual_seed(0)
        config = copy.copy(reference.make("llama").config)
        config.update({"initializer_range": 0.1})
        model = LlamaForCausalLM(config)
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
        generator = torch.Generator().manual_seed(1)
        mask = torch.ones(12, 12, dtype=torch.bool)
        mask = mask.tril() if kind == "causal" else mask
        for _ in range(150):
            ids = torch.randint(4, 12, (32, 12), generator=generator)
            logits = model(ids, attention_mask=mask.expand(32, 1, 12, 12)).logits
            labels = ids.roll(-1, 1)
            labels[:, -1] = IGNORED
            loss = token_loss(type("Outputs", (), {"logits": logits}), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        losses[kind] = loss.item()
    assert losses["causal"] > 0.95 * np.log(8)
    assert losses["bidirectional"] < 0.1
    with pytest.raises(
        ValueError, match=r"token 2 is scored and stands in a bidirectional segment"
    ):
        Encoded((5, 6, 7), np.array([0, 0, 0]), np.array([False, False, True]), 2)


def assert_same_weights(one, other, **tolerance) -> None:
    first, second = (load_file(folder / "adapter_model.safetensors") for folder in (one, other))
    assert first.keys() == second.keys()
    for name, weight in first.items():
        torch.testing.assert_close(weight, second[name], **tolerance)


# The model afterwards


def state_of(model) -> dict:
    hf_model = model.hf_model
    return {
        "modules": [
            (name, id(module), module.training) for name, module in hf_model.named_modules()
        ],
        "weights": {name: weight.clone() for name, weight in hf_model.state_dict().items()},
        "learning": [weight.requires_grad for weight in hf_model.parameters()],
        "attributes": sorted(vars(hf_model)),
        "config": hf_model.config.to_dict(),
        "implementation": hf_model.config._attn_implementation,
        "hooks": [len(module._forward_hooks) for module in hf_model.modules()],
        "checkpointing": getattr(hf_model, f"is_{_CHECKPOINTING}"),
        "random": random.getstate(),
        "numpy": np.random.get_state()[1].tolist(),  # noqa: NPY002 (Trainer seeds it)
        "torch": torch.get_rng_state(),
    }


def assert_same_state(before, after) -> None:
    for name in ("weights", "torch"):
        torch.testing.assert_close(before.pop(name), after.pop(name), atol=0, rtol=0)
    assert before == after


@pytest.mark.parametrize("options", [{}, {"gradient_checkpointing": True}, {"bf16": True}])
def test_the_model_is_left_as_it_was(tmp_path, options) -> None:
    model = model_of("qwen2")
    model.hf_model.train()
    model.hf_model.model.layers[1].eval()
    model.hf_model.lm_head.weight.requires_grad_(False)
    before = state_of(model)
    finetune(model, encoded.records(6), output=tmp_path / "a", **SHORT, **options)
    assert_same_state(before, state_of(model))


def test_the_model_is_left_as_it_was_after_an_error(tmp_path) -> None:
    class Broken(TrainerCallback):
        def on_step_end(self, *_, **__):
            raise KeyboardInterrupt

    model = model_of()
    before = state_of(model)
    with pytest.raises(KeyboardInterrupt):
        finetune(
            model,
            encoded.records(6),
            output=tmp_path / "a",
            gradient_checkpointing=True,
            callbacks=[Broken()],
            **SHORT,
        )
    assert_same_state(before, state_of(model))
    assert not (tmp_path / "a").exists()


def test_the_lora_starts_from_the_seed_alone() -> None:
    started = []
    for drawn in (0, 5):
        torch.rand(drawn)
        with lora_layers(reference.make("llama"), Settings(seed=4), "x") as peft_model:
            started.append([w.clone() for w in peft_model.parameters() if w.requires_grad])
    torch.testing.assert_close(*started, atol=0, rtol=0)


def test_the_same_seed_gives_the_same_adapter(tmp_path) -> None:
    model, records = model_of(), encoded.records(12)
    one, two, other = (
        finetune(model, records, output=tmp_path / name, seed=seed, **SHORT)
        for name, seed in (("one", 1), ("two", 1), ("other", 2))
    )
    assert_same_weights(one, two, atol=0, rtol=0)
    with pytest.raises(AssertionError):
        assert_same_weights(one, other)


def test_a_model_with_an_adapter_is_refused(tmp_path) -> None:
    hf_model = reference.make("llama")
    with_lora(hf_model)
    model = sv.Model(hf_model, reference.tokenizer())
    with pytest.raises(ValueError, match="carries an adapter already.*adapter=None, or merge"):
        finetune(model, encoded.records(4), output=tmp_path / "a", **SHORT)


def test_targets_that_are_not_there(tmp_path) -> None:
    with pytest.raises(ValueError, match="no layer 'v_prooj' to train; there are .*v_proj"):
        finetune(
            model_of(), encoded.records(4), output=tmp_path, targets=["q_proj", "v_prooj"], **SHORT
        )


# Examples


def test_examples_are_what_was_encoded() -> None:
    records = encoded.records(9)
    kept = Examples(records)
    assert len(kept) == 9
    for one, other in zip(records, [kept[i] for i in range(9)], strict=True):
        assert (one.token_ids, one.prompt_length) == (other.token_ids, other.prompt_length)
        np.testing.assert_array_equal(one.block_ids, other.block_ids)
        np.testing.assert_array_equal(one.scored, other.scored)


def test_long_examples_are_counted_and_left_out() -> None:
    records = [encoded.record(length, 2, length) for length in (4, 30, 8, 40)]
    with pytest.warns(
        UserWarning, match=r"2 of 4 examples are longer than 20 .* number 2, 4; .* 42"
    ):
        kept = encoded_examples(records, None, 20)
    assert kept.lengths == [6, 10]
    with pytest.raises(ValueError, match=r"all 4 examples are longer than 5 .*shortest has 6"):
        encoded_examples(records, None, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(encoded_examples(records, None, None)) == 4


def test_examples_longer_than_the_model(tmp_path) -> None:
    records = [encoded.record(15, 2, 1), encoded.record(70, 2, 2)]
    with pytest.warns(UserWarning, match="1 of 2 examples are longer than 64 tokens"):
        finetune(model_of(positions=64), records, output=tmp_path / "a", max_length=500, **SHORT)


def test_a_bad_record_is_named(tmp_path) -> None:
    model = sv.load("tiny-llama", adapter=None)
    good = {"instruction": "Who?", "output": "Ben"}
    with pytest.raises(ValueError, match=r"record 2 has no output"):
        finetune(model, [good, {"instruction": "Who?"}], output=tmp_path / "a", **SHORT)
    chat = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ben"}]
    with pytest.raises(ValueError, match=r"examples, record 2: a chat cannot be written"):
        finetune(model, [good, chat], output=tmp_path / "a", scheme="alpaca", **SHORT)
    assert not (tmp_path / "a").exists()


# Arguments


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"learning_rte": 1}, "'learning_rte' is no option; did you mean 'learning_rate'?"),
        ({"per_device_train_batch_size": 1}, "is no option here: use batch_size=…"),
        ({"group_by_length": True}, "use train_sampling_strategy='group_by_length'"),
        ({"push_to_hub": True}, "training does not work with it"),
    ],
)
def test_unknown_options(tmp_path, options, sentence) -> None:
    with pytest.raises(TypeError, match=sentence.replace("?", r"\?")):
        finetune("nowhere", [], output=tmp_path, **options)


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ({"mask": "both"}, "mask='both' is unknown; allowed are 'segment', 'causal'"),
        ({"rank": 0}, "rank is 0; allowed is 1 or more"),
        ({"dropout": 1}, "dropout is 1; allowed is at least 0 and below 1"),
        ({"steps": -1}, "steps is -1"),
        ({"padding_side": "top"}, "padding_side='top' is unknown"),
        ({"targets": ()}, "there are no targets"),
    ],
)
def test_settings_out_of_range(tmp_path, argument, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        finetune("nowhere", [], output=tmp_path, **argument)


def test_settings_of_another_type(tmp_path) -> None:
    with pytest.raises(TypeError, match=r"batch_size is an integer, not 2\.5"):
        finetune("nowhere", [], output=tmp_path, batch_size=2.5)
    with pytest.raises(TypeError, match="learning_rate is a number, not '1e-4'"):
        finetune("nowhere", [], output=tmp_path, learning_rate="1e-4")
