"""Traits and messages: what is taken, what is refused and how it is said, what is sent again."""

from __future__ import annotations

import io
import subprocess
import sys
from functools import partial
from itertools import pairwise
from typing import Any

import anywidget
import numpy as np
import pytest
from PIL import Image
from traitlets import TraitError

import segviz as sv
from segviz import widgets
from segviz.segments import Segment, Segmentation
from segviz.widgets import AnswerView, AttentionView, ExplorerView, TokenStrip, View

TOKENS = ["<s>", "Anna", " follows", " Ben", "\n"]
CHAT = Segmentation([Segment(0, 1, "bos", "causal"), Segment(1, 5, "user")])


def from_page(view: View, content: dict[str, Any]) -> None:
    """A custom message, by the way it takes from the page."""
    view._handle_custom_msg(content, [])


def dicts(*starts: int, length: int = 5) -> list[dict]:
    edges = [*starts, length]
    return [{"start": a, "stop": b, "name": "x", "attention": "causal"} for a, b in pairwise(edges)]


class TestSegments:
    def test_read_and_write_as_segmentation(self):
        strip = TokenStrip(TOKENS, CHAT)
        assert strip.segmentation == CHAT
        strip.segmentation = CHAT.split(3)
        assert [segment["start"] for segment in strip.segments] == [0, 1, 3]

    @pytest.mark.parametrize(
        ("segments", "said"),
        [
            (dicts(0, 2, length=4), "cover 4 positions, but there are 5 tokens"),
            (dicts(1, 2), "starts at 1"),
            (dicts(0, 2, 2), "spans"),
            ([{"start": 0, "stop": 5}], "name"),
            ([{**dicts(0)[0], "attention": "both"}], "allowed are 'bidirectional' and 'causal'"),
            ([], "there are 5 tokens and no segment"),
        ],
    )
    def test_refused(self, segments, said):
        strip = TokenStrip(TOKENS, CHAT)
        with pytest.raises(TraitError, match=said):
            strip.segments = segments
        assert strip.segmentation == CHAT

    def test_refused_at_once(self):
        with pytest.raises(TraitError, match="5 positions, but there are 2 tokens"):
            TokenStrip(["a", "b"], CHAT)

    def test_another_prompt_in_one_step(self):
        strip = TokenStrip(TOKENS, CHAT)
        seen = []
        strip.observe(lambda change: seen.append((len(strip.tokens), change["new"])), "segments")
        strip.update(tokens=["a", "b"], segmentation=Segmentation([Segment(0, 2, "user")]))
        assert seen[0][0] == 2
        assert len(seen) == 1
        with pytest.raises(TraitError):
            strip.update(tokens=["a"])
        assert strip.tokens == ["a", "b"]
        with pytest.raises(TraitError, match="no trait 'colour'"):
            strip.update(colour="red")

    def test_the_page_gets_labels(self):
        state = TokenStrip(TOKENS, CHAT).get_state()
        assert state["tokens"] == {
            "labels": ["<s>", "Anna", " follows", " Ben", "⏎"],
            "special": [0],
        }


class TestUnknownTraits:
    @pytest.mark.parametrize(
        "make",
        [
            View,
            AnswerView,
            widgets.CompareView,
            widgets.PromptView,
            widgets.ReceiptView,
            partial(AttentionView, np.eye(5)),
            partial(ExplorerView, TOKENS, CHAT),
            partial(widgets.HeadGrid, 2, 4),
            partial(widgets.MaskView, CHAT),
            partial(TokenStrip, TOKENS, CHAT),
        ],
    )
    def test_refused_by_every_view(self, make):
        name = getattr(make, "func", make).__name__
        with pytest.raises(
            TypeError, match=f"^{name} has no trait 'colour', 'foo'; it has .*error"
        ):
            make(colour="red", error="", foo=1)

    def test_refused_in_views_of_a_run(self):
        comparison = sv.compare(sv.load(), "Anna follows Ben.")
        for of in (AttentionView.of, widgets.HeadGrid.of):
            with pytest.raises(TypeError, match="no trait 'foo'; it has"):
                of(comparison.segment, foo=1)
        for of in (AttentionView.of_difference, widgets.HeadGrid.of_comparison):
            with pytest.raises(TypeError, match="no trait 'foo'; it has"):
                of(comparison, foo=1)

    def test_what_is_named_can_be_set(self):
        view = AttentionView(np.eye(5), TOKENS, CHAT)
        with pytest.raises(TraitError) as raised:
            view.update(colour="red")
        named = str(raised.value).split("it has ")[1].replace(" and a ", " ").split(", ")
        assert {"merge", "scale", "tokens", "segments", "segmentation", "layout"} <= {*named}
        assert not [name for name in named if name.startswith("_")]
        view.update(**{name: getattr(view, name) for name in named})


