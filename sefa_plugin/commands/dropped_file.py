"""The text of the ``gen_sefa.py`` that lies in a toolkit's checkout, and whether a file is one of ours."""

from __future__ import annotations

import hashlib
import re

NAME = "gen_sefa.py"
# The digest tells a file as we wrote it from one that somebody has changed since and would miss.
_FIRST = '# Written by "sefa register" (sefa_plugin {version}, {digest}); "sefa unregister" takes it away.\n'
_SIGNED = re.compile(rb'# Written by "sefa register" \(sefa_plugin [^\s,]+, ([0-9a-f]{16})\); [^\n]*\n')
# Pure ASCII that even Python 2 can parse: an old Python is to get a line, not a SyntaxError. All else that is to be
# checked is checked by the package, which this file only finds.
_BODY = '''\
"""Editing directions of a StyleGAN network: python gen_sefa.py --network ffhq.pkl (see --help)."""

import os
import sys

PLACE = {place}  # the package, at the time of "sefa register"


def fail(text):
    sys.stderr.write("Error: " + text + "\\n")
    sys.exit(1)


def main():
    if sys.version_info < (3, 9):
        fail(
            "Python %d.%d is too old, SeFa needs 3.9 or newer; install sefa_plugin in a separate environment: "
            "SeFa runs there without this checkout" % tuple(sys.version_info[:2])
        )
    # What this checkout calls hooks, utils or torch_utils is not what SeFa's packages mean by it.
    here = os.path.realpath(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [path for path in sys.path if os.path.realpath(path) != here]

    import importlib.util

    installed = importlib.util.find_spec("sefa_plugin")
    if installed is None or not installed.origin:  # a mere folder of that name has no origin
        start = os.path.join(PLACE, "__init__.py")
        if not os.path.isfile(start):
            fail(
                "sefa_plugin is not installed in %s and no longer in %s; "
                "pip install it, or run sefa register again from where it is now" % (sys.executable, PLACE)
            )
        # The package alone: other things in its folder would get in the way of this Python's own.
        found = importlib.util.spec_from_file_location("sefa_plugin", start, submodule_search_locations=[PLACE])
        package = sys.modules["sefa_plugin"] = importlib.util.module_from_spec(found)
        found.loader.exec_module(package)

    from sefa_plugin.start import gen_sefa_of_checkout

    gen_sefa_of_checkout()


if __name__ == "__main__":
    main()
'''


def text_for(place: str, version: str) -> bytes:
    """Give the file's content, ASCII with ``\\n`` line ends.

    Args:
        place: folder of the package ``sefa_plugin``, used where the package is not installed.
        version: of the package; a part of the signature.
    """
    body = _BODY.replace("{place}", ascii(place)).encode("ascii")
    return _FIRST.format(version=version, digest=_digest(body)).encode("ascii") + body


def signed(content: bytes) -> bool:
    """Whether the first line says that ``sefa register`` has written this, whatever happened to it since."""
    return _SIGNED.match(content) is not None


def untouched(content: bytes) -> bool:
    """Whether ``content`` is signed and still what was signed, line ends aside."""
    content = unix(content)
    found = _SIGNED.match(content)
    return found is not None and found.group(1).decode("ascii") == _digest(content[found.end() :])


def unix(content: bytes) -> bytes:
    """``content`` with ``\\n`` for ``\\r\\n``: git and editors of Windows change line ends."""
    return content.replace(b"\r\n", b"\n")


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]
