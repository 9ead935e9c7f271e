"""Patterns and what is read of them, against a softmax over the whole array in float64."""

from __future__ import annotations

import threading
from itertools import pairwise

import numpy as np
import pytest
import torch

from segviz import patterns, summaries
from segviz.masks import key_spans
from segviz.pattern_tiles import DifferenceTiles, PatternTiles
from segviz.patterns import CapturedLayer, row_slices, seen_rows
from segviz.segments import Segment, Segmentation
from segviz.tiles import pooled

LENGTH = 53
SEGMENTATION = Segmentation(
    [Segment(0, 1, "bos", "causal"), Segment(1, 20, "system"), Segment(20, 22, "tool", "causal"),
     Segment(22, 47, "user"), Segment(47, LENGTH, "response", "causal")]
)  # fmt: skip
STOPS = [1, 20, 22, 47, LENGTH]


def captured(seed: int, kv_heads: int = 2, dtype: torch.dtype = torch.float32, **kwargs):
    generator = torch.Generator().manual_seed(seed)
    queries, keys = (
        (2 * torch.randn(heads, LENGTH, 8, generator=generator)).to(dtype)
        for heads in (6, kv_heads)
    )
    return CapturedLayer(queries, keys, 0.3, **kwargs)


def dense(layer: CapturedLayer, spans: np.ndarray) -> np.ndarray:
    """Float64 ``[query head, query, key]``."""
    keys = layer.keys.double().repeat_interleave(layer.heads // layer.kv_heads, dim=0).numpy()
    scores = np.einsum("hqd,hkd->hqk", layer.queries.double().numpy(), keys) * layer.scale
    places = np.arange(layer.length)
    seen = (places >= spans[:, :1]) & (places < spans[:, 1:])
    weights = np.where(seen, np.exp(scores - scores.max(axis=-1, keepdims=True)), 0)
    return weights / weights.sum(axis=-1, keepdims=True)


@pytest.fixture(params=[1, 6 * LENGTH, 1 << 19], ids=lambda elements: f"{elements} at a time")
def elements(request, monkeypatch) -> None:
    """From one row of one KV head at a time to the whole layer at once."""
    monkeypatch.setattr(patterns, "_BLOCK_ELEMENTS", request.param)


@pytest.fixture(params=[None, 6], ids=["all", "window"])
def spans(request) -> np.ndarray:
    return key_spans(LENGTH, SEGMENTATION, window=request.param)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [slice(0, LENGTH), slice(18, 31), slice(30, 31), [0, 3, 25, 52]])
def test_rows(spans, rows, dtype):
    layer = captured(1, dtype=dtype)
    expected = dense(layer, spans)
    attention, keys = seen_rows(layer, spans, rows)
    np.testing.assert_allclose(attention, expected[:, rows, keys], atol=1e-6)
    assert (attention.numpy()[expected[:, rows, keys] == 0] == 0).all()
    assert not expected[:, rows, : keys.start].any()
    assert not expected[:, rows, keys.stop :].any()
    one, same = seen_rows(layer.only(4), spans, rows)
    assert same == keys
    np.testing.assert_allclose(one, attention[4:5], atol=1e-6)


@pytest.mark.usefixtures("elements")
@pytest.mark.parametrize("head", [0, 5, "mean", "max"])
@pytest.mark.parametrize("factor", [1, 4])
def test_tiles(spans, head, factor):
    layers, causal = [captured(1), captured(2)], key_spans(LENGTH)
    whole = [dense(layers[0], spans), dense(layers[1], causal)]
    reduce = {"mean": lambda a: a.mean(axis=0), "max": lambda a: a.max(axis=0)}
    one, other = (reduce.get(head, lambda a: a[head])(array) for array in whole)
    tiles = PatternTiles(layers[0], spans, head)
    difference = DifferenceTiles(tiles, PatternTiles(layers[1], causal, head), 50)
    for rows, columns in [((0, 50), (0, 50)), ((5, 33), (7, 41)), ((40, 49), (3, 9))]:
        part = slice(*rows), slice(*columns)
        for got, array in ((tiles, one), (difference, one - other)):
            values, visible = got.tile(*part, factor)
            # What is visible is tested with the masks.
            expected, _ = pooled(array[part], np.ones(array[part].shape, bool), factor)
            np.testing.assert_allclose(values, expected, atol=1e-6)
            assert values.dtype == np.float32
            assert not values[~visible].any()


