"""The explorer: views and session follow each other, and what is stored in a page."""

from __future__ import annotations

import gc
import json
import re
import weakref

import numpy as np
import pytest
import reference
import torch
from transformers import AutoModelForCausalLM

import segviz as sv
from segviz.explorer import explorer_view
from segviz.labels import UNTUNED
from segviz.session import Session
from segviz.widgets import View

CHAT = [
    {"role": "system", "content": "Anna follows Ben. Ben follows Carl."},
    {"role": "user", "content": "Who leads Anna?"},
]


@pytest.fixture(scope="module")
def tiny() -> sv.Model:
    return sv.load()


@pytest.fixture
def session(tiny):
    session = Session(tiny, CHAT, max_new_tokens=3)
    yield session.wait(60)
    session.close()


def test_a_page_edit_becomes_the_state_and_comes_back_as_pictures(session) -> None:
    view = explorer_view(session)
    before = dict(view.attention._published)
    moved = session.segmentation.move_boundary(1, 5)
    view.strip.set_state({"segments": moved.to_dict()["segments"]})
    assert session.segmentation == moved
    session.wait(60)
    assert view.mask.segmentation.segments[:4] == moved.segments
    assert view.attention._published["attention"] != before["attention"]
    assert view.receipt.state == "ok"
    assert view.answer.segment["tokens"] == list(session.segment_answer.tokens)
    assert view.answer.probabilities("segment") == session.segment_answer.probabilities
    assert not view.grid.missing
    assert not view.grid.stale


def test_choices_go_both_ways(session) -> None:
    view = explorer_view(session)
    page = {
        view: {"layer": 2, "head": 1, "view": "difference", "reduce": "max", "panels": ["compare"]},
        view.attention: {"merge": "words", "scale": "log", "hide_first": True, "normalize": True},
    }
    for target, choices in page.items():
        target.set_state(choices)
        for name, value in choices.items():
            assert getattr(session, name) == value, name
    session.layer, session.reduce = 0, "head"
    session.scale, session.panels = "linear", ["heads"]
    assert (view.layer, view.grid.layer, view.reduce) == (0, 0, "head")
    assert (view.attention.scale, view.panels) == ("linear", ["heads"])
    view.grid.set_state({"layer": 1})
    assert (session.layer, view.layer) == (1, 1)


def test_what_the_model_refuses_is_said_and_taken_back(session) -> None:
    view = explorer_view(session)
    view.set_state({"layer": 77})
    assert "allowed are 0 to 2" in view.error
    assert view.layer == session.layer == 0
    view.answer.set_state({"decoding": {"max_new_tokens": 9999}})
    assert "exceed" in view.answer.error
    assert view.answer.decoding == session.decoding
    session.wait(60)


def test_the_source_of_the_prompt_is_edited(session) -> None:
    view = explorer_view(session)
    assert view.prompt.kind == "chat"
    assert view.prompt.messages == CHAT
    session.segmentation = session.segmentation.split(4)
    edited = [CHAT[0], {"role": "user", "content": "Who leads Ben?"}]
    view.prompt._dispatch({"kind": "edit", "of": "chat", "value": edited, "id": "1"}, [])
    assert session.prompt.messages == edited
    assert 4 in session.segmentation.boundaries
    assert view.strip.tokens == list(session.prompt.tokens)
    assert view.strip.segmentation == session.segmentation
    assert view.prompt.note == f"{session.prompt.length} tokens"
    refused = [{"role": "wizard", "content": "x"}]
    view.prompt._dispatch({"kind": "edit", "of": "chat", "value": refused, "id": "2"}, [])
    assert "wizard" in view.prompt.error
    assert view.prompt.messages == session.prompt.messages == edited
    session.edit("Anna follows Ben.")
    assert (view.prompt.kind, view.prompt.text) == ("text", "Anna follows Ben.")
    view.prompt._dispatch({"kind": "edit", "of": "text", "value": "Ben leads", "id": "3"}, [])
    assert session.prompt.text == "Ben leads"
    session.wait(60)
    assert session.trace.prompt_length == session.prompt.length


