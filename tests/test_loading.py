"""Loading: the embedded model, folders, adapters, and names that cannot be had."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import reference
import torch
from adapters import lora
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError

import segviz as sv
from segviz import cli, loading
from segviz.adapter import AdapterInfo, base_fingerprint


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


def test_a_dtype_that_weights_cannot_have(folder) -> None:
    for name in (folder, "tiny-llama"):
        for dtype in ("foo", "int8", "Tensor", torch.int8):
            said = f"dtype={dtype!r} is no dtype of weights; allowed are 'auto', 'float32', "
            with pytest.raises(ValueError, match=said):
                sv.load(name, dtype=dtype)
        for dtype in ("float64", torch.float64):
            assert sv.load(name, dtype=dtype).hf_model.dtype == torch.float64


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
    lora(reference.make("qwen2")).save_pretrained(tmp_path)
    model = sv.load(folder, adapter=tmp_path)
    prompt = reference.random_prompt(17, 2)
    base = sv.load(folder).trace(prompt)
    assert np.abs(model.trace(prompt).attention(1, 1) - base.attention(1, 1)).max() > 1e-3
    assert model.trace(prompt).recipe["adapter"] == str(tmp_path)
    with pytest.raises(OSError, match=r"adapter '.*nowhere' could not be loaded"):
        sv.load(folder, adapter=tmp_path / "nowhere")


def test_an_adapter_without_peft(folder, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(
        ImportError, match=r"needs peft: pip install 'segviz-attention\[finetune\]'"
    ):
        sv.load(folder, adapter="some/adapter")


def test_a_name_that_cannot_be_fetched_offline(monkeypatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match="'nobody/no-such-model' could not be loaded") as caught:
        sv.load("nobody/no-such-model")
    assert "sv.load() without a name gives the embedded model" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "meant"), [("qwen", "tiny-qwen"), ("llama", "tiny-llama"), ("tiny_lama", "tiny-llama")]
)
def test_a_misspelt_embedded_model(name, meant) -> None:
    with pytest.raises(ValueError, match=f"no model '{name}': did you mean '{meant}'"):
        sv.load(name)


def test_a_folder_at_home(folder, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert sv.load(f"~/{folder.name}").hf_model.config.num_hidden_layers > 0


@pytest.mark.parametrize("name", ["./typo", "../typo", "/typo", "~/typo", Path("/typo")])
def test_a_folder_that_is_not_there(name) -> None:
    with pytest.raises(FileNotFoundError, match=rf"there is no folder '{name}'"):
        sv.load(name)


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


def made_for(adapter, name) -> None:
    """Let peft's own file name a base."""
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": name}))


@pytest.fixture
def adapter(tmp_path):
    """One that was made elsewhere, for the checkpoint of ``folder``."""
    path = tmp_path / "adapter"
    lora(reference.make("qwen2")).save_pretrained(path)
    return path


@pytest.fixture
def info() -> AdapterInfo:
    """What segviz would say of it."""
    return AdapterInfo(
        mask="segment",
        scheme="commonsense",
        preset="system+user",
        base_model="Qwen/some-base",
        base_fingerprint=base_fingerprint(reference.make("qwen2")),
    )


def about(model) -> tuple:
    return model.default_mask, model.scheme, model.preset


class TestWhatAnAdapterWasTunedFor:
    def test_as_it_says(self, folder, adapter, info) -> None:
        assert about(sv.load(folder)) == (None, "chat", "segment")
        assert about(sv.load(folder, adapter=adapter)) == (None, "chat", "segment")
        info.save(adapter)
        model = sv.load(folder, adapter=adapter)
        assert about(model) == ("segment", "commonsense", "system+user")
        assert not model.trace(reference.random_prompt(9, 1)).untuned

    def test_as_the_caller_says(self, folder, adapter, info) -> None:
        said = {"default_mask": "segment", "scheme": "commonsense"}
        model = sv.load(folder, adapter=adapter, **said)
        assert about(model) == ("segment", "commonsense", "segment")
        assert not model.trace(reference.random_prompt(9, 1)).untuned
        info.save(adapter)
        other = {"default_mask": "causal", "scheme": "alpaca", "preset": "prefix-LM"}
        assert about(sv.load(folder, adapter=adapter, **other)) == tuple(other.values())
        assert about(sv.load("tiny-llama", scheme="alpaca")) == ("segment", "alpaca", "segment")

    @pytest.mark.parametrize(
        ("said", "sentence"),
        [
            ({"default_mask": "segmnt"}, "default_mask='segmnt' is.*did you mean 'segment'"),
            ({"scheme": "alpacca"}, "scheme='alpacca' is.*did you mean 'alpaca'"),
            ({"preset": "system"}, "preset='system' is unknown"),
        ],
    )
    def test_what_there_is_not(self, said, sentence) -> None:
        """Told before anything is loaded."""
        with pytest.raises(ValueError, match=sentence):
            sv.load("no/such-model", **said)
        with pytest.raises(ValueError, match=sentence):
            sv.Model(reference.make("llama"), reference.tokenizer(), **said)

    def test_of_a_later_version(self, adapter, info) -> None:
        replace(info, scheme="dolly").save(adapter)
        with pytest.raises(ValueError, match="scheme='dolly' is unknown"):
            sv.load("no/such-model", adapter=adapter)

    def test_a_broken_file(self, adapter) -> None:
        (adapter / "segviz.json").write_text("{")
        with pytest.raises(ValueError, match=r"segviz\.json' does not say"):
            sv.load("no/such-model", adapter=adapter)


