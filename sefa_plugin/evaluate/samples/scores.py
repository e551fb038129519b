"""Scores of edited samples, measured in batches and saved, so that an interrupted run can continue."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from msgspec import Meta, Struct

from ...reading.array_file import ArrayFileError, read_kept
from ...reading.json_file import fitting
from ..scorers.interface import Scorer, scores_of
from .parts import write_arrays
from .sampling import Samples

if TYPE_CHECKING:
    from ...directions.directions import Directions

FORMAT = 1
EVERY = 15.0  # seconds between two savings
UNEDITED = "unedited"
_ABOUT = "about"


class _About(Struct):
    """The metadata in the file of scores."""

    settings: dict[str, Any]
    attributes: Annotated[list[Annotated[str, Meta(max_length=1000)]], Meta(max_length=10_000)]

    def __post_init__(self) -> None:
        if not all(map(str.isprintable, self.attributes)):
            raise ValueError("a name of an attribute is not printable")


@dataclass(frozen=True, eq=False)
class SampleEdit:
    """All samples moved by one distance (units of w, or of z) along one direction.

    Distance 0 is the unedited pictures; the direction then does not matter.
    """

    directions: Directions | None  # None only where the distance is 0
    index: int
    distance: float

    @property
    def key(self) -> str:
        """Equal for edits that give equal pictures."""
        held = self.directions
        if not self.distance or held is None:
            return UNEDITED
        about = json.dumps([held.space, list(held.layers), float(self.distance)])
        return hashlib.sha256(about.encode() + held.vectors[self.index].tobytes()).hexdigest()[:32]


class Scores:
    """Scores of the samples of one network by one scorer: for each edit ``[samples, attributes]``, NaN where missing.

    Args:
        count: samples.
        settings: all that scores depend on except the edit and the sample; JSON values.
        path: an ``.npz`` to read and to save to, or None. A file of other settings, or another kind of file, is
            ignored; one with more or fewer samples of the same settings is used.
        anew: ignore the file.
    """

    def __init__(
        self,
        count: int,
        settings: dict[str, object] | None = None,
        path: str | os.PathLike[str] | None = None,
        anew: bool = False,
    ) -> None:
        self.count = count
        self.path = Path(path) if path is not None else None
        self.attributes: list[str] = []
        self._settings = json.loads(json.dumps({"format": FORMAT, **(settings or {})}))
        self._held: dict[str, np.ndarray] = {}
        self._unsaved = False
        self._next = time.monotonic() + EVERY
        if self.path is not None and not anew:
            self._read(self.path)

    def _read(self, path: Path) -> None:
        try:
            held = read_kept(path)
            about: _About = fitting(json.loads(str(held.pop(_ABOUT))), _About)
            attributes = about.attributes
            if about.settings != self._settings or len(set(attributes)) < len(attributes):
                return
        except (OSError, ArrayFileError, ValueError, KeyError, RecursionError):
            return  # another kind of file, or a broken one: everything is scored again

        def fits(rows: np.ndarray) -> bool:
            shaped = rows.ndim == 2 and rows.shape[1] == len(attributes) and rows.dtype == np.float32
            return shaped and not np.isinf(rows).any()

        self.attributes, self._held = attributes, {key: rows for key, rows in held.items() if fits(rows)}

    def __contains__(self, edit: SampleEdit) -> bool:
        return not self.lacks(edit, 0, self.count)

    def lacks(self, edit: SampleEdit, start: int, stop: int) -> bool:
        """Whether some of the samples have no score yet."""
        rows = self._held.get(edit.key)
        return rows is None or len(rows) < stop or bool(np.isnan(rows[start:stop]).any())

    def put(self, edit: SampleEdit, start: int, scored: dict[str, np.ndarray]) -> None:
        """Add scores of samples from ``start`` on: float ``[n]`` by attribute."""
        self.attributes = self.attributes or list(scored)
        values = np.stack([scored[name] for name in self.attributes], axis=1)
        rows = self._held.get(edit.key)
        if rows is None or len(rows) < self.count:
            longer = np.full((self.count, len(self.attributes)), np.nan, np.float32)
            if rows is not None:
                longer[: len(rows)] = rows
            rows = self._held[edit.key] = longer
        rows[start : start + len(values)] = values
        self._unsaved = True
        if time.monotonic() > self._next:
            self.save()

    def add(self, start: int, other: Scores, wanted: Sequence[SampleEdit]) -> None:
        """Add what others have for some edits and the unedited pictures; their first sample is that of ``start``."""
        for edit in (SampleEdit(None, 0, 0.0), *wanted):
            if edit in other:
                self.put(edit, start, dict(zip(other.attributes, other.of(edit).T)))

    def of(self, edit: SampleEdit) -> np.ndarray:
        """The scores of an edit, float64 ``[samples, attributes]``.

        Raises:
            KeyError: some are missing.
        """
        if edit not in self:
            raise KeyError(edit.key)
        return self._held[edit.key][: self.count].astype(np.float64)

    @property
    def unedited(self) -> np.ndarray:
        """The scores of the unedited samples."""
        return self.of(SampleEdit(None, 0, 0.0))

    def save(self) -> None:
        """Write the file, whole or not at all; does nothing without a path or new scores.

        Raises:
            OSError: it cannot be written; an older one stays.
        """
        if self.path is None or not self._unsaved:
            return
        about = json.dumps({"settings": self._settings, "attributes": self.attributes})
        write_arrays(self.path, {_ABOUT: np.array(about), **self._held})
        self._unsaved = False
        self._next = time.monotonic() + EVERY


def score_edits(
    samples: Samples,
    wanted: Sequence[SampleEdit],
    scorer: Scorer,
    scores: Scores,
    advance: Callable[[int], None] = lambda pictures: None,
    begin: Callable[[int], None] = lambda pictures: None,
) -> None:
    """Score edits of all samples, and the unedited ones, where ``scores`` lacks them.

    All edits of a batch are made together, so that its latents are computed once, and so are the layers that the edits
    of one group leave unchanged. Scores are saved at the end, also after an error.

    Args:
        begin: called with the number of pictures to come, before the first.
        advance: called with a number of pictures whenever some have been scored.

    Raises:
        ScorerError: see :func:`interface.scores_of`.
        FramesError: pixels are NaN or infinite.
        OSError: the file of the scores cannot be written.
    """
    distinct = {edit.key: edit for edit in [SampleEdit(None, 0, 0.0), *wanted]}
    work = []
    for seeds in samples.batches():
        start = seeds.start - samples.seeds.start
        todo = [edit for edit in distinct.values() if scores.lacks(edit, start, start + len(seeds))]
        if todo:
            work.append((seeds, start, todo))
    begin(sum(len(seeds) * len(todo) for seeds, _, todo in work))
    try:
        for seeds, start, todo in work:
            view = samples.view(seeds)
            for directions, group in groupby(todo, key=lambda edit: edit.directions if edit.distance else None):
                same = list(group)
                if directions is None:
                    shots = iter([samples.unedited(view)])
                else:
                    shots = samples.edited(view, directions, [(edit.index, edit.distance) for edit in same])
                for edit, pictures in zip(same, shots):
                    scores.put(edit, start, scores_of(scorer, pictures, scores.attributes or None))
                    advance(len(seeds))
    finally:
        scores.save()
