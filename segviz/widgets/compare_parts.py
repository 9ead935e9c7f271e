"""Compare parts: what the compare view works out from arrays and text before it shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segviz.labels import is_special, readable
from segviz.tiles import PANEL, ArrayTiles, Tiles, factor_for
from segviz.widgets import scale
from segviz.widgets.attention_parts import LIMIT, cell_value

FLOWS = ("head", "layer", "model")
Flow = tuple[np.ndarray, np.ndarray]
Likely = Sequence[tuple[str, float]]

SIDE = PANEL
"""Cells on a side of each of the three pictures; larger patterns are pooled to that. Even where
nothing is masked, a message with all three is below 1 MB."""

BARS = 8
"""Next tokens of each distribution that get a bar."""

LOOKS: tuple[scale.Scale, ...] = ("sqrt", "linear", "log")

NAMES = ("causal mask", "segment mask", "segment minus causal")

_KINDS: tuple[scale.Kind, ...] = ("sequential", "sequential", "diverging")


@dataclass(frozen=True, eq=False)
class Patterns:
    """One head under both masks: where its numbers are, and what of them is on show.

    Args:
        tiles: causal, segment, difference.
        read: values and visibility of each, ``[row, column]``, pooled.
        size: queries and keys on show; the last queries where there are fewer than keys.
        factor: cells on a side that became one.
    """

    tiles: tuple[Tiles, Tiles, Tiles]
    read: list[tuple[np.ndarray, np.ndarray]]
    size: tuple[int, int]
    factor: int

    @staticmethod
    def of(
        causal: np.ndarray | Tiles, segment: np.ndarray | Tiles, difference: np.ndarray | Tiles
    ) -> Patterns:
        """Read three arrays ``[query, key]``, as far as the difference goes.

        >>> large = np.eye(1000)
        >>> patterns = Patterns.of(large, large, large - large)
        >>> patterns.factor, patterns.read[0][0].shape
        (2, (500, 500))

        Raises:
            ValueError: arrays that do not go together, or NaN in a visible cell.
        """
        tiles = _tiles(causal), _tiles(segment), _tiles(difference)
        rows, keys = tiles[2].shape
        for name, one in (("causal", tiles[0]), ("segment", tiles[1])):
            own = one.shape
            if own[0] < rows or own[1] < keys or own[1] - own[0] != keys - rows:
                raise ValueError(
                    f"the {name} pattern is {own} and the difference {(rows, keys)}: each has to "
                    "cover the positions of the difference, from the same query on"
                )
        factor = factor_for((rows, keys), SIDE)
        read = [one.tile(slice(0, rows), slice(0, keys), factor) for one in tiles]
        if not all(np.isfinite(values).all() for values, _visible in read):
            raise ValueError("an array holds NaN or infinity in a cell that is not masked")
        return Patterns(tiles, read, (rows, keys), factor)

    @property
    def maxima(self) -> tuple[float, float, float]:
        """The ends of the colour scales; both masks share one, so that a colour is a number.

        >>> Patterns.of(np.full((2, 2), 0.25), np.eye(2), np.eye(2) - 0.25).maxima
        (1.0, 1.0, 0.75)
        """
        return self._ends(visible for _values, visible in self.read)

    def fine(self) -> list[np.ndarray]:
        """The cells of all three as bytes of :func:`segviz.widgets.scale.fine`."""
        return [
            scale.fine(*read, kind, maximum)[0]
            for read, kind, maximum in zip(self.read, _KINDS, self.maxima, strict=True)
        ]

    def shaded(self, look: scale.Scale, *, hide_first: bool = False) -> list[scale.Encoded]:
        """All three as colours, for a picture without a page.

        >>> eye = np.eye(2)
        >>> Patterns.of(eye, eye, eye - eye).shaded("log", hide_first=True)[0].data.tolist()
        [[0, 1], [0, 255]]

        Args:
            look: how a number becomes a colour.
            hide_first: leave the first column out.
        """
        visible = [one.copy() for _values, one in self.read]
        if hide_first:
            for one in visible:
                one[:, 0] = False
        encoded = []
        for (values, _), seen, kind, maximum in zip(
            self.read, visible, _KINDS, self._ends(visible), strict=True
        ):
            data, end = scale.shaded(values, seen, kind=kind, scale=look, maximum=maximum)
            encoded.append(scale.Encoded(data, kind, end, self.factor))
        return encoded

    def _ends(self, visible: Iterable[np.ndarray]) -> tuple[float, float, float]:
        causal, segment, difference = (
            float(np.abs(values).max(initial=0.0, where=seen))
            for (values, _), seen in zip(self.read, visible, strict=True)
        )
        return max(causal, segment), max(causal, segment), difference

    def detail(self, picture: int, rows: slice, columns: slice, factor: int) -> np.ndarray:
        """A part of one picture in closer detail, as bytes on the scale of the whole.

        >>> patterns = Patterns.of(np.eye(1000), np.eye(1000), np.zeros((1000, 1000)))
        >>> patterns.detail(0, slice(4, 6), slice(4, 7), 1).tolist()
        [[255, 1, 1], [1, 255, 1]]

        Args:
            picture: 0 to 2: causal, segment, difference.
            rows: query positions.
            columns: key positions.
            factor: cells on a side that become one.

        Raises:
            ValueError: a part outside, or one too large for a message.
        """
        if not self._holds(rows, columns):
            raise ValueError(
                f"there are no cells [{rows.start}:{rows.stop}, {columns.start}:{columns.stop}] "
                f"in a pattern of {self.size}"
            )
        height, width = (-(-(part.stop - part.start) // factor) for part in (rows, columns))
        if height * width > LIMIT:
            raise ValueError(f"a detail of {height} × {width} cells is too large")
        values, visible = self.tiles[picture].tile(rows, columns, factor)
        return scale.fine(values, visible, _KINDS[picture], self.maxima[picture])[0]

    def values(self, rows: slice, columns: slice) -> np.ndarray | None:
        """Exact numbers of a cell on show, NaN where masked.

        >>> eye = np.eye(2)
        >>> Patterns.of(eye, eye, eye - eye).values(slice(1, 2), slice(1, 2))
        array([1., 1., 0.], dtype=float32)

        Args:
            rows: query positions that the cell stands for.
            columns: key positions, likewise.

        Returns:
            float32: causal, segment, difference; each that of the position furthest from 0. None
            for a cell outside.
        """
        if not self._holds(rows, columns):
            return None
        found = (cell_value(one, rows, columns) for one in self.tiles)
        return np.array([np.nan if one is None else one for one in found], np.float32)

    def _holds(self, rows: slice, columns: slice) -> bool:
        """Whether these cells are among those on show."""
        sides = zip((rows, columns), self.size, strict=True)
        return all(0 <= part.start < part.stop <= side for part, side in sides)


def _tiles(array: np.ndarray | Tiles) -> Tiles:
    return ArrayTiles(array) if isinstance(array, np.ndarray) else array


def shared_flows(flows: Mapping[str, Flow], names: Sequence[str]) -> dict[str, Flow]:
    """Both flows over the segments that both have: one run may lack the response.

    Raises:
        ValueError: other keys, other shapes, or more segments than names and a response.
    """
    unknown = set(flows) - set(FLOWS)
    if unknown or not flows:
        raise ValueError(f"flows are given for {', '.join(FLOWS)}, not for {sorted(unknown)}")
    shared: dict[str, Flow] = {}
    for key, pair in flows.items():
        causal, segment = (np.asarray(one, dtype=np.float32) for one in pair)
        for one in (causal, segment):
            if one.ndim != 2 or one.shape[0] != one.shape[1]:  # noqa: PLR2004 - query and key
                raise ValueError(f"a flow is [segment, segment], not of shape {one.shape}")
        both = min(len(causal), len(segment))
        shared[key] = causal[:both, :both], segment[:both, :both]
    counts = {len(causal) for causal, _segment in shared.values()}
    if len(counts) > 1 or max(counts) > len(names) + 1:
        raise ValueError(
            f"the flows are between {', '.join(map(str, sorted(counts)))} segments, and the names "
            f"are {', '.join(names)}: each segment needs one, only the response may go without"
        )
    return shared


def moves(causal: np.ndarray, segment: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (query segment, key segment), that of the largest change first.

    >>> moves(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[0.9, 0.1], [0.1, 0.9]]))[:2]
    [(1, 0), (1, 1)]
    """
    change = np.abs(segment - causal)
    order = np.argsort(-change, axis=None, kind="stable")
    return [(int(at // change.shape[1]), int(at % change.shape[1])) for at in order]


def likely_rows(causal: Likely, segment: Likely, count: int = BARS) -> list[dict[str, Any]]:
    """The likeliest next tokens of both masks, those of the segment mask in order first.

    >>> for row in likely_rows([("a", 0.9), ("b", 0.1)], [("b", 0.7), ("c", 0.2)], count=1):
    ...     print(row["label"], row["causal"], row["segment"])
    b 0.1 0.7
    a 0.9 None

    Args:
        causal: (token, probability) under the causal mask, the most likely first.
        segment: the same under the segment mask.
        count: how many of each are listed; what the other mask gives these is looked up.

    Returns:
        dicts with ``label``, ``special``, and the probabilities ``causal`` and ``segment``; None
        where a list does not reach that far.
    """
    known = [_summed(causal), _summed(segment)]
    chosen = {token: None for one in reversed(known) for token in list(one)[:count]}

    def place(token: str) -> tuple[float, float]:
        return -known[1].get(token, 0.0), -known[0].get(token, 0.0)

    return [
        {
            "label": readable(token),
            "special": is_special(token),
            "causal": known[0].get(token),
            "segment": known[1].get(token),
        }
        for token in sorted(chosen, key=place)
    ]


def _summed(likely: Likely) -> dict[str, float]:
    """Probabilities by text: parts of one character, which read the same, count together."""
    summed: dict[str, float] = {}
    for token, probability in likely:
        summed[token] = summed.get(token, 0.0) + float(probability)
    return summed
