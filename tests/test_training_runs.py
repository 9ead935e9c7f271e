"""Runs from start to end: interrupted, in several processes, with bad numbers, on a full disk."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import encoded
import pytest
import reference
import torch
from peft import PeftModel
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_training import assert_same_weights, model_of
from transformers import TrainerCallback

import segviz as sv
from segviz.adapter import AdapterInfo
from segviz.data import Collator, Encoder
from segviz.training import finetune
from segviz.training.__main__ import main
from segviz.training.config import read_config
from segviz.training.output import OutputFolder
from segviz.training.trainer import SegmentTrainer, token_loss

TESTS = Path(__file__).parent
# Adam would make much of a rounding error where the gradient is next to nothing.
SGD = {"optim": "sgd", "learning_rate": 0.1, "dropout": 0.0, "logging_steps": 1}
RUN = {"steps": 6, "batch_size": 4, "learning_rate": 1e-3, "progress": False}


class At(TrainerCallback):
    """Does something with the model before a step."""

    def __init__(self, step, action) -> None:
        self.step, self.action = step, action

    def on_step_begin(self, _args, state, _control, *, model=None, **_) -> None:
        if state.global_step + 1 == self.step:
            self.action(model)


def log_of(folder, name="loss") -> list[float]:
    log = json.loads((folder / "trainer_state.json").read_text())["log_history"]
    return [line[name] for line in log if name in line]


def python(code: str, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=check, env=environment)


def lora_weights(model) -> torch.Tensor:
    return torch.cat([w.detach().flatten() for w in model.parameters() if w.requires_grad])


# The folder


def test_the_folder_of_an_adapter(tmp_path) -> None:
    model = model_of()
    folder = finetune(model, encoded.records(9), "causal", tmp_path / "a" / "b", **RUN, seed=3)
    assert folder == tmp_path / "a" / "b"
    assert sorted(path.name for path in folder.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "segviz.json",
        "trainer_state.json",
    ]
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == model.name
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == (32, 64, 0.05)
    assert sorted(config["target_modules"]) == ["q_proj", "v_proj"]
    info = AdapterInfo.read(folder)
    assert (info.mask, info.seed, info.base_model) == ("causal", 3, model.name)


def test_a_finished_adapter_is_not_overwritten_by_accident(tmp_path) -> None:
    folder = finetune(model_of(), encoded.records(5), output=tmp_path / "a", **RUN)
    before = (folder / "adapter_model.safetensors").read_bytes()
    with pytest.raises(FileExistsError, match="holds a finished adapter: .* overwrite=True"):
        finetune(model_of(), encoded.records(5), output=folder, **RUN)
    assert (folder / "adapter_model.safetensors").read_bytes() == before
    finetune(model_of(), encoded.records(5), output=folder, overwrite=True, seed=8, **RUN)
    assert (folder / "adapter_model.safetensors").read_bytes() != before
    assert AdapterInfo.read(folder).seed == 8
    with pytest.raises(NotADirectoryError, match="is a file; an adapter is a folder"):
        finetune(model_of(), encoded.records(5), output=folder / "segviz.json", **RUN)


def test_an_adapter_computes_the_same_in_a_new_process(tmp_path) -> None:
    base = tmp_path / "base"
    reference.make("qwen2").save_pretrained(base)
    tokenizer = reference.tokenizer()
    tokenizer.save_pretrained(base)
    folder = finetune(str(base), encoded.records(12), output=tmp_path / "a", **RUN)
    code = """
