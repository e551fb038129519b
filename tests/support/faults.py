"""What the tests of faults share: commands in processes that can be killed, and folders that can be compared."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from sefa_plugin.commands import cli
from sefa_plugin.system import whole_files as atomic

resource = pytest.importorskip("resource")
OUTPUT = "told.txt"
LONGEST = 100.0  # seconds


class Process:
    """A command in a forked process: everything is imported, so that it does its work and little else."""

    def __init__(self, folder: Path, words: list[str], before: Callable[[], Any] = lambda: None) -> None:
        self.folder = folder
        self.begun = time.monotonic()
        self.pid = os.fork()
        if not self.pid:
            _become(folder, words, before)

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def end(self) -> int:
        """Its exit code, or minus the signal that killed it; that of SIGKILL where it does not end."""
        while time.monotonic() - self.begun < LONGEST:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        self.send(signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    @property
    def told(self) -> str:
        path = self.folder / OUTPUT
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _become(folder: Path, words: list[str], before: Callable[[], Any]) -> None:
    """Never returns."""
    code = 70
    try:
        os.chdir(folder)
        told = os.open(OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(told, 1)
        os.dup2(told, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", errors="backslashreplace") for number in (1, 2))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        command, words = _command(words)
        sys.argv = ["sefa", *words]
        torch.set_num_threads(1)  # those of this process did not come along, and would be waited for
        atomic._sweep_once.cache_clear()  # a new process has swept nothing yet
        before()
        command.main(words)
    except SystemExit as ending:
        code = ending.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _command(words: list[str]) -> tuple[Any, list[str]]:
    return (cli.gen_sefa, words[1:]) if words[0] == "gen" else (cli.sefa, words)


def warm(words: list[str]) -> None:
    """Run a command in this process, so that those forked from it have imported what it needs."""
    command, words = _command(words)
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 0, result.output


def finish(folder: Path, words: list[str], before: Callable[[], Any] = lambda: None) -> tuple[int, str]:
    """Exit code and what was said, of a command that ends by itself; ``before`` is called in its process."""
    process = Process(folder, words, before)
    return process.end(), process.told


def one_line(code: int, told: str, wanted: int = 1) -> str:
    """The one line with which a command has failed."""
    lines = [line for line in told.splitlines() if line.startswith("Error: ")]
    assert code == wanted and len(lines) == 1 and "Traceback" not in told and "Exception ignored" not in told, told
    assert "unexpected" not in told, told
    return lines[0]


NO_MOUNTS = 77  # exit code of a process that cannot mount anything


def mount(source: str, target: Path, kind: str | None, flags: int, options: str = "") -> None:
    """Mount a file system that only this process, a forked one, sees; ends it where that is not allowed."""
    library = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() or not mount.own:
        user, group = os.geteuid(), os.getegid()
        if library.unshare(0x10000000 | 0x00020000):  # CLONE_NEWUSER, CLONE_NEWNS
            os._exit(NO_MOUNTS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        mount.own = True
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind)]
    if library.mount(*words, ctypes.c_ulong(flags), options.encode() or None):
        os._exit(NO_MOUNTS)


mount.own = False


def read_only(folder: Path) -> None:
    """Let this process, a forked one, see a folder that cannot be written to."""
    bind, remount, no_writing = 4096, 32, 1
    mount(str(folder), folder, None, bind)
    mount("none", folder, None, bind | remount | no_writing)


def content(folder: Path) -> dict[str, bytes]:
    """All files below a folder, hidden ones too, but for what the command has said."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != OUTPUT)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def hidden(*folders: Path) -> list[str]:
    """Whatever should not be left in a folder: our temporary files and folders."""
    return [str(path) for folder in folders for path in folder.rglob(".*")]


SETTLES = ("directions", "scores.npz")  # with what is known so far


@dataclass
class Campaign:
    """A command that is killed, and run again.

    Attributes:
        words: the command.
        whole: what an undisturbed run leaves.
        seconds: that it took.
        temporary: the folder of temporary files.
    """

    words: list[str]
    whole: dict[str, bytes]
    seconds: float
    temporary: Path

    @classmethod
    def of(cls, folder: Path, words: list[str], temporary: Path, twice: bool = False) -> Campaign:
        found = []
        # Beside the folders of later runs, since what is stored has paths as seen from the current folder.
        for place in (folder.with_name(f"{folder.name}-{number}") for number in range(1 + twice)):
            place.mkdir(parents=True)
            start = time.monotonic()
            code, told = finish(place, words)
            seconds = time.monotonic() - start
            assert code == 0, told
            found.append(content(place))
        assert found[0] == found[-1], "two undisturbed runs differ"
        return cls(words, found[0], seconds, temporary)

    def strike(self, folder: Path, number: int, moment: float) -> int:
        """Send a signal at a moment, 0 to 1 of the whole time; then run the command again. Gives the first's exit code.

        Raises:
            AssertionError: something was half-written, left behind, or other than that of an undisturbed run.
        """
        folder.mkdir()
        process = Process(folder, self.words)
        time.sleep(moment * self.seconds)
        process.send(number)
        code = process.end()
        self.check_whole(folder, process.told)
        if number != signal.SIGKILL and code != -number:  # that is before the command begins
            told = [line for line in process.told.splitlines() if line.startswith("Error: ")]
            assert code in (0, {signal.SIGINT: 130, signal.SIGTERM: 143}[number]), process.told
            assert len(told) == (code != 0) and "Traceback" not in process.told, process.told
            assert hidden(folder, self.temporary) == []
        self.again(folder)
        return code

    def again(self, folder: Path) -> None:
        """Run the command once more: there must be what an undisturbed run leaves, and nothing else.

        Raises:
            AssertionError: there is not.
        """
        code, told = finish(folder, self.words)
        assert code == 0, told
        found = content(folder)
        assert hidden(folder, self.temporary) == []
        assert found.keys() == self.whole.keys()
        different = [name for name in found if found[name] != self.whole[name]]
        assert different == [], (different, told)

    def check_whole(self, folder: Path, told: str) -> None:
        """Whatever is there under its own name is whole.

        Raises:
            AssertionError: a file is not.
        """
        for name, data in content(folder).items():
            base = name.rsplit("/", 1)[-1]
            if "/." in f"/{name}" or base.startswith(SETTLES):
                continue
            if base == "run.json":
                json.loads(data)
            elif base == "index.html":
                assert data.rstrip().endswith(b"</html>")
            else:
                assert data == self.whole[name], (name, told)


def moments(count: int, seed: int) -> list[float]:
    """When to strike: anywhere, each in a stretch of its own."""
    draw = random.Random(seed)
    return [(index + draw.random()) / count for index in range(count)]


@contextlib.contextmanager
def at_most(size: int):
    """No file of this process and those that it starts may grow beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
