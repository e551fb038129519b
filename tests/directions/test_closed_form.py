import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import GOLDEN

from sefa_plugin.directions.closed_form import decompose, factorize_weights, stack

SELECTIONS = json.loads((GOLDEN / "sefa.json").read_text())["cases"]


@pytest.fixture(scope="module")
def reference():
    return {path.stem: np.load(path) for path in GOLDEN.glob("sefa-*.npz")}


@pytest.mark.parametrize("selection", ["all", "0-1", "2-5", "6-9"])
def test_the_authors_own_results(golden, reference, selection):
    weights = SELECTIONS["sefa-sg2ada-skip-64"][selection]["weights"]
    factors = factorize_weights([golden("sg2ada-skip-64")[key] for key in weights.values()])
    want = reference["sefa-sg2ada-skip-64"]
    assert abs(factors.eigenvalues - want[f"{selection}/eigenvalues_f64"]).max() < 1e-11
    assert abs(factors.eigenvalues - want[f"{selection}/eigenvalues"]).max() < 1e-5
    assert abs(factors.vectors - want[f"{selection}/directions_f64"]).max() < 1e-11
    assert abs(factors.vectors - want[f"{selection}/directions"]).max() < 2e-5


@pytest.mark.parametrize(
    ("case", "selection"),
    [("stylegan1-32", selection) for selection in ("all", "0-1", "2-5", "6-7")] + [("pggan-32", "all")],
)
def test_the_authors_own_results_of_older_families(reference, case, selection):
    """Their first layers, transposed to [channels, dim], lie in sefa-weights.npz."""
    weights = SELECTIONS[f"sefa-{case}"][selection]["weights"]
    factors = factorize_weights([reference["sefa-weights"][f"{case}/{row}"] for row in weights])
    want = reference[f"sefa-{case}"]
    assert abs(factors.eigenvalues - want[f"{selection}/eigenvalues_f64"]).max() < 1e-11
    assert abs(factors.vectors - want[f"{selection}/directions_f64"]).max() < 1e-11
    assert abs(factors.vectors - want[f"{selection}/directions"]).max() < 2e-5


def test_the_authors_order_is_not_copied(reference):
    """Their general solver does not sort, so "semantic 0" of their code need not be the strongest."""
    returned = reference["sefa-sg2ada-skip-64"]["all/official_eigenvalues_as_returned"]
    assert (np.diff(returned) > 0).any()


def test_the_variant_without_normalisation(reference):
    """rosinality's closed form: singular vectors of the plain weights."""
    held = np.load(GOLDEN / "rosinality-32.npz")
    names = SELECTIONS["sefa-rosinality-32"]["all"]["weights_in_order"]
    factors = factorize_weights([held[f"param/{name}"] for name in names], normalize=False)
    want = reference["sefa-rosinality-32"]
    assert np.sqrt(factors.eigenvalues) == pytest.approx(want["all/singular_values_f64"], rel=1e-11)
    assert abs(factors.vectors - want["all/directions_f64"]).max() < 1e-10


matrices = st.tuples(st.integers(1, 12), st.integers(1, 8), st.integers(0, 2**32 - 1)).map(
    lambda p: np.random.RandomState(p[2]).randn(p[0], p[1])
)


@given(matrices, st.booleans())
@settings(max_examples=60)
def test_against_the_singular_value_decomposition_and_the_definition(matrix, normalize):
    A = stack([matrix], normalize)
    factors = decompose(A)
    dim = A.shape[1]
    singular = np.zeros(dim)
    held = np.linalg.svd(A, compute_uv=False)
    singular[: len(held)] = held
    assert np.sqrt(factors.eigenvalues) == pytest.approx(singular, abs=1e-6)
    assert factors.vectors @ factors.vectors.T == pytest.approx(np.eye(dim), abs=1e-9)
    stretch = ((A @ factors.vectors.T) ** 2).sum(axis=0)  # |A n|^2, the paper's objective
    assert stretch == pytest.approx(factors.eigenvalues, abs=1e-6)
    assert (np.diff(factors.eigenvalues) <= 1e-12).all()
    peaks = np.abs(factors.vectors).argmax(axis=1)
    assert (factors.vectors[np.arange(dim), peaks] > 0).all()


def test_rows_of_zeros_stay_zero():
    A = stack([np.array([[0.0, 0.0], [3.0, 4.0]])])
    assert A.tolist() == [[0, 0], [0.6, 0.8]]


def test_the_same_weights_in_any_order_and_precision():
    rng = np.random.RandomState(0)
    parts = [rng.randn(5, 6).astype("f4"), rng.randn(7, 6).astype("f4")]
    one, two = factorize_weights(parts), factorize_weights([parts[1].astype("f8"), parts[0].astype("f8")])
    assert abs(one.vectors - two.vectors).max() < 1e-9


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ([], "no weight"),
        ([np.zeros(3)], "weight 0 is"),
        ([np.zeros((2, 3)), np.zeros((2, 4))], "weight 1 is 4 wide"),
        ([np.full((2, 3), np.nan)], "weight 0 holds NaN"),
        ([np.full((2, 3), np.inf)], "weight 0 holds NaN"),
        ([np.zeros((64, 3, 3, 3))], "weight 0 is"),  # kernels instead of styles
    ],
)
def test_what_is_no_weight_is_refused(weights, says):
    with pytest.raises(ValueError, match=says):
        factorize_weights(weights)


def test_the_number_of_directions():
    assert len(factorize_weights([np.eye(4)], num_directions=2).vectors) == 2
    for count in (0, 5):
        with pytest.raises(ValueError, match=f"{count} directions asked for, this space has 1-4"):
            factorize_weights([np.eye(4)], num_directions=count)
