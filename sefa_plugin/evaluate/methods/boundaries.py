"""InterFaceGAN as a command: boundaries of scored samples, conditional ones, and files in the authors' layout."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...directions.directions import Directions
from ...directions.kept import keep_result
from ...system.file_names import safe_name
from ..samples.bench import Bench
from .interfacegan import Boundary, load_boundary, project_boundary, save_boundary
from .methods import FIRST_CODE, along, by_boundaries

if TYPE_CHECKING:
    from ...networks.generator import Generator

FILE = "interfacegan.safetensors"


@dataclass(frozen=True, eq=False)
class Trained:
    """Boundaries as trained, and the directions made of them.

    Attributes:
        directions: one for each attribute, with its name.
        boundaries: as found, before any condition.
        conditions: the attributes whose boundaries were projected out of the others.
    """

    directions: Directions
    boundaries: Mapping[str, Boundary]
    conditions: tuple[str, ...] = ()

    def summary(self) -> list[str]:
        """One line for each boundary: how many samples are on their right side."""
        return [
            f"{name}: {found.validation:.1%} of the held-out extremes, {found.remaining:.1%} of the rest on their side"
            for name, found in self.boundaries.items()
        ]

    def save(self, folder: Path) -> list[Path]:
        """Write the directions, and each boundary as the authors do; returns the paths.

        Raises:
            OSError: one of them cannot be written.
        """
        paths: list[Path] = []
        for name, vector in zip(self.boundaries, self.directions.vectors):
            others = [_word(other) for other in self.conditions if other != name]
            stem = "_c_".join([_word(name), *(["_".join(others)] if others else [])])
            path = folder / f"{safe_name(f'{stem}_boundary')}.npy"
            number = 1
            while path.name.lower() in {other.name.lower() for other in paths}:  # attributes with one ``_word``
                number += 1
                path = folder / f"{safe_name(f'{stem}-{number}_boundary')}.npy"
            save_boundary(path, vector)
            paths.append(path)
        return [*paths, keep_result(self.directions, folder / FILE)]


def _word(name: str) -> str:
    """An attribute as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.")[:40] or "attribute"


def train(
    bench: Bench,
    scored: int,
    attributes: Sequence[str],
    conditions: Sequence[str] = (),
    layers: str = "all",
    torgb: str = "last",
    seed: int = 0,
    skip: Callable[[str, Exception], None] | None = None,
) -> Trained:
    """Score samples and find the boundary of each attribute.

    Args:
        scored: how many samples.
        attributes: those to find boundaries of.
        conditions: those whose boundaries are projected out of every other one.
        layers, torgb: which layers the directions edit.
        seed: of the split into training and validation.
        skip: see :func:`methods.by_boundaries`.

    Raises:
        BoundaryError: no attribute has a boundary, or nothing of one remains after projection.
    """
    codes, scores, seconds = bench.replace(count=scored, first=FIRST_CODE).scored_samples()
    needed = {name: scores[name] for name in scores if name in attributes or name in conditions}
    found, boundaries = by_boundaries(bench.G, codes, needed, seconds, layers, torgb, seed, skip)
    kept = [name for name in boundaries if name in attributes]
    normals = []
    for name in kept:
        others = [boundaries[other].normal for other in conditions if other != name and other in boundaries]
        normals.append(project_boundary(boundaries[name].normal, others))
    directions = along(
        bench.G,
        np.concatenate(normals),
        layers=layers,
        torgb=torgb,
        label=found.directions.label.split("-")[0],
        names=kept,
    )
    there = tuple(name for name in conditions if name in boundaries)
    return Trained(directions, {name: boundaries[name] for name in kept}, there)


def read(G: Generator, files: Sequence[str], layers: str = "all", torgb: str = "last") -> Directions:
    """Directions of boundary files, named after the files.

    Raises:
        BoundaryError: a file cannot be used.
        ValueError: two have one name.
    """
    normals = [load_boundary(path, G.w_dim) for path in files]
    names = [Path(path).stem.replace("_boundary", "") for path in files]
    if len(set(names)) < len(names):
        raise ValueError("two boundary files have one name")
    return along(G, np.concatenate(normals), layers=layers, torgb=torgb, label="interfacegan", names=names)
