"""An output appears whole or not at all: it is written in a hidden folder beside its place and then moved there.

A process that is killed leaves that folder. The next one that writes there, or starts a run in it, removes it.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

TRIES, WAIT = 10, 0.05  # on Windows a virus scanner or a dying process holds a new file for a moment; seconds
OLD = 7 * 24 * 3600  # seconds after which what another machine was writing is given up
_HIDDEN = ".sefa-"
_LEFT = re.compile(rf"\{_HIDDEN}([0-9a-f]{{8}})-(\d{{1,9}})-[0-9a-f]{{8}}")  # host and process
_kept: set[str] = set()  # folders that nothing is written out of


def keep_inside(folder: str | os.PathLike[str]) -> None:
    """Let no output of this folder be written to another one.

    A folder that was passed on or unpacked can hold links to files of its user, which the user has not seen.
    """
    _kept.add(os.path.abspath(folder))


def _place(path: str | os.PathLike[str]) -> Path:
    """The path itself, links followed (a linked output stays a link), the folders above it made.

    Raises:
        OSError: links lead out of a folder of :func:`keep_inside`, or a pipe or a device is there, which would be
            gone, and a file in its place.
    """
    typed, target = os.path.abspath(path), Path(os.path.realpath(path))
    for folder in _kept:
        real = os.path.realpath(folder)
        if typed.startswith(os.path.join(folder, "")) and os.path.commonpath([real, target.parent]) != real:
            what = f"a link in the output folder leads out of it, to {target}; remove the link, or name that folder"
            raise OSError(errno.EPERM, what, str(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and not target.is_file() and not target.is_dir():
        raise OSError(errno.EINVAL, "is a pipe or a device, which is not replaced by a file", str(target))
    return target


@lru_cache(maxsize=1)
def _host() -> str:
    """Where process numbers mean what they mean here: this machine, and on Linux this container."""
    import platform

    place = platform.node()
    with suppress(OSError):
        place += os.readlink("/proc/self/ns/pid")
    return f"{zlib.crc32(place.encode('utf-8', 'surrogateescape')):08x}"


@contextmanager
def _hidden_in(folder: Path) -> Iterator[Path]:
    """Give an empty hidden folder in this one for the length of the block; those of dead processes go."""
    _sweep_once(folder)
    path = folder / f"{_HIDDEN}{_host()}-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        path.mkdir()
        yield path
    finally:
        _remove(path)


def _remove(hidden: Path) -> None:
    """Remove a hidden folder; an older output that was moved aside into it goes back, where no new one is."""
    aside = hidden / "old"
    for old in [] if aside.is_symlink() else aside.glob("*"):
        if not (hidden.parent / old.name).exists():
            _move(old, hidden.parent / old.name)
    shutil.rmtree(hidden, ignore_errors=True)


def sweep(folder: str | os.PathLike[str]) -> None:
    """Remove from a folder what processes that are gone have left half-written; never raises."""
    for path in Path(os.path.realpath(folder)).glob(f"{_HIDDEN}*"):
        found = _LEFT.fullmatch(path.name)
        with suppress(OSError):
            if found and not path.is_symlink() and _abandoned(path, found[1], int(found[2])):
                _remove(path)


_sweep_once = lru_cache(maxsize=None)(sweep)  # in a process: a folder may hold thousands of files


def _abandoned(path: Path, host: str, pid: int) -> bool:
    if host != _host() or os.name != "posix":
        return time.time() - path.stat().st_mtime > OLD
    try:
        os.kill(pid, 0)
    except OSError as error:  # or it is somebody else's
        return isinstance(error, ProcessLookupError)
    return False


@contextmanager
def alone_in(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Wait until nobody else, in this process or another, is inside this block for the same folder.

    For moments, not for work. Nothing is left in the folder. Where there are no such locks (Windows, some network file
    systems) it does not wait.

    Raises:
        OSError: the folder is not there.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _move(source: Path, target: Path) -> None:
    """Rename; where Windows says that a program has the file open, try again for half a second."""
    for left in reversed(range(TRIES)):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if sys.platform != "win32" or not left:
                raise
            time.sleep(WAIT)


@contextmanager
def _named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the output's path into an error that names the hidden folder, or (a full disk) no file at all."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        for attribute in ("filename", "filename2"):
            if f"{os.sep}{_HIDDEN}" in str(getattr(error, attribute)):
                setattr(error, attribute, str(path))
        raise


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a path to write to; what is there becomes ``path`` if the block succeeds and is removed if it does not.

    The path given has the name of ``path``; nothing is there yet, and whatever is there at the end must be closed.
    Folders above are made. An older file stays until the new one replaces it.

    Raises:
        OSError: the place cannot be written, or is a folder, a pipe or a device.
    """
    target = _place(path)
    if target.is_dir():  # say so before the work, not after it
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with _named(path), _hidden_in(target.parent) as hidden:
        yield hidden / target.name
        _move(hidden / target.name, target)


@contextmanager
def whole_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give an empty folder to fill; it becomes ``path`` if the block succeeds, and goes if it does not.

    An older folder stays as it was until the new one is complete, and is back if the exchange fails;
    nothing of it is kept beside the new files.

    Raises:
        OSError: the place cannot be written, or is a file.
    """
    target = _place(path)
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    with _named(path), _hidden_in(target.parent) as hidden:
        new, aside = hidden / "new", hidden / "old"
        new.mkdir()
        aside.mkdir()
        yield new
        if target.exists():
            _move(target, aside / target.name)
        _move(new, target)
