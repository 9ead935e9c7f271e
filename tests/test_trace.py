"""What a trace says, against closed forms on patterns computed independently."""

from __future__ import annotations

import json

import numpy as np
import pytest
import reference
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

import segviz as sv

ARCHITECTURES = ["llama", "qwen3", "qwen2-windowed"]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def run(request):
    """A model, its trace of 27 prompt tokens in uneven segments, and the eager attention."""
    model = sv.Model(reference.make(request.param), reference.tokenizer(), name=request.param)
    segments = [sv.Segment(0, 1, "bos", "causal"), sv.Segment(1, 8, "system"),
                sv.Segment(8, 27, "user")]  # fmt: skip
    prompt = reference.random_prompt(27, 3, sv.Segmentation(segments))
    trace = model.trace(prompt, max_new_tokens=4, eos_token_id=-1)
    eager = reference.eager_run(model.hf_model, trace.token_ids, prompt.segmentation)
    return model, prompt, trace, eager


def test_what_it_is_made_of(run) -> None:
    model, prompt, trace, _eager = run
    assert trace.prompt_length == 27
    assert trace.token_ids[:27] == prompt.token_ids
    assert len(trace.tokens) == len(trace.token_ids) == 31
    assert trace.generated_text == model.tokenizer.decode(trace.token_ids[27:])
    assert [s.name for s in trace.segmentation.segments] == ["bos", "system", "user", "response"]
    assert trace.segmentation.segments[-1] == sv.Segment(27, 31, "response", "causal")
    assert (trace.heads, trace.kv_heads, len(trace.layers)) == (6, 2, 3)
    assert model.trace(prompt, "causal").segmentation == prompt.segmentation
    assert trace.recipe["model"] == model.name
    assert trace.untuned


def test_query_heads_read_the_keys_of_their_own_kv_head(run) -> None:
    """Heads 0 to 2 share KV head 0, heads 3 to 5 share KV head 1."""
    _model, _prompt, trace, eager = run
    for head in range(6):
        np.testing.assert_allclose(trace.attention(1, head), eager.attentions[1, head], atol=1e-4)
        np.testing.assert_array_equal(trace.attention(-2, head - 6), trace.attention(1, head))


def test_mask(run) -> None:
    model, prompt, trace, _eager = run
    for layer, captured in enumerate(trace.layers):
        window = captured.window
        assert window == (5 if model.name == "qwen2-windowed" and layer else None)
        expected = reference.dense_mask(prompt.segmentation, 31, window)
        np.testing.assert_array_equal(trace.mask(layer), expected)
    if model.name == "qwen2-windowed":
        with pytest.raises(ValueError, match=r"name one, trace\.mask\(layer=…\) with 0 to 2"):
            trace.mask()
    else:
        np.testing.assert_array_equal(trace.mask(), trace.mask(0))


def test_next_tokens(run) -> None:
    model, _prompt, trace, eager = run
    for position in (0, 5, -1):
        probabilities = torch.from_numpy(eager.logits[position]).softmax(-1)
        top = probabilities.topk(7)
        likely = trace.next_tokens(position, k=7)
        assert [t for t, _ in likely] == [model.tokenizer.decode([i]) for i in top.indices]
        np.testing.assert_allclose([p for _, p in likely], top.values, atol=1e-4)
    assert trace.next_tokens(26, k=1)[0][0] == trace.tokens[27].strip()
    assert len(trace.next_tokens(k=64)) == 64


