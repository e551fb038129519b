"""Hostile files, made on the spot: every trick that is known against readers of pickles, archives, arrays and JSON.

``CORPUS`` holds one :class:`Hostile` for each trick. Nothing is stored, and nothing here runs what is made:
``made(folder)`` writes the files. Tricks on unpicklers are those of Slaviero ("Sour Pickles", Black Hat 2011), of
the documentation of ``pickletools``, and of what has been published against scanners of pickles; those on archives,
arrays and JSON follow from the formats' own specifications.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import archives, arrays, containers, floods, gadgets, networks, pickles, powers, recipes
from .case import Hostile

CORPUS: list[Hostile] = [
    case
    for part in (pickles, gadgets, powers, networks, archives, arrays, containers, recipes, floods)
    for case in part.CASES
]


def made(folder: Path) -> Iterator[tuple[Hostile, Path]]:
    """Write the whole corpus into ``folder``: each trick, and its file."""
    for case in CORPUS:
        yield case, case.write(folder)