class TestPageEdits:
    def test_a_valid_edit(self):
        strip = TokenStrip(TOKENS, CHAT)
        strip.set_state({"segments": dicts(0, 2), "dragging": True})
        assert strip.segmentation.boundaries == (2,)
        assert strip.dragging
        assert strip.error == ""

    def test_an_invalid_edit_is_shown_and_taken_back(self, monkeypatch):
        strip = TokenStrip(TOKENS, CHAT)
        returned = []
        monkeypatch.setattr(strip, "send_state", lambda key=None: returned.append(key))
        strip.set_state({"segments": dicts(0, 2, length=9)})
        assert "cover 9 positions" in strip.error
        assert strip.segmentation == CHAT
        assert ["segments"] in returned
        strip.set_state({"segments": dicts(0, 3)})
        assert strip.error == ""

    def test_an_observer_that_fails_is_shown(self):
        strip = TokenStrip(TOKENS, CHAT)
        broken = [True]

        def observe(_change: object) -> None:
            if broken:
                raise RuntimeError("no answer")

        strip.observe(observe, "segments")
        strip.set_state({"segments": dicts(0, 2)})
        assert strip.error == "RuntimeError: no answer"
        assert strip.segmentation.boundaries == (2,)
        strip.set_state({"dragging": True})
        assert strip.error == "RuntimeError: no answer"
        broken.clear()
        strip.set_state({"segments": dicts(0, 3)})
        assert strip.error == ""


class TestGuard:
    def test_a_success_clears_its_own_error_only(self):
        view = View()
        with view.guard("run"):
            raise ValueError("first")
        with view.guard("other"):
            pass
        assert view.error == "ValueError: first"
        with view.guard("other"):
            raise KeyError("second")
        assert view.error == "KeyError: 'second'"
        with view.guard("other"):
            pass
        assert view.error == "ValueError: first"
        with view.guard("run"):
            pass
        assert view.error == ""

    def test_as_a_decorator(self):
        view = View()

        @view.guard("run")
        def fails() -> None:
            raise ValueError("inside")

        fails()
        assert view.error == "ValueError: inside"

    def test_an_interrupt_is_not_swallowed(self):
        with pytest.raises(KeyboardInterrupt), View().guard("run"):
            raise KeyboardInterrupt

    def test_a_message_that_fails(self):
        class Broken(View):
            def receive(self, kind: str, content: dict) -> None:
                raise RuntimeError(f"cannot {kind} {content['id']}")

        view = Broken()
        from_page(view, {"kind": "dance", "id": 3})
        assert view.error == "RuntimeError: cannot dance 3"
        from_page(view, ["not", "ours"])
        assert view.error == "RuntimeError: cannot dance 3"


class TestReplay:
    def test_the_last_of_each_kind_is_sent_to_a_page_that_is_ready(self, sent):
        view = View()
        view.publish("a", {"n": 1}, np.arange(6, dtype=np.uint8).reshape(2, 3))
        view.publish("b", {"n": 2})
        view.publish("a", {"n": 3}, np.ones((1, 2), np.float32))
        view.publish("c", {})
        view.forget("c")
        sent.clear()
        from_page(view, {"kind": "ready"})
        assert [(content["kind"], content["n"]) for content, _ in sent] == [("a", 3), ("b", 2)]
        (content, buffers), *_ = sent
        assert content["arrays"] == [{"shape": (1, 2), "dtype": "float32"}]
        assert content["seq"] == 3
        assert np.frombuffer(buffers[0], np.float32).tolist() == [1, 1]

    def test_ping(self, sent):
        from_page(View(), {"kind": "ping", "id": 7})
        assert sent == [({"kind": "pong", "id": 7}, [])]


class TestAnswer:
    def test_streaming(self):
        view = AnswerView(untuned="never tuned")
        view.set("causal", [], state="running")
        view.append("causal", " Carl", "<|end|>")
        assert view.causal == {"tokens": [" Carl", "<|end|>"], "state": "running", "note": ""}
        assert view.get_state()["causal"]["special"] == [1]
        assert view.segment["state"] == "waiting"

    def test_refused(self):
        view = AnswerView()
        with pytest.raises(TraitError, match="allowed are waiting, running"):
            view.set("causal", state="asleep")
        with pytest.raises(ValueError, match="'causal' and 'segment'"):
            view.append("prefix", "x")
        with pytest.raises(TraitError, match="colour"):
            view.causal = {"colour": "red"}
        with pytest.raises(TraitError, match="strings"):
            view.causal = {"tokens": [1]}


