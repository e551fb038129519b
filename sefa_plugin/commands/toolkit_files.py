"""Puts the command ``gen_sefa.py`` beside a toolkit's own ones, in its checkout, and takes it away again."""

from __future__ import annotations

import os
from pathlib import Path

from .. import __version__
from ..system.whole_files import whole_file
from .dropped_file import NAME, signed, text_for, unix, untouched

LARGEST = 100_000  # bytes; ours has about 2 kB, and nothing larger is read to find out
SIBLINGS = ("gen_images.py", "generate.py", "gen_samples.py")  # what a toolkit makes its pictures with


class RegisterError(Exception):
    """A folder cannot be given the command, or a file there is not ours to replace or remove."""


def is_toolkit(folder: Path) -> bool:
    """Whether ``folder`` holds what the checkouts of stylegan2-ada-pytorch, stylegan3 and their forks hold."""
    return (
        (folder / "dnnlib" / "util.py").is_file()
        and (folder / "torch_utils" / "persistence.py").is_file()
        and ((folder / "legacy.py").is_file() or any((folder / "training").glob("networks*.py")))
    )


def find_toolkit(path: str | os.PathLike) -> Path:
    """Give the folder of a checkout in which its commands lie: ``path``, or the only one such folder in it.

    Raises:
        RegisterError: there is none, or more than one.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise RegisterError(f"{folder}: is no folder; give the checkout of a toolkit")
    try:
        if is_toolkit(folder):
            return folder
        inner = sorted(part for part in folder.iterdir() if part.is_dir() and is_toolkit(part))
    except OSError as error:
        raise RegisterError(f"{folder}: cannot be read ({error.strerror or error})") from error
    if len(inner) > 1:
        raise RegisterError(f"{folder}: holds several toolkits ({', '.join(part.name for part in inner)}); name one")
    if not inner:
        raise RegisterError(
            f"{folder}: no checkout of a toolkit; looked here and one folder down for dnnlib/util.py, "
            "torch_utils/persistence.py, and legacy.py or training/networks*.py"
        )
    return inner[0]


def register(path: str | os.PathLike, dry_run: bool = False) -> tuple[Path, str]:
    """Write ``gen_sefa.py`` into a checkout, unless it is there already.

    Args:
        path: the checkout, or the folder around the one that holds its commands (eg3d).
        dry_run: find out and refuse as ever, but write nothing.

    Returns:
        The file, and ``"new"``, ``"updated"`` (an older one of ours was there) or ``"already there"``.

    Raises:
        RegisterError: no toolkit; a file of that name that is not ours, or ours but changed since; not writable.
    """
    file = find_toolkit(path) / NAME
    text = text_for(str(Path(__file__).resolve().parents[1]), __version__)
    held = _ours(file)
    if held is not None and unix(held) == text:
        return file, "already there"
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise RegisterError(f"{file.parent}: cannot be written to; no {NAME} was put there")
    if not dry_run:
        try:
            with whole_file(file) as part:
                part.write_bytes(text)
        except OSError as error:
            raise RegisterError(f"{file}: cannot be written ({error.strerror or error})") from error
    return file, "new" if held is None else "updated"


def unregister(path: str | os.PathLike, dry_run: bool = False) -> tuple[Path, bool]:
    """Remove the ``gen_sefa.py`` that ``register`` has written, and what Python has compiled of it.

    Returns:
        The file, and whether it was there.

    Raises:
        RegisterError: no toolkit (and no such file); a file that is not ours, or changed since; not removable.
    """
    file = Path(path) / NAME
    if not os.path.lexists(file):  # what was put there can be removed even if the toolkit is gone
        file = find_toolkit(path) / NAME
    held = _ours(file)
    if dry_run:
        return file, held is not None
    try:
        if held is not None:
            file.unlink()
            _remove_compiled(file)
    except OSError as error:
        raise RegisterError(f"{file}: cannot be removed ({error.strerror or error})") from error
    return file, held is not None


def sibling(file: Path) -> str | None:
    """Name of the toolkit's own command for pictures, where it has one that is known."""
    return next((name for name in SIBLINGS if (file.parent / name).is_file()), None)


def _ours(file: Path) -> bytes | None:
    """Content of the file, which is ours and unchanged; None if nothing of that name is there."""
    if not os.path.lexists(file):
        return None
    # A link is somebody's doing, wherever it leads.
    if file.is_symlink() or not file.is_file():
        raise RegisterError(f"{file}: is a link or no file, and was not made by sefa register; it is left alone")
    try:
        content = file.read_bytes() if file.stat().st_size <= LARGEST else b""
    except OSError as error:
        raise RegisterError(f"{file}: cannot be read ({error.strerror or error})") from error
    if not signed(content):
        raise RegisterError(f"{file}: was not written by sefa register and is left alone; move it away first")
    if not untouched(content):
        raise RegisterError(f"{file}: was changed since sefa register wrote it and is left alone; move it away first")
    return content


def _remove_compiled(file: Path) -> None:
    cache = file.parent / "__pycache__"
    if cache.is_symlink() or not cache.is_dir():
        return
    compiled = list(cache.glob(f"{file.stem}.*.pyc"))
    for part in compiled:
        part.unlink()
    if compiled and not any(cache.iterdir()):
        cache.rmdir()
