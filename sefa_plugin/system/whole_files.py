"""An output appears whole or not at all: it is written beside its place and then moved there.

A process that is killed leaves what it was writing. The next one that writes to the folder, or starts a run in it,
removes that.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
import shutil
import stat
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

TRIES = 10  # on Windows a virus scanner or a dying process holds a new file for a moment
WAIT = 0.05  # seconds between them
OLD = 7 * 24 * 3600  # seconds after which what another machine was writing is given up
KEPT_NAME = 60  # bytes of an output's name in that of its temporary sibling, so that the longest leave room
_LEFT = re.compile(
    r"\.(?P<name>.+)\.(?P<what>part|old)-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-\d+(?P<suffix>\.[^.]*)?", re.S
)
_count = itertools.count()
_mine: set[Path] = set()  # what this process is writing
_kept: set[str] = set()  # folders that nothing is written out of
_swept: set[Path] = set()


def keep_inside(folder: str | os.PathLike[str]) -> None:
    """Let no output of this folder be written to another one.

    A folder that was passed on or unpacked can hold links to files of its user, which the user has not seen.
    """
    _kept.add(os.path.abspath(folder))


def _check_inside(path: str | os.PathLike[str], target: Path) -> None:
    typed = os.path.abspath(path)
    for folder in _kept:
        if typed.startswith(os.path.join(folder, "")):
            real = os.path.realpath(folder)
            if os.path.commonpath([real, os.path.dirname(target)]) != real:
                what = f"a link in the output folder leads out of it, to {target}; remove the link, or name that folder"
                raise OSError(errno.EPERM, what, str(path))


def _place(path: str | os.PathLike[str]) -> Path:
    """The path itself, links followed (a linked output stays a link), the folders above it made and swept.

    Raises:
        OSError: links lead out of a folder of :func:`keep_inside`, or a pipe or a device is there.
    """
    target = Path(os.path.realpath(path))
    _check_inside(path, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep_once(target.parent)
    _check_replaceable(target)
    return target


def _check_replaceable(target: Path) -> None:
    """A device or a pipe would be gone, and a file there in its place: whoever named it meant something else.

    Raises:
        OSError: it is one.
    """
    with suppress(FileNotFoundError):
        mode = os.stat(target).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise OSError(errno.EINVAL, "is a pipe or a device, which is not replaced by a file", str(target))


def _sweep_once(folder: Path) -> None:
    """Sweep a folder at most once in a process: it may hold thousands of files."""
    if folder not in _swept:
        _swept.add(folder)
        sweep(folder)


def _beside(target: Path, what: str) -> Path:
    """A hidden sibling, new at each call, that keeps the suffix: writers choose their format by it."""
    raw, suffix = os.fsencode(target.name), target.suffix
    name = target.name if len(raw) <= KEPT_NAME else raw[:KEPT_NAME].decode("utf-8", "ignore") + "~"
    suffix = suffix if len(os.fsencode(suffix)) <= KEPT_NAME else ""
    return target.with_name(f".{name}.{what}-{_host()}-{os.getpid()}-{next(_count)}{suffix}")


@lru_cache(maxsize=1)
def _host() -> str:
    """Where process numbers mean what they mean here: this machine, and on Linux this container."""
    import platform

    place = platform.node()
    with suppress(OSError, AttributeError):
        place += os.readlink("/proc/self/ns/pid")
    return f"{zlib.crc32(place.encode('utf-8', 'surrogateescape')):08x}"


def sweep(folder: str | os.PathLike[str]) -> None:
    """Remove from a folder what processes that are gone have left half-written; never raises.

    An old folder that was about to be exchanged for a new one, of which neither is there, goes back to its place.
    """
    folder = os.path.realpath(folder)
    try:
        names = [name for name in os.listdir(folder) if name.startswith(".")]
    except OSError:
        return
    for name in names:
        found, path = _LEFT.fullmatch(name), Path(folder, name)
        if not found or not _abandoned(path, found["host"], int(found["pid"])):
            continue
        with suppress(OSError):
            if found["what"] == "old" and not Path(folder, found["name"]).exists():
                if not found["name"].endswith("~"):
                    path.rename(Path(folder, found["name"]))
            elif path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def remove_unfinished() -> None:
    """Remove what this process is writing, where it is about to be ended without unwinding; never raises.

    An old folder that is being exchanged stays: :func:`sweep` puts it back.
    """
    for path in list(_mine):
        found = _LEFT.fullmatch(path.name)
        if found and found["what"] == "old":
            continue
        with suppress(OSError):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def _abandoned(path: Path, host: str, pid: int) -> bool:
    if path in _mine:
        return False
    if host == _host() and os.name == "posix":
        return pid == os.getpid() or not _lives(pid)
    try:
        return time.time() - path.stat().st_mtime > OLD
    except OSError:
        return False


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    return True


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give an empty folder in the system's temporary one, which is there for the length of the block.

    Raises:
        OSError: there is no temporary folder, or it is full.
    """
    root = Path(os.path.realpath(tempfile.gettempdir()))
    _sweep_once(root)
    path = Path(tempfile.mkdtemp(prefix=f".sefa.part-{_host()}-{os.getpid()}-{next(_count)}.", dir=root))
    _mine.add(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        _mine.discard(path)


@contextmanager
def alone_in(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Wait until no other process is inside this block for the same folder; nothing is left there.

    For moments, not for work. Where there are no such locks (Windows, some network file systems) it does not wait.

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


def _patiently(action: Callable[..., object], *args: str | os.PathLike[str]) -> None:
    """Call ``action(*args)``; where Windows says that a program has the file open, try again for half a second."""
    for left in reversed(range(TRIES)):
        try:
            action(*args)
            return
        except PermissionError:
            if sys.platform != "win32" or not left:
                raise
            time.sleep(WAIT)


def _named(error: BaseException, part: Path, path: str | os.PathLike[str]) -> None:
    """Put the output's path into an error that names its temporary sibling, or (a full disk) no file at all."""
    if isinstance(error, OSError) and error.errno is not None and error.filename is None:
        error.filename = str(path)
    elif isinstance(error, OSError):
        inside = os.path.join(part, "")
        for attribute in ("filename", "filename2"):
            name = getattr(error, attribute)
            if isinstance(name, (str, os.PathLike)) and f"{os.path.abspath(name)}{os.sep}".startswith(inside):
                setattr(error, attribute, str(path))


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a path to write to; it becomes ``path`` if the block succeeds and is removed if it does not.

    The path given lies beside ``path`` and has its suffix; nothing is there yet, and whatever is there
    at the end must be closed. Folders above are made. An older file stays until the new one replaces it.

    Raises:
        OSError: the place cannot be written, or is a folder, a pipe or a device.
    """
    target = _place(path)
    if target.is_dir():  # say so before the work, not after it
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    part = _beside(target, "part")
    _mine.add(part)
    try:
        yield part
        _patiently(os.replace, part, target)
    except BaseException as error:  # Ctrl-C too
        with suppress(OSError):
            _patiently(os.unlink, part)
        _named(error, part, path)
        raise
    finally:
        _mine.discard(part)


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
    part, old = _beside(target, "part"), _beside(target, "old")
    _mine.update((part, old))
    try:
        part.mkdir()
        yield part
        if target.exists():
            _patiently(os.rename, target, old)
        _patiently(os.rename, part, target)
    except BaseException as error:
        if old.exists() and not target.exists():
            _patiently(os.rename, old, target)
        shutil.rmtree(part, ignore_errors=True)
        _named(error, part, path)
        raise
    finally:
        if target.exists():  # else it is the only one
            shutil.rmtree(old, ignore_errors=True)
        _mine.difference_update((part, old))
