"""Reproducible safetensors files."""

from __future__ import annotations

import json
import os


def settle(path: str | os.PathLike[str]) -> None:
    """Put the metadata of a safetensors file in alphabetical order; the library writes them in a random one.

    Raises:
        OSError: the file cannot be read or written.
    """
    with open(path, "r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
        if len(text) <= length:  # as compact as the library's
            file.seek(8)
            file.write(text.ljust(length))
