"""The bench: equal visible change, what is measured, what is kept."""

import numpy as np
import pytest
import torch
from made_directions import altered
from planted import ATTRIBUTES, STEP, Planted, Reader

from sefa_plugin.evaluate.methods.methods import by_chance, by_sefa
from sefa_plugin.evaluate.samples.bench import Bench
from sefa_plugin.evaluate.samples.parts import Parts
from sefa_plugin.rendering.calibration import calibrate
from sefa_plugin.rendering.look import Look


def test_changes_are_those_of_the_planted_axes():
    G = Planted()
    bench = Bench(G, Reader(), count=20)
    directions = bench.calibrated(by_sefa(G, 6).directions)
    changes = bench.changes(directions)
    assert changes.names == ATTRIBUTES
    w = np.stack([np.random.RandomState(1000 + at).randn(12) for at in range(20)]) * G.deviations @ G.spread_axes
    step = 2 / 255 / STEP  # what rounding of pixels can do
    assert np.abs(changes.before - (w @ G.axes.T).clip(-1 / STEP, 1 / STEP)).max() < step
    for index, (low, high) in enumerate(changes.places):
        moved = directions.vectors[index] @ G.axes.T
        for side, end in enumerate((low, high)):
            expected = (w @ G.axes.T + end * moved).clip(-1 / STEP, 1 / STEP)
            assert np.abs(changes.scores[index, side] - expected).max() < step
    assert np.allclose(changes.across, changes.scores[:, 1] - changes.scores[:, 0])
    one = np.abs(changes.scores[2] - changes.before).mean(axis=0)
    assert np.allclose(changes.moves[2], one)


def test_visible_change_is_equal():
    G = Planted()
    bench = Bench(G, Reader(), count=40)
    directions = bench.calibrated(by_sefa(G, 6).directions)
    visible = bench.changes(directions).visible
    assert visible.shape == (6, 2)
    assert visible.std() / visible.mean() < 0.2
    again = calibrate(G, by_sefa(G, 6).directions)
    assert again.ranges == directions.ranges and again.calibration == directions.calibration
    assert again.sigmas == directions.sigmas and again.broken == directions.broken


def test_calibration_does_not_depend_on_what_was_done_before():
    G = Planted()
    alone = Bench(G, Reader(), count=4).calibrated(by_chance(G, 5, seed=2).directions)
    bench = Bench(G, Reader(), count=4)
    for seed in range(4):
        bench.calibrated(by_chance(G, 5, seed=seed + 10).directions)
    assert bench.calibrated(by_chance(G, 5, seed=2).directions).ranges == alone.ranges


def test_what_was_measured_is_not_measured_again(tmp_path):
    asked = []

    class Counting(Reader):
        def __call__(self, pictures):
            asked.append(len(pictures))
            return super().__call__(pictures)

        def features(self, pictures):
            asked.append(-len(pictures))
            return super().features(pictures)

    G = Planted()

    def everything(count=10, look=None, seed=0):
        bench = Bench(G, Counting(), look, count=count, parts=Parts(tmp_path))
        directions = bench.calibrated(by_chance(G, 3, seed=seed).directions)
        changes = bench.changes(directions)
        featured = Reader()
        featured.features = lambda pictures: asked.append(-1) or Reader.features(featured, pictures)
        return changes, bench.scored_samples()[1], bench.features(featured, directions)

    first = everything()
    assert asked
    asked.clear()
    second = everything()
    assert not asked
    assert np.array_equal(first[0].scores, second[0].scores)
    assert np.array_equal(first[0].visible, second[0].visible)
    assert all(np.array_equal(first[1][name], second[1][name]) for name in ATTRIBUTES)
    assert np.array_equal(first[2], second[2])
    for other in ({"count": 12}, {"look": Look(trunc=0.5)}, {"seed": 1}):
        everything(**other)
        assert asked, other
        asked.clear()
    for file in tmp_path.glob("*.npz"):
        file.write_bytes(file.read_bytes()[:50])  # cut files are measured again
    assert np.array_equal(everything()[0].scores, first[0].scores)
    assert asked
    Parts(tmp_path).clear()
    assert not list(tmp_path.iterdir())


def test_an_interrupted_measurement_leaves_nothing_wrong(tmp_path):
    G = Planted()
    bench = Bench(G, Reader(), count=10, parts=Parts(tmp_path))
    directions = bench.calibrated(by_sefa(G, 3).directions)

    class Stopping(Reader):
        left = 3

        def __call__(self, pictures):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().__call__(pictures)

    with pytest.raises(KeyboardInterrupt):
        Bench(G, Stopping(), count=10, parts=Parts(tmp_path)).changes(directions)
    resumed = Bench(G, Reader(), count=10, parts=Parts(tmp_path)).changes(directions)
    assert np.array_equal(resumed.scores, Bench(G, Reader(), count=10).changes(directions).scores)


def test_two_benches_of_the_same_samples_share_what_they_know(tmp_path):
    """One may not save over what the other has saved."""
    G = Planted()
    bench = Bench(G, Reader(), count=6, parts=Parts(tmp_path))
    one = bench.calibrated(by_sefa(G, 2).directions)
    other = bench.calibrated(by_chance(G, 2).directions)
    bench.changes(one)
    bench.replace(Look(trunc=0.7)).changes(one)
    bench.replace(Look()).changes(other)
    bench.changes(bench.calibrated(by_chance(G, 2, seed=9).directions))
    asked = []

    class Counting(Reader):
        def __call__(self, pictures):
            asked.append(len(pictures))
            return super().__call__(pictures)

    again = Bench(G, Counting(), count=6, parts=Parts(tmp_path))
    again.changes(one)
    again.changes(other)
    assert not asked


def test_features_of_edits_in_turn():
    G = Planted()
    bench = Bench(G, Reader(), count=8)
    directions = bench.calibrated(by_sefa(G, 2).directions)
    plain, edited = bench.features(Reader()), bench.features(Reader(), directions)
    changes = bench.changes(directions)
    turns = [(0, 0), (1, 0), (0, 1), (1, 1)] * 2
    for at, (index, side) in enumerate(turns):
        assert np.allclose(edited[at], changes.scores[index, side, at], atol=1e-4)
    assert np.allclose(plain, changes.before, atol=1e-4)


def test_a_side_that_is_left_out_is_not_counted():

    G = Planted()
    bench = Bench(G, Reader(), count=6)
    held = altered(by_sefa(G, 1).directions, ranges=((0.0, 2.0),))
    changes = bench.changes(held)
    assert np.array_equal(changes.scores[0, 0], changes.before)
    assert np.allclose(changes.moves[0], np.abs(changes.scores[0, 1] - changes.before))
    assert changes.visible[0, 0] == 0
    assert not torch.is_grad_enabled() or np.isfinite(bench.features(Reader(), held)).all()
    with pytest.raises(ValueError, match="calibrate them first"):
        bench.changes(by_sefa(G, 1).directions)


def test_trial_says_what_there_is():
    assert Bench(Planted(), Reader(), count=50).samples.trial(Reader()) == ATTRIBUTES
