"""What came out, as Markdown: the comparison, each base by itself, the ablations, the curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segviz.evaluation.statistics import Interval, mean_interval
from segviz.evaluation.tables import markdown, signed
from segviz.tiny.experiment.plan import MASKS, MERGED, PAPER, Run, projections
from segviz.tiny.experiment.running import read_curve, read_evaluation

if TYPE_CHECKING:
    from segviz.evaluation import Evaluation
    from segviz.trace import MaskKind

CHAINS = "chains"


@dataclass(frozen=True)
class Column:
    """A model with the mask it is asked under; no tuning is the base."""

    tuned: MaskKind | None
    mask: MaskKind

    @property
    def title(self) -> str:
        """Heading of the column."""
        return f"{f'{self.tuned}-tuned' if self.tuned else 'base'}, {self.mask}"


COLUMNS = (
    Column(None, "causal"),
    Column(None, "segment"),
    Column("causal", "causal"),
    Column("causal", "segment"),
    Column("segment", "causal"),
    Column("segment", "segment"),
)
FAIR = (Column("causal", "causal"), Column("segment", "segment"))


class Results:
    """The evaluations of some runs and their bases.

    Args:
        folder: of the experiment.
        runs: that were done.
    """

    def __init__(self, folder: Path, runs: Sequence[Run]) -> None:
        self._folder = folder
        self.main = [run for run in runs if run.targets == PAPER and run.preset == "segment"]
        self.ablations = [run for run in runs if run not in self.main]
        self.base_seeds = sorted({run.base_seed for run in runs})
        self._bases = {seed: read_evaluation(folder / f"base {seed}") for seed in self.base_seeds}
        self._runs = {run: read_evaluation(folder / run.name) for run in runs}
        self.tasks = list(next(iter(self._bases.values())).tasks)
        self.prompts = len(self._right(self._bases[self.base_seeds[0]], CHAINS, "causal"))

    def shares(self, column: Column, task: str, base_seed: int | None = None) -> np.ndarray:
        """Accuracies `[run]`: of the bases, or of every fine-tuning under a mask."""
        answers = self._answers(column, base_seed)
        return np.array([self._right(one, task, column.mask).mean() for one in answers])

    def gain(self, task: str, base_seed: int | None = None) -> Interval:
        """Segment-tuned minus causal-tuned, each under its own mask; prompts are resampled."""
        return mean_interval([self._gains(task, base_seed).mean(0)])

    def gains(self, task: str, base_seed: int | None = None) -> np.ndarray:
        """The same of each pair of fine-tunings `[pair]`."""
        return self._gains(task, base_seed).mean(1)

    def curves(self, mask: MaskKind) -> dict[int, np.ndarray]:
        """Of the fine-tunings under a mask, asked under it: step to accuracies `[run]`."""
        curves = [read_curve(self._folder / run.name) for run in self.main if run.mask == mask]
        return {
            int(points[0]["step"]): np.array([point[mask] for point in points])
            for points in zip(*curves, strict=True)
        }

    def markdown(self) -> str:
        """All tables."""
        parts = [self._comparison(), self._each_base(), self._steps()]
        if self.ablations:
            parts.append(self._ablations())
        return "\n\n".join(parts) + "\n"

    def _answers(self, column: Column, base_seed: int | None) -> list[Evaluation]:
        if column.tuned is None:
            return [one for seed, one in self._bases.items() if base_seed in (None, seed)]
        return [self._runs[run] for run in self._tuned(column.tuned, base_seed)]

    def _tuned(self, mask: MaskKind, base_seed: int | None) -> list[Run]:
        return [run for run in self.main if run.mask == mask and base_seed in (None, run.base_seed)]

    def _gains(self, task: str, base_seed: int | None) -> np.ndarray:
        """Paired differences `[pair, prompt]`."""
        rows = []
        for run in self._tuned("segment", base_seed):
            other = self._runs[replace(run, mask="causal")]
            one = self._right(self._runs[run], task, "segment")
            rows.append(one.astype(float) - self._right(other, task, "causal"))
        return np.array(rows)

    def _right(self, evaluation: Evaluation, task: str, mask: MaskKind) -> np.ndarray:
        return evaluation.tasks[task].outcomes[mask]["generation"].right

    def _gain(self, task: str, base_seed: int | None = None) -> str:
        """The mean with its interval over prompts, and the range over pairs of fine-tunings."""
        lowest, highest = (100 * f(self.gains(task, base_seed)) for f in (np.min, np.max))
        change = signed(self.gain(task, base_seed))
        return f"{change}; {lowest:.1f} to {highest:.1f}".replace("-", "−")

    def _comparison(self) -> str:
        heads = ["task", *(column.title for column in COLUMNS), "gain"]
        rows = [
            [
                task,
                *(spread(self.shares(column, task)) for column in COLUMNS),
                self._gain(task),
            ]
            for task in self.tasks
        ]
        pairs = len(self._tuned("segment", None))
        return (
            f"{table(heads, rows)}\n\nRight answers in percent, {self.prompts} prompts a task; "
            f"mean (lowest to highest) over {len(self.base_seeds)} base(s) and {pairs} "
            "fine-tunings a mask. A column names the weights and the mask they are asked under. "
            "Gain: segment-tuned under the segment mask minus causal-tuned under the causal mask, "
            "in points, [95 % interval over prompts]; from the lowest to the highest pair."
        )

    def _each_base(self) -> str:
        rows = [
            [
                f"{seed}",
                *(spread(self.shares(column, CHAINS, seed)) for column in COLUMNS),
                self._gain(CHAINS, seed),
            ]
            for seed in self.base_seeds
        ]
        heads = ["base", *(column.title for column in COLUMNS), "gain"]
        return f"{table(heads, rows)}\n\nChains with a link ahead, each base by itself."

    def _steps(self) -> str:
        curves = {mask: self.curves(mask) for mask in MASKS}
        rows = [
            [str(step), *(spread(curves[mask][step]) for mask in MASKS)]
            for step in curves[MASKS[0]]
        ]
        heads = ["steps", *(f"tuned and asked under {mask}" for mask in MASKS)]
        return f"{table(heads, rows)}\n\nChains with a link ahead, on the way."

    def _ablations(self) -> str:
        first = min(self.main, key=self.main.index)
        rows = []
        others = [run.targets for run in self.ablations if run.targets != PAPER]
        for targets in [PAPER, *dict.fromkeys(others)]:
            runs = [replace(first, mask=mask, targets=targets) for mask in MASKS]
            if all(run in self._runs for run in runs):
                cells = [self._own(run) for run in runs]
                rows.append([f"LoRA on {projections(targets)}", *cells])
        merged = replace(first, mask="segment", preset=MERGED)
        if merged in self._runs:
            rows.append(["system and user as one segment", "", self._own(merged)])
        heads = ["one fine-tuning", "causal-tuned, causal", "segment-tuned, segment"]
        return f"{table(heads, rows)}\n\nChains with a link ahead, {first.name.split(',')[0]}."

    def _own(self, run: Run) -> str:
        return percent(self._right(self._runs[run], CHAINS, run.mask).mean())


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    return "\n".join(markdown(heads, rows))


def percent(share: float) -> str:
    """In percent, without the sign.

    >>> percent(0.5)
    '50.0'
    """
    return f"{100 * share:.1f}"


def spread(shares: np.ndarray) -> str:
    """Mean and range.

    >>> spread(np.array([0.5, 0.7])), spread(np.array([0.5]))
    ('60.0 (50.0–70.0)', '50.0')
    """
    if len(shares) == 1:
        return percent(shares[0])
    return f"{percent(shares.mean())} ({percent(shares.min())}–{percent(shares.max())})"
