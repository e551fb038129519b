"""What one hostile file is, and the bytes that most of them are made of."""

from __future__ import annotations

import io
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch_writer import MACHINE

MAGIC = 0x1950A86A20F9469CFC6C
# How files are refused that no toolkit has written, whatever they try.
REFUSED = "not known to be harmless|no toolkit has written it"
Content = Callable[[str], bytes]


@dataclass(frozen=True)
class Hostile:
    """One trick.

    Attributes:
        name: of the trick; with ``suffix`` the name of its file.
        reader: the reader that it is aimed at: ``network``, ``import`` (directions of other tools), ``directions``
            (our own file of them), ``latents`` or ``recipe``.
        suffix: of the file.
        content: the file's bytes, or a function that gives them for the path of a canary.
        says: regular expression that is found in the one line of the refusal.
        armed: whether Python's unpickler, given this file, leaves the canary.
        heavy: whether it aims at time or memory: only the reader that it is aimed at is given it.
        code: exit code; 0 where the file can be read and what is hostile in it is left alone.
    """

    name: str
    reader: str
    suffix: str
    content: bytes | Content
    says: str
    armed: bool = False
    heavy: bool = False
    code: int = 1

    def write(self, folder: Path) -> Path:
        """Write the file into ``folder``."""
        path = Path(folder) / f"{self.name}{self.suffix}"
        path.write_bytes(self.content(str(self.canary(folder))) if callable(self.content) else self.content)
        return path

    def canary(self, folder: Path) -> Path:
        """The file that is there once the payload has run."""
        return Path(folder) / f"{self.name}.canary"


def source(canary: str) -> str:
    """Python that leaves the canary."""
    return f"open({canary!r}, 'w').close()"


def shell(canary: str) -> str:
    """A command that leaves the canary."""
    return f": > '{canary}'"


# --- pickles, instruction by instruction (CPython, Lib/pickletools.py) -------------------------------


def text(value: str) -> bytes:
    """BINUNICODE."""
    raw = value.encode("utf-8")
    return b"X" + struct.pack("<I", len(raw)) + raw


def named(module: str, name: str) -> bytes:
    """GLOBAL."""
    return f"c{module}\n{name}\n".encode()


def run(canary: str) -> bytes:
    """Instructions that run the payload and leave its result, None, on the stack."""
    return named("builtins", "exec") + text(source(canary)) + b"\x85R"


def whole(body: bytes, protocol: int = 3) -> bytes:
    """A pickle of these instructions."""
    return (b"\x80" + bytes([protocol]) if protocol > 1 else b"") + body + b"."


def laughs(levels: int, opening: bytes = b"]", closing: bytes = b"e") -> bytes:
    """A list of two lists, each of two lists, ...: small, and endless for whoever follows it without counting."""
    body = b"]\x94"
    for level in range(levels):
        again = b"h" + bytes([level])
        body += b"0" + opening + b"(" + again + again + closing + b"\x94"
    return body


# --- archives and the older layout of torch.save -------------------------------------------------------


def zip_of(members: dict[str, bytes] | list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive; of a list, names may come twice."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, data in members.items() if isinstance(members, dict) else members:
            archive.writestr(name, data)
    return file.getvalue()


def changed(data: bytes, sign: bytes, at: int, new: bytes, every: bool = False) -> bytes:
    """``data`` with other bytes, ``at`` bytes after the last place of a signature, or after each."""
    held, start = bytearray(data), data.find(sign) if every else data.rfind(sign)
    while start >= 0:
        held[start + at : start + at + len(new)] = new
        start = data.find(sign, start + 1) if every else -1
    return bytes(held)


def legacy(place: int, body: bytes, tail: bytes = b"") -> bytes:
    """The older layout with one of its pickles replaced: 0 magic, 1 protocol, 2 machine, 3 object, 4 keys."""
    parts = [pickle.dumps(part, 2) for part in (MAGIC, 1001, MACHINE, {"G_ema": None}, [])]
    parts[place] = whole(body, 2)
    return b"".join(parts) + tail
