"""How much of one direction is taken out of another, by marks."""

import numpy as np
import pytest

from sefa_plugin.directions.apart import FURTHEST, amount_of, combined
from sefa_plugin.directions.keys import parse_key
from sefa_plugin.directions.layers import Label


def marked(best: float, width: float, count: int, seed: int, wrong: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Marks of somebody who wants what is within ``width`` of ``best``, and is wrong some times."""
    rng = np.random.RandomState(seed)
    amounts = np.linspace(-FURTHEST, FURTHEST, count)
    wanted = np.abs(amounts - best) < width
    wanted[rng.choice(count, wrong, replace=False)] ^= True
    return amounts, wanted


@pytest.mark.parametrize("best", [-0.6, -0.2, 0.0, 0.45])
def test_the_middle_of_what_is_wanted_is_found(best):
    found = amount_of(*marked(best, 0.3, 20, 0))
    assert found.value == pytest.approx(best, abs=0.12) and found.low < best < found.high


def test_more_marks_say_it_more_closely_and_wrong_ones_less():
    few, many = (amount_of(*marked(0.4, 0.3, count, 0)) for count in (10, 30))
    assert many.high - many.low < few.high - few.low
    errors = [abs(amount_of(*marked(0.4, 0.3, 20, seed, wrong=2)).value - 0.4) for seed in range(20)]
    assert np.median(errors) < 0.15


def test_what_is_wanted_beyond_the_pictures_is_looked_for_there_and_0_is_likeliest_before():
    amounts = np.linspace(-1, 1, 20)
    assert amount_of(amounts, amounts > 0.6).value > 0.7
    even = amount_of(amounts, np.arange(20) % 2 == 0)
    assert even.low < 0 < even.high


@pytest.mark.parametrize("wanted", [[16], [5, 12], [9, 16], [10, 15]])
def test_marks_here_and_there_leave_the_direction_as_it_is(wanted):
    """Somebody's marks where no amount of the second direction helps; they had moved the direction by up to 0.6."""
    found = amount_of(np.linspace(-1, 1, 20), np.isin(np.arange(20), wanted))
    assert found.value == 0 and found.low < 0 < found.high


@pytest.mark.parametrize(
    ("amounts", "wanted", "text"),
    [
        ([], [], "0 pictures are marked: mark 6 or more"),
        ([0.1] * 8, [True] * 8, "all pictures show what is wanted"),
        ([0.1] * 8, [False] * 8, "no picture shows what is wanted"),
    ],
)
def test_marks_that_say_nothing_are_refused(amounts, wanted, text):
    with pytest.raises(ValueError, match=text):
        amount_of(amounts, wanted)


def test_a_combination_has_the_length_of_a_direction():
    plain = combined(np.eye(3)[:2], (3.0, -4.0))
    np.testing.assert_allclose(plain, [0.6, -0.8, 0])
    rows = combined(np.random.RandomState(0).randn(2, 4, 5), (1.0, 2.0))
    assert rows.shape == (4, 5) and np.square(rows).sum(axis=1).mean() == pytest.approx(1)


@pytest.mark.parametrize("label", ["all", "coarse-sharp", "4-7-sharp-pictures", "all-in-0.1_0.2_0.3_0.4"])
def test_the_label_of_a_direction_taken_apart_says_of_which(label):
    made = Label.of(label)._replace(apart="3-12")
    assert str(made) == f"{label}-apart-3-12" and Label.of(str(made)) == made
    assert made.is_selection and made.is_kept and made.words == f"{Label.of(label).words}, 3 apart from 12"
    assert parse_key(f"{made}:0") == (str(made), 0)
    with_rows = made._replace(rows="0-3")
    assert Label.of(str(with_rows)) == with_rows
