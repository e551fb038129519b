"""Random directions: orthonormal, repeatable, uniform."""

import numpy as np
import pytest

from sefa_plugin.evaluate.methods.chance import random_directions


def test_orthonormal_and_seeded():
    found = random_directions(20, 6, seed=4)
    assert found.shape == (6, 20)
    assert np.allclose(found @ found.T, np.eye(6), atol=1e-12)
    assert np.array_equal(found, random_directions(20, 6, seed=4))
    assert not np.allclose(found, random_directions(20, 6, seed=5))
    for count in (0, 21):
        with pytest.raises(ValueError, match="there are 1-20"):
            random_directions(20, count)


def test_uniform_on_the_sphere():
    """Every component has mean 0 and mean square 1 / dim, the first vector's first too (QR alone fixes its sign)."""
    many = np.stack([random_directions(4, 2, seed) for seed in range(2000)])  # [seed, vector, component]
    assert np.abs(many.mean(axis=0)).max() < 5 * np.sqrt(0.25 / 2000)
    assert np.abs((many**2).mean(axis=0) - 0.25).max() < 0.03
