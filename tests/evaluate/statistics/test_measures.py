"""Measures: planted cases whose answers are known."""

import numpy as np
import pytest

from sefa_plugin.evaluate.statistics import measures as m


def test_spreads_and_unlikeness():
    rng = np.random.RandomState(0)
    before = np.stack([rng.randn(500) * 3 + 7, np.full(500, 5.0), rng.uniform(0, 1, 500)], axis=1)
    spread = m.spreads(before)
    assert spread[0] == pytest.approx(before[:, 0].std())
    assert np.isinf(spread[1])
    pairs = np.abs(before[:, None] - before[None]).sum(axis=(0, 1)) / (500 * 499)
    (apart,) = m.unlikeness(before, np.ones((1, 500)))
    assert np.allclose(apart[[0, 2]], pairs[[0, 2]], rtol=1e-10)
    assert np.isinf(apart[1])
    assert apart[2] == pytest.approx(1 / 3, abs=0.02)


def test_spreads_and_unlikeness_resampled():
    rng = np.random.RandomState(3)
    before = rng.randn(30, 3) * 5 + 100
    before[:, 2] = 1.0
    weights = rng.randint(0, 3, (4, 30)).astype(float)
    for row, spread, apart in zip(weights, m.spreads(before, weights), m.unlikeness(before, weights)):
        drawn = np.repeat(before, row.astype(int), axis=0)
        assert np.allclose(spread[:2], m.spreads(drawn)[:2])
        assert np.allclose(apart[:2], m.unlikeness(drawn, np.ones((1, len(drawn))))[0, :2])
        assert np.isinf(spread[2]) and np.isinf(apart[2])


def test_means_of_resamplings():
    rng = np.random.RandomState(1)
    changes = rng.randn(3, 40, 2) + np.array([1.0, -4.0])
    weights = rng.randint(0, 3, (5, 40)).astype(float)
    for row, found in zip(weights, m.means(changes, weights)):
        drawn = changes[:, np.repeat(np.arange(40), row.astype(int))]
        assert np.allclose(found, drawn.mean(axis=1))


def test_shares():
    matrix = np.array([[3.0, -1.0, 0.0], [0.0, 0.0, 0.0]])
    assert np.allclose(m.shares(matrix), [[0.75, 0.25, 0], [0, 0, 0]])
    assert np.allclose(m.shares(np.eye(4)), np.eye(4))
    assert np.allclose(m.shares(np.ones((2, 5))), 0.2)


def test_preserved():
    untouched = np.diag([1.0, 0.7])
    assert np.allclose(np.diag(m.preserved(untouched)), 1)
    assert np.allclose(np.diag(m.preserved(np.ones((3, 3)))), 0)  # all else as unlike as another sample
    assert m.preserved(np.array([[1.0, 0.5, 0.25, 0.0]]))[0, 0] == pytest.approx(0.75)
    assert m.preserved(np.array([[0.3]]))[0, 0] == 1


def test_effective_rank():
    assert m.effective_rank(np.eye(5)) == pytest.approx(5)
    assert m.effective_rank(np.outer([1, 2, 3], [4, 5, 6, 7])) == pytest.approx(1)
    assert m.effective_rank(np.zeros((3, 3))) == 0
    assert m.effective_rank(np.diag([0.5, 0.25, 0.25])) == pytest.approx(2**1.5)


def test_best_match():
    one = np.eye(3)[:2]
    other = np.array([[0, 2.0, 0], [3.0, 0, 4.0]])
    assert m.best_match(one, other) == pytest.approx(0.8)  # the mean of 0.6 and 1
    assert m.best_match(one, -one) == 1


def test_frechet_distance_of_gaussians_that_are_known():
    rng = np.random.RandomState(0)
    base = rng.randn(4000, 3)
    base = (base - base.mean(axis=0)) @ np.linalg.inv(
        np.linalg.cholesky(np.cov(base, rowvar=False))
    ).T  # exactly N(0, 1)
    moved = base * [1, 2, 3] + [3, 0, 4]
    # Commuting covariances: |difference of means|^2 + sum of (difference of deviations)^2.
    assert m.frechet_distance(base, moved) == pytest.approx(25 + 0 + 1 + 4, rel=1e-9)
    assert m.frechet_distance(base, base) == pytest.approx(0, abs=1e-9)
    turned = moved @ np.linalg.qr(rng.randn(3, 3))[0]
    from scipy.linalg import sqrtm

    first, second = np.cov(base * [1, 5, 1], rowvar=False), np.cov(turned, rowvar=False)
    by_root = ((base.mean(0) * [1, 5, 1] - turned.mean(0)) ** 2).sum()
    by_root += np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert m.frechet_distance(base * [1, 5, 1], turned) == pytest.approx(by_root, rel=1e-6)


def test_frechet_distance_takes_fewer_rows_than_features():
    rng = np.random.RandomState(0)
    one, other = rng.randn(5, 20), rng.randn(6, 20) + 1
    assert m.frechet_distance(one, other) == pytest.approx(m.frechet_distance(other, one), rel=1e-6)
    assert m.frechet_distance(one, other) > 10
    assert m.frechet_distance(np.zeros((3, 1)), np.ones((3, 1))) == 1
    with pytest.raises(ValueError, match="at least 2"):
        m.frechet_distance(one[:1], other)
    with pytest.raises(ValueError, match="expected"):
        m.frechet_distance(one, other[:, :3])
