"""The answer view in Python: what it takes and refuses, what it sends, what its picture shows."""

from __future__ import annotations

import re
from functools import partial
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from traitlets import TraitError

from segviz.trace import Trace
from segviz.widgets.answer_view import AnswerView
from segviz.widgets.base import View
from segviz.widgets.drawing import answer as drawing

TOKENS = [" The", "\n", "<|end|>"]
STATIC = Path(drawing.__file__).parents[1] / "static"


@pytest.fixture
def sent(monkeypatch):
    """Custom messages, as (content, arrays)."""
    messages = []

    def send(self, content, buffers=None):  # noqa: ARG001
        arrays = [
            np.frombuffer(buffer, one["dtype"]).reshape(one["shape"])
            for one, buffer in zip(content.get("arrays", []), buffers or [], strict=True)
        ]
        messages.append((content, arrays))

    monkeypatch.setattr(View, "send", send)
    return messages


def test_probabilities_go_as_a_message(sent):
    view = AnswerView()
    top = [[(" The", 0.5), (" A", 0.25)], [("\n", 0.875)]]
    view.set("segment", TOKENS, state="done", probabilities=[0.5, 0.875, float("nan")], top=top)
    ((content, (chosen, own, there, probabilities)),) = sent
    assert content["kind"] == "top segment"
    assert [content["labels"][at] for at in chosen] == [" The", "⏎", "<|end|>"]
    assert [content["labels"][at] for at in content["special"]] == ["<|end|>"]
    assert own[:2].tolist() == [0.5, 0.875]
    assert np.isnan(own[2])
    assert there.shape == probabilities.shape == (3, 2)
    assert [content["labels"][at] for at in there[0]] == [" The", " A"]
    assert probabilities[0].tolist() == [0.5, 0.25]
    assert np.isnan(probabilities[1, 1])
    assert np.isnan(probabilities[2]).all()
    assert set(view.get_state()["segment"]) == {"labels", "special", "state", "note"}


def test_long_answers_stay_small(sent):
    tokens = [f" word{index % 700}" for index in range(1024)]
    top = [[(f" w{place} {rank}", 0.5**rank) for rank in range(25)] for place in range(1024)]
    view = AnswerView()
    view.set("causal", tokens, probabilities=[0.5] * 1024, top=top)
    content, arrays = sent[-1]
    assert arrays[2].shape == (1024, 10)
    assert len(str(content)) + sum(array.nbytes for array in arrays) < 400_000
    assert len(str(view.get_state()["causal"])) < 20_000


def test_the_likeliest_comes_first():
    view = AnswerView()
    view.set("causal", ["a"], top=[[("b", 0.1), ("a", 0.9)]])
    assert view._top["causal"] == ((("a", 0.9), ("b", 0.1)),)


def test_probabilities_stay_with_their_tokens(sent):
    view = AnswerView()
    view.set("causal", ["a", "b", "c"], probabilities=[0.5, 0.25, 0.125])
    view.set("causal", state="done")
    assert len(sent) == 1, "nothing new about probabilities"
    view.append("causal", "d")
    assert view.probabilities("causal") == (0.5, 0.25, 0.125)
    view.set("causal", ["a", "x", "c"])
    assert view.probabilities("causal") == (0.5,)
    assert view.probabilities("segment") == ()
    # A new run begins: nothing of the one before is left.
    sent.clear()
    view.set("causal", [], state="running", probabilities=(), top=())
    view.set("causal", ["a"], state="running", probabilities=(), top=())
    ((content, arrays),) = sent
    assert content["labels"] == []
    assert [array.size for array in arrays] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"probabilities": [0.5] * 4}, "4 for 3 tokens"),
        ({"probabilities": [1.5]}, "1.5 is no probability; allowed are 0 to 1"),
        ({"probabilities": [True]}, "no probability"),
        ({"probabilities": ["0.5"]}, "no probability"),
        ({"top": [[("a", 0.5)]] * 4}, "4 for 3 tokens"),
        ({"top": [["a"]]}, "pair of token text and probability"),
        ({"top": [[(1, 0.5)]]}, "pair of token text and probability"),
        ({"top": [[("a", -0.5)]]}, "-0.5 is no probability"),
    ],
)
def test_refused_probabilities(given, said):
    view = AnswerView()
    view.set("segment", TOKENS, probabilities=[0.5])
    with pytest.raises(ValueError, match=said):
        view.set("segment", TOKENS, state="done", **given)
    assert view.segment["state"] == "waiting", "all stay as they were"
    assert view.probabilities("segment") == (0.5,)


