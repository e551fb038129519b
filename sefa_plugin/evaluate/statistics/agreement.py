"""How far people agree (Krippendorff's alpha, Fleiss' kappa), and votes with their intervals (Wilson).

*Counts* are ``[U, V]``: how many people gave unit ``u`` the value ``v``; who has not rated a unit is not counted there.
"""

from __future__ import annotations

from math import comb, sqrt
from statistics import NormalDist

import numpy as np

from .bootstrap import LEVEL, Interval, interval, resampling

LEVELS = ("nominal", "ordinal", "interval")


def counts_of(ratings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts ``[U, V]`` of ratings ``[people, U]``, NaN where there is none, and the values ``[V]``, ascending."""
    values = np.unique(ratings[~np.isnan(ratings)])
    counts: np.ndarray = (ratings[:, :, None] == values).sum(axis=0).astype(float)
    return counts, values


def krippendorff_alpha(
    counts: np.ndarray, values: np.ndarray, level: str, weights: np.ndarray | None = None
) -> np.ndarray:
    """Krippendorff's alpha, for any number of people and with missing ratings.

    Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), in its form for many people and any metric: with
    ``n_uc`` people who gave unit u the value c, ``m_u`` in all (units of fewer than two are left out), ``n_c`` the sum
    over units and n that over all values, alpha is

        1 - (n - 1) * sum_u 1 / (m_u - 1) * sum_{c<k} n_uc n_uk d_ck / sum_{c<k} n_c n_k d_ck

    where ``d_ck`` is 1 (nominal), ``(c - k)^2`` (interval), or ``(sum_{g=c}^{k} n_g - (n_c + n_k) / 2)^2`` (ordinal).

    Args:
        counts: ``[U, V]``.
        values: ``[V]``, ascending; of nominal data only their number counts.
        level: one of ``LEVELS``.
        weights: ``[B, U]``, how often each unit counts in each of B resamplings; None: once.

    Returns:
        ``[B]``; NaN where it is not defined: fewer than two people for every unit, or a single value.
    """
    people = counts.sum(axis=1)
    paired = people > 1
    counts, people = counts[paired], people[paired]
    weights = np.ones((1, len(paired))) if weights is None else weights
    weights = weights[:, paired]
    found = np.full(len(weights), np.nan)
    if not len(counts):
        return found
    totals = weights @ counts  # [B, V]
    if level == "nominal":
        apart = (people**2 - (counts**2).sum(axis=1)) / (people - 1)  # of each unit, each pair twice
        observed, n = weights @ apart, totals.sum(axis=1)
        expected = n**2 - (totals**2).sum(axis=1)
        np.divide((n - 1) * observed, expected, out=found, where=expected > 0)
        return 1 - found
    for at, (weight, total) in enumerate(zip(weights, totals)):
        if level == "interval":
            distance = (values[:, None] - values) ** 2
        else:  # from the middle of one value's ratings to that of the other's, all ratings in a row
            middle = np.cumsum(total) - total / 2
            distance = (middle[:, None] - middle) ** 2
        observed = weight @ (((counts @ distance) * counts).sum(axis=1) / (people - 1))
        expected = total @ distance @ total
        if expected > 0:
            found[at] = 1 - (total.sum() - 1) * observed / expected
    return found


def fleiss_kappa(counts: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Fleiss' kappa, where the same number of people has rated each unit.

    Fleiss, "Measuring nominal scale agreement among many raters", Psychological Bulletin 76 (1971), equations 1 to 7:
    with n people, the agreement of unit i is ``P_i = (sum_j n_ij^2 - n) / (n (n - 1))`` and kappa
    ``(mean P - sum_j p_j^2) / (1 - sum_j p_j^2)``, ``p_j`` being the share of value j in all ratings.

    Args:
        counts: ``[U, V]``, the same sum in each row, at least 2.
        weights: as of :func:`krippendorff_alpha`.

    Returns:
        ``[B]``; NaN where all ratings are the same value.

    Raises:
        ValueError: the sums differ.
    """
    people = counts.sum(axis=1)
    if not len(people) or people[0] < 2 or (people != people[0]).any():
        raise ValueError("Fleiss' kappa needs the same people, two or more, for every unit")
    weights = np.ones((1, len(counts))) if weights is None else weights
    n, units = people[0], weights.sum(axis=1)
    agreed = weights @ (((counts**2).sum(axis=1) - n) / (n * (n - 1))) / units
    chance = ((weights @ counts / (n * units)[:, None]) ** 2).sum(axis=1)
    kappa = np.full(len(weights), np.nan)
    np.divide(agreed - chance, 1 - chance, out=kappa, where=chance < 1 - 1e-12)
    return kappa


def alpha_interval(counts: np.ndarray, values: np.ndarray, level: str, seed: int = 0) -> Interval | None:
    """Alpha with its interval by resampling the units; None where it is not defined."""
    draws = resampling(len(counts), seed=seed) if len(counts) else np.ones((1, 0))
    value = krippendorff_alpha(counts, values, level)[0]
    return _resampled(float(value), krippendorff_alpha(counts, values, level, draws))


def kappa_interval(counts: np.ndarray, seed: int = 0) -> Interval | None:
    """Fleiss' kappa with its interval by resampling the units; None where it is not defined."""
    try:
        value = fleiss_kappa(counts)[0]
    except ValueError:
        return None
    return _resampled(float(value), fleiss_kappa(counts, resampling(len(counts), seed=seed)))


def _resampled(value: float, replicates: np.ndarray) -> Interval | None:
    """The interval of replicates, without those that are not defined."""
    replicates = replicates[~np.isnan(replicates)]
    return None if np.isnan(value) or not len(replicates) else interval(value, replicates)


def wilson(votes: int, of: int) -> Interval | None:
    """The share of votes with Wilson's 95 % score interval; None without any.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927): with ``p = votes /
    of`` and the quantile z, ``(p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)``.
    """
    if not of:
        return None
    z, share = NormalDist().inv_cdf((1 + LEVEL) / 2), votes / of
    middle = share + z**2 / (2 * of)
    reach = z * sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    low, high = (middle - reach) / (1 + z**2 / of), (middle + reach) / (1 + z**2 / of)
    return Interval(share, max(0.0, min(low, share)), min(1.0, max(high, share)))


def sign_test(one: int, other: int) -> float:
    """Two-sided exact p of votes for one and for another, if both were as likely (binomial test)."""
    count = one + other
    tail = sum(comb(count, votes) for votes in range(max(one, other), count + 1))
    return min(1.0, float(2 * tail / (1 << count)))
