"""What all commands that make pictures share about their outputs: the folder, the record's settings, what is told."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from .atomic import keep_inside, sweep
from .camera import Camera
from .manifest import Manifest

RENDERER = 2  # raised when equal settings would give other pictures
FOLDERS = ("sheets", "videos", "evaluate", "evaluate/parts")  # that an output folder may have


class Reporter(Protocol):
    """Where a run tells what it does."""

    def say(self, text: str) -> None:
        """One line for the log."""

    def expect(self, pictures: int, seconds: float) -> None:
        """How many pictures will be rendered, and about how long that takes."""

    def advance(self, pictures: int) -> None:
        """Some pictures are done."""


def common_settings(camera: Camera, manifest: Manifest) -> dict[str, Any]:
    """What decides all pictures of a camera, for the record."""
    look = camera.look
    return {
        "renderer": RENDERER,
        "network": manifest.network["digest"],
        "subjects": camera.labels,
        "projected": camera.projected,
        "look": {**asdict(look), "translate": list(look.translate), "camera": list(look.camera)},
    }


def is_current(manifest: Manifest, name: str, settings: dict[str, Any], reporter: Reporter) -> bool:
    """Whether an output is up to date; says so, or that it will be replaced."""
    if manifest.is_current(name, settings):
        reporter.say(f"{name}: is up to date, kept")
        return True
    if (manifest.outdir / name).exists():
        reporter.say(f"{name}: was made with other settings, will be replaced")
    return False


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Give an error of the operating system the name of the output, where it has none (a full disk)."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def output_folder(outdir: str | None, name: str) -> Path:
    """Where outputs go: ``outdir``, or ``sefa-out/<network>``."""
    return Path(outdir) if outdir else Path("sefa-out") / name


def check_folder(path: Path) -> None:
    """Make the folder and make sure that it can be written, before any work is done.

    What runs that were killed have left half-written there goes. From here on nothing of it is written elsewhere.

    Raises:
        OSError: it cannot.
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
            probe.write(bytes(4096))  # a full disk takes empty files
    except OSError as error:
        error.filename = str(path)
        raise
