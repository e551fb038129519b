"""``register`` and ``unregister``: write ``gen_sefa.py`` into the checkout of a toolkit, and remove it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from .. import __version__
from . import options
from .files import Folder
from .shell import Command, report, warn

_dry_run = click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")


@click.command("register", cls=Command)
@click.argument("path", type=Folder(there=True), metavar="PATH")
@_dry_run
@options.debug
def register_command(path: str, dry_run: bool, debug: bool) -> None:
    """Put gen_sefa.py into the checkout of a toolkit, beside its gen_images.py or generate.py.

    PATH is a checkout of stylegan2-ada-pytorch, stylegan3, stylegan-xl, stylegan-human, eg3d or a fork of one.
    One file is written, nothing that is there is changed, and `sefa unregister` takes it away again.

    \b
    Examples:
      sefa register ~/stylegan3
      sefa register ~/stylegan3 --dry-run
      cd ~/stylegan3 && python gen_sefa.py --network ffhq.pkl --seeds 7 --trunc 0.7 --outdir out
    """
    from ..system.environment import missing, too_old

    if text := too_old():
        raise RegisterError(text)
    if text := missing():
        warn(text)
    file, what = register(path, dry_run)
    done = {"new": "written", "updated": "updated"}.get(what)
    say = click.echo if dry_run else report
    say(f"{file}: {what if done is None else f'would be {done}' if dry_run else done}")
    beside = sibling(file)
    if not dry_run:
        report(f"It works like {beside}; try it there:" if beside else "Try it there:")
        report("  python gen_sefa.py --network demo")


@click.command("unregister", cls=Command)
@click.argument("path", type=Folder(there=True), metavar="PATH")
@_dry_run
@options.debug
def unregister_command(path: str, dry_run: bool, debug: bool) -> None:
    """Remove the gen_sefa.py that `sefa register` has written into a checkout, and nothing else.

    \b
    Examples:
      sefa unregister ~/stylegan3
    """
    file, there = unregister(path, dry_run)
    if there:
        (click.echo if dry_run else report)(f"{file}: {'would be removed' if dry_run else 'removed'}")
    else:
        report(f"{file}: not there, nothing to remove")


# --- writing and removing the file ----------------------------------------------------------------

LARGEST = 100_000  # bytes; our file has about 2 kB, larger files are not read
SIBLINGS = ("gen_images.py", "generate.py", "gen_samples.py")  # a toolkit's own commands for pictures


class RegisterError(Exception):
    """The file cannot be written to a folder, or a file there was not written by ``register``."""


@contextmanager
def _one_line_error(path: Path, what: str) -> Iterator[None]:
    """Turn an ``OSError`` into a line: the path cannot be read, written, removed."""
    try:
        yield
    except OSError as error:
        raise RegisterError(f"{path}: cannot be {what} ({error.strerror or error})") from error


def is_toolkit(folder: Path) -> bool:
    """Whether ``folder`` has the files that identify checkouts of stylegan2-ada-pytorch, stylegan3 and their forks."""
    return (
        (folder / "dnnlib" / "util.py").is_file()
        and (folder / "torch_utils" / "persistence.py").is_file()
        and ((folder / "legacy.py").is_file() or any((folder / "training").glob("networks*.py")))
    )


def find_toolkit(path: str | os.PathLike[str]) -> Path:
    """Return the folder of a checkout that holds its commands: ``path``, or the only such folder in it.

    Raises:
        RegisterError: there is none, or more than one.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise RegisterError(f"{folder}: is no folder; give the checkout of a toolkit")
    with _one_line_error(folder, "read"):
        if is_toolkit(folder):
            return folder
        inner = sorted(part for part in folder.iterdir() if part.is_dir() and is_toolkit(part))
    if len(inner) > 1:
        raise RegisterError(f"{folder}: holds several toolkits ({', '.join(part.name for part in inner)}); name one")
    if not inner:
        raise RegisterError(
            f"{folder}: no checkout of a toolkit; looked here and one folder down for dnnlib/util.py, "
            "torch_utils/persistence.py, and legacy.py or training/networks*.py"
        )
    return inner[0]


