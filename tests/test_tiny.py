"""The embedded model: its files, the bars its weights meet, its examples and its script."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace
from random import Random

import pytest
import torch
from transformers import AutoModelForCausalLM

from segviz.tiny import NAMES, folder
from segviz.tiny.accuracy import FACTS, Shipped, right_answers
from segviz.tiny.base import BaseTrainer, PlateauError
from segviz.tiny.batches import encode
from segviz.tiny.examples import EASY, FLIPPING, examples
from segviz.tiny.recipe import ALL, ONE_LINK, Gate, Recipe, Stage, Tuning
from segviz.tiny.tokenizer import build_tokenizer
from segviz.tiny.train import make
from segviz.tiny.world import QUESTION_SYSTEM, Example, Turn, chains, draw, words

TINY_RECIPE = Recipe(
    batch=4,
    stages=(
        Stage("one link", ONE_LINK, (Gate("chains", 0.0, links=1),), most_steps=2),
        Stage("all", ALL, (Gate("chains", 0.0, links=3), Gate("amounts", 0.0)), 2, hint=0.0),
    ),
    final_steps=2,
    gate_every=2,
    gate_questions=8,
    measured_prompts=8,
    tuning=Tuning(steps=2, examples=8),
)


@pytest.fixture(scope="module", params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def shipped(name) -> Shipped:
    return Shipped.load(name=name)


@pytest.fixture(scope="module")
def llama() -> Shipped:
    return Shipped.load(name="tiny-llama")


# The files


def test_folders(name):
    assert folder(name, None).name == "base"
    assert folder(name, "causal").is_dir()
    message = "no embedded model 'tiny-lama'; there is 'tiny-llama' or 'tiny-qwen'"
    with pytest.raises(ValueError, match=message):
        folder("tiny-lama", None)
    with pytest.raises(ValueError, match="no adapter 'both'; `adapter` is 'segment' or 'causal'"):
        folder(name, "both")


def test_import_is_light():
    code = "import sys, segviz.tiny, segviz.tiny.world, segviz.tiny.examples; "
    code += "assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_files_are_small_and_readable(name):
    files = [path for path in folder(name, None).parent.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 3 * 2**20
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in files)
    assert {path.name for path in files} >= {"model.safetensors", "report.json", "config.json"}


def test_the_architectures():
    llama, qwen = (Shipped.load(name=name).models["base"] for name in NAMES)
    assert llama.config.model_type == "llama"
    assert qwen.config.model_type == "qwen2"
    biases = {key: bias for key, bias in qwen.state_dict().items() if key.endswith("bias")}
    assert len(biases) == 3 * qwen.config.num_hidden_layers
    assert all(bias.abs().max() > 0 for bias in biases.values())  # trained, not zeros
    for model in (llama, qwen):
        assert model.config.num_attention_heads > model.config.num_key_value_heads


def test_the_checkpoints_differ_where_the_tuning_says(shipped):
    base = shipped.models["base"].state_dict()
    assert 100_000 <= shipped.models["base"].num_parameters() <= 1_000_000
    for name in ("causal", "segment"):
        tuned = shipped.models[name].state_dict()
        changed = {key for key in base if not torch.equal(base[key], tuned[key])}
        assert changed == {key for key in base if "q_proj.weight" in key or "v_proj.weight" in key}


# The bars


@pytest.fixture(scope="module")
def prompts() -> list[chains.Question]:
    rng = Random("the tests' own prompts")
    return [chains.draw_two_chains(rng) for _ in range(300)]


def test_the_other_families(shipped):
    rng = Random("the other families")
    for family in ("places", "owners", "amounts"):
        examples = [draw(family, rng) for _ in range(200)]
        for run in (("base", "causal"), ("causal", "causal"), ("segment", "segment")):
            assert shipped.family(run, examples) >= 0.85, (family, run)


def test_the_bars(shipped, prompts):
    tuned = shipped.accuracy(("segment", "segment"), prompts)
    assert tuned >= 0.95
    assert shipped.accuracy(("causal", "causal"), prompts) <= tuned - 0.1
    assert shipped.flipped_by_split(prompts) >= 0.2


def test_the_report_is_about_these_weights(name, shipped):
    report = json.loads((folder(name, None).parent / "report.json").read_text())
    reported = report["accuracies"]["two_chains"]
    rng = Random("accuracy/0")
    questions = [chains.draw_two_chains(rng) for _ in range(report["accuracies"]["prompts"])]
    for run in (("base", "causal"), ("segment", "segment")):
        assert shipped.accuracy(run, questions) == pytest.approx(reported["/".join(run)], abs=0.002)


def test_right_answers_agrees_with_generation(shipped, prompts):
    model, tokenizer = shipped.models["causal"], shipped.tokenizer
    some = prompts[:40]
    right = right_answers(model, tokenizer, [one.example for one in some], "causal").tolist()
    assert 0 < sum(right) < len(some)
    for question, expected in zip(some, right, strict=True):
        ids = tokenizer.apply_chat_template(
            question.example.messages, add_generation_prompt=True, return_tensors="pt"
        )["input_ids"]
        output = model.generate(ids, max_new_tokens=2, do_sample=False)
        text = tokenizer.decode(output[0, ids.shape[1] :])
        assert (text == f" {question.answer}<|end|>") == expected


# The examples


def asked(name: str) -> chains.Question:
    """A shipped example as a question."""
    user = examples[name][1]["content"]
    text, _, asked_name = user.removesuffix("?").partition(" Who leads ")
    words = text.replace(".", "").split()
    facts = [chains.Fact(words[i], words[i + 2]) for i in range(0, len(words), 3)]
    question = chains.Question(tuple(facts), asked_name)
    assert question.example.messages == examples[name]
    return question


def answer_probabilities(
    shipped: Shipped, run: tuple[str, str], question: chains.Question, split: int | None = None
) -> dict[str, float]:
    """The probability of each name as the answer."""
    batch = encode(shipped.tokenizer, [question.example], last_answer=False)
    if split is not None:
        batch = batch.split(shipped.tokenizer, split)
    with torch.inference_mode():
        logits = shipped.models[run[0]](batch.ids, attention_mask=batch.mask(run[1])).logits
    ids = shipped.tokenizer.convert_tokens_to_ids([f"Ġ{name}" for name in words.NAMES])
    return dict(zip(words.NAMES, logits[0, -1].softmax(-1)[ids].tolist(), strict=True))


@pytest.mark.parametrize("example", FLIPPING)
def test_a_flipping_example_flips(llama, example):
    question = asked(example)
    assert question.links == 3
    assert question.forward_links >= 1
    right = answer_probabilities(llama, ("segment", "segment"), question)
    assert right[question.answer] > 0.9
    for run in (("segment", "causal"), ("causal", "causal")):
        probabilities = answer_probabilities(llama, run, question)
        assert max(probabilities.values()) - probabilities[question.answer] > 0.5
    flips = 0
    for split in range(1, FACTS):
        probabilities = answer_probabilities(llama, ("segment", "segment"), question, split)
        flips += max(probabilities.values()) - probabilities[question.answer] > 0.5
    assert flips >= 2


RIGHT = {
    "chain-short": "Carl",
    "one-link": "Emil",
    "place": "kitchen",
    "owner": "Ben",
    "amount": "Tara",
}


@pytest.mark.parametrize("example", EASY)
def test_an_easy_example_is_right_under_both_masks(llama, example):
    answer = RIGHT[example]
    chat = Example(QUESTION_SYSTEM, (Turn(examples[example][1]["content"], answer),))
    assert chat.messages == examples[example]
    for run in (("segment", "segment"), ("segment", "causal"), ("causal", "causal")):
        model, mask = run
        assert right_answers(llama.models[model], llama.tokenizer, [chat], mask).all()


def test_the_examples():
    assert set(examples) == {*FLIPPING, *EASY}
    assert "chain" in FLIPPING
    for messages in examples.values():
        assert [message["role"] for message in messages] == ["system", "user"]


# The script


needs_muon = pytest.mark.skipif(
    not hasattr(torch.optim, "Muon"), reason="this torch has no Muon optimizer"
)


@needs_muon
@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_the_script_writes_three_checkpoints(tmp_path, capsys, architecture):
    accuracies = make(replace(TINY_RECIPE, architecture=architecture), 0, tmp_path)
    assert "right answers of the segment-tuned model" in accuracies.missed_bars()[0]
    assert "base, one link: step 2" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["steps"] == {"base": 6, "tuning": 2}
    assert report["accuracies"] == asdict(accuracies)
    models = [
        AutoModelForCausalLM.from_pretrained(tmp_path / name)
        for name in ("base", "causal", "segment")
    ]
    base, causal, segment = (model.state_dict() for model in models)
    name = "model.layers.0.self_attn.q_proj.weight"
    assert not torch.equal(base[name], causal[name])
    assert not torch.equal(causal[name], segment[name])
    assert torch.equal(base["model.embed_tokens.weight"], segment["model.embed_tokens.weight"])
    assert not (tmp_path / "base" / "model.safetensors").stat().st_mode & 0o111


@needs_muon
def test_the_script_gives_the_same_weights_again():
    first, again, other = (
        BaseTrainer(TINY_RECIPE, build_tokenizer(), seed, lambda _: None).train().state_dict()
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_a_torch_without_muon_is_told(monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon", raising=False)
    with pytest.raises(ImportError, match=r"torch\.optim\.Muon, which torch \d.* lacks"):
        BaseTrainer(TINY_RECIPE, build_tokenizer(), 0)


@needs_muon
def test_a_stage_that_is_not_learned_ends_with_a_sentence():
    stage = replace(TINY_RECIPE.stages[0], gates=(Gate("chains", 1.0, links=1),))
    recipe = replace(TINY_RECIPE, stages=(stage,))
    trainer = BaseTrainer(recipe, build_tokenizer(), 7, lambda _: None)
    with pytest.raises(
        PlateauError, match=r"“one link” was not passed after 2 steps \(chains of 1: 0.*than 7"
    ):
        trainer.train()
