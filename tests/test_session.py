"""A session follows edits: the latest wins, the kernel stays free, nothing older comes back."""

from __future__ import annotations

import contextlib
import threading

import numpy as np
import pytest
import reference
import torch
import traitlets

import segviz as sv
from segviz.explorer import explorer_view

SEGMENTS = [
    sv.Segment(0, 1, "bos", "causal"),
    sv.Segment(1, 8, "system"),
    sv.Segment(8, 30, "user"),
]


@pytest.fixture
def model() -> sv.Model:
    return sv.Model(reference.make("qwen3"), reference.tokenizer(), default_mask="segment")


@pytest.fixture
def prompt():
    return reference.random_prompt(30, 4, sv.Segmentation(SEGMENTS))


@pytest.fixture
def session(model, prompt) -> sv.Session:
    return sv.Session(model, prompt, max_new_tokens=5).wait(60)


def assert_fresh(session: sv.Session) -> None:
    """All that the session shows equals runs made from scratch."""
    model = session.model
    model.clear_cache()
    comparison = sv.compare(model, session.prompt, max_new_tokens=5)
    assert session.comparison.causal.token_ids == comparison.causal.token_ids
    assert session.comparison.segment.token_ids == comparison.segment.token_ids
    layer, head = session.layer, session.head
    expected = {
        "causal": comparison.causal.attention,
        "segment": comparison.segment.attention,
        "difference": comparison.difference,
    }[session.view](layer, head)
    np.testing.assert_allclose(session.pattern.array, expected, atol=1e-5)
    assert (session.pattern.view, session.pattern.layer, session.pattern.head) == (
        session.view,
        layer,
        head,
    )
    assert session.pattern.segmentation.segments[:-1] == session.segmentation.segments
    assert session.causal_answer.tokens == comparison.causal.tokens[30:]
    assert session.segment_answer.tokens == comparison.segment.tokens[30:]
    assert session.causal_answer.state == session.segment_answer.state == "done"
    assert not session.stale


def test_edits_from_python(session) -> None:
    assert_fresh(session)
    session.segmentation = session.segmentation.move_boundary(1, 12).split(20)
    assert_fresh(session)
    assert session.trace.segmentation.boundaries == (1, 12, 20, 30)
    session.layer, session.head = 2, 5
    assert_fresh(session)
    for view in ("difference", "causal", "segment"):
        session.view = view
        assert_fresh(session)
        assert session.trace.mask_kind == ("causal" if view == "causal" else "segment")
    session.view = "causal"
    session.segmentation = session.segmentation.merge(1)
    assert_fresh(session)
    assert session.trace.segmentation.boundaries == (1, 20, 30)


def test_the_latest_edit_wins(session) -> None:
    """Many edits in a row, faster than runs: the outcome is that of the last one."""
    for position in [*range(9, 29), *range(28, 13, -1)]:
        session.segmentation = session.segmentation.move_boundary(1, position)
    assert_fresh(session)
    assert session.segmentation.boundaries == (1, 14)


def test_an_edit_cancels_the_run_under_way(model, prompt) -> None:
    session = sv.Session(model, prompt, max_new_tokens=200)
    started, boundaries = threading.Event(), []

    def heard(change) -> None:
        if change["new"].state == "running" and len(change["new"].tokens) == 3:
            boundaries.append(session.segmentation.boundaries)
            started.set()

    session.observe(heard, "segment_answer")
    assert started.wait(60)
    session.segmentation = session.segmentation.move_boundary(1, 15)
    segment = session.comparison.segment
    assert boundaries[0] == (1, 8)
    assert segment.segmentation.boundaries == (1, 15, 30)
    assert set(boundaries[1:]) == {(1, 15)}


