"""The compare view's Python side: what is sent, answered, and refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
from traitlets import TraitError

from segviz.masks import causal_mask, segment_mask
from segviz.segments import Segment, Segmentation
from segviz.tiles import ArrayTiles
from segviz.widgets import CompareView, View
from segviz.widgets.compare_parts import likely_rows
from segviz.widgets.scale import table

MEGABYTE = 1_000_000
TOKENS = ["<s>", "Anna", " follows", " Ben", "\n"]
CHAT = Segmentation([Segment(0, 1, "bos", "causal"), Segment(1, 5, "user")])
LIKELY = ([(" Fay", 0.9), (" Lena", 0.1)], [(" Lena", 0.8), (" Fay", 0.15)])


def from_page(view: View, **content: object) -> None:
    view._handle_custom_msg(content, [])


def unpacked(spans: bytes, rest: bytes, shape: tuple[int, int]) -> np.ndarray:
    """The bytes ``[row, column]`` of a picture, from its rows without their masked ends."""
    data = np.zeros(shape, np.uint8)
    values = iter(rest)
    for row, (first, stop) in enumerate(np.frombuffer(spans, np.uint16).reshape(-1, 2)):
        for column in range(first, stop):
            data[row, column] = next(values)
    assert next(values, None) is None
    return data


def pictures(content: dict, buffers: list[bytes]) -> list[np.ndarray]:
    """Causal, segment and difference of a message."""
    return [unpacked(*buffers[at : at + 2], content["shape"]) for at in (0, 2, 4)]


def masked_patterns():
    """Patterns under both masks of CHAT; only the segment one looks ahead."""
    causal = np.where(np.tri(5), 0.1, np.nan).astype(np.float32)
    segment = causal.copy()
    segment[1:, 1:] = 0.1
    causal[3, 2], segment[3, 2] = 0.5, 0.25
    segment[1, 4] = 0.4
    ahead = segment_mask(CHAT)
    return {
        "causal": ArrayTiles(causal, causal_mask(5)),
        "segment": ArrayTiles(segment, ahead),
        "difference": ArrayTiles(np.nan_to_num(segment) - np.nan_to_num(causal), ahead),
    }


class FakeTiles:
    """A pattern that was never an array: each cell is its position among all, as a share."""

    def __init__(self, side: int, sign: int = 1) -> None:
        self.shape = (side, side)
        self.sign = sign
        self.read = 0

    def tile(self, rows: slice, columns: slice, factor: int = 1):
        last = [np.minimum(np.arange(s.start, s.stop, factor) + factor, s.stop) - 1
                for s in (rows, columns)]  # fmt: skip
        cells = last[0][:, None] * self.shape[1] + last[1]
        self.read = max(self.read, cells.size)
        values = self.sign * cells.astype(np.float32) / self.shape[0] ** 2
        return values, np.ones(values.shape, bool)


class TestPatterns:
    def test_both_masks_share_one_scale(self, sent):
        view = CompareView()
        view.show_patterns(**masked_patterns(), tokens=TOKENS, segmentation=CHAT)
        content, buffers = sent[-1]
        causal, segment, difference = pictures(content, buffers)
        assert content["maxima"] == pytest.approx([0.5, 0.5, 0.4])
        assert causal[2, 1] == segment[2, 1] == 1 + round(254 * 0.2**0.25)
        assert (causal[3, 2], segment[3, 2]) == (255, 1 + round(254 * 0.5**0.25))
        assert (causal[1, 4], segment[1, 4], difference[1, 4]) == (
            0,
            1 + round(254 * 0.8**0.25),
            255,
        )
        assert difference[3, 2] == 128 - round(127 * (0.25 / 0.4) ** 0.25)
        assert difference[2, 1] == 128
        assert buffers[6:] == [table(kind).tobytes() for kind in ("sequential", "diverging")]

    def test_exact_numbers_of_a_cell(self, sent):
        view = CompareView()
        view.show_patterns(**masked_patterns())
        seq = sent[-1][0]["seq"]
        from_page(view, kind="value", id="a", seq=seq, rows=[1, 2], columns=[4, 5])
        from_page(view, kind="value", id="b", seq=seq, rows=[3, 4], columns=[2, 3])
        # A pooled cell: each number is the one furthest from 0, wherever that is in the cell.
        from_page(view, kind="value", id="c", seq=seq, rows=[2, 4], columns=[2, 4])
        values = [np.frombuffer(buffers[0], np.float32) for _content, buffers in sent[-3:]]
        assert values[0] == pytest.approx([np.nan, 0.4, 0.4], nan_ok=True)
        assert values[1] == pytest.approx([0.5, 0.25, -0.25])
        assert values[2] == pytest.approx([0.5, 0.25, -0.25])
        assert [content["id"] for content, _ in sent[-3:]] == ["a", "b", "c"]
        assert {content["seq"] for content, _ in sent[-3:]} == {seq}

    @pytest.mark.parametrize(
        ("seq", "rows", "columns"),
        [(-1, [0, 1], [0, 1]), (1, [4, 6], [0, 1]), (1, [0, 1], [-1, 0]), (1, [2, 2], [0, 1])],
    )
    def test_no_answer_to_a_question_about_something_else(self, sent, seq, rows, columns):
        view = CompareView()
        view.show_patterns(**masked_patterns())
        from_page(view, kind="value", id="a", seq=seq, rows=rows, columns=columns)
        assert len(sent) == 1
        assert view.error == ""

    def test_details_are_on_the_scale_of_the_whole(self, sent):
        view = CompareView()
        view.show_patterns(**masked_patterns())
        seq = sent[-1][0]["seq"]
        asked = {"kind": "tile", "id": "t", "seq": seq, "factor": 1}
        from_page(view, **asked, picture=1, rows=[1, 4], columns=[2, 4])
        content, buffers = sent[-1]
        assert (content["rows"], content["columns"], content["shape"]) == ([1, 4], [2, 4], (3, 2))
        part = unpacked(*buffers, content["shape"])
        assert part.tolist() == pictures(*sent[0])[1][1:4, 2:4].tolist()
        from_page(view, **asked | {"factor": 2}, picture=2, rows=[2, 5], columns=[2, 5])
        part = unpacked(*sent[-1][1], sent[-1][0]["shape"])
        assert part.tolist() == [[128 - round(127 * 0.625**0.25), 128 + round(127 * 0.25**0.25)],
                                 [128, 128]]  # fmt: skip
        from_page(view, **asked, picture=0, rows=[0, 9], columns=[0, 2])
        assert "there are no cells [0:9, 0:2]" in view.error
        assert len(sent) == 3

    def test_a_detail_that_no_message_can_hold(self, sent):
        view = CompareView()
        view.show_patterns(
            causal=FakeTiles(1200), segment=FakeTiles(1200), difference=FakeTiles(1200)
        )
        from_page(view, kind="tile", id="t", seq=1, factor=1, picture=0, rows=[0, 1000],
                  columns=[0, 1000])  # fmt: skip
        assert "1000 × 1000 cells is too large" in view.error
        assert len(sent) == 1

    def test_a_long_prompt_stays_under_a_megabyte(self, sent):
        view = CompareView()
        tiles = FakeTiles(2048), FakeTiles(2050), FakeTiles(2048, sign=-1)
        view.show(
            **dict(zip(("causal", "segment", "difference"), tiles, strict=True)),
            tokens=["word"] * 2050,
            segmentation=Segmentation([Segment(0, 700, "system"), Segment(700, 2050, "user")]),
            prompt_length=2040,
            flows={key: (np.eye(2), np.eye(2)) for key in ("head", "layer", "model")},
            divergence=np.linspace(0, 1, 2048),
            exact=True,
            position=2047,
            parted=True,
            next_tokens=LIKELY,
        )
        sizes = [len(str(content)) + sum(map(len, buffers)) for content, buffers in sent]
        assert [content["kind"] for content, _ in sent] == ["patterns", "flows", "parting"]
        assert max(sizes) < MEGABYTE
        content, buffers = sent[0]
        assert (content["factor"], content["shape"]) == (4, (512, 512))
        assert max(one.read for one in tiles) <= 560 * 560
        assert pictures(content, buffers)[2].min() == 1
        assert len(view.tokens) == view.segments[-1]["stop"] == 2048
        asked = {"rows": [2046, 2048], "columns": [0, 2]}
        from_page(view, kind="value", id="a", seq=content["seq"], **asked)
        last = np.frombuffer(sent[-1][1][0], np.float32)
        assert last == pytest.approx([2047.0 * 2048 / 2048**2, 2047 * 2050 / 2050**2, -2047 / 2048],
                                     abs=3e-3)  # fmt: skip

    def test_what_the_answers_do_not_share_is_left_out(self, sent):
        view = CompareView()
        one = np.full((7, 7), 0.1, np.float32)
        view.show_patterns(
            causal=one, segment=np.pad(one, (0, 2)), difference=np.zeros((6, 6)),
            tokens=[*TOKENS, " a", " b"], segmentation=CHAT.append(2, "response"), prompt_length=5,
        )  # fmt: skip
        assert sent[-1][0]["size"] == (6, 6)
        assert [(part["name"], part["stop"]) for part in view.segments][-1] == ("response", 6)
        assert view.tokens == [*TOKENS, " a"]

    def test_fewer_queries_than_keys(self, sent):
        wide = np.array([[0.0, 0.5, 0.5], [0.2, 0.0, 0.8]])
        CompareView().show_patterns(causal=wide, segment=wide[:, ::-1], difference=wide * 0)
        assert sent[-1][0]["size"] == (2, 3)

    @pytest.mark.parametrize(
        ("causal", "difference", "said"),
        [
            (np.zeros((3, 3)), np.zeros((4, 4)), "causal pattern is (3, 3) and the difference"),
            (np.zeros((4, 5)), np.zeros((4, 4)), "from the same query on"),
            (np.full((4, 4), np.nan), np.zeros((4, 4)), "NaN"),
            (np.zeros((2, 2, 2)), np.zeros((4, 4)), "not of shape (2, 2, 2)"),
        ],
    )
    def test_refused(self, causal, difference, said):
        with pytest.raises(ValueError, match=re.escape(said)):
            CompareView().show_patterns(
                causal=causal, segment=np.zeros((4, 4)), difference=difference
            )

    def test_segments_of_another_length(self):
        view = CompareView()
        with pytest.raises(ValueError, match="9 positions, but the segments cover 5"):
            view.show_patterns(
                causal=np.eye(9), segment=np.eye(9), difference=np.eye(9), segmentation=CHAT
            )
        assert view.patterns is None


class TestFlows:
    def test_what_is_sent(self, sent):
        view = CompareView()
        pair = np.array([[1.0, 0.0], [0.42, 0.58]]), np.array([[1.0, 0.0], [0.31, 0.69]])
        view.show_flows({"layer": pair, "model": (pair[1], pair[0])}, ["system", "user"])
        content, buffers = sent[-1]
        assert content["of"] == ["layer", "model"]
        assert view.flow_of == "layer"
        read = [np.frombuffer(buffer, np.float32).reshape(2, 2, 2) for buffer in buffers]
        assert read[0][1, 1, 0] == np.float32(0.31)
        assert read[1][1, 1, 0] == np.float32(0.42)

    def test_one_run_without_a_response(self, sent):
        view = CompareView()
        view.update(tokens=TOKENS, segmentation=CHAT)
        view.show_flows({"head": (np.eye(3), np.eye(2))})
        assert sent[-1][0]["names"] == ["bos", "user"]
        view.show_flows({"head": (np.eye(3), np.eye(3))})
        assert sent[-1][0]["names"] == ["bos", "user", "response"]

    @pytest.mark.parametrize(
        ("flows", "said"),
        [
            ({"heads": (np.eye(2), np.eye(2))}, "not for ['heads']"),
            ({}, "head, layer, model"),
            ({"head": (np.ones((2, 3)), np.eye(2))}, "not of shape (2, 3)"),
            ({"head": (np.eye(4), np.eye(4))}, "between 4 segments, and the names are a, b"),
        ],
    )
    def test_refused(self, flows, said):
        with pytest.raises(ValueError, match=re.escape(said)):
            CompareView().show_flows(flows, ["a", "b"])


class TestParting:
    def test_the_union_of_the_likeliest(self):
        causal = [(f"c{i}", 0.1 - i / 1000) for i in range(20)] + [("both", 0.001)]
        segment = [("both", 0.5), ("�", 0.01), ("�", 0.02), ("c9", 0.005)]
        rows = likely_rows(causal, segment, count=4)
        assert [row["label"] for row in rows] == ["both", "�", "c9", "c0", "c1", "c2", "c3"]
        assert (rows[0]["causal"], rows[0]["segment"]) == (0.001, 0.5)
        assert rows[1]["segment"] == pytest.approx(0.03)
        assert (rows[2]["causal"], rows[3]["segment"]) == (pytest.approx(0.091), None)

    def test_what_is_sent(self, sent):
        view = CompareView()
        view.show_parting(
            divergence=np.array([0, 0.1, 0.2, 0.3, 1.5, 0.9]), position=5, parted=True,
            next_tokens=LIKELY, exact=False, tokens=[*TOKENS, " so\n"],
            segmentation=CHAT.append(1, "response"), prompt_length=5,
        )  # fmt: skip
        content, buffers = sent[-1]
        assert content["answer"] == [" so⏎"]
        assert (content["kl"], content["exact"], content["parted"]) == (
            pytest.approx(0.9), False, True,
        )  # fmt: skip
        assert len(np.frombuffer(buffers[0], np.float32)) == 6

    def test_unknown_divergence(self, sent):
        view = CompareView()
        view.show_parting(divergence=None, position=0, parted=False, next_tokens=([], []))
        content, buffers = sent[-1]
        assert (content["kl"], buffers, content["rows"]) == (None, [], [])

    def test_refused(self):
        with pytest.raises(ValueError, match="position is 3; the divergence covers 0 to 2"):
            CompareView().show_parting(
                divergence=np.zeros(3), position=3, parted=True, next_tokens=LIKELY
            )


class TestView:
    def test_clear(self, sent):
        view = CompareView()
        view.show_patterns(**masked_patterns())
        view.show_flows({"head": (np.eye(1), np.eye(1))}, ["a"])
        view.clear()
        assert [content for content, _ in sent[-3:]] == [
            {"kind": kind, "clear": True} for kind in ("patterns", "flows", "parting")
        ]
        sent.clear()
        from_page(view, kind="ready")
        assert sent == []
        assert view.png() is None

    @pytest.mark.parametrize("name", ["look", "flow_of"])
    def test_refused(self, name):
        with pytest.raises(TraitError, match=name):
            setattr(CompareView(), name, "cubic")

    def test_each_part_has_a_picture(self):
        view = CompareView(untuned="$untuned$")
        view.show_parting(
            divergence=None, position=2, parted=True, next_tokens=([("$x", 1.0)], [("$", 0.5)])
        )
        assert (view.png() or b"")[1:4] == b"PNG"
        view.show_flows({"head": (np.eye(12), np.ones((12, 12)) / 12)}, list("abcdefghijkl"))
        view.show_patterns(**masked_patterns(), tokens=TOKENS, segmentation=CHAT)
        view.show_parting(
            divergence=np.arange(5), position=2, parted=False, next_tokens=LIKELY, exact=False
        )
        assert len(view.png() or b"") < 100_000