def test_rounding_beyond_one_is_taken():
    view = AnswerView()
    view.set("causal", ["a"], probabilities=np.array([1.0000001], np.float32))
    assert view.probabilities("causal") == (1.0,)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"beams": 4}, "unknown beams; allowed are max_new_tokens"),
        ({"temperature": 0}, "temperature is 0; it is a number above 0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_p": 1.5}, "top_p is 1.5"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"max_new_tokens": True}, "max_new_tokens is True"),
        ({"do_sample": 1}, "do_sample is 1; it is True or False"),
    ],
)
def test_refused_decoding(given, said):
    view = AnswerView(decoding={"seed": 7})
    with pytest.raises(TraitError, match=said):
        view.decoding = given
    assert view.decoding == {**AnswerView().decoding, "seed": 7}
    view.set_state({"decoding": given})
    assert re.search(said, view.error)


def test_buttons_call_back():
    view = AnswerView()
    assert not view.can_run
    assert not view.can_stop
    calls = []
    view.on_run(lambda: calls.append("run"))
    view.on_run(lambda: calls.append("again"))
    view.on_stop(lambda: calls.append("stop"))
    assert view.can_run
    assert view.can_stop
    for kind in ("run", "stop", "dance"):
        view._handle_custom_msg({"kind": kind}, [])
    assert calls == ["run", "again", "stop"]
    assert view.error == ""


def test_a_callback_that_fails_is_shown():
    view = AnswerView()

    def broken() -> None:
        raise RuntimeError("no model")

    view.on_run(broken)
    view._handle_custom_msg({"kind": "run"}, [])
    assert view.error == "RuntimeError: no model"


def trace(kind: str, tokens: list[str], *, untuned: bool = False) -> SimpleNamespace:
    """The face of a trace: two tokens of prompt, then the answer."""
    made = SimpleNamespace(
        mask_kind=kind,
        tokens=("a", "b", *tokens),
        prompt_length=2,
        untuned=untuned,
        likely=SimpleNamespace(ranks=3),
        token_probabilities=lambda: np.full(len(tokens), 0.5, np.float32),
        next_tokens=lambda position, k: [(f"after {position}", 1 / (1 + i)) for i in range(k)],
    )
    made.alternatives = partial(Trace.alternatives, made)
    return made


def test_of_a_trace():
    view = AnswerView.of(trace("segment", ["x", "y"], untuned=True))
    assert view.masks == ["segment"]
    assert view.segment == {"tokens": ["x", "y"], "state": "done", "note": ""}
    assert view.probabilities("segment") == (0.5, 0.5)
    # The position before a token expected it.
    assert [place[0][0] for place in view._top["segment"]] == ["after 1", "after 2"]
    assert len(view._top["segment"][0]) == 3
    assert view.untuned.startswith("untuned: ")


def test_of_a_comparison():
    both = SimpleNamespace(causal=trace("causal", ["x"]), segment=trace("segment", []))
    view = AnswerView.of(both)
    assert view.masks == ["causal", "segment"]
    assert view.causal["tokens"] == ["x"]
    assert view.segment == {"tokens": [], "state": "done", "note": ""}
    assert view.untuned == ""


def test_the_picture_shows_probabilities_as_colours():
    def painted(**given) -> np.ndarray:
        view = AnswerView()
        view.set("segment", [" The", " quite", " unlikely"], state="done")
        view.set("segment", **given)
        return np.asarray(Image.open(BytesIO(view.png())).convert("RGB")).astype(int)

    plain = painted()
    colored = painted(probabilities=[1.0, 0.5, 0.0])
    expected = [round(255 * part) for part in drawing.canvas.tint(drawing.UNLIKELY, 0.6)]
    strongest = (np.abs(colored - expected).max(axis=2) <= 1).sum()
    assert strongest > 300
    assert (np.abs(plain - expected).max(axis=2) <= 1).sum() == 0


def test_page_and_picture_have_the_same_colour():
    css = (STATIC / "answer_view.css").read_text()
    assert f"--sv-unlikely-color: {drawing.UNLIKELY};" in css


def test_pictures_of_any_answer():
    view = AnswerView(untuned="costs $5")
    view.set("causal", ["$x$", "w" * 200, *[f" token{i}" for i in range(300)]], state="running")
    with_text = view.png()
    assert with_text.startswith(b"\x89PNG")
    assert len(with_text) < 90_000
    view.masks = ["segment"]
    assert view.png() != with_text
