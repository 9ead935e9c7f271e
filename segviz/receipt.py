"""The receipt: proof that the mask was applied, and that captured attention is the layer's own.

That masked cells of a captured pattern are 0 holds by construction, since the pattern is computed
from queries and keys under the mask when somebody looks. What a run can prove is that this pattern
is the one its fast kernels used: a few query rows of it times the values have to give what the
layer put out at these rows. Another mask, or other queries and keys, give something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from segviz.masks import mask_tile
from segviz.patterns import CapturedLayer, row_slices, seen_rows
from segviz.segments import Segmentation

_SEGMENTS = 4
"""Bidirectional segments whose first row is sampled."""

_TOLERANCES = {torch.float32: 1e-4, torch.float64: 1e-4}
_HALF_TOLERANCE = 2e-2
"""Of bfloat16 and float16, in which the kernels round the output and, on some devices, more."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """How well the captured attention gives the outputs of the layers, at a few query rows.

    Args:
        rows: the query positions, all of the prompt.
        output_error: for every layer, the largest absolute error of any head at these rows,
            relative to the largest magnitude of the layer's output.
    """

    rows: tuple[int, ...]
    output_error: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class HeadCheck:
    """One head's receipt, in numbers.

    The output error is the evidence: it was measured during the run, against the kernel's own
    output, at a few rows of the prompt. The counts describe the captured pattern. Those of masked
    cells are 0 by construction, and a newly visible cell may be 0, too, where its probability is
    too small for float32.

    Args:
        masked: number of masked cells.
        masked_nonzero: how many of them are not exactly 0.
        added: number of cells that the mask adds to a causal one: later keys that are visible.
        added_nonzero: how many of them are above 0.
        output_error: of the layer, see :class:`Receipt`; None where it is not known, as in a trace
            from a file of an earlier version.
        tolerance: the output error that rounding explains: 1e-4 in float32, 2e-2 in bfloat16 and
            float16.
    """

    masked: int
    masked_nonzero: int
    added: int
    added_nonzero: int
    output_error: float | None
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether all is as it should be; without an output error there is no telling: False."""
        return (
            self.masked_nonzero == 0
            and (self.added == 0 or self.added_nonzero > 0)
            and self.output_error is not None
            and self.output_error <= self.tolerance
        )

    def __str__(self) -> str:
        """One line for people."""
        parts = [f"masked cells {self.masked_nonzero:,} of {self.masked:,} nonzero"]
        if self.added:
            parts.append(f"newly visible {self.added_nonzero:,} of {self.added:,} attended")
        if self.output_error is None:
            parts.append("layer output not checked")
        elif self.output_error <= self.tolerance:
            parts.append(f"layer output reproduced to {self.output_error:.0e}")
        else:
            parts.append(
                f"layer output NOT reproduced: off by {self.output_error:.0e}, "
                f"allowed {self.tolerance:.0e}"
            )
        return " · ".join(parts)


def sampled_rows(segmentation: Segmentation, start: int) -> list[int]:
    """The query rows that tell most of what a prefill from row ``start`` on has computed.

    >>> from segviz.segments import Segment
    >>> chat = Segmentation([Segment(0, 1, "bos", "causal"), Segment(1, 5, "system"),
    ...                      Segment(5, 12, "user"), Segment(12, 14, "assistant", "causal")])
    >>> sampled_rows(chat, 0), sampled_rows(chat, 5)
    ([0, 1, 5, 7, 13], [5, 9, 13])

    The first row of a bidirectional segment sees the most later keys; the first one of all sees
    the fewest keys, the last one the most; the one in the middle has both sides in a long segment.

    Args:
        segmentation: of the prompt.
        start: the first row that is computed.
    """
    stop = segmentation.length
    if start >= stop:
        return []
    bidirectional = [
        segment.start
        for segment in segmentation.segments
        if segment.attention == "bidirectional" and segment.start >= start
    ]
    return sorted({start, (start + stop) // 2, stop - 1, *bidirectional[:_SEGMENTS]})


def output_errors(
    layer: CapturedLayer,
    values: torch.Tensor,
    spans: np.ndarray,
    rows: list[int],
    output: torch.Tensor,
    largest: torch.Tensor,
) -> torch.Tensor:
    """How far captured attention times values is from what the layer put out.

    Args:
        layer: its captured queries and keys.
        values: ``[KV head, key, head_dim]``.
        spans: int ``[query, 2]``, the mask that should have been in force.
        rows: the query positions to look at.
        output: ``[query head, row, head_dim]``, the kernel's output at these rows.
        largest: the largest magnitude of the layer's whole output.

    Returns:
        float32 ``[row]``, relative to ``largest``, on the layer's device.
    """
    attention, keys = seen_rows(layer, spans, rows)
    grouped = attention.unflatten(0, (layer.kv_heads, -1))
    expected = torch.einsum("kgqn,knd->kgqd", grouped, values[:, keys].float()).flatten(0, 1)
    error = (expected - output.float()).abs().amax(dim=(0, 2))
    return error / largest.float().clamp(min=torch.finfo(torch.float32).tiny)


def receipt_of(layers: Sequence[CapturedLayer]) -> Receipt | None:
    """What the layers' output errors say together; None where one of them has none."""
    errors = [layer.output_errors for layer in layers]
    known = [one for one in errors if one]
    if len(known) < len(errors):
        return None
    # numpy's maximum passes a NaN on, which a layer that overflowed has.
    return Receipt(tuple(sorted(known[0])), tuple(float(np.max([*e.values()])) for e in known))


def head_check(layer: CapturedLayer, spans: np.ndarray, head: int) -> HeadCheck:
    """Count the cells of one head, block of rows by block of rows.

    Args:
        layer: where the head is.
        spans: int ``[query, 2]``, the mask that was in force.
        head: a query head.
    """
    visible = int((spans[:, 1] - spans[:, 0]).sum())
    added = int((spans[:, 1] - np.arange(layer.length) - 1).sum())
    alone = layer.only(head)
    counts = torch.zeros(3, dtype=torch.long, device=alone.computes_on)
    for rows in row_slices(alone):
        attention, keys = seen_rows(alone, spans, rows)
        attended = attention[0] != 0
        inside = torch.from_numpy(mask_tile(spans, rows, keys)).to(attended.device)
        later = attended[:, rows.start - keys.start :].triu(1)
        counts += torch.stack([x.count_nonzero() for x in (attended, attended & inside, later)])
    nonzero, seen, ahead = counts.tolist()
    errors = layer.output_errors
    return HeadCheck(
        masked=layer.length**2 - visible,
        masked_nonzero=nonzero - seen,
        added=added,
        added_nonzero=ahead,
        output_error=float(np.max([*errors.values()])) if errors else None,
        tolerance=_TOLERANCES.get(layer.queries.dtype, _HALF_TOLERANCE),
    )
