"""The kernels and their choice, against attention with the dense mask in float64."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
import reference
import torch
from torch.nn.attention.bias import CausalBias
from torch.nn.functional import scaled_dot_product_attention

import segviz as sv
from segviz.attention import RowPlan, attend, row_blocks, row_plan
from segviz.hook import Activity
from segviz.masks import key_spans
from segviz.segments import AttentionKind

HEADS, KV_HEADS, HEAD_DIM, SCALE = 6, 2, 8, 0.7
TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 2e-2}


def segmentation(*parts: tuple[int, str]) -> sv.Segmentation:
    """Segments by length and kind, ``"b"`` or ``"c"``."""
    kinds: dict[str, AttentionKind] = {"b": "bidirectional", "c": "causal"}
    stops = np.cumsum([length for length, _ in parts]).tolist()
    return sv.Segmentation(
        sv.Segment(stop - length, stop, f"s{number}", kinds[kind])
        for number, ((length, kind), stop) in enumerate(zip(parts, stops, strict=True))
    )


def sentences(count: int) -> sv.Segmentation:
    """``count`` short bidirectional segments."""
    rng = random.Random(count)
    return segmentation(*((rng.randint(1, 4), "b") for _ in range(count)))


CHAT = segmentation((1, "c"), (150, "b"), (250, "b"), (30, "c"))
TURNS = segmentation((1, "c"), *[(70, "b"), (140, "c")] * 2, (9, "b"), (20, "b"), (30, "c"))
SEGMENTATIONS = {
    "chat": CHAT,
    "turns": TURNS,
    "sentences": sentences(300),
    "text": segmentation((300, "c")),
    "one": segmentation((233, "b")),
}


@cache
def dense_mask(segments: sv.Segmentation, window: int | None = None) -> np.ndarray:
    return reference.dense_mask(segments, segments.length, window)


def inputs(
    length: int, start: int, dtype: torch.dtype, batch: int = 1
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries, in memory row after row as models have them, and keys and values."""
    torch.manual_seed(length)
    query = torch.randn(batch, length - start, HEADS, HEAD_DIM).transpose(1, 2)
    key, value = torch.randn(2, batch, KV_HEADS, length, HEAD_DIM)
    return query.to(dtype), key.to(dtype), value.to(dtype)


def eager(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: np.ndarray
) -> torch.Tensor:
    """A softmax over all keys, in float64."""
    group = query.shape[1] // key.shape[1]
    key, value = (x.double().repeat_interleave(group, 1) for x in (key, value))
    scores = query.double() @ key.transpose(2, 3) * SCALE
    return scores.masked_fill(~torch.from_numpy(mask), -torch.inf).softmax(-1) @ value


