"""The interface of scorers; functions that call them and check their scores and features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ...system.processor import is_out_of_memory

if TYPE_CHECKING:
    from typing import TypeGuard

    from numpy.typing import ArrayLike
    from torch import Tensor

    Numbers = ArrayLike | Tensor


class Scorer(Protocol):
    """Pictures uint8 ``[N, H, W, C]`` (C 1, 3 or 4, any size) to a dict of float ``[N]`` by the name of an attribute.

    A function of the pictures is a scorer. Two attributes are used if they exist: ``title``, its name in results, and
    ``identity``, a text that changes whenever its scores may change.
    """

    def __call__(self, pictures: np.ndarray, /) -> Mapping[str, Numbers]: ...


class TitledScorer(Scorer, Protocol):
    """A scorer that has both attributes; those of ``load_scorer`` do."""

    title: str
    identity: str


class ScorerWithFeatures(Scorer, Protocol):
    """A scorer that also gives float ``[N, d]``, for distances between sets of pictures."""

    def features(self, pictures: np.ndarray, /) -> Numbers: ...


class ScorerError(Exception):
    """A scorer that cannot be loaded, or that does not return scores."""


def has_features(scorer: Scorer) -> TypeGuard[ScorerWithFeatures]:
    """Whether a scorer has a method ``features``."""
    return callable(getattr(scorer, "features", None))


def identity_of(scorer: Scorer) -> str:
    """The scorer's ``identity``; '' where it has none."""
    return str(getattr(scorer, "identity", None) or "")


def scores_of(scorer: Scorer, pictures: np.ndarray, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Score pictures.

    Args:
        pictures: uint8 ``[N, H, W, C]``.
        names: the attributes of earlier scores, which these must have; None for the first ones.

    Returns:
        float64 ``[N]`` by attribute.

    Raises:
        ScorerError: it fails, or does not return one finite number for each picture and attribute, or returns other
            attributes than before.
    """
    found = _run(scorer, scorer, pictures)
    if not isinstance(found, dict) or not found:
        raise ScorerError(f"the scorer {_called(scorer)} gives {_kind(found)}, not a dict of scores by attribute")
    if names is not None and set(found) != set(names):
        changed = ", ".join(sorted(map(str, set(found) ^ set(names))))[:80]
        raise ScorerError(f"the scorer {_called(scorer)} names other attributes than before ({changed})")
    scores = {}
    for name in names if names is not None else found:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise ScorerError(f"the scorer {_called(scorer)} names an attribute {name!r:.40}, which is no name")
        what = f"the scorer {_called(scorer)} gives for {name!r:.40}"
        scores[name] = values = _numbers(found[name], what)
        if values.shape != (len(pictures),):
            raise ScorerError(f"{what} {list(values.shape)}, expected [{len(pictures)}], one for each picture")
        if not np.isfinite(values).all():
            raise ScorerError(
                f"{what} NaN or infinity for {int((~np.isfinite(values)).sum())} of {len(values)} pictures"
            )
    return scores


def features_of(scorer: Scorer, pictures: np.ndarray) -> np.ndarray:
    """Features of pictures uint8 ``[N, H, W, C]``: float32 ``[N, d]``.

    Raises:
        ScorerError: the scorer has no features, fails, or returns something else.
    """
    if not has_features(scorer):
        raise ScorerError(f"the scorer {_called(scorer)} has no features(pictures)")
    what = f"the scorer {_called(scorer)} gives as features"
    values = _numbers(_run(scorer, scorer.features, pictures), what)
    if values.ndim != 2 or len(values) != len(pictures) or not np.isfinite(values).all():
        raise ScorerError(f"{what} {list(values.shape)} or NaN, expected finite [{len(pictures)}, d]")
    return values.astype(np.float32)


def _run(scorer: Scorer, method: Callable[[np.ndarray], object], pictures: np.ndarray) -> object:
    """Call one of the scorer's methods; an error of its code is a ScorerError that names the scorer."""
    try:
        return method(pictures)
    except (ScorerError, MemoryError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        words = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ScorerError(f"the scorer {_called(scorer)} failed: {words}") from error


def _numbers(values: object, what: str) -> np.ndarray:
    """Any array as float64; a tensor may be on another device and need a gradient."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().double().numpy()
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ScorerError(f"{what} {_kind(values)}, not an array of numbers") from None


def _called(scorer: Scorer) -> str:
    return str(getattr(scorer, "title", None) or getattr(scorer, "__name__", None) or type(scorer).__name__)


def _kind(value: object) -> str:
    return "an empty dict" if value == {} else f"a {type(value).__name__}"
