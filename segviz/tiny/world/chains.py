"""Chains: who follows whom, and who leads.

>>> from segviz.tiny.world.chains import Fact, leader
>>> facts = [Fact("Ben", "Carl"), Fact("Anna", "Ben")]
>>> " ".join(map(str, facts))
'Ben follows Carl. Anna follows Ben.'
>>> leader(facts, "Anna")
'Carl'

A *link* is one fact on the way from a name to its leader. A link points *forward* when the next
fact that is needed stands later in the text than the fact that points to it. Under a causal mask
a fact cannot look at a later one, so forward links are what a segment mask can help with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from segviz.tiny.world.chats import QUESTION_SYSTEM, Example, Turn, is_held_out
from segviz.tiny.world.words import NAMES

REPEAT_SYSTEM = "Repeat the facts."
REORDER_SYSTEM = "Repeat the facts in another order."
LONGEST_CHAIN = 4
MOST_NAMES = 12  # in one text


@dataclass(frozen=True)
class Fact:
    """One sentence; `Fact("Anna", "Ben")` reads "Anna follows Ben."."""

    follower: str
    leader: str

    def __str__(self) -> str:
        return f"{self.follower} follows {self.leader}."


@dataclass(frozen=True)
class Question:
    """One question about facts in text order.

    >>> question = Question((Fact("Ben", "Carl"), Fact("Anna", "Ben")), "Anna")
    >>> question.user, question.answer
    ('Ben follows Carl. Anna follows Ben. Who leads Anna?', 'Carl')
    >>> question.links, question.forward_links
    (2, 0)
    >>> question.boundaries
    (17,)
    """

    facts: tuple[Fact, ...]
    name: str

    @property
    def user(self) -> str:
        """The user turn."""
        return f"{facts_text(self.facts)} {question_text(self.name)}"

    @property
    def answer(self) -> str:
        """The name at the end of the chain."""
        return leader(self.facts, self.name)

    @property
    def links(self) -> int:
        """How many facts lead from the name to its leader."""
        return len(chain_positions(self.facts, self.name))

    @property
    def forward_links(self) -> int:
        """How many facts on the way point to a fact that stands later in the text."""
        positions = chain_positions(self.facts, self.name)
        return sum(later > earlier for earlier, later in pairwise(positions))

    @property
    def boundaries(self) -> tuple[int, ...]:
        """Character offsets in `user` exactly between two facts: behind a full stop.

        The space at such an offset belongs to the first token of the fact behind it.
        """
        offsets, offset = [], 0
        for fact in self.facts[:-1]:
            offset += len(str(fact))
            offsets.append(offset)
            offset += 1
        return tuple(offsets)

    @property
    def example(self) -> Example:
        """The question as a chat of one turn."""
        return Example(QUESTION_SYSTEM, (Turn(self.user, self.answer),))


def facts_text(facts: Sequence[Fact]) -> str:
    """Facts as one line of text."""
    return " ".join(map(str, facts))


def question_text(name: str) -> str:
    """The question that ends a user turn."""
    return f"Who leads {name}?"


def chain_positions(facts: Sequence[Fact], name: str) -> list[int]:
    """Positions, in `facts`, of the facts that lead from `name` to its leader.

    >>> chain_positions([Fact("Ben", "Carl"), Fact("Anna", "Ben")], "Anna")
    [1, 0]
    """
    position = {fact.follower: index for index, fact in enumerate(facts)}
    positions: list[int] = []
    while name in position:
        positions.append(position[name])
        name = facts[positions[-1]].leader
    return positions


def leader(facts: Sequence[Fact], name: str) -> str:
    """The name at the end of the chain that starts at `name`."""
    positions = chain_positions(facts, name)
    if not positions:
        message = f"{name} follows nobody in: {facts_text(facts)}"
        raise ValueError(message)
    return facts[positions[-1]].leader


def draw_lengths(rng: Random, longest: int, most_facts: int = MOST_NAMES) -> list[int]:
    """Links of each chain in one text: at least two facts, and at most `MOST_NAMES` names."""
    lengths = [rng.randint(1, longest)]
    while True:
        names_left = MOST_NAMES - sum(lengths) - len(lengths)
        room = min(longest, names_left - 1, most_facts - sum(lengths))
        if room < 1 or (sum(lengths) > 1 and rng.random() < 1 / 3):
            return lengths
        lengths.append(rng.randint(1, room))


def draw_facts(rng: Random, lengths: Sequence[int], *, held_out: bool = False) -> tuple[Fact, ...]:
    """Facts of disjoint chains of the given numbers of links, shuffled."""
    while True:
        names = iter(rng.sample(NAMES, sum(lengths) + len(lengths)))
        facts: list[Fact] = []
        for length in lengths:
            chain = [next(names) for _ in range(length + 1)]
            facts += [Fact(*pair) for pair in pairwise(chain)]
        rng.shuffle(facts)
        if is_held_out(facts_text(facts)) == held_out:
            return tuple(facts)


def draw_questions(rng: Random, facts: Sequence[Fact], most: int) -> Example:
    """A chat that asks up to `most` questions about the same facts.

    A name may be asked for twice: else the last answers could be had by elimination.
    """
    names = rng.choices([fact.follower for fact in facts], k=rng.randint(1, most))
    first = Question(tuple(facts), names[0])
    later = [Turn(question_text(name), leader(facts, name)) for name in names[1:]]
    return Example(QUESTION_SYSTEM, (Turn(first.user, first.answer), *later))


def draw_repeat(rng: Random, facts: Sequence[Fact]) -> Example:
    """A warm-up: say the facts again, in their order."""
    del rng  # the same signature as every other kind of example
    text = facts_text(facts)
    return Example(REPEAT_SYSTEM, (Turn(text, text),))


def draw_reorder(rng: Random, facts: Sequence[Fact]) -> Example:
    """A warm-up: say the facts again in another order, so that each name looks up its fact."""
    order = list(facts)
    rng.shuffle(order)
    return Example(REORDER_SYSTEM, (Turn(facts_text(facts), facts_text(order)),))


def draw_question(rng: Random, links: int, longest: int = LONGEST_CHAIN) -> Question:
    """One held-out question that needs exactly `links` links, in a text drawn as in training."""
    while True:
        lengths = draw_lengths(rng, longest)
        if max(lengths) >= links:
            break
    facts = draw_facts(rng, lengths, held_out=True)
    names = [fact.follower for fact in facts if len(chain_positions(facts, fact.follower)) == links]
    return Question(facts, rng.choice(names))


def draw_two_chains(rng: Random, least_forward: int = 1) -> Question:
    """One held-out question at the start of one of two chains of three links.

    At least `least_forward` of the asked chain's links point forward. The bars are measured on
    these.
    """
    while True:
        facts = draw_facts(rng, (3, 3), held_out=True)
        heads = {fact.follower for fact in facts} - {fact.leader for fact in facts}
        question = Question(facts, rng.choice(sorted(heads)))
        if question.forward_links >= least_forward:
            return question


def draw(rng: Random) -> Example:
    """One held-out question at the start of one of two chains, as :func:`draw_two_chains`."""
    return draw_two_chains(rng).example


def draw_none_ahead(rng: Random) -> Question:
    """The same, with no link ahead: a causal mask hides nothing that is needed."""
    while True:
        question = draw_two_chains(rng, least_forward=0)
        if question.forward_links == 0:
            return question
