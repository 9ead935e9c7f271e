"""Answer parts: what an answer view takes, checked, and how the page gets it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from segviz.labels import is_special, readable

LIKELIEST = 10
"""Likely tokens kept in place of each token; further ones are left out."""
_LARGEST = 1.001
"""Rounding in float32 may lead a little beyond 1."""

Likely = Sequence[tuple[str, float]]
"""The likeliest tokens in one place, with their probabilities."""


def answer_to_json(answer: Mapping[str, Any], _widget: object) -> dict[str, Any]:
    """An answer as the page gets it: labels in place of tokens."""
    return {
        "labels": [readable(token) for token in answer["tokens"]],
        "special": [index for index, token in enumerate(answer["tokens"]) if is_special(token)],
        "state": answer["state"],
        "note": answer["note"],
    }


def checked_probabilities(given: Iterable[float], length: int) -> tuple[float, ...]:
    """Probabilities of the first tokens of an answer; NaN stands for unknown.

    >>> checked_probabilities([0.5, 1], length=3)
    (0.5, 1.0)

    Raises:
        ValueError: more than there are tokens, or a value that is no probability.
    """
    values = tuple(_probability(value, "probabilities") for value in given)
    if len(values) > length:
        raise ValueError(f"probabilities: {len(values)} for {length} tokens; give one per token")
    return values


def checked_top(given: Iterable[Iterable[tuple[str, float]]], length: int) -> tuple[Likely, ...]:
    """The likeliest tokens in place of the first tokens of an answer, the likeliest first.

    >>> checked_top([[(" Ben", 0.25), (" Kurt", 0.5)]], length=1)
    (((' Kurt', 0.5), (' Ben', 0.25)),)

    Raises:
        ValueError: more than there are tokens, or something else than (token, probability).
    """
    places = tuple(_checked_likely(place) for place in given)
    if len(places) > length:
        raise ValueError(f"top: {len(places)} for {length} tokens; give one list per token")
    return places


def _checked_likely(given: Iterable[Any]) -> Likely:
    likely = []
    for pair in given:
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str)):  # noqa: PLR2004 - a pair
            raise ValueError(f"top: {pair!r}; each is a pair of token text and probability")
        likely.append((pair[0], _probability(pair[1], "top")))
    return tuple(sorted(likely, key=lambda pair: -pair[1])[:LIKELIEST])


def _probability(value: Any, name: str) -> float:
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else -1.0
    if number < 0 or number > _LARGEST:
        raise ValueError(f"{name}: {value!r} is no probability; allowed are 0 to 1, NaN if unknown")
    return min(number, 1.0)


def likely_message(
    tokens: Sequence[str], probabilities: Sequence[float], top: Sequence[Likely]
) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Probabilities as the page gets them: every label once, and numbers that point at them.

    >>> content, arrays = likely_message([" Kurt"], [0.5], [[(" Kurt", 0.5), (" Ben", 0.25)]])
    >>> content["labels"], [array.tolist() for array in arrays]
    ([' Kurt', ' Ben'], [[0], [0.5], [[0, 1]], [[0.5, 0.25]]])

    Returns:
        ``{"labels", "special"}`` and the arrays: uint32 ``[token]``, the label of each token;
        float32 ``[token]``, its probability, NaN where unknown; uint32 ``[token, rank]``, labels
        of the likeliest tokens in its place; float32 ``[token, rank]``, their probabilities, NaN
        behind the last.
    """
    count = max(len(probabilities), len(top))
    numbers: dict[str, int] = {}

    def number(token: str) -> int:
        return numbers.setdefault(token, len(numbers))

    chosen = np.array([number(token) for token in tokens[:count]], np.uint32)
    own = np.full(count, np.nan, np.float32)
    own[: len(probabilities)] = probabilities
    ranks = max(map(len, top), default=0)
    tokens_there = np.zeros((count, ranks), np.uint32)
    there = np.full((count, ranks), np.nan, np.float32)
    for place, likely in enumerate(top):
        for rank, (token, probability) in enumerate(likely):
            tokens_there[place, rank] = number(token)
            there[place, rank] = probability
    content = {
        "labels": [readable(token) for token in numbers],
        "special": [index for token, index in numbers.items() if is_special(token)],
    }
    return content, [chosen, own, tokens_there, there]
