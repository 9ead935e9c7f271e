"""Checks: what a number has to be, asked for in one place and told in one sentence."""

from __future__ import annotations


def checked_index(index: int, count: int, what: str) -> int:
    """An index among ``count``, 0-based, negative ones counted from the end.

    >>> checked_index(-1, 3, "layer")
    2

    Raises:
        IndexError: no such index.
        TypeError: no integer.
    """
    try:
        return range(count)[index]
    except IndexError:
        raise IndexError(f"there is no {what} {index}: allowed are 0 to {count - 1}") from None
    except TypeError:
        raise TypeError(f"a {what} is an integer, not {index!r}") from None
