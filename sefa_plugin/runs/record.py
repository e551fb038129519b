"""``run.json``: what made every output, and whether an output is still what it would be made again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..reading.json_file import parsed, read_bounded
from ..system.regular_files import open_regular
from ..system.whole_files import alone_in, whole_file

if TYPE_CHECKING:
    from typing_extensions import TypeGuard  # in Python from 3.10 on

Settings = dict[str, Any]  # what decides how an output looks, as JSON
About = dict[str, Any]  # what is said of an output to people, as JSON
Entry = dict[str, Any]  # a part of ``run.json``
FORMAT = 1
NAME = "run.json"


def versions() -> dict[str, str]:
    """Versions of everything that pictures depend on."""
    packages = ("torch", "numpy", "imageio")
    return {
        "sefa_plugin": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def digest_of(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files and their names."""
    total = hashlib.sha256()
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if path.is_dir():
            total.update(f"{file.name}\n".encode("utf-8", "surrogateescape"))
        with open_regular(file) as stream:
            for chunk in iter(lambda: stream.read(1 << 20), b""):
                total.update(chunk)
    return total.hexdigest()


class Manifest:
    """The record of one output folder; entries of earlier runs stay while their files do."""

    def __init__(self, outdir: str | os.PathLike[str], command: Sequence[str], network: Mapping[str, str]) -> None:
        self.outdir = Path(outdir)
        self.command = list(command)
        self.network = network
        self.outputs: dict[str, Entry] = {}
        self._own: set[str] = set()
        self.refresh()

    def refresh(self) -> None:
        """Take over what the record says now, but for what this run has made: another one may work beside it.

        Raises:
            OSError: it is there, and cannot be read; it would be lost.
        """
        try:
            held = read_record(self.outdir / NAME)
        except (FileNotFoundError, ValueError, RecursionError):
            return  # no record, or one that is broken: everything is made again
        if held.get("format") == FORMAT:
            self.outputs.update({name: entry for name, entry in held["outputs"].items() if name not in self._own})

    @classmethod
    def of(cls, outdir: str | os.PathLike[str]) -> Manifest | None:
        """The record of a finished folder as it stands; None where it cannot be read."""
        try:
            held = read_record(Path(outdir) / NAME)
        except (OSError, ValueError, RecursionError):
            return None
        command, network = held.get("command"), held.get("network")
        return cls(outdir, command, network) if is_command(command) and is_network(network) else None

    def is_current(self, name: str, settings: Settings) -> bool:
        """Tell whether output ``name`` was made with these settings and is still the file that was made."""
        entry = self.outputs.get(name)
        if entry is None or entry.get("settings") != json.loads(json.dumps(settings)):
            return False
        try:
            return entry.get("sha256") == digest_of(self.outdir / name)
        except OSError:
            return False

    def begin(self, name: str, settings: Settings) -> None:
        """Note that an output is about to appear: who is killed before it is added has made it nevertheless.

        Raises:
            OSError: the record cannot be written.
        """
        unknown = {"settings": settings, "distances": [], "sha256": "", "command": self.command, "about": {}}
        self.outputs[name] = {**self.outputs.get(name, unknown), "begun": True}
        self._own.add(name)
        self.write()

    def has_begun(self, name: str) -> bool:
        """Whether a run has begun to make an output, and has not added it."""
        return self.outputs.get(name, {}).get("begun") is True

    def add(
        self,
        name: str,
        settings: Settings,
        distances: Sequence[float],
        about: About | None = None,
        command: Sequence[str] | None = None,
        computed: Mapping[str, object] | None = None,
    ) -> None:
        """Note a finished output and write the record.

        ``distances`` has one entry a frame or column; ``about`` is for people, and decides nothing; ``command`` is
        what made it, where that is not the command of the whole folder; ``computed`` is what decided the last bits of
        its pictures (see ``rendering.arithmetic``).

        Raises:
            OSError: the record cannot be written.
        """
        self.outputs[name] = {
            "settings": settings,
            "distances": list(distances),
            "sha256": digest_of(self.outdir / name),
            "command": self.command if command is None else list(command),
            "about": about or {},
            **({"computed": dict(computed)} if computed else {}),
        }
        self._own.add(name)
        self.write()

    def write(self) -> None:
        """Write ``run.json``, whole or not at all, with what other runs have noted there meanwhile.

        Raises:
            OSError: the folder cannot be written.
        """
        self.outdir.mkdir(parents=True, exist_ok=True)
        with alone_in(self.outdir), whole_file(self.outdir / NAME) as part:
            self.refresh()
            content = {
                "format": FORMAT,
                "command": self.command,
                "versions": versions(),
                "network": self.network,
                "outputs": dict(sorted(self.outputs.items())),
            }
            part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


