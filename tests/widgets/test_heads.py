"""The head grid's Python side: what is sent, answered, drawn, and refused."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from traitlets import TraitError

import segviz as sv
from segviz.widgets import View, scale
from segviz.widgets.drawing.heads import _resized
from segviz.widgets.head_grid import SUMMARIES, HeadGrid, colors

MEGABYTE = 1_000_000
STATIC = Path(sv.__file__).parent / "widgets" / "static"


def from_page(view: View, **content: object) -> None:
    view._handle_custom_msg(content, [])


def pictures(heads: int = 6, size: int = 8, value: int = 0) -> np.ndarray:
    return np.full((heads, size, size), value, np.uint8)


def numbers(heads: int = 6, **more: np.ndarray) -> dict[str, np.ndarray]:
    return {"entropy": np.linspace(0, 2, heads), **more}


@pytest.fixture(scope="module")
def comparison():
    return sv.compare(sv.load(), sv.examples["chain"], max_new_tokens=2)


class TestTraits:
    def test_a_choice(self):
        grid = HeadGrid(4, 6, 3, layer=3, head=5)
        assert (grid.layer, grid.head, grid.kv_heads) == (3, 5, 3)
        assert HeadGrid(4, 6).kv_heads is None

    @pytest.mark.parametrize(
        ("traits", "said"),
        [
            ({"layer": 4}, "layer is 4; allowed are 0 to 3"),
            ({"layer": -1}, "layer is -1; allowed are 0 to 3"),
            ({"head": 6}, "head is 6; allowed are 0 to 5"),
            ({"kv_heads": 4}, "kv_heads is 4; it has to divide the number of query heads, 6: give"),
            ({"kv_heads": 0}, "kv_heads is 0; it has to divide"),
            ({"sort": "size"}, "forward mass"),
            ({"color": "layer"}, "forward mass"),
            ({"layers": 0}, "should not be less than 1"),
        ],
    )
    def test_refused(self, traits, said):
        with pytest.raises(TraitError, match=said):
            HeadGrid(**{"layers": 4, "heads": 6, "kv_heads": 3, **traits})
        grid = HeadGrid(4, 6, 3)
        with pytest.raises(TraitError, match=said):
            grid.set_trait(*next(iter(traits.items())))

    def test_a_choice_from_the_page(self):
        grid = HeadGrid(4, 6, 3)
        grid.set_state({"layer": 2, "head": 5})
        assert (grid.layer, grid.head) == (2, 5)
        grid.set_state({"head": 6})
        assert (grid.head, grid.error) == (5, "TraitError: head is 6; allowed are 0 to 5")


class TestShowLayer:
    def test_what_is_sent(self, sent):
        grid = HeadGrid(3, 4, 2)
        grid.show_layer(
            1,
            np.arange(4 * 9, dtype=np.uint8).reshape(4, 3, 3),
            {"distance": np.array([1.5, 2, 3, 4]), "entropy": np.array([0, 0.5, 1, np.nan])},
        )
        (begin, tables), (content, buffers) = sent
        assert begin["kind"] == "grid"
        for table, kind in zip(tables, scale.KINDS, strict=True):
            found = np.frombuffer(table, np.uint8).reshape(256, 3)
            assert (found[255] == scale.table(kind)[255]).all()
        assert content["kind"] == "layer 1"
        assert content["scale"] == "sequential"
        assert content["names"] == ["distance", "entropy"]
        assert [array["shape"] for array in content["arrays"]] == [(4, 3, 3), (2, 4)]
        assert list(buffers[0]) == list(range(36))
        rows = np.frombuffer(buffers[1], np.float32).reshape(2, 4)
        assert rows[0].tolist() == [1.5, 2, 3, 4]
        assert np.isnan(rows[1, 3])

    def test_one_message_a_layer_is_replayed(self, sent):
        grid = HeadGrid(3, 6)
        for layer, value in ((2, 7), (0, 8), (2, 9)):
            grid.show_layer(layer, pictures(value=value), numbers())
        sent.clear()
        from_page(grid, kind="ready")
        assert [content["kind"] for content, _ in sent] == ["grid", "layer 2", "layer 0"]
        assert sent[1][1][0][0] == 9
        assert grid.missing == [1]

    def test_the_largest_that_is_sent_stays_below_a_megabyte(self, sent):
        HeadGrid(1, 64).show_layer(0, pictures(64, 118), numbers(64))
        assert sum(map(len, sent[-1][1])) < MEGABYTE
        with pytest.raises(ValueError, match=r"for 64 heads.* take a size up to 118"):
            HeadGrid(1, 64).show_layer(0, pictures(64, 119), numbers(64))

    @pytest.mark.parametrize(
        ("arguments", "error", "said"),
        [
            ({"layer": 3}, IndexError, "there is no layer 3: allowed are 0 to 2"),
            ({"layer": -1}, IndexError, "there is no layer -1"),
            ({"thumbnails": pictures(5)}, ValueError, r"of shape \(5, 8, 8\).* with 6 heads"),
            ({"thumbnails": pictures()[:, :4]}, ValueError, r"of shape \(6, 4, 8\)"),
            ({"thumbnails": pictures()[0]}, ValueError, r"of shape \(8, 8\)"),
            ({"thumbnails": pictures()[:, :0, :0]}, ValueError, r"of shape \(6, 0, 0\)"),
            ({"thumbnails": pictures() / 255}, ValueError, "float64; they have to be uint8"),
            ({"summaries": {"size": np.zeros(6)}}, ValueError, "no summary 'size'.*'entropy'"),
            ({"summaries": numbers(5)}, ValueError, r"'entropy' is of shape \(5,\).*each of 6"),
            ({"kind": "both"}, ValueError, "kind='both'; allowed are 'sequential' and 'diverging'"),
        ],
    )
    def test_refused(self, arguments, error, said):
        grid = HeadGrid(3, 6, 2)
        valid = {"layer": 1, "thumbnails": pictures(), "summaries": numbers()}
        with pytest.raises(error, match=said):
            grid.show_layer(**{**valid, **arguments})
        assert grid.missing == [0, 1, 2]
        assert grid.png() is None

    def test_clear(self, sent):
        grid = HeadGrid(2, 6)
        grid.show_layer(0, pictures(), numbers())
        grid.clear()
        assert sent[-1][0] == {"kind": "grid", "clear": True}
        assert grid.missing == [0, 1]
        sent.clear()
        from_page(grid, kind="ready")
        assert sent == []
        grid.show_layer(1, pictures(), numbers())
        assert [content["kind"] for content, _ in sent] == ["grid", "layer 1"]

    def test_another_model_clears(self):
        grid = HeadGrid(2, 6)
        grid.show_layer(0, pictures(), numbers())
        grid.heads = 8
        assert grid.rows == {}

    def test_stale_layers_are_missing_until_they_are_shown_again(self, sent):
        grid = HeadGrid(2, 6)
        for layer in (0, 1):
            grid.show_layer(layer, pictures(), numbers())
        assert grid.missing == []
        grid.stale = True
        assert grid.missing == [0, 1]
        grid.show_layer(1, pictures(), numbers())
        assert grid.missing == [0]
        assert [content["revision"] for content, _ in sent[1:]] == [0, 0, 1]
        grid.stale = False
        assert grid.missing == []

    def test_bytes_of_thumbnails_have_the_colours_of_what_they_stand_for(self):
        # 255 · sqrt(p) against the bytes of the attention view, where 0 stands for masked.
        values = np.linspace(0, 1, 50)[None]
        data, _ = scale.shaded(values, np.ones((1, 50), bool), kind="sequential", maximum=1.0)
        encoded = scale.table("sequential")[data]
        ours = colors("sequential")[np.round(255 * np.sqrt(values)).astype(int)]
        assert np.abs(encoded.astype(int) - ours).max() <= 4
        assert (colors("diverging")[1:] == scale.table("diverging")[1:]).all()


class TestVisible:
    def test_callbacks_get_the_layers_in_sight(self):
        grid = HeadGrid(8, 2)
        seen = []
        grid.on_visible += [lambda *range_: seen.append(range_), lambda *_: seen.append("both")]
        from_page(grid, kind="visible", first=2, last=5)
        from_page(grid, kind="visible", first=-3, last=99)
        assert seen == [(2, 5), "both", (0, 7), "both"]

    def test_what_fails_is_shown(self):
        grid = HeadGrid(8, 2)
        grid.on_visible.append(lambda first, last: 1 / 0)  # noqa: ARG005
        from_page(grid, kind="visible", first=2, last=5)
        assert "ZeroDivisionError" in grid.error
        from_page(grid, kind="hovered")


class TestOf:
    def test_a_saved_trace(self, comparison, tmp_path):
        comparison.segment.save(tmp_path / "run.safetensors")
        trace = sv.Trace.load(tmp_path / "run.safetensors")
        grid = HeadGrid.of(trace, size=16, layer=1, sort="entropy")
        assert (grid.layers, grid.heads, grid.kv_heads) == (
            len(trace.layers), trace.heads, trace.kv_heads,
        )  # fmt: skip
        assert np.array_equal(grid.rows[1].thumbnails, trace.layer_thumbnails(1, 16))
        assert list(grid.rows[1].summaries) == list(SUMMARIES)[:4]
        assert np.allclose(grid.rows[1].summaries["entropy"], trace.summaries()["entropy"][1])
        assert (grid.layer, grid.sort, grid.missing) == (1, "entropy", [])

    def test_a_comparison(self, comparison):
        grid = HeadGrid.of_comparison(comparison, size=16)
        row = grid.rows[1]
        assert row.kind == "diverging"
        assert np.array_equal(row.thumbnails, comparison.layer_thumbnails(1, 16))
        assert list(row.summaries) == list(SUMMARIES)
        largest = comparison.largest_difference()[1]
        assert np.allclose(row.summaries["largest difference"], largest)
        forward = comparison.segment.summaries()["forward mass"][1]
        assert np.allclose(row.summaries["forward mass"], forward)
        assert forward.max() > 0

    def test_its_runs(self, comparison):
        row = HeadGrid.of_comparison(comparison, "causal", size=16).rows[1]
        assert row.kind == "sequential"
        assert np.array_equal(row.thumbnails, comparison.causal.layer_thumbnails(1, 16))
        assert not row.summaries["forward mass"].any()
        assert row.summaries["largest difference"].max() > 0
        with pytest.raises(ValueError, match="view='both'; allowed are 'causal', 'segment', 'diff"):
            HeadGrid.of_comparison(comparison, "both")


def picture(grid: HeadGrid) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(grid.png() or b"")).convert("RGB")).astype(int)


def bright(image: np.ndarray) -> np.ndarray:
    """Where the highest colour of a thumbnail is."""
    return np.argwhere(np.abs(image - colors("sequential")[255]).max(axis=2) < 12)


class TestPicture:
    def test_a_head_stands_in_its_row_and_column(self):
        grid = HeadGrid(3, 6, 2)
        for layer in range(3):
            thumbnails = pictures()
            if layer == 1:
                thumbnails[4] = 255
            grid.show_layer(layer, thumbnails, numbers())
        image = picture(grid)
        dark = np.argwhere(np.abs(image - colors("sequential")[0]).max(axis=2) < 12)
        top, left = dark.min(axis=0)
        bottom, right = dark.max(axis=0)
        row, column = (bright(image).mean(axis=0) - (top, left)) / (bottom - top, right - left)
        assert 1 / 3 < row < 2 / 3
        assert 4 / 6 < column < 5 / 6

    def test_sorted_heads_come_first(self):
        grid = HeadGrid(2, 6, sort="entropy")
        marked = pictures()
        marked[5] = 255
        grid.show_layer(1, marked, numbers())
        image = picture(grid)
        assert bright(image)[:, 1].max() < 60
        grid.show_layer(1, marked, {"entropy": np.linspace(2, 0, 6)})
        assert bright(picture(grid))[:, 1].min() > 60

    def test_bars_are_as_long_as_their_share(self):
        grid = HeadGrid(1, 2, color="entropy")
        grid.show_layer(0, pictures(2), {"entropy": np.array([1.0, 4.0])})
        image = picture(grid)
        # The colour of the largest value, and that of a quarter of it.
        full = (np.abs(image - (122, 45, 6)).max(axis=2) < 12).sum(axis=1).max()
        quarter = (np.abs(image - (237, 176, 95)).max(axis=2) < 16).sum(axis=1).max()
        assert quarter == pytest.approx(full / 4, abs=2)

    @pytest.mark.parametrize(("layers", "heads", "sort"), [(16, 32, "layer"), (16, 32, "distance")])
    def test_hundreds_of_heads_keep_their_size(self, comparison, layers, heads, sort):
        rng = np.random.default_rng(0)
        real = comparison.segment.thumbnails(24).reshape(-1, 24, 24)
        grid = HeadGrid(layers, heads, 8, sort=sort, color="distance")
        for layer in range(layers):
            # No two alike: equal ones would be stored as one.
            faded = real[rng.integers(0, len(real), heads)] * rng.random((heads, 1, 1))
            grid.show_layer(layer, faded.astype(np.uint8), {"distance": rng.random(heads)})
        data = grid.png()
        assert len(data) <= 90_000
        # A picture that had to be made smaller would have labels that nobody can read.
        assert Image.open(io.BytesIO(data)).width >= 480

    def test_one_layer_of_many_is_a_picture_too(self):
        grid = HeadGrid(3, 4, sort="distance", color="distance")
        grid.show_layer(2, pictures(4, value=128), {}, "diverging")
        assert grid.png().startswith(b"\x89PNG")

    def test_small_thumbnails_show_what_tells_most(self):
        thumbnail = np.full((5, 5), 128, np.uint8)
        thumbnail[0, 1], thumbnail[4, 4] = 10, 140
        assert _resized(thumbnail, 2, 128).tolist() == [[10, 128], [128, 140]]
        assert _resized(thumbnail, 2, 0).tolist() == [[128, 128], [128, 140]]
        assert _resized(thumbnail[:1, :1], 2, 0).tolist() == [[128, 128], [128, 128]]


def test_python_and_page_name_the_same_summaries():
    text = (STATIC / "heads.js").read_text()
    found = re.findall(r'name: "([^"]+)",\s*unit: "([^"]+)",\s*about: "[^"]+"', text)
    assert found == list(SUMMARIES.items())
