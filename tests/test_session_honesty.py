"""What is old, half-done or broken is never passed off as current."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from dataclasses import replace

import numpy as np
import pytest
import reference
import torch

import segviz as sv
from segviz.explorer import explorer_view
from segviz.session import Session


@pytest.fixture
def model() -> sv.Model:
    return sv.Model(reference.make("llama"), reference.tokenizer(), default_mask="segment")


@pytest.fixture
def session(model):
    session = Session(model, reference.random_prompt(30, 4), max_new_tokens=4)
    session.panels = ["heads", "compare"]
    yield session.wait(60)
    session.close()


def stopped_while_answering(session: Session) -> None:
    """An edit whose answer is stopped at its first token."""
    streaming = threading.Event()
    session.observe(
        lambda change: change["new"].state == "running" and streaming.set(), "segment_answer"
    )
    session.segmentation = session.presets["causal"]
    assert streaming.wait(60)
    session.stop()
    session._runs.worker.wait(60)
    session._looking.worker.wait(60)


def test_an_answer_that_has_not_come_yet_is_no_other_answer(model) -> None:
    session = Session(model, reference.random_prompt(30, 4), max_new_tokens=100)
    session.panels = ["compare"]
    session.wait(60)
    stopped_while_answering(session)
    assert session.causal_answer.state == "done"
    assert session.segment_answer.state == "cancelled"
    assert len(session._runs.traces["segment"].tokens) == 30
    # Under an all-causal segmentation both masks are the same: nothing parts.
    assert not session.parting.parted
    assert session.contrast.difference.array.max() < 1e-5
    session.close()


def test_what_is_compared_once_is_compared_once(session) -> None:
    seen = []
    session.observe(lambda change: seen.append(change["name"]), ["contrast", "flows", "overview"])
    session.segmentation = session.segmentation.split(20)
    session.wait(60)
    assert sorted(seen) == ["contrast", "flows", *["overview"] * 3]


def test_attention_that_cannot_be_shown_is_told(session) -> None:
    view = explorer_view(session)
    with torch.no_grad():
        session.model.hf_model.model.layers[1].self_attn.q_proj.weight[:] = float("nan")
    session.layer = 1
    session.run()
    with pytest.raises(RuntimeError, match="attention of layer 1 holds NaN"):
        session.wait(60)
    assert session.stale
    assert "pattern" not in session.fresh
    assert view.attention.stale
    assert "holds NaN" in view.error
    assert view.receipt.state != "ok"
    # Layer 0 is computed before anything is NaN: it can be looked at.
    session.layer = 0
    session._looking.worker.wait(60)
    assert "pattern" in session.fresh


def test_until_a_look_is_there_the_old_one_counts_as_old(session, monkeypatch) -> None:
    view = explorer_view(session)
    go, asked = threading.Event(), threading.Event()
    check = sv.Trace.check

    def slow(trace, layer, head):
        asked.set()
        assert go.wait(60)
        return check(trace, layer, head)

    monkeypatch.setattr(sv.Trace, "check", slow)
    session.layer = 2
    assert asked.wait(60)
    assert "pattern" in session.fresh  # comes before the receipt
    assert "receipt" not in session.fresh
    assert view.receipt.state == "checking"
    assert view.compare.stale
    go.set()
    session.wait(60)
    assert view.receipt.state == "ok"
    assert not view.compare.stale


def test_what_is_folded_away_is_old_when_it_is_unfolded(session) -> None:
    session.panels = []
    session.segmentation = session.segmentation.split(20)
    session.wait(60)
    assert not session.fresh & {"contrast", "flows", "parting"}
    late = explorer_view(session)
    seen = []
    late.compare.observe(lambda change: seen.append(change["new"]), "stale")
    session.panels = ["compare"]
    session.wait(60)
    assert seen == [True, False]
    assert late.compare.flow_names[: len(session.flows.names)] == list(session.flows.names)


def test_weights_that_changed_make_both_runs_again(session) -> None:
    before = session._runs.traces["causal"]
    with torch.no_grad():
        session.model.hf_model.model.layers[0].mlp.down_proj.weight *= 3
    session.segmentation = session.segmentation.split(20)
    fresh = sv.compare(session.model, session.prompt, 4)
    session.view = "causal"
    expected = fresh.causal.attention(2, 1)
    np.testing.assert_allclose(session.trace.attention(2, 1), expected, atol=1e-5)
    assert np.abs(before.attention(2, 1) - expected).max() > 1e-3


def test_rounding_is_no_difference(session) -> None:
    session.segmentation = session.presets["causal"]
    session.view = "difference"
    view = explorer_view(session)
    session.wait(60)
    assert np.abs(session.pattern.array).max() < 1e-4
    assert set(np.unique(view.attention.encoded.data)) <= {0, 128}
    assert {int(value) for value in np.unique(session.overview[1].thumbnails)} <= {127, 128, 129}


def test_closing_closes_every_view_and_the_last_one_draws(session) -> None:
    one, two, three = (explorer_view(session) for _ in range(3))
    three.close()
    two.set_state({"head": 3})
    assert session.to_html().count("segviz-data") > 0
    assert session.views == [one, two]
    session.close()
    assert [view.comm for view in (one, two, three)] == [None, None, None]
    assert not session.views


def test_a_view_that_is_closed_is_not_kept(session) -> None:
    view = weakref.ref(explorer_view(session))
    view().close()
    gc.collect()
    assert view() is None
    with pytest.raises(RuntimeError, match="no explorer to draw"):
        session.to_html()


def test_an_observer_that_raises_does_not_undo_the_edit(session, caplog) -> None:
    def fail(_change) -> None:
        raise ZeroDivisionError("an observer failed")

    session.observe(fail, "segmentation")
    with pytest.raises(ZeroDivisionError):
        session.edit(reference.random_prompt(22, 9))
    session.unobserve(fail, "segmentation")
    session.wait(60)
    assert session.trace.prompt_length == session.pattern.prompt_length == 22
    # In the background it is logged, and the run goes on.
    for name in ("stage", "busy", "segment_answer", "stale", "version"):
        session.observe(fail, name)
        session.segmentation = session.segmentation.rename(0, f"edited for {name}")
        session.wait(60)
        session.unobserve(fail, name)
        assert session.segment_answer.state == "done", name
        assert f"an observer of {name!r} failed" in caplog.text


def test_a_trace_that_is_refused_changes_nothing(session) -> None:
    before = session.trace
    prompt = reference.random_prompt(22, 9)
    foreign = replace(session.model.trace(prompt), token_ids=tuple(range(9000, 9022)))
    with pytest.raises(ValueError, match="token id 9021"):
        session.trace = foreign
    with pytest.raises(TypeError, match="takes a segviz.Trace, not 'x'"):
        session.trace = "x"
    for name, said in (("model", "of 'x' with the adapter None"), ("adapter", "the adapter 'x';")):
        with pytest.raises(ValueError, match=f"{said}.*: open a session with the trace's model"):
            session.trace = replace(before, recipe={**before.recipe, name: "x"})
    assert session.trace is before


def test_a_trace_that_does_not_know_its_model_is_taken(session) -> None:
    trace = replace(session.model.trace(reference.random_prompt(22, 9)), recipe={})
    session.trace = trace
    assert session.trace is trace


def test_stopping_what_has_failed_keeps_the_reason(session, monkeypatch) -> None:
    monkeypatch.setattr(session.model, "trace", lambda *_a, **_k: 1 / 0)
    session.segmentation = session.segmentation.split(20)
    session._runs.worker.wait(60)
    session.stop()
    assert "ZeroDivisionError" in session.error
    assert session.segment_answer.state == "failed"


def test_what_is_stopped_before_it_began_has_no_tokens(session) -> None:
    session.dragging = True
    session.segmentation = session.segmentation.split(20)
    session.stop()
    assert session.segment_answer.state == "cancelled"
    assert session.segment_answer.tokens == ()


def test_waiting_takes_no_longer_than_it_may(model) -> None:
    session = Session(model, reference.random_prompt(30, 4), max_new_tokens=200)
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"0\.2 s"):
        session.wait(0.2)
    assert time.monotonic() - began < 10
    session.close()
