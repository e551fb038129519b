"""Reading ``run.json``, which may be a stranger's: in a folder that somebody passed on, or that was unpacked."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import Any

from .strict_json import parsed, read_bounded

MAX_BYTES = 1 << 26
_LONGEST = 100_000  # letters of a text
_MOST = 10_000  # entries of a list
_PARTS = MAX_BYTES  # of thousands of outputs each has dozens
Check = Callable[[Any], bool]


def read_record(path: Path) -> dict[str, Any]:
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


def is_network(held: Any) -> bool:
    """Whether this is what a record says of its network."""
    return isinstance(held, dict) and all(map(_text, held.values())) and {"name", "class", "hook"} <= held.keys()


def is_command(held: Any) -> bool:
    """Whether these are the words of a command."""
    return _texts(held)


def _is_there(path: Path) -> bool:
    return os.path.isfile(path) or os.path.isdir(path)  # of what cannot be asked these say no


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("settings"), dict):
        return False
    about = entry.get("about") or {}
    return (
        _fits(entry, _ENTRY)
        and _fits(entry["settings"], _SETTINGS)
        and isinstance(about, dict)
        and _fits(about, _ABOUT)
    )


def _fits(held: dict[str, Any], checks: dict[str, Check]) -> bool:
    return all(check(held[key]) for key, check in checks.items() if key in held)


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST


def _whole(value: Any, low: int = 0, high: int = 1 << 20) -> bool:
    return type(value) is int and low <= value <= high


def _list_of(inner: Check) -> Check:
    return lambda value: isinstance(value, list) and len(value) <= _MOST and all(map(inner, value))


_texts = _list_of(_text)


def _boxes(value: Any) -> bool:
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
