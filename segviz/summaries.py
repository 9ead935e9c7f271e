"""Summaries: what a layer's heads do at a glance, reduced on the model's device.

All of it goes through a few heads at a time, and through their attention in blocks of query rows
(:func:`segviz.patterns.row_slices`): whatever is read of a block is read while it is there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch

from segviz.patterns import CapturedLayer, row_slices, seen_rows, subtracted

SUMMARIES = ("forward mass", "entropy", "distance", "first-token mass")
"""The summaries of a head, in the order in which they are given."""


class LookCancelledError(Exception):
    """What was being computed is not wanted any more; nothing of it is kept."""


def summaries(layer: CapturedLayer, spans: np.ndarray) -> dict[str, np.ndarray]:
    """A few numbers for every head, each a mean over the query positions.

    Args:
        layer: where to look.
        spans: int ``[query, 2]``, the mask as :func:`segviz.masks.key_spans`.

    Returns:
        float32 ``[query head]`` by name, see :meth:`segviz.Trace.summaries`.
    """
    numbers = _Numbers(layer)
    _read(layer, spans, numbers)
    return numbers.result()


def thumbnails(layer: CapturedLayer, spans: np.ndarray, size: int) -> np.ndarray:
    """Every head's pattern, max-pooled to ``size`` × ``size``, in square-root scale.

    Returns:
        uint8 ``[query head, size, size]``; 255 is a probability of 1.
    """
    pictures = _Pictures(layer.heads, size, layer.length, layer.computes_on)
    _read(layer, spans, pictures)
    return pictures.result()


def overview(
    layer: CapturedLayer, spans: np.ndarray, size: int, cancel: threading.Event | None = None
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """:func:`thumbnails` and :func:`summaries` at once, which share the attention they read.

    Raises:
        LookCancelledError: ``cancel`` was set meanwhile.
    """
    numbers = _Numbers(layer)
    pictures = _Pictures(layer.heads, size, layer.length, layer.computes_on)
    _read(layer, spans, numbers, pictures, *_cancelled_by(cancel))
    return pictures.result(), numbers.result()


def flow(
    layer: CapturedLayer,
    spans: np.ndarray,
    stops: list[int],
    cancel: threading.Event | None = None,
) -> torch.Tensor:
    """Mean attention mass from query segment to key segment.

    Args:
        layer: where to look.
        spans: int ``[query, 2]``, the mask.
        stops: the position at which each segment ends.
        cancel: set it from another thread to give up.

    Returns:
        float32 ``[query head, query segment, key segment]``; a row sums to 1.

    Raises:
        LookCancelledError: ``cancel`` was set meanwhile.
    """
    masses = _Masses(layer, stops)
    _read(layer, spans, masses, *_cancelled_by(cancel))
    return masses.result()


class Differences:
    """All heads of one layer in two runs: the first minus the second.

    Args:
        layers: captured queries and keys of both, with as many heads and on any devices.
        spans: int ``[query, 2]`` of both, the masks.
        length: number of leading positions that both share.
    """

    def __init__(
        self,
        layers: tuple[CapturedLayer, CapturedLayer],
        spans: tuple[np.ndarray, np.ndarray],
        length: int,
    ) -> None:
        self._layers = layers
        self._spans = spans
        self._length = length

    def largest(self) -> np.ndarray:
        """The largest difference of any cell, float32 ``[query head]``, in [0, 1]."""
        extremes = _Extremes(self._layers[0])
        self._read(extremes)
        return extremes.result()

    def thumbnails(self, size: int) -> np.ndarray:
        """Every head's difference, pooled to ``size`` × ``size``, in square-root scale.

        Returns:
            uint8 ``[query head, size, size]``: 128 ± 127·sqrt(|d|), d that of the cell furthest
            from 0.
        """
        pictures = self._pictures(size)
        self._read(pictures)
        return pictures.result()

    def overview(
        self, size: int, cancel: threading.Event | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """:meth:`thumbnails` and :meth:`largest` at once.

        Raises:
            LookCancelledError: ``cancel`` was set meanwhile.
        """
        pictures, extremes = self._pictures(size), _Extremes(self._layers[0])
        self._read(pictures, extremes, *_cancelled_by(cancel))
        return pictures.result(), extremes.result()

    def _pictures(self, size: int) -> _SignedPictures:
        layer = self._layers[0]
        return _SignedPictures(layer.heads, size, self._length, layer.computes_on)

    def _read(self, *readers: _Reader) -> None:
        for heads, parts in self._parts():
            for rows in row_slices(parts[0], slice(0, self._length)):
                first, second = (
                    seen_rows(part, spans, rows)
                    for part, spans in zip(parts, self._spans, strict=True)
                )
                difference, keys = subtracted(first, second)
                for reader in readers:
                    reader.take(difference, heads, rows, keys)

    def _parts(self) -> Iterator[tuple[slice, tuple[CapturedLayer, CapturedLayer]]]:
        one, other = self._layers
        if one.kv_heads == other.kv_heads:
            count = min(one.kv_heads_at_a_time, other.kv_heads_at_a_time)
            pairs = zip(one.parts(count), other.parts(count), strict=True)
        else:
            # Groups that are not the same: all heads at once.
            pairs = zip(one.parts(one.kv_heads), other.parts(other.kv_heads), strict=True)
        for (heads, part), (_heads, opposite) in pairs:
            yield heads, (part, opposite)


class _Reader(Protocol):
    """What gathers something of blocks of query rows."""

    def take(self, block: torch.Tensor, heads: slice, rows: slice, keys: slice) -> None:
        """Read a block.

        Args:
            block: float32 ``[query head, row, key]``.
            heads: the query heads of the block.
            rows: its query positions.
            keys: its key positions.
        """
        ...


def _read(layer: CapturedLayer, spans: np.ndarray, *readers: _Reader) -> None:
    """Show the attention of all heads to the readers, block by block."""
    for heads, part in layer.parts():
        for rows in row_slices(part):
            attention, keys = seen_rows(part, spans, rows)
            for reader in readers:
                reader.take(attention, heads, rows, keys)


class _Cancelled:
    """Ends the reading once an event is set."""

    def __init__(self, cancel: threading.Event) -> None:
        self._cancel = cancel

    def take(self, block: torch.Tensor, heads: slice, rows: slice, keys: slice) -> None:  # noqa: ARG002 (a reader's)
        if self._cancel.is_set():
            raise LookCancelledError("this is not looked at any more")


def _cancelled_by(cancel: threading.Event | None) -> list[_Cancelled]:
    return [] if cancel is None else [_Cancelled(cancel)]


class _Numbers:
    """Sums up the summaries."""

    def __init__(self, layer: CapturedLayer) -> None:
        self._length = layer.length
        self._totals = torch.zeros(layer.heads, len(SUMMARIES), device=layer.computes_on)

    def take(self, block: torch.Tensor, heads: slice, rows: slice, keys: slice) -> None:
        # Positions are counted from the block's first query: small numbers lose no digits.
        places = torch.arange(keys.start, keys.stop, device=block.device) - rows.start
        ahead = places >= rows.stop - rows.start
        sums = block @ torch.stack([places, ahead, places * ahead]).float().T
        start, stop = rows.start - keys.start, rows.stop - keys.start
        queries = places[start:stop].float()
        # Keys behind all of the block's queries are ahead of each; of the others some are.
        near = block[:, :, start:stop].triu(1)
        forward = sums[:, :, 1] + near.sum(dim=2)
        forward_places = sums[:, :, 2] + near @ queries
        # Σ|q - k| = Σ(q - k), and twice what later keys have taken away from it.
        distance = queries - sums[:, :, 0] + 2 * (forward_places - forward * queries)
        # A probability of 0 adds 0, and not 0 times the logarithm of 0.
        logarithms = block.clamp(min=torch.finfo(block.dtype).tiny).log_()
        totals = self._totals[heads]
        totals[:, 0] += forward.sum(dim=1)
        totals[:, 1] -= logarithms.mul_(block).sum(dim=(1, 2))
        totals[:, 2] += distance.sum(dim=1)
        if keys.start == 0:
            totals[:, 3] += block[:, :, 0].sum(dim=1)

    def result(self) -> dict[str, np.ndarray]:
        means = (self._totals / self._length).cpu().numpy()
        return {name: means[:, column].copy() for column, name in enumerate(SUMMARIES)}


class _Masses:
    """Sums up the attention mass between segments."""

    def __init__(self, layer: CapturedLayer, stops: list[int]) -> None:
        device, lengths = layer.computes_on, np.diff(stops, prepend=0)
        self._stops = np.array(stops)
        self._lengths = torch.tensor(lengths, device=device)
        # Made here, since the device would have to be asked how long the result is.
        segment = torch.from_numpy(np.repeat(np.arange(len(stops)), lengths)).to(device)
        self._member = (segment[:, None] == torch.arange(len(stops), device=device)).float()
        self._mass = torch.zeros(layer.heads, len(stops), len(stops), device=device)

    def take(self, block: torch.Tensor, heads: slice, rows: slice, keys: slice) -> None:
        # Rows first: those of a block are of few segments, and few are left for the keys.
        first = int(np.searchsorted(self._stops, rows.start, side="right"))
        last = int(np.searchsorted(self._stops, rows.stop - 1, side="right"))
        own = slice(first, last + 1)
        by_segment = self._member[rows, own].T @ block
        self._mass[heads, own] += by_segment @ self._member[keys]

    def result(self) -> torch.Tensor:
        return self._mass / self._lengths[None, :, None]


class _Pictures:
    """Pools probabilities to pictures of ``size`` × ``size``."""

    def __init__(self, heads: int, size: int, length: int, device: torch.device) -> None:
        # Their lines are pooled, their columns are not yet.
        self._lines = torch.zeros(heads, size, length, device=device)

    def take(self, block: torch.Tensor, heads: slice, rows: slice, keys: slice) -> None:
        lines = self._lines[heads, :, keys]
        for line, part in _lines_of(rows, *self._lines.shape[1:]):
            torch.maximum(lines[:, line], block[:, part].amax(dim=1), out=lines[:, line])

    def result(self) -> np.ndarray:
        size = self._lines.shape[1]
        pictures = torch.nn.functional.adaptive_max_pool1d(self._lines, size)
        return pictures.sqrt_().mul_(255).round_().to(torch.uint8).cpu().numpy()


class _SignedPictures:
    """Pools differences to pictures of ``size`` × ``size``: what is furthest from 0."""

    def __init__(self, heads: int, size: int, length: int, device: torch.device) -> None:
        self._highest = torch.zeros(heads, size, length, device=device)
        self._lowest = torch.zeros_like(self._highest)

    def take(self, block: torch.Tensor, heads: slice, rows: slice, keys: slice) -> None:
        highest, lowest = self._highest[heads, :, keys], self._lowest[heads, :, keys]
        for line, part in _lines_of(rows, *self._highest.shape[1:]):
            own = block[:, part]
            torch.maximum(highest[:, line], own.amax(dim=1), out=highest[:, line])
            torch.minimum(lowest[:, line], own.amin(dim=1), out=lowest[:, line])

    def result(self) -> np.ndarray:
        size = self._highest.shape[1]
        up = torch.nn.functional.adaptive_max_pool1d(self._highest, size)
        down = torch.nn.functional.adaptive_max_pool1d(-self._lowest, size)
        signed = torch.where(up >= down, up.sqrt(), -down.sqrt())
        return signed.mul_(127).add_(128).round_().to(torch.uint8).cpu().numpy()


class _Extremes:
    """Finds the largest difference of every head, whatever its sign."""

    def __init__(self, layer: CapturedLayer) -> None:
        self._largest = torch.zeros(layer.heads, device=layer.computes_on)

    def take(self, block: torch.Tensor, heads: slice, rows: slice, keys: slice) -> None:  # noqa: ARG002 (a reader's)
        furthest = torch.maximum(block.amax(dim=(1, 2)), -block.amin(dim=(1, 2)))
        self._largest[heads] = torch.maximum(self._largest[heads], furthest)

    def result(self) -> np.ndarray:
        return self._largest.cpu().numpy()


def _lines_of(rows: slice, size: int, length: int) -> Iterator[tuple[int, slice]]:
    """The lines of a picture that some rows touch, each with its part of these rows."""
    for line in range(rows.start * size // length, min(size, -(-rows.stop * size // length))):
        # The bins of adaptive pooling; below `size` tokens several lines hold the same row.
        start, stop = line * length // size, -(-(line + 1) * length // size)
        yield line, slice(max(start - rows.start, 0), stop - rows.start)