@pytest.mark.usefixtures("elements")
def test_summaries(spans):
    layer = captured(3)
    attention = dense(layer, spans)
    query, key = np.indices((LENGTH, LENGTH))
    expected = {
        "forward mass": np.triu(attention, 1).sum(axis=2),
        "entropy": -(attention * np.log(np.where(attention > 0, attention, 1))).sum(axis=2),
        "distance": (attention * abs(query - key)).sum(axis=2),
        "first-token mass": attention[:, :, 0],
    }
    numbers = summaries.summaries(layer, spans)
    assert tuple(numbers) == summaries.SUMMARIES
    for name, values in expected.items():
        np.testing.assert_allclose(numbers[name], values.mean(axis=1), rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("elements")
def test_flow(spans):
    layer = captured(4)
    attention, edges = dense(layer, spans), [0, *STOPS]
    mass = np.add.reduceat(np.add.reduceat(attention, edges[:-1], axis=1), edges[:-1], axis=2)
    expected = mass / np.diff(edges)[:, None]
    np.testing.assert_allclose(summaries.flow(layer, spans, STOPS), expected, atol=1e-6)


@pytest.mark.usefixtures("elements")
@pytest.mark.parametrize("size", [7, 60])
@pytest.mark.parametrize("kv_heads", [2, 3])
def test_pictures(spans, size, kv_heads):
    layer, other, causal = captured(5), captured(6, kv_heads), key_spans(LENGTH)
    one, length = dense(layer, spans), 51

    def most(array: np.ndarray) -> np.ndarray:
        return torch.nn.functional.adaptive_max_pool2d(torch.from_numpy(array), size).numpy()

    pictures, numbers = summaries.overview(layer, spans, size)
    np.testing.assert_allclose(pictures, 255 * np.sqrt(most(one)), atol=0.51)
    np.testing.assert_array_equal(pictures, summaries.thumbnails(layer, spans, size))
    for name, values in summaries.summaries(layer, spans).items():
        np.testing.assert_array_equal(numbers[name], values)

    difference = (one - dense(other, causal))[:, :length, :length]
    up, down = most(difference).clip(0), most(-difference).clip(0)
    signed = np.where(up >= down, np.sqrt(up), -np.sqrt(down))
    both = summaries.Differences((layer, other), (spans, causal), length)
    pictures, largest = both.overview(size)
    np.testing.assert_allclose(pictures, 128 + 127 * signed, atol=0.51)
    np.testing.assert_allclose(largest, abs(difference).max(axis=(1, 2)), atol=1e-6)
    np.testing.assert_array_equal(pictures, both.thumbnails(size))
    np.testing.assert_array_equal(largest, both.largest())


def test_no_more_is_held_than_said(monkeypatch):
    monkeypatch.setattr(patterns, "_BLOCK_ELEMENTS", 3 * 4 * LENGTH)
    held, computed = [], seen_rows

    def noted(*args):
        attention, keys = computed(*args)
        held.append(attention.numel())
        return attention, keys

    monkeypatch.setattr(summaries, "seen_rows", noted)
    monkeypatch.setattr("segviz.pattern_tiles.seen_rows", noted)
    layer, spans = captured(1), key_spans(LENGTH, SEGMENTATION)
    summaries.overview(layer, spans, 8)
    PatternTiles(layer, spans, "max").tile(slice(0, LENGTH), slice(0, LENGTH))
    PatternTiles(layer, spans, 2).tile(slice(0, LENGTH), slice(0, LENGTH), 2)
    assert len(held) > 2 * LENGTH / 4
    assert max(held) <= 3 * 4 * LENGTH


def test_blocks_are_multiples_of_a_step():
    layer = captured(1).only(0)
    assert list(row_slices(layer, slice(3, 50), step=7)) == [slice(3, 50)]
    many = CapturedLayer(torch.zeros(1, 3000, 1), torch.zeros(1, 3000, 1), 1.0)
    blocks = list(row_slices(many, slice(5, 2900), step=7))
    assert (blocks[0].start, blocks[-1].stop) == (5, 2900)
    assert len(blocks) > 2
    for block, following in pairwise(blocks):
        assert block.stop == following.start
        assert (block.stop - block.start) % 7 == 0


def test_reading_ends_when_it_is_cancelled(monkeypatch):
    monkeypatch.setattr(patterns, "_BLOCK_ELEMENTS", 1)
    cancel, calls, computed = threading.Event(), [], seen_rows

    def noted(*args):
        calls.append(args)
        if len(calls) == 5:
            cancel.set()
        return computed(*args)

    monkeypatch.setattr(summaries, "seen_rows", noted)
    layer, spans = captured(1), key_spans(LENGTH, SEGMENTATION)
    with pytest.raises(summaries.LookCancelledError):
        summaries.overview(layer, spans, 8, cancel)
    assert len(calls) == 5
    both = summaries.Differences((layer, layer), (spans, spans), LENGTH)
    for read in (
        lambda: both.overview(8, cancel),
        lambda: summaries.flow(layer, spans, STOPS, cancel),
    ):
        with pytest.raises(summaries.LookCancelledError):
            read()
    assert len(calls) == 5 + 2 + 1


class TestOffload:
    """Queries and keys lie in main memory, patterns are computed elsewhere."""

    def test_everything_is_computed_where_it_is_said(self):
        """On the meta device, which has shapes and no numbers."""
        layer = captured(1, dtype=torch.bfloat16, device=torch.device("meta"))
        spans = key_spans(LENGTH, SEGMENTATION)
        assert layer.queries.device.type == layer.keys.device.type == "cpu"
        assert layer.computes_on.type == "meta"
        for part in (layer, layer.prepared(), layer.only(3), *(part for _, part in layer.parts())):
            attention, keys = seen_rows(part, spans, slice(20, 30))
            assert attention.device.type == "meta"
            assert attention.shape == (part.heads, 10, 47)
            assert keys == slice(0, 47)
        for head in (4, "mean", "max"):
            tiles = PatternTiles(layer, spans, head)
            assert tiles.rows(slice(20, 30))[0].device.type == "meta"
        assert summaries.flow(layer, spans, STOPS).device.type == "meta"

    def test_of_one_head_only_its_keys_travel(self):
        layer = captured(1, device=torch.device("meta")).only(5)
        assert (layer.heads, layer.kv_heads) == (1, 1)
        assert layer.keys.device.type == "meta"
        assert layer.queries.device.type == "cpu"

    def test_without_a_device_the_queries_say_where(self):
        layer = captured(1)
        assert layer.computes_on == layer.queries.device
        assert layer.prepared().keys is layer.keys

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="takes a GPU")
    def test_on_a_gpu_the_numbers_are_the_same(self):
        spans, causal = key_spans(LENGTH, SEGMENTATION), key_spans(LENGTH)
        gpu = torch.device("cuda")
        here = captured(1), captured(2)
        there = captured(1, device=gpu), captured(2, device=gpu)
        whole = slice(0, LENGTH)
        for head in (4, "mean", "max"):
            one, other = (
                DifferenceTiles(PatternTiles(a, spans, head), PatternTiles(b, causal, head), LENGTH)
                for a, b in (here, there)
            )
            got, expected = (x.tile(whole, whole, 3)[0] for x in (other, one))
            np.testing.assert_allclose(got, expected, atol=1e-5)
            edges = np.array([0, 4, 5, 30, LENGTH])
            got, expected = (x.merged(edges, edges)[0] for x in (other, one))
            np.testing.assert_allclose(got, expected, atol=1e-5)
        for name, values in summaries.summaries(here[0], spans).items():
            got = summaries.summaries(there[0], spans)[name]
            np.testing.assert_allclose(got, values, rtol=1e-4, atol=1e-5)
        got, expected = (summaries.flow(x[0], spans, STOPS).cpu() for x in (there, here))
        np.testing.assert_allclose(got, expected, atol=1e-5)
        # One of two runs may be offloaded, and the other not.
        for pair in (there, (here[0], there[1]), (there[0], here[1])):
            both = summaries.Differences((pair[0], pair[1]), (spans, causal), LENGTH)
            expected = summaries.Differences(here, (spans, causal), LENGTH)
            np.testing.assert_allclose(both.largest(), expected.largest(), atol=1e-5)
