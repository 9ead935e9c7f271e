"""Statistics against closed forms, and intervals against how often they hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from segviz.evaluation.statistics import Interval, mcnemar, mean_interval, paired, shown_p


@pytest.mark.parametrize(
    ("only_one", "only_other", "p"),
    [
        (0, 0, 1.0),
        (0, 1, 1.0),
        (0, 5, 2 / 32),
        (5, 0, 2 / 32),
        (2, 8, 2 * (1 + 10 + 45) / 1024),
        (3, 9, 2 * (1 + 12 + 66 + 220) / 4096),
        (6, 6, 1.0),
        (0, 1000, 0.5**999),
    ],
)
def test_mcnemar_by_hand(only_one, only_other, p) -> None:
    assert mcnemar(only_one, only_other) == pytest.approx(p, rel=1e-12)


def test_mcnemar_of_many() -> None:
    """The normal distribution comes close: 4,900 of 10,000 are two standard deviations off."""
    assert mcnemar(4900, 5100) == pytest.approx(0.0466, abs=1e-4)


def test_paired_differences() -> None:
    one = np.array([1, 1, 1, 0, 0, 1, 1, 1], dtype=bool)
    other = np.array([1, 0, 0, 1, 0, 0, 1, 0], dtype=bool)
    found = paired(one, other)
    assert (found.only_one, found.only_other, found.records) == (4, 1, 8)
    assert found.difference.value == 3 / 8
    assert found.p == pytest.approx(2 * (1 + 5) / 32)
    assert found.difference.low < 3 / 8 < found.difference.high
    back = paired(other, one)
    assert back.difference.value == -3 / 8
    assert back.p == found.p


def test_pairs_count_not_only_shares() -> None:
    """Two ways that are right on the same records differ surely by nothing."""
    right = np.arange(100) < 60
    assert paired(right, right).difference == Interval(0.0, 0.0, 0.0)
    apart = paired(right, np.roll(right, 50)).difference
    assert apart.value == 0.0
    assert apart.high - apart.low > 0.2


def test_the_bootstrap_resamples_records() -> None:
    """Against resamples drawn one by one."""
    right = np.arange(40) < 31
    found = mean_interval([right], seed=1)
    rng = np.random.default_rng(5)
    drawn = right[rng.integers(40, size=(20_000, 40))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    # A share of 40 records moves in steps of a fortieth.
    assert found.low == pytest.approx(low, abs=0.026)
    assert found.high == pytest.approx(high, abs=0.026)
    wide = mean_interval([right], confidence=0.999, seed=1)
    assert wide.low < found.low < found.high < wide.high


def test_a_mean_over_tasks_weighs_tasks() -> None:
    tasks = [np.arange(400) < 200, np.arange(10) < 9]
    found = mean_interval(tasks)
    assert found.value == pytest.approx((0.5 + 0.9) / 2)
    # Its variance is the sum of both tasks' over four; the small task's is the larger.
    deviation = np.sqrt(0.5 * 0.5 / 400 + 0.9 * 0.1 / 10) / 2
    assert found.high - found.low == pytest.approx(2 * 1.96 * deviation, rel=0.15)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    truth, held = (0.7 - 0.55 + 0.2 - 0.3) / 2, []
    for seed in range(300):
        samples = [
            (rng.random(200) < one).astype(int) - (rng.random(200) < other)
            for one, other in ((0.7, 0.55), (0.2, 0.3))
        ]
        found = mean_interval(samples, confidence=0.9, seed=seed)
        held.append(found.low <= truth <= found.high)
    assert 0.85 <= np.mean(held) <= 0.95


def test_a_seed_gives_the_same_interval() -> None:
    tasks = [np.arange(333) < 200, np.arange(1000) < 10]
    assert mean_interval(tasks, seed=3) == mean_interval(tasks, seed=3)
    assert mean_interval(tasks, seed=3) != mean_interval(tasks, seed=4)


def test_what_there_is_no_interval_of() -> None:
    with pytest.raises(ValueError, match="no records"):
        mean_interval([np.array([True]), np.array([])])
    with pytest.raises(ValueError, match="no records"):
        mean_interval([])
    with pytest.raises(ValueError, match=r"confidence=95; allowed is a share between 0 and 1"):
        mean_interval([np.array([True])], confidence=95)
    with pytest.raises(ValueError, match="3 and 2 records: a paired difference needs the same"):
        paired(np.ones(3), np.ones(2))


def test_shown() -> None:
    assert str(Interval(0.5, 0.25, 0.876)) == "50.0 [25.0, 87.6]"
    assert [shown_p(p) for p in (1.0, 0.0466, 0.00099)] == ["1", "0.047", "<0.001"]
