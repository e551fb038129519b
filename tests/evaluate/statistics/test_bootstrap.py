"""Intervals: they hold the truth about as often as they say."""

import numpy as np
import pytest

from sefa_plugin.evaluate.statistics.bootstrap import Interval, interval, jackknife, resampling


def test_resampling_draws_as_many_as_there_are():
    weights = resampling(30, 50, seed=1)
    assert weights.shape == (50, 30)
    assert np.all(weights.sum(axis=1) == 30)
    assert np.array_equal(weights, resampling(30, 50, seed=1))
    assert weights.std() == pytest.approx(np.sqrt(29 / 30), abs=0.05)


def test_parts_keep_their_size():
    weights = resampling(7, 40, parts=2)
    assert np.all(weights[:, ::2].sum(axis=1) == 4) and np.all(weights[:, 1::2].sum(axis=1) == 3)
    assert np.all(resampling(1, 3, parts=2) == 1)


def test_nineteen_of_twenty_hold_the_truth():
    rng = np.random.RandomState(0)
    held = {"bootstrap": 0, "jackknife": 0}
    for trial in range(200):
        values = rng.exponential(2.0, 60)
        replicates = resampling(60, 300, trial) @ values / 60
        groups = np.array_split(np.arange(60), 15)
        left_out = np.array([np.delete(values, group).mean() for group in groups])
        for name, found in (
            ("bootstrap", interval(values.mean(), replicates)),
            ("jackknife", jackknife(values.mean(), left_out)),
        ):
            held[name] += found.low <= 2.0 <= found.high
    assert all(180 <= count <= 198 for count in held.values()), held


def test_bias_is_corrected():
    """The mean size of noisy numbers grows with resampling; the interval must not lie above the value for it."""
    rng = np.random.RandomState(0)
    replicates = 1.0 + rng.randn(4000)
    plain = interval(1.0, replicates)
    assert (plain.low, plain.high) == pytest.approx((1 - 1.96, 1 + 1.96), abs=0.15)
    shifted = interval(1.0, replicates + 0.5)
    assert (shifted.low, shifted.high) == pytest.approx((0.5 - 1.96, 0.5 + 1.96), abs=0.2)
    assert interval(2.0, np.full(9, 2.0)).as_list() == [2, 2, 2]


def test_written_and_listed():
    assert str(Interval(0.5, 0.25, 0.75)) == "0.50 [0.25, 0.75]"
    assert Interval(0.5, 0.25, 0.75).as_list() == [0.5, 0.25, 0.75]
    assert interval(3.0, np.array([1.0, 2.0])).high == 3.0
