"""Names for directions, from what they change most and how purely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...directions.names import check_name
from ..statistics.effects import Effects
from ..statistics.measures import shares

LEAST = 0.25  # standard deviations over the whole range: what changes less is not what a direction is about
BESIDE = 0.6  # an attribute is named beside the strongest if it changes by this share of it
MOST = 3  # attributes in a name
LONGEST = 30  # letters of one


@dataclass(frozen=True)
class Label:
    """A direction's name and how pure it is.

    Attributes:
        index: row of the matrix.
        name: the attributes that it moves most, strongest first, each with its sign towards the high end; a leading
            plus is left out: ``smile``, ``-age``, ``skin-hair``.
        purity: the share of all its change (in standard deviations, absolute) that falls on those attributes.
        strength: the largest change, in standard deviations.
    """

    index: int
    name: str
    purity: float
    strength: float


def labels(effects: Effects) -> list[Label]:
    """Labels of the directions that change something beyond chance and by at least ``LEAST``, strongest first."""
    matrix = effects.normalized
    parts = shares(matrix)
    sizes = np.where(effects.significant(), np.abs(matrix), 0)
    found = []
    for index, row in enumerate(sizes):
        order = np.argsort(-row, kind="stable")[:MOST]
        strength = float(row[order[0]])
        if strength < LEAST:
            continue
        named = [place for place in order if row[place] >= max(BESIDE * strength, LEAST)]
        words = [f"{'-' if matrix[index, place] < 0 else '+'}{_word(effects.attributes[place])}" for place in named]
        name = "".join(words)
        purity = min(1.0, float(parts[index, named].sum()))
        found.append(Label(index, name[1:] if name[0] == "+" else name, purity, strength))
    return sorted(found, key=lambda label: -label.strength)


def _word(attribute: str) -> str:
    """An attribute as a part of a name: not a number alone, and without what stands around names (``coarse:x=2@4``)."""
    word = " ".join("".join(letter if letter not in ",+-=:@" else " " for letter in attribute).split())
    word = word[:LONGEST].strip()
    try:
        check_name(word or ",")
    except ValueError:
        return f"attribute {word}".strip()
    return word
