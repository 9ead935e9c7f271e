"""Figures made again from their files: the same attention, without sampling."""

from __future__ import annotations

import numpy as np
import pytest
import reference
import torch
from matplotlib.colors import LogNorm

import segviz as sv
from segviz import figures
from segviz.figures.carrying import recipe
from segviz.figures.recipes import recipe_of
from segviz.figures.redrawing import redraw
from segviz.figures.saved import PaperFigure

SAMPLED = {"max_new_tokens": 6, "seed": 3, "do_sample": True, "temperature": 2.5,
           "eos_token_id": -1}  # fmt: skip


@pytest.fixture
def drawn(monkeypatch) -> list:
    """What the kinds were called with: the subject and the arguments."""
    calls = []

    def draw(kind: str):
        def kind_of(subject, *, recipe, **arguments) -> PaperFigure:
            calls.append((kind, subject, recipe, arguments))
            return PaperFigure(recipe=recipe_of(kind, arguments, subject, recipe))

        return kind_of

    for kind in ("mask", "attention", "comparison"):
        monkeypatch.setattr(figures, kind, draw(kind), raising=False)
    return calls


@pytest.fixture
def saved(tmp_path):
    """Saves a figure of a subject, and gives its path."""

    def save(subject, kind: str = "attention", keep: str = "full", ending: str = "png", **given):
        path = tmp_path / f"fig.{ending}"
        kept = recipe_of(kind, given, subject, keep)
        PaperFigure(figsize=(1, 1), recipe=kept).savefig(path, dpi=20)
        return path

    return save


def model_of(architecture: str, **settings) -> sv.Model:
    return sv.Model(
        reference.make(architecture), reference.tokenizer(), name=architecture, **settings
    )


def assert_equal(new: sv.Trace, old: sv.Trace) -> None:
    assert new.tokens == old.tokens
    assert new.token_ids == old.token_ids
    assert new.prompt_length == old.prompt_length
    assert new.generated_text == old.generated_text
    assert new.segmentation == old.segmentation
    assert new.mask_kind == old.mask_kind
    assert new.recipe == old.recipe
    for layer in range(len(old.layers)):
        np.testing.assert_array_equal(new.mask(layer), old.mask(layer))
        for head in range(old.heads):
            np.testing.assert_allclose(
                new.attention(layer, head), old.attention(layer, head), atol=1e-5
            )
    np.testing.assert_allclose(new.flow(), old.flow(), atol=1e-5)
    np.testing.assert_allclose(
        new.token_probabilities(), old.token_probabilities(), rtol=1e-3, atol=1e-6
    )


@pytest.mark.parametrize("mask", ["segment", "causal"])
@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3", "mistral", "qwen2-windowed"])
def test_a_sampled_run_comes_back_without_sampling(architecture, mask, drawn, saved) -> None:
    model = model_of(architecture)
    old = model.trace(reference.random_prompt(31, 8), mask, **SAMPLED)
    assert len(set(old.token_ids[31:])) > 1
    path = saved(old, layer=1, head=[0, 2])
    before = torch.get_rng_state()
    figure = redraw(path, model)
    assert torch.equal(torch.get_rng_state(), before)
    ((kind, new, keep, arguments),) = drawn
    assert (kind, keep, arguments) == ("attention", "full", {"layer": 1, "head": [0, 2]})
    assert_equal(new, old)
    assert figure.recipe == recipe(path)


def test_only_the_prompt(drawn, saved) -> None:
    model = model_of("qwen3")
    old = model.trace(reference.random_prompt(1, 2))
    redraw(saved(old), model)
    assert_equal(drawn[0][1], old)


def test_a_comparison(drawn, saved) -> None:
    model, other = model_of("llama"), model_of("qwen3")
    prompt = reference.random_prompt(19, 4)
    old = sv.compare(model, prompt, causal_model=other, **SAMPLED)
    path = saved(old, "comparison", ending="svg")
    redraw(path, model, causal_model=other)
    new = drawn[0][1]
    assert_equal(new.causal, old.causal)
    assert_equal(new.segment, old.segment)
    assert new.exact
    np.testing.assert_allclose(new.divergence(), old.divergence(), atol=1e-4)
    with pytest.warns(UserWarning, match="model 'llama' in place of 'qwen3'"):
        redraw(path, model)


