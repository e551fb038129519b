"""Write the names of re-scoring to the directions file, and its tables to the record and the page of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ...directions.directions import Directions
from ...directions.file import DirectionsFileError
from ...directions.kept import change
from ...runs.record import Manifest
from ...runs.renaming import refresh_page
from .rescore import Table


def apply_names(path: Path | None, table: Table, give: bool = True) -> Table:
    """Write the names of a table to the directions file; returns the table with the names in the file.

    The file is read again first, so that names that a person has given during scoring are kept.

    Args:
        path: of the directions file; None where there is none.
        give: False leaves the file as it is.

    Raises:
        OSError: the file cannot be written.
    """
    measured = table.rows[0].directions
    found = {table.rows[label.index].index: (label.name, label.purity) for label in table.labels}

    def named(held: Directions) -> Directions:
        if not held.same_as(measured) or len(held) < len(measured):
            held = measured
        return held.with_auto_names(found, [row.index for row in table.rows]) if give else held

    if path is None:
        held = named(measured)
    elif give:
        held = change(path, named, otherwise=measured)
    else:
        held = measured
        with suppress(DirectionsFileError):
            held = named(Directions.load(path))
    return replace(table, names=tuple(held.names[row.index] for row in table.rows))


def record_tables(outdir: Path, command: Sequence[str], network: dict[str, str], files: Sequence[Path]) -> None:
    """Add finished tables (their JSON files) to the record of a folder and, where it has one, to its page.

    Raises:
        OSError: record or page cannot be written.
    """
    manifest = Manifest.of(outdir)
    if manifest is None or manifest.network.get("digest") != network["digest"]:
        manifest = Manifest(outdir, command, network)
    for file in files:
        settings = {"rescore": True, "network": network["digest"]}
        manifest.add(file.relative_to(outdir).as_posix(), settings, [], command=command)
    refresh_page(outdir)