def plan_for(
    segments: sv.Segmentation, start: int, window: int | None, device_type: str
) -> RowPlan:
    """The plan for a device, to be followed on the CPU."""
    blocks = row_blocks(segments, start, window=window, device_type=device_type)
    spans = torch.from_numpy(key_spans(segments.length, segments, window=window))
    return RowPlan(tuple(blocks), spans, windowed=window is not None)


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("device_type", ["cpu", "cuda"])
@pytest.mark.parametrize("window", [None, 5, 100])
@pytest.mark.parametrize("name", SEGMENTATIONS)
def test_equals_a_dense_mask(name, window, device_type, dtype) -> None:
    """From the first row on, and from a segment in the middle on: fewer rows than keys."""
    segments = SEGMENTATIONS[name]
    length = segments.length
    mask = dense_mask(segments, window)
    for start in {0, segments.segments[len(segments.segments) // 2].start}:
        query, key, value = inputs(length, start, dtype)
        plan = plan_for(segments, start, window, device_type)
        output = attend(query, key, value, plan, SCALE)
        assert output.dtype == dtype
        assert output.transpose(1, 2).is_contiguous(), "the layer would copy it"
        expected = eager(query, key, value, mask[start:])
        tolerance = TOLERANCES[dtype]
        torch.testing.assert_close(output.double(), expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("seed", range(20))
def test_equals_a_dense_mask_at_random(seed) -> None:
    rng = random.Random(seed)
    length = rng.randint(1, 200)
    segments = reference.random_segmentation(length, rng)
    start = rng.choice([0, *segments.boundaries])
    window = rng.choice([None, 1, 3, 40])
    query, key, value = inputs(length, start, torch.float32)
    mask = dense_mask(segments, window)[start:]
    plan = row_plan(segments, start, window, query.device)
    output = attend(query, key, value, plan, SCALE)
    expected = eager(query, key, value, mask).float()
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("device_type", ["cpu", "cuda"])
@pytest.mark.parametrize("window", [None, 60])
@pytest.mark.parametrize("name", SEGMENTATIONS)
def test_blocks_cover_the_rows_and_no_more_keys_than_they_see(name, window, device_type) -> None:
    segments = SEGMENTATIONS[name]
    mask = dense_mask(segments, window)
    blocks = row_blocks(segments, window=window, device_type=device_type)
    assert [b.start for b in blocks] == [0, *(b.stop for b in blocks[:-1])]
    assert blocks[-1].stop == segments.length
    for block in blocks:
        seen = np.flatnonzero(mask[block.start : block.stop].any(axis=0))
        assert (block.first_key, block.stop_key) == (seen[0], seen[-1] + 1)


def choice(segments: sv.Segmentation, **options) -> list[tuple[int, str]]:
    """Rows and kernel of every block."""
    return [(b.stop - b.start, b.kernel) for b in row_blocks(segments, **options)]


def test_the_choice_for_a_chat() -> None:
    assert choice(CHAT) == [(1, "full"), (150, "full"), (250, "full"), (30, "masked")]
    assert choice(CHAT, start=401) == [(30, "masked")]
    # A causal turn needs a mask on the CPU, in pieces; CUDA has a kernel for it.
    causal = segmentation((200, "b"), (300, "c"))
    assert choice(causal) == [(200, "full"), *[(150, "masked")] * 2]
    assert choice(CHAT, device_type="cuda")[-1] == (30, "causal")
    assert choice(causal, device_type="cuda") == [(200, "full"), (300, "causal")]


def test_the_choice_for_a_causal_prompt() -> None:
    """One call without a mask, as without segviz."""
    for device_type in ("cpu", "cuda"):
        for length in (2, 500):
            prompt = segmentation((length, "c"))
            assert choice(prompt, device_type=device_type) == [(length, "causal")]


def test_the_choice_for_300_short_segments() -> None:
    """A few calls with small masks, not one call per segment."""
    segments = sentences(300)
    count = -(-segments.length // 256)
    chosen = choice(segments)
    assert {kernel for _, kernel in chosen} == {"masked"}
    assert len(chosen) == count
    assert max(rows for rows, _ in chosen) - min(rows for rows, _ in chosen) <= 1
    assert choice(segments, device_type="cuda") == [(segments.length, "masked")]


def test_the_choice_for_a_window() -> None:
    """The first rows see no edge of it; of a segment's rows, those behind it all see the same."""
    blocks = row_blocks(segmentation((100, "c"), (300, "b"), (250, "c")), window=80)
    assert [(b.start, b.stop, b.first_key, b.stop_key, b.kernel) for b in blocks] == [
        (0, 80, 0, 80, "causal"),
        (80, 179, 1, 400, "masked"),
        (179, 400, 100, 400, "full"),
        (400, 650, 321, 650, "masked"),
    ]


def test_long_segments_are_never_joined() -> None:
    segments = segmentation((5, "b"), (64, "b"), (5, "b"), (6, "b"), (64, "b"))
    assert choice(segments) == [(5, "full"), (64, "full"), (11, "masked"), (64, "full")]
    assert choice(segments, device_type="cuda") == [(144, "masked")]


def test_rows_from_inside_a_segment() -> None:
    segments = segmentation((10, "c"), (10, "b"))
    assert choice(segments, start=4) == [(16, "masked")]
    assert choice(segments, start=19) == [(1, "full")], "the last row, computed again"
    with pytest.raises(ValueError, match="row 15 lies inside the bidirectional segment"):
        row_blocks(segments, 15)


class OnCuda(torch.Tensor):
    """Says that it is on a GPU."""

    is_cuda = True  # type: ignore[reportAssignmentType]


@pytest.mark.parametrize("flash", [True, False])
def test_no_grouped_call_falls_to_the_math_kernel_on_cuda(flash, monkeypatch) -> None:
    """Only flash attention knows grouped queries, and it takes no mask."""
    calls = []

    def record(query, key, value, *, attn_mask, enable_gqa, **_options) -> torch.Tensor:
        masked = attn_mask is not None and not isinstance(attn_mask, CausalBias)
        calls.append((masked, enable_gqa, key.shape[1], value.shape[1]))
        return query

    monkeypatch.setattr("segviz.attention.scaled_dot_product_attention", record)
    monkeypatch.setattr("segviz.attention.can_use_flash_attention", lambda _parameters: flash)
    segments = segmentation((200, "b"), (300, "c"), (3, "b"), (4, "b"))
    query = torch.empty(1, HEADS, segments.length, HEAD_DIM).as_subclass(OnCuda)
    key = torch.empty(1, KV_HEADS, segments.length, HEAD_DIM).as_subclass(OnCuda)
    attend(query, key, key, plan_for(segments, 0, None, "cuda"))
    repeated, grouped = (False, HEADS, HEADS), (True, KV_HEADS, KV_HEADS)
    maskless = grouped if flash else repeated
    assert calls == [(False, *maskless), (False, *maskless), (True, *repeated)]


@pytest.mark.parametrize("known", [True, False])
def test_no_grouped_call_falls_to_the_math_kernel_on_a_cpu(known, monkeypatch) -> None:
    """Before torch 2.9 its fast kernel took no grouped queries."""
    grouped = []

    def record(*args, enable_gqa, **options) -> torch.Tensor:
        grouped.append(enable_gqa)
        return scaled_dot_product_attention(*args, enable_gqa=enable_gqa, **options)

    monkeypatch.setattr("segviz.attention.scaled_dot_product_attention", record)
    monkeypatch.setattr("segviz.attention._CPU_KNOWS_GROUPS", known)
    query, key, value = inputs(CHAT.length, 0, torch.float32)
    output = attend(query, key, value, plan_for(CHAT, 0, None, "cpu"), SCALE)
    assert set(grouped) == {known}
    expected = eager(query, key, value, dense_mask(CHAT, None))
    torch.testing.assert_close(output.double(), expected, atol=1e-5, rtol=1e-5)


def activity(segments: sv.Segmentation) -> tuple[Activity, list[torch.Tensor]]:
    """What a run follows, and the queries it has seen."""
    seen: list[torch.Tensor] = []
    return Activity(segments, lambda *args: seen.append(args[2]), lambda *_: None), seen


def test_a_plan_serves_all_layers_of_a_window(monkeypatch) -> None:
    plans = []

    def planned(*args) -> RowPlan:
        plans.append(args[2])
        return row_plan(*args)

    monkeypatch.setattr("segviz.hook.row_plan", planned)
    run, _ = activity(CHAT)
    query, key, value = inputs(CHAT.length, 0, torch.float32)
    # The last window is longer than the prompt, and so none.
    windows = [None, 50, None, 50, 1000]
    for layer, window in enumerate(windows):
        output = run.attend(layer, query, key, value, SCALE, window)
        shown = None if window == 1000 else window
        expected = eager(query, key, value, dense_mask(CHAT, shown))
        torch.testing.assert_close(output.double(), expected, atol=1e-5, rtol=1e-5)
    assert plans == [None, 50]


@pytest.mark.parametrize("window", [None, 4, 9, 100])
@pytest.mark.parametrize("behind", [0, 1, 5])
def test_decoded_rows_come_in_a_batch(behind, window) -> None:
    """Row ``behind`` after the last one of the prompt, two sequences at once."""
    prompt = segmentation((3, "c"), (6, "b"), (7, "b"))
    length = prompt.length + behind
    run, seen = activity(prompt)
    query, key, value = inputs(length, length - 1, torch.float32, batch=2)
    output = run.attend(0, query, key, value, SCALE, window)
    whole = prompt if behind == 0 else prompt.append(behind, "response")
    mask = dense_mask(whole, window)[-1:]
    expected = eager(query, key, value, mask).float()
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)
    assert seen[0] is query


def test_a_pass_that_ends_inside_the_prompt_is_refused() -> None:
    run, _ = activity(segmentation((10, "b")))
    query, key, value = inputs(6, 0, torch.float32)
    with pytest.raises(RuntimeError, match="rows 0 to 5 in one pass; .* up to its end, at 10"):
        run.attend(0, query, key, value, SCALE, None)


@pytest.mark.parametrize("window", [None, 60])
def test_a_prefill_makes_no_mask_of_all_rows(window, monkeypatch) -> None:
    """What keeps memory linear in the length."""
    sizes = []
    mask = RowPlan.mask

    def measured(plan, block) -> torch.Tensor:
        made = mask(plan, block)
        sizes.append(made.shape)
        return made

    monkeypatch.setattr(RowPlan, "mask", measured)
    segments = segmentation(*[(7, "b")] * 150)
    query, key, value = inputs(segments.length, 0, torch.float32)
    attend(query, key, value, row_plan(segments, 0, window, query.device), SCALE)
    assert sum(rows for rows, _ in sizes) >= segments.length - 60
    assert max(rows for rows, _ in sizes) <= 256
    if window is not None:
        assert max(keys for _, keys in sizes) <= 256 + 60 + 7


def test_causal_segments_join_and_bidirectional_ones_stay_apart() -> None:
    segments = segmentation((70, "c"), (80, "c"), (90, "b"), (100, "b"))
    assert choice(segments) == [(150, "causal"), (90, "full"), (100, "full")]
