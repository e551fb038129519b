"""The order of clean directions: alike in all pictures, and each in another place."""

from dataclasses import replace

import numpy as np
import pytest

from sefa_plugin import Directions, factorize, load_network
from sefa_plugin.directions.clean import order, scores
from sefa_plugin.directions.kept import keep
from sefa_plugin.directions.picture_grams import PictureGrams
from sefa_plugin.directions.sharpening import with_scores
from sefa_plugin.runs.settings import Wanted


def grams(changes: np.ndarray) -> PictureGrams:
    """Of changes ``[samples, cells, p, numbers]``."""
    mean = changes.mean(axis=0)
    cells = (changes @ changes.transpose(0, 1, 3, 2)).mean(axis=0)
    return PictureGrams(cells, (mean @ mean.transpose(0, 2, 1)).sum(axis=0))


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def test_alike_is_the_part_of_the_change_that_all_samples_share():
    rng = np.random.RandomState(0)
    changes = np.zeros((400, 4, 3, 6))
    changes[:, 0, 0] = unit(rng.randn(6))  # the same in every sample
    changes[:, 1, 1] = unit(rng.randn(6)) * rng.choice([-1, 1], size=(400, 1))  # forwards or backwards
    changes[:, 2, 2] = unit(rng.randn(6)) + unit(rng.randn(400, 6))
    found = scores(np.eye(3), grams(changes))
    np.testing.assert_allclose([score.alike for score in found], [1, 0, 0.5], atol=0.06)
    assert [score.place for score in found] == [0, 2, 1]
    both = scores(np.array([[1.0, 0], [1, 0], [0, 2]]), grams(changes))  # sums of the vectors, of any length
    assert both[0].alike == pytest.approx(0.5, abs=0.06) and both[1].alike == pytest.approx(found[2].alike, abs=1e-4)


def test_directions_of_a_place_that_is_taken_come_later():
    overlap = np.array([[0, 1, 0, 0.6], [1, 0, 0, 0.6], [0, 0, 0, 0.6], [0.6, 0.6, 0.6, 0]])
    assert order(np.array([0.9, 0.8, 0.3, 0.5]), overlap) == [0, 2, 3, 1]
    assert order(np.array([0.2, 0.2]), np.ones((2, 2))) == [0, 1]
    assert order(np.zeros(3), np.zeros((3, 3))) == [0, 1, 2]


def test_overlap_is_of_the_cells_that_both_change_and_size_counts():
    changes = np.zeros((4, 2, 3, 1))
    for cell, direction, size in ((0, 0, 3), (0, 1, 2), (1, 1, 2), (1, 2, 1)):
        changes[:, cell, direction] = size  # alike in all samples
    # Direction 0 first; then 2, of size 1, before 1, of size 8 ** 0.5, of which 0 has the place by half ** 0.5.
    assert scores(np.eye(3), grams(changes)) == [(1, 0), (1, 2), (1, 1)]


@pytest.mark.command
def test_scores_are_kept_and_are_those_of_the_pictures_that_found_the_directions(tmp_path, monkeypatch):
    monkeypatch.setattr("sefa_plugin.directions.sharpening.SAMPLES", 8)
    G = load_network("demo")
    held = factorize(G, sharpen="pictures")
    assert held.has_order and sorted(score.place for score in held.scores) == list(range(len(held)))
    bare = held.with_entries({at: replace(one, score=None) for at, one in enumerate(held.entries)})
    seen = []
    again = with_scores(bare, G, seen.append)
    assert sum(seen) == 8 * (1 + len(held)) and with_scores(held, G, seen.append) is held
    alike = [[score.alike for score in one.scores] for one in (again, held)]
    np.testing.assert_allclose(*alike, atol=0.06)  # pictures along the directions, not their basis
    assert again.in_order("clean")[:3] == held.in_order("clean")[:3]

    file = keep(bare.named(1, "turn"), tmp_path / "directions-all-sharp-pictures.safetensors")
    assert not Directions.load(file).has_order
    keep(held, file)  # as found anew, without the name
    kept = Directions.load(file)
    assert kept.names[1] == "turn" and kept.scores == held.scores
    keep(bare, file)
    assert Directions.load(file).scores == held.scores
    alike = held.scores[0].alike
    assert held.entries[0].changes_alike == f"{alike:.0%} of its change is the same in all pictures"
    elsewhere = held.edited_at((5, 6), "5-6")
    assert not elsewhere.has_order and elsewhere.entries[0].changes_alike == ""


@pytest.mark.command
def test_the_clean_ones_of_the_weights(monkeypatch):
    monkeypatch.setattr("sefa_plugin.directions.sharpening.SAMPLES", 2)
    G = load_network("demo")
    every = with_scores(factorize(G, sharpen="layers"), G)
    clean = factorize(G, sharpen="layers", order="clean", num_directions=4)
    np.testing.assert_array_equal(clean.vectors, every.vectors[every.in_order("clean")[:4]])
    assert [score.place for score in clean.scores] == [0, 1, 2, 3] and every.in_order("strength") == list(
        range(len(every))
    )


def test_what_has_no_such_order_says_so():
    G = load_network("demo")
    plain, sharp = factorize(G, num_directions=3), factorize(G, sharpen="layers")
    for ways in ({}, {"space": "z"}, {"region": (0, 0, 0.5, 1)}):
        with pytest.raises(ValueError, match="only directions of --sharpen layers or pictures have the order clean"):
            factorize(G, order="clean", **ways)
    with pytest.raises(ValueError, match="have the order clean"):
        with_scores(plain, G)
    with pytest.raises(ValueError, match="order of clean ones is not known"):
        sharp.in_order("clean")
    for asked in (sharp.in_order, lambda order: factorize(G, order=order), lambda order: Wanted(order=order)):
        with pytest.raises(ValueError, match="choose strength or clean"):
            asked("dirty")
