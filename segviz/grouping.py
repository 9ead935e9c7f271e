"""Grouping: tokens merged to words or to segments, and attention between such groups.

Tokens are the model's units and not the reader's: `` fol``, ``lows`` is one word, and of a long
prompt one asks first what its segments give to each other. A group is named by its first position.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

import numpy as np

from segviz.labels import is_special
from segviz.segments import Segmentation
from segviz.tiles import ArrayTiles, Tiles, merged_tile

Merge = Literal["tokens", "words", "segments"]
"""What a row and a column of a pattern is."""
MERGES: tuple[Merge, ...] = get_args(Merge)

_PIECE = re.compile(r"\[(\d+)/\d+\]$")
# Thai, Lao, Burmese, Khmer, Japanese and Chinese put no space between words; and their punctuation.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3001-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\uff01\uff0c\uff0e\uff1a\uff1b\uff1f\uff61-\uff9f"
    "\U00020000-\U0003ffff]"
)


def word_starts(tokens: Sequence[str], boundaries: Iterable[int] = ()) -> np.ndarray:
    r"""First position of each word: what white space divides, as a reader sees it.

    >>> word_starts(["<s>", "An", "na", " fol", "lows", ".", "\n", "\n", "Who"]).tolist()
    [0, 1, 3, 6, 8]
    >>> word_starts([" 😀[1/2]", "😀[2/2]", "北", "京", "，", "ok"]).tolist()
    [0, 2, 3, 5]

    A word takes in the punctuation behind it. Markers of the chat template, runs of white space,
    and the tokens of scripts that put no space between words stand alone; the pieces of a
    character that is made of several tokens stay together.

    Args:
        tokens: decoded tokens, as :attr:`segviz.Prompt.tokens` has them.
        boundaries: positions at which a word ends in any case: where segments begin.

    Returns:
        int ``[word]``, ascending, the first 0; empty without tokens.
    """
    cuts = set(boundaries) & set(range(len(tokens)))
    begins = [not at or _begins_word(tokens[at - 1], token) for at, token in enumerate(tokens)]
    return np.array([at for at, yes in enumerate(begins) if yes or at in cuts], dtype=int)


def segment_starts(segmentation: Segmentation) -> np.ndarray:
    """First position of each segment.

    >>> from segviz.segments import Segment
    >>> segment_starts(Segmentation([Segment(0, 2, "system"), Segment(2, 5, "user")]))
    array([0, 2])

    Returns:
        int ``[segment]``, ascending, the first 0.
    """
    return np.array([segment.start for segment in segmentation.segments], dtype=int)


def group_starts(
    merge: Merge, shape: tuple[int, int], tokens: Sequence[str], segmentation: Segmentation | None
) -> tuple[np.ndarray, np.ndarray] | None:
    """First positions of the words or segments, of the rows and of the columns.

    >>> rows, columns = group_starts("words", (3, 4), ["A", "nna", " fol", "lows"], None)
    >>> rows.tolist(), columns.tolist()
    ([1, 2], [0, 2])

    Returns:
        positions of the rows and of the columns, both counted in keys: fewer queries than keys are
        the last ones. None where there is nothing to merge, or what there is goes with another
        pattern.
    """
    keys = shape[1]
    if merge == "segments" and segmentation is not None and segmentation.length == keys:
        columns = segment_starts(segmentation)
    elif merge == "words" and len(tokens) == keys:
        columns = word_starts(tokens, segmentation.boundaries if segmentation else ())
    else:
        return None
    offset = max(0, keys - shape[0])
    return np.concatenate([[offset], columns[columns > offset]]), columns


def merged(
    values: np.ndarray, visible: np.ndarray, row_starts: np.ndarray, column_starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cells between groups: columns summed, rows averaged.

    Of an attention pattern this is the mass that a query of the row's group gives to the column's
    group, in the mean; a row still sums to 1. Differences merge to the difference of the masses.

    >>> values = np.array([[0.5, 0.5, 0.0], [0.25, 0.25, 0.5]])
    >>> mass, seen = merged(values, np.tri(2, 3, 1, dtype=bool), np.array([0]), np.array([0, 2]))
    >>> mass.tolist(), seen.tolist()
    ([[0.75, 0.25]], [[True, True]])

    Args:
        values: ``[query, key]``.
        visible: bool of the same shape; what is not visible counts as 0.
        row_starts: int ``[row]``, first query of each group, ascending from 0.
        column_starts: int ``[column]``, first key of each group, ascending from 0.

    Returns:
        float32 ``[row, column]``, and bool visibility: True where any cell of the group is.
    """
    shown = np.where(visible, values, 0).astype(np.float32)
    tiles = MergedTiles(ArrayTiles(shown, visible), row_starts, column_starts)
    rows, columns = (slice(0, side) for side in tiles.shape)
    return tiles.tile(rows, columns)


class MergedTiles:
    """Tiles (:class:`segviz.tiles.Tiles`) of groups, merged from the tiles of tokens on demand.

    >>> from segviz.tiles import ArrayTiles
    >>> tiles = MergedTiles(ArrayTiles(np.eye(5)), np.array([0, 2]), np.array([0, 2, 4]))
    >>> tiles.shape, tiles.tile(slice(0, 2), slice(0, 1))[0].tolist()
    ((2, 3), [[1.0], [0.0]])

    Args:
        tiles: ``[query, key]``; read a block of rows at a time, never as a whole where it is large.
        row_starts: int ``[row]``, first query of each group, ascending from 0.
        column_starts: int ``[column]``, first key of each group, ascending from 0.
    """

    def __init__(self, tiles: Tiles, row_starts: np.ndarray, column_starts: np.ndarray) -> None:
        queries, keys = tiles.shape
        self._tiles = tiles
        self._row_edges = np.append(row_starts, queries)
        self._column_edges = np.append(column_starts, keys)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of groups of queries and of keys."""
        return len(self._row_edges) - 1, len(self._column_edges) - 1

    def tile(self, rows: slice, columns: slice, factor: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """As in :class:`segviz.tiles.Tiles`, in groups."""
        rows, columns = (slice(part.start, part.stop + 1) for part in (rows, columns))
        return merged_tile(self._tiles, self._row_edges[rows], self._column_edges[columns], factor)


def _begins_word(before: str, token: str) -> bool:
    if _is_later_piece(before, token):
        return False
    before, token = _PIECE.sub("", before), _PIECE.sub("", token)
    if is_special(token) or is_special(before):
        return True
    if token[:1].isspace() or before[-1:].isspace():
        return not (token.isspace() and before.isspace())
    first, last = token[:1], before[-1:]
    if _UNSPACED.match(first):
        # A combining vowel or a sign that lengthens one belongs to the letter before it.
        return unicodedata.category(first) == "Lo"
    return first.isalnum() and _UNSPACED.match(last) is not None


def _is_later_piece(before: str, token: str) -> bool:
    """Whether a token goes on with a character that the token before it began."""
    number, last = _PIECE.search(token), _PIECE.search(before)
    return number is not None and last is not None and int(number[1]) == int(last[1]) + 1
