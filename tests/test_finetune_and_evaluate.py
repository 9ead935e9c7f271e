"""From chats to numbers, as a user would: fine-tune, save, load in a new process, evaluate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from random import Random

import pytest

import segviz as sv
from segviz.tiny import NAMES
from segviz.tiny.batches import draw_example
from segviz.tiny.recipe import QUESTIONS
from segviz.tiny.world import draw

ELSEWHERE = """
import json, sys
import segviz as sv
name, adapter, chats = sys.argv[1:]
model = sv.load(name, adapter=adapter)
evaluation = sv.evaluate(model, {"chains": chats}, max_new_tokens=4, progress=False)
print(model.default_mask, json.dumps(evaluation.table()), sep="\\n")
"""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mask", ["causal", "segment"])
def test_numbers_are_the_same_in_a_new_process(tmp_path, name, mask) -> None:
    rng = Random(0)
    base = sv.load(name, adapter=None)
    chats = [draw_example(rng, QUESTIONS).record for _ in range(40)]
    adapter = sv.finetune(
        base,
        chats,
        mask,
        tmp_path / "adapter",
        steps=10,
        batch_size=8,
        learning_rate=4e-3,
        progress=False,
    )
    asked = [draw("chains", rng).record for _ in range(40)]
    names = sorted({record[-1]["content"] for record in asked})
    file = tmp_path / "chats.jsonl"
    lines = [json.dumps({"messages": record, "choices": names}) for record in asked]
    file.write_text("\n".join(lines))

    tuned = sv.load(name, adapter=adapter)
    here = sv.evaluate(tuned, {"chains": file}, max_new_tokens=4, progress=False)
    before = sv.evaluate(base, {"chains": file}, max_new_tokens=4, progress=False)
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, name, str(adapter), str(file)],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    *_, default_mask, table = done.stdout.splitlines()
    assert default_mask == mask
    assert json.loads(table) == json.loads(json.dumps(here.table()))
    assert {row["method"] for row in here.table()} == {"generation", "likelihood"}
    assert 0 < here.accuracy("chains", mask).value < 1
    assert here.table() != before.table()