def test_flow(run) -> None:
    _model, _prompt, trace, eager = run
    edges = [0, 1, 8, 27, 31]
    expected = np.zeros((3, 6, 4, 4))
    for q in range(4):
        for k in range(4):
            block = eager.attentions[:, :, edges[q] : edges[q + 1], edges[k] : edges[k + 1]]
            expected[:, :, q, k] = block.sum(axis=3).mean(axis=2)
    np.testing.assert_allclose(trace.flow(2, 4), expected[2, 4], atol=1e-4)
    np.testing.assert_allclose(trace.flow(layer=1), expected[1].mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(trace.flow(head=3), expected[:, 3].mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(trace.flow(), expected.mean(axis=(0, 1)), atol=1e-4)


@pytest.mark.parametrize("size", [1, 7, 31, 40])
def test_thumbnails(run, size) -> None:
    _model, _prompt, trace, eager = run
    pooled = torch.nn.functional.adaptive_max_pool2d(torch.from_numpy(eager.attentions), size)
    expected = np.round(255 * np.sqrt(pooled.numpy()))
    thumbnails = trace.thumbnails(size)
    assert thumbnails.shape == (3, 6, size, size)
    assert thumbnails.dtype == np.uint8
    assert np.abs(thumbnails - expected).max() <= 1


def test_reductions_work_in_blocks_of_rows(run, monkeypatch) -> None:
    _model, _prompt, trace, _eager = run
    flow = trace.flow()
    monkeypatch.setattr("segviz.patterns._BLOCK_ELEMENTS", 6 * 31 * 4)
    np.testing.assert_allclose(trace.flow(), flow, atol=1e-6)


def test_save_and_load(run, tmp_path) -> None:
    _model, _prompt, trace, _eager = run
    path = tmp_path / "run.safetensors"
    trace.save(path)
    loaded = sv.Trace.load(path)
    for name in ("tokens", "token_ids", "prompt_length", "generated_text", "segmentation",
                 "mask_kind", "recipe"):  # fmt: skip
        assert getattr(loaded, name) == getattr(trace, name), name
    np.testing.assert_array_equal(loaded.attention(2, 5), trace.attention(2, 5))
    np.testing.assert_array_equal(loaded.thumbnails(9), trace.thumbnails(9))
    assert loaded.next_tokens(3, k=64) == trace.next_tokens(3, k=64)
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]
    with safe_open(path, "pt") as file:  # no pickle, and metadata that other tools can read
        assert json.loads(file.metadata()["segviz"])["prompt_length"] == 27


def test_bfloat16_survives_a_file(tmp_path) -> None:
    model = sv.Model(reference.make("llama", dtype=torch.bfloat16), reference.tokenizer())
    trace = model.trace(reference.random_prompt(12, 1))
    trace.save(tmp_path / "run.safetensors")
    loaded = sv.Trace.load(tmp_path / "run.safetensors")
    assert loaded.layers[0].queries.dtype == torch.bfloat16
    np.testing.assert_array_equal(loaded.attention(1, 1), trace.attention(1, 1))


def test_files_that_are_no_trace(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no trace file '.*missing"):
        sv.Trace.load(tmp_path / "missing.safetensors")
    (tmp_path / "text").write_text("hello, this is no safetensors file")
    with pytest.raises(ValueError, match=r"is no trace: Trace\.load reads"):
        sv.Trace.load(tmp_path / "text")
    save_file({"x": np.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="is no trace"):
        sv.Trace.load(tmp_path / "other.safetensors")


def test_wrong_indices(run) -> None:
    _model, _prompt, trace, _eager = run
    with pytest.raises(IndexError, match="there is no layer 3: allowed are 0 to 2"):
        trace.attention(3, 0)
    with pytest.raises(IndexError, match="there is no head 6: allowed are 0 to 5"):
        trace.attention(1, 6)
    with pytest.raises(IndexError, match="there is no layer -4"):
        trace.mask(-4)
    with pytest.raises(IndexError, match="there is no head 9"):
        trace.flow(head=9)
    with pytest.raises(IndexError, match="there is no token position 31"):
        trace.next_tokens(31)
    with pytest.raises(ValueError, match="k is 65; a trace knows the 64"):
        trace.next_tokens(k=65)
    with pytest.raises(TypeError, match=r"a layer is an integer, not 1\.0"):
        trace.attention(1.0, 0)
    with pytest.raises(FileNotFoundError, match=r"no folder '/nowhere' to save a trace in"):
        trace.save("/nowhere/x.safetensors")
    with pytest.raises(ValueError, match="size is 0"):
        trace.thumbnails(0)


def test_a_mask_cannot_be_changed_behind_the_traces_back(run) -> None:
    with pytest.raises(ValueError, match="read-only"):
        run[2].mask(0)[0, 1] = True
