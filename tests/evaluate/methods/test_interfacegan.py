"""InterFaceGAN: planted boundaries, an independent solver, projections, files."""

import os
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sefa_plugin.evaluate.methods.interfacegan import (
    BoundaryError,
    load_boundary,
    project_boundary,
    save_boundary,
    train_boundary,
)
from sefa_plugin.system.environment import MissingExtra


def cosine(one, other):
    one, other = np.ravel(one).astype(float), np.ravel(other).astype(float)
    return one @ other / np.linalg.norm(one) / np.linalg.norm(other)


def planted(dim=16, count=5000, noise=0.0, seed=0):
    rng = np.random.RandomState(seed)
    normal = rng.randn(dim)
    normal /= np.linalg.norm(normal)
    codes = rng.randn(count, dim)
    return normal, codes, codes @ normal + noise * rng.randn(count)


def by_the_dual(points, labels, penalty=1.0):
    """The normal of a soft-margin machine, by maximising its dual with a general solver (Cortes & Vapnik 1995)."""
    from scipy.optimize import minimize

    signs = np.where(labels == 1, 1.0, -1.0)
    kernel = (signs[:, None] * points) @ (signs[:, None] * points).T
    found = minimize(
        lambda a: 0.5 * a @ kernel @ a - a.sum(),
        np.full(len(points), 1e-3),
        jac=lambda a: kernel @ a - 1,
        bounds=[(0, penalty)] * len(points),
        constraints={"type": "eq", "fun": lambda a: a @ signs, "jac": lambda a: signs},
        method="SLSQP",
        options={"maxiter": 1000, "ftol": 1e-12},
    )
    assert found.success, found.message
    return (found.x * signs) @ points


def test_a_planted_boundary_is_found():
    normal, codes, scores = planted()
    found = train_boundary(codes, scores)
    assert found.normal.shape == (1, 16) and found.normal.dtype == np.float32
    assert abs(np.linalg.norm(found.normal) - 1) < 1e-6
    assert cosine(found.normal, normal) > 0.98  # signed: along it the score rises
    assert found.validation == 1.0
    assert found.remaining > 0.85
    assert found.trained == 2 * int(100 * 0.7)


def test_a_noisy_score_gives_a_worse_one():
    normal, codes, scores = planted(noise=3.0)
    found = train_boundary(codes, scores)
    assert 0.5 < cosine(found.normal, normal) < 0.95
    assert 0.6 < found.validation < 1.0
    shuffled = train_boundary(codes, np.random.RandomState(5).permutation(scores))
    assert abs(cosine(shuffled.normal, normal)) < 0.5
    assert shuffled.validation < 0.7


def test_the_machine_is_the_soft_margin_one():
    """An independent solver on the very samples that train: the extremes, split by the same shuffle."""
    _, codes, scores = planted(dim=5, count=400, noise=1.0)
    found = train_boundary(codes, scores, chosen=30, split=0.7, seed=3)
    order = np.argsort(scores)
    rng = np.random.RandomState(3)
    high, low = np.arange(30), np.arange(30)
    rng.shuffle(high)
    rng.shuffle(low)
    train_high = codes[order[::-1][:30]][high[:21]]
    train_low = codes[order[:30][::-1]][low[:21]]
    points, labels = np.concatenate([train_high, train_low]), np.repeat([1, 0], 21)
    assert cosine(found.normal, by_the_dual(points, labels)) > 0.9999
    assert cosine(found.normal, train_boundary(codes, scores, chosen=30, split=1.0).normal) < 0.9999


def test_accuracies_are_what_they_say():
    """One dimension, so that every sample's side can be counted by hand."""
    codes = np.arange(100.0)[:, None]
    scores = np.arange(100.0)
    scores[40] = 60.5  # on the low side by its code, on the high side by its score
    found = train_boundary(codes, scores, chosen=0.1, split=0.7)
    assert found.normal[0, 0] == 1
    assert found.validation == 1.0
    assert found.remaining == pytest.approx(79 / 80)
    assert np.isnan(train_boundary(codes, scores, chosen=0.5, split=1.0).validation)
    assert np.isnan(train_boundary(codes, scores, chosen=0.5).remaining)


def test_the_middle_is_between_the_extreme_scores_not_that_of_the_samples():
    """Most scores are low, below 0.5, which is the middle of 0 and 1; their mean is 0.25. The machine cuts at 50."""
    codes = np.arange(100.0)[:, None]
    scores = np.select([codes[:, 0] < 60, codes[:, 0] < 82], [codes[:, 0] / 1000, codes[:, 0] / 200], codes[:, 0] / 99)
    found = train_boundary(codes, scores, chosen=0.1, split=0.7)
    assert found.normal[0, 0] == 1
    # On the wrong side are those from the machine's cut to 81: all high by their code and low by their score.
    assert found.remaining == pytest.approx((80 - 32) / 80, abs=0.03)


