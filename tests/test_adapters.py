"""Adapters: what is written beside them, and the fingerprint of the base they belong to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import reference
import torch
from adapters import lora
from torch import nn
from transformers import AutoModelForCausalLM

import segviz as sv
from segviz.adapter import AdapterInfo, base_fingerprint, same_base

peft = pytest.importorskip("peft", reason="peft is an optional dependency")

INFO = AdapterInfo(
    mask="segment",
    scheme="commonsense",
    preset="system+user",
    base_model="meta-llama/Llama-3.2-1B",
    base_adapter=None,
    base_fingerprint="a1-b2",
    data_hash="c3",
    seed=7,
)


def saved(folder: Path, architecture: str, **info) -> tuple[Path, Path]:
    """A base and an adapter for it as folders, as a user has them."""
    base, adapter = folder / "base", folder / "adapter"
    model = reference.make(architecture)
    model.save_pretrained(base)
    reference.tokenizer().save_pretrained(base)
    about = {"base_model": str(base), "base_fingerprint": base_fingerprint(model)} | info
    lora(model).save_pretrained(adapter)
    AdapterInfo(**{"mask": "segment"} | about).save(adapter)
    return base, adapter


class TestInfo:
    def test_what_is_saved_is_read(self, tmp_path) -> None:
        INFO.save(tmp_path)
        assert AdapterInfo.read(tmp_path) == AdapterInfo.read(str(tmp_path)) == INFO
        assert json.loads((tmp_path / "segviz.json").read_text()) == asdict(INFO)
        assert INFO.segviz == sv.__version__

    def test_other_versions(self, tmp_path) -> None:
        path = tmp_path / "segviz.json"
        path.write_text(json.dumps(asdict(INFO) | {"windows": [3], "segviz": "9.0"}))
        assert asdict(AdapterInfo.read(tmp_path)) == asdict(INFO) | {"segviz": "9.0"}
        path.write_text('{"mask": "causal"}')
        assert AdapterInfo.read(tmp_path) == AdapterInfo("causal", segviz="")

    def test_there_is_none(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        for absent in (tmp_path, tmp_path / "none", "nobody/nothing", "not/a/hub/name"):
            assert AdapterInfo.read(absent) is None

    def test_from_the_hub(self, tmp_path, monkeypatch) -> None:
        """In the layout of the hub's cache, without a network."""
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        repository, commit = tmp_path / "models--someone--adapter", "c" * 40
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text(commit)
        snapshot = repository / "snapshots" / commit
        snapshot.mkdir(parents=True)
        assert AdapterInfo.read("someone/adapter", cache_dir=tmp_path) is None
        INFO.save(snapshot)
        assert AdapterInfo.read("someone/adapter", cache_dir=tmp_path) == INFO

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("{", "Expecting property name"),
            ("[1]", r"it holds \[1\]"),
            ("{}", "its mask is None; this segviz knows 'causal' and 'segment'"),
            ('{"mask": "prefix"}', "its mask is 'prefix'"),
            ('{"mask": ["segment"]}', r"its mask is \['segment'\]"),
            ('{"mask": "segment", "seed": "7"}', "'seed' is '7'"),
            ('{"mask": "segment", "scheme": null}', "'scheme' is None"),
            ('{"mask": "segment", "base_fingerprint": "abc"}', "'base_fingerprint' is 'abc'"),
            ("[" * 100_000, "recursion"),
        ],
    )
    def test_a_broken_file(self, tmp_path, text, sentence) -> None:
        (tmp_path / "segviz.json").write_text(text)
        with pytest.raises(ValueError, match=sentence) as caught:
            AdapterInfo.read(tmp_path)
        assert str(tmp_path / "segviz.json") in str(caught.value)
        assert "delete it" in str(caught.value)

    def test_no_place_to_write(self, tmp_path) -> None:
        with pytest.raises(FileNotFoundError, match="there is no folder"):
            INFO.save(tmp_path / "none")


