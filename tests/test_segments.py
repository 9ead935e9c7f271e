"""Segments and segmentations: edits keep a partition, inverse edits undo, slips are rejected."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segviz.segments import Segment, Segmentation

KINDS = st.sampled_from(["bidirectional", "causal"])


@st.composite
def segmentations(draw, min_segments=1, max_segments=6):
    lengths = draw(st.lists(st.integers(1, 5), min_size=min_segments, max_size=max_segments))
    start, segments = 0, []
    for length in lengths:
        name = draw(st.sampled_from(["system", "user", "assistant", ""]))
        segments.append(Segment(start, start + length, name, draw(KINDS)))
        start += length
    return Segmentation(segments)


CHAT = Segmentation(
    [Segment(0, 1, "bos", "causal"), Segment(1, 4, "system"), Segment(4, 9, "user")]
)


def spans(segmentation):
    return [(s.start, s.stop, s.name, s.attention) for s in segmentation.segments]


def is_partition(segmentation, length):
    covered = [p for s in segmentation.segments for p in range(s.start, s.stop)]
    return covered == list(range(length)) and all(s.length > 0 for s in segmentation.segments)


@given(segmentations(), st.data())
def test_every_edit_gives_a_partition_again(original, data):
    segmentation, length = original, original.length
    before = spans(original)
    for _ in range(5):
        edits = ["rename", "set_attention", "append"]
        inner = [p for p in range(length) if p and p not in segmentation.boundaries]
        edits += ["split"] * bool(inner) + ["merge", "move"] * bool(segmentation.boundaries)
        edit = data.draw(st.sampled_from(edits))
        index = data.draw(st.integers(0, len(segmentation.segments) - 1))
        boundary = min(index, max(len(segmentation.boundaries) - 1, 0))
        if edit == "split":
            segmentation = segmentation.split(data.draw(st.sampled_from(inner)))
        elif edit == "merge":
            segmentation = segmentation.merge(boundary)
        elif edit == "move":
            left, right = segmentation.segments[boundary : boundary + 2]
            position = data.draw(st.integers(left.start + 1, right.stop - 1))
            segmentation = segmentation.move_boundary(boundary, position)
            assert segmentation.boundaries[boundary] == position
        elif edit == "rename":
            segmentation = segmentation.rename(index, "other")
            assert segmentation.segments[index].name == "other"
        elif edit == "set_attention":
            segmentation = segmentation.set_attention(index, data.draw(KINDS))
        else:
            segmentation = segmentation.append(2, "response")
            length += 2
        assert is_partition(segmentation, length)
        assert segmentation.length == length
        assert segmentation.boundaries == tuple(s.start for s in segmentation.segments[1:])
    assert spans(original) == before


@given(segmentations(), st.data())
def test_merge_undoes_split(segmentation, data):
    inner = [p for p in range(1, segmentation.length) if p not in segmentation.boundaries]
    if inner:
        position = data.draw(st.sampled_from(inner))
        halves = segmentation.split(position)
        index = halves.boundaries.index(position)
        assert halves != segmentation
        assert halves.merge(index) == segmentation


@given(segmentations(min_segments=2), st.data())
def test_split_and_rename_undo_merge(segmentation, data):
    index = data.draw(st.integers(0, len(segmentation.boundaries) - 1))
    before, after = segmentation.segments[index : index + 2]
    merged = segmentation.merge(index)
    assert merged.segments[index] == Segment(
        before.start, after.stop, before.name, before.attention
    )
    again = merged.split(after.start).rename(index + 1, after.name)
    assert again.set_attention(index + 1, after.attention) == segmentation


@given(segmentations(min_segments=2), st.data())
def test_moving_a_boundary_back_undoes_the_move(segmentation, data):
    index = data.draw(st.integers(0, len(segmentation.boundaries) - 1))
    before, after = segmentation.segments[index : index + 2]
    position = data.draw(st.integers(before.start + 1, after.stop - 1))
    moved = segmentation.move_boundary(index, position)
    assert [s.name for s in moved.segments] == [s.name for s in segmentation.segments]
    assert moved.move_boundary(index, segmentation.boundaries[index]) == segmentation


@given(segmentations(), st.data())
def test_renaming_and_setting_attention_back(segmentation, data):
    index = data.draw(st.integers(0, len(segmentation.segments) - 1))
    segment = segmentation.segments[index]
    assert segmentation.rename(index, "other").rename(index, segment.name) == segmentation
    other = "causal" if segment.attention == "bidirectional" else "bidirectional"
    switched = segmentation.set_attention(index, other)
    assert switched != segmentation
    assert switched.set_attention(index, segment.attention) == segmentation


@given(segmentations())
def test_dicts_round_trip(segmentation):
    assert Segmentation.from_dict(segmentation.to_dict()) == segmentation
    assert hash(Segmentation.from_dict(segmentation.to_dict())) == hash(segmentation)


@given(segmentations())
def test_block_ids_and_at_agree_with_the_segments(segmentation):
    blocks = segmentation.block_ids()
    assert blocks.shape == (segmentation.length,)
    assert np.issubdtype(blocks.dtype, np.integer)
    for number, segment in enumerate(segmentation.segments):
        expected = number if segment.attention == "bidirectional" else -1
        for position in range(segment.start, segment.stop):
            assert blocks[position] == expected
            assert segmentation.at(position) == number


def test_split_names_the_halves_and_keeps_the_kind():
    assert spans(CHAT.set_attention(2, "causal").split(6))[2:] == [
        (4, 6, "user", "causal"),
        (6, 9, "user 2", "causal"),
    ]


def test_numpy_integers_are_positions():
    moved = CHAT.move_boundary(np.int64(1), np.int32(5))
    assert moved == CHAT.move_boundary(1, 5)
    assert type(moved.boundaries[1]) is int


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Segment(3, 3, "user"), ValueError, r"'user' spans \[3, 3\).*at least one token"),
        (lambda: Segment(-1, 3, "user"), ValueError, r"spans \[-1, 3\).*start at 0"),
        (lambda: Segment(0, 3, "user", "both"), ValueError, "'both'.*'bidirectional' and 'causal'"),
        (lambda: Segment(0, 3, 7), TypeError, "name is a string, not 7"),
        (lambda: Segment(0, 2.5, "user"), TypeError, r"stop is an integer, not 2\.5"),
        (
            lambda: Segment(start=False, stop=2, name="user"),
            TypeError,
            "start is an integer, not False",
        ),
        (lambda: Segmentation([]), ValueError, "at least one segment"),
        (lambda: Segmentation(["user"]), TypeError, "segment 0 is a str"),
        (
            lambda: Segmentation([Segment(0, 2, "a"), Segment(3, 4, "b")]),
            ValueError,
            "starts at 3, but the one before it ends at 2",
        ),
        (lambda: Segmentation([Segment(1, 2, "a")]), ValueError, "the first from 0"),
        (lambda: CHAT.move_boundary(1, 9), ValueError, "stays between 2 and 8"),
        (lambda: CHAT.move_boundary(1, 1), ValueError, "neither 'system' nor 'user' becomes empty"),
        (lambda: CHAT.move_boundary(2, 5), IndexError, "no boundary 2.*2 boundaries"),
        (lambda: CHAT.move_boundary(-1, 5), IndexError, "no boundary -1"),
        (lambda: CHAT.move_boundary(1, 5.0), TypeError, r"position is an integer, not 5\.0"),
        (lambda: CHAT.split(4), ValueError, "'user' already starts there"),
        (lambda: CHAT.split(9), ValueError, "between 1 and 8"),
        (lambda: CHAT.split(0), ValueError, "between 1 and 8"),
        (lambda: CHAT.merge(2), IndexError, "no boundary 2"),
        (lambda: CHAT.rename(3, "x"), IndexError, "no segment 3.*3 segments"),
        (lambda: CHAT.rename(0, None), TypeError, "name is a string"),
        (lambda: CHAT.set_attention(0, "full"), ValueError, "attention='full'"),
        (lambda: CHAT.append(0, "response"), ValueError, "at least one token"),
        (lambda: CHAT.at(9), IndexError, r"outside of \[0, 9\)"),
        (lambda: Segmentation.from_dict({}), ValueError, "described as"),
        (lambda: Segmentation.from_dict({"segments": [{"start": 0}]}), ValueError, "described as"),
        (
            lambda: Segmentation.from_dict({"segments": [{"start": 1, "stop": 2, "name": "a"}]}),
            ValueError,
            "the first from 0",
        ),
    ],
)
def test_slips_are_rejected(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_segmentations_do_not_change():
    with pytest.raises(AttributeError):
        CHAT.segments = ()
    with pytest.raises(AttributeError):
        CHAT.segments[0].stop = 5
