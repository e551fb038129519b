"""InterFaceGAN: an attribute's boundary from scored samples, and its unit normal as the direction.

Shen, Gu, Tang & Zhou, "Interpreting the Latent Space of GANs for Semantic Face Editing", CVPR 2020, section 3:
a linear support vector machine separates the samples with the highest scores from those with the lowest (section 3.1),
and a boundary can be made orthogonal to others by projection (section 3.2).
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...reading.array_file import ArrayFile, ArrayFileError
from ...system.environment import require_extra
from ...system.regular_files import reading
from ...system.whole_files import whole_file

CHOSEN = 0.02  # share of the samples at each end
SPLIT = 0.7  # share of those that trains; the rest validates


class BoundaryError(Exception):
    """A boundary cannot be found, or its file cannot be used."""


@dataclass(frozen=True, eq=False)
class Boundary:
    """The boundary of one attribute.

    Attributes:
        normal: float32 ``[1, dim]``, of unit length; along it the score rises.
        validation: share of the held-out extreme samples on the correct side; NaN where none are held out.
        remaining: share of all other samples on the correct side: scores above or below the mean of the highest and
            the lowest score; NaN where there are none.
        trained: how many samples trained it, half of each end.
    """

    normal: np.ndarray
    validation: float
    remaining: float
    trained: int


def train_boundary(
    codes: np.ndarray,
    scores: np.ndarray,
    chosen: float = CHOSEN,
    split: float = SPLIT,
    seed: int = 0,
) -> Boundary:
    """Find the boundary between high and low scores.

    Args:
        codes: latent codes ``[N, dim]``.
        scores: of one attribute, ``[N]``.
        chosen: share of the samples taken from each end if at most 1, else their number; never more than half.
        split: share of the chosen ones that trains.
        seed: of the order in which the chosen ones are divided, the high end first, then the low one.

    Raises:
        BoundaryError: too few samples, codes that are not finite, or scores that are all alike.
        MissingExtra: scikit-learn is not installed.
    """
    require_packages()
    from sklearn.svm import SVC

    if not np.isfinite(codes).all():
        raise BoundaryError("codes hold NaN or infinity")
    order = np.argsort(scores, kind="stable")[::-1]
    codes, scores = codes[order], scores[order]
    count = min(int(len(codes) * chosen) if chosen <= 1 else int(chosen), len(codes) // 2)
    train = int(count * split)
    if train < 1:
        raise BoundaryError(
            f"{len(codes)} samples leave {train} at each end to train with; more are needed (--train-samples)"
        )
    if scores[count - 1] == scores[-count]:
        raise BoundaryError(f"the {count} highest scores and the {count} lowest overlap: nothing to tell apart")
    rng = np.random.RandomState(seed)
    high, low = codes[:count][rng.permutation(count)], codes[-count:][rng.permutation(count)]
    machine: Any = SVC(kernel="linear")  # other parameters at their defaults, as in the authors' procedure
    machine.fit(np.concatenate([high[:train], low[:train]]), np.repeat([1, 0], train))
    normal = machine.coef_.reshape(1, -1).astype(np.float64)
    length = np.linalg.norm(normal)
    if not length > 0:
        raise BoundaryError("both ends have the same codes: no boundary")

    def right(points: np.ndarray, labels: np.ndarray) -> float:
        return float(np.mean(machine.predict(points) == labels)) if len(points) else float("nan")

    held_out = np.concatenate([high[train:], low[train:]])
    middle = (scores[0] + scores[-1]) / 2
    rest = slice(count, len(codes) - count)
    return Boundary(
        (normal / length).astype(np.float32),
        right(held_out, np.repeat([1, 0], count - train)),
        right(codes[rest], scores[rest] >= middle),
        2 * train,
    )


def require_packages() -> None:
    """Check that the packages of this method are installed.

    Raises:
        MissingExtra: one is not.
    """
    require_extra("scikit-learn", "InterFaceGAN")


def project_boundary(primal: np.ndarray, conditions: Sequence[np.ndarray]) -> np.ndarray:
    """Project other boundaries out of one, so that moving along it does not change their attributes (section 3.2).

    Args:
        primal: ``[1, dim]``.
        conditions: any number of ``[1, dim]``; they need not be orthogonal to each other.

    Returns:
        float32 ``[1, dim]``, of unit length, orthogonal to every condition.

    Raises:
        BoundaryError: the boundary lies in the span of the conditions.
    """
    left = primal.astype(np.float64) / np.linalg.norm(primal.astype(np.float64))
    if len(conditions):
        span = np.concatenate(conditions).astype(np.float64)  # [n, dim]
        amounts = np.linalg.lstsq(span.T, left[0], rcond=1e-10)[0]
        left = left - amounts @ span
    length = np.linalg.norm(left)
    if not length > 1e-6:
        raise BoundaryError("the boundary is a combination of the others: projecting them out leaves 0")
    unit: np.ndarray = (left / length).astype(np.float32)
    return unit


def save_boundary(path: str | os.PathLike[str], normal: np.ndarray) -> None:
    """Write a boundary as the authors do: ``.npy``, float32 ``[1, dim]``.

    Raises:
        OSError: the file cannot be written.
    """
    stream = io.BytesIO()  # NumPy's own error on a full disk names neither the file nor the reason
    np.save(stream, np.asarray(normal, dtype=np.float32).reshape(1, -1), allow_pickle=False)
    with whole_file(path) as part:
        part.write_bytes(stream.getbuffer())


def load_boundary(path: str | os.PathLike[str], dim: int | None = None) -> np.ndarray:
    """Read a boundary ``[1, dim]`` in the authors' layout, scaled to unit length: float32.

    Raises:
        BoundaryError: the file cannot be used; the message is one line.
    """
    try:
        with reading(path, BoundaryError):
            file = ArrayFile(path)
            if file.names != [""]:
                raise BoundaryError(f"{path}: holds an .npz, expected floats [1, dim]")
            if file.holds_objects(""):
                raise BoundaryError(f"{path}: holds objects, expected floats [1, dim]; `sefa import` reads dicts")
            found = file.read("", "f")
    except ArrayFileError as error:
        raise BoundaryError(f"{path}: is not a .npy file of floats: {error}") from None
    if found.size != max(found.shape, default=0):
        raise BoundaryError(f"{path}: holds {list(found.shape)!s:.60}, expected floats [1, dim]")
    normal = found.reshape(1, -1)
    length = np.linalg.norm(normal)
    if not length > 0:
        raise BoundaryError(f"{path}: its length is {length}")
    if dim is not None and normal.shape[1] != dim:
        raise BoundaryError(f"{path}: has {normal.shape[1]} components, this network needs {dim}")
    unit: np.ndarray = (normal / length).astype(np.float32)
    return unit