def test_while_dragging_runs_wait_for_a_pause(session) -> None:
    runs = []
    original = session.model.trace
    session.model.trace = lambda prompt, *args, **kwargs: (
        runs.append(prompt.segmentation.boundaries) or original(prompt, *args, **kwargs)
    )
    session.dragging = True
    for position in range(9, 25):
        session.segmentation = session.segmentation.move_boundary(1, position)
    session.dragging = False
    session.wait(60)
    assert set(runs) == {(1, 24)}


def test_stop_and_run_again(model, prompt) -> None:
    session = sv.Session(model, prompt, max_new_tokens=200)
    started = threading.Event()
    session.observe(lambda change: change["new"].tokens and started.set(), "segment_answer")
    assert started.wait(60)
    session.stop()
    with pytest.raises(RuntimeError, match="stopped"):
        session.wait(60)
    assert session.segment_answer.state == "cancelled"
    assert 0 < len(session.segment_answer.tokens) < 200
    session.run()
    assert session.wait(60).segment_answer.state == "done"


def test_a_run_that_fails_is_seen_and_the_session_works_on(session) -> None:
    original = session.model.trace
    session.model.trace = lambda *_args, **_kwargs: torch.linalg.cholesky(-torch.eye(2))
    session.segmentation = session.segmentation.move_boundary(1, 20)
    with pytest.raises(RuntimeError, match="LinAlgError"):
        session.wait(60)
    assert session.segment_answer.state == "failed"
    assert session.causal_answer.state == "done"
    session.model.trace = original
    session.segmentation = session.segmentation.move_boundary(1, 21)
    assert_fresh(session)


def test_an_observer_that_raises_does_not_end_the_session(session) -> None:
    def fail(_change) -> None:
        raise ZeroDivisionError("an observer failed")

    for name in ("segment_answer", "busy", "pattern"):
        session.observe(fail, name)
        with contextlib.suppress(ZeroDivisionError):
            session.segmentation = session.segmentation.move_boundary(1, 20)
        with contextlib.suppress(RuntimeError):
            session.wait(60)
        session.unobserve(fail, name)
        session.segmentation = session.segmentation.move_boundary(1, 21)
        assert_fresh(session)


def test_an_observer_may_run_the_model_while_an_answer_streams(model, prompt) -> None:
    session = sv.Session(model, prompt, max_new_tokens=100)
    streaming, seen = threading.Event(), []
    session.observe(lambda change: change["new"].tokens and streaming.set(), "segment_answer")
    assert streaming.wait(60)
    session.observe(lambda _: seen.append(model.trace(session.prompt, "causal")), "pattern")
    session.layer = 1
    session.wait(60)
    assert seen
    assert session.segment_answer.state == "done"


def test_stopping_before_a_run_has_begun(session) -> None:
    session.dragging = True
    session.segmentation = session.segmentation.split(20)
    session.stop()
    with pytest.raises(RuntimeError, match="stopped"):
        session.wait(60)
    assert session.segment_answer.state == "cancelled"
    assert session.causal_answer.state == "done"
    session.dragging = False
    session.run()
    assert_fresh(session)


def test_the_comparison_is_exact(session) -> None:
    expected = sv.compare(session.model, session.prompt, 5).divergence()
    np.testing.assert_allclose(session.comparison.divergence(), expected, atol=1e-4)


def test_closing(session) -> None:
    view = explorer_view(session)
    assert session.views == [view]
    session.close()
    assert not session.views
    assert view.comm is None


def test_a_trace_from_elsewhere_can_be_shown(session, tmp_path) -> None:
    other = reference.random_prompt(22, 9)
    session.model.trace(other, "segment", max_new_tokens=3).save(tmp_path / "run.safetensors")
    session.trace = sv.Trace.load(tmp_path / "run.safetensors")
    assert session.prompt.token_ids == other.token_ids
    assert session.segmentation == other.segmentation
    assert session.trace.prompt_length == 22
    assert len(session.trace.tokens) == 25
    assert session.comparison.causal.token_ids[:22] == other.token_ids
    foreign = sv.Model(reference.make("llama"), reference.tokenizer()).trace(other)
    object.__setattr__(foreign, "layers", foreign.layers[:1])
    with pytest.raises(ValueError, match="1 layers of 6 heads.*3 of 6"):
        session.trace = foreign