class TestAnotherBase:
    def test_the_weights_decide(self, folder, adapter, info, tmp_path) -> None:
        """A copy under another name is the same base, another base of the same name is not."""
        info.save(adapter)
        made_for(adapter, "Qwen/some-base")
        shutil.copytree(folder, tmp_path / "renamed")
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            sv.load(tmp_path / "renamed", adapter=adapter)
            sv.load(tmp_path / "renamed", adapter=adapter, dtype="bfloat16")
        other = tmp_path / "some-base"
        reference.make("qwen2", seed=1).save_pretrained(other)
        reference.tokenizer().save_pretrained(other)
        with pytest.warns(
            UserWarning, match="was made for 'Qwen/some-base', and '.*some-base'"
        ) as told:
            sv.load(other, adapter=adapter)
        assert [one.filename for one in told if one.category is UserWarning] == [__file__]

    @pytest.mark.parametrize(
        ("recorded", "same"),
        [
            ("", True),
            ("{folder}", True),
            ("/elsewhere/{name}/", True),
            ("Owner/{NAME}", True),
            ("C:\\models\\{name}", True),
            ("/cache/models--owner--{name}/snapshots/0123", True),
            ("owner/other", False),
            ("owner/{name}-Instruct", False),
        ],
    )
    def test_or_else_the_names(self, folder, adapter, recorded, same) -> None:
        name = recorded.format(folder=folder, name=folder.name, NAME=folder.name.upper())
        made_for(adapter, name)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            sv.load(folder, adapter=adapter)
        sentences = [str(one.message) for one in told if one.category is UserWarning]
        assert len(sentences) == (0 if same else 1)
        if not same:
            assert f"was made for {name!r}, and {str(folder)!r} is another" in sentences[0]

    def test_names_decide_where_the_weights_cannot_be_seen(self, folder, adapter, info) -> None:
        sizes = info.base_fingerprint.split("-")[0]
        replace(info, base_fingerprint=f"{sizes}-", base_model="owner/other").save(adapter)
        with pytest.warns(UserWarning, match="was made for 'owner/other'"):
            sv.load(folder, adapter=adapter)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"num_key_value_heads": 6}, "size mismatch"),
            ({"hidden_size": 96}, "size mismatch"),
            ({"num_hidden_layers": 2}, "layer 2 of a model with 2 layers"),
            ({"num_hidden_layers": 5}, "missing adapter keys"),
        ],
    )
    def test_weights_that_do_not_fit(self, adapter, tmp_path, change, reason) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reference, "_SHAPE", reference._SHAPE | change)
            reference.make("qwen2").save_pretrained(tmp_path / "other")
        reference.tokenizer().save_pretrained(tmp_path / "other")
        made_for(adapter, "owner/base")
        with pytest.raises(ValueError, match="does not fit '.*other': it was made for") as caught:
            sv.load(tmp_path / "other", adapter=adapter)
        assert "'owner/base'; load it on that" in str(caught.value)
        assert reason in str(caught.value)
        assert len(str(caught.value)) < 500 + len(str(tmp_path)) * 2

    def test_modules_that_are_not_there(self, folder, adapter) -> None:
        path = adapter / "adapter_config.json"
        about = json.loads(path.read_text()) | {"target_modules": ["query_key_value"]}
        path.write_text(json.dumps(about))
        with pytest.raises(
            ValueError, match="does not fit .* was made for another model.*query_key"
        ):
            sv.load(folder, adapter=adapter)


