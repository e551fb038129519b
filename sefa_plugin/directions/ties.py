"""What eigenvalues do not tell apart: equal ones, and those of directions that the layers do not respond to.

The weights of a network are float32, each rounded by up to ``ROUNDING`` of its size. That moves the singular values of
``A`` by up to ``ROUNDING |A|_F <= ROUNDING sqrt(dim) s``, with ``s`` the largest of them (Weyl's inequality). Singular
values that are no further apart than both may be moved are equal as far as the weights can say: their directions may
be turned into each other at will, and only the space that they span is defined. One that is no larger than it may be
moved is 0. (What float64 adds in finding them is less.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..system.messages import spans

ROUNDING = 2.0**-24  # of float32, relative
SHOWN = 5  # runs that a line names
ONLY_THE_SPACE = "only the space that they span is defined"


def runs(values: Sequence[float], same: Callable[[float, float], bool]) -> list[list[int]]:
    """Group numbers, in whatever order they come, whose neighbours in size are the same; of single ones no group.

    Args:
        values: any numbers.
        same: of the larger and the smaller of two neighbours, whether they count as one.
    """
    order = np.argsort(-np.asarray(values, dtype=np.float64), kind="stable")
    groups: list[list[int]] = [[int(place)] for place in order[:1]]
    for before, after in zip(order, order[1:]):
        if same(values[before], values[after]):
            groups[-1].append(int(after))
        else:
            groups.append([int(after)])
    return [sorted(group) for group in groups if len(group) > 1]


def silent(directions: Any) -> list[int]:
    """Directions of a factorisation with eigenvalue 0, within the rounding of the weights."""
    values = directions.eigenvalues
    return [] if directions.origin else np.flatnonzero(np.sqrt(np.maximum(values, 0)) <= _moved(directions)).tolist()


def tied(directions: Any) -> tuple[list[list[int]], list[int]]:
    """Runs of directions with equal eigenvalues, and of them the run that goes on beyond what was kept.

    Eigenvalues of 0 are in none (:func:`silent`); where they are not known, as of most imported directions, nothing is.
    """
    sizes = np.sqrt(np.maximum(directions.eigenvalues, 0)).tolist()
    apart, mute = 2 * _moved(directions), set(silent(directions))
    heard = [index for index in range(len(sizes)) if index not in mute and sizes[index] > 0]
    values = [sizes[index] for index in heard]
    if directions.next_eigenvalue and heard:
        values.append(float(np.sqrt(directions.next_eigenvalue)))
    whole = runs(values, lambda larger, smaller: larger - smaller <= apart)
    found = [[heard[at] for at in run if at < len(heard)] for run in whole]
    return found, next((run for run, places in zip(found, whole) if len(heard) in places), [])


def _moved(directions: Any) -> float:
    """By how much the rounding of the weights may move a singular value."""
    largest = float(np.max(directions.eigenvalues, initial=0))
    return ROUNDING * float(np.sqrt(directions.dim * max(largest, 0)))


def remarks(directions: Any) -> list[str]:
    """Lines for people on what is not defined of directions, or does nothing; none, usually."""
    lines = []
    found, cut = tied(directions)
    if found:
        told = [spans(run) + (" and further ones" if run is cut else "") for run in found[:SHOWN]]
        more = f" and {len(found) - SHOWN} more runs" if len(found) > SHOWN else ""
        each = ONLY_THE_SPACE if len(found) == 1 else "of each run, " + ONLY_THE_SPACE
        lines.append(f"directions {'; '.join(told)}{more} have equal eigenvalues: {each}")
    mute = silent(directions)
    if len(mute) == len(directions):
        lines.append("every direction has eigenvalue 0: the weights of these layers are zero")
    elif mute:
        one = len(mute) == 1
        subject = f"direction {mute[0]} has" if one else f"directions {spans(mute)} have"
        lines.append(f"{subject} eigenvalue 0: the layers do not respond to {'it' if one else 'them'}")
    return lines


def remark_on(directions: Any, index: int) -> str:
    """The same of one direction, '' usually."""
    if index in silent(directions):
        return "eigenvalue 0: the layers do not respond to it"
    found, cut = tied(directions)
    for run in found:
        if index in run:
            others = [other for other in run if other != index]
            named = [spans(others)] * bool(others) + ["further ones"] * (run is cut)
            return f"has the same eigenvalue as {' and '.join(named)}: {ONLY_THE_SPACE}"
    return ""
