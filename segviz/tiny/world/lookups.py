"""Lookups: where a thing is, or whose it is. One fact answers the question, wherever it stands.

>>> from random import Random
>>> PLACES.fact.format("key", "hall"), PLACES.question.format("key")
('The key is in the hall.', 'Where is the key?')
>>> OWNERS.draw(Random(0)).turns[0].user.split(". ")[-1].startswith("Who owns the ")
True
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from segviz.tiny.world import words
from segviz.tiny.world.chats import QUESTION_SYSTEM, Example, Turn, is_held_out

MOST_FACTS = 6


@dataclass(frozen=True)
class Lookup:
    """A family: every fact gives a key its value, and the question names a key.

    Two keys may have one value.
    """

    keys: tuple[str, ...]
    values: tuple[str, ...]
    fact: str
    question: str

    def draw_chat(self, rng: Random, most_questions: int, *, held_out: bool = False) -> Example:
        """A chat with up to `most_questions` questions about the same facts."""
        while True:
            count = rng.randint(2, MOST_FACTS)
            keys, values = rng.sample(self.keys, count), rng.choices(self.values, k=count)
            pairs = list(zip(keys, values, strict=True))
            facts = " ".join(self.fact.format(*pair) for pair in pairs)
            if is_held_out(facts) == held_out:
                break
        asked = rng.choices(pairs, k=rng.randint(1, most_questions))
        turns = [Turn(self.question.format(key), value) for key, value in asked]
        turns[0] = Turn(f"{facts} {turns[0].user}", turns[0].answer)
        return Example(QUESTION_SYSTEM, tuple(turns))

    def draw(self, rng: Random) -> Example:
        """One held-out question."""
        return self.draw_chat(rng, 1, held_out=True)


PLACES = Lookup(words.THINGS, words.PLACES, "The {} is in the {}.", "Where is the {}?")
OWNERS = Lookup(words.THINGS, words.NAMES, "The {} belongs to {}.", "Who owns the {}?")
