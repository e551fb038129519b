"""Portable output names from any text."""

from __future__ import annotations

import re
import zlib

LONGEST = 120  # bytes; leaves room for suffixes and folders in Windows' paths of 260 characters
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])\s*(\..*)?", re.I | re.S
)
_FORBIDDEN = '<>:"/\\|?*'


def safe_name(text: str, usual: str = "network") -> str:
    """A file or folder name that is valid on Windows, macOS and Linux and safe in a shell or terminal.

    Ordinary names are unchanged. Forbidden and unprintable characters (``<>:"/\\|?*``, line ends, undecodable bytes)
    become ``_``; trailing dots and spaces and leading dashes are removed; names of Windows devices (``CON``,
    ``aux.txt``) get a ``_`` in front; names over ``LONGEST`` bytes are cut and end in a checksum.

    Args:
        text: any text, of a file's name for example.
        usual: the name if nothing is left.
    """
    name = "".join("_" if letter in _FORBIDDEN or not letter.isprintable() else letter for letter in text)
    name = name.strip(" ").rstrip(". ").lstrip("-") or usual
    raw = name.encode("utf-8")
    if len(raw) > LONGEST:
        mark = f"~{zlib.crc32(text.encode('utf-8', 'surrogateescape')):08x}"
        name = raw[: LONGEST - len(mark)].decode("utf-8", "ignore").rstrip(". ") + mark
    return f"_{name}" if _RESERVED.fullmatch(name) else name
