"""``run.json``: the settings and command of every output, and whether an output is still up to date."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path, PureWindowsPath
from typing import Annotated, Any, Optional, Union

from msgspec import Meta, Struct, field, structs

from .. import __version__
from ..directions.kept import sets_in
from ..reading.json_file import fitting, parsed, read_bounded
from ..system.regular_files import open_regular
from ..system.whole_files import alone_in, whole_file
from .command_line import from_outputs, portable

Settings = dict[str, Any]  # all that determines an output, as JSON
About = dict[str, Any]  # description of an output for display, as JSON
FORMAT = 1
NAME = "run.json"
MAX_BYTES = 1 << 26


class Entry(Struct):
    """What is recorded of an output, in the order of the file.

    Attributes:
        settings: all that determines it.
        distances: for each frame or column.
        sha256: see :func:`digest_of`; '' before it was made.
        command: that made it.
        about: for display.
        computed: the arithmetic of its pictures; None where there are none.
        begun: a run has begun to make it, and has not added it.
    """

    settings: Settings
    distances: list[Union[int, float]] = field(default_factory=list)
    sha256: str = ""
    command: list[str] = field(default_factory=list)
    about: About = field(default_factory=dict)
    computed: Optional[dict[str, Any]] = None
    begun: bool = False

    def as_json(self) -> dict[str, object]:
        """The entry as it is written; without ``computed`` and ``begun`` where these say nothing."""
        left_out = {"computed"} if self.computed is None else set()
        left_out |= set() if self.begun else {"begun"}
        return {key: value for key, value in structs.asdict(self).items() if key not in left_out}


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
    """The record of one output folder; entries of earlier runs are kept while their files exist.

    Attributes:
        outdir: the folder.
        command: what was typed.
        network: see ``Session.about``; an absolute path is relative to the folder.
        place: the folder as seen from where the command was typed, '' where that is not known.
        owner: digest of the only network whose outputs the folder may hold; '' takes that of the present record, which
            older ones lack.
        outputs: the entries, by the names of their files.
    """

    def __init__(
        self,
        outdir: str | os.PathLike[str],
        command: Sequence[str],
        network: Mapping[str, str],
        place: str | None = None,
        *,
        owner: str = "",
    ) -> None:
        self.outdir = Path(outdir)
        self.command = list(command)
        self.network = dict(network)
        if "path" in network:
            self.network["path"] = from_outputs(network["path"], self.outdir)
        self.place = portable(outdir) if place is None else place
        self.owner = owner
        self.outputs: dict[str, Entry] = {}
        self._own: set[str] = set()
        self.refresh()

    def refresh(self) -> None:
        """Read the entries of the present record, except those to be written: another run may write to the same folder.

        Raises:
            OSError: the record exists and cannot be read, so it must not be replaced.
        """
        try:
            head, outputs = read_record(self.outdir / NAME)
        except (FileNotFoundError, ValueError):
            return  # no record, or one that is broken: everything is made again
        if head.get("format") == FORMAT:
            self.owner = self.owner or str(head.get("owner", ""))
            self.outputs.update({name: entry for name, entry in outputs.items() if name not in self._own})

    @classmethod
    def of(cls, outdir: str | os.PathLike[str]) -> Manifest | None:
        """The record of an existing folder; None where it cannot be read."""
        try:
            head: _Head = fitting(read_record(Path(outdir) / NAME)[0], _Head)
        except (OSError, ValueError):
            return None
        if not {"name", "class", "hook"} <= head.network.keys():
            return None
        return cls(outdir, head.command, head.network, head.outdir)

    def is_current(self, name: str, settings: Settings) -> bool:
        """Whether output ``name`` was made with these settings and is unchanged since."""
        entry = self.outputs.get(name)
        if entry is None or entry.settings != json.loads(json.dumps(settings)):
            return False
        try:
            return entry.sha256 == digest_of(self.outdir / name)
        except OSError:
            return False

    def begin(self, name: str, settings: Settings) -> None:
        """Record that an output is about to be written, so that a run that is killed before :meth:`add` may replace it.

        Raises:
            OSError: the record cannot be written.
        """
        before = self.outputs.get(name, Entry(settings, command=self.command))
        self.outputs[name] = structs.replace(before, begun=True)
        self._own.add(name)
        self.write()

    def has_begun(self, name: str) -> bool:
        """Whether a run has begun to make an output, and has not added it."""
        return name in self.outputs and self.outputs[name].begun

    def add(
        self,
        name: str,
        settings: Settings,
        distances: Sequence[float],
        about: About | None = None,
        command: Sequence[str] | None = None,
        computed: Mapping[str, object] | None = None,
    ) -> None:
        """Record a finished output.

        ``distances`` has one entry for each frame or column; ``about`` is for display only; ``command`` made it, where
        that is not the command of the whole folder; ``computed`` is the arithmetic of its pictures (see
        ``rendering.arithmetic``).

        Raises:
            OSError: the record cannot be written.
        """
        self.outputs[name] = Entry(
            settings,
            list(distances),
            "",
            self.command if command is None else list(command),
            about or {},
            dict(computed) if computed else None,
        )
        self._own.add(name)
        self.write()

    def write(self, new: bool = False) -> None:
        """Write ``run.json``, whole or not at all, with entries that other runs have added meanwhile.

        Raises:
            FileExistsError: there is a record, and it was to be ``new``.
            OSError: the folder cannot be written.
        """
        self.outdir.mkdir(parents=True, exist_ok=True)
        with alone_in(self.outdir), whole_file(self.outdir / NAME, new) as part:
            self.refresh()
            for name in self._own:
                if not self.outputs[name].begun:  # of the file that is there: another run may have made it as well
                    digest = digest_of(self.outdir / name)
                    self.outputs[name] = structs.replace(self.outputs[name], sha256=digest)
            content = {
                "format": FORMAT,
                "command": self.command,
                "outdir": self.place,
                "versions": versions(),
                "network": self.network,
                **({"owner": self.owner} if self.owner else {}),
                "outputs": {name: entry.as_json() for name, entry in sorted(self.outputs.items())},
            }
            part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        self._own.clear()  # what another run records from now on is newer


def read_record(path: Path) -> tuple[dict[str, object], dict[str, Entry]]:
    """The content of a record, and of its outputs the valid entries whose file exists in the folder.

    Raises:
        OSError, ValueError: there is no record, or it cannot be read.
    """
    held = parsed(read_bounded(path, MAX_BYTES))
    if not isinstance(held, dict) or not isinstance(held.get("outputs"), dict):
        raise ValueError("it is no record")
    entries = {name: _entry(entry) for name, entry in held["outputs"].items() if is_inside(name)}
    return held, {name: entry for name, entry in entries.items() if entry and _is_there(path.parent / name)}


def networks_in(outdir: Path) -> dict[str, dict[str, str]]:
    """The networks whose outputs a folder may hold, by digest: name, and path as typed, as far as they are known.

    The owner of the folder; older records do not say it, there the last network counts, and those of directions files.

    Raises:
        OSError: the record or a directions file is there, and cannot be read.
    """
    try:
        head: _Owner = fitting(parsed(read_bounded(outdir / NAME, MAX_BYTES)), _Owner)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        head = _Owner()
    last = head.network.get("digest", "")
    if head.owner:
        return {head.owner: head.network if head.owner == last else {}}
    found = {held.digest: {"name": held.network} for held in sets_in(outdir).values()} | {last: head.network}
    return {digest: network for digest, network in found.items() if digest}


def is_foreign_record(path: Path) -> bool:
    """Whether a file is JSON of another kind than a record; one that is broken counts as a record.

    Raises:
        OSError: it cannot be read.
    """
    try:
        held = parsed(read_bounded(path, MAX_BYTES))
    except (FileNotFoundError, ValueError):
        return False
    return not (isinstance(held, dict) and "outputs" in held)


def is_inside(name: str) -> bool:
    """Whether a relative path stays inside its folder, by the rules of every operating system."""
    place = PureWindowsPath(name)
    return bool(place.parts) and not place.anchor and ".." not in place.parts and "\0" not in name


def _is_there(path: Path) -> bool:
    return os.path.isfile(path) or os.path.isdir(path)  # False for paths that cannot be examined


def _entry(held: object) -> Entry | None:
    """A valid entry; None for anything else."""
    try:
        fitting(held, _Checked)
        made: Entry = fitting(held, Entry)
    except ValueError:
        return None
    return made


# --- types of what is used of an entry; other keys are allowed ---------------------------------------

_Text = Annotated[str, Meta(max_length=100_000)]
_Texts = Annotated[tuple[_Text, ...], Meta(max_length=10_000)]
_Whole = Annotated[int, Meta(ge=0, le=1 << 20)]
_Side = Annotated[int, Meta(ge=1, le=1 << 20)]
_Row = Annotated[tuple[tuple[_Whole, _Whole, _Side, _Side], ...], Meta(max_length=10_000)]


class _Settings(Struct):
    label: _Text = ""
    index: _Whole = 0
    direction: _Text = ""
    network: _Text = ""
    layers: Annotated[tuple[_Whole, ...], Meta(min_length=1, max_length=10_000)] = ()


class _About(Struct):
    """Texts, and ``boxes``: rows of places in a sheet, each x, y, width and height in pixels."""

    title: _Text = ""
    name: _Text = ""
    eigenvalue: _Text = ""
    range: _Text = ""
    note: _Text = ""
    where: _Text = ""
    command: _Text = ""
    outdir: _Text = ""
    axes: _Text = ""
    heat: _Text = ""
    words: _Texts = ()
    rows: _Texts = ()
    columns: _Texts = ()
    boxes: Annotated[tuple[_Row, ...], Meta(max_length=10_000)] = ()


class _Checked(Struct):
    settings: _Settings
    sha256: _Text = ""
    command: _Texts = ()
    about: _About = field(default_factory=_About)


class _Owner(Struct):
    network: dict[str, _Text] = {}
    owner: _Text = ""


class _Head(Struct):
    command: Annotated[list[_Text], Meta(max_length=10_000)]
    network: dict[str, _Text]
    outdir: _Text = ""
