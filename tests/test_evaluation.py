"""Evaluations: accuracies against single runs and full passes, resumed, compared, and shown."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import reference
import templates
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import segviz as sv
from segviz.evaluation import Evaluation, Task, evaluate, work

NAMES = (
    "Anna", "Ben", "Carl", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivan", "Jane", "Kurt", "Lena",
)  # fmt: skip
MASKS = ("causal", "segment")


def chat(system: str, user: str, answer: str) -> list[dict]:
    roles = zip(("system", "user", "assistant"), (system, user, answer), strict=True)
    return [{"role": role, "content": content} for role, content in roles]


def chain(rng: random.Random) -> list[dict]:
    """Two chains of three links, some link of the asked one pointing forward."""
    while True:
        names = rng.sample(NAMES, 8)
        facts = [*pairwise(names[:4]), *pairwise(names[4:])]
        order = rng.sample(facts, 6)
        places = [order.index(fact) for fact in facts[:3]]
        if places != sorted(places, reverse=True):
            break
    text = " ".join(f"{follower} follows {leader}." for follower, leader in order)
    return chat("Answer with one word.", f"{text} Who leads {names[0]}?", names[3])


@pytest.fixture(scope="module")
def chains() -> list[list[dict]]:
    rng = random.Random(0)
    return [chain(rng) for _ in range(150)]


@pytest.fixture(scope="module")
def model() -> sv.Model:
    return sv.load()


@pytest.fixture(scope="module")
def evaluation(model, chains) -> Evaluation:
    task = Task("chains", chains, choices=NAMES)
    return evaluate(model, [task], max_new_tokens=4, batch_size=32, progress=False)


def run(model, tasks, **options) -> Evaluation:
    defaults = {"max_new_tokens": 3, "progress": False, "methods": ("generation",)}
    return evaluate(model, tasks, **(defaults | options))


def predictions(evaluation, task="chains", method="generation") -> dict[str, tuple]:
    outcomes = evaluation.tasks[task].outcomes
    return {mask: outcomes[mask][method].predictions for mask in evaluation.masks}


# What is measured


def test_the_embedded_model_is_as_good_as_it_is_said_to_be(evaluation) -> None:
    for method in ("generation", "likelihood"):
        assert evaluation.accuracy("chains", "segment", method).value > 0.95
        assert 0.3 < evaluation.accuracy("chains", "causal", method).value < 0.65
        change = evaluation.compare(evaluation, "segment", "causal", method).tasks["chains"]
        assert change.p < 1e-6
        assert change.difference.low > 0.1


def test_generation_is_that_of_single_runs(evaluation, model, chains) -> None:
    for mask, found in predictions(evaluation).items():
        for record, prediction in zip(chains[:40], found, strict=False):
            assert prediction == model.trace(record[:-1], mask, 4).generated_text.strip()


def test_likelihood_is_that_of_full_passes(evaluation, model, chains) -> None:
    for mask, found in predictions(evaluation, method="likelihood").items():
        for record, prediction in zip(chains[:10], found, strict=False):
            prompt = model.chat(record[:-1])
            segmentation = prompt.segmentation if mask == "segment" else None
            scores = []
            for name in NAMES:
                # Without a header of its own, the last turn ends where the next one would begin.
                whole = model.chat([*record[:-1], {"role": "assistant", "content": name}])
                ids = whole.token_ids
                assert ids[: prompt.length] == prompt.token_ids
                logits = torch.from_numpy(
                    reference.eager_run(model.hf_model, ids, segmentation).logits
                )
                likely = logits.log_softmax(-1)
                scores.append(
                    sum(float(likely[i - 1, ids[i]]) for i in range(prompt.length, len(ids)))
                )
            assert prediction == NAMES[int(np.argmax(scores))]


def test_everything_is_in_the_records_order(evaluation, chains) -> None:
    task = evaluation.tasks["chains"]
    assert task.numbers == tuple(range(len(chains)))
    assert task.expected == tuple(record[-1]["content"] for record in chains)
    for outcomes in task.outcomes.values():
        for outcome in outcomes.values():
            assert outcome.right.tolist() == [
                one == other for one, other in zip(outcome.predictions, task.expected, strict=True)
            ]


def test_batches_of_any_size_give_the_same(model) -> None:
    mixed = [
        chat("Answer with one word.", " ".join(f"{a} follows {b}." for a, b in pairs), "Ben")
        for pairs in ([("Anna", "Ben")], [("Carl", "Ben")] * 3, [("Gus", "Fay"), ("Fay", "Ben")])
    ] * 3
    found = [predictions(run(model, mixed, batch_size=size), "records") for size in (1, 4, 100)]
    assert found[0] == found[1] == found[2]
    assert len(set(found[0]["segment"])) > 1


def test_likelihood_per_token() -> None:
    """A choice of more tokens loses by its sum, and not by its mean."""
    hf_model = reference.make("qwen2")
    model = sv.Model(hf_model, reference.tokenizer())
    model.tokenizer.chat_template = (
        "{% for m in messages %}w4 {{ m.content }} w1 {% endfor %}"
        "{% if add_generation_prompt %}w4 {% endif %}"
    )
    rng = random.Random(1)
    choices = ["w9", "w20 w21 w22 w23 w24 w25"]
    records = [
        [
            {"role": "user", "content": " ".join(f"w{rng.randrange(4, 97)}" for _ in range(9))},
            {"role": "assistant", "content": rng.choice(choices)},
        ]
        for _ in range(20)
    ]
    methods = ("likelihood", "likelihood per token")
    evaluation = run(model, {"t": Task("t", records, choices)}, methods=methods)
    by_sum, by_mean = (predictions(evaluation, "t", method)["segment"] for method in methods)
    assert set(by_sum) == {"w9"}
    assert set(by_mean) == set(choices)


@pytest.mark.parametrize("scheme", ["alpaca", "commonsense", "chat"])
def test_instructions_in_every_scheme(scheme) -> None:
    tokenizer = templates.tokenizer("llama3")
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,
    )
    model = sv.Model(LlamaForCausalLM(config).eval(), tokenizer)
    records = [
        {
            "instruction": f"Who reads the letter?{' Hello.' * number}",
            "input": "The baker reads." * (number % 2),
            "output": f"the correct answer is {answer}",
            "answer": answer,
        }
        for number, answer in enumerate(["true", "false", "true"])
    ]
    evaluation = run(model, {"boolq": records}, scheme=scheme, methods=("generation", "likelihood"))
    assert evaluation.settings["scheme"] == scheme
    for mask in MASKS:
        for record, prediction in zip(records, predictions(evaluation, "boolq")[mask], strict=True):
            text = model.trace(model.prompt(record, scheme=scheme), mask, 3).generated_text
            named = re.search("true|false", text)
            assert prediction == (named.group() if named else None)
    chosen = predictions(evaluation, "boolq", "likelihood")
    assert {*chosen["causal"], *chosen["segment"]} <= {"true", "false"}


def test_the_models_own_scheme_and_preset(model, chains, monkeypatch) -> None:
    plain = run(model, chains[:30])
    assert (plain.settings["scheme"], plain.settings["preset"]) == ("chat", "segment")
    monkeypatch.setattr(model, "preset", "by sentence")
    cut = run(model, chains[:30])
    assert cut.settings["preset"] == "by sentence"
    assert predictions(cut, "records")["causal"] == predictions(plain, "records")["causal"]
    assert predictions(cut, "records")["segment"] != predictions(plain, "records")["segment"]
    assert predictions(run(model, chains[:30], preset="segment"), "records") == predictions(
        plain, "records"
    )


def test_an_adapter_takes_part(chains) -> None:
    peft = pytest.importorskip("peft", reason="peft is an optional dependency")
    model = sv.load()
    before = run(model, chains[:20])
    torch.manual_seed(0)
    config = peft.LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    tuned = peft.get_peft_model(model.hf_model, config)
    adapted = sv.Model(tuned, model.tokenizer)
    found = run(adapted, chains[:20])
    assert predictions(found, "records") != predictions(before, "records")
    wanted = tuple(adapted.trace(x[:-1], "segment", 3).generated_text.strip() for x in chains[:20])
    assert predictions(found, "records")["segment"] == wanted
    with tuned.disable_adapter():
        off = run(adapted, chains[:20])
    assert predictions(off, "records") == predictions(before, "records")
    prints = [one.settings["weights"] for one in (before, found, off)]
    assert len(set(prints)) == 3


# What cannot be answered


def test_records_that_are_too_long_are_left_out(model, chains, monkeypatch) -> None:
    short, long = chains[0], chat("Answer with one word.", "Anna follows Ben. " * 12, "Ben")
    length = model.chat(short[:-1]).length
    assert model.chat(long[:-1]).length > length
    monkeypatch.setattr(model.hf_model.config, "max_position_embeddings", length + 3)
    evaluation = run(model, {"t": [long, short, long, short]})
    task = evaluation.tasks["t"]
    assert (task.numbers, task.left_out) == ((1, 3), 2)
    assert all(len(predictions(evaluation, "t")[mask]) == 2 for mask in MASKS)
    assert "t: 2 of 4 records are left out" in evaluation.to_markdown()
    with pytest.raises(ValueError, match=rf"'t': .* exceeds the {length + 3} positions"):
        run(model, {"t": [long]})
    with pytest.raises(ValueError, match="exceeds"):
        run(model, {"t": [short]}, max_new_tokens=4)


def test_a_task_without_choices(model, chains) -> None:
    tasks = {"free": [chains[0]], "named": Task("named", chains[:3], choices=NAMES)}
    evaluation = run(model, tasks, methods=("likelihood", "generation"))
    rows = {(row["task"], row["method"]) for row in evaluation.table()}
    assert rows == {
        *[("free", "generation"), ("named", "generation"), ("mean", "generation")],
        ("named", "likelihood"),
    }
    assert "free: not answered by likelihood" in evaluation.to_markdown()
    with pytest.raises(ValueError, match="method of 'free' 'likelihood' was not evaluated"):
        evaluation.accuracy("free", "causal", "likelihood")
    alone = run(model, tasks, methods=["likelihood"])
    assert [row["task"] for row in alone.table()] == ["named"]
    with pytest.raises(ValueError, match="method of 'free' 'likelihood' .*; there is none"):
        alone.accuracy("free", "causal", "likelihood")
    free = run(model, {"free": [chains[0]]}, methods=("likelihood", "generation"))
    for call in (free.mean, partial(free.compare, free)):
        with pytest.raises(ValueError, match="no task was answered by 'likelihood'.*'generation'$"):
            call("causal", method="likelihood")
    with pytest.raises(ValueError, match="no task has choices, which likelihood needs"):
        run(model, {"free": [chains[0]]}, methods=["likelihood"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"masks": ("causal", "causal")}, "masks=.*allowed are 'causal', 'segment', each once"),
        ({"masks": ()}, "masks="),
        ({"masks": "both"}, "masks='both'"),
        ({"methods": ("guessing",)}, "methods=.*'likelihood per token', each once"),
        ({"batch_size": 0}, "batch_size=0; it is an integer from 1 on"),
        ({"max_new_tokens": 0}, "max_new_tokens=0"),
        ({"limit": 0}, "limit=0; allowed are 1 or more"),
        ({"confidence": 95}, "confidence=95"),
        ({"scheme": "alpacca"}, "alpacca.*alpaca"),
        ({"preset": "sentences"}, "preset='sentences'"),
    ],
)
def test_bad_arguments(model, chains, options, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        run(model, {"t": chains[:2]}, **options)


def test_a_bad_record_is_named(model, chains) -> None:
    broken = [*chains[0][:-1], {"role": "assistant", "content": "Ben", "tool_calls": None}]
    with pytest.raises(ValueError, match="'t': record 2 has no output"):
        run(model, {"t": [broken, {"instruction": "Who?"}]})
    instruction = {"instruction": "Who?", "output": "it is Ben", "answer": "Carl"}
    with pytest.raises(
        ValueError, match="task 't': record 2: the answer 'it is Ben' does not hold"
    ):
        run(
            model,
            {"t": [{**instruction, "answer": "Ben"}, instruction]},
            methods=["likelihood"],
        )


def test_a_model_of_transformers(model, chains) -> None:
    with pytest.raises(TypeError, match="takes a segviz.Model, not a LlamaForCausalLM: sv.load"):
        run(model.hf_model, chains[:1])


def test_another_models_tokenizer(chains) -> None:
    model = sv.Model(reference.make("llama"), sv.load().tokenizer)
    with pytest.raises(ValueError, match=r"'records': record 1 holds token id \d+, .* 97 tokens"):
        run(model, chains[:1])


def test_one_mask(model, chains) -> None:
    evaluation = run(model, chains[:4], masks="segment")
    assert evaluation.masks == ("segment",)
    assert "p |" not in evaluation.to_markdown()
    assert not {"p", "difference", "causal"} & set(evaluation.table()[0])


@pytest.mark.parametrize("method", ["likelihood", "generation"])
def test_a_model_that_gives_no_number(chains, method) -> None:
    model = sv.load()
    model.hf_model.model.norm.weight.data[:] = float("nan")
    with pytest.raises(FloatingPointError, match=r"no number for record 1 \(NaN"):
        run(model, Task("records", chains[:1], NAMES), methods=[method])


# Too little memory, progress


def test_batches_get_smaller_where_memory_is_short(model, chains, monkeypatch) -> None:
    wanted, sizes = predictions(run(model, chains[:20]), "records"), []

    def answer(model, items, mask, max_new_tokens):
        sizes.append(len(items))
        if len(items) > 5:
            raise torch.OutOfMemoryError("too much")
        return original(model, items, mask, max_new_tokens)

    original = work.answer
    monkeypatch.setattr(work, "answer", answer)
    with pytest.warns(UserWarning, match=r"out of memory with \d+ prompts") as caught:
        found = run(model, chains[:20], masks="segment")
    assert sizes == [16, 8, 4, 4, 4, 4, 4]
    assert predictions(found, "records")["segment"] == wanted["segment"]
    assert [str(one.message)[-12:] for one in caught] == ["batches of 8", "batches of 4"]
    assert {one.filename for one in caught} == {__file__}


def test_the_longest_prompts_come_first(model, chains, monkeypatch) -> None:
    """So that a batch that does not fit shows at once."""
    lengths, original = [], work.answer

    def answer(model, items, mask, max_new_tokens):
        lengths.extend(item.length for item in items)
        return original(model, items, mask, max_new_tokens)

    monkeypatch.setattr(work, "answer", answer)
    short = chat("Answer with one word.", "Anna follows Ben. Who leads Anna?", "Ben")
    found = run(model, [short, *chains[:2], short], masks="segment", batch_size=2)
    assert lengths == sorted(lengths, reverse=True)
    assert len(set(lengths)) > 1
    assert predictions(found, "records")["segment"][0] == "Ben"


def test_one_prompt_that_does_not_fit(model, chains, monkeypatch) -> None:
    def answer(*_):
        raise torch.OutOfMemoryError("too much")

    monkeypatch.setattr(work, "answer", answer)
    with pytest.raises(torch.OutOfMemoryError):
        run(model, chains[:1])


def test_progress(model, chains, capsys) -> None:
    run(model, {"chains": chains[:4]})
    assert capsys.readouterr() == ("", "")
    run(model, {"chains": chains[:4]}, progress=True)
    shown = capsys.readouterr()
    assert not shown.out
    assert "chains, causal" in shown.err
    assert re.search(r"chains, segment: 100%.*4/4.*\d % right", shown.err)


# Resumed


SCRIPT = """
import os, signal, sys
import segviz as sv
from segviz.evaluation import evaluate, work