def test_presets_are_those_of_the_prompt(session) -> None:
    view = explorer_view(session)
    names = [preset["name"] for preset in view.strip.presets]
    assert names == list(session.presets)
    assert "by sentence" in names
    chosen = view.strip.presets[names.index("prefix-LM")]["segments"]
    view.strip.set_state({"segments": chosen})
    assert session.segmentation == session.presets["prefix-LM"]
    session.edit("One.")
    assert [preset["name"] for preset in view.strip.presets] == list(session.presets)
    session.wait(60)


def test_a_generated_token_that_is_picked_is_pinned(session) -> None:
    view = explorer_view(session)
    view._dispatch({"kind": "pick", "mask": "causal", "index": 1}, [])
    assert session.view == "causal"
    session.wait(60)
    assert session.pinned == view.attention.pinned == session.prompt.length + 1
    view._dispatch({"kind": "pick", "mask": "segment", "index": 99}, [])
    assert "no generated token 99" in view.error
    view.attention.set_state({"pinned": None})
    assert session.pinned is None


def test_layers_in_sight_come_first() -> None:
    model = sv.Model(reference.make("llama"), reference.tokenizer())
    session = Session(model, reference.random_prompt(20, 1), max_new_tokens=0)
    view = explorer_view(session)
    session.wait(60)
    view.grid._dispatch({"kind": "visible", "first": 2, "last": 2}, [])
    session.wait(60)
    seen = []
    session.observe(lambda change: seen.extend(set(change["new"]) - set(change["old"])), "overview")
    session.overview = {}
    session.view = "causal"
    session.wait(60)
    assert seen == [2, 0, 1]
    session.close()


def test_untuned_weights_are_told_apart(session) -> None:
    assert explorer_view(session).answer.untuned == ""
    model = sv.Model(reference.make("qwen2"), reference.tokenizer())
    other = Session(model, reference.random_prompt(20, 1), max_new_tokens=1)
    view = explorer_view(other)
    assert view.answer.untuned == view.compare.untuned == UNTUNED
    other.close()


def test_two_views_of_a_session_are_alike(session) -> None:
    one, two = explorer_view(session), explorer_view(session)
    one.strip.set_state({"segments": session.segmentation.split(4).to_dict()["segments"]})
    one.set_state({"layer": 1})
    session.wait(60)
    assert two.strip.segmentation == session.segmentation
    assert two.layer == 1
    assert one.attention._published["attention"][1] == two.attention._published["attention"][1]
    one.close()
    session.layer = 2
    session.wait(60)
    assert (one.layer, two.layer) == (1, 2)
    assert session.views == [two]


def test_a_closed_view_is_let_go(session) -> None:
    view = explorer_view(session)
    gone = weakref.ref(view)
    view.close()
    del view
    session.front = None
    gc.collect()
    assert gone() is None


def test_a_view_that_comes_late_shows_what_is_there(session) -> None:
    session.panels = ["heads", "compare"]
    session.wait(60)
    view = explorer_view(session)
    assert not view.grid.missing
    assert set(view.compare._published) == {"patterns", "flows", "parting"}
    assert view.answer.causal["state"] == "done"
    assert view.receipt.state == "ok"
    session.reduce = "mean"
    assert "choose one" in view.receipt.summary


