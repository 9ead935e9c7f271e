"""Examples: records encoded once, kept in three flat arrays."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset
from tqdm.auto import tqdm

from segviz.data import Encoded, Encoder, data_hash, read_records

_NAMED = 5
"""Over-long examples that a warning names."""


class Examples(Dataset[Encoded]):
    """Encoded records in few bytes, to be drawn from in any order.

    >>> one = Encoded((5, 6), np.array([-1, -1]), np.array([False, True]), 1)
    >>> examples = Examples([one, one])
    >>> len(examples), examples[1].token_ids, examples.lengths
    (2, (5, 6), [2, 2])

    Args:
        encoded: the records.
        fingerprint: a hash of what they were made of.
    """

    def __init__(self, encoded: Sequence[Encoded], fingerprint: str = "") -> None:
        self.fingerprint = fingerprint
        self.lengths = [len(one.token_ids) for one in encoded]
        self._stops = list(accumulate(self.lengths, initial=0))
        count = self._stops[-1]
        ids = chain.from_iterable(one.token_ids for one in encoded)
        self._ids = np.fromiter(ids, np.int32, count)
        self._blocks = _joined([one.block_ids for one in encoded], np.int32)
        self._scored = _joined([one.scored for one in encoded], np.bool_)
        self._prompts = [one.prompt_length for one in encoded]

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> Encoded:
        span = slice(self._stops[index], self._stops[index + 1])
        return Encoded(
            tuple(self._ids[span].tolist()),
            self._blocks[span],
            self._scored[span],
            self._prompts[index],
        )


def encoded_examples(
    source: str | Path | Iterable[Any],
    encoder: Encoder,
    limit: int | None,
    *,
    what: str = "examples",
    progress: bool = False,
    warn: bool = True,
) -> Examples:
    """Read and encode examples, and leave out those that are too long.

    Args:
        source: records, a file of them, or what an encoder made of them before.
        encoder: makes a record what the model reads.
        limit: the most tokens an example may have; None: any number.
        what: they are called in errors.
        progress: whether a bar is shown where this takes longer than a second.
        warn: whether a warning counts what is left out.

    Raises:
        ValueError: a record that cannot be encoded, with its number; no example that is short
            enough.
    """
    given: Any = source
    if isinstance(given, Sequence) and given and isinstance(given[0], Encoded):
        encoded, fingerprint = list(given), _hash_of(given)
    else:
        records = read_records(source)
        numbered = tqdm(
            enumerate(records, start=1),
            desc=f"encode {what}",
            total=len(records),
            disable=not progress,
            delay=1,
            leave=False,
        )
        encoded = [_encode(encoder, record, f"{what}, record {i}") for i, record in numbered]
        fingerprint = data_hash(records)
    lengths = [len(one.token_ids) for one in encoded]
    long = [i for i, length in enumerate(lengths, start=1) if limit and length > limit]
    if len(long) == len(lengths):
        raise ValueError(
            f"all {len(lengths)} {what} are longer than {limit} tokens (the shortest has "
            f"{min(lengths)}): give shorter ones, a larger max_length, or a model with more "
            "positions"
        )
    if long and warn:
        named = ", ".join(map(str, long[:_NAMED])) + (", …" if len(long) > _NAMED else "")
        warnings.warn(
            f"{len(long)} of {len(lengths)} {what} are longer than {limit} tokens and left out: "
            f"number {named}; the longest has {max(lengths)}. Nothing is ever cut: shorten them, "
            "or give a larger max_length",
            stacklevel=4,  # where finetune was called
        )
    kept = [one for one in encoded if not limit or len(one.token_ids) <= limit]
    return Examples(kept, fingerprint)


def _encode(encoder: Encoder, record: Any, where: str) -> Encoded:
    try:
        return encoder(record)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def _joined(arrays: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.asarray(one, dtype) for one in arrays])


def _hash_of(encoded: Iterable[Encoded]) -> str:
    rows: Iterator[Any] = (
        (one.token_ids, one.block_ids.tolist(), one.scored.tolist()) for one in encoded
    )
    return data_hash({"encoded": row} for row in rows)
