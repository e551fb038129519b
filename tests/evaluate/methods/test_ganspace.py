"""GANSpace: principal components, against scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sefa_plugin.evaluate.methods.ganspace import principal_components


def codes(count=2000, dim=12, seed=0):
    rng = np.random.RandomState(seed)
    return rng.randn(count, dim) * np.linspace(3, 0.2, dim) @ np.linalg.qr(rng.randn(dim, dim))[0] + rng.randn(dim)


def test_as_scikit_learn():
    from sklearn.decomposition import PCA

    held = codes()
    found = principal_components(np.array_split(held, 7), 8)
    theirs = PCA(8).fit(held)
    assert np.allclose(found.deviations**2, theirs.explained_variance_, rtol=1e-10)
    assert np.allclose(np.abs(np.sum(found.vectors * theirs.components_, axis=1)), 1, atol=1e-10)
    assert found.count == 2000


@settings(max_examples=20)
@given(st.lists(st.integers(1, 50), min_size=2, max_size=6), st.integers(0, 1000))
def test_batches_do_not_matter(sizes, seed):
    held = codes(sum(sizes), 5, seed).astype(np.float32) + 1000  # far from 0: sums of squares would lose it
    found = principal_components(np.split(held, np.cumsum(sizes)[:-1]), 5)
    exact = np.cov(held.astype(np.float64), rowvar=False)
    covariance = (found.vectors.T * found.deviations**2) @ found.vectors
    assert np.allclose(covariance, exact, rtol=1e-9, atol=1e-9)


def test_a_planted_direction_comes_first_with_its_deviation_and_sign():
    rng = np.random.RandomState(0)
    axis = np.array([-0.8, 0.0, 0.6])
    held = rng.randn(20000, 1) * 4 * axis + 0.1 * rng.randn(20000, 3)
    found = principal_components([held], 3)
    assert found.vectors.shape == (3, 3)
    assert np.allclose(found.vectors[0], -axis, atol=0.01)  # the component of largest magnitude is positive
    assert found.deviations[0] == pytest.approx(4, rel=0.05)
    assert np.all(np.diff(found.deviations) <= 0)


def test_what_cannot_be_taken():
    with pytest.raises(ValueError, match="at least 2"):
        principal_components([np.ones((1, 3))], 1)
    with pytest.raises(ValueError, match="NaN"):
        principal_components([np.full((2, 3), np.nan)], 1)
