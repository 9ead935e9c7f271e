"""Tokens merged to words and segments, against sums written out one by one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segviz.grouping import MergedTiles, merged, segment_starts, word_starts
from segviz.masks import key_spans
from segviz.pattern_tiles import DifferenceTiles, PatternTiles
from segviz.patterns import CapturedLayer
from segviz.segments import Segment, Segmentation
from segviz.tiles import ArrayTiles, RememberedTiles, WithoutFirst, merged_tile, pooled


def words(tokens: list[str], boundaries: tuple[int, ...] = ()) -> list[str]:
    """The words themselves."""
    starts = word_starts(tokens, boundaries).tolist()
    edges = [*starts, len(tokens)]
    return ["".join(tokens[start:stop]) for start, stop in pairwise(edges)]


class TestWords:
    @pytest.mark.parametrize(
        ("tokens", "expected"),
        [
            (["An", "na", " fol", "lows", " Ben", "."], ["Anna", " follows", " Ben."]),
            (["don", "'t", " stop"], ["don't", " stop"]),
            (["<|im_start|>", "user", "\n", "Hi"], ["<|im_start|>", "user", "\n", "Hi"]),
            (["end", "<|end|>", "<|end|>", "go"], ["end", "<|end|>", "<|end|>", "go"]),
            (["a", "\n", "\n", "  ", " b"], ["a", "\n\n  ", " b"]),
            (["one ", "two", "three\n", "four"], ["one ", "twothree\n", "four"]),
            (["我", "爱", "北京", "。", "Ben", " 说"], ["我", "爱", "北京。", "Ben", " 说"]),
            (["カ", "ー", "ト", "2", "0"], ["カー", "ト", "20"]),
            (["ก", "ี", "า"], ["กี", "า"]),
            (["안녕", "하세요", " 벤"], ["안녕하세요", " 벤"]),
            ([" سل", "ام"], [" سلام"]),
            (["cafe", "\u0301", "s"], ["cafe\u0301s"]),
        ],
    )
    def test_what_a_reader_takes_for_a_word(self, tokens, expected):
        assert words(tokens) == expected

    def test_pieces_of_a_character_stay_with_their_first(self):
        assert word_starts(["a", "😀[1/3]", "😀[2/3]", "😀[3/3]", "b"]).tolist() == [0]
        assert word_starts(["北[1/2]", "北[2/2]", "京[1/2]", "京[2/2]", "b"]).tolist() == [0, 2, 4]
        # A piece can show the white space that it holds a part of; only the first piece begins.
        assert word_starts(["x", " 😀[1/2]", " 😀[2/2]"]).tolist() == [0, 1]
        assert word_starts(["北", "京[2/2]"]).tolist() == [0, 1]

    def test_boundaries_end_words(self):
        assert words(["An", "na", "be", "l", " x"], (1, 3)) == ["An", "nabe", "l", " x"]
        assert word_starts(["a", "b"], (0, 2, 7)).tolist() == [0]

    def test_no_tokens(self):
        assert word_starts([]).tolist() == []
        assert word_starts(["", ""]).tolist() == [0]

    @given(
        st.lists(
            st.sampled_from(["a", " b", "c ", "\n", "<s>", "北", "ー", "é[1/2]", "é[2/2]", ""])
        ),
        st.sets(st.integers(1, 12)),
    )
    def test_boundaries_only_add(self, tokens, boundaries):
        # What the page relies on: it adds the borders to the words that Python sent.
        plain = set(word_starts(tokens).tolist())
        inside = {at for at in boundaries if at < len(tokens)}
        assert set(word_starts(tokens, boundaries).tolist()) == plain | inside


def test_segments():
    chat = Segmentation([Segment(0, 1, "bos", "causal"), Segment(1, 5, "a"), Segment(5, 6, "b")])
    assert segment_starts(chat).tolist() == [0, 1, 5]


def by_hand(values, visible, row_starts, column_starts):
    """Cell by cell, in Python's own arithmetic."""
    rows = [*row_starts, values.shape[0]]
    columns = [*column_starts, values.shape[1]]
    mass = np.zeros((len(row_starts), len(column_starts)))
    seen = np.zeros(mass.shape, bool)
    for r in range(len(row_starts)):
        for c in range(len(column_starts)):
            queries, keys = range(rows[r], rows[r + 1]), range(columns[c], columns[c + 1])
            cells = [(q, k) for q in queries for k in keys if visible[q, k]]
            mass[r, c] = sum(float(values[q, k]) for q, k in cells) / len(queries)
            seen[r, c] = bool(cells)
    return mass, seen


