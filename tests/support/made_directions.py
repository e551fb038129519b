"""Directions that no network has given."""

import numpy as np

from sefa_plugin.directions.directions import Directions


def directions(dim=8, layers=(1, 2), space="w", names=()):
    vectors = np.linalg.qr(np.random.RandomState(0).randn(dim, dim))[0]
    return Directions.of(vectors, np.arange(dim, 0, -1), layers, space=space, names=names)


FACTS = ("label", "layer_names", "space", "normalize", "torgb", "network", "digest", "num_ws", "calibration", "origin")


def altered(held, **other):
    """The same directions with other vectors, names, ranges or facts; see ``Directions.of``."""
    if "names" in other:
        other = {"named_by": (), "purity": (), **other}
    columns = ("names", "named_by", "purity", "sigmas", "ranges", "broken", "priors")
    more = ("vectors", "eigenvalues", "layers", "next_eigenvalue")
    now = {key: getattr(held, key) for key in (*FACTS, *columns, *more)}
    return Directions.of(**{**now, **other})
