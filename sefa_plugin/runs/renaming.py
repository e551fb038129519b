"""List and set the names of directions in their file, and update the page."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..directions.directions import Directions
from ..directions.file import file_of_folder
from ..directions.kept import change
from ..directions.ties import remarks
from ..system.whole_files import keep_inside
from .page.contents import PAGE, is_foreign_page, write_report
from .record import NAME, Manifest


def listed(path: str | os.PathLike[str]) -> list[str]:
    """One line for each direction that has a name or a range.

    Raises:
        DirectionsFileError: the file cannot be read.
    """
    file = file_of_folder(path)
    held = Directions.load(file)
    lines = [f"{file}: {len(held)} directions of {held.label}"]
    for index, entry in enumerate(held.entries):
        if entry.name or entry.range:
            span = "{:+g} to {:+g}".format(*entry.range) if entry.range else ""
            auto = f" (auto, purity {entry.purity:.2f})" if entry.purity is not None else ""
            lines.append(f"  {index:4d}  {span:<16}{entry.name}{auto}".rstrip())
    return lines + [f"Note: {line}" for line in remarks(held)]


def refresh_page(folder: Path) -> bool:
    """Write the page of a folder again, where a run has made one; returns whether it has.

    Raises:
        OSError: it cannot be written; the old one stays.
    """
    keep_inside(folder)
    if not ((folder / PAGE).is_file() and (folder / NAME).is_file()) or is_foreign_page(folder / PAGE):
        return False
    manifest = Manifest.of(folder)
    if manifest is None:
        return False
    write_report(manifest)
    return True


def rename(path: str | os.PathLike[str], key: str, name: str) -> str:
    """Give direction ``key`` (a number or a name) a name, '' for none; returns a line for the user.

    A page beside the file is updated.

    Raises:
        DirectionsFileError: the file cannot be read.
        ValueError: there is no such direction, or the name is not valid or taken.
        OSError: the file cannot be written.
    """
    file = file_of_folder(path)
    typed = int(key) if re.fullmatch(r"-?\d+", key) else key
    index = Directions.load(file).index(typed)
    change(file, lambda held: held.named(index, name))
    refresh_page(file.parent)
    return f"{file}: direction {index} is called {name!r}" if name else f"{file}: direction {index} has no name now"
