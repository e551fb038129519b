"""Directions that no network has given."""

import numpy as np

from sefa_plugin.directions.directions import Directions


def directions(dim=8, layers=(1, 2), space="w", names=()):
    vectors = np.linalg.qr(np.random.RandomState(0).randn(dim, dim))[0]
    return Directions(vectors, np.arange(dim, 0, -1), layers, space=space, names=names)