class TestFingerprint:
    def test_another_base_has_another_one(self) -> None:
        bases = [reference.make(one) for one in reference.CONFIGS]
        bases += [reference.make("llama", seed=1), reference.make("mistral")]
        bases += [
            sv.load("tiny-llama", adapter=one).hf_model for one in (None, "segment", "causal")
        ]
        prints = [base_fingerprint(base) for base in bases]
        assert len(set(prints)) == len(prints)
        for i, one in enumerate(prints):
            for j, other in enumerate(prints):
                assert same_base(one, other) == (i == j)

    def test_one_layer_is_enough(self) -> None:
        model = reference.make("qwen3")
        before = base_fingerprint(model)
        with torch.no_grad():
            model.model.layers[-1].self_attn.o_proj.weight.normal_()
        assert same_base(before, base_fingerprint(model)) is False

    @pytest.mark.parametrize("architecture", reference.CONFIGS)
    def test_layers_of_peft_do_not_change_it(self, architecture) -> None:
        before = base_fingerprint(reference.make(architecture))
        for options in (
            {},
            {"target_modules": "all-linear"},
            {"use_dora": True},
            {"modules_to_save": ["o_proj", "lm_head", "embed_tokens"]},
            {"target_modules": ["q_proj", "embed_tokens"]},
        ):
            adapted = lora(reference.make(architecture), **options)
            assert base_fingerprint(adapted) == before, options
            assert base_fingerprint(adapted.get_base_model()) == before, options
        vectors = peft.IA3Config(target_modules=["k_proj"], feedforward_modules=[])
        assert (
            base_fingerprint(peft.get_peft_model(reference.make(architecture), vectors)) == before
        )
        assert base_fingerprint(lora(reference.make(architecture)).merge_and_unload()) != before

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_dtypes_do_not_change_it(self, tmp_path, dtype) -> None:
        model = reference.make("qwen2")
        before = base_fingerprint(model)
        model.to(dtype).save_pretrained(tmp_path)
        for read in (dtype, torch.float32):
            copy = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=read)
            assert copy.dtype == read
            assert base_fingerprint(copy) == before

    def test_a_padding_token_does_not_change_it(self) -> None:
        model = reference.make("llama")
        before = base_fingerprint(model)
        model.resize_token_embeddings(reference.VOCABULARY + 31)
        assert base_fingerprint(model) == before

    @pytest.mark.parametrize("hidden", ["integers", "meta", "quantizer"])
    def test_weights_that_cannot_be_seen(self, hidden) -> None:
        """Neither the same nor another base, but one of the same sizes."""
        model = reference.make("llama")
        before = base_fingerprint(model)
        projection = model.model.layers[1].mlp.up_proj
        if hidden == "integers":
            projection.weight = nn.Parameter(projection.weight.to(torch.int8), requires_grad=False)
        elif hidden == "meta":
            projection.to("meta")
        else:
            model.hf_quantizer = object()
        assert same_base(before, base_fingerprint(model)) is None
        assert (
            same_base(base_fingerprint(reference.make("qwen2")), base_fingerprint(model)) is False
        )


LOADED = """
import json, sys
import numpy as np, torch
import segviz as sv, reference
from segviz.adapter import base_fingerprint
torch.set_num_threads(1)
out = {}
for architecture, base, adapter in json.loads(sys.argv[1]):
    model = sv.load(base, adapter=adapter)
    prompt = reference.random_chat()
    trace = model.trace(prompt, model.default_mask)
    with torch.no_grad():
        logits = model.hf_model(torch.tensor([prompt.token_ids])).logits[0]
    out |= {
        f"{architecture}-attention": trace.attention(1, 3),
        f"{architecture}-logits": logits.numpy(),
        f"{architecture}-about": [model.default_mask, model.scheme, model.preset],
        f"{architecture}-fingerprint": base_fingerprint(model.hf_model),
    }
np.savez(sys.argv[2], **out)
"""


def test_in_a_new_process(tmp_path) -> None:
    """The same numbers as peft gives here, with the mask, scheme and preset of its tuning."""
    made = {one: saved(tmp_path / one, one, scheme="alpaca") for one in reference.CONFIGS}
    jobs = json.dumps([[one, str(base), str(adapter)] for one, (base, adapter) in made.items()])
    command = [sys.executable, "-W", "error::UserWarning", "-c", LOADED, jobs, tmp_path / "out.npz"]
    environment = os.environ | {"PYTHONPATH": str(Path(reference.__file__).parent)}
    subprocess.run(command, check=True, env=environment, capture_output=True)
    found = np.load(tmp_path / "out.npz")
    prompt = reference.random_chat()
    for one in reference.CONFIGS:
        tuned = lora(reference.make(one)).get_base_model().eval()
        eager = reference.eager_run(tuned, prompt.token_ids, prompt.segmentation)
        causal = reference.eager_run(tuned, prompt.token_ids, None)
        untuned = reference.eager_run(reference.make(one), prompt.token_ids, None)
        np.testing.assert_allclose(found[f"{one}-logits"], causal.logits, atol=1e-4)
        assert np.abs(found[f"{one}-logits"] - untuned.logits).max() > 0.1
        np.testing.assert_allclose(found[f"{one}-attention"], eager.attentions[1, 3], atol=1e-5)
        assert found[f"{one}-about"].tolist() == ["segment", "alpaca", "segment"]
        assert found[f"{one}-fingerprint"] == base_fingerprint(reference.make(one))
