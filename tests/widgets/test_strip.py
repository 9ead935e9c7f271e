"""The token strip's Python side: presets, the strip of a trace, labels, the picture."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from traitlets import TraitError

import segviz as sv
from segviz import palette
from segviz.segments import Segment, Segmentation
from segviz.widgets import TokenStrip
from segviz.widgets.segmented import segment_dicts

TOKENS = ["<s>", "Anna", " follows", " Ben", "."]
CHAT = Segmentation([Segment(0, 1, "bos", "causal"), Segment(1, 5, "user")])
ONE = segment_dicts(Segmentation([Segment(0, 5, "prompt")]))


@pytest.fixture(scope="module")
def trace():
    return sv.load().trace(sv.examples["chain"], max_new_tokens=3)


class TestPresets:
    def test_a_title_is_its_name_unless_it_is_given(self):
        strip = TokenStrip(TOKENS, CHAT)
        strip.presets = [
            {"name": "prefix-LM", "segments": ONE},
            {"name": "segment", "title": "as the chat", "segments": segment_dicts(CHAT)},
        ]
        assert [preset["title"] for preset in strip.presets] == ["prefix-LM", "as the chat"]
        assert strip.presets[0]["segments"] == ONE
        assert strip.get_state()["presets"] == strip.presets

    def test_those_of_another_prompt_wait_for_it(self):
        # The page offers what covers the tokens; tokens and presets come one after the other.
        strip = TokenStrip(TOKENS[:3], Segmentation([Segment(0, 3, "user")]))
        strip.presets = [{"name": "prefix-LM", "segments": ONE}]
        strip.update(tokens=TOKENS, segmentation=CHAT)
        assert len(strip.presets) == 1

    @pytest.mark.parametrize(
        ("preset", "said"),
        [
            ({"name": "mine"}, 'a dict with "name", "segments".*one has \'name\''),
            ({}, "one has nothing"),
            ({"name": "mine", "segments": ONE, "color": 1}, "'color'"),
            ({"name": "mine", "segments": []}, "presets: 'mine': "),
            ({"name": "mine", "segments": [{"start": 2, "stop": 1}]}, "presets: 'mine': "),
            ({"name": "mine", "segments": [ONE[0], ONE[0]]}, "presets: 'mine': "),
        ],
    )
    def test_refused(self, preset, said):
        strip = TokenStrip(TOKENS, CHAT)
        with pytest.raises(TraitError, match=said):
            strip.presets = [preset]
        assert strip.presets == []


class TestOf:
    def test_a_saved_trace(self, trace, tmp_path):
        trace.save(tmp_path / "run.safetensors")
        strip = TokenStrip.of(sv.Trace.load(tmp_path / "run.safetensors"))
        assert strip.tokens == list(trace.tokens)
        assert strip.segmentation == trace.segmentation
        assert strip.segments[-1]["start"] == trace.prompt_length < len(strip.tokens)

    def test_reset_goes_back_to_its_segments(self, trace):
        strip = TokenStrip.of(trace)
        (preset,) = strip.presets
        assert preset["name"] == "segment"
        strip.segmentation = strip.segmentation.merge(1)
        assert preset["segments"] == segment_dicts(trace.segmentation)
        assert trace.segmentation != strip.segmentation


class TestHostileText:
    TOKENS = ("<script>", "</script>", "\u202eevil", "a\x00b", "\ud83d", "<!--", "&amp;")

    def test_the_page_gets_labels_that_turn_nothing(self):
        prompt = Segmentation([Segment(0, 7, "</script><b>\u202e")])
        strip = TokenStrip(self.TOKENS, prompt)
        assert strip.tokens == list(self.TOKENS)
        labels = strip.get_state()["tokens"]["labels"]
        assert labels[:5] == ["<script>", "</script>", "⟨202E⟩evil", "a⟨0000⟩b", "⟨D83D⟩"]
        page = strip.to_html()
        # One script for the data, one for the page, and no markup from tokens in between.
        data = re.search(r'id="segviz-data">(.*?)</script>', page, re.DOTALL)[1]
        assert "<" not in data
        (model,) = json.loads(data)["models"].values()
        assert model["state"]["tokens"]["labels"] == labels

    def test_the_picture_is_drawn(self):
        strip = TokenStrip(self.TOKENS, Segmentation([Segment(0, 7, "$x$ \u202e")]))
        assert strip.png().startswith(b"\x89PNG")


class TestPicture:
    def test_segments_have_their_colours_in_their_order(self):
        tokens = [f"word{number}" for number in range(12)]
        prompt = Segmentation([Segment(0, 7, "system"), Segment(7, 12, "user")])
        image = np.asarray(Image.open(io.BytesIO(TokenStrip(tokens, prompt).png())).convert("RGB"))
        spans = [_span(image, color) for color in palette.SEGMENTS[:3]]
        (first, last), (start, stop) = spans[:2]
        assert first < last <= start + 2
        assert (last - first) / (stop - start) == pytest.approx(7 / 5, rel=0.1)
        assert spans[2] is None

    def test_a_long_prompt_ends_in_dots(self):
        def height(count: int) -> int:
            strip = TokenStrip(["word "] * count, Segmentation([Segment(0, count, "user")]))
            return Image.open(io.BytesIO(strip.png())).height

        assert height(60) < height(300) == height(3000)


def _span(image: np.ndarray, color: str) -> tuple[int, int] | None:
    """First and last column that holds a colour; None for none."""
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    columns = np.flatnonzero((np.abs(image.astype(int) - wanted).max(axis=2) < 6).any(axis=0))
    return (int(columns[0]), int(columns[-1])) if len(columns) else None
