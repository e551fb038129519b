"""The table of both orders: what its cells are."""

import numpy as np
import pytest

from demo.order import first, purest, rank_correlation
from sefa_plugin.evaluate.samples.bench import Changes


def test_ranks_are_compared_not_numbers():
    assert rank_correlation(np.array([1.0, 5, 2]), np.array([0.1, 100, 0.2])) == pytest.approx(1)
    assert rank_correlation(np.array([1.0, 5, 2]), -np.array([0.1, 100, 0.2])) == pytest.approx(-1)


def test_a_direction_is_as_pure_as_its_largest_share():
    before = np.random.RandomState(0).randn(60, 2)
    moved = np.zeros((3, 2, 60, 2))
    for direction, step in enumerate(((1.0, 0.0), (0.75, 0.25), (1.0, -1.0))):
        moved[direction] = before + np.array([[-1], [1]])[..., None] * before.std(axis=0) * step
    changes = Changes(("smile", "turn"), before, np.array([[-1.0, 1]] * 3), moved, np.ones((3, 2)))
    np.testing.assert_allclose(purest(first(changes, [2, 0, 1])), [0.5, 1, 0.75])
