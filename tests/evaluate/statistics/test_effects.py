import numpy as np
import pytest

from sefa_plugin.evaluate.statistics.effects import effects_of


def test_means_errors_and_spreads():
    from scipy import stats  # takes a second, which nobody else needs

    rng = np.random.RandomState(0)
    unedited = rng.randn(40, 3) * [1, 2, 0] + [0, 5, 7]
    low, high = rng.randn(2, 2, 40, 3)
    effects = effects_of(["a", "b", "c"], low, high, unedited)
    assert np.allclose(effects.change, (high - low).mean(axis=1))
    assert np.allclose(effects.normalized[:, :2], effects.change[:, :2] / unedited.std(axis=0)[:2])
    assert (effects.normalized[:, 2] == 0).all()  # it never varies: nothing can be said
    for level in (0.95, 0.999):
        ends = effects.interval(level)
        for place in np.ndindex(2, 3):
            paired = (high - low)[place[0], :, place[1]]
            want = stats.t.interval(level, 39, paired.mean(), stats.sem(paired))
            assert np.allclose([end[place] for end in ends], want, rtol=1e-9)


@pytest.mark.parametrize(("count", "draw"), [(12, "normal"), (150, "exponential"), (200, "flips")])
def test_intervals_hold_the_truth_as_often_as_they_say(count, draw):
    """Thousands of experiments whose true change is known, with samples that differ more than they change."""
    rng = np.random.RandomState(1)
    size = (4000, count, 1)
    noise = {
        "normal": rng.randn(*size),
        "exponential": rng.exponential(size=size) - 1,
        "flips": np.where(rng.uniform(size=size) < 0.3, 1.0, 0.0) - 0.3,
    }[draw]
    low = 10 * rng.randn(*size)
    effects = effects_of(["a"], low, low + 0.5 + noise, rng.randn(count, 1))
    low_end, high_end = effects.interval()
    held = ((low_end <= 0.5) & (high_end >= 0.5)).mean()
    assert 0.935 < held < 0.965


def test_significance_holds_for_the_whole_matrix():
    """Of matrices of pure chance, one in twenty or less has any significant cell."""
    rng = np.random.RandomState(2)
    wrong = 0
    for _ in range(300):
        low, high = rng.randn(2, 5, 30, 8)
        wrong += effects_of([*"abcdefgh"], low, high, rng.randn(30, 8)).significant().any()
    assert wrong <= 300 * 0.09
    real = effects_of(["a"], np.zeros((1, 30, 1)), 1 + 0.1 * rng.randn(1, 30, 1), rng.randn(30, 1))
    assert real.significant().all()


def test_one_sample_tells_nothing():
    with pytest.raises(ValueError, match="at least 2"):
        effects_of(["a"], np.zeros((1, 1, 1)), np.ones((1, 1, 1)), np.ones((1, 1)))