@pytest.mark.parametrize(
    ("codes", "scores", "options", "text"),
    [
        (np.eye(40), np.arange(40.0), {}, "more are needed"),
        (np.eye(100), np.ones(100), {"chosen": 0.1}, "nothing to tell apart"),
        (np.zeros((100, 2)), np.arange(100.0), {"chosen": 0.1}, "no boundary"),
        (np.full((100, 2), np.nan), np.arange(100.0), {"chosen": 0.1}, "NaN"),
    ],
)
def test_what_cannot_give_a_boundary(codes, scores, options, text):
    with pytest.raises(BoundaryError, match=text):
        train_boundary(codes, scores, **options)


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    _, codes, scores = planted(count=500)
    with pytest.raises(MissingExtra, match="InterFaceGAN needs scikit-learn, .* -m pip install scikit-learn"):
        train_boundary(codes, scores)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(0, 5))
def test_a_projected_boundary_is_orthogonal_to_all_conditions(seed, count):
    rng = np.random.RandomState(seed)
    primal, others = rng.randn(1, 12), [rng.randn(1, 12) for _ in range(count)]
    if count > 2:
        others[1] = others[0] * -2  # given twice: a system of equations would be singular
    found = project_boundary(primal, others)
    assert found.shape == (1, 12) and found.dtype == np.float32
    assert abs(np.linalg.norm(found) - 1) < 1e-6
    assert all(abs(cosine(found, other)) < 1e-6 for other in others)
    assert cosine(found, primal) > 0
    # It is the nearest such direction: what was taken away lies within the conditions.
    gone = primal / np.linalg.norm(primal) - found * (primal @ found.T) / np.linalg.norm(primal)
    rank = np.linalg.matrix_rank(np.concatenate([*others, gone]), tol=1e-5)
    assert rank == (np.linalg.matrix_rank(np.concatenate(others)) if others else 0)


def test_one_condition_as_in_the_paper():
    primal, other = np.array([[3.0, 4.0, 0.0]]), np.array([[1.0, 0.0, 0.0]])
    assert np.allclose(project_boundary(primal, [other]), [[0, 1, 0]])


def test_nothing_may_be_left():
    with pytest.raises(BoundaryError, match="leaves 0"):
        project_boundary(np.array([[1.0, 1.0]]), [np.array([[1.0, 0.0]]), np.array([[0.3, 1.0]])])


def test_files_have_the_authors_layout(tmp_path):
    normal = np.array([[0.6, 0.8, 0.0]], np.float32)
    save_boundary(tmp_path / "b.npy", normal)
    raw = np.load(tmp_path / "b.npy", allow_pickle=False)
    assert raw.dtype == np.float32 and raw.shape == (1, 3) and np.array_equal(raw, normal)
    assert np.array_equal(load_boundary(tmp_path / "b.npy", 3), normal)
    np.save(tmp_path / "flat.npy", np.array([3.0, 4.0]))
    assert np.allclose(load_boundary(tmp_path / "flat.npy"), [[0.6, 0.8]])


def test_files_that_are_no_boundaries(tmp_path):
    def refused(text, name="x.npy", **options):
        with pytest.raises(BoundaryError, match=text):
            load_boundary(tmp_path / name, **options)

    refused("no such file")
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY")
    refused("not a .npy file")
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refused("holds objects, expected floats")
    np.savez(tmp_path / "x.npz", a=np.ones(3))
    refused("expected floats", "x.npz")
    for bad, text in ((np.ones((2, 3)), "expected floats"), (np.ones(3, int), "not floating point")):
        np.save(tmp_path / "x.npy", bad)
        refused(text)
    for bad, text in ((np.zeros((1, 3)), "its length is"), (np.full((1, 3), np.nan), "NaN or infinity")):
        np.save(tmp_path / "x.npy", bad)
        refused(text)
    huge = (tmp_path / "x.npy").read_bytes().replace(b"(1, 3), }" + b" " * 13, b"(1, 9999999999999), }"[:22].ljust(22))
    (tmp_path / "x.npy").write_bytes(huge)
    refused("more than is read")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.npy")
        refused("a pipe or a device", "pipe.npy")
    np.save(tmp_path / "x.npy", np.ones((1, 3)))
    refused("this network needs 4", dim=4)