class TestBrokenAdapters:
    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("adapter_config.json", None),
            ("adapter_config.json", b"{"),
            ("adapter_config.json", b"{}"),
            ("adapter_model.safetensors", b"\x08\x00\x00"),
        ],
    )
    def test_told_as_such(self, folder, adapter, name, data) -> None:
        (adapter / name).unlink()
        if data is not None:
            (adapter / name).write_bytes(data)
        with pytest.raises(OSError, match="adapter '.*' could not be loaded") as caught:
            sv.load(folder, adapter=adapter)
        assert "with adapter_config.json and its weights" in str(caught.value)

    def test_no_weights(self, folder, adapter, monkeypatch) -> None:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        (adapter / "adapter_model.safetensors").unlink()
        with pytest.raises(OSError, match="could not be loaded"):
            sv.load(folder, adapter=adapter)

    def test_weights_as_a_pickle(self, folder, tmp_path, adapter) -> None:
        expected = sv.load(folder, adapter=adapter)
        pickled = tmp_path / "pickled"
        pickled.mkdir()
        shutil.copy(adapter / "adapter_config.json", pickled)
        import safetensors.torch  # noqa: PLC0415

        weights = safetensors.torch.load_file(adapter / "adapter_model.safetensors")
        torch.save(weights, pickled / "adapter_model.bin")
        prompt = reference.random_prompt(17, 2)
        np.testing.assert_array_equal(
            sv.load(folder, adapter=pickled).trace(prompt).attention(2, 1),
            expected.trace(prompt).attention(2, 1),
        )


class TestAdaptersOfTheEmbeddedModels:
    @pytest.fixture(params=[None, "segment", "causal"])
    def tuned(self, request, tmp_path):
        """An adapter on a version of the embedded model, and that version."""
        base = sv.load("tiny-llama", adapter=request.param)
        info = AdapterInfo(
            "causal",
            preset="system+user",
            base_model="tiny-llama",
            base_adapter=request.param,
            base_fingerprint=base_fingerprint(base.hf_model),
        )
        lora(base.hf_model).save_pretrained(tmp_path)
        info.save(tmp_path)
        return tmp_path, request.param, base

    def test_on_the_version_it_was_made_for(self, tuned) -> None:
        path, version, base = tuned
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            model = sv.load("tiny-llama", adapter=str(path))
        assert (model.name, model.adapter) == ("tiny-llama", str(path))
        assert about(model) == ("causal", "chat", "system+user")
        prompt = base.chat(sv.examples["chain"])
        adapted = model.trace(prompt, "causal")
        assert adapted.recipe["adapter"] == str(path)
        # Peft has put the layers into the base at hand, too.
        np.testing.assert_array_equal(
            adapted.attention(1, 1), base.trace(prompt, "causal").attention(1, 1)
        )
        plain = sv.load("tiny-llama", adapter=version).trace(prompt, "causal")
        assert np.abs(adapted.attention(1, 1) - plain.attention(1, 1)).max() > 0.01

    def test_made_elsewhere_it_stands_on_the_causal_base(self, tmp_path) -> None:
        base = sv.load("tiny-llama", adapter=None)
        lora(base.hf_model).save_pretrained(tmp_path)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            model = sv.load("tiny-llama", adapter=tmp_path)
        assert about(model) == (None, "chat", "segment")
        assert base_fingerprint(model.hf_model) == base_fingerprint(base.hf_model)

    def test_weights_that_were_trained_anew(self, tmp_path) -> None:
        lora(sv.load("tiny-llama", adapter="segment").hf_model).save_pretrained(tmp_path)
        info = AdapterInfo("segment", base_model="tiny-llama", base_adapter="segment")
        base = sv.load("tiny-llama", adapter=None)
        replace(info, base_fingerprint=base_fingerprint(base.hf_model)).save(tmp_path)
        with pytest.warns(UserWarning, match="for 'tiny-llama' with adapter='segment', and"):
            sv.load("tiny-llama", adapter=tmp_path)

    def test_no_such_adapter(self, tmp_path) -> None:
        for absent in ("mas", "owner/adapter", tmp_path, tmp_path / "none"):
            with pytest.raises(ValueError, match="has no adapter '.*'; allowed are") as caught:
                sv.load("tiny-llama", adapter=absent)
            assert "and the folder of a LoRA adapter" in str(caught.value)

    def test_from_the_command_line(self, tuned, capsys, tmp_path) -> None:
        path = tuned[0]
        options = ["--adapter", str(path), "--example", "one-link", "--max-new-tokens", "1"]
        assert cli.main(["compare", *options, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        for mask in ("causal", "segment"):
            assert told[mask]["recipe"]["model"] == "tiny-llama"
            assert told[mask]["recipe"]["adapter"] == str(path)
            assert told[mask]["recipe"]["default_mask"] == "causal"
        trace, figure = tmp_path / "run.safetensors", tmp_path / "figure.pdf"
        model = sv.load("tiny-llama", adapter=path)
        model.trace(sv.examples["one-link"]).save(trace)
        sv.figures.flow(sv.Trace.load(trace)).savefig(figure)
        again = tmp_path / "again.pdf"
        assert cli.main(["figure", "--redraw", str(figure), "-o", str(again)]) == 0
        assert again.read_bytes() == figure.read_bytes()
