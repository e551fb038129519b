"""The output folder, checked before any work; errors that name the output."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..reading.download import BUNDLED, is_url, parted
from ..system.whole_files import keep_inside, sweep
from .page.contents import PAGE, SINGLE, is_foreign_page, write_report
from .record import NAME, Manifest, is_foreign_record, networks_in
from .settings import SettingsError

TOP, SHOWN = Path("sefa-out"), 8  # where folders of networks lie; digits of a digest in their names
FOLDERS = ("sheets", "videos", "evaluate", "evaluate/parts")  # in an output folder


class Reporter(Protocol):
    """Receives lines for the log, the amount of work, and progress."""

    def say(self, text: str) -> None:
        """One line for the log."""

    def expect(self, pictures: int) -> None:
        """How many pictures will be rendered."""

    def advance(self, pictures: int) -> None:
        """Some pictures are done."""


class Silent:
    """A :class:`Reporter` that prints nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def expect(self, pictures: int) -> None:
        """Nothing."""

    def advance(self, pictures: int) -> None:
        """Nothing."""


class Announced(Silent):
    """Passes on to a reporter that has received the whole amount of work already."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def say(self, text: str) -> None:
        """One line for the log."""
        self._reporter.say(text)

    def advance(self, pictures: int) -> None:
        """Some pictures are done."""
        self._reporter.advance(pictures)


@dataclass(frozen=True)
class Made:
    """The outputs of a run.

    Attributes:
        outdir: the folder.
        names: paths of the outputs that were made, relative to it.
        kept: how many were up to date.
    """

    outdir: Path
    names: tuple[str, ...]
    kept: int


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Add the path of the output to an ``OSError`` without one (a full disk)."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def folder_of(network: Mapping[str, str]) -> Path:
    """The usual folder of a network's outputs; a folder belongs to one network, by its digest.

    ``sefa-out/<name>``, or ``sefa-out/<name>-<digest>`` where the first belongs to another network of that name. If
    neither is this network's, a folder of its in ``sefa-out`` that was renamed, or whose network was.

    Args:
        network: see ``Session.about``.

    Raises:
        OSError: a record cannot be read.
    """
    plain = TOP / network["name"]
    longer = TOP / f"{network['name']}-{network['digest'][:SHOWN]}"
    taken = networks_in(plain)
    if network["digest"] in taken:
        return plain
    if network["digest"] in networks_in(longer):
        return longer
    for folder in sorted(TOP.glob("*")):
        with suppress(OSError):
            held = networks_in(folder).get(network["digest"])
            # A copy of the network under another name has a folder of its own.
            if held is not None and (held.get("name") == network["name"] or _is_gone(held.get("path", ""))):
                return folder
    return longer if taken else plain


def folder_of_digest(digest: str) -> Path | None:
    """The first folder in ``sefa-out`` that belongs to a network of this digest; None where there is none."""
    for folder in sorted(TOP.glob("*")):
        with suppress(OSError):
            if digest in networks_in(folder):
                return folder
    return None


def _is_gone(path: str) -> bool:
    """Whether a network that was a file is no longer there."""
    return not (path in BUNDLED or is_url(path) or os.path.exists(parted(path)[0]))


def claim(folder: Path, network: Mapping[str, str], command: Sequence[str]) -> None:
    """Make a folder for a network's outputs, check that it can be written, and record whose it is.

    Args:
        folder: which one.
        network: see ``Session.about``.
        command: what was typed.

    Raises:
        SettingsError: it belongs to another network, or holds a page that was not made here.
        OSError: it cannot be written.
    """
    check_folder(folder)
    for _ in range(2):
        owners, record = networks_in(folder), folder / NAME
        if owners and network["digest"] not in owners:
            name = next(iter(owners.values())).get("name", "")
            other = f"another network{name and f', {name}'}"
            free = f"{str(folder).rstrip('/')}-{network['digest'][:SHOWN]}"
            raise SettingsError(f"{folder}: holds the outputs of {other}; choose a folder of its own: --outdir {free}")
        for foreign in [record] * is_foreign_record(record) + [folder / PAGE] * is_foreign_page(folder / PAGE):
            what = f"{foreign}: was not made by this program, and would be replaced"
            raise SettingsError(f"{what}; choose another folder with --outdir")
        if record.exists() or record.is_symlink() or len(owners) > 1:
            return
        with suppress(FileExistsError):  # another process was first: see whose it is
            Manifest(folder, command, network, owner=network["digest"]).write(new=True)


def own_folder(network: Mapping[str, str], command: Sequence[str]) -> Path:
    """The usual folder of a network (:func:`folder_of`), claimed for it.

    Raises:
        OSError: it cannot be written.
    """
    folder = folder_of(network)
    try:
        claim(folder, network, command)
    except SettingsError:  # another process has claimed it in this moment
        folder = folder_of(network)
        claim(folder, network, command)
    return folder


def check_folder(path: Path) -> None:
    """Create the folder and check that it can be written, before any work is done.

    Unfinished files of killed runs are removed. From here on, files of this folder are written only inside it.

    Raises:
        OSError: it cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        what = "is a link that leads nowhere" if path.is_symlink() else "is a file, and no folder"
        raise NotADirectoryError(errno.ENOTDIR, what, str(path)) from None
    keep_inside(path)
    for folder in [path, *(path / name for name in FOLDERS)]:
        sweep(folder)
    try:
        with tempfile.TemporaryFile(prefix=".sefa-", dir=path, buffering=0) as probe:
            left = memoryview(bytes(4096))  # on a full disk an empty file can still be written
            while left:
                left = left[probe.write(left) :]
    except OSError as error:
        error.filename = str(path)
        raise


def write_page(manifest: Manifest) -> Path:
    """Write ``index.html`` of all that a record holds; returns its path.

    Raises:
        OSError: it cannot be written.
    """
    return write_report(manifest)


def single_page(folder: Path) -> Path:
    """Write ``index-single.html``, the page of a folder with its pictures and videos inside; returns its path.

    Raises:
        SettingsError: there is a file of this name that was not made here, or the folder has no record of a run.
        OSError: it cannot be written, or a picture cannot be read.
    """
    if is_foreign_page(folder / SINGLE):
        raise SettingsError(f"{folder / SINGLE}: was not made by this program, and would be replaced; move it away")
    manifest = Manifest.of(folder)
    if manifest is None:
        raise SettingsError(f"{folder}: has no record of a run, so there is no page")
    return write_report(manifest, single=True)
