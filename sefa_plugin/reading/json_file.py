"""JSON of strangers: bounded, and nothing but what is expected; every refusal is one line."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

Check = Callable[[Any], Any]
_KINDS = {dict: "an object", list: "a list", bool: "true or false"}
MAX_PARTS = 200_000  # lists and objects: one of three bytes in a file takes over sixty in memory
_DIGITS = 20  # of a whole number; Python would read longer ones in quadratic time


def read_bounded(path: Path, most: int) -> bytes:
    """The bytes of a file of at most ``most``.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger, or is no file (a folder, a device).
    """
    if not path.is_file():
        path.stat()  # a missing one says so itself
        raise ValueError("it is no file")
    with open(path, "rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it is larger than {most / 2**20:.0f} MB")
    return data


def parsed(data: bytes, parts: int = MAX_PARTS) -> Any:
    """Read JSON in UTF-8 (a byte order mark may come first), without NaN, infinity and numbers of many digits.

    Of lists and objects there may be ``parts`` (brackets in texts count, too).

    A name that comes twice in an object is refused: programs do not agree on which of its values counts.

    Raises:
        ValueError: it is not that.
        RecursionError: it is nested too deeply.
    """
    if data.count(b"[") + data.count(b"{") > parts:
        raise ValueError(f"it has more than {parts} lists and objects")
    return json.loads(
        data.decode("utf-8-sig"), parse_int=_short_int, parse_constant=_no_constant, object_pairs_hook=_once
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
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
    """An object of the file: what is in it is taken out by name, and at the end nothing may be left.

    Raises:
        ValueError: ``held`` is no object.
    """

    def __init__(self, held: Any, what: str) -> None:
        self.what = what
        self.held = dict(of(dict)(held))

    def take(self, key: str, check: Check) -> Any:
        """What ``check`` makes of an entry.

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
        """Refuse whatever has not been taken: what is not understood might matter.

        Raises:
            ValueError: something is left.
        """
        for key in self.held:
            raise ValueError(f"{self.what} has {key!r:.40}, which this program does not know")


# --- checks: each gives the value, or raises ValueError -------------------------------------------


def of(kind: type) -> Check:
    """An object (``dict``), a list, or a truth value."""

    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{shown(value)} is not {_KINDS[kind]}")
        return value

    return check


def text(longest: int) -> Check:
    """Printable text of at most so many letters."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > longest or not value.isprintable():
            raise ValueError(f"{shown(value)} is not a text of at most {longest} printable letters")
        return value

    return check


def one_of(*words: str) -> Check:
    """One of these words."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"{shown(value)} is none of {', '.join(words)}")
        return value

    return check


def whole(low: int, high: int) -> Check:
    """A whole number within these bounds."""

    def check(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{shown(value)} is not a whole number from {low} to {high}")
        return value

    return check


def number(low: float, high: float) -> Check:
    """A finite number within these bounds, as a float."""

    def check(value: Any) -> float:
        # 1e999 comes as infinity.
        if type(value) not in (int, float) or not math.isfinite(value) or not low <= value <= high:
            raise ValueError(f"{shown(value)} is not a number from {low:g} to {high:g}")
        return float(value)

    return check


def pair(low: float, high: float) -> Check:
    """Two such numbers."""

    def check(value: Any) -> tuple[float, float]:
        if type(value) is not list or len(value) != 2:
            raise ValueError(f"{shown(value)} is not a pair of numbers")
        first, second = map(number(low, high), value)
        return first, second

    return check


def each(inner: Check, most: int) -> Check:
    """A list of at most so many, each of which passes ``inner``."""

    def check(value: Any) -> list:
        held = of(list)(value)
        if len(held) > most:
            raise ValueError(f"{len(held)} entries, at most {most} can be used")
        return [inner(item) for item in held]

    return check


def or_none(inner: Check) -> Check:
    """``null``, or what passes ``inner``."""
    return lambda value: None if value is None else inner(value)


def shown(value: Any) -> str:
    """A value in a message; an object or a list by its kind."""
    return f"{value!r:.40}" if value is None or isinstance(value, (str, int, float)) else f"a {type(value).__name__}"
