"""Loading: the embedded model, folders, adapters, and names that cannot be had."""

from __future__ import annotations

import huggingface_hub
import numpy as np
import pytest
import reference
import torch
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError

import segviz as sv
from segviz import loading


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint as a user has it: config, weights, tokenizer."""
    path = tmp_path_factory.mktemp("checkpoint")
    reference.make("qwen2").save_pretrained(path)
    reference.tokenizer().save_pretrained(path)
    return path


def test_the_embedded_model() -> None:
    model = sv.load()
    assert (model.name, model.adapter, model.default_mask) == ("tiny-llama", "segment", "segment")
    assert model.hf_model.dtype == torch.float32
    assert "tiny-llama" in repr(model)
    causal = sv.load("tiny-llama", adapter="causal")
    assert (causal.adapter, causal.default_mask) == ("causal", "causal")
    base = sv.load("tiny-llama", adapter=None)
    assert (base.adapter, base.default_mask) == (None, None)
    prompt = model.chat(sv.examples["chain"])
    attentions = [m.trace(prompt).attention(1, 1) for m in (model, causal, base)]
    assert np.abs(attentions[0] - attentions[1]).max() > 0.01
    assert np.abs(attentions[1] - attentions[2]).max() > 0.01
    assert not model.trace(prompt).untuned
    assert causal.trace(prompt).untuned
    assert base.trace(prompt).untuned
    assert not base.trace(prompt, "causal").untuned
    with pytest.raises(ValueError, match="has no adapter 'mas'"):
        sv.load("tiny-llama", adapter="mas")


def test_the_embedded_model_stops_at_a_string() -> None:
    model = sv.load()
    trace = model.trace(sv.examples["chain"], max_new_tokens=4)
    name = trace.tokens[trace.prompt_length]
    stopped = model.trace(sv.examples["chain"], max_new_tokens=4, stop_strings=[name])
    assert stopped.token_ids == trace.token_ids[: trace.prompt_length + 1]


def test_a_folder(folder) -> None:
    model = sv.load(folder)
    expected = sv.Model(reference.make("qwen2"), reference.tokenizer())
    prompt = reference.random_prompt(17, 2)
    np.testing.assert_array_equal(
        model.trace(prompt).attention(1, 1), expected.trace(prompt).attention(1, 1)
    )
    assert model.default_mask is None
    assert sv.load(str(folder), dtype="bfloat16", device="cpu").hf_model.dtype == torch.bfloat16


def test_options_go_to_from_pretrained(folder) -> None:
    model = sv.load(folder, attn_implementation="eager", device_map="cpu")
    assert model.hf_model.config._attn_implementation == "eager"


def test_where_a_model_goes_is_said_once(folder) -> None:
    for name in (folder, "tiny-llama"):
        with pytest.raises(ValueError, match="device='cuda' and device_map='auto' both say where"):
            sv.load(name, device="cuda", device_map="auto")
    assert sv.load(folder, device="cpu", device_map=None).hf_model.device.type == "cpu"


def test_what_is_captured_can_leave_its_device(folder) -> None:
    for name in (folder, "tiny-llama"):
        assert sv.load(name).offload is None
        assert sv.load(name, offload="cpu").offload == "cpu"
        with pytest.raises(ValueError, match="offload='disk'; allowed are"):
            sv.load(name, offload="disk")


def test_progress_is_shown_of_what_takes_time(folder, capfd) -> None:
    sv.load()
    assert not capfd.readouterr().err
    sv.load(folder)
    assert "Loading weights: 100%" in capfd.readouterr().err


def test_a_lora_adapter(folder, tmp_path) -> None:
    peft = pytest.importorskip("peft", reason="peft is an optional dependency")
    config = peft.LoraConfig(target_modules=["q_proj", "v_proj"], r=4, init_lora_weights=False)
    peft.get_peft_model(reference.make("qwen2"), config).save_pretrained(tmp_path)
    model = sv.load(folder, adapter=tmp_path)
    prompt = reference.random_prompt(17, 2)
    base = sv.load(folder).trace(prompt)
    assert np.abs(model.trace(prompt).attention(1, 1) - base.attention(1, 1)).max() > 1e-3
    assert model.trace(prompt).recipe["adapter"] == str(tmp_path)
    with pytest.raises(OSError, match=r"adapter '.*nowhere' could not be loaded"):
        sv.load(folder, adapter=tmp_path / "nowhere")


def test_an_adapter_without_peft(folder, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(ImportError, match=r"needs peft: pip install 'segviz\[finetune\]'"):
        sv.load(folder, adapter="some/adapter")


def test_a_name_that_cannot_be_fetched_offline(monkeypatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match="'nobody/no-such-model' could not be loaded") as caught:
        sv.load("nobody/no-such-model")
    assert "sv.load() without a name gives the embedded model" in str(caught.value)


@pytest.mark.parametrize("cause", [GatedRepoError, LocalEntryNotFoundError])
def test_a_gated_model(monkeypatch, cause) -> None:
    """As transformers reports it: an OSError around the hub's own error."""

    def refuse(name, **_options):
        raise OSError(f"You are trying to access a gated repo.\nAsk for {name}") from (
            cause.__new__(cause)
        )

    monkeypatch.setattr(loading.AutoModelForCausalLM, "from_pretrained", refuse)
    with pytest.raises(OSError, match="a gated repo") as caught:
        sv.load("meta-llama/Llama-3.2-1B")
    assert "accept its licence and log in" in str(caught.value)
    assert "sv.load()" in str(caught.value)


def test_an_empty_folder(tmp_path) -> None:
    with pytest.raises(OSError, match=r"does it hold\s+config\.json|could not be loaded"):
        sv.load(tmp_path)
