"""Judging scored edits: what is planted comes out, and choosing the best gains nothing."""

import numpy as np
import pytest

from sefa_plugin.evaluate.samples.bench import Changes
from sefa_plugin.evaluate.statistics import measures
from sefa_plugin.evaluate.statistics.summary import SummaryError, draws, summarise


def planted(effects, count=400, noise=0.1, seed=0, names=None):
    """Changes whose means are known: ``effects`` ``[k, A]`` in units of scores of spread 1, half to each side."""
    rng = np.random.RandomState(seed)
    effects = np.asarray(effects, float)
    k, attributes = effects.shape
    before = rng.randn(count, attributes)
    ends = np.stack([-effects / 2, effects / 2], axis=1)[:, :, None]  # [k, 2, 1, A]
    scores = before + ends + noise * rng.randn(k, 2, count, attributes)
    places = np.tile([-2.0, 2.0], (k, 1))
    names = names or tuple(f"a{at}" for at in range(attributes))
    return Changes(tuple(names), before, places, scores, np.full((k, 2), 0.1))


def test_known_effects():
    changes = planted([[2.0, 0, 0], [0, -1.0, 1.0], [0, 0, 0.1]])
    found = summarise(changes)
    spread = changes.before.std(axis=0)
    assert found.chosen.tolist() == [0, 1, 1]
    assert np.allclose(found.values["change"], [2 / spread[0], 1 / spread[1], 1 / spread[2]], atol=0.05)
    assert found.values["share"] == pytest.approx([1, 0.5, 0.5], abs=0.05)
    assert found.values["variety"] == 3
    assert found.values["rank"] == pytest.approx(measures.effective_rank(found.matrix))
    assert np.all(found.values["correlation"] > 0.97)
    assert found.values["preserved"] == pytest.approx([0.93, 0.75, 0.75], abs=0.05)
    assert found.of("change", "a1").low < 1 / spread[1] < found.of("change", "a1").high
    change = found.mean("change")
    assert change.low < change.value < change.high


def test_the_best_of_many_that_do_nothing_is_no_good():
    """Chosen and judged on the same samples it would look good."""
    changes = planted(np.zeros((40, 6)), count=100, noise=1.0)
    found = summarise(changes)
    naive = np.abs(changes.across.mean(axis=1) / measures.spreads(changes.before)).max(axis=0).mean()
    assert naive > 0.25
    assert abs(found.mean("change").value) < 0.12
    assert abs(found.mean("correlation").value) < 0.12
    assert found.values["variety"] == 0


def test_what_was_made_for_an_attribute_is_judged_by_it():
    changes = planted([[1.0, 0], [3.0, 0.5]])
    found = summarise(changes, ("a0", "a1"))
    assert found.chosen.tolist() == [0, 1]
    assert found.values["share"] == pytest.approx([1, 0.5 / 3.5], abs=0.06)
    assert summarise(changes).chosen.tolist() == [1, 1]
    assert summarise(planted([[0.1, -2.0], [-0.3, 1.0]])).chosen.tolist() == [1, 0]  # by size, whatever the sign
    backwards = summarise(planted([[-1.0, 0], [0, 1.0]]), ("a0", "a1"))
    assert backwards.values["change"][0] > 0  # a sign is no fault: it was learned on the other half


def test_correlation_is_pearsons():
    changes = planted([[1.0, 0.3], [0.2, 0.1]], noise=0.8)
    changes.places[1] = (-1.0, 3.0)
    found = summarise(changes)
    rows = {}
    for half in (0, 1):
        for at, index in enumerate(found.chosen):
            inside = np.arange(400) % 2 == half
            delta = (changes.scores[index, :, inside, at] - changes.before[inside, at][:, None]).T
            points = np.concatenate([delta[0], np.zeros(inside.sum()), delta[1]])
            apart = np.repeat([changes.places[index, 0], 0, changes.places[index, 1]], inside.sum())
            rows[half, at] = np.corrcoef(apart, points)[0, 1]
    assert found.values["correlation"] == pytest.approx([(rows[0, at] + rows[1, at]) / 2 for at in (0, 1)], abs=1e-9)


def test_intervals_hold_what_other_samples_give():
    many = [summarise(planted([[1.0, 0.2], [0.1, 0.6]], count=80, noise=1.0, seed=seed)) for seed in range(60)]
    for measure in ("change", "correlation", "preserved"):
        truth = np.mean([one.values[measure].mean() for one in many])
        held = [one.mean(measure).low <= truth <= one.mean(measure).high for one in many]
        assert np.mean(held) > 0.8, measure


def test_an_attribute_that_never_varies_is_left_out():
    changes = planted([[1.0, 0.5, 0.2]])
    changes.before[:, 1] = 4.0
    found = summarise(changes)
    assert found.names == ("a0", "a2")
    assert found.matrix.shape == (1, 2)
    changes.before[:] = 1.0
    with pytest.raises(SummaryError, match="no attribute varies"):
        summarise(changes)


def test_one_sample_is_too_few():
    with pytest.raises(ValueError, match="at least 2"):
        draws(1)


def test_equal_resamplings_pair_what_is_compared():
    """The same noise in both: their difference is known far better than either."""
    weights = draws(300, seed=3)
    one, other = planted([[1.0]], 300, 1.0), planted([[1.1]], 300, 1.0)
    first, second = summarise(one, weights=weights), summarise(other, weights=weights)
    apart = second.replicates["change"] - first.replicates["change"]
    assert apart.std() < 0.1 * first.replicates["change"].std()
    assert summarise(one, spread=np.array([10.0])).values["change"][0] == pytest.approx(
        first.values["change"][0] * one.before.std() / 10
    )