class TestExplorer:
    def explorer(self) -> ExplorerView:
        return ExplorerView(TOKENS, CHAT, layers=2, heads=4, kv_heads=2)

    def test_mask_and_attention_follow_the_strip(self):
        view = self.explorer()
        whole = CHAT.append(2, "response")
        view.show(
            np.eye(7), tokens=[*TOKENS, "a", "b"], segmentation=whole, prompt_length=5, title="t"
        )
        view.strip.set_state({"segments": dicts(0, 3)})
        for child in (view.mask, view.attention):
            starts = [segment["start"] for segment in child.segments]
            assert starts == [0, 3, 5]
            assert child.segments[-1]["name"] == "response"

    def test_an_older_run_does_not_move_the_borders_back(self):
        view = self.explorer()
        view.strip.segmentation = CHAT.split(3)
        view.show(
            np.eye(6),
            tokens=[*TOKENS, "a"],
            segmentation=CHAT.append(1, "response"),
            prompt_length=5,
        )
        assert view.mask.segmentation.boundaries == (1, 3, 5)
        assert view.attention.segmentation.boundaries == (1, 3, 5)

    def test_another_prompt(self):
        view = self.explorer()
        view.show(
            np.eye(6),
            tokens=[*TOKENS, "a"],
            segmentation=CHAT.append(1, "response"),
            prompt_length=5,
        )
        for tokens in (["a", "b"], [*TOKENS, "x", "y", "z"]):
            view.set_prompt(tokens, Segmentation([Segment(0, len(tokens), "user")]))
            assert view.mask.segmentation == view.strip.segmentation
            assert view.attention.tokens == tokens
            assert view.attention.encoded is None
            assert view.mask.prompt_length is None

    def test_the_view_chooses_the_mask(self):
        view = self.explorer()
        view.view = "causal"
        assert view.mask.mask == "causal"
        view.view = "difference"
        assert view.mask.mask == "segment"

    def test_closing_closes_the_children(self):
        view = self.explorer()
        children = [view.strip, view.mask, view.attention, view.answer]
        view.close()
        assert all(child.comm is None for child in [view, *children])

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("layer", 2, "layer is 2; allowed are 0 to 1"),
            ("head", -1, "head is -1; allowed are 0 to 3"),
            ("kv_heads", 3, "has to divide"),
            ("view", "both", "view"),
        ],
    )
    def test_refused(self, name, value, said):
        view = self.explorer()
        with pytest.raises(TraitError, match=said):
            setattr(view, name, value)

    def test_choosing_in_the_page(self):
        view = self.explorer()
        view.set_state({"layer": 1, "head": 3, "view": "difference"})
        assert (view.layer, view.head, view.mask.mask) == (1, 3, "segment")


class TestPictures:
    @pytest.mark.parametrize("attention", [None, np.eye(5)])
    def test_each_view_has_one(self, attention):
        explorer = ExplorerView(["$a", "$", *TOKENS[2:]], CHAT, title="$x")
        if attention is not None:
            explorer.attention.show(attention)
        for view in (explorer, explorer.strip, explorer.mask, explorer.answer):
            data, _ = view._repr_mimebundle_()
            assert "application/vnd.jupyter.widget-view+json" in data
            assert data["image/png"].startswith("iVBOR")
            assert len(data["image/png"]) < 130_000
        assert (explorer.attention.png() is None) == (attention is None)

    def test_a_noisy_one_stays_small(self):
        view = AttentionView(np.random.default_rng(0).random((600, 600)))
        assert len(view.png() or b"") < 100_000

    def test_an_explorers_heads_are_in_its_picture(self):
        explorer = ExplorerView(TOKENS, CHAT, layers=16, heads=32, kv_heads=8)

        def size() -> tuple[int, int]:
            data = explorer.png()
            assert len(data) < 90_000
            return Image.open(io.BytesIO(data)).size

        width, height = size()
        noise = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 32), np.uint8)
        for layer, thumbnails in enumerate(noise):
            explorer.grid.show_layer(layer, thumbnails, {"entropy": np.arange(32.0)})
        # All 16 layers, and still as many pixels to a picture.
        assert size() == (width, pytest.approx(height + 16 * 18, abs=100))
        assert size()[1] >= height + 16 * 14

    def test_no_picture_is_no_failure(self, monkeypatch):
        strip = TokenStrip(TOKENS, CHAT)
        monkeypatch.setattr(TokenStrip, "png", lambda _self: 1 / 0)
        data, _ = strip._repr_mimebundle_()
        assert "image/png" not in data


def test_matplotlib_and_torch_are_not_imported():
    heavy = {"matplotlib", "torch", "transformers"}
    code = f"import sys, segviz.widgets; print({heavy} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_traits_say_what_they_are():
    views = [View, *(getattr(widgets, name) for name in widgets.__all__ if name.endswith("View"))]
    views += [widgets.TokenStrip, widgets.HeadGrid]
    silent = {
        f"{view.__name__}.{name}"
        for view in views
        for name, trait in view.class_traits(sync=True).items()
        if trait.this_class.__module__.startswith("segviz") and not trait.help
    }
    hosted = {name for name, trait in ExplorerView.class_traits().items() if _is_view(trait)}
    assert silent <= {f"ExplorerView.{name}" for name in hosted}
    assert len(hosted) == 8


def _is_view(trait):
    return isinstance(trait, anywidget.WidgetTrait)


def test_token_text_is_data_in_the_static_page():
    tokens = ["</script><script>alert(1)</script>", "<!--", "&lt;"]
    page = TokenStrip(tokens, Segmentation([Segment(0, 3, "<b>")])).to_html(title="<i>")
    assert "<script>alert" not in page
    assert "<i>" not in page
    assert page.count("<!--") == 0
    assert "http" not in page.replace("http-equiv", "")