@pytest.fixture
def pattern():
    """Values, visibility, and starts of a non-square pattern with garbage where it is masked."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(23, 31)).astype(np.float32)
    visible = rng.random((23, 31)) < 0.3
    visible[:, 9:14] = False
    return values, visible, np.array([0, 1, 9, 20]), np.array([0, 4, 5, 9, 14, 30])


def test_merged(pattern):
    mass, seen = merged(*pattern)
    expected = by_hand(*pattern)
    np.testing.assert_allclose(mass, expected[0], atol=1e-6)
    np.testing.assert_array_equal(seen, expected[1])
    assert mass.dtype == np.float32
    assert not seen[:, 3].any()
    assert seen.any()


@pytest.mark.parametrize("cells", [1, 40, 310, 10_000], ids=lambda cells: f"{cells} at a time")
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_tiles_of_any_part(pattern, monkeypatch, cells, factor):
    monkeypatch.setattr("segviz.tiles._BLOCK_CELLS", cells)
    values, visible, *starts = pattern
    tiles = MergedTiles(ArrayTiles(values, visible), *starts)
    assert tiles.shape == (4, 6)
    mass, seen = by_hand(*pattern)
    for rows, columns in [((0, 4), (0, 6)), ((1, 3), (2, 6)), ((3, 4), (3, 4)), ((0, 3), (0, 5))]:
        part = slice(*rows), slice(*columns)
        expected = pooled(mass[part].astype(np.float32), seen[part], factor)
        got = tiles.tile(*part, factor)
        np.testing.assert_allclose(got[0], expected[0], atol=1e-6)
        np.testing.assert_array_equal(got[1], expected[1])


class Counted:
    """Tiles of a large causal pattern whose rows are uniform; notes how much is read at a time."""

    def __init__(self, length: int) -> None:
        self.shape = (length, length)
        self.most = 0

    def tile(self, rows, columns, factor=1):
        assert factor == 1
        query, key = (np.arange(part.start, part.stop) for part in (rows, columns))
        visible = key[None] <= query[:, None]
        self.most = max(self.most, visible.size)
        return np.where(visible, 1 / (query[:, None] + 1), 0).astype(np.float32), visible


def test_a_large_pattern_is_never_read_as_a_whole():
    length = 8192
    tokens = Counted(length)
    segments = np.array([0, 1, 5000])
    mass, seen = MergedTiles(tokens, segments, segments).tile(slice(0, 3), slice(0, 3))
    np.testing.assert_allclose(mass.sum(axis=1), 1, rtol=1e-5)
    harmonic = sum(1 / (query + 1) for query in range(1, 5000)) / 4999
    assert mass[1, 0] == pytest.approx(harmonic, rel=1e-4)
    np.testing.assert_array_equal(seen, np.tri(3, dtype=bool))
    words = np.arange(0, length, 3)
    part, _ = MergedTiles(tokens, words, words).tile(slice(0, len(words)), slice(0, 1), 9)
    assert part.shape == (304, 1)
    assert part[1, 0] == pytest.approx(sum(3 / (query + 1) for query in (27, 28, 29)) / 3, rel=1e-5)
    assert tokens.most <= length**2 // 10


class TestComputedPatterns:
    """Patterns merge their groups by themselves; arrays of the same numbers are the reference."""

    LENGTH = 71
    WORDS = np.array([0, 1, 2, 5, 9, 10, 30, 55, 70])
    SEGMENTS = Segmentation(
        [Segment(0, 1, "bos", "causal"), Segment(1, 30, "system"), Segment(30, 66, "user"),
         Segment(66, 71, "response", "causal")]
    )  # fmt: skip

    @pytest.fixture(params=["pattern", "mean", "window", "difference"])
    def tiles(self, request, monkeypatch):
        # Several blocks of rows within a group, and several groups within a block.
        monkeypatch.setattr("segviz.patterns._BLOCK_ELEMENTS", 6 * 71)
        torch.manual_seed(2)
        layer, other = (
            CapturedLayer(3 * torch.randn(6, 71, 8), torch.randn(2, 71, 8), scale=0.35)
            for _ in range(2)
        )
        window = 7 if request.param == "window" else None
        spans = key_spans(71, self.SEGMENTS, window=window)
        tiles = PatternTiles(layer, spans, "mean" if request.param == "mean" else 4)
        if request.param == "difference":
            return DifferenceTiles(tiles, PatternTiles(other, key_spans(71), 4), 68)
        return tiles

    @pytest.mark.parametrize("factor", [1, 2, 4])
    @pytest.mark.parametrize("hidden", [False, True])
    def test_as_arrays_do(self, tiles, factor, hidden):
        length = tiles.shape[0]
        array = ArrayTiles(*tiles.tile(slice(0, length), slice(0, length)))
        wrap = WithoutFirst if hidden else lambda tiles: tiles
        starts = self.WORDS[length > self.WORDS]
        got, expected = (MergedTiles(wrap(one), starts, starts) for one in (tiles, array))
        for rows, columns in [((0, 8), (0, 8)), ((3, 7), (1, 8)), ((2, 8), (0, 1))]:
            part = slice(*rows), slice(*columns)
            values, visible = got.tile(*part, factor)
            reference = expected.tile(*part, factor)
            np.testing.assert_allclose(values, reference[0], atol=1e-6)
            np.testing.assert_array_equal(visible, reference[1])
        assert not (hidden and got.tile(slice(0, 8), slice(0, 1))[1].any())

    def test_hiding_the_first_key_is_masking_it(self, tiles):
        length = tiles.shape[0]
        values, visible = tiles.tile(slice(0, length), slice(0, length))
        visible[:, 0] = False
        edges = np.array([0, 4, 30, length])
        mass, seen = merged_tile(WithoutFirst(tiles), edges, edges)
        expected = by_hand(values, visible, edges[:-1], edges[:-1])
        np.testing.assert_allclose(mass, expected[0], atol=1e-6)
        np.testing.assert_array_equal(seen, expected[1])

    def test_what_was_merged_last_is_remembered(self, tiles):
        remembered = RememberedTiles(tiles, 16)
        edges = np.array([0, 9, 40, tiles.shape[0]])
        once, again = (remembered.merged(edges, edges, 2) for _ in range(2))
        assert again is once
        other = np.array([0, 9, 41, tiles.shape[0]])
        for asked in [(edges, other, 2), (other, edges, 2), (edges, edges, 1)]:
            for got, expected in zip(remembered.merged(*asked), tiles.merged(*asked), strict=True):
                np.testing.assert_array_equal(got, expected)
