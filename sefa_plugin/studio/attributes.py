"""What directions change in measured attributes, where `sefa evaluate rescore` has scored them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from msgspec import Struct

from ..directions.directions import Directions
from ..reading.json_file import parsed, read_bounded

MOST, MAX_BYTES = 4, 1 << 26  # attributes of a direction that are shown, and bytes of a file


class Change(Struct, frozen=True):
    """How far an attribute changes from the low end of a range to the high one, in standard deviations of samples."""

    attribute: str
    by: float


class _Scored(Struct):
    digest: str
    normalized: list[Optional[float]]
    significant: list[bool]


class _Scores(Struct):
    attributes: list[str]
    directions: list[_Scored]


def changes_in(folder: Path, directions: Directions) -> dict[int, Sequence[Change]]:
    """The strongest changes beyond noise by direction; {} where nothing was scored, or other directions were."""
    path = folder / "evaluate" / f"rescore-{directions.label}.json"
    try:
        held: _Scores = parsed(read_bounded(path, MAX_BYTES), _Scores)
    except (OSError, ValueError):
        return {}
    found = {}
    for one in held.directions:
        sure = [
            Change(name, by)
            for name, by, is_sure in zip(held.attributes, one.normalized, one.significant)
            if is_sure and by is not None
        ]
        found[one.digest] = sorted(sure, key=lambda change: -abs(change.by))[:MOST]
    digests = (hashlib.sha256(entry.vector.tobytes()).hexdigest() for entry in directions.entries)
    return {index: found[digest] for index, digest in enumerate(digests) if digest in found}
