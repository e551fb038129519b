"""Answers of people: a file of JSON lines for each, to which every answer is appended at once."""

from __future__ import annotations

import os
import re
import secrets
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Union

import msgspec
from msgspec import Meta, Struct

from ..reading.json_file import parsed, read_bounded
from ..system.file_names import safe_name
from .design import File, Id

FOLDER, TOKEN = "answers", "token"  # in the folder of a study
MOST = 1 << 22  # bytes of the file of one person
LINE = 1 << 14  # bytes of one line

_Name = Annotated[str, Meta(min_length=1, max_length=80)]
_Browser = Annotated[str, Meta(pattern="^[0-9a-f]{0,32}$")]
_At = Annotated[str, Meta(max_length=40)]
_appending = threading.Lock()


class Begin(Struct, frozen=True, tag_field="kind", tag="begin", forbid_unknown_fields=True):
    """A person has read the texts, agrees, and begins.

    Attributes:
        study: the id of the study.
        name: as typed.
        consent: has to be true.
        browser: a random number of the browser where answers are kept there; '' where a server keeps them.
        at: when, by the clock of the browser, as ISO 8601 has it.
    """

    study: Id
    name: _Name
    consent: bool
    browser: _Browser = ""
    at: _At = ""


class Answer(Struct, frozen=True, tag_field="kind", tag="answer", forbid_unknown_fields=True):
    """An answer; a later one for the same place replaces it.

    Attributes:
        place: of the question in the order of this person.
        item: what was asked.
        again: whether this person had been asked before.
        shown: the files of the clips, from left to right.
        choice: ``change``, ``nothing`` or ``unsure``; of a pair ``left``, ``right`` or ``unsure``.
        text: what changes.
        clean: how cleanly, 1 to 5; 0 where nothing changes.
        seconds: from when the question was shown to the answer.
        plays: how often the clips were played to their end.
    """

    study: Id
    name: _Name
    place: Annotated[int, Meta(ge=0, le=100_000)]
    item: Id
    again: bool
    shown: Annotated[tuple[File, ...], Meta(min_length=1, max_length=2)]
    choice: Literal["change", "nothing", "unsure", "left", "right"]
    text: Annotated[str, Meta(max_length=200)] = ""
    clean: Annotated[int, Meta(ge=0, le=5)] = 0
    seconds: Annotated[float, Meta(ge=0, le=1e7)] = 0.0
    plays: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    browser: _Browser = ""
    at: _At = ""


Record = Union[Begin, Answer]


def person(name: str) -> str:
    """The name by which people are distinguished: without spaces around, small letters."""
    return " ".join(name.split()).lower()


def file_of(folder: Path, name: str) -> Path:
    """The file of a person's answers in the folder of a study; names that look alike have different ones."""
    text = person(name)
    safe = safe_name(text, "somebody")
    mark = "" if safe == text else f"-{zlib.crc32(text.encode()):08x}"
    return folder / FOLDER / f"{safe}{mark}.jsonl"


def append(folder: Path, record: Record) -> None:
    """Add a record to the file of its person; when this returns, it is on the disk.

    A last line that was cut off, by a power failure say, is left as it is, and the record begins a new one.

    Raises:
        ValueError: the file is full.
        OSError: it cannot be written.
    """
    path = file_of(folder, record.name)
    with _appending:
        new = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size > MOST:
                raise ValueError("there are too many answers of this name")
            start = b""
            if size:
                file.seek(size - 1)
                start = b"" if file.read(1) == b"\n" else b"\n"
            file.write(start + msgspec.json.encode(record) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if new and os.name == "posix":
            handle = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def read(path: Path) -> tuple[list[Record], int]:
    """The records of a file, and how many of its lines are none.

    Raises:
        ValueError: it is too large.
        OSError: it cannot be read.
    """
    found: list[Record] = []
    lines = [line for line in read_bounded(path, MOST + LINE).splitlines() if line.strip()]
    for line in lines:
        try:
            found.append(parsed(line, Record))
        except ValueError:
            continue
    return found, len(lines) - len(found)


def latest(records: Sequence[Record]) -> dict[int, Answer]:
    """The last answer for each place, by place."""
    held = {one.place: one for one in records if isinstance(one, Answer)}
    return dict(sorted(held.items()))


def token_of(folder: Path) -> str:
    """The secret of a study's address, made when it is first served, so that its address stays.

    Raises:
        OSError: it cannot be read or written.
    """
    path = folder / TOKEN
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        held = path.read_text(encoding="ascii", errors="replace").strip()
        if re.fullmatch("[A-Za-z0-9-]{8,100}", held):
            return held
        path.unlink()
        return token_of(folder)
    with open(handle, "w", encoding="ascii") as file:
        file.write(made := secrets.token_urlsafe(24).replace("_", "-"))
    return made


def people_in(folder: Path) -> list[Path]:
    """The files of answers in the folder of a study."""
    return sorted((folder / FOLDER).glob("*.jsonl"))
