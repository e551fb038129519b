"""The comparison of directions apart: its pairs and its table."""

import numpy as np

from demo.apart import METHODS, pairs_of, table


def test_pairs_are_of_directions_that_do_what_the_other_does_most():
    shares = np.array([[5.0, 3, 1, 0], [1, 6, 2, 0], [0, 1, 1, 4]])
    assert pairs_of(shares) == [(0, 1, 0, 1), (1, 0, 1, 0), (2, 1, 3, 1)]


def test_the_table_says_what_remains_of_the_second_factor():
    rng = np.random.RandomState(0)
    plain = [np.stack([rng.uniform(0.9, 1.1, 40), rng.uniform(1.9, 2.1, 40), np.full(40, 8.0)]) for _ in range(3)]
    better = [one * np.array([0.5, 1, 1])[:, None] for one in plain]
    lines = table({METHODS[0]: plain, METHODS[1]: better})
    assert lines[2].startswith("| as it is | 0.50 [0.") and lines[2].endswith("| 0 of 3 |")
    assert (
        lines[3].startswith("| by marks | 0.25 [0.") and "| 0.25 [0.2" in lines[3] and lines[3].endswith("| 3 of 3 |")
    )
