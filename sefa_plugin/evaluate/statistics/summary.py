"""From scored edits to the figures of a table, with intervals.

The direction of an attribute (the one that changes it most) is chosen on one half of the samples and measured on the
other half, and vice versa, which avoids selection bias. A direction that was made for an attribute is always used for
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..samples.bench import Changes
from . import measures
from .bootstrap import Interval, interval, resampling

HALVES = 2


class SummaryError(Exception):
    """Scores that cannot be summarised."""


@dataclass(frozen=True, eq=False)
class Summary:
    """Figures of one set of directions, for each attribute and each resampling of the samples.

    Attributes:
        names: of the attributes that vary among the samples; only these are measured.
        chosen: the direction of each, by all samples: int ``[A]``.
        matrix: mean change in standard deviations, ``[k, A]``.
        values: by measure ``[A]``, or one number for all attributes together.
        replicates: by measure ``[B, A]``, or ``[B]``.
    """

    names: tuple[str, ...]
    chosen: np.ndarray
    matrix: np.ndarray
    values: dict[str, np.ndarray]
    replicates: dict[str, np.ndarray]

    def mean(self, measure: str) -> Interval:
        """A measure, averaged over the attributes where it has a value for each."""
        value, replicates = self.values[measure], self.replicates[measure]
        if np.ndim(value):
            return interval(float(np.mean(value)), replicates.mean(axis=1))
        return interval(float(value), replicates)

    def of(self, measure: str, name: str) -> Interval:
        """A measure of one attribute."""
        at = self.names.index(name)
        return interval(float(self.values[measure][at]), self.replicates[measure][:, at])


def draws(count: int, seed: int = 0) -> np.ndarray:
    """Resamplings ``[B, N]`` of the samples that keep the size of both halves.

    Raises:
        ValueError: fewer than two samples.
    """
    if count < HALVES:
        raise ValueError(f"{count} samples: at least {HALVES} are needed")
    return resampling(count, seed=seed, parts=HALVES)


def summarise(
    changes: Changes,
    intended: Sequence[str] = (),
    *,
    spread: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> Summary:
    """Compute the measures of a set of directions.

    Args:
        changes: scores of the edits.
        intended: for each direction the attribute that it was made for, '' for none.
        spread: standard deviations ``[A]`` as units; by default those of the unedited samples.
        weights: of :func:`draws`; equal weights for two sets make intervals of their differences narrow.

    Returns:
        The measures ``change`` (standard deviations, with the sign of the other half, so that a change of random sign
        averages to 0), ``share``, ``preserved`` and ``correlation`` of each attribute's direction, and
        ``variety`` and ``rank`` of the whole set.

    Raises:
        SummaryError: no attribute varies.
    """
    varies = np.isfinite(measures.spreads(changes.before))
    names = tuple(name for name, there in zip(changes.names, varies) if there)
    if not names:
        raise SummaryError("no attribute varies among the samples: nothing can be measured")
    across, moves, before = changes.across[..., varies], changes.moves[..., varies], changes.before[:, varies]
    delta = (changes.scores - changes.before)[..., varies]
    count = across.shape[1]
    weights = draws(count) if weights is None else weights
    every = np.concatenate([np.ones((1, count)), weights])  # the first row is the samples as they are
    units = measures.spreads(before, every) if spread is None else np.broadcast_to(spread[varies], (1, len(names)))
    units = units[:, None]  # [1 + B or 1, 1, A]
    apart = measures.unlikeness(before, every)[:, None]
    fixed = _fixed(intended, names)
    parts: list[dict[str, np.ndarray]] = []
    for half in range(HALVES):
        inside = np.arange(count) % HALVES == half
        mine, others = every * inside, every * ~inside
        theirs = measures.means(across, others) / units
        chosen = np.where(fixed >= 0, fixed, np.abs(theirs).argmax(axis=1))  # [1 + B, A]
        sign = np.sign(_own(theirs, chosen))
        matrix = measures.means(across, mine) / units
        relative = measures.means(moves, mine) / apart
        parts.append(
            {
                "change": sign * _own(matrix, chosen),
                "share": _own(measures.shares(matrix), chosen),
                "preserved": _own(measures.preserved(relative), chosen),
                "correlation": sign * _own(_correlation(delta, changes.places, mine), chosen),
            }
        )
    found = {key: np.mean([part[key] for part in parts], axis=0) for key in parts[0]}
    whole = measures.means(across, every) / units
    error = measures.SURE * across.std(axis=1) / np.sqrt(count) / units[0]
    found["variety"] = (np.abs(whole) - error > measures.REACHED).any(axis=1).sum(axis=1).astype(float)
    found["rank"] = np.array([measures.effective_rank(matrix) for matrix in whole])
    chosen = np.where(fixed >= 0, fixed, np.abs(whole[0]).argmax(axis=0))
    return Summary(
        names,
        chosen,
        whole[0],
        {key: value[0] for key, value in found.items()},
        {key: value[1:] for key, value in found.items()},
    )


def _own(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Of ``[B, k, A]`` the entries of the directions chosen in each replicate, ``[B, A]``."""
    return np.take_along_axis(values, chosen[:, None], axis=1)[:, 0]


def _fixed(intended: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """The direction made for each attribute, -1 where there is none."""
    made = list(intended)
    return np.array([made.index(name) if name in made else -1 for name in names])


def _correlation(delta: np.ndarray, places: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pearson's correlation of distance and change of score, over both ends, the unedited pictures and all samples.

    Changes ``[k, 2, N, A]`` at the distances ``[k, 2]`` to ``[B, k, A]``; 0 where nothing changes.
    """
    # Three places: the unedited pictures, at distance 0, have changed by 0.
    middle = places.sum(axis=1, keepdims=True) / 3
    apart = places - middle
    spread = np.sqrt((apart**2).sum(axis=1, keepdims=True) + middle**2)  # [k, 1]
    product = measures.means((delta * apart[..., None, None]).sum(axis=1), weights)
    mean = measures.means(delta.sum(axis=1), weights) / 3
    variance = np.maximum(measures.means((delta**2).sum(axis=1), weights) - 3 * mean**2, 0)
    size = spread * np.sqrt(variance)
    return np.where(size > 0, product / np.where(size > 0, size, 1), 0)
