"""Outputs are written whole or not at all: into a hidden folder beside the target, then renamed.

A killed process leaves its hidden folder; the next process that writes or starts a run there removes it.
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

TRIES, WAIT = 10, 0.05  # of renaming, and seconds between: on Windows a virus scanner may hold a new file
OLD = 7 * 24 * 3600  # seconds after which another machine's hidden folder is removed
_HIDDEN = ".sefa-"
_LEFT = re.compile(rf"\{_HIDDEN}([0-9a-f]{{8}})-(\d{{1,9}})-[0-9a-f]{{8}}")  # host and process id
_kept: set[str] = set()  # folders of keep_inside


def keep_inside(folder: str | os.PathLike[str]) -> None:
    """Refuse links in this folder that would write an output outside of it.

    A folder from somebody else may contain links to files of the user.
    """
    _kept.add(os.path.abspath(folder))


def _place(path: str | os.PathLike[str]) -> Path:
    """The path with links resolved (a linked output stays a link); makes the folders above.

    Raises:
        OSError: links lead out of a folder of :func:`keep_inside`, or the path is a pipe or a device.
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
def this_host() -> str:
    """Digest of what process ids are relative to: this machine, and on Linux its PID namespace (container)."""
    import platform

    place = platform.node()
    with suppress(OSError):
        place += os.readlink("/proc/self/ns/pid")
    return f"{zlib.crc32(place.encode('utf-8', 'surrogateescape')):08x}"


@contextmanager
def _hidden_in(folder: Path) -> Iterator[Path]:
    """Give an empty hidden folder in ``folder``, removed after the block; removes those of dead processes."""
    _sweep_once(folder)
    path = folder / f"{_HIDDEN}{this_host()}-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        path.mkdir()
        yield path
    finally:
        try:
            _remove(path)
        except KeyboardInterrupt:  # a signal during the removal: complete it
            _remove(path)
            raise


def _remove(hidden: Path) -> None:
    """Remove a hidden folder; restores an older output that was moved into it, unless a new one exists."""
    aside = hidden / "old"
    for old in [] if aside.is_symlink() else aside.glob("*"):
        if not (hidden.parent / old.name).exists():
            _move(old, hidden.parent / old.name)
    shutil.rmtree(hidden, ignore_errors=True)


def sweep(folder: str | os.PathLike[str]) -> None:
    """Remove hidden folders that dead processes left in a folder; never raises."""
    for path in Path(os.path.realpath(folder)).glob(f"{_HIDDEN}*"):
        found = _LEFT.fullmatch(path.name)
        with suppress(OSError):
            if found and not path.is_symlink() and _abandoned(path, found[1], int(found[2])):
                _remove(path)


_sweep_once = lru_cache(maxsize=None)(sweep)  # per process: a folder may hold thousands of files


def _abandoned(path: Path, host: str, pid: int) -> bool:
    if host != this_host() or os.name != "posix":
        return time.time() - path.stat().st_mtime > OLD
    return is_dead(pid)


def is_dead(pid: int) -> bool:
    """Whether no process of this host has a number; POSIX only, elsewhere False."""
    if os.name != "posix":
        return False
    try:
        os.kill(pid, 0)
    except OSError as error:  # PermissionError: it runs, as another user
        return isinstance(error, ProcessLookupError)
    return False


@contextmanager
def alone_in(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Lock a folder for the block, against other threads and processes; for short operations.

    Leaves no file. Where there are no such locks (Windows, some network file systems) it does not wait.

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
    """Rename; on Windows retried for half a second while another program has the file open."""
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
    """Name the output in an ``OSError`` that names the hidden folder, or (full disk) no file."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        for attribute in ("filename", "filename2"):
            if f"{os.sep}{_HIDDEN}" in str(getattr(error, attribute)):
                setattr(error, attribute, str(path))
        raise


def _move_new(source: Path, target: Path) -> None:
    """Rename, but replace nothing; only one of several processes succeeds."""
    if os.name != "posix":
        os.rename(source, target)
        return
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        _move(source, target)


@contextmanager
def whole_file(path: str | os.PathLike[str], new: bool = False) -> Iterator[Path]:
    """Give a path to write a file to; it is moved to ``path`` if the block succeeds, and removed if not.

    The path given does not exist yet and has the file name of ``path``; the file must be closed at the end.
    Folders above are made. An older file stays until the new one replaces it; if ``new``, it is never replaced.

    Raises:
        FileExistsError: ``path`` exists, and the file was to be ``new``.
        OSError: ``path`` cannot be written, or is a folder, a pipe or a device.
    """
    target = _place(path)
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with _named(path), _hidden_in(target.parent) as hidden:
        yield hidden / target.name
        (_move_new if new else _move)(hidden / target.name, target)


@contextmanager
def whole_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give an empty folder to fill; it is moved to ``path`` if the block succeeds, and removed if not.

    An older folder stays until the new one is complete, and is restored if the move fails; its files are not merged.

    Raises:
        OSError: ``path`` cannot be written, or is a file.
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
