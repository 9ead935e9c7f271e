"""In what order a session computes what is looked at, and that nobody waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import reference

import segviz as sv
from segviz import patterns, summaries
from segviz.grouping import group_starts
from segviz.pattern_tiles import ComputedTiles
from segviz.session import looker
from segviz.session.looker import Looker, Wanted
from segviz.session.looking import Looking
from segviz.session.looks import LayerLook
from segviz.tiles import RememberedTiles, WithoutFirst, merged_tile

SEGMENTS = [
    sv.Segment(0, 1, "bos", "causal"),
    sv.Segment(1, 8, "system"),
    sv.Segment(8, 30, "user"),
]


@pytest.fixture(scope="module")
def model() -> sv.Model:
    return sv.Model(reference.make("qwen3"), reference.tokenizer(), default_mask="segment")


@pytest.fixture
def wanted(model) -> Wanted:
    prompt = reference.random_prompt(30, 4, sv.Segmentation(SEGMENTS))
    return Wanted(
        traces={"causal": model.trace(prompt, "causal"), "segment": model.trace(prompt, "segment")},
        version=1,
        answered=frozenset({"causal", "segment"}),
        segmentation=prompt.segmentation,
        view="segment",
        layer=1,
        head=4,
        panels=frozenset({"heads"}),
        layers=[2, 0, 1],
    )


class Shown:
    """Runs a :class:`Looking`, and notes what it shows."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.slots: list[str] = []
        self.notices: list[tuple[str, Any]] = []
        self.on_show: Callable[[], object] = lambda: None
        self.looking = Looking(
            self.lock, self._show, lambda name, value: self.notices.append((name, value))
        )

    def _show(self, slot: str, _look: object) -> None:
        self.on_show()
        self.slots.append(slot)

    def wait(self) -> None:
        assert self.looking.worker.wait(60)


def test_the_chosen_head_first_and_layers_in_the_order_of_the_grid(wanted):
    shown = Shown()
    shown.looking.ask(wanted)
    shown.wait()
    assert shown.slots == ["pattern", "receipt", "layer 2", "layer 0", "layer 1"]


def test_layers_in_sight_come_first(model):
    prompt = reference.random_prompt(30, 4, sv.Segmentation(SEGMENTS))
    session = sv.Session(model, prompt, max_new_tokens=0).wait(60)
    order: list[int] = []
    session.observe(
        lambda change: order.extend(
            number for number, look in change.new.items() if change.old.get(number) is not look
        ),
        "overview",
    )
    session.look_first(1, 2)
    session.view = "difference"
    session.wait(60)
    assert order == [1, 2, 0]


def test_a_newer_wish_overtakes_a_layer_that_is_being_computed(wanted, monkeypatch):
    """The layer ends within a block of rows, the new head is shown, and layers go on."""
    monkeypatch.setattr(patterns, "_BLOCK_ELEMENTS", 1)
    begun, go_on = threading.Event(), threading.Event()
    blocks, computed = [], summaries.seen_rows

    def held(*args):
        blocks.append(args)
        if len(blocks) == 3:
            begun.set()
            assert go_on.wait(60)
        return computed(*args)

    monkeypatch.setattr(summaries, "seen_rows", held)
    shown = Shown()
    read: list[int] = []
    shown.on_show = lambda: read.append(len(blocks))
    shown.looking.ask(wanted)
    assert begun.wait(60)
    assert shown.slots == ["pattern", "receipt"]
    # While a layer is being computed, nobody waits for the session: asking is at once, too.
    asking = threading.Thread(target=shown.looking.ask, args=[replace(wanted, head=2)])
    asking.start()
    asking.join(30)
    assert not asking.is_alive()
    go_on.set()
    shown.wait()
    assert shown.slots[2:] == ["pattern", "receipt", "layer 2", "layer 0", "layer 1"]
    assert read[2] == 3, "blocks of the layer that was read when the wish changed"
    assert not [value for name, value in shown.notices if name == "look_error" and value]


def test_the_flow_of_the_whole_model_can_be_overtaken(wanted, monkeypatch):
    cancel, layers, computed = threading.Event(), [], looker.flow

    def noted(layer, *args):
        layers.append(layer)
        if len(layers) == 2:
            cancel.set()
        return computed(layer, *args)

    monkeypatch.setattr(looker, "flow", noted)
    compared = replace(wanted, panels=frozenset({"compare"}))
    jobs = {job.slot: job for job in Looker().pending(compared, cancel)}
    with pytest.raises(summaries.LookCancelledError):
        jobs["flows"].compute()
    assert len(layers) == 2


def test_a_divergence_can_be_overtaken(wanted, monkeypatch):
    cancel, rows = threading.Event(), []
    compared = replace(wanted, panels=frozenset({"compare"}))
    jobs = {job.slot: job for job in Looker().pending(compared, cancel)}
    expected = jobs["parting"].compute().divergence
    monkeypatch.setattr("segviz.comparison._ROWS", 4)
    causal = wanted.traces["causal"]

    def noted(hidden):
        rows.append(len(hidden))
        if len(rows) == 3:
            cancel.set()
        return causal.output_head(hidden)

    traces = {**wanted.traces, "causal": replace(causal, output_head=noted)}
    jobs = {job.slot: job for job in Looker().pending(replace(compared, traces=traces), cancel)}
    with pytest.raises(summaries.LookCancelledError):
        jobs["parting"].compute()
    assert rows == [4, 4, 4]
    cancel.clear()
    np.testing.assert_allclose(jobs["parting"].compute().divergence, expected, atol=1e-6)


def test_another_view_and_head_read_no_layer_again(wanted, monkeypatch):
    mind = Looker()
    both = replace(wanted, panels=frozenset({"heads", "compare"}))
    first = {view: list(mind.looks(replace(both, view=view))) for view in ("segment", "causal")}
    assert len(first["causal"]) == 2 + 3  # pattern, receipt, and as many layers
    expected = sv.Comparison(**wanted.traces)

    def refused(*_args):
        raise AssertionError("a layer is read again")

    monkeypatch.setattr(looker, "overview", refused)
    monkeypatch.setattr(summaries.Differences, "overview", refused)
    looks = list(mind.looks(replace(wanted, view="difference")))
    layers = [look for look in looks if isinstance(look, LayerLook)]
    assert [look.layer for look in layers] == [2, 0, 1]
    for look in layers:
        np.testing.assert_array_equal(
            look.thumbnails, expected.layer_thumbnails(look.layer, looker.THUMBNAIL)
        )


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("merge", ["words", "segments"])
def test_a_large_pattern_is_merged_before_it_is_shown(wanted, merge, hidden, monkeypatch):
    monkeypatch.setattr(looker, "PICTURE", 16)
    shown = looker.pattern(replace(wanted, merge=merge, hide_first=hidden), "segment", 16)
    assert isinstance(shown.tiles, RememberedTiles)
    starts = group_starts(merge, shown.tiles.shape, shown.tokens, shown.segmentation)
    assert starts is not None
    rows, columns = (np.append(one, 30) for one in starts)
    factor = -(-len(starts[0]) // 16)
    fresh = wanted.traces["segment"].tiles(1, 4)
    expected = merged_tile(WithoutFirst(fresh) if hidden else fresh, rows, columns, factor)

    def refused(*_args):
        raise AssertionError("it is computed where everybody waits")

    monkeypatch.setattr(ComputedTiles, "merged", refused)
    tiles = WithoutFirst(shown.tiles) if hidden else shown.tiles
    got = merged_tile(tiles, rows, columns, factor)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)
