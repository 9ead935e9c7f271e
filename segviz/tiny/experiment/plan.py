"""Which runs the experiment is made of.

>>> runs = planned(base_seeds=[0], seeds=[0, 1], ablations=False)
>>> [run.name for run in runs]
['base 0, causal, seed 0', 'base 0, segment, seed 0', 'base 0, causal, seed 1', \
'base 0, segment, seed 1']
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from segviz.tiny.recipe import Tuning
from segviz.trace import MaskKind

MASKS: tuple[MaskKind, MaskKind] = ("causal", "segment")
PAPER = ("q_proj", "v_proj")  # Katz et al., arXiv 2412.18487

# Which projections get a LoRA, beside those of the paper.
PROJECTIONS = (
    ("q_proj",),
    ("v_proj",),
    ("q_proj", "k_proj"),
    ("q_proj", "k_proj", "v_proj", "o_proj"),
)
MERGED = "system+user"


@dataclass(frozen=True)
class Scale:
    """How much work one run is."""

    tuning: Tuning = field(default_factory=lambda: Tuning(steps=500, examples=4000))
    prompts: int = 500  # of each task, at the end
    curve_prompts: int = 200  # on the way
    curve_steps: tuple[int, ...] = (0, 10, 25, 50, 100, 150, 200, 300, 400, 500)


FULL = Scale()
QUICK = Scale(Tuning(steps=20, examples=64), prompts=20, curve_prompts=10, curve_steps=(0, 10, 20))


@dataclass(frozen=True)
class Run:
    """One fine-tuning and its evaluation."""

    base_seed: int
    mask: MaskKind
    seed: int
    targets: tuple[str, ...] = PAPER
    preset: str = "segment"

    @property
    def name(self) -> str:
        """Says everything about the run; the folder's name, too."""
        name = f"base {self.base_seed}, {self.mask}, seed {self.seed}"
        if self.targets != PAPER:
            name += f", {projections(self.targets)}"
        return name if self.preset == "segment" else f"{name}, {self.preset}"


def projections(targets: Sequence[str]) -> str:
    """Short: "q, v"."""
    return " ".join(target.removesuffix("_proj") for target in targets)


def planned(base_seeds: Sequence[int], seeds: Sequence[int], *, ablations: bool) -> list[Run]:
    """All runs, those of the main comparison first; ablations on the first base and seed."""
    runs = [
        Run(base_seed, mask, seed) for base_seed in base_seeds for seed in seeds for mask in MASKS
    ]
    if ablations:
        base_seed, seed = base_seeds[0], seeds[0]
        runs += [Run(base_seed, mask, seed, targets) for targets in PROJECTIONS for mask in MASKS]
        runs.append(Run(base_seed, "segment", seed, preset=MERGED))
    return runs
