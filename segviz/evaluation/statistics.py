"""Statistics of right and wrong answers: shares, paired differences, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

RESAMPLES = 10_000


@dataclass(frozen=True)
class Interval:
    """A number and the interval that its resamples fall into.

    >>> print(Interval(0.75, 0.5, 1.0))
    75.0 [50.0, 100.0]

    Args:
        value: what was measured, a share or a difference of shares.
        low: lower end of the interval.
        high: upper end.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """In percent, or percentage points."""
        # Adding zero makes a zero of what would be printed as -0.0.
        value, low, high = (
            f"{round(100 * x, 1) + 0.0:.1f}" for x in (self.value, self.low, self.high)
        )
        return f"{value} [{low}, {high}]"

    def to_dict(self) -> dict[str, float]:
        """As JSON holds it."""
        return asdict(self)


def mean_interval(
    samples: Sequence[np.ndarray], *, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """The mean over tasks of the mean over records, with a percentile bootstrap interval.

    >>> mean_interval([np.array([1, 1, 1, 0]), np.array([1, 0])]).value
    0.625

    Records are drawn with replacement within each task (Efron, *Bootstrap Methods: Another Look at
    the Jackknife*, 1979).

    Args:
        samples: of each task numbers ``[record]``: right or wrong, or paired differences of them.
        confidence: share of the resamples inside the interval.
        seed: of the resamples.

    Raises:
        ValueError: no task, a task without records, or a confidence outside of 0 to 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence!r}; allowed is a share between 0 and 1")
    if not samples or min(map(len, samples)) == 0:
        raise ValueError("there are no records to take a mean of")
    rng = np.random.default_rng(seed)
    means = np.mean([_resampled_means(np.asarray(one), rng) for one in samples], axis=0)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    value = float(np.mean([np.mean(one) for one in samples]))
    return Interval(value, float(low), float(high))


def _resampled_means(numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Means of resamples ``[resample]``."""
    # There are but a few different numbers: how often each is drawn is all that counts.
    values, counts = np.unique(numbers.astype(float), return_counts=True)
    drawn = rng.multinomial(len(numbers), counts / len(numbers), size=RESAMPLES)
    return drawn @ values / len(numbers)


def mcnemar(only_one: int, only_other: int) -> float:
    """The exact, two-sided p-value of McNemar's test on paired right and wrong answers.

    >>> mcnemar(1, 5)
    0.21875

    How likely the records that only one of two answers right would be divided at least as unevenly,
    were either as likely to be the one (McNemar, *Psychometrika* 12, 1947; here the binomial
    distribution itself).

    Args:
        only_one: how many records only the one answers right.
        only_other: how many only the other.
    """
    discordant = only_one + only_other
    term, tail = 1, 0
    for drawn in range(min(only_one, only_other) + 1):
        tail += term
        term = term * (discordant - drawn) // (drawn + 1)
    # Integers as long as they need to be: no rounding before the division.
    return min(1.0, 2 * tail / 2**discordant)


@dataclass(frozen=True)
class Difference:
    """A paired difference: the same records, answered in two ways.

    Args:
        difference: share of right answers of the one minus that of the other.
        only_one: how many records only the one answers right.
        only_other: how many only the other.
        p: of :func:`mcnemar`.
        records: how many there are.
    """

    difference: Interval
    only_one: int
    only_other: int
    p: float
    records: int


def paired(
    one: np.ndarray, other: np.ndarray, *, confidence: float = 0.95, seed: int = 0
) -> Difference:
    """Compare two ways to answer the same records.

    >>> right, other = np.array([True, True, True, False]), np.array([True, False, False, False])
    >>> found = paired(right, other)
    >>> found.difference.value, found.only_one, found.only_other, found.p
    (0.5, 2, 0, 0.5)

    Args:
        one: bool ``[record]``, whether the one answers right.
        other: likewise, of the other.
        confidence: as in :func:`mean_interval`.
        seed: likewise.

    Raises:
        ValueError: different numbers of records, or none.
    """
    one, other = np.asarray(one, dtype=bool), np.asarray(other, dtype=bool)
    if one.shape != other.shape:
        raise ValueError(
            f"{len(one)} and {len(other)} records: a paired difference needs the same records"
        )
    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    return Difference(
        difference=mean_interval(
            [one.astype(int) - other.astype(int)], confidence=confidence, seed=seed
        ),
        only_one=only_one,
        only_other=only_other,
        p=mcnemar(only_one, only_other),
        records=len(one),
    )


def shown_p(p: float) -> str:
    """A p-value for people.

    >>> shown_p(0.21875), shown_p(1e-9)
    ('0.22', '<0.001')
    """
    return "<0.001" if p < 0.001 else f"{p:.2g}" if math.isfinite(p) else "–"  # noqa: PLR2004