original, calls = work.answer, []
def answer(*arguments):
    calls.append(1)
    if len(calls) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments)
work.answer = answer
evaluate(sv.load(), sys.argv[1], batch_size=4, max_new_tokens=3, methods=["generation"],
         output=sys.argv[2], progress=False)
"""


@pytest.fixture
def counted(monkeypatch) -> list[int]:
    """The numbers of records that were answered, batch by batch."""
    sizes, original = [], work.answer

    def answer(model, items, *arguments):
        sizes.append(len(items))
        return original(model, items, *arguments)

    monkeypatch.setattr(work, "answer", answer)
    return sizes


def test_a_run_that_was_killed_goes_on(model, chains, tmp_path, counted) -> None:
    data, output = tmp_path / "chains.jsonl", tmp_path / "out"
    data.write_text("\n".join(map(json.dumps, chains[:10])))
    command = [sys.executable, "-c", SCRIPT, str(data), str(output)]
    assert subprocess.run(command, check=False).returncode == -9
    journal = output / "answers.jsonl"
    lines = journal.read_text().splitlines()
    assert len(lines) == 10, "three batches, all that the causal mask needs"
    # As if the kill had come in the middle of a line.
    journal.write_text("\n".join(lines)[:-20])
    found = run(model, data, output=output)
    assert counted == [1, 10]
    whole = run(model, data)
    assert predictions(found) == predictions(whole)
    assert predictions(Evaluation.load(output)) == predictions(whole)
    assert (output / "evaluation.md").read_text().strip() == found.to_markdown().strip()
    counted.clear()
    assert predictions(run(model, data, output=output)) == predictions(whole)
    assert not counted


def test_masks_may_be_added_to_a_run(model, chains, tmp_path, counted) -> None:
    run(model, chains[:6], output=tmp_path / "out", masks="segment")
    run(model, chains[:6], output=tmp_path / "out", batch_size=4)
    assert counted == [6, 4, 2]


def test_a_folder_of_another_run_is_refused(model, chains, tmp_path) -> None:
    output = tmp_path / "new" / "out"
    run(model, {"t": chains[:3]}, output=output)
    other = sv.load("tiny-llama", adapter="causal")
    for arguments, what in (
        ((other, {"t": chains[:3]}, {}), "weights"),
        ((model, {"t": chains[1:4]}, {}), "tasks"),
        ((model, {"u": chains[:3]}, {}), "tasks"),
        ((model, {"t": Task("t", chains[:3], NAMES)}, {}), "tasks"),
        ((model, {"t": chains[:3]}, {"limit": 2}), "tasks"),
        ((model, {"t": chains[:3]}, {"max_new_tokens": 9}), "max_new_tokens"),
        ((model, {"t": chains[:3]}, {"preset": "by sentence"}), "preset"),
    ):
        *positional, options = arguments
        with pytest.raises(FileExistsError, match=f"that differs in {what}; give another"):
            run(*positional, output=output, **options)
    run(model, {"t": chains[:3]}, output=output)


def test_a_folder_of_something_else_is_refused(model, chains, tmp_path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(FileExistsError, match=r"holds thesis\.tex and no evaluation"):
        run(model, chains[:1], output=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_broken_line_is_named(model, chains, tmp_path) -> None:
    run(model, chains[:2], output=tmp_path / "out")
    journal = tmp_path / "out" / "answers.jsonl"
    journal.write_text(journal.read_text().replace('"record": 1', '"record: 1', 1))
    with pytest.raises(ValueError, match=r"line \d of .*answers\.jsonl.* is broken"):
        run(model, chains[:2], output=tmp_path / "out")


# Compared and shown


def test_two_models_on_the_same_records(evaluation, chains) -> None:
    causal = sv.load("tiny-llama", adapter="causal")
    task = Task("chains", chains, choices=NAMES)
    other = run(causal, [task, Task("more", chains[:5])])
    found = evaluation.compare(other, "segment", "causal")
    right = {
        one: one.tasks["chains"].outcomes[mask]["generation"].right
        for one, mask in ((evaluation, "segment"), (other, "causal"))
    }
    mine, theirs = right[evaluation], right[other]
    change = found.tasks["chains"]
    assert list(found.tasks) == ["chains"]
    assert change.difference.value == pytest.approx(mine.mean() - theirs.mean())
    assert (change.only_one, change.only_other) == ((mine & ~theirs).sum(), (theirs & ~mine).sum())
    text = found.to_markdown()
    assert found._repr_markdown_() == text
    assert "segment − tiny-llama" in text
    assert f"{change.only_one} : {change.only_other}" in text
    back = other.compare(evaluation, "causal", "segment")
    assert back.mean.value == pytest.approx(-found.mean.value)


def test_what_cannot_be_compared(evaluation, model, chains) -> None:
    other = run(model, {"chains": chains[:10]})
    with pytest.raises(ValueError, match="answered other records of 'chains'"):
        evaluation.compare(other, "segment")
    with pytest.raises(ValueError, match="no task in common: chains here, else there"):
        evaluation.compare(run(model, {"else": chains[:2]}), "segment")
    with pytest.raises(ValueError, match="method 'guessing' was not evaluated"):
        evaluation.compare(evaluation, "segment", "causal", "guessing")
    with pytest.raises(ValueError, match="mask 'prefix' was not evaluated"):
        evaluation.accuracy("chains", "prefix")
    with pytest.raises(ValueError, match="task 'chain' was not evaluated; there is 'chains'"):
        evaluation.accuracy("chain", "causal")


def test_left_out_records_are_paired_by_number(model, chains, monkeypatch) -> None:
    """A model of fewer positions answers fewer records of the same data."""
    long = chat("Answer with one word.", "Anna follows Ben. " * 12, "Ben")
    records = [long, *chains[:3]]
    whole = run(model, {"t": records})
    length = max(model.chat(record[:-1]).length for record in chains[:3])
    monkeypatch.setattr(model.hf_model.config, "max_position_embeddings", length + 3)
    some = run(model, {"t": records})
    found = whole.compare(some, "segment").tasks["t"]
    assert (found.records, found.difference.value, found.p) == (3, 0.0, 1.0)


def test_the_table(model, chains) -> None:
    tasks = {"a": chains[:30], "b|c": chains[30:40]}
    evaluation = run(model, tasks)
    rows = evaluation.table()
    assert [row["task"] for row in rows] == ["a", "b|c", "mean"]
    assert [row["records"] for row in rows] == [30, 10, 40]
    for mask in MASKS:
        shares = [row[mask] for row in rows]
        assert shares[2] == pytest.approx((shares[0] + shares[1]) / 2)
        for row in rows:
            assert 0 <= row[f"{mask} low"] <= row[mask] <= row[f"{mask} high"] <= 1
    assert all(row["difference"] == pytest.approx(row["segment"] - row["causal"]) for row in rows)
    lines = evaluation.to_markdown().splitlines()
    assert evaluation._repr_markdown_() == evaluation.to_markdown()
    columns = {len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("|")}
    assert columns == {8}
    assert f"| {100 * rows[0]['segment']:.1f} [" in lines[2]
    assert "+" in lines[2].split("|")[6]


def test_untuned_masks_are_said_to_be(chains) -> None:
    marks = {}
    for adapter in (None, "causal", "segment"):
        text = run(sv.load("tiny-llama", adapter=adapter), chains[:2]).to_markdown()
        head = text.splitlines()[0]
        marks[adapter] = [mask for mask in MASKS if f"{mask} (untuned)" in head]
        why = f"tuned for the {adapter} mask" if adapter else "never tuned for it"
        notes = [m for m in MASKS if f"{m} mask: untuned. These weights were {why}, so" in text]
        assert notes == marks[adapter]
    assert marks == {None: ["segment"], "causal": ["segment"], "segment": ["causal"]}


def test_saved_and_loaded(evaluation, tmp_path) -> None:
    evaluation.save(tmp_path / "run.json")
    loaded = Evaluation.load(tmp_path / "run.json")
    assert loaded.to_json() == evaluation.to_json()
    assert loaded.to_markdown() == evaluation.to_markdown()
    assert loaded.compare(evaluation, "segment").mean.value == 0
    (tmp_path / "other.json").write_text('{"model": "x"}')
    with pytest.raises(ValueError, match=r"other\.json' is no evaluation"):
        Evaluation.load(tmp_path / "other.json")
    with pytest.raises(FileNotFoundError):
        Evaluation.load(tmp_path / "none.json")


def test_a_seed_and_a_confidence(model, chains) -> None:
    first = run(model, chains[:60], seed=1)
    again = run(model, chains[:60], seed=1)
    assert first.table() == again.table()
    wide = run(model, chains[:60], seed=1, confidence=0.999)
    assert wide.accuracy("records", "causal").high > first.accuracy("records", "causal").high
    assert "99.9 % bootstrap" in wide.to_markdown()
