"""The world of the embedded models: families of questions about a few facts.

>>> from random import Random
>>> sorted(FAMILIES)
['amounts', 'chains', 'owners', 'places']
>>> [message["role"] for message in draw("places", Random(0)).record]
['system', 'user', 'assistant']

`chains` needs looking ahead, and is what a segment mask can help with; the others read differently.
Everything here is plain Python and follows from a `random.Random`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from segviz.tiny.world import amounts, chains, lookups
from segviz.tiny.world.chats import QUESTION_SYSTEM, Example, Turn

__all__ = ["FAMILIES", "QUESTION_SYSTEM", "Example", "Turn", "draw"]

FAMILIES: Mapping[str, Callable[[Random], Example]] = {
    "chains": chains.draw,
    "places": lookups.PLACES.draw,
    "owners": lookups.OWNERS.draw,
    "amounts": amounts.draw,
}
"""Each family's held-out questions."""


def draw(family: str, rng: Random) -> Example:
    """One question of a family, kept out of all training.

    Args:
        family: one of :data:`FAMILIES`.
        rng: decides everything.

    Raises:
        ValueError: an unknown family.
    """
    if family not in FAMILIES:
        raise ValueError(f"there is no family {family!r}; there are {', '.join(FAMILIES)}")
    return FAMILIES[family](rng)
