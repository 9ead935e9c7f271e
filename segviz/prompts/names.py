"""Names of schemes and presets: whether there is such a one, and which was meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def checked_name(name: str, known: Iterable[str], what: str) -> str:
    """A name that is known.

    >>> checked_name("alpaca", ["chat", "alpaca"], "scheme")
    'alpaca'

    Raises:
        ValueError: another name; the sentence tells those that are known, and which is close.
    """
    names = list(known)
    if name in names:
        return name
    close = get_close_matches(str(name), names, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    raise ValueError(
        f"{what}={name!r} is unknown; allowed are {', '.join(map(repr, names))}{meant}"
    )
