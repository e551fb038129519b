"""Whether anything ran: every event of the interpreter that could mean so, by its audit hook (PEP 578)."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NEVER = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "os.startfile",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.kill",
    "pty.spawn",
    "subprocess.Popen",
    "pickle.find_class",
    "code.__new__",
    "ctypes.dlopen",
    "socket.connect",
    "socket.getaddrinfo",
    "urllib.Request",
    "webbrowser.open",
    "shutil.copyfile",
    "shutil.rmtree",
    "builtins.breakpoint",
    "builtins.input",
)
_OURS = ("sefa_plugin", "encodings")  # whose modules may be imported while a file is read
_CREATING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Watch:
    """An audit hook, which cannot be taken away again; it notes only inside :meth:`nothing_run`."""

    def __init__(self) -> None:
        self._on = False
        self._outside = ""
        self._seen: list[str] = []
        sys.addaudithook(self._note)

    def _note(self, event: str, args: tuple) -> None:
        if not self._on:
            return
        if event in _NEVER or (event in ("exec", "compile") and not _by_an_import_or_a_header()):
            self._seen.append(f"{event} {args!r:.200}")
        elif event == "import" and args[0].partition(".")[0] not in _OURS:
            self._seen.append(f"import {args[0]}")
        elif event == "open" and _writes(args) and not str(args[0]).startswith(self._outside):
            self._seen.append(f"open {args!r:.200}")

    @contextmanager
    def nothing_run(self, outside: Path) -> Iterator[None]:
        """Check that nothing is run in the block, and nothing written but into ``outside``.

        Raises:
            AssertionError: something was.
        """
        self._outside, self._seen, self._on = str(outside), [], True
        try:
            yield
        finally:
            self._on = False
        assert not self._seen, self._seen


def _writes(args: tuple[Any, ...]) -> bool:
    return isinstance(args[2], int) and bool(args[2] & _CREATING)


def _by_an_import_or_a_header() -> bool:
    """Whether code runs because some module is imported: the import event before it names the module.

    Or NumPy takes a header apart by ``ast.literal_eval``, which compiles to a tree of literals and runs nothing.
    """
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_filename == "<frozen importlib._bootstrap>" or code is ast.literal_eval.__code__:
            return True
        frame = frame.f_back
    return False
