"""JSON of strangers: bounded, and nothing but what is expected; every refusal is one line."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    T = TypeVar("T")
    Check = Callable[[object], T]  # gives the value, as what it was found to be, or raises ValueError

_KINDS: dict[type[object], str] = {dict: "an object", list: "a list", bool: "true or false"}
MAX_PARTS = 200_000  # lists and objects: one of three bytes in a file takes over sixty in memory
_DIGITS = 20  # of a whole number; Python would read longer ones in quadratic time


def read_bounded(path: Path, most: int) -> bytes:
    """The bytes of a file of at most ``most``.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger, or is no file (a folder, a device).
    """
    if not path.is_file():
        path.stat()  # raises where it is missing
        raise ValueError("it is no file")
    with open(path, "rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it is larger than {most / 2**20:.0f} MB")
    return data


def parsed(data: bytes, parts: int = MAX_PARTS) -> Any:
    """Read JSON in UTF-8 (a byte order mark may come first), without NaN, infinity and numbers of many digits.

    At most ``parts`` lists and objects are read (brackets in texts count, too). A name that comes twice in an object is
    refused: programs do not agree on which of its values counts. The value is of any type, as ``json.loads`` gives it.

    Raises:
        ValueError: it is not that.
        RecursionError: it is nested too deeply.
    """
    if data.count(b"[") + data.count(b"{") > parts:
        raise ValueError(f"it has more than {parts} lists and objects")
    return json.loads(
        data.decode("utf-8-sig"), parse_int=_short_int, parse_constant=_no_constant, object_pairs_hook=_once
    )


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    held = dict(pairs)
    if len(held) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"it has {twice!r:.40} twice")
    return held


def _short_int(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"it holds a number of {len(text)} digits")
    return int(text)


def _no_constant(text: str) -> None:
    raise ValueError(f"it holds {text}, which is no number to work with")


class Part:
    """An object of the file, whose entries are taken out by name; at the end none may be left.

    Raises:
        ValueError: ``held`` is no object.
    """

    def __init__(self, held: object, what: str) -> None:
        self.what = what
        self.held: dict[str, object] = dict(of(dict)(held))

    def take(self, key: str, check: Check[T]) -> T:
        """Remove an entry, and give what ``check`` returns for it.

        Raises:
            ValueError: there is none such, or it does not pass.
        """
        if key not in self.held:
            raise ValueError(f"{self.what} has no {key}")
        try:
            return check(self.held.pop(key))
        except ValueError as error:
            raise ValueError(f"{key} of {self.what}: {error}") from None

    def end(self) -> None:
        """Refuse entries that have not been taken: what is not understood might matter.

        Raises:
            ValueError: something is left.
        """
        for key in self.held:
            raise ValueError(f"{self.what} has {key!r:.40}, which this program does not know")


# --- checks: each gives the value, or raises ValueError -------------------------------------------


def of(kind: type[T]) -> Check[T]:
    """An object (``dict``), a list, or a truth value."""

    def check(value: object) -> T:
        if type(value) is not kind:
            raise ValueError(f"{shown(value)} is not {_KINDS[kind]}")
        return value

    return check


def text(longest: int) -> Check[str]:
    """Printable text of at most so many letters."""

    def check(value: object) -> str:
        if not isinstance(value, str) or len(value) > longest or not value.isprintable():
            raise ValueError(f"{shown(value)} is not a text of at most {longest} printable letters")
        return value

    return check


def one_of(*words: str) -> Check[str]:
    """One of these words."""

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"{shown(value)} is none of {', '.join(words)}")
        return value

    return check


def whole(low: int, high: int) -> Check[int]:
    """A whole number within these bounds."""

    def check(value: object) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{shown(value)} is not a whole number from {low} to {high}")
        return value

    return check


def number(low: float, high: float) -> Check[float]:
    """A finite number within these bounds, as a float."""

    def check(value: object) -> float:
        # 1e999 comes as infinity.
        if (type(value) is int or type(value) is float) and math.isfinite(value) and low <= value <= high:
            return float(value)
        raise ValueError(f"{shown(value)} is not a number from {low:g} to {high:g}")

    return check


def pair(low: float, high: float) -> Check[tuple[float, float]]:
    """Two such numbers."""

    def check(value: object) -> tuple[float, float]:
        if type(value) is not list or len(value) != 2:
            raise ValueError(f"{shown(value)} is not a pair of numbers")
        first, second = map(number(low, high), value)
        return first, second

    return check


def each(inner: Check[T], most: int) -> Check[list[T]]:
    """A list of at most so many, each of which passes ``inner``."""

    def check(value: object) -> list[T]:
        held = of(list)(value)
        if len(held) > most:
            raise ValueError(f"{len(held)} entries, at most {most} can be used")
        return [inner(item) for item in held]

    return check


def or_none(inner: Check[T]) -> Check[T | None]:
    """``null``, or what passes ``inner``."""
    return lambda value: None if value is None else inner(value)


def shown(value: object) -> str:
    """A value in a message; an object or a list by its kind."""
    return f"{value!r:.40}" if value is None or isinstance(value, (str, int, float)) else f"a {type(value).__name__}"
