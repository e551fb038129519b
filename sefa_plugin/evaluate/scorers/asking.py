"""Asks a scorer about pictures, and checks what it answers.

A scorer is a callable: pictures uint8 ``[N, H, W, C]`` (C 1, 3 or 4, any size) give a dict of float ``[N]`` by the
name of an attribute. It may have ``features(pictures)``, float ``[N, d]``, for distances between sets of pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...system.processor import is_out_of_memory

LARGEST = 1e30  # of a score: they are kept in float32


class ScorerError(Exception):
    """A scorer that cannot be loaded, or that answers with what is not a score."""


def ask(scorer: Any, pictures: np.ndarray, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Score pictures.

    Args:
        scorer: see above.
        pictures: uint8 ``[N, H, W, C]``.
        names: the attributes that it named before, if it was asked before.

    Returns:
        float64 ``[N]`` by attribute.

    Raises:
        ScorerError: it fails, or gives something else than finite numbers, one for each picture, or other attributes
            than before.
    """
    answer = _asked(scorer, scorer, pictures)
    if not isinstance(answer, dict) or not answer:
        raise ScorerError(f"the scorer {_called(scorer)} gives {_kind(answer)}, not a dict of scores by attribute")
    if names is not None and set(answer) != set(names):
        changed = ", ".join(sorted(map(str, set(answer) ^ set(names))))[:80]
        raise ScorerError(f"the scorer {_called(scorer)} names other attributes than before ({changed})")
    scores = {}
    for name in names if names is not None else answer:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise ScorerError(f"the scorer {_called(scorer)} names an attribute {name!r:.40}, which is no name")
        what = f"the scorer {_called(scorer)} gives for {name!r:.40}"
        scores[name] = values = _numbers(answer[name], what)
        if values.shape != (len(pictures),):
            raise ScorerError(f"{what} {list(values.shape)}, expected [{len(pictures)}], one for each picture")
        if not np.isfinite(values).all():
            raise ScorerError(
                f"{what} NaN or infinity for {int((~np.isfinite(values)).sum())} of {len(values)} pictures"
            )
        if np.abs(values).max(initial=0) > LARGEST:
            raise ScorerError(f"{what} {np.abs(values).max():.3g}; scores of at most {LARGEST:g} can be used")
    return scores


def ask_features(scorer: Any, pictures: np.ndarray) -> np.ndarray:
    """Features of pictures uint8 ``[N, H, W, C]``: float32 ``[N, d]``.

    Raises:
        ScorerError: the scorer has none, fails, or gives something else.
    """
    if not callable(getattr(scorer, "features", None)):
        raise ScorerError(f"the scorer {_called(scorer)} has no features(pictures)")
    what = f"the scorer {_called(scorer)} gives as features"
    values = _numbers(_asked(scorer, scorer.features, pictures), what)
    if values.ndim != 2 or len(values) != len(pictures) or not np.isfinite(values).all():
        raise ScorerError(f"{what} {list(values.shape)} or NaN, expected finite [{len(pictures)}, d]")
    return values.astype(np.float32)


def _asked(scorer: Any, method: Callable[[np.ndarray], Any], pictures: np.ndarray) -> Any:
    """Run somebody's code; what goes wrong there is said to be theirs."""
    try:
        return method(pictures)
    except (ScorerError, MemoryError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        words = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ScorerError(f"the scorer {_called(scorer)} failed: {words}") from error


def _numbers(values: Any, what: str) -> np.ndarray:
    """float64 of whatever array it is; a tensor may be on a device and need a gradient."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().double().numpy()
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ScorerError(f"{what} {_kind(values)}, not an array of numbers") from None


def _called(scorer: Any) -> str:
    return str(getattr(scorer, "title", None) or getattr(scorer, "__name__", None) or type(scorer).__name__)


def _kind(value: Any) -> str:
    return "an empty dict" if value == {} else f"a {type(value).__name__}"
