"""Names of outputs that come from elsewhere, so that every system can hold and unpack them."""

from __future__ import annotations

import re
import zlib

LONGEST = 120  # bytes: room for what is added, and for Windows' paths of 260 characters
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])\s*(\..*)?", re.I | re.S
)
_FORBIDDEN = '<>:"/\\|?*'


def safe_name(text: str, usual: str = "network") -> str:
    """A name for a file or folder that Windows, macOS and Linux take, and that no shell or terminal stumbles over.

    Ordinary names stay as they are. What some system forbids or does not show (``<>:"/\\|?*``, line ends, bytes that
    are no text) becomes ``_``; dots and spaces at the end go, a dash at the start too; devices of Windows (``CON``,
    ``aux.txt``) get a ``_`` in front, and very long names end in a number of their own.

    Args:
        text: any text, of a file's name for example.
        usual: what it is called if nothing is left.
    """
    name = "".join("_" if letter in _FORBIDDEN or not letter.isprintable() else letter for letter in text)
    name = name.strip(" ").rstrip(". ").lstrip("-") or usual
    raw = name.encode("utf-8")
    if len(raw) > LONGEST:
        mark = f"~{zlib.crc32(text.encode('utf-8', 'surrogateescape')):08x}"
        name = raw[: LONGEST - len(mark)].decode("utf-8", "ignore").rstrip(". ") + mark
    return f"_{name}" if _RESERVED.fullmatch(name) else name
