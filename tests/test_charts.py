"""Charts: what is shown under sliding windows, and what cannot be drawn."""

from __future__ import annotations

import numpy as np
import pytest
import reference

import segviz as sv
from segviz import charts
from segviz.charts import Look

CHAT = (
    sv.Segment(0, 2, "bos", "causal"),
    sv.Segment(2, 9, "system"),
    sv.Segment(9, 20, "user"),
    sv.Segment(20, 23, "assistant", "causal"),
)


@pytest.fixture(scope="module")
def windowed() -> sv.Comparison:
    """The first layer sees everything, the second one a window of 5 tokens."""
    model = sv.Model(reference.make("qwen2-windowed"), reference.tokenizer())
    return sv.compare(model, reference.random_prompt(23, 1, sv.Segmentation(CHAT)), 4)


@pytest.mark.parametrize("layer", [0, 1, -1, None])
def test_flow_is_empty_where_no_cell_of_two_segments_is_visible(windowed, layer) -> None:
    trace = windowed.segment
    segments = trace.segmentation.segments
    layers = range(2) if layer is None else [layer]
    expected = np.array(
        [
            [any(trace.mask(i)[q.start : q.stop, k.start : k.stop].any() for i in layers)
             for k in segments]
            for q in segments
        ]
    )  # fmt: skip
    values = charts.flow(trace, layer).values[0]
    assert (np.isfinite(values) == expected).all()
    np.testing.assert_allclose(np.nansum(values, axis=1), 1, atol=1e-5)
    # What a window hides lies below the diagonal, what a mask hides above it.
    assert np.isnan(np.tril(values)).any() == (layer in (1, -1))


def test_a_difference_of_flows_is_empty_where_both_are(windowed) -> None:
    causal, segment, change = charts.flow(windowed, 1).values
    assert (np.isnan(change) == (np.isnan(causal) & np.isnan(segment))).all()
    assert np.isnan(change[2, 0])
    assert change[1, 1] == pytest.approx(segment[1, 1] - causal[1, 1])


@pytest.mark.parametrize("kind", ["tokens", "arcs"])
def test_kinds_of_one_run_refuse_a_comparison(windowed, kind) -> None:
    with pytest.raises(TypeError, match=r"give one, comparison\.segment or \.causal"):
        getattr(charts, kind)(windowed, 0, 0)
    with pytest.raises(TypeError, match=r"comparison\.segment or \.causal"):
        charts.mask(windowed, 0)


def test_other_things_have_no_attention(windowed) -> None:
    cut = windowed.segment.segmentation
    for draw in (
        lambda: charts.attention(cut, 0, 0),
        lambda: charts.heads(cut),
        lambda: charts.flow(cut),
        lambda: charts.tokens(cut),
        lambda: charts.arcs(cut, 0, 0),
    ):
        with pytest.raises(TypeError, match=r"a Trace or a Comparison, .* was a Segmentation"):
            draw()
    with pytest.raises(TypeError, match=r"two runs, and given was one: sv\.compare"):
        charts.comparison(windowed.segment, 0, 0)


@pytest.mark.parametrize("layer", [None, 1.5, np.array(0.5)])
def test_what_is_no_layer(windowed, layer) -> None:
    with pytest.raises(TypeError, match="a layer is an integer"):
        charts.attention(windowed, layer, 0)


def test_a_layer_from_numpy(windowed) -> None:
    chart = charts.attention(windowed.segment, np.array(1), np.array([3, -1]))
    assert [panel.title for panel in chart.panels[0]] == ["Layer 1, head 3", "Layer 1, head 5"]


def test_positions_to_mark_are_several(windowed) -> None:
    with pytest.raises(TypeError, match=r"for one, highlight=\[5\]"):
        charts.attention(windowed.segment, 0, 0, Look(highlight=5))  # type: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"for one, highlight=\[5\]"):
        charts.mask(windowed.segment, 0, highlight=5)  # type: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="least='a'; it is a probability"):
        charts.arcs(windowed.segment, 0, 0, least="a")  # type: ignore[reportArgumentType]
