"""Every number of the training script in one place.

>>> from segviz.tiny.recipe import Recipe
>>> [stage.name for stage in Recipe().stages]
['one link', 'two links', 'all']
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mixture:
    """Relative weights of the kinds of examples, and the longest chain among the questions."""

    longest: int
    chains: float = 1.0  # chains of any lengths up to `longest`
    two_chains: float = 0.0  # two chains of `longest` links
    repeat: float = 0.0  # warm-ups
    reorder: float = 0.0
    most_questions: int = 4
    most_facts: int = 12


@dataclass(frozen=True)
class Stage:
    """A step of the curriculum: it ends when questions of `links` links reach the accuracy.

    A step count alone would not do: how long the model sits on its first plateau varies from seed
    to seed.
    """

    name: str
    mixture: Mixture
    links: int
    accuracy: float
    most_steps: int
    hint: float = 0.0  # weight of the hints, see `hints`


@dataclass(frozen=True)
class Shape:
    """The size of the Llama."""

    layers: int = 3
    hidden: int = 64
    query_heads: int = 4
    kv_heads: int = 2
    head_size: int = 32
    feed_forward: int = 128
    rope_theta: float = 10_000.0
    initial_deviation: float = 0.1


@dataclass(frozen=True)
class Lora:
    """The tuning, the same for either mask."""

    rank: int = 32
    alpha: int = 64
    steps: int = 2000
    rate: float = 4e-3
    mixture: Mixture = field(default_factory=lambda: ALL)


ONE_LINK = Mixture(longest=1, repeat=0.1, reorder=0.4, most_facts=4)
TWO_LINKS = Mixture(longest=2, repeat=0.1, reorder=0.2)
ALL = Mixture(longest=4, chains=0.6, two_chains=0.3, repeat=0.03, reorder=0.07)


# Why the last gate asks for two links: at the full learning rate a causal model wanders between 0.4
# and 0.6 on three links, and only the falling rate behind the gate brings more.


@dataclass(frozen=True)
class Recipe:
    """How the three checkpoints are made."""

    shape: Shape = field(default_factory=Shape)
    batch: int = 32
    stages: tuple[Stage, ...] = (
        Stage("one link", ONE_LINK, links=1, accuracy=0.95, most_steps=4000, hint=1.0),
        Stage("two links", TWO_LINKS, links=2, accuracy=0.9, most_steps=4000, hint=1.0),
        Stage("all", ALL, links=2, accuracy=0.85, most_steps=4000, hint=1.0),
    )
    final_steps: int = 2500  # with a falling learning rate, behind the last gate
    warmup_steps: int = 50
    muon_rate: float = 0.015
    adam_rate: float = 4e-3
    gate_every: int = 100
    gate_questions: int = 256
    measured_prompts: int = 1000
    lora: Lora = field(default_factory=Lora)
