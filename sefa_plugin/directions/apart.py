"""A direction apart from another one, by a person's marks: how much of the other is taken out.

Two directions that mix two things mix them differently, so that some combination of both does one of the two alone.
Which one, a few pictures of combinations show, each marked with whether it changed what is wanted and left the rest.
The chance of that is highest at one amount of the other direction, and falls off to both sides:
``1 / (1 + exp(-(c - k (amount - a)^2)))``, but for one mark in twenty that is a slip. The amount ``a`` is its mean
over all curves, each as likely as it makes the marks; before there are any, amounts near 0, which change the
direction least, are likelier. Where 0 is among the amounts that are 90 % certain, nothing is added. NumPy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEAST = 6  # marks that are needed
SLIPS = 0.05  # chance of a mark that is wrong
FURTHEST = 1.0  # the largest amount, in units of the second direction's range for one of the first
USUAL = 0.5  # standard deviation of amounts before there are marks
_AMOUNTS = np.linspace(-1.5 * FURTHEST, 1.5 * FURTHEST, 121)
_WIDTHS, _TOPS = 2.0 ** np.arange(0, 8), np.linspace(-2, 4, 13)  # k and c


class Amount(NamedTuple):
    """How much of the other direction is added, and between which amounts that is with 90 % of certainty.

    0 where 0 is between them: marks that do not show which way to go leave the direction as it is.
    """

    value: float
    low: float
    high: float


def amount_of(amounts: Sequence[float], wanted: Sequence[bool]) -> Amount:
    """Find the amount that keeps what is wanted, from marks.

    Args:
        amounts: of each marked picture, how much of the other direction was added.
        wanted: whether it changed what is wanted, and nothing else that matters.

    Raises:
        ValueError: there are too few marks, or they are all alike.
    """
    if len(wanted) < LEAST:
        raise ValueError(f"{len(wanted)} pictures are marked: mark {LEAST} or more")
    if not any(wanted) or all(wanted):
        known = "no picture shows what is wanted" if not any(wanted) else "all pictures show what is wanted"
        raise ValueError(f"{known}: there is nothing to tell these directions apart by")
    at, yes = np.asarray(amounts, dtype=np.float64), np.asarray(wanted, dtype=bool)
    chances = _TOPS[None, None, :, None] - _WIDTHS[None, :, None, None] * np.square(at - _AMOUNTS[:, None, None, None])
    chances = SLIPS + (1 - 2 * SLIPS) * np.exp(-np.logaddexp(0, -chances))
    likely = np.where(yes, np.log(chances), np.log1p(-chances)).sum(axis=-1)
    likely -= np.square(_AMOUNTS / USUAL)[:, None, None] / 2
    held = np.exp(likely - likely.max()).sum(axis=(1, 2))
    held /= held.sum()
    low, high = map(float, np.interp([0.05, 0.95], np.cumsum(held), _AMOUNTS))
    return Amount(0.0 if low <= 0 <= high else float(held @ _AMOUNTS), low, high)


def combined(vectors: np.ndarray, distances: tuple[float, float]) -> np.ndarray:
    """The unit vector along which two directions go together.

    Args:
        vectors: of both, ``[2, dim]``, or ``[2, rows, dim]``.
        distances: how far each goes.
    """
    mixed = np.tensordot(np.asarray(distances, dtype=np.float64), vectors, axes=1)
    unit: np.ndarray = mixed / np.sqrt(np.square(mixed).sum(axis=-1).mean())
    return unit
