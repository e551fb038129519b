"""Names for directions, from the attributes that they change most, with their purity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...directions.names import check_name
from ..statistics.effects import Effects
from ..statistics.measures import shares

LEAST = 0.25  # standard deviations over the whole range; attributes that change less are not named
BESIDE = 0.6  # an attribute is named too if its change is at least this share of the strongest
MOST = 3  # attributes in a name
LONGEST = 30  # letters of one


@dataclass(frozen=True)
class Label:
    """A direction's name and its purity.

    Attributes:
        index: row of the matrix.
        name: the attributes that it changes most, strongest first, each with its sign towards the high end; a leading
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
    """An attribute as a part of a name: no number alone, and no characters of the syntax ``coarse:x=2@4``."""
    word = " ".join("".join(letter if letter not in ",+-=:@" else " " for letter in attribute).split())
    word = word[:LONGEST].strip()
    try:
        check_name(word or ",")
    except ValueError:
        return f"attribute {word}".strip()
    return word
