"""Untrusted JSON: of a bounded size and an expected type; errors are one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from ..system.messages import one_line

_MARK = b"\xef\xbb\xbf"  # byte-order mark of UTF-8


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


def parsed(data: bytes, kind: Any = None) -> Any:
    """Read JSON in UTF-8, without NaN and infinity, as a value of type ``kind``.

    Without ``kind``, ``json.loads`` is used, which also accepts NaN and lone surrogates: records and tables of this
    program may hold names of files with undecodable bytes.

    Raises:
        ValueError: it is not such JSON, or is nested too deeply.
    """
    try:
        if kind is None:
            return json.loads(data)
        return msgspec.json.decode(data[len(_MARK) :] if data.startswith(_MARK) else data, type=kind)
    except msgspec.DecodeError as error:
        raise ValueError(_reason(error)) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def fitting(value: object, kind: Any) -> Any:
    """A value of :func:`parsed` as one of type ``kind``.

    Raises:
        ValueError: it is of another type.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(_reason(error)) from None


def _reason(error: Exception) -> str:
    """msgspec's message with the place first: ``edits[0].distance: Expected `float```."""
    what, _, where = one_line(str(error)).partition(" - at `$")
    where = where.strip("`.")
    return f"{where}: {what}"[:200] if where else what[:200]
