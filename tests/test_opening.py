"""The calls that display an explorer: what they refuse, and what they leave behind."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest
import reference
import torch
import traitlets

import segviz as sv
from segviz.explorer import displayed, explorer_view, opening

PROMPT = reference.random_prompt(20, 3)


@pytest.fixture
def model() -> sv.Model:
    return sv.Model(reference.make("llama"), reference.tokenizer())


@pytest.fixture
def made(monkeypatch) -> list[sv.Session]:
    """The sessions that are made."""
    sessions = []

    class Noted(sv.Session):
        def __init__(self, *args, **kwargs) -> None:
            super().__init__(*args, **kwargs)
            sessions.append(self)

    monkeypatch.setattr(opening, "Session", Noted)
    return sessions


@pytest.mark.parametrize(
    ("given", "said"),
    [("gpt2", "'gpt2'"), (PROMPT, "a Prompt"), (None, "a NoneType")],
)
def test_what_is_no_model(given, said, model, tmp_path) -> None:
    remedy = r"no segviz\.Model: make one with sv\.load\(…\) or sv\.Model\(hf_model, tokenizer\)"
    with pytest.raises(TypeError, match=f"explore.* is {said}, {remedy}"):
        sv.explore(given, model)
    with pytest.raises(TypeError, match=f"open_session.* is {said}, {remedy}"):
        sv.open_session(tmp_path / "none.json", given)
    with pytest.raises(TypeError, match="is a LlamaForCausalLM, no segviz"):
        sv.explore(model.hf_model, "w5 w6")


def test_a_refused_call_leaves_no_run(model, made, tmp_path, monkeypatch) -> None:
    with pytest.raises(traitlets.TraitError, match="layer is 99"):
        sv.explore(model, PROMPT, layer=99, max_new_tokens=200)
    sv.Session(model, PROMPT, max_new_tokens=2).save(tmp_path / "session.json")

    def broken(*_) -> None:
        raise OSError("no display")

    monkeypatch.setattr(opening, "display", broken)
    with pytest.raises(OSError, match="no display"):
        sv.open_session(tmp_path / "session.json", model)
    assert len(made) == 2
    for session in made:
        with pytest.raises(RuntimeError, match="closed"):
            session.wait(60)
        assert not session.busy
        assert not session.views


@pytest.fixture
def execute(monkeypatch):
    """Begins the next execution of a cell."""
    executions = iter(range(100))

    def begin(cell: str = "cell") -> None:
        execution = str(next(executions))
        monkeypatch.setattr(displayed, "_place", lambda: (cell, execution))

    monkeypatch.setattr(displayed, "_shown", {})
    monkeypatch.setattr(opening, "FIRST_RUN", 0.0)
    return begin


@pytest.fixture
def endless(model):
    """Displays an explorer whose answer is not done before the end of the test."""
    gate = threading.Event()

    def explorer() -> sv.Session:
        begun = threading.Event()

        def wait(input_ids, _scores, **_):
            begun.set()
            gate.wait(60)
            return torch.zeros(len(input_ids), dtype=torch.bool)

        session = sv.explore(model, PROMPT, max_new_tokens=200, stopping_criteria=[wait])
        session.begun = begun
        return session

    explorer.gate = gate
    yield explorer
    gate.set()


def test_a_cell_run_again_stops_what_it_ran_before(execute, endless, model) -> None:
    execute()
    first = endless()
    (view,) = first.views
    assert first.begun.wait(60)
    execute()
    second = sv.explore(model, PROMPT, max_new_tokens=1)
    assert not first.views
    assert view.comm is None
    endless.gate.set()
    with pytest.raises(RuntimeError, match="was stopped"):
        first.wait(60)
    assert second.wait(60).segment_answer.state == "done"
    # A session that somebody kept can go on.
    first.decoding = {"max_new_tokens": 2}
    first.run()
    assert first.wait(60).segment_answer.state == "done"
    first.close()
    second.close()


def test_what_is_still_shown_goes_on(execute, endless, model) -> None:
    execute()
    session = endless()
    assert session.begun.wait(60)
    execute("another cell")
    elsewhere = explorer_view(session)
    execute()
    second = sv.explore(model, PROMPT, max_new_tokens=1)
    assert session.views == [elsewhere]
    assert session.busy
    assert session.segment_answer.state == "running"
    second.stop()
    session.stop()
    endless.gate.set()
    session.close()
    second.close()


def test_two_explorers_of_one_execution_stay(execute, model) -> None:
    execute()
    sessions = [sv.explore(model, PROMPT, max_new_tokens=1) for _ in range(2)]
    assert [len(session.views) for session in sessions] == [1, 1]
    execute()
    sessions.append(sv.explore(model, PROMPT, max_new_tokens=1))
    assert [len(session.views) for session in sessions] == [0, 0, 1]
    kept = [weakref.ref(session) for session in sessions]
    for session in sessions:
        session.close()
    del session, sessions
    gc.collect()
    assert [one() for one in kept] == [None, None, None]
