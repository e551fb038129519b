"""Who works on what, in a folder that several processes and computers share: a file for each claim.

A claim only saves work that would be done twice: what two processes make of the same claim must be equal, and moved
into place at once.
"""

from __future__ import annotations

import json
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .whole_files import is_dead, this_host

BEAT = 10.0  # seconds between signs of life
STALE = 120.0  # seconds without one, after which a claim is anybody's


@contextmanager
def claimed(path: Path, beat: float = BEAT) -> Iterator[bool]:
    """Claim something for the block; gives False where another live process has it.

    Args:
        path: the claim's file, in a folder that is there.
        beat: seconds between signs of life.

    Raises:
        OSError: the folder cannot be written.
    """
    if holder(path) or not _made(path):
        yield False
        return
    ended = threading.Event()
    thread = threading.Thread(target=_beating, args=(path, ended, beat), daemon=True)
    thread.start()
    try:
        yield True
    finally:
        ended.set()
        path.unlink(missing_ok=True)


def holder(path: Path) -> str:
    """The computer and process whose claim this is, in words; '' where there is none. Removes those of the dead.

    Raises:
        OSError: the folder cannot be read or written.
    """
    try:
        held = json.loads(path.read_bytes())
        host, name, pid = str(held["host"]), str(held["name"]), int(held["pid"])
    except FileNotFoundError:
        return ""
    except (ValueError, KeyError, TypeError):  # killed between making the file and writing it
        host, name, pid = "", "a process that was killed", 0
    with suppress(FileNotFoundError):
        dead = (host == this_host() and is_dead(pid)) or _seconds_since(path) > STALE
        if not dead:
            return f"{name}, process {pid}"
        path.unlink()
    return ""


def _made(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w") as stream:
        json.dump({"host": this_host(), "name": platform.node(), "pid": os.getpid()}, stream)
    return True


def _seconds_since(path: Path) -> float:
    """The age of a file by the clock of the disk that holds it, since those of computers differ."""
    probe = path.with_name(f".{this_host()}-{os.getpid()}")
    probe.touch()
    now = probe.stat().st_mtime
    probe.unlink()
    return now - path.stat().st_mtime


def _beating(path: Path, ended: threading.Event, beat: float) -> None:
    while not ended.wait(beat):
        with suppress(OSError):
            os.utime(path)
