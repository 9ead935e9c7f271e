"""Names: what is written along a side of a figure, next to what it names, and never overlapping."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def spread(
    centers: Sequence[float], lengths: Sequence[float], low: float, high: float
) -> list[float]:
    """Where names come to lie: as close to where they belong as they can without overlapping.

    >>> spread([2, 10], [4, 4], 0, 20), spread([9, 10, 30], [4, 4, 4], 0, 32)
    ([2.0, 10.0], [7.5, 11.5, 30.0])

    Args:
        centers: where the middle of each belongs, in ascending order.
        lengths: of each, the distance to the next one included.
        low: where the first one may begin.
        high: where the last one has to end; all of them fit between.

    Returns:
        the middle of each.
    """
    if not len(centers):
        return []
    # How far the middles are from the first one's where all stand side by side.
    half = np.asarray(lengths, dtype=float) / 2
    packed = np.concatenate([[0.0], np.cumsum(half[:-1] + half[1:])])
    moved = _ascending(np.asarray(centers, dtype=float) - packed)
    inside = np.clip(moved, low + half[0], high - half[-1] - packed[-1])
    return (inside + packed).tolist()


def kept(widths: Sequence[float], lengths: Sequence[float], room: float) -> list[int]:
    """Which names there is room for along a side: those of what is longest.

    >>> kept([1, 30, 9], [10, 10, 10], room=25)
    [1, 2]

    Args:
        widths: of what they name.
        lengths: of the names.
        room: for all of them.

    Returns:
        their numbers, in ascending order.
    """
    chosen: list[int] = []
    used = 0.0
    for number in sorted(range(len(widths)), key=lambda one: (-widths[one], one)):
        if used + lengths[number] <= room:
            chosen.append(number)
            used += lengths[number]
    return sorted(chosen)


def round_positions(start: int, stop: int, most: int) -> list[int]:
    """Token positions that are round numbers, no more than so many.

    >>> round_positions(0, 500, 6), round_positions(37, 64, 4)
    ([0, 100, 200, 300, 400], [40, 50, 60])
    """
    least = max((stop - start) / max(most, 1), 1.0)
    power = 10 ** math.floor(math.log10(least))
    step = next(int(one * power) for one in (1, 2, 5, 10) if one * power >= least)
    return list(range(-(-start // step) * step, stop, step))


def _ascending(values: np.ndarray) -> np.ndarray:
    """The closest numbers that never descend: those that would become their common mean."""
    blocks: list[list[float]] = []
    for value in values:
        blocks.append([float(value), 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, count = blocks.pop()
            before, others = blocks.pop()
            total = count + others
            blocks.append([(mean * count + before * others) / total, total])
    return np.repeat([mean for mean, _ in blocks], [int(count) for _, count in blocks])