def test_what_the_model_cannot_take_is_refused_at_once(model, prompt) -> None:
    with pytest.raises(TypeError, match="add do_sample=True"):
        sv.Session(model, prompt, temperature=2.0)
    with pytest.raises(NotImplementedError, match="num_beams=3"):
        sv.Session(model, prompt, num_beams=3)
    with pytest.raises(ValueError, match="exceed the 256 positions"):
        sv.Session(model, prompt, max_new_tokens=250)


def test_a_sampled_answer_changes_with_an_edit_and_not_by_chance(model, prompt) -> None:
    session = sv.Session(model, prompt, max_new_tokens=12, do_sample=True).wait(60)
    answers = [session.comparison.segment.token_ids]
    session.run()
    answers.append(session.comparison.segment.token_ids)
    assert answers[0] == answers[1]
    assert session.trace.recipe["seed"] is not None


def test_rejections(session) -> None:
    with pytest.raises(traitlets.TraitError, match="spans 7 tokens, the prompt has 30"):
        session.segmentation = sv.Segmentation([sv.Segment(0, 7, "x")])
    with pytest.raises(traitlets.TraitError, match="layer is 3; allowed are 0 to 2"):
        session.layer = 3
    with pytest.raises(traitlets.TraitError, match="head is -1; allowed are 0 to 5"):
        session.head = -1
    with pytest.raises(traitlets.TraitError, match="view"):
        session.view = "both"
    with pytest.raises(traitlets.TraitError, match="pinned is 35; allowed are 0 to 34"):
        session.pinned = 35
    with pytest.raises(ValueError, match="mask='both'"):
        session.pin_answer("both", 0)
    with pytest.raises(IndexError, match="no generated token 5: the answer has 5"):
        session.pin_answer("causal", 5)
    with pytest.raises(RuntimeError, match=r"snapshot\(\).*no explorer"):
        session.snapshot()
    with pytest.raises(RuntimeError, match=r"to_html\(\).*no explorer"):
        session.to_html()
    assert_fresh(session)


def test_waiting_has_a_limit_and_no_deadlock(model, prompt) -> None:
    session = sv.Session(model, prompt, max_new_tokens=200)
    with pytest.raises(TimeoutError, match="0.0 s"):
        session.wait(0.0)
    errors = []

    def wait_inside(_change) -> None:
        try:
            session.wait()
        except RuntimeError as error:
            errors.append(str(error))

    session.observe(wait_inside, "segment_answer")
    session.wait(60)
    assert "would wait for" in errors[0]


def test_a_slow_prefill_says_how_far_it_has_come(model, prompt, monkeypatch) -> None:
    monkeypatch.setattr("segviz.session.runs._BEAT", 0.0)
    stages = []
    session = sv.Session(model, prompt, max_new_tokens=0)
    session.observe(lambda change: stages.append(change["new"]), "stage")
    session.segmentation = session.segmentation.move_boundary(1, 20)
    session.wait(60)
    assert "prefill under the segment mask, layer 3 of 3" in stages


def test_a_closed_session_says_so(session) -> None:
    session.close()
    for call in (session.wait, session.run, lambda: session.trace, lambda: session.comparison):
        with pytest.raises(RuntimeError, match="this session is closed"):
            call()
    assert session.pattern is None
    before = session.segmentation
    changes = {
        "layer": 1,
        "view": "causal",
        "segmentation": before.split(20),
        "prompt": reference.random_prompt(22, 9),
    }
    for name, value in changes.items():
        with pytest.raises(RuntimeError, match="this session is closed"):
            setattr(session, name, value)
    with pytest.raises(RuntimeError, match="this session is closed"):
        session.pin_answer("causal", 0)
    assert session.segmentation == session.prompt.segmentation == before
    session.close()