import sys, numpy as np, reference, torch, segviz as sv
model = sv.load(sys.argv[1], adapter=sys.argv[2], device="cpu")
prompt = reference.random_prompt(30, 5)
ids, blocks = torch.tensor([prompt.token_ids]), prompt.segmentation.block_ids()
logits = model.hf_model(ids).logits
print(model.default_mask, model.trace(prompt).next_tokens(k=5))
np.save(sys.argv[3], logits.detach().numpy())"""
    told = python(code, base, folder, tmp_path / "logits.npy").stdout
    model = sv.load(str(base), adapter=folder, device="cpu")
    prompt = reference.random_prompt(30, 5)
    assert told.strip() == f"segment {model.trace(prompt).next_tokens(k=5)}"
    untrained = sv.load(str(base), device="cpu").trace(prompt).next_tokens(k=5)
    assert str(untrained) not in told


def test_learning_happens(tmp_path) -> None:
    """One example, learnt by heart, is answered."""
    model = sv.load("tiny-llama", adapter=None)
    chat = [
        {"role": "user", "content": "Ben follows Carl. Anna follows Ben. Who leads Anna?"},
        {"role": "assistant", "content": "Fay"},
    ]
    options = {"steps": 40, "learning_rate": 1e-2, "batch_size": 1, "progress": False}
    folder = finetune(model, [chat], output=tmp_path / "a", logging_steps=1, **options)
    losses = log_of(folder)
    assert losses[0] > 1
    assert losses[-1] < 0.05
    tuned = sv.load("tiny-llama", adapter=folder)
    assert tuned.trace(chat[:-1], max_new_tokens=4).generated_text.strip() == "Fay"
    assert model.trace(chat[:-1], max_new_tokens=4).generated_text.strip() != "Fay"


# Averages


def test_accumulated_batches_are_averaged_over_tokens(tmp_path) -> None:
    records = encoded.records(16)
    assert len({int(one.scored.sum()) for one in records}) > 3
    options = RUN | SGD
    whole = finetune(model_of(), records, output=tmp_path / "a", **options | {"batch_size": 8})
    parts = finetune(
        model_of(),
        records,
        output=tmp_path / "b",
        gradient_accumulation_steps=4,
        **options | {"batch_size": 2},
    )
    assert log_of(parts) == pytest.approx(log_of(whole), rel=1e-4)
    assert_same_weights(whole, parts, atol=1e-5, rtol=1e-4)


def test_the_loss_of_validation_is_the_mean_over_tokens(tmp_path) -> None:
    held_out = encoded.records(7, seed=50)
    folder = finetune(
        model_of(),
        encoded.records(8),
        output=tmp_path / "a",
        validation=held_out,
        eval_steps=6,
        **RUN,
    )
    tuned = adapted(folder)
    total = count = 0
    for one in held_out:
        batch = Collator(tuned.config, 2)([one])
        labels = batch.pop("labels")
        with torch.no_grad():
            total += float(token_loss(tuned(**batch), labels)) * int(one.scored.sum())
        count += int(one.scored.sum())
    assert log_of(folder, "eval_loss") == pytest.approx([total / count], rel=1e-5)


def adapted(folder):
    return PeftModel.from_pretrained(reference.make("llama"), folder).eval()


def test_two_processes_are_one_with_twice_the_batch(tmp_path) -> None:
    chats = [
        [
            {"role": "user", "content": f"{' '.join(f'{a} follows {b}.' for a, b in facts)}"},
            {"role": "assistant", "content": facts[-1][1]},
        ]
        for number in range(16)
        for facts in [
            [("Anna", "Ben"), ("Carl", "Dora"), ("Emil", "Fay"), ("Gus", "Hana")][: 1 + number % 4]
        ]
    ]
    (tmp_path / "chats.jsonl").write_text("\n".join(map(json.dumps, chats)))
    config = {"model": "tiny-llama", "examples": str(tmp_path / "chats.jsonl"), "steps": 5}
    config |= SGD | {"use_cpu": True, "batch_size": 4, "output": str(tmp_path / "two")}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port"]
    subprocess.run(
        [sys.executable, *launch, str(port), "-m", "segviz.training", tmp_path / "config.yaml"],
        check=True,
        capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    config |= {"batch_size": 8, "output": str(tmp_path / "one"), "progress": False}
    one = finetune(**config | {"model": sv.load("tiny-llama", adapter=None)})
    assert log_of(tmp_path / "two") == pytest.approx(log_of(one), rel=1e-4)
    assert_same_weights(one, tmp_path / "two", atol=1e-5, rtol=1e-4)
    assert AdapterInfo.read(one) == AdapterInfo.read(tmp_path / "two")


@pytest.mark.parametrize("architecture", ["llama", "qwen2-windowed"])
def test_attention_implementations_and_sides_give_the_same_adapter(tmp_path, architecture) -> None:
    folders = []
    for implementation in ("sdpa", "eager"):
        model = model_of(architecture)
        model.hf_model.set_attn_implementation(implementation)
        side = {"sdpa": "left", "eager": "right"}[implementation]
        output = tmp_path / implementation
        options = RUN | SGD | {"output": output, "padding_side": side}
        folders.append(finetune(model, encoded.records(12), **options))
        assert model.hf_model.config._attn_implementation == implementation
    assert_same_weights(*folders, atol=1e-5, rtol=1e-4)
    options = RUN | SGD | {"output": tmp_path / "causal"}
    causal = finetune(model_of(architecture), encoded.records(12), "causal", **options)
    assert abs(log_of(causal)[0] - log_of(folders[0])[0]) > 0.01


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_half_precision(tmp_path, implementation) -> None:
    """As autocast, and as the dtype of the base; what is trained stays in full precision."""
    losses = {}
    for dtype, bf16 in ((torch.float32, False), (torch.float32, True), (torch.bfloat16, True)):
        model = model_of(dtype=dtype)
        model.hf_model.set_attn_implementation(implementation)
        output = tmp_path / f"{dtype}{bf16}"
        options = RUN | SGD | {"learning_rate": 0.01, "bf16": bf16, "output": output}
        folder = finetune(model, encoded.records(12), **options)
        assert {w.dtype for w in load_file(folder / "adapter_model.safetensors").values()} == {
            torch.float32
        }
        losses[dtype, bf16] = log_of(folder)
    full = losses.pop((torch.float32, False))
    for half in losses.values():
        assert half == pytest.approx(full, rel=0.03)
        assert half != full


def test_warm_up_is_a_tenth_of_a_short_run(tmp_path) -> None:
    options = RUN | {"steps": 20, "logging_steps": 1}
    folder = finetune(model_of(), encoded.records(4), output=tmp_path / "a", **options)
    rates = log_of(folder, "learning_rate")
    assert max(rates) == rates[2] == pytest.approx(1e-3)
    assert rates[1] == pytest.approx(0.5e-3)


def test_batches_of_like_lengths(tmp_path, monkeypatch) -> None:
    spreads = []
    collate = Collator.__call__

    def spying(collator, records):
        lengths = [len(one.token_ids) for one in records]
        spreads.append(max(lengths) - min(lengths))
        return collate(collator, records)

    monkeypatch.setattr(Collator, "__call__", spying)
    means = []
    for strategy in ("random", "group_by_length"):
        spreads.clear()
        finetune(
            model_of(),
            encoded.records(64),
            output=tmp_path / strategy,
            train_sampling_strategy=strategy,
            **RUN | {"steps": 16},
        )
        means.append(sum(spreads) / len(spreads))
    assert means[1] < means[0] / 2


# Interruptions

KILLED = """
import os, signal, sys, encoded, test_training, test_training_runs
from segviz.training import finetune
at = test_training_runs.At(5, lambda _: os.kill(os.getpid(), signal.SIGKILL))
finetune(test_training.model_of(), encoded.records(10), output=sys.argv[1],
         **test_training_runs.RUN, save_steps=2, callbacks=[at])"""


class Steps(TrainerCallback):
    """The steps that are done."""

    def __init__(self) -> None:
        self.seen = []

    def on_step_end(self, _args, state, *_, **__) -> None:
        self.seen.append(state.global_step)


def test_a_killed_run_goes_on_and_gives_the_same_adapter(tmp_path) -> None:
    records = encoded.records(10)
    expected = finetune(model_of(), records, output=tmp_path / "whole", save_steps=2, **RUN)
    output = tmp_path / "killed"
    assert python(KILLED, output, check=False).returncode == -signal.SIGKILL
    assert not (output / "adapter_config.json").exists()
    steps = Steps()
    finetune(model_of(), records, output=output, save_steps=2, callbacks=[steps], **RUN)
    assert steps.seen == [5, 6]
    assert_same_weights(expected, output, atol=0, rtol=0)
    assert log_of(output) == log_of(expected)


def test_a_checkpoint_that_was_not_written_to_its_end_does_not_count(tmp_path) -> None:
    output = tmp_path / "a"
    interrupted(output)
    torn = output / "checkpoints" / "checkpoint-4"
    shutil.copytree(output / "checkpoints" / "checkpoint-2", torn)
    (torn / "segviz.json").unlink()
    (torn / "adapter_model.safetensors").write_bytes(b"")
    steps = Steps()
    finetune(model_of(), encoded.records(10), output=output, callbacks=[steps], **RUN)
    assert steps.seen == [3, 4, 5, 6]
    expected = finetune(model_of(), encoded.records(10), output=tmp_path / "b", **RUN)
    assert_same_weights(expected, output, atol=0, rtol=0)


def test_a_run_that_is_killed_at_its_very_end(tmp_path, monkeypatch) -> None:
    def stop(*_, **__) -> None:
        raise KeyboardInterrupt

    records = encoded.records(10)
    output = tmp_path / "a"
    with monkeypatch.context() as patched:
        patched.setattr(OutputFolder, "finish", stop)
        with pytest.raises(KeyboardInterrupt):
            finetune(model_of(), records, output=output, **RUN)
    assert [path.name for path in output.iterdir()] == ["checkpoints"]
    steps = Steps()
    finetune(model_of(), records, output=output, callbacks=[steps], **RUN)
    assert not steps.seen
    expected = finetune(model_of(), records, output=tmp_path / "b", **RUN)
    assert_same_weights(expected, output, atol=0, rtol=0)


def test_checkpoints_of_a_finished_run_are_not_gone_on_from(tmp_path) -> None:
    output = tmp_path / "a"
    finetune(model_of(), encoded.records(10), output=output, keep_checkpoints=True, **RUN)
    assert (output / "checkpoints" / "checkpoint-6" / "adapter_config.json").is_file()
    steps = Steps()
    options = RUN | {"seed": 1, "overwrite": True, "callbacks": [steps]}
    finetune(model_of(), encoded.records(10), output=output, **options)
    assert steps.seen == [1, 2, 3, 4, 5, 6]
    assert not (output / "checkpoints").exists()


def interrupted(folder: Path, **options) -> None:
    def stop(_model) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as raised:
        finetune(
            model_of(),
            encoded.records(10),
            output=folder,
            callbacks=[At(4, stop)],
            save_steps=2,
            **RUN | options,
        )
    [note] = raised.value.__notes__
    assert re.match(r"The last checkpoint, of step 2, is .*; run the same again to go on", note)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"seed": 1}, "seed: 1 instead of 0"),
        ({"rank": 8}, "rank: 8 instead of 32"),
        ({"mask": "causal"}, "mask: 'causal' instead of 'segment'"),
        ({"examples": encoded.records(9)}, "examples: "),
        ({"weight_decay": 0.1}, "options: {'weight_decay': '0.1'} instead of {}"),
    ],
)
def test_another_run_does_not_go_on_from_these_checkpoints(tmp_path, change, sentence) -> None:
    interrupted(tmp_path / "a")
    arguments = {"examples": encoded.records(10), "output": tmp_path / "a"} | RUN | change
    with pytest.raises(ValueError, match=re.escape(sentence)) as raised:
        finetune(model_of(), **arguments)
    assert "resume=False" in str(raised.value)
    finetune(model_of(), **arguments, resume=False)
    assert not (tmp_path / "a" / "checkpoints").exists()


def test_a_checkpoint_is_an_adapter(tmp_path) -> None:
    interrupted(tmp_path / "a")
    checkpoint = tmp_path / "a" / "checkpoints" / "checkpoint-2"
    assert AdapterInfo.read(checkpoint).mask == "segment"
    assert adapted(checkpoint)


# Bad numbers


def test_checkpoints_of_somebody_else_are_not_touched(tmp_path) -> None:
    theirs = tmp_path / "project" / "checkpoints" / "checkpoint-1000" / "best.pt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("weights")
    for options in ({}, {"resume": False}, {"overwrite": True}):
        with pytest.raises(FileExistsError, match="no run of segviz wrote"):
            finetune(model_of(), encoded.records(4), output=tmp_path / "project", **RUN | options)
    assert theirs.read_text() == "weights"


def test_a_mistake_does_not_cost_the_checkpoints(tmp_path) -> None:
    arguments = RUN | {"output": tmp_path / "adapter", "save_steps": 2}
    stop = At(5, lambda _: (_ for _ in ()).throw(RuntimeError("stopped")))
    records = encoded.records(12)
    with pytest.raises(RuntimeError, match="stopped"):
        finetune(model_of(), records, callbacks=[stop], **arguments)
    folder = OutputFolder(tmp_path / "adapter")
    kept = folder.last_checkpoint()
    with pytest.raises(ValueError, match="no layer 'query'"):
        finetune(model_of(), records, resume=False, targets=["query"], **arguments)
    assert kept is not None
    assert kept == folder.last_checkpoint()
    with pytest.raises(ValueError, match="no layer 'query'"):
        finetune(model_of(), records, output=tmp_path / "new", targets="query", **RUN)
    assert not (tmp_path / "new").exists()


def test_kept_checkpoints_do_not_stop_the_next_run(tmp_path) -> None:
    arguments = RUN | {"output": tmp_path / "adapter", "save_steps": 2, "keep_checkpoints": True}
    for _ in range(2):
        finetune(model_of(), encoded.records(6), overwrite=True, **arguments)
    assert [*(tmp_path / "adapter" / "checkpoints").glob("checkpoint-*")]


def test_weights_that_the_last_step_ruined_are_no_adapter(tmp_path) -> None:
    def ruin(model) -> None:
        next(w for w in model.parameters() if w.requires_grad).data.fill_(float("inf"))

    class AtTheEnd(TrainerCallback):
        def on_step_end(self, _args, state, _control, *, model=None, **_) -> None:
            if state.global_step == RUN["steps"]:
                ruin(model)

    with pytest.raises(FloatingPointError, match="a weight is not finite.*no adapter was written"):
        finetune(
            model_of(),
            encoded.records(6),
            output=tmp_path / "adapter",
            callbacks=[AtTheEnd()],
            save_steps=3,
            **RUN,
        )
    folder = OutputFolder(tmp_path / "adapter")
    assert folder.last_checkpoint() == folder.checkpoints / "checkpoint-3"
    assert not (tmp_path / "adapter" / "adapter_config.json").exists()


def test_a_target_by_its_name(tmp_path) -> None:
    arguments = RUN | {"steps": 1}
    for targets in ("q_proj", ["q_proj"]):
        folder = tmp_path / str(targets)
        finetune(model_of(), encoded.records(4), output=folder, targets=targets, **arguments)
    assert_same_weights(tmp_path / "q_proj", tmp_path / "['q_proj']", atol=0, rtol=0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"epochs": 0, "steps": None}, "epochs is 0; allowed is more than 0"),
        ({"preset": "causal"}, "the preset 'causal' makes every segment causal"),
    ],
)
def test_settings_that_would_train_nothing_of_what_is_asked(tmp_path, change, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        finetune(model_of(), encoded.records(2), output=tmp_path / "adapter", **RUN | change)
    assert not (tmp_path / "adapter").exists()


def test_what_is_no_model(tmp_path) -> None:
    with pytest.raises(TypeError, match=r"takes a segviz.Model or a model's name, not a Llama"):
        finetune(reference.make("llama"), encoded.records(2), output=tmp_path / "adapter", **RUN)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path) -> None:
    output = tmp_path / "a"
    found = []

    def spoil(model) -> None:
        found.append(lora_weights(model).clone())
        next(w for w in model.parameters() if w.requires_grad).data[0, 0] = float("nan")

    with pytest.raises(FloatingPointError, match="the loss is nan at step 4 of 6") as raised:
        finetune(
            model_of(),
            encoded.records(10),
            output=output,
            callbacks=[At(4, spoil)],
            save_steps=1,
            **RUN,
        )
    kept = output / "checkpoints" / "checkpoint-3"
    assert f"The last checkpoint, of step 3, is {str(kept)!r}" in str(raised.value)
    saved = load_file(kept / "adapter_model.safetensors")
    assert torch.cat([w.flatten() for w in saved.values()]).isfinite().all()
    assert sum(float(w.sum()) for w in saved.values()) == pytest.approx(float(found[0].sum()))
    assert not (output / "adapter_config.json").exists()


def test_a_gradient_that_is_not_finite_does_not_reach_the_weights(tmp_path) -> None:
    weights = []

    def spoil(model) -> None:
        weights.append((model, lora_weights(model).clone()))
        weight = next(w for w in model.parameters() if w.requires_grad)
        weight.register_hook(lambda gradient: gradient * float("inf"))

    class Keep(TrainerCallback):
        def on_optimizer_step(self, _args, state, *_, **__) -> None:
            assert state.global_step < 1, "the optimizer has taken it"

    with pytest.raises(FloatingPointError, match="gradient's norm is nan at step 2 of 6.*No check"):
        finetune(
            model_of(),
            encoded.records(10),
            output=tmp_path / "a",
            callbacks=[At(2, spoil), Keep()],
            save_strategy="no",
            **RUN,
        )
    assert not (tmp_path / "a").exists(), "there is nothing to keep"


# A full disk


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        # What torch.save says, which notices it by the position in the file.
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64768 vs 64656"),
    ],
)
def test_a_disk_that_is_full_at_a_checkpoint(tmp_path, monkeypatch, error) -> None:
    output = tmp_path / "a"

    def full_disk(*_, **__) -> None:
        raise error

    def fill(_model) -> None:
        monkeypatch.setattr(torch, "save", full_disk)

    with pytest.raises(OSError, match="the disk is full: nothing half-written") as raised:
        finetune(
            model_of(),
            encoded.records(10),
            output=output,
            callbacks=[At(4, fill)],
            save_steps=2,
            **RUN,
        )
    assert raised.value.errno == errno.ENOSPC
    assert "The last checkpoint, of step 2" in str(raised.value)
    assert [path.name for path in (output / "checkpoints").glob("*-*")] == ["checkpoint-2"]
    monkeypatch.undo()
    finetune(model_of(), encoded.records(10), output=output, **RUN)
    expected = finetune(model_of(), encoded.records(10), output=tmp_path / "b", **RUN)
    assert_same_weights(expected, output, atol=0, rtol=0)


def test_a_disk_that_is_full_at_the_end(tmp_path, monkeypatch) -> None:
    output = tmp_path / "a"
    save = SegmentTrainer.save_model

    def full_at_the_end(trainer, path=None, **options):
        save(trainer, path, **options)
        if not options:
            (Path(path) / "adapter_model.safetensors").write_bytes(b"half")
            raise RuntimeError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(SegmentTrainer, "save_model", full_at_the_end)
    with pytest.raises(OSError, match="The last checkpoint, of step 6"):
        finetune(model_of(), encoded.records(10), output=output, **RUN)
    assert [path.name for path in output.iterdir()] == ["checkpoints"]


# What people see


def test_progress(tmp_path, capfd) -> None:
    finetune(model_of(), encoded.records(4), output=tmp_path / "a", **RUN, logging_steps=1)
    assert capfd.readouterr() == ("", "")
    shown = RUN | {"progress": True}
    finetune(model_of(), encoded.records(4), output=tmp_path / "b", **shown, logging_steps=1)
    out, err = capfd.readouterr()
    assert not out
    last = err.split("\r")[-1]
    assert re.search(r"finetune, segment mask: 100%.*6/6 .*loss=\d\.\d{3}", last)


def test_tensorboard(tmp_path) -> None:
    folder = finetune(
        model_of(),
        encoded.records(4),
        output=tmp_path / "a",
        report_to="tensorboard",
        logging_steps=2,
        **RUN,
    )
    events = EventAccumulator(str(folder / "runs")).Reload()
    found = [event.value for event in events.Scalars("train/loss")]
    assert found == pytest.approx(log_of(folder), rel=1e-5)
    assert len(found) == 3


# Configurations


def test_a_configuration(tmp_path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("model: x\nexamples: y\nlearning_rate: 1E-4\nrank: 8\nbf16: true\nalpha: 1.5\n")
    config = read_config(path)
    assert config["learning_rate"] == 1e-4
    assert (config["rank"], config["bf16"], config["alpha"]) == (8, True, 1.5)


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        ("model: x\n", ValueError, "has no examples; add it"),
        ("- model\n", ValueError, "holds no keys; it needs model and examples"),
        ("model: [\n", ValueError, "is no YAML"),
        ("model: x\nexamples: y\nlernrate: 1\n", TypeError, "'lernrate' is no option"),
        ("model: x\nexamples: y\ncallbacks: []\n", TypeError, "'callbacks' is no option"),
    ],
)
def test_configurations_that_are_wrong(tmp_path, text, error, sentence) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(error, match=sentence):
        read_config(path)


def test_a_configuration_that_is_not_there() -> None:
    with pytest.raises(SystemExit, match="there is no configuration 'nowhere.yaml'; give a YAML"):
        main(["nowhere.yaml"])


def test_records_are_encoded_once_for_both_masks(tmp_path) -> None:
    """What an encoder made is as good as the records."""
    model = sv.load("tiny-llama", adapter=None)
    records = [
        {"instruction": f"Who leads {name}?", "output": "Ben"} for name in ("Anna", "Carl", "Fay")
    ]
    once = [Encoder(model.tokenizer)(record) for record in records]
    one = finetune(model, records, output=tmp_path / "a", **RUN)
    two = finetune(model, once, output=tmp_path / "b", **RUN)
    assert_same_weights(one, two, atol=0, rtol=0)