MAX_BYTES = 1 << 26
_LONGEST = 100_000  # letters of a text
_MOST = 10_000  # entries of a list
_PARTS = MAX_BYTES  # of thousands of outputs each has dozens
Check = Callable[[object], bool]


def read_record(path: Path) -> Entry:
    """What a record holds; every entry of ``outputs`` is such a one as this program writes, of a file in its folder.

    Raises:
        OSError, ValueError, RecursionError: there is none, or it cannot be read.
    """
    held = parsed(read_bounded(path, MAX_BYTES), _PARTS)
    if not isinstance(held, dict) or not isinstance(held.get("outputs"), dict):
        raise ValueError("it is no record")
    outputs = {name: entry for name, entry in held["outputs"].items() if _is_entry(entry) and is_inside(name)}
    return {**held, "outputs": {name: entry for name, entry in outputs.items() if _is_there(path.parent / name)}}


def is_inside(name: str) -> bool:
    """Whether a path leads into the folder that it is relative to, on every system."""
    place = PureWindowsPath(name)
    return bool(place.parts) and not place.anchor and ".." not in place.parts and "\0" not in name


def is_network(held: object) -> TypeGuard[dict[str, str]]:
    """Whether this is what a record says of its network."""
    return isinstance(held, dict) and all(map(_text, held.values())) and {"name", "class", "hook"} <= held.keys()


def is_command(held: object) -> TypeGuard[list[str]]:
    """Whether these are the words of a command."""
    return _texts(held)


def _is_there(path: Path) -> bool:
    return os.path.isfile(path) or os.path.isdir(path)  # of what cannot be asked these say no


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("settings"), dict):
        return False
    about = entry.get("about") or {}
    return (
        _fits(entry, _ENTRY)
        and _fits(entry["settings"], _SETTINGS)
        and isinstance(about, dict)
        and _fits(about, _ABOUT)
    )


def _fits(held: Mapping[str, object], checks: dict[str, Check]) -> bool:
    return all(check(held[key]) for key, check in checks.items() if key in held)


def _text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST


def _whole(value: object, low: int = 0, high: int = 1 << 20) -> bool:
    return type(value) is int and low <= value <= high


def _list_of(inner: Check) -> Check:
    return lambda value: isinstance(value, list) and len(value) <= _MOST and all(map(inner, value))


_texts = _list_of(_text)


def _boxes(value: object) -> bool:
    """Rows of places in a sheet: x, y, width, height in pixels."""
    return (
        isinstance(value, list)
        and all(isinstance(row, list) for row in value)
        and sum(map(len, value)) <= _MOST
        and all(isinstance(box, list) and len(box) == 4 for row in value for box in row)
        and all(_whole(number) for row in value for box in row for number in box)
        and all(box[2] and box[3] for row in value for box in row)
    )


_ENTRY: dict[str, Check] = {"sha256": _text, "command": _texts}
_SETTINGS: dict[str, Check] = {
    "label": _text,
    "index": _whole,
    "direction": _text,
    "network": _text,
    "layers": lambda value: bool(value) and _list_of(_whole)(value),
}
_ABOUT: dict[str, Check] = {
    **dict.fromkeys(("title", "name", "eigenvalue", "range", "note", "where", "command", "axes", "heat"), _text),
    **dict.fromkeys(("words", "rows", "columns"), _texts),
    "boxes": _boxes,
}