def register(path: str | os.PathLike[str], dry_run: bool = False) -> tuple[Path, str]:
    """Write ``gen_sefa.py`` into a checkout, unless it is there already.

    Args:
        path: the checkout, or the folder around the one that holds its commands (eg3d).
        dry_run: check everything, but write nothing.

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
        from ..system.whole_files import whole_file

        with _one_line_error(file, "written"), whole_file(file) as part:
            part.write_bytes(text)
    return file, "new" if held is None else "updated"


def unregister(path: str | os.PathLike[str], dry_run: bool = False) -> tuple[Path, bool]:
    """Remove the ``gen_sefa.py`` that ``register`` has written, and its compiled files.

    Returns:
        The file, and whether it was there.

    Raises:
        RegisterError: no toolkit (and no such file); a file that is not ours, or changed since; not removable.
    """
    file = Path(path) / NAME
    if not os.path.lexists(file):  # the file can be removed even if the toolkit is gone
        file = find_toolkit(path) / NAME
    held = _ours(file)
    if held is not None and not dry_run:
        with _one_line_error(file, "removed"):
            file.unlink()
            _remove_compiled(file)
    return file, held is not None


def sibling(file: Path) -> str | None:
    """Name of the toolkit's own command for pictures, where it has one that is known."""
    return next((name for name in SIBLINGS if (file.parent / name).is_file()), None)


def _ours(file: Path) -> bytes | None:
    """Content of the file that ``register`` wrote, unchanged; None if there is no file of that name."""
    if not os.path.lexists(file):
        return None
    # ``register`` makes no links.
    if file.is_symlink() or not file.is_file():
        raise RegisterError(f"{file}: is a link or no file, and was not made by sefa register; it is left alone")
    with _one_line_error(file, "read"):
        content = file.read_bytes() if file.stat().st_size <= LARGEST else b""
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


# --- the content of the file ----------------------------------------------------------------------

NAME = "gen_sefa.py"
# The digest distinguishes a file as written from one that a user has changed since.
_FIRST = '# Written by "sefa register" (sefa_plugin {version}, {digest}); "sefa unregister" takes it away.\n'
_SIGNED = re.compile(rb'# Written by "sefa register" \(sefa_plugin [^\s,]+, ([0-9a-f]{16})\); [^\n]*\n')
# ASCII that even Python 2 can parse, so that an old Python prints a message and no SyntaxError. This file only finds
# the package, which makes all other checks.
_BODY = '''\
"""Editing directions of a StyleGAN network: python gen_sefa.py --network ffhq.pkl (see --help)."""

import os
import sys

PLACE = {place}  # the package, at the time of "sefa register"


def fail(text):
    sys.stderr.write("Error: " + text + "\\n")
    sys.exit(1)


def main():
    if sys.version_info < (3, 9):
        fail(
            "Python %d.%d is too old, SeFa needs 3.9 or newer; install sefa_plugin in a separate environment: "
            "SeFa runs there without this checkout" % tuple(sys.version_info[:2])
        )
    # What this checkout calls hooks, utils or torch_utils is not what SeFa's packages mean by it.
    here = os.path.realpath(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [path for path in sys.path if os.path.realpath(path) != here]

    import importlib.util

    installed = importlib.util.find_spec("sefa_plugin")
    if installed is None or not installed.origin:  # a mere folder of that name has no origin
        start = os.path.join(PLACE, "__init__.py")
        if not os.path.isfile(start):
            fail(
                "sefa_plugin is not installed in %s and no longer in %s; "
                "pip install it, or run sefa register again from where it is now" % (sys.executable, PLACE)
            )
        # The package alone: other things in its folder would get in the way of this Python's own.
        found = importlib.util.spec_from_file_location("sefa_plugin", start, submodule_search_locations=[PLACE])
        package = sys.modules["sefa_plugin"] = importlib.util.module_from_spec(found)
        found.loader.exec_module(package)

    from sefa_plugin.start import gen_sefa_of_checkout

    gen_sefa_of_checkout()


if __name__ == "__main__":
    main()
'''


def text_for(place: str, version: str) -> bytes:
    """The file's content, ASCII with ``\\n`` line ends.

    Args:
        place: folder of the package ``sefa_plugin``, used where the package is not installed.
        version: of the package; a part of the signature.
    """
    body = _BODY.replace("{place}", ascii(place)).encode("ascii")
    return _FIRST.format(version=version, digest=_digest(body)).encode("ascii") + body


def signed(content: bytes) -> bool:
    """Whether the first line is that of ``sefa register``; the rest may have been changed."""
    return _SIGNED.match(content) is not None


def untouched(content: bytes) -> bool:
    """Whether ``content`` is signed and its digest is right, apart from line ends."""
    content = unix(content)
    found = _SIGNED.match(content)
    return found is not None and found.group(1).decode("ascii") == _digest(content[found.end() :])


def unix(content: bytes) -> bytes:
    """``content`` with ``\\n`` for ``\\r\\n``: git and editors of Windows change line ends."""
    return content.replace(b"\r\n", b"\n")


def _digest(body: bytes) -> str:
    import hashlib

    return hashlib.sha256(body).hexdigest()[:16]
