"""Truncation, class, noise and so on of the outputs of a page, in words: those that differ, and those that do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ...rendering.look import Look
from ..record import Entry

Fact = tuple[str, str]  # a term and its value
_TERMS = {
    "trunc": "psi",
    "trunc_cutoff": "psi up to row",
    "noise_mode": "noise",
    "label": "class",
    "translate": "shift",
    "rotate": "turned by",
    "camera": "camera",
    "fov": "field of view",
    "force_fp32": "float32",
    "bf16": "bfloat16",
    "background": "background",
}
_WORDS = {"None": "none", "True": "yes", "False": "no"}
_USUAL = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(Look()).items()}


class Looks:
    """The looks of outputs, by their names.

    Attributes:
        common: what is the same in all of them, and not usual.
    """

    def __init__(self, outputs: Mapping[str, Entry]) -> None:
        self._held = {name: _look(entry.settings.get("look")) for name, entry in outputs.items()}
        looks = list(self._held.values()) or [_USUAL]
        first = looks[0]
        self._differing = [key for key in _TERMS if any(look[key] != first[key] for look in looks)]
        same = [key for key in _TERMS if key not in self._differing]
        self.common: list[Fact] = [_in_words(key, first) for key in same if first[key] != _USUAL[key]]

    def of(self, name: str) -> list[Fact]:
        """What of an output is not the same in all of them."""
        return [_in_words(key, self._held[name]) for key in self._differing]


def _look(held: object) -> Mapping[str, Any]:
    return {**_USUAL, **held} if isinstance(held, dict) else _USUAL


def _in_words(key: str, look: Mapping[str, Any]) -> Fact:
    value = look[key]
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return _TERMS[key], _WORDS.get(text, text.removesuffix(".0"))
