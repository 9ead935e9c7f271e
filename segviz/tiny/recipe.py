"""Every number of the training script in one place.

>>> from segviz.tiny.recipe import RECIPES
>>> [stage.name for stage in RECIPES["tiny-llama"].stages]
['one link', 'lookups', 'amounts', 'two links', 'all']
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mixture:
    """Relative weights of the kinds of examples, and the longest chain among the questions."""

    longest: int
    weights: Mapping[str, float]
    most_questions: int = 4
    most_facts: int = 12


@dataclass(frozen=True)
class Gate:
    """An accuracy to reach on held-out questions of a family; of chains, with so many links."""

    family: str
    accuracy: float
    links: int = 0

    def __str__(self) -> str:
        return f"{self.family} of {self.links}" if self.links else self.family


@dataclass(frozen=True)
class Stage:
    """A step of the curriculum, which ends when its gates are passed.

    A step count alone would not do: how long the model sits on its first plateau varies from seed
    to seed.
    """

    name: str
    mixture: Mixture
    gates: tuple[Gate, ...]
    most_steps: int = 4000
    hint: float = 1.0  # weight of the hints, see `hints`


@dataclass(frozen=True)
class Shape:
    """The size of a model."""

    layers: int = 3
    hidden: int = 64
    query_heads: int = 4
    kv_heads: int = 2
    head_size: int = 32
    feed_forward: int = 128
    rope_theta: float = 10_000.0
    initial_deviation: float = 0.1


@dataclass(frozen=True)
class Tuning:
    """The LoRA tuning, the same for either mask: arguments of `sv.finetune`."""

    rank: int = 32
    alpha: int = 64
    examples: int = 16_000
    steps: int = 2000
    batch_size: int = 32
    learning_rate: float = 4e-3
    warmup_steps: int = 50


# The kinds of examples. "chains" has chains of any lengths up to the longest, "two chains" two of
# exactly that; "repeat" and "reorder" are warm-ups. One family is learned after the other: all at
# once, none was in 1,300 steps.
LOOKUPS = {"places": 0.7, "owners": 0.7}
OTHERS = {"places": 0.2, "owners": 0.2, "amounts": 0.3}
ONE_LINK = Mixture(1, {"chains": 1.0, "repeat": 0.1, "reorder": 0.4}, most_facts=4)
WITH_LOOKUPS = Mixture(1, {"chains": 1.0, **LOOKUPS}, most_facts=4)
WITH_AMOUNTS = Mixture(
    1, {"chains": 0.6, "amounts": 1.0, "places": 0.3, "owners": 0.3}, most_facts=4
)
TWO_LINKS = Mixture(2, {"chains": 1.2, "repeat": 0.1, "reorder": 0.2, **OTHERS})
ALL = Mixture(4, {"chains": 0.6, "two chains": 0.3, "repeat": 0.03, "reorder": 0.07, **OTHERS})
QUESTIONS = Mixture(4, {"chains": 0.6, "two chains": 0.3, **OTHERS})
"""What the tuning is given: questions only."""


@dataclass(frozen=True)
class Recipe:
    """How a base and its two tuned versions are made."""

    architecture: str = "llama"
    shape: Shape = field(default_factory=Shape)
    batch: int = 32
    # Why the last gate asks for two links: at the full learning rate a causal model wanders between
    # 0.4 and 0.6 on three links, and only the falling rate behind the gate brings more.
    stages: tuple[Stage, ...] = (
        Stage("one link", ONE_LINK, (Gate("chains", 0.9, links=1),)),
        Stage("lookups", WITH_LOOKUPS, (Gate("places", 0.9), Gate("owners", 0.9))),
        Stage("amounts", WITH_AMOUNTS, (Gate("amounts", 0.75),)),
        Stage("two links", TWO_LINKS, (Gate("chains", 0.85, links=2),)),
        Stage("all", ALL, (Gate("chains", 0.85, links=2), Gate("amounts", 0.75))),
    )
    final_steps: int = 2500  # with a falling learning rate, behind the last gate
    warmup_steps: int = 50
    muon_rate: float = 0.008
    adam_rate: float = 3e-3
    gate_every: int = 100
    gate_questions: int = 256
    measured_prompts: int = 1000
    tuning: Tuning = field(default_factory=Tuning)


RECIPES = {
    "tiny-llama": Recipe(),
    "tiny-qwen": Recipe(architecture="qwen2", shape=Shape(hidden=96, feed_forward=192)),
}
