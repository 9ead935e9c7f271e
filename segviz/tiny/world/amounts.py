"""Amounts: who has the most, or the fewest. All facts have to be compared.

>>> from random import Random
>>> example = draw(Random(0))
>>> example.turns[0].user.split(". ")[-1].split()[:3] in (["Who", "has", "the"],)
True
"""

from __future__ import annotations

from random import Random

from segviz.tiny.world.chats import QUESTION_SYSTEM, Example, Turn, is_held_out
from segviz.tiny.world.words import GOODS, NAMES, NUMBERS

MOST_FACTS = 5
EXTREMES = {"most": max}


def fact(name: str, number: str, goods: str) -> str:
    """One sentence."""
    return f"{name} has {number} {goods}."


def question(extreme: str, goods: str) -> str:
    """The question that ends a user turn."""
    return f"Who has the {extreme} {goods}?"


def draw_chat(rng: Random, most_questions: int, *, held_out: bool = False) -> Example:
    """A chat with one question, or one for each extreme."""
    while True:
        count = rng.randint(2, MOST_FACTS)
        goods = rng.choice(GOODS)
        names = rng.sample(NAMES, count)
        owner = dict(zip(rng.sample(NUMBERS, count), names, strict=True))
        facts = " ".join(fact(name, number, goods) for number, name in owner.items())
        if is_held_out(facts) == held_out:
            break
    asked = rng.sample([*EXTREMES], rng.randint(1, min(most_questions, len(EXTREMES))))
    turns = [Turn(question(one, goods), owner[EXTREMES[one](owner, key=int)]) for one in asked]
    turns[0] = Turn(f"{facts} {turns[0].user}", turns[0].answer)
    return Example(QUESTION_SYSTEM, tuple(turns))


def draw(rng: Random) -> Example:
    """One held-out question."""
    return draw_chat(rng, 1, held_out=True)
