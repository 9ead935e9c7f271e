"""Where a model's weights may be: several devices, main memory, the disk, fewer bits per number."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import reference
import torch
from torch.utils import backend_registration
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, TorchAoConfig

import segviz as sv
from segviz.support import computing_device

accelerate = pytest.importorskip("accelerate", reason="accelerate is optional")

CPU = torch.device("cpu")
TESTS = Path(__file__).parent
# Kernels for 4 bits want sizes in multiples of 64.
QUANTIZABLE = {
    "hidden_size": 192,
    "head_dim": 32,
    "intermediate_size": 256,
    "initializer_range": 0.08,
}


def tied_model():
    """As many small models are: the head shares its weights with the embedding."""
    hf_model = reference.make("llama")
    hf_model.config.tie_word_embeddings = True
    hf_model.tie_weights()
    return hf_model


def with_a_layer_on_disk(hf_model, folder):
    places = {"model.embed_tokens": CPU, "model.norm": CPU, "model.rotary_emb": CPU, "lm_head": CPU}
    places |= {f"model.layers.{i}": place for i, place in enumerate([CPU, "disk", CPU])}
    return accelerate.dispatch_model(hf_model, places, offload_dir=folder)


def with_the_head_on_disk(hf_model, folder):
    places = {"model": CPU, "lm_head": "disk"}
    return accelerate.dispatch_model(hf_model, places, offload_dir=folder)


def all_in_memory(hf_model, _folder):
    return accelerate.cpu_offload(hf_model, CPU)


def all_on_disk(hf_model, folder):
    return accelerate.disk_offload(hf_model, str(folder), CPU)


@pytest.mark.parametrize(
    ("make", "offloaded"),
    [
        (lambda: reference.make("qwen2"), with_a_layer_on_disk),
        (lambda: reference.make("llama"), with_the_head_on_disk),
        (lambda: reference.make("qwen3"), all_in_memory),
        (lambda: reference.make("llama"), all_on_disk),
        (tied_model, all_in_memory),
        (tied_model, all_on_disk),
    ],
)
def test_weights_that_are_nowhere_between_the_calls(make, offloaded, tmp_path) -> None:
    hf_model = offloaded(make(), tmp_path)
    assert any(parameter.device.type == "meta" for parameter in hf_model.parameters())
    model = sv.Model(hf_model, reference.tokenizer())
    expected = sv.Model(make(), reference.tokenizer())
    prompt = reference.random_chat()
    for mask in ("causal", "segment"):
        same_traces(*(m.trace(prompt, mask, max_new_tokens=5) for m in (model, expected)))
    assert model.weights() == model.weights()
    edited = prompt.with_segmentation(prompt.segmentation.move_boundary(1, 20))
    rows = []
    hf_model.get_input_embeddings().register_forward_hook(
        lambda _module, inputs, _output: rows.append(inputs[0].shape[1])
    )
    same_traces(model.trace(edited), expected.trace(edited))
    assert rows == [30 - 3], "the segment before the edit was not reused"
    assert model.trace(prompt).receipt.output_error == pytest.approx([0] * 3, abs=1e-5)
    divergence = sv.compare(model, prompt, max_new_tokens=3).divergence()
    np.testing.assert_allclose(
        divergence, sv.compare(expected, prompt, max_new_tokens=3).divergence(), atol=1e-4
    )


def same_traces(trace: sv.Trace, expected: sv.Trace) -> None:
    assert trace.token_ids == expected.token_ids
    for layer in range(reference.LAYERS):
        for head in range(reference.HEADS):
            np.testing.assert_allclose(
                trace.attention(layer, head), expected.attention(layer, head), atol=1e-5
            )
    last = zip(trace.next_tokens(-1), expected.next_tokens(-1), strict=True)
    for (token, probability), (expected_token, expected_probability) in last:
        assert token == expected_token
        assert probability == pytest.approx(expected_probability, abs=1e-5)


def test_where_a_module_computes(tmp_path) -> None:
    hf_model = reference.make("llama")
    assert computing_device(hf_model) == CPU
    all_on_disk(hf_model, tmp_path)
    assert hf_model.device.type == "meta"
    assert computing_device(hf_model) == CPU
    assert computing_device(hf_model.model.layers[1]) == CPU
    with torch.device("meta"):
        assert computing_device(torch.nn.Linear(2, 3)).type == "meta"


@pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="this torch cannot pretend a device",
)
def test_two_accelerators() -> None:
    """Pretended ones, in a process of their own, which they do not leave."""
    cases = TESTS / "placed_cases.py"
    command = [sys.executable, "-m", "pytest", str(cases), "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "placed" not in sys.modules


# Fewer bits per number


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint")
    config = reference.make("llama").config
    config.update(QUANTIZABLE)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(path)
    reference.tokenizer().save_pretrained(path)
    return path


def torchao_config():
    quantization = pytest.importorskip("torchao.quantization", reason="torchao is optional")
    return TorchAoConfig(quantization.Int8WeightOnlyConfig())


def bitsandbytes_config(**options):
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is optional")
    return BitsAndBytesConfig(**options)


@pytest.mark.parametrize(
    "config",
    [
        lambda: bitsandbytes_config(load_in_8bit=True),
        lambda: bitsandbytes_config(load_in_4bit=True),
        lambda: bitsandbytes_config(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16),
        torchao_config,
    ],
    ids=["8 bits", "4 bits", "4 bits computing in bfloat16", "torchao"],
)
def test_quantized_weights(folder, config) -> None:
    model = sv.load(folder, quantization_config=config(), device_map="cpu")
    assert model.hf_model.hf_quantizer is not None
    prompt = reference.random_chat()
    exact = sv.load(folder)
    for mask, segmentation in (("causal", None), ("segment", prompt.segmentation)):
        model.clear_cache()
        trace = model.trace(prompt, mask)
        attention = np.stack([[trace.attention(i, k) for k in range(6)] for i in range(3)])
        expected = reference.eager_run(model.hf_model, prompt.token_ids, segmentation)
        # Their kernels compute in half precision.
        np.testing.assert_allclose(attention, expected.attentions, atol=0.02)
        assert np.abs(attention[1, 4] - exact.trace(prompt, mask).attention(1, 4)).max() > 1e-4
        assert len(model.trace(prompt, mask, max_new_tokens=4).tokens) > prompt.length
    # The activations have more bits than the weights.
    assert model.estimate(prompt).keys == sum(layer.keys.nbytes for layer in trace.layers)


def test_options_reach_transformers_untouched(folder, monkeypatch) -> None:
    given = {
        "quantization_config": BitsAndBytesConfig(load_in_4bit=True),
        "device_map": {"": "cpu"},
        "max_memory": {0: "10GB"},
        "offload_folder": "somewhere",
    }
    seen = {}

    def from_pretrained(_name, **options):
        seen.update(options)
        return reference.make("llama")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", from_pretrained)
    sv.load(folder, **given)
    assert {name: seen[name] for name in given} == given
    assert all(seen[name] is value for name, value in given.items())


def test_a_device_map_of_transformers(folder, tmp_path) -> None:
    places = {"model.layers.1": "disk", "model.layers.2": "cpu", "model.layers.0": "cpu"}
    places |= dict.fromkeys(["model.embed_tokens", "model.norm", "model.rotary_emb"], "cpu")
    places |= {"lm_head": "cpu"}
    model = sv.load(folder, device_map=places, offload_folder=tmp_path)
    prompt = reference.random_chat()
    same_traces(
        model.trace(prompt, max_new_tokens=3), sv.load(folder).trace(prompt, max_new_tokens=3)
    )
    automatic = sv.load(folder, device_map="auto")
    same_traces(automatic.trace(prompt), sv.load(folder).trace(prompt))
