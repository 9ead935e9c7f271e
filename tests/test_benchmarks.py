"""The benchmark script: every section runs, and its tables hold what they promise; not how fast."""

from __future__ import annotations

import subprocess
import sys
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import gpu, growth, measure, models, peers, prefill, run
from benchmarks.common import Table, ratio

import segviz as sv

SCRIPT = Path(run.__file__)


@cache
def tables(section: str) -> list[Table]:
    module = run.section(section)
    return list(module.tables(**module.SIZES["tiny"]))


ROWS = {
    "prefill": [6, 4, 6, 4],
    "capture": [3, 3],
    "edits": [3, 3, 2],
    "looking": [2, 3],
    "decode": [2, 3],
    "start": [5],
    "growth": [4, 4],
    "gpu": [5, 5, 3, 3, 2, 2],
}


@pytest.mark.parametrize("section", run.SECTIONS)
def test_section(section) -> None:
    found = tables(section)
    assert [len(table.rows) for table in found] == ROWS[section]
    for table in found:
        text = table.markdown()
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert len(lines) == 2 + len(table.rows)
        assert len({line.count("|") for line in lines}) == 1
        assert "out of memory" not in text
        for row in table.rows:
            cells = dict(zip(table.columns, row, strict=True))
            timed = [x for name, x in cells.items() if "seconds" in name or name == "ratio"]
            assert all(isinstance(x, str) or x > 0 for x in timed), (table.title, row)


def test_every_section_has_every_size() -> None:
    for name in run.SECTIONS:
        assert set(run.section(name).SIZES) == {"full", "quick", "tiny"}, name


def test_two_threads_give_the_same() -> None:
    rows = tables("edits")[2].rows
    assert [row[-1] for row in rows] == ["–", "the same"]


def test_no_slow_attention_is_used() -> None:
    verdicts = [row[1] for table in tables("gpu") if "kernels" in table.title for row in table.rows]
    assert verdicts == ["fused"] * 3


def test_slow_attention_is_seen() -> None:
    q = torch.randn(1, 2, 8, 4)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        operators, _ = gpu.profiled(
            lambda: torch.nn.functional.scaled_dot_product_attention(q, q, q)
        )
    assert any(gpu.SLOW in name for name in operators)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_it_says_so() -> None:
    (table,) = gpu.tables(**gpu.SIZES["full"])
    assert "not run" in table.markdown()


def test_script_from_another_folder(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert all(name in done.stdout for name in run.SECTIONS)


def test_only_some_sections(capsys, monkeypatch) -> None:
    asked = []

    def made(**sizes: object) -> list[Table]:
        asked.append(sizes)
        return tables("prefill")

    monkeypatch.setattr(prefill, "tables", made)
    run.main(["--quick", "--only", "prefill"])
    said = capsys.readouterr().out
    assert asked == [prefill.SIZES["quick"]]
    assert "torch" in said.splitlines()[0]
    assert (said.count("\n## "), said.count("\n### ")) == (1, 4)


@pytest.mark.parametrize("cut", [models.chat, models.sentences])
def test_arithmetic(cut) -> None:
    hf_model = models.llama(96, head_dim=16)
    segmentation = cut(96)
    masks = [sv.causal_mask(96), sv.segment_mask(segmentation)]
    shapes = [p.shape for p in hf_model.model.layers.parameters() if p.dim() == 2]
    linear = 96 * sum(rows * columns for rows, columns in shapes)
    causal, segment = (linear + 4 * 8 * 2 * 16 * int(mask.sum()) for mask in masks)
    assert models.work_ratio(hf_model, segmentation) == pytest.approx(segment / causal)


def test_peers_agree() -> None:
    hf_model = models.llama(40, head_dim=16)
    prepared = peers.ways(hf_model, models.prompt(models.chat(40)))
    ways = (peers.DENSE, peers.EAGER, peers.FLEX)
    expected, eager = (prepared[name]()().logits[0, -1] for name in ways[:2])
    np.testing.assert_allclose(eager, expected, atol=1e-5)
    trace = prepared[peers.TRACED]()()
    scores = expected.log_softmax(dim=-1)[trace.likely.token_ids[-1]]
    np.testing.assert_allclose(trace.likely.log_probabilities[-1], scores, atol=1e-4)
    causal = prepared[peers.CAUSAL]()().logits[0, -1]
    assert (causal - expected).abs().max() > 1e-3


def test_block_mask() -> None:
    segmentation = models.chat(300)
    mask = peers._block_mask(segmentation, torch.device("cpu"))
    seen = torch.tensor(
        [[bool(mask.mask_mod(0, 0, torch.tensor(q), torch.tensor(k))) for k in (0, 59, 200, 299)]
         for q in (0, 60, 150, 299)]
    )  # fmt: skip
    expected = sv.segment_mask(segmentation)[np.ix_((0, 60, 150, 299), (0, 59, 200, 299))]
    np.testing.assert_array_equal(seen, expected)


def test_peak_in_a_fresh_process() -> None:
    megabytes = measure.in_fresh_process(measure.peak, partial(np.ones, 48 << 17)) / 2**20
    assert megabytes == pytest.approx(48, abs=8)


def test_failures_are_told() -> None:
    def full() -> None:
        raise torch.OutOfMemoryError

    def missing() -> None:
        raise measure.NotRunError("no compiler")

    found = measure.medians({"a": lambda: None, "b": full, "c": missing}, repeats=1)
    assert found["a"] > 0
    assert found["b"] == "out of memory"
    assert found["c"] == "no compiler"
    assert ratio(found["b"], found["a"]) == ratio(1.0, found["c"]) == "–"


def test_exponent() -> None:
    lengths = (1, 2, 4, 8, 16, 32)
    values = [5.0, 5.0, 5.0, 3 * 64.0, 3 * 256.0, 3 * 1024.0]
    assert growth.exponent(lengths, values) == pytest.approx(2)
    assert growth.exponent((1, 2), (1.0, "out of memory")) == "–"
