"""Real pictures in a folder, to compare generated ones with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...system.regular_files import open_regular

KINDS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
BATCH = 64


class FolderError(Exception):
    """A folder that holds no pictures, or one that cannot be read."""


def paths_in(folder: str | os.PathLike[str]) -> list[Path]:
    """Paths of the pictures of a folder and those below, sorted.

    Raises:
        FolderError: there are none.
    """
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in KINDS)
    if not paths:
        raise FolderError(f"{folder}: no pictures ({', '.join(KINDS)}) in this folder")
    return paths


def pictures_in(folder: str | os.PathLike[str]) -> Iterator[np.ndarray]:
    """Yield batches of pictures uint8 ``[n, H, W, 3]`` of a folder and those below, sorted by path.

    A batch holds successive pictures of one size.

    Raises:
        FolderError: the folder cannot be used; the message is one line.
    """
    from PIL import Image

    paths = paths_in(folder)
    batch: list[np.ndarray] = []
    for path in paths:
        try:
            with open_regular(path) as file, Image.open(file) as image:
                picture = np.asarray(image.convert("RGB"))
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise FolderError(f"{path}: is not a picture ({' '.join(str(error).split())[:80]})") from None
        if batch and (len(batch) == BATCH or picture.shape != batch[0].shape):
            yield np.stack(batch)
            batch = []
        batch.append(picture)
    yield np.stack(batch)
