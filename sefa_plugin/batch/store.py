"""Pictures in files, rendered by some shards, of which others make sheets and clips."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ..rendering.arithmetic import Arithmetic
from ..rendering.engine import Engine
from ..rendering.local import Local
from ..rendering.shards import Shard, View
from ..runs.plan import Layout

if TYPE_CHECKING:
    from ..networks.generator import Generator
    from ..rendering.look import Look

PACKED, INDEX = "pictures.bin", "index.json"
LEVEL = 1  # of zlib: the fastest, since rendering waits for it


class Index(msgspec.Struct):
    """Where pictures lie in their file.

    Attributes:
        shape: of each.
        places: offset and bytes, by name.
    """

    shape: tuple[int, ...] = ()
    places: dict[str, tuple[int, int]] = {}


def store(
    folder: Path,
    view: View,
    layouts: Sequence[Layout],
    engine: Engine,
    subjects: range,
    advance: Callable[[int], None],
) -> int:
    """Render and store what layouts show of some subjects, and their unedited pictures; returns how many.

    Args:
        folder: where to.
        view: all subjects; batches have the size that they have where all are rendered.
        layouts: of rows that show all subjects at one step.
        engine: makes the pictures.
        subjects: their places in the view.
        advance: called with a number of pictures whenever some have been rendered.

    Raises:
        FramesError: the network gives NaN or infinite pixels.
        OSError: the folder cannot be written.
    """
    index, size, seen = Index(), 0, set[str]()
    with open(folder / PACKED, "wb") as file:
        for shard in [Shard.of_everyone(view), *(shard for layout in layouts for shard in layout.shards)]:
            rows = {shard.key(row[0][1]): row[subjects.start : subjects.stop] for row in shard.rows()}
            rows = {key: row for key, row in rows.items() if key not in seen}
            flat = engine.pictures(view, replace(shard.only([*rows.values()]), row=len(subjects)))
            for key in rows:
                for who in subjects:
                    picture = next(flat)
                    packed = zlib.compress(np.ascontiguousarray(picture).data, LEVEL)
                    file.write(packed)
                    index.shape, index.places[_named(key, who)] = picture.shape, (size, len(packed))
                    size += len(packed)
                advance(len(subjects))
            seen |= rows.keys()
    (folder / INDEX).write_bytes(msgspec.json.encode(index))
    return len(index.places)


def _named(key: str, who: int) -> str:
    """The name of a picture: its step (see ``Shard.key``), and the place of its subject."""
    return f"{hashlib.sha256(key.encode()).hexdigest()[:16]}-{who}"


class Stored(Local):
    """An engine that reads pictures which :func:`store` has stored.

    Args:
        folders: of all subjects.
        generator: see :class:`Local`.
        computed: how they were rendered.

    Raises:
        OSError: a folder is gone.
    """

    def __init__(self, folders: Sequence[Path], generator: Callable[[Look], Generator], computed: Arithmetic) -> None:
        super().__init__(generator)
        self._computed = computed
        self._places = dict[str, tuple[Path, tuple[int, int]]]()
        for folder in folders:
            index = msgspec.json.decode((folder / INDEX).read_bytes(), type=Index)
            self._shape = index.shape
            self._places.update({name: (folder / PACKED, place) for name, place in index.places.items()})

    def pictures(self, view: View, shard: Shard) -> Iterator[np.ndarray]:
        for who, step in shard.shots:
            path, (start, size) = self._places[_named(shard.key(step), int(who))]
            with open(path, "rb") as file:
                file.seek(start)
                yield np.frombuffer(zlib.decompress(file.read(size)), np.uint8).reshape(self._shape)

    def arithmetic(self, view: View) -> Arithmetic:
        return self._computed
