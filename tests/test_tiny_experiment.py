"""The experiment: a quick one is really run, and its tables are worked out again from its files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import mean

import pytest

from segviz.tiny.experiment.__main__ import main
from segviz.tiny.experiment.plan import PAPER, QUICK, Run, planned
from segviz.tiny.experiment.running import tasks
from segviz.tiny.world import chains

SEEDS = (0, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("experiment")
    main(["--quick", "--no-ablations", "--seeds", "2", "--output", str(path)])
    return path


def shares(folder: Path, mask: str, task: str) -> list[float]:
    """The accuracies of some runs under a mask, from their files alone."""
    tasks = json.loads((folder / "evaluation.json").read_text())["tasks"]
    right = tasks[task]["outcomes"][mask]["generation"]["right"]
    return [100 * mean(right)]


def cells(text: str, first: str) -> list[str]:
    """The row of the first table that begins with a word."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_the_plan():
    runs = planned([0, 1, 2], [0, 1], ablations=True)
    assert len(runs) == 3 * 2 * 2 + 4 * 2 + 1
    assert len({run.name for run in runs}) == len(runs)
    main_runs = [run for run in runs if run.targets == PAPER and run.preset == "segment"]
    assert {(run.base_seed, run.mask, run.seed) for run in main_runs} == {
        (base, mask, seed) for base in range(3) for mask in ("causal", "segment") for seed in (0, 1)
    }
    assert runs[-1] == Run(0, "segment", 0, preset="system+user")


def test_the_tasks_are_what_their_names_say():
    found = tasks(30)
    asked = {name: [one.turns[0].user for one in examples] for name, examples in found.items()}
    assert found == tasks(30)
    assert len(set(asked["chains"])) == 30
    for name, ahead in (("chains", True), ("chains, none ahead", False)):
        for text in asked[name]:
            pairs = re.findall(r"(\w+) follows (\w+)\.", text)
            facts = [chains.Fact(*pair) for pair in pairs]
            positions = chains.chain_positions(facts, text.rstrip("?").split()[-1])
            assert (positions != sorted(positions, reverse=True)) == ahead


@pytest.mark.parametrize("task", ["chains", "places"])
def test_the_table_is_what_the_runs_say(folder, task):
    row = cells((folder / "table.md").read_text(), task)
    columns = [(tuned, mask) for tuned in ("causal", "segment") for mask in ("causal", "segment")]
    for cell, mask in zip(row[:2], ("causal", "segment"), strict=True):
        assert float(cell) == pytest.approx(shares(folder / "base 0", mask, task)[0], abs=0.051)
    for cell, (tuned, mask) in zip(row[2:6], columns, strict=True):
        runs = [folder / f"base 0, {tuned}, seed {seed}" for seed in SEEDS]
        found = [shares(run, mask, task)[0] for run in runs]
        numbers = [float(number) for number in re.findall(r"[\d.]+", cell)]
        assert numbers == pytest.approx([mean(found), min(found), max(found)], abs=0.051)
    gain = float(row[6].split()[0].replace("−", "-"))
    means = [float(re.match(r"[\d.]+", cell)[0]) for cell in row[:6]]
    assert gain == pytest.approx(means[5] - means[2], abs=0.11)


def test_the_curve_starts_at_the_base(folder):
    for mask in ("causal", "segment"):
        points = json.loads((folder / f"base 0, {mask}, seed 0" / "curve.json").read_text())
        assert [point["step"] for point in points] == list(QUICK.curve_steps)
        base = json.loads((folder / "base 0" / "evaluation.json").read_text())
        first = base["tasks"]["chains"]["outcomes"][mask]["generation"]["right"]
        # The curve asks the first of the same questions.
        assert points[0][mask] == pytest.approx(mean(first[: QUICK.curve_prompts]))


def test_runs_are_those_of_finetune(folder):
    for mask in ("causal", "segment"):
        told = json.loads((folder / f"base 0, {mask}, seed 1/adapter/segviz.json").read_text())
        assert (told["mask"], told["seed"], told["preset"]) == (mask, 1, "segment")


def test_what_is_done_is_not_done_again(folder, capsys):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("evaluation.json")}
    capsys.readouterr()
    main(["--quick", "--no-ablations", "--seeds", "2", "--output", str(folder)])
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("evaluation.json")}
    assert "1 of" not in capsys.readouterr().out


def test_another_experiment_goes_elsewhere(folder):
    message = "holds another experiment .*tiny-llama.*tiny-qwen.*another --output"
    with pytest.raises(SystemExit, match=message):
        main(["--quick", "--no-ablations", "--model", "tiny-qwen", "--output", str(folder)])


def test_the_figure(folder):
    assert (folder / "figure.pdf").read_bytes().startswith(b"%PDF")
    assert b"/Type3" not in (folder / "figure.pdf").read_bytes()
    assert (folder / "figure.png").stat().st_size > 10_000
