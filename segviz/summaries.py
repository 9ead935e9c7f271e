"""Summaries: what a layer's heads do at a glance, reduced on the model's device.

All of it goes through blocks of query rows (:func:`segviz.patterns.row_slices`), and through each
of them once for all heads.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from segviz.patterns import CapturedLayer, row_slices, seen_rows

SUMMARIES = ("forward mass", "entropy", "distance", "first-token mass")
"""The summaries of a head, in the order in which they are given."""


def summaries(layer: CapturedLayer, spans: np.ndarray) -> dict[str, np.ndarray]:
    """A few numbers for every head, each a mean over the query positions.

    Args:
        layer: where to look.
        spans: int ``[query, 2]``, the mask as :func:`segviz.masks.key_spans`.

    Returns:
        float32 ``[query head]`` by name, see :meth:`segviz.Trace.summaries`.
    """
    layer = layer.prepared()
    totals = torch.zeros(layer.heads, len(SUMMARIES), device=layer.queries.device)
    for rows in row_slices(layer):
        attention, keys = seen_rows(layer, spans, rows)
        # Positions are counted from the block's first query: small numbers lose no digits.
        places = torch.arange(keys.start, keys.stop, device=attention.device) - rows.start
        queries = places[rows.start - keys.start : rows.stop - keys.start].float()
        later = attention[:, :, rows.start - keys.start :].triu(1)
        ahead = places[rows.start - keys.start :].float()
        forward = later.sum(dim=2)
        # Σ|q - k| = Σ(q - k), and twice what later keys have taken away from it.
        distance = queries - attention @ places.float() + 2 * (later @ ahead - forward * queries)
        totals[:, 0] += forward.sum(dim=1)
        totals[:, 1] += torch.special.entr(attention).sum(dim=(1, 2))
        totals[:, 2] += distance.sum(dim=1)
        if keys.start == 0:
            totals[:, 3] += attention[:, :, 0].sum(dim=1)
    means = (totals / layer.length).cpu().numpy()
    return {name: means[:, column].copy() for column, name in enumerate(SUMMARIES)}


def flow(layer: CapturedLayer, spans: np.ndarray, stops: list[int]) -> torch.Tensor:
    """Mean attention mass from query segment to key segment.

    Args:
        layer: where to look.
        spans: int ``[query, 2]``, the mask.
        stops: the position at which each segment ends.

    Returns:
        float32 ``[query head, query segment, key segment]``; a row sums to 1.
    """
    layer = layer.prepared()
    device = layer.queries.device
    lengths = torch.tensor(np.diff(stops, prepend=0), device=device)
    segment = torch.repeat_interleave(torch.arange(len(stops), device=device), lengths)
    member = torch.nn.functional.one_hot(segment, len(stops)).float()
    mass = torch.zeros(layer.heads, len(stops), len(stops), device=device)
    for rows in row_slices(layer):
        attention, keys = seen_rows(layer, spans, rows)
        mass += torch.einsum("qs,hqk->hsk", member[rows], attention @ member[keys])
    return mass / lengths[None, :, None]


def thumbnails(layer: CapturedLayer, spans: np.ndarray, size: int) -> np.ndarray:
    """Every head's pattern, max-pooled to ``size`` × ``size``, in square-root scale.

    Returns:
        uint8 ``[query head, size, size]``; 255 is a probability of 1.
    """
    layer = layer.prepared()
    lines = torch.zeros(layer.heads, size, layer.length, device=layer.queries.device)
    for rows in row_slices(layer):
        attention, keys = seen_rows(layer, spans, rows)
        _take_maxima(lines, attention, rows, keys)
    pictures = torch.nn.functional.adaptive_max_pool1d(lines, size)
    return pictures.sqrt_().mul_(255).round_().to(torch.uint8).cpu().numpy()


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
        self._layers = layers[0].prepared(), layers[1].prepared()
        self._spans = spans
        self._length = length

    def largest(self) -> np.ndarray:
        """The largest difference of any cell, float32 ``[query head]``, in [0, 1]."""
        layer = self._layers[0]
        largest = torch.zeros(layer.heads, device=layer.queries.device)
        for rows in self._blocks():
            largest = torch.maximum(largest, self._rows(rows)[0].abs().amax(dim=(1, 2)))
        return largest.cpu().numpy()

    def thumbnails(self, size: int) -> np.ndarray:
        """Every head's difference, pooled to ``size`` × ``size``, in square-root scale.

        Returns:
            uint8 ``[query head, size, size]``: 128 ± 127·sqrt(|d|), d that of the cell furthest
            from 0.
        """
        layer = self._layers[0]
        highest = torch.zeros(layer.heads, size, self._length, device=layer.queries.device)
        lowest = torch.zeros_like(highest)  # negated
        for rows in self._blocks():
            difference, keys = self._rows(rows)
            _take_maxima(highest, difference, rows, keys)
            _take_maxima(lowest, -difference, rows, keys)
        up, down = (torch.nn.functional.adaptive_max_pool1d(x, size) for x in (highest, lowest))
        signed = torch.where(up >= down, up.sqrt(), -down.sqrt())
        return signed.mul_(127).add_(128).round_().to(torch.uint8).cpu().numpy()

    def _blocks(self) -> Iterator[slice]:
        return row_slices(self._layers[0], slice(0, self._length))

    def _rows(self, rows: slice) -> tuple[torch.Tensor, slice]:
        """Float32 ``[query head, row, key]`` over the keys that a row sees in either run."""
        first, second = (
            seen_rows(layer, spans, rows)
            for layer, spans in zip(self._layers, self._spans, strict=True)
        )
        keys = slice(min(first[1].start, second[1].start), max(first[1].stop, second[1].stop))
        difference = _over(keys, *first).clone()
        own = slice(second[1].start - keys.start, second[1].stop - keys.start)
        difference[:, :, own] -= second[0].to(difference.device)
        return difference, keys


def _over(keys: slice, attention: torch.Tensor, seen: slice) -> torch.Tensor:
    """Attention on the keys ``seen`` as attention on ``keys``, which hold them."""
    return torch.nn.functional.pad(attention, (seen.start - keys.start, keys.stop - seen.stop))


def _take_maxima(lines: torch.Tensor, block: torch.Tensor, rows: slice, keys: slice) -> None:
    """Raise the ``lines`` of a picture to the largest values of a block of query rows.

    Args:
        lines: ``[query head, line, key]``, the picture before its columns are pooled.
        block: ``[query head, row, key]``.
        rows: the query positions of the block.
        keys: its key positions.
    """
    size, length = lines.shape[1:]
    for line in range(rows.start * size // length, min(size, -(-rows.stop * size // length))):
        # The bins of adaptive pooling; below `size` tokens several lines hold the same row.
        start, stop = line * length // size, -(-(line + 1) * length // size)
        part = block[:, max(start - rows.start, 0) : stop - rows.start].amax(dim=1)
        lines[:, line, keys] = torch.maximum(lines[:, line, keys], part)
