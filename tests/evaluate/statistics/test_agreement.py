"""Agreement and votes against published examples."""

import math

import numpy as np
import pytest

from sefa_plugin.evaluate.statistics import agreement as work

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability": A, two people, yes or no; B, two people, nominal;
# C, four people with missing ratings.
_BINARY = ["0100000010", "1110010000"]
_NOMINAL = ["aabbdcccedda", "babbbccceddd"]
_MISSING = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]


def ratings(rows):
    return np.array([[math.nan if letter == "." else float(int(letter, 16)) for letter in row] for row in rows])


def alpha(rows, level):
    counts, values = work.counts_of(ratings(rows))
    return work.krippendorff_alpha(counts, values, level)[0]


@pytest.mark.parametrize(
    ("rows", "level", "published"),
    [
        (_BINARY, "nominal", 0.095),
        (_NOMINAL, "nominal", 0.692),
        (_MISSING, "nominal", 0.743),
        (_MISSING, "ordinal", 0.815),
        (_MISSING, "interval", 0.849),
    ],
)
def test_alpha_is_that_of_krippendorffs_examples(rows, level, published):
    assert alpha(rows, level) == pytest.approx(published, abs=0.0005)


def test_alpha_by_hand():
    """Two people, three units: (1, 1), (1, 2), (2, 2). Observed 2 of 6 pairs differ, expected 18 of 30."""
    assert alpha(["112", "122"], "nominal") == pytest.approx(1 - (2 / 6) / (18 / 30))


def test_alpha_that_is_not_defined():
    assert np.isnan(alpha(["1111", "1111"], "nominal")) and np.isnan(alpha(["1111", "1111"], "ordinal"))
    assert np.isnan(alpha(["12..", "..12"], "interval"))
    assert alpha(["1212", "1212"], "nominal") == 1


def test_a_unit_that_is_drawn_twice_counts_as_two():
    counts, values = work.counts_of(ratings(_MISSING))
    twice = np.concatenate([counts, counts[:3]])
    weights = np.ones((1, len(counts)))
    weights[0, :3] = 2
    for level in work.LEVELS:
        drawn = work.krippendorff_alpha(counts, values, level, weights)
        assert drawn == pytest.approx(work.krippendorff_alpha(twice, values, level))


# Fourteen people, ten units, five values: the worked example that textbooks and encyclopedias give for Fleiss' kappa.
_FOURTEEN = """
0 0 0 0 14 | 0 2 6 4 2 | 0 0 3 5 6 | 0 3 9 2 0 | 2 2 8 1 1 | 7 7 0 0 0 | 3 2 6 3 0 | 2 5 3 2 2 | 6 5 2 1 0 | 0 2 2 3 7
"""
# Fleiss 1971, table 1: six psychiatrists, thirty patients, five diagnoses.
_DIAGNOSES = """
0 0 0 6 0 | 0 3 0 0 3 | 0 1 4 0 1 | 0 0 0 0 6 | 0 3 0 3 0 | 2 0 4 0 0 | 0 0 4 0 2 | 2 0 3 1 0 | 2 0 0 4 0 | 0 0 0 0 6 |
1 0 0 5 0 | 1 1 0 4 0 | 0 3 3 0 0 | 1 0 0 5 0 | 0 2 0 3 1 | 0 0 5 0 1 | 3 0 0 1 2 | 5 1 0 0 0 | 0 2 0 4 0 | 1 0 2 0 3 |
0 0 0 0 6 | 0 1 0 5 0 | 0 2 0 1 3 | 2 0 0 4 0 | 1 0 0 4 1 | 0 5 0 1 0 | 4 0 0 0 2 | 0 2 0 4 0 | 1 0 5 0 0 | 0 0 0 0 6
"""


def table(text):
    return np.array([[float(word) for word in row.split()] for row in text.split("|")])


@pytest.mark.parametrize(("text", "published"), [(_FOURTEEN, 0.210), (_DIAGNOSES, 0.430)])
def test_kappa_is_that_of_published_tables(text, published):
    assert work.fleiss_kappa(table(text))[0] == pytest.approx(published, abs=0.0005)


def test_kappa_needs_complete_ratings():
    counts = table(_FOURTEEN)
    counts[0, 4] = 13
    with pytest.raises(ValueError, match="same people"):
        work.fleiss_kappa(counts)
    assert work.kappa_interval(counts) is None
    assert np.isnan(work.fleiss_kappa(np.array([[3.0, 0], [3, 0]]))[0])


def test_intervals_hold_the_value_and_follow_the_seed():
    counts, values = work.counts_of(ratings(_MISSING))
    found = work.alpha_interval(counts, values, "ordinal")
    assert found.low < found.value < found.high <= 1 and found == work.alpha_interval(counts, values, "ordinal")
    assert found != work.alpha_interval(counts, values, "ordinal", seed=1)
    kappa = work.kappa_interval(table(_DIAGNOSES))
    assert 0.3 < kappa.low < kappa.value < kappa.high < 0.6
    assert work.alpha_interval(np.zeros((0, 0)), np.zeros(0), "nominal") is None


@pytest.mark.parametrize(
    ("votes", "of", "low", "high"),  # Newcombe 1998, "Two-sided confidence intervals ...", table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_that_of_newcombes_table(votes, of, low, high):
    found = work.wilson(votes, of)
    assert (found.value, found.low, found.high) == pytest.approx((votes / of, low, high), abs=0.00005)
    assert work.wilson(0, 0) is None


def test_votes_for_one_or_the_other():
    assert work.sign_test(5, 0) == pytest.approx(2 / 32) == work.sign_test(0, 5)
    assert work.sign_test(3, 3) == 1 and work.sign_test(0, 0) == 1
    assert work.sign_test(9, 1) == pytest.approx(22 / 1024)
