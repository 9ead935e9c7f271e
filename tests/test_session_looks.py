"""What a session shows besides the chosen head."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
import reference
import traitlets

import segviz as sv
from segviz.session import Session

SEGMENTS = [
    sv.Segment(0, 1, "bos", "causal"),
    sv.Segment(1, 8, "system"),
    sv.Segment(8, 30, "user"),
]
CHAT = [
    {"role": "system", "content": "Anna follows Ben. Ben follows Carl."},
    {"role": "user", "content": "Who leads Anna?"},
]


@pytest.fixture
def model() -> sv.Model:
    return sv.Model(reference.make("qwen3"), reference.tokenizer(), default_mask="segment")


@pytest.fixture
def session(model) -> Session:
    prompt = reference.random_prompt(30, 4, sv.Segmentation(SEGMENTS))
    return Session(model, prompt, max_new_tokens=5).wait(60)


@pytest.fixture(scope="module")
def tiny() -> sv.Model:
    return sv.load()


def test_all_heads(session) -> None:
    trace = session.trace
    assert sorted(session.overview) == [0, 1, 2]
    for layer, look in session.overview.items():
        expected = trace.layer_thumbnails(layer, look.thumbnails.shape[-1])
        np.testing.assert_array_equal(look.thumbnails, expected)
        forward = np.stack([np.triu(trace.attention(layer, head), 1) for head in range(6)])
        np.testing.assert_allclose(
            look.summaries["forward mass"], forward.sum(-1).mean(-1), atol=1e-5
        )
        change = [np.abs(session.comparison.difference(layer, head)).max() for head in range(6)]
        np.testing.assert_allclose(look.summaries["largest difference"], change, atol=1e-5)


def test_all_heads_follow_an_edit_and_the_view(session) -> None:
    before = session.overview[1]
    session.segmentation = session.segmentation.move_boundary(1, 20)
    session.wait(60)
    assert (session.overview[1].thumbnails != before.thumbnails).any()
    session.view = "difference"
    session.wait(60)
    assert {look.view for look in session.overview.values()} == {"difference"}


def test_nothing_is_computed_for_what_is_folded_away(model) -> None:
    prompt = reference.random_prompt(30, 4, sv.Segmentation(SEGMENTS))
    session = Session(model, prompt, max_new_tokens=2)
    session.panels = []
    session.wait(60)
    session.segmentation = session.segmentation.move_boundary(1, 20)
    seen = []
    session.observe(lambda change: seen.append(change["name"]), ["overview", "contrast", "flows"])
    session.wait(60)
    assert not seen
    session.panels = ["compare"]
    session.wait(60)
    assert set(seen) == {"contrast", "flows"}


def test_what_is_known_is_not_computed_again(session) -> None:
    seen = []
    session.observe(lambda change: seen.append(change["name"]), ["overview", "pattern", "receipt"])
    session.head = 3
    session.wait(60)
    assert seen[0] == "pattern"
    assert "overview" not in seen


def test_contrast_flows_and_parting(session) -> None:
    session.panels = ["compare"]
    session.layer, session.head = 1, 4
    session.wait(60)
    comparison = session.comparison
    shared = comparison.shared_length
    contrast = session.contrast
    np.testing.assert_allclose(contrast.difference.array, comparison.difference(1, 4), atol=1e-5)
    np.testing.assert_allclose(contrast.causal.array, comparison.causal.attention(1, 4), atol=1e-5)
    for scope, arguments in {"head": (1, 4), "layer": (1,), "model": ()}.items():
        causal, segment = session.flows.by_scope[scope]
        np.testing.assert_allclose(causal, comparison.causal.flow(*arguments), atol=1e-5)
        np.testing.assert_allclose(segment, comparison.segment.flow(*arguments), atol=1e-5)
    parting = session.parting
    np.testing.assert_allclose(parting.divergence, comparison.divergence(), atol=1e-5)
    assert parting.exact
    assert parting.parted == (comparison.causal.token_ids != comparison.segment.token_ids)
    assert len(parting.tokens) == shared
    if parting.parted:
        assert parting.position == shared - 1
        assert parting.next_tokens[0][0][0] == comparison.causal.tokens[shared]
        assert parting.next_tokens[1][0][0] == comparison.segment.tokens[shared]


def test_where_the_answers_part(tiny) -> None:
    session = Session(tiny, sv.examples["chain"], max_new_tokens=4)
    session.panels = ["compare"]
    session.wait(60)
    parting = session.parting
    assert parting.parted
    assert parting.position == session.prompt.length - 1
    assert [likely[0][0].strip() for likely in parting.next_tokens] == ["Fay", "Lena"]


def test_the_receipt(session) -> None:
    assert session.receipt.ok
    visible = np.triu(session.trace.mask(), 1).sum()
    assert session.receipt.added == visible > 0
    session.view = "causal"
    session.wait(60)
    assert session.receipt.ok
    assert session.receipt.added == 0


@pytest.mark.parametrize("view", ["causal", "segment", "difference"])
@pytest.mark.parametrize(("reduce", "function"), [("mean", np.mean), ("max", np.max)])
def test_over_the_heads_of_a_layer(session, view, reduce, function) -> None:
    session.view, session.layer, session.reduce = view, 2, reduce
    session.wait(60)
    comparison = session.comparison

    def reduced(trace: sv.Trace) -> np.ndarray:
        return function([trace.attention(2, head) for head in range(6)], axis=0)

    shared = slice(0, comparison.shared_length)
    expected = {
        "causal": lambda: reduced(comparison.causal),
        "segment": lambda: reduced(comparison.segment),
        "difference": lambda: (
            reduced(comparison.segment)[shared, shared] - reduced(comparison.causal)[shared, shared]
        ),
    }[view]()
    np.testing.assert_allclose(session.pattern.array, expected, atol=1e-5)
    assert session.pattern.head == reduce


def test_answers_carry_their_probabilities(session) -> None:
    trace = session.trace
    answer = session.segment_answer
    assert len(answer.probabilities) == len(answer.top) == 5
    for number, (probability, top) in enumerate(zip(answer.probabilities, answer.top, strict=True)):
        likely = trace.next_tokens(29 + number, 10)
        assert list(top) == likely
        assert probability == pytest.approx(likely[0][1], rel=1e-4)


def test_decoding_can_be_changed(session) -> None:
    greedy = session.segment_answer.tokens
    session.decoding = {"max_new_tokens": 9, "do_sample": True, "temperature": 3, "seed": 5}
    session.wait(60)
    sampled = session.segment_answer.tokens
    assert len(sampled) == 9
    assert sampled[:5] != greedy
    session.decoding = {"max_new_tokens": 5}
    session.wait(60)
    assert session.segment_answer.tokens == greedy
    session.decoding = {"max_new_tokens": 0}
    session.wait(60)
    assert session.segment_answer.tokens == ()
    assert len(session.trace.tokens) == 30
    with pytest.raises(ValueError, match="top_p is 2"):
        session.decoding = {"top_p": 2}
    with pytest.raises(ValueError, match="exceed"):
        session.decoding = {"max_new_tokens": 9999}
    assert session.decoding["max_new_tokens"] == 0


class TestPrompt:
    def test_an_edited_text_keeps_edits_of_segments(self, tiny) -> None:
        session = Session(tiny, CHAT, max_new_tokens=2)
        session.segmentation = session.segmentation.split(4).rename(1, "first fact")
        names = [segment.name for segment in session.segmentation.segments]
        session.edit([CHAT[0], {"role": "user", "content": "Who follows Carl?"}])
        session.wait(60)
        assert [segment.name for segment in session.segmentation.segments] == names
        assert session.segmentation.boundaries[:2] == (1, 4)
        assert "Carl?" in session.prompt.text
        assert session.prompt.messages[1]["content"] == "Who follows Carl?"
        assert session.trace.token_ids[: session.prompt.length] == session.prompt.token_ids
        fresh = tiny.trace(session.prompt, max_new_tokens=2)
        np.testing.assert_allclose(session.trace.attention(1, 1), fresh.attention(1, 1), atol=1e-5)

    def test_presets_are_those_of_the_template(self, tiny) -> None:
        session = Session(tiny, CHAT, max_new_tokens=0)
        template = session.segmentation
        session.segmentation = session.presets["by sentence"]
        assert len(session.segmentation.segments) > len(template.segments)
        assert session.presets["segment"] == template
        session.segmentation = session.presets["causal"]
        assert {segment.attention for segment in session.segmentation.segments} == {"causal"}
        session.wait(60)
        np.testing.assert_array_equal(session.trace.mask(), np.tri(len(session.trace.tokens)) > 0)

    def test_assigned_outright(self, tiny) -> None:
        session = Session(tiny, CHAT, max_new_tokens=1)
        session.segmentation = session.segmentation.split(4)
        session.prompt = tiny.prompt("Anna follows Ben.")
        session.wait(60)
        assert session.segmentation == session.prompt.segmentation == session.template
        assert session.trace.prompt_length == session.prompt.length
        session.prompt = session.prompt.with_segmentation(session.segmentation.split(3))
        session.wait(60)
        assert session.trace.segmentation.boundaries[:2] == (1, 3)

    def test_what_the_model_cannot_take_changes_nothing(self, tiny) -> None:
        session = Session(tiny, CHAT, max_new_tokens=1)
        before = session.prompt
        for given, said in [
            ([{"role": "wizard", "content": "x"}], "wizard"),
            ("", "no token"),
            ("Anna " * 600, "exceed"),
        ]:
            with pytest.raises((ValueError, traitlets.TraitError), match=said):
                session.edit(given)
        assert session.prompt is before
        assert session.wait(60).segment_answer.state == "done"


def test_closing_frees_everything(model) -> None:
    threads = threading.active_count()
    prompt = reference.random_prompt(30, 4, sv.Segmentation(SEGMENTS))
    session = Session(model, prompt, max_new_tokens=3).wait(60)
    kept = [weakref.ref(session.trace), weakref.ref(session.pattern), weakref.ref(session)]
    session.close()
    del session
    gc.collect()
    assert [reference() for reference in kept] == [None, None, None]
    assert threading.active_count() == threads