class TestPage:
    """``to_html``: what a page without a kernel holds."""

    @staticmethod
    def stored(page: str) -> dict:
        text = re.search(r'id="segviz-data">(.*?)</script>', page, re.DOTALL)
        return json.loads(text[1])["models"]

    def kept(self, page: str) -> tuple[set[str], set[str], set[str]]:
        """Keys of the attention view, of the head grid, of the compare view."""
        models = self.stored(page).values()
        return tuple(
            next(set(model["kept"]) for model in models if trait in model["state"])
            for trait in ("normalize", "sort", "flow_of")
        )

    def test_the_chosen_head_and_those_that_changed_most(self, session) -> None:
        explorer_view(session)
        session.layer, session.head = 2, 3
        attention, grid, compare = self.kept(session.to_html())
        largest = session.comparison.largest_difference()
        most = {divmod(int(i), 4) for i in np.argsort(-largest, axis=None)[:3]}
        assert {tuple(map(int, key.split())) for key in compare} == most | {(2, 3)}
        assert attention == {
            f"{v} {key}" for v in ("causal", "segment", "difference") for key in compare
        }
        assert grid == {"causal", "segment", "difference"}

    def test_named_heads(self, session, tmp_path) -> None:
        explorer_view(session)
        session.to_html(tmp_path / "page.html", heads=[(0, 1), (2, 2)])
        *_, compare = self.kept((tmp_path / "page.html").read_text())
        assert compare == {"0 1", "2 2", "0 0"}
        with pytest.raises(IndexError, match="there is no layer 9"):
            session.to_html(tmp_path / "other.html", heads=[(9, 0)])
        for wrong in (3, [3], [("a", "b")]):
            with pytest.raises(TypeError, match="pairs of layer and query head"):
                session.to_html(tmp_path / "other.html", heads=wrong)
        assert not (tmp_path / "other.html").exists()

    def test_it_waits_for_the_run(self, session) -> None:
        explorer_view(session)
        session.segmentation = session.segmentation.split(4)
        models = self.stored(session.to_html()).values()
        (answer,) = [model["state"] for model in models if "causal" in model["state"]]
        assert answer["segment"]["state"] == "done"
        (strip,) = [model["state"] for model in models if "presets" in model["state"]]
        assert strip["segments"] == session.segmentation.to_dict()["segments"]

    def test_it_leaves_the_session_as_it_was(self, session) -> None:
        view = explorer_view(session)
        before = [(child, dict(child._published)) for child in view.children]
        session.to_html()
        assert all(child._published == published for child, published in before)
        assert session.views == [view]


def test_no_message_is_over_a_megabyte(monkeypatch) -> None:
    sizes = []

    def send(_widget: View, message: dict, buffers: list | None = None) -> None:
        sizes.append(len(json.dumps(message)) + sum(len(bytes(one)) for one in buffers or []))

    monkeypatch.setattr(View, "_send", send)
    config = reference.CONFIGS["llama"][0](
        **{**reference._SHAPE, "num_attention_heads": 12, "max_position_embeddings": 1500}
    )
    torch.manual_seed(0)
    hf_model = AutoModelForCausalLM.from_config(config).eval()
    model = sv.Model(hf_model, reference.tokenizer())
    # One bidirectional segment: every cell of the pattern is visible, which no run packs away.
    prompt = reference.random_prompt(1023, 1)
    whole = sv.Segmentation([sv.Segment(0, 1023, "user")])
    session = Session(model, prompt.with_segmentation(whole), max_new_tokens=2)
    session.panels = ["prompt", "heads", "compare"]
    view = explorer_view(session)
    session.wait(120)
    session.view = "difference"
    session.wait(120)
    for child in (view, *view.children):
        child._dispatch({"kind": "ready"}, [])
    assert len(sizes) > 20
    assert max(sizes) < 1_000_000
    assert max(sizes) > 300_000  # the pattern was among them
    session.close()


def test_the_matrices_keep_their_size_while_an_answer_comes(session) -> None:
    view = explorer_view(session)
    length = len(view.attention.tokens)
    assert length > session.prompt.length
    sizes = []
    for one in (view.attention, view.mask):
        one.observe(lambda change: sizes.append(len(change["new"])), "tokens")
    session.segmentation = session.segmentation.move_boundary(1, 5)
    session.wait(60)
    assert set(sizes) <= {length}
    assert view.attention.tokens[-1] == session.segment_answer.tokens[-1]
    # Without an answer there is no room for one.
    session.decoding = {"max_new_tokens": 0}
    session.wait(60)
    assert len(view.attention.tokens) == len(view.mask.tokens) == session.prompt.length


def test_the_status_says_what_became_of_a_run(session, monkeypatch) -> None:
    view = explorer_view(session)
    assert view.status == "up to date"
    monkeypatch.setattr(session.model, "trace", lambda *_a, **_k: 1 / 0)
    session.run()
    session._runs.worker.wait(60)
    assert (view.status, view.error) == ("failed", "ZeroDivisionError: division by zero")
    monkeypatch.undo()
    view.strip.dragging = True
    session.run()
    session.stop()
    session._runs.worker.wait(60)
    assert view.status == "stopped"
    view.strip.dragging = False
    session.run()
    session.wait(60)
    assert (view.status, view.error) == ("up to date", "")