@pytest.mark.parametrize("options", [{"max_new_tokens": 1}, {"max_new_tokens": 5}, SAMPLED])
def test_without_text_the_answer_is_generated_again(options, drawn, saved) -> None:
    model = model_of("llama")
    prompt = model.prompt("w5 w9 w12 w40 w41 w8", split="w12")
    assert len(prompt.segmentation.segments) == 2
    old = model.trace(prompt, **options)
    path = saved(old, keep="no-text", ending="pdf")
    redraw(path, model, prompt=prompt)
    # The segments are the recipe's, whatever those of the prompt are.
    redraw(path, model, prompt="w5 w9 w12 w40 w41 w8")
    for _kind, new, keep, _arguments in drawn:
        assert keep == "no-text"
        assert_equal(new, old)
    with pytest.raises(TypeError, match=r"only the hash.*redraw\(…, prompt=…\)"):
        redraw(path, model)
    with pytest.raises(ValueError, match="another prompt than the figure's.*it has 6 tokens, the"):
        redraw(path, model, prompt="w5 w9 w12 w40 w41")
    another = sv.Model(reference.make("llama", seed=1), reference.tokenizer(), name="llama")
    with pytest.raises(ValueError, match="another answer than the figure's, 'w"):
        redraw(path, another, prompt=prompt)


def test_options_that_no_recipe_holds(drawn, saved) -> None:
    model = model_of("llama")
    prompt = reference.random_prompt(9, 4)

    class Stop:
        def __call__(self, *_, **__):
            return torch.zeros(1, dtype=torch.bool)

    old = model.trace(prompt, max_new_tokens=2, stopping_criteria=[Stop()])
    with pytest.raises(ValueError, match=r"with stopping_criteria=\[<.*cannot be generated again"):
        redraw(saved(old, keep="no-text"), model, prompt=prompt)
    redraw(saved(old), model)
    assert_equal(drawn[0][1], old)
    with pytest.raises(ValueError, match="another prompt"):
        redraw(saved(old), model, prompt=reference.random_prompt(9, 5))


@pytest.mark.usefixtures("drawn")
def test_another_model_is_named(saved) -> None:
    old = model_of("llama", adapter="a/b").trace(reference.random_prompt(9, 4))
    path = saved(old)
    half = reference.make("llama", dtype=torch.bfloat16)
    half.config._commit_hash = "abc"
    model = sv.Model(half, reference.tokenizer(), name="mine")
    with pytest.warns(UserWarning, match="another model than before") as caught:
        redraw(path, model)
    (warning,) = caught
    for words in ("model 'mine' in place of 'llama'", "adapter None in place of 'a/b'",
                  "dtype 'bfloat16' in place of 'float32'"):  # fmt: skip
        assert words in str(warning.message)
    assert "revision" not in str(warning.message), "of which nobody knows the one"
    assert warning.filename == __file__
    small = reference.make("llama")
    small.config.vocab_size = 20
    with pytest.raises(ValueError, match="has 20 tokens"):
        redraw(path, sv.Model(small, reference.tokenizer()))
    with pytest.raises(TypeError, match=r"needs the model, llama: redraw\(path, sv.load\(…\)\)"):
        redraw(path)


def test_the_mask_of_a_segmentation_needs_no_model(drawn, saved) -> None:
    cut = sv.Segmentation([sv.Segment(0, 3, "a"), sv.Segment(3, 8, "b", "causal")])
    redraw(saved(cut, "mask", width="text"))
    assert drawn == [("mask", cut, "full", {"width": "text"})]


def test_changes(drawn, saved) -> None:
    cut = sv.Segmentation([sv.Segment(0, 3, "a")])
    path = saved(cut, "mask", width="column", norm=LogNorm(), title="x")
    with pytest.raises(ValueError, match=r"does not hold norm=, which was a LogNorm"):
        redraw(path, width="text")
    redraw(path, width="text", norm=None, recipe="no-text")
    assert drawn == [("mask", cut, "no-text", {"width": "text", "norm": None, "title": "x"})]


@pytest.mark.parametrize("kind", ["recipe", "redraw", "__doc__", "gone"])
def test_a_file_names_no_other_function(kind, saved) -> None:
    path = saved(sv.Segmentation([sv.Segment(0, 3, "a")]), kind)
    with pytest.raises(ValueError, match="this version of segviz draws mask, attention"):
        redraw(path)
