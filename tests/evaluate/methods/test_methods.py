"""Ways to find directions: planted ones are found, and all of them edit the same layers."""

import numpy as np
import pytest
from planted import ATTRIBUTES, ROWS, Planted, Reader

from sefa_plugin.evaluate.methods.interfacegan import BoundaryError
from sefa_plugin.evaluate.methods.methods import (
    along,
    by_boundaries,
    by_chance,
    by_ganspace,
    by_sefa,
    without_the_others,
)
from sefa_plugin.evaluate.samples.bench import Bench

pytestmark = pytest.mark.command


@pytest.fixture(scope="module")
def G():
    return Planted()


@pytest.fixture(scope="module")
def scored(G):
    return Bench(G, Reader(), count=3000, first=50_000).scored_samples()


def test_sefa_finds_what_its_layers_respond_to(G):
    found = by_sefa(G, 6)
    cosines = np.abs(found.directions.vectors @ G.axes.T)
    assert np.allclose(cosines, np.eye(6), atol=1e-5)
    assert np.allclose(found.directions.eigenvalues, ROWS, rtol=1e-5)
    assert found.directions.layers == (0, 1, 2)
    assert 0 < found.seconds < 5
    assert len(by_sefa(G, 99).directions) == G.w_dim


def test_ganspace_finds_the_spread(G):
    found = by_ganspace(G, 3, samples=8000)
    assert np.allclose(np.abs(found.directions.vectors @ G.spread_axes[:3].T), np.eye(3), atol=0.2)
    assert np.allclose(found.directions.sigmas, G.deviations[:3], rtol=0.03)
    assert found.directions.label == "ganspace-all"
    assert found.about == {"samples": 8000}


def test_interfacegan_finds_the_boundaries(G, scored):
    codes, scores, seconds = scored
    assert codes.shape == (3000, 12) and seconds > 0
    found, boundaries = by_boundaries(G, codes, scores, seconds)
    assert found.intended == ATTRIBUTES == tuple(boundaries)
    assert found.directions.names == ATTRIBUTES
    cosines = found.directions.vectors @ G.axes.T
    assert np.diag(cosines).min() > 0.93
    assert found.seconds > seconds
    assert found.about["validation"]["smile"] == boundaries["smile"].validation > 0.95
    freed = without_the_others(G, found)
    cosines = freed.directions.vectors @ found.directions.vectors.T
    assert np.abs(cosines - np.diag(np.diag(cosines))).max() < 1e-5
    assert np.diag(cosines).min() > 0.7
    assert freed.intended == ATTRIBUTES


def test_an_attribute_without_a_boundary_is_left_out(G, scored):
    codes, scores, _ = scored
    told = []
    constant = {"none": np.ones(len(codes)), "smile": scores["smile"]}
    found, _ = by_boundaries(G, codes, constant, 0.0, skip=lambda name, error: told.append((name, str(error))))
    assert found.intended == ("smile",)
    assert told[0][0] == "none" and "nothing to tell apart" in told[0][1]
    with pytest.raises(BoundaryError):
        by_boundaries(G, codes, constant, 0.0)
    with pytest.raises(BoundaryError, match="nothing to tell apart"):
        by_boundaries(G, codes, {"none": np.ones(len(codes))}, 0.0, skip=lambda name, error: None)


def test_chance_is_seeded_and_edits_the_layers_asked_for(G):
    found = by_chance(G, 4, "coarse", seed=3)
    assert found.directions.layers == (0,)
    assert found.directions.label == "chance-coarse"
    assert np.array_equal(found.directions.vectors, by_chance(G, 4, "coarse", seed=3).directions.vectors)
    assert not np.allclose(found.directions.vectors, by_chance(G, 4, "coarse", seed=4).directions.vectors)


def test_chance_is_orthonormal_and_uniform_on_the_sphere(G):
    """Every component has mean 0 and mean square 1 / dim, the first vector's first too (QR alone fixes its sign)."""
    many = np.stack([by_chance(G, 3, seed=seed).directions.vectors for seed in range(500)])  # [seed, vector, component]
    assert np.allclose(many[0] @ many[0].T, np.eye(3), atol=1e-6)
    assert np.abs(many.mean(axis=0)).max() < 5 * np.sqrt(1 / 12 / 500)
    assert np.abs((many**2).mean(axis=0) - 1 / 12).max() < 0.03


def test_along_gives_sefas_own_their_eigenvalues(G):
    own = by_sefa(G, 12, "middle").directions
    held = along(G, own.vectors * 3, layers="middle", label="x", names=["a", "1-2", "b, c"] + [""] * 9)
    assert np.allclose(held.eigenvalues, own.eigenvalues, atol=1e-5)
    assert np.allclose(held.vectors, own.vectors, atol=1e-6)
    assert (held.layers, held.digest, held.num_ws, held.layer_names) == (own.layers, "digest0", 3, own.layer_names)
    assert held.names[:3] == ("a", "", "")  # what cannot be a name is none


def test_what_cannot_be_directions(G):
    with pytest.raises(ValueError, match="3 groups"):
        along(G, np.eye(12), layers="each", label="x")
    for bad in (np.zeros((1, 12)), np.ones((1, 5)), np.ones(12)):
        with pytest.raises(ValueError, match="vectors"):
            along(G, bad, label="x")
