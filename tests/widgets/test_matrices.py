"""Mask and attention: what is shown, what is sent, what questions of the page are answered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from traitlets import TraitError

import segviz as sv
from segviz.grouping import group_starts
from segviz.masks import segment_mask
from segviz.segments import Segment, Segmentation
from segviz.tiles import ArrayTiles
from segviz.widgets import View
from segviz.widgets.attention_parts import mean_row, overview
from segviz.widgets.attention_view import AttentionView
from segviz.widgets.mask_view import MaskView
from segviz.widgets.scale import fine, packed, shaded, table

CHAT = Segmentation([Segment(0, 1, "bos", "causal"), Segment(1, 5, "user")])


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traces")
    made = sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=2)
    for name in ("causal", "segment"):
        getattr(made, name).save(folder / name)
    return sv.Comparison(*(sv.Trace.load(folder / name) for name in ("causal", "segment")))


def ask(view: View, kind: str, **content: Any) -> None:
    """A question, by the way it takes from the page."""
    view._handle_custom_msg({"kind": kind, "id": "x", **content}, [])


def cells(message: tuple[dict, list[bytes]]) -> np.ndarray:
    """The bytes of a picture or a tile, as the page unpacks them."""
    content, (spans, rest, *_) = message
    data = np.zeros(content["shape"], np.uint8)
    at = 0
    for row, (first, stop) in enumerate(np.frombuffer(spans, np.uint16).reshape(-1, 2).tolist()):
        data[row, first:stop] = np.frombuffer(rest, np.uint8)[at : at + stop - first]
        at += stop - first
    return data


def numbers(data: np.ndarray, kind: str, maximum: float) -> np.ndarray:
    """What fine bytes stand for."""
    root = (data - 1.0) / 254 if kind == "sequential" else (data - 128.0) / 127
    return np.sign(root) * root**4 * maximum


class TestBytes:
    @pytest.mark.parametrize("kind", ["sequential", "diverging"])
    def test_the_error_that_is_documented(self, kind):
        values = np.geomspace(1e-8, 1, 4001)[None]
        if kind == "diverging":
            values = np.concatenate([-values, values], axis=1)
        data, maximum = fine(0.5 * values, np.ones(values.shape, bool), kind)
        assert maximum == 0.5
        error = np.abs(numbers(data, kind, 1.0) - values)
        coarse = 2 if kind == "diverging" else 1
        assert error.max() <= 0.008 * coarse
        assert error[np.abs(values) <= 0.01].max() <= 0.00025 * coarse
        assert (data > 0).all()

    def test_only_what_is_visible_is_sent(self):
        data, _ = fine(np.ones((40, 40)), np.tri(40, dtype=bool), "sequential")
        spans, rest = packed(data)
        assert len(rest) == 40 * 41 // 2
        assert spans[7].tolist() == [0, 8]

    @pytest.mark.parametrize(
        ("scale", "bytes_"),
        [
            ("sqrt", [1, 26, 128, 255]),
            ("linear", [1, 4, 65, 255]),
            ("log", [1, 128, 217, 255]),
        ],
    )
    def test_scales(self, scale, bytes_):
        values = np.array([[0.0, 0.005, 0.125, 0.5]])
        data, limit = shaded(values, np.ones((1, 4), bool), kind="sequential", scale=scale)
        assert data.tolist() == [bytes_]
        assert limit == 0.5

    def test_clipped_ends_at_the_percentile_and_differences_stay_symmetric(self):
        values = np.linspace(-1, 1, 1001)[None]
        data, limit = shaded(values, np.ones((1, 1001), bool), kind="diverging", scale="clipped")
        assert limit == pytest.approx(0.99, abs=0.002)
        assert (data.astype(int) + data[:, ::-1] == 256).all()
        assert (data == 255).sum() > 1

    def test_normalised_rows(self):
        values = np.array([[0.1, 0.05, 9.0], [0.0, 0.0, 9.0], [0.8, 0.2, 0.0]])
        visible = np.array([[1, 1, 0], [1, 1, 0], [1, 1, 1]], bool)
        data, limit = shaded(values, visible, kind="sequential", scale="linear", normalize=True)
        assert limit == 1
        assert data.tolist() == [[255, 128, 0], [1, 1, 0], [255, 64 + 1, 1]]


class TestWhatIsSent:
    def test_a_small_array(self, sent):
        view = AttentionView(segmentation=Segmentation([Segment(0, 3, "user")]))
        mask = np.array([[1, 1, 0], [1, 1, 1]], bool)
        view.show(np.array([[1.0, 0.0, 9.0], [0.0625, 0.0, 0.9375]]), title="t", mask=mask)
        content, (_, _, colors) = sent[-1]
        assert cells(sent[-1]).tolist() == [[255, 1, 0], [128, 1, 251]]
        assert colors == table("sequential").tobytes()
        assert content["scale"] == "sequential"
        assert content["maximum"] == 1.0
        assert content["size"] == (2, 3)
        assert content["words"] is None

    def test_words_go_along(self, sent):
        AttentionView(np.eye(4), ["<s>", "An", "na", " fol"])
        assert sent[-1][0]["words"][-1] == 3
        assert 2 not in sent[-1][0]["words"]

    def test_1024_tokens_are_sent_whole(self, sent):
        segmentation = Segmentation([Segment(0, 400, "a"), Segment(400, 1024, "b")])
        view = AttentionView()
        view.show(np.full((1024, 1024), 0.1), mask=segment_mask(segmentation))
        content, buffers = sent[-1]
        assert content["factor"] == 1
        assert sum(map(len, buffers)) < 1_000_000

    def test_large_arrays_are_pooled(self, sent):
        array = np.zeros((2100, 1200), np.float32)
        array[2099, 5] = 0.5
        mask = np.ones(array.shape, bool)
        mask[:3, :3] = False
        view = AttentionView()
        view.show(array, mask=mask)
        content, buffers = sent[-1]
        assert sum(map(len, buffers)) < 1_000_000
        assert content["factor"] == 3
        data = cells(sent[-1])
        assert data.shape == (700, 400)
        assert data[699, 1] == 255
        assert data[0, 0] == 0
        ask(view, "value", seq=content["seq"], rows=[2097, 2100], columns=[3, 6])
        assert sent[-1][0]["value"] == 0.5

    def test_without_a_mask_the_picture_still_fits_a_message(self, sent):
        AttentionView(np.full((1024, 1024), 0.1))
        assert sent[-1][0]["factor"] == 2
        assert sum(map(len, sent[-1][1])) < 1_000_000

    def test_differences_keep_their_sign_when_pooled(self):
        array = np.zeros((1, 1030), np.float32)
        array[0, 0], array[0, 1], array[0, 2] = -0.4, 0.1, 0.4
        view = AttentionView()
        view.show(array, kind="diverging")
        assert view.encoded is not None
        assert view.encoded.data[0, :3].tolist() == [1, 255, 128]

    @pytest.mark.parametrize(
        ("array", "options", "said"),
        [
            (np.ones(3), {}, "query, key"),
            (np.ones((2, 3)), {"mask": np.ones((3, 2), bool)}, "mask is"),
            (np.ones((2, 3)), {"kind": "log"}, "allowed are 'sequential' and 'diverging'"),
            (np.full((2, 3), np.nan), {}, "NaN"),
            (np.ones((2, 4)), {}, "4 keys, but the segments cover 3"),
            (ArrayTiles(np.full((2, 3), np.inf)), {}, "infinity"),
            (ArrayTiles(np.ones((2, 3))), {"mask": np.ones((2, 3), bool)}, "mask= goes with"),
        ],
    )
    def test_refused(self, array, options, said):
        view = AttentionView(segmentation=Segmentation([Segment(0, 3, "user")]))
        with pytest.raises(ValueError, match=said):
            view.show(array, **options)
        assert view.encoded is None

    def test_masked_nan_is_fine(self):
        array = np.array([[0.5, np.nan]])
        view = AttentionView()
        view.show(array, mask=np.isfinite(array))
        assert view.encoded is not None
        assert view.encoded.data.tolist() == [[255, 0]]

    def test_cleared(self, sent):
        view = AttentionView(np.ones((1, 1)), pinned=0)
        view.clear()
        assert view.pinned is None
        sent.clear()
        ask(view, "ready")
        ask(view, "value", seq=1, rows=[0, 1], columns=[0, 1])
        assert sent == []


class TestQuestions:
    def test_a_cell(self, sent):
        view = AttentionView(np.array([[0.123456, 0.0, 0.5], [0.1, 0.2, 0.3]]))
        number = sent[-1][0]["seq"]
        ask(view, "value", seq=number, rows=[0, 1], columns=[2, 3])
        assert sent[-1][0] == {"kind": "value", "id": "x", "seq": number, "value": 0.5}
        count = len(sent)
        for stale in ({"seq": number - 1}, {"rows": [2, 3]}, {"columns": [-1, 0]}):
            ask(view, "value", **{"seq": number, "rows": [0, 1], "columns": [0, 1], **stale})
        assert len(sent) == count

    def test_a_masked_cell(self, sent):
        view = AttentionView()
        view.show(np.ones((2, 2)), mask=np.tri(2, dtype=bool))
        ask(view, "value", seq=sent[-1][0]["seq"], rows=[0, 1], columns=[1, 2])
        assert sent[-1][0]["value"] is None

    def test_a_group_that_the_page_has_merged(self, sent):
        view = AttentionView(np.array([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]]))
        question = {"rows": [0, 2], "columns": [1, 3], "merged": True}
        ask(view, "value", seq=sent[-1][0]["seq"], **question)
        assert sent[-1][0]["value"] == pytest.approx((0.8 + 0.9) / 2)

    def test_a_row_exactly_and_the_mean_of_a_groups_rows(self, sent):
        array = np.array([[0.7, 0.3, 0.0], [0.1, 0.2, 0.7]])
        view = AttentionView()
        view.show(array, mask=np.array([[1, 1, 0], [1, 1, 1]], bool))
        seq = sent[-1][0]["seq"]
        ask(view, "row", seq=seq, queries=[0, 1])
        row = np.frombuffer(sent[-1][1][0], np.float32)
        np.testing.assert_array_equal(row, np.float32([0.7, 0.3, np.nan]))
        ask(view, "row", seq=seq, queries=[0, 2])
        mean = np.frombuffer(sent[-1][1][0], np.float32)
        np.testing.assert_allclose(mean, [0.4, 0.25, 0.35], rtol=1e-6)

    def test_a_tile_of_a_large_pattern(self, sent):
        rng = np.random.default_rng(0)
        array = np.tril(rng.random((1500, 1500), np.float32))
        view = AttentionView()
        view.show(array, mask=np.tri(1500, dtype=bool))
        content = sent[-1][0]
        assert content["factor"] == 2
        ask(view, "tile", seq=content["seq"], rows=[1000, 1300], columns=[400, 700], factor=1)
        tile, (_, _, peaks) = sent[-1]
        assert (tile["rows"], tile["columns"], tile["factor"]) == ([1000, 1300], [400, 700], 1)
        read = numbers(cells(sent[-1]), "sequential", content["maximum"])
        assert np.abs(read - array[1000:1300, 400:700]).max() < 0.008
        largest = numbers(np.frombuffer(peaks, np.uint8).reshape(2, 300), "sequential", 1.0)
        np.testing.assert_allclose(largest[1], array[1000:1300, 1:].max(axis=1), atol=0.009)
        assert view.error == ""
        assert "tile" not in view._published

    @pytest.mark.parametrize(
        "part",
        [
            {"rows": [0, 1501], "columns": [0, 10], "factor": 1},
            {"rows": [10, 10], "columns": [0, 10], "factor": 1},
            {"rows": [0, 1500], "columns": [0, 1500], "factor": 1},
            {"rows": [0, 10], "columns": [1, 10], "factor": 2},
            {"rows": [0, 10], "columns": [0, 10], "factor": 0},
        ],
    )
    def test_tiles_that_there_are_not(self, sent, part):
        view = AttentionView(np.zeros((1500, 1500)))
        number, count = sent[-1][0]["seq"], len(sent)
        ask(view, "tile", seq=number, **part)
        assert len(sent) == count
        assert view.error

    def test_each_tile_fits_a_message(self, sent):
        view = AttentionView(np.full((2048, 2048), 0.5))
        ask(view, "tile", seq=sent[-1][0]["seq"], rows=[0, 990], columns=[0, 980], factor=1)
        assert sum(map(len, sent[-1][1])) < 1_000_000


class TestMerging:
    def test_groups(self):
        tokens = ["<s>", "An", "na", " fol", "lows"]
        rows, columns = group_starts("segments", (3, 5), tokens, CHAT)
        assert (rows.tolist(), columns.tolist()) == ([2], [0, 1])
        assert group_starts("words", (5, 5), [], CHAT) is None
        assert group_starts("segments", (5, 5), tokens, None) is None
        assert group_starts("tokens", (5, 5), tokens, CHAT) is None

    def test_the_picture_of_a_merged_pattern(self):
        array = np.array(
            [
                [1, 0, 0, 0, 0],
                [0.2, 0.4, 0.4, 0, 0],
                [0.5, 0, 0.5, 0, 0],
                [0, 0, 0, 1, 0],
                [1, 0, 0, 0, 0],
            ]
        )
        view = AttentionView(array, list("abcde"), CHAT, merge="segments", scale="linear")
        encoded = view.encoded
        assert encoded is not None
        assert encoded.maximum == pytest.approx(1.0)
        expected = [[1.0, 0.0], [(0.2 + 0.5 + 0 + 1) / 4, (0.8 + 0.5 + 1) / 4]]
        assert encoded.data.tolist() == np.rint(1 + 254 * np.array(expected)).tolist()
        view.hide_first = True
        assert view.encoded.data[:, 0].tolist() == [0, 0]

    def test_a_large_pattern_is_merged_in_python(self, sent):
        length = 1400
        tokens = [" w" if index % 2 else "x" for index in range(length)]
        whole = Segmentation([Segment(0, 600, "a"), Segment(600, length, "b")])
        array = np.zeros((length, length), np.float32)
        array[:, 700:710] = 0.1
        view = AttentionView(array, tokens, whole)
        assert sent[-1][0]["merged"] is None
        view.merge = "segments"
        content, (_, _, _, rows, columns) = sent[-1]
        assert content["merged"] == "segments"
        assert np.frombuffer(columns, np.int32).tolist() == [0, 600]
        assert np.frombuffer(rows, np.int32).tolist() == [0, 600]
        assert cells(sent[-1]).tolist() == [[1, 255], [1, 255]]
        ask(view, "value", seq=content["seq"], rows=[1, 2], columns=[1, 2])
        assert sent[-1][0]["value"] == pytest.approx(1.0)
        count = len(sent)
        view.scale = "log"
        assert len(sent) == count
        view.segmentation = whole.move_boundary(0, 705)
        np.testing.assert_allclose(
            numbers(cells(sent[-1]), "sequential", sent[-1][0]["maximum"]), 0.5, rtol=0.01
        )
        view.merge = "tokens"
        assert sent[-1][0]["merged"] is None

    def test_one_of_which_the_page_has_not_every_cell_is_merged_in_python(self, sent):
        whole = Segmentation([Segment(0, 256, "a"), Segment(256, 1024, "b")])
        view = AttentionView(np.full((1024, 1024), 1 / 1024), segmentation=whole)
        assert sent[-1][0]["factor"] == 2
        view.merge = "segments"
        assert sent[-1][0]["merged"] == "segments"
        np.testing.assert_allclose(
            numbers(cells(sent[-1]), "sequential", 0.75), [[0.25, 0.75]] * 2, rtol=0.01
        )

    def test_other_tokens_have_other_words(self, sent):
        view = AttentionView(np.eye(4), list("abcd"))
        view.tokens = ["a", " b", "c", " d"]
        assert sent[-1][0]["words"] == [0, 1, 3]

    def test_groups_of_another_pattern_wait_for_theirs(self, sent):
        view = AttentionView(np.eye(1400), [" w"] * 1400, merge="words")
        count = len(sent)
        view.update(tokens=[" w"] * 1500, segmentation=Segmentation([Segment(0, 1500, "a")]))
        assert all(content["merged"] is None for content, _ in sent[count:])
        view.show(np.eye(1500))
        assert sent[-1][0]["merged"] == "words"

    def test_a_small_one_is_merged_by_the_page(self, sent):
        view = AttentionView(np.eye(5), list("abcde"), CHAT)
        sent.clear()
        view.merge = "words"
        view.hide_first = True
        assert [content for content, _ in sent if content.get("kind") == "attention"] == []


class TestTraits:
    def test_refused(self):
        view = AttentionView(np.eye(5), list("abcde"), CHAT)
        for name, value in (("scale", "cubic"), ("merge", "heads"), ("pinned", -1)):
            with pytest.raises(TraitError):
                setattr(view, name, value)

    def test_a_pin_waits_where_there_is_no_such_row(self):
        view = AttentionView(np.eye(5), list("abcde"), pinned=4)
        view.show(np.eye(6), tokens=list("abcdef"))
        assert view.pinned == 4
        view.show(np.eye(3), tokens=list("abc"))
        assert view.pinned == 4
        view.clear()
        assert view.pinned is None

    def test_the_page_chooses(self):
        view = AttentionView(np.eye(5))
        view.set_state({"scale": "clipped", "normalize": True, "pinned": 2})
        assert (view.scale, view.normalize, view.pinned) == ("clipped", True, 2)

    def test_mask_refused(self):
        with pytest.raises(TraitError, match="prompt_length is 6; allowed are 1 to 5"):
            MaskView(CHAT, prompt_length=6)
        with pytest.raises(TraitError, match="window is 0"):
            MaskView(CHAT, window=0)
        with pytest.raises(TraitError):
            MaskView(CHAT).mask = "prefix"


class TestFromTraces:
    def test_a_saved_trace(self, comparison, sent):
        trace = comparison.segment
        view = AttentionView.of(trace, 1, 2, merge="tokens")
        number = sent[-1][0]["seq"]
        ask(view, "value", seq=number, rows=[5, 6], columns=[3, 4])
        assert sent[-1][0]["value"] == pytest.approx(trace.attention(1, 2)[5, 3])
        assert view.heading == "Layer 1, head 2: segment mask"
        assert AttentionView.of(trace, 1, "mean").heading == "Layer 1, mean of heads: segment mask"
        assert view.prompt_length == trace.prompt_length

    def test_a_difference(self, comparison, sent):
        view = AttentionView.of_difference(comparison, 1, 0)
        content = next(content for content, _ in reversed(sent) if content["kind"] == "attention")
        assert content["scale"] == "diverging"
        assert content["size"] == (comparison.shared_length,) * 2
        assert len(view.tokens) == comparison.shared_length == view.segmentation.length

    def test_a_mask(self, comparison):
        view = MaskView.of(comparison.segment)
        assert (view.mask, view.segmentation) == ("segment", comparison.segment.segmentation)
        assert MaskView.of(comparison.causal).mask == "causal"
        assert MaskView.of(comparison.segment, layer=-1).window is None
        layers = len(comparison.segment.layers)
        with pytest.raises(IndexError, match=f"no layer {layers}: allowed are 0 to {layers - 1}"):
            MaskView.of(comparison.segment, layer=layers)
        with pytest.raises(TypeError, match="a layer is an integer, not '1'"):
            MaskView.of(comparison.segment, layer="1")


class TestPictures:
    @pytest.mark.parametrize("scale", ["sqrt", "linear", "log", "clipped"])
    @pytest.mark.parametrize("kind", ["sequential", "diverging"])
    def test_every_look(self, scale, kind):
        view = AttentionView(None, ["$a", *"bcde"], CHAT, 4, scale=scale, normalize=True)
        view.show(np.eye(5) - 0.2 * (kind == "diverging"), kind=kind, title="$x")
        pictures = {view.png()}
        view.hide_first = True
        pictures.add(view.png())
        view.merge = "segments"
        pictures.add(view.png())
        assert len(pictures) == 3
        assert all((picture or b"").startswith(b"\x89PNG") for picture in pictures)

    def test_a_long_mask(self):
        whole = Segmentation([Segment(0, 5000, "a"), Segment(5000, 8192, "b")])
        assert len(MaskView(whole).png()) < 100_000

    def test_nothing_shown(self):
        assert AttentionView().png() is None


def test_overview_and_rows_of_tiles():
    values, visible, factor = overview(ArrayTiles(np.eye(30, 40)))
    assert (values.shape, visible.all(), factor) == ((30, 40), True, 1)
    assert mean_row(ArrayTiles(np.eye(3)), slice(1, 3)).tolist() == [0, 0.5, 0.5]
