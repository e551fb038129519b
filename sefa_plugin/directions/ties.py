"""Eigenvalues that float32 weights do not distinguish: equal ones, and ones of 0.

The weights of a network are float32, each rounded by up to ``ROUNDING`` of its size. That changes the singular values
of ``A`` by at most ``ROUNDING |A|_F <= ROUNDING sqrt(dim) s``, with ``s`` the largest of them (Weyl's inequality).
Singular values that differ by no more than twice this bound are treated as equal: any rotation of their directions
among themselves is as good, and only the space that they span is defined. One no larger than the bound is below
float32 rounding and treated as zero: the layers do not respond to its direction. (The rounding of the factorisation
itself, in float64, is smaller.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..system.messages import spans

if TYPE_CHECKING:
    from .directions import Directions

ROUNDING = 2.0**-24  # of float32, relative
SHOWN = 5  # runs that a line lists
ONLY_THE_SPACE = "only the space that they span is defined"


def runs(values: Sequence[float] | np.ndarray, same: Callable[[float, float], bool]) -> list[list[int]]:
    """Groups of two or more numbers that count as equal, each as ascending places in ``values``.

    Args:
        values: any numbers, in any order.
        same: whether the larger and the smaller of two numbers that are neighbours in size count as equal.
    """
    order = np.argsort(-np.asarray(values, dtype=np.float64), kind="stable")
    groups: list[list[int]] = [[int(place)] for place in order[:1]]
    for before, after in zip(order, order[1:]):
        if same(values[before], values[after]):
            groups[-1].append(int(after))
        else:
            groups.append([int(after)])
    return [sorted(group) for group in groups if len(group) > 1]


def zero_eigenvalues(directions: Directions) -> list[int]:
    """Directions of a factorisation whose eigenvalue is below float32 rounding, treated as zero.

    Of imported directions none: an eigenvalue of 0 there means that it is not known.
    """
    if directions.origin or directions.sharpen != "none":
        return []
    sizes = np.sqrt(np.maximum(directions.eigenvalues, 0))
    found: list[int] = np.flatnonzero(sizes <= _rounding(directions)).tolist()
    return found


def tied(directions: Directions) -> tuple[list[list[int]], list[int]]:
    """Runs of directions with equal eigenvalues; then the one of them that continues beyond what was kept, or [].

    Eigenvalues of 0 (:func:`zero_eigenvalues`, and those that are not known) are in no run.
    """
    if directions.sharpen != "none":  # their order does not follow their eigenvalues
        return [], []
    sizes = np.sqrt(np.maximum(directions.eigenvalues, 0)).tolist()
    apart, zero = 2 * _rounding(directions), set(zero_eigenvalues(directions))
    nonzero = [index for index in range(len(sizes)) if index not in zero and sizes[index] > 0]
    values = [sizes[index] for index in nonzero]
    if directions.next_eigenvalue and nonzero:
        values.append(float(np.sqrt(directions.next_eigenvalue)))
    whole = runs(values, lambda larger, smaller: larger - smaller <= apart)
    found = [[nonzero[at] for at in run if at < len(nonzero)] for run in whole]
    return found, next((run for run, places in zip(found, whole) if len(nonzero) in places), [])


def _rounding(directions: Directions) -> float:
    """The largest change of a singular value that the rounding of float32 weights can cause."""
    largest = float(np.max(directions.eigenvalues, initial=0))
    return ROUNDING * float(np.sqrt(directions.dim * max(largest, 0)))


def remarks(directions: Directions) -> list[str]:
    """The caveats of the set, a line for the tied directions and one for those with eigenvalue 0; usually none."""
    lines = list(directions.caveats)
    found, cut = tied(directions)
    if found:
        listed = [spans(run) + (" and further ones" if run is cut else "") for run in found[:SHOWN]]
        more = f" and {len(found) - SHOWN} more runs" if len(found) > SHOWN else ""
        each = ONLY_THE_SPACE if len(found) == 1 else "of each run, " + ONLY_THE_SPACE
        lines.append(f"directions {'; '.join(listed)}{more} have equal eigenvalues: {each}")
    zero = zero_eigenvalues(directions)
    if len(zero) == len(directions):
        lines.append("every direction has eigenvalue 0: the weights of these layers are zero")
    elif zero:
        one = len(zero) == 1
        subject = f"direction {zero[0]} has" if one else f"directions {spans(zero)} have"
        lines.append(f"{subject} eigenvalue 0: the layers do not respond to {'it' if one else 'them'}")
    return lines


def remark_on(directions: Directions, index: int) -> str:
    """As :func:`remarks`, for one direction; usually ''."""
    if index in zero_eigenvalues(directions):
        return "eigenvalue 0: the layers do not respond to it"
    found, cut = tied(directions)
    for run in found:
        if index in run:
            others = [other for other in run if other != index]
            named = [spans(others)] * bool(others) + ["further ones"] * (run is cut)
            return f"has the same eigenvalue as {' and '.join(named)}: {ONLY_THE_SPACE}"
    return ""
