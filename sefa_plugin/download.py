"""Network files from the web, kept in the cache folder that NVIDIA's toolkits use.

The names in the cache follow those toolkits (MD5 of the address, then the file's name), so a network
that one of them has fetched already is not fetched again.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from .atomic import whole_file

CHUNK = 1 << 20
TIMEOUT = 30  # seconds without a byte


class DownloadError(Exception):
    """A network file could not be fetched; nothing is left in the cache."""


def is_url(path: str | os.PathLike) -> bool:
    """Tell whether ``path`` is an ``http`` or ``https`` address."""
    return str(path).lower().startswith(("http://", "https://"))


def cache_folder() -> Path:
    """Where downloads are kept: ``$DNNLIB_CACHE_DIR/downloads``, else ``~/.cache/dnnlib/downloads``."""
    root = os.environ.get("DNNLIB_CACHE_DIR")
    return (Path(root) if root else Path.home() / ".cache" / "dnnlib") / "downloads"


def file_digest(path: str | os.PathLike) -> str:
    """SHA-256 of a file, in hex."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            total.update(chunk)
    return total.hexdigest()


def cached(url: str, folder: Path) -> Path | None:
    """The copy of ``url`` that a folder holds, if it does."""
    return next(iter(sorted(folder.glob(_prefix(url) + "*"))), None)


def fetch(
    url: str,
    sha256: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    folder: Path | None = None,
) -> Path:
    """Give the local copy of ``url``, fetching it first if the cache does not hold it.

    Args:
        url: ``http`` or ``https`` address of a network file.
        sha256: the digest that the file must have; None accepts any.
        progress: called with the bytes received so far and in all (0 if the server does not say).
        folder: where it is kept; None is :func:`cache_folder`.

    Raises:
        DownloadError: no answer, an error page, a file cut short, or another digest than asked for.
    """
    # Not at the top: these take longer than looking into a small file, which is what most runs do.
    import http.client
    import urllib.error
    import urllib.request

    folder = cache_folder() if folder is None else folder
    held = cached(url, folder)
    if held is not None and (sha256 is None or file_digest(held) == sha256.lower()):
        return held
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "sefa_plugin"})
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            target = folder / (_prefix(url) + _file_name(url, answer.headers.get("Content-Disposition")))
            with whole_file(target) as part:
                _receive(url, answer, part, sha256, progress)
    except urllib.error.HTTPError as error:
        raise DownloadError(f"{url}: the server answers {error.code} {error.reason}; check the address") from None
    except (http.client.HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise DownloadError(f"{url}: cannot be fetched ({reason}); check the address and the connection") from None
    return target


def _prefix(url: str) -> str:
    return hashlib.md5(url.encode()).hexdigest() + "_"


def _receive(url: str, answer, part: Path, sha256: str | None, progress) -> None:
    if "text/html" in (answer.headers.get("Content-Type") or ""):
        raise DownloadError(f"{url}: gives a web page, not a file (the link wants a click or a login)")
    size = int(answer.headers.get("Content-Length") or 0)
    total, digest = 0, hashlib.sha256()
    with open(part, "wb") as file:
        for chunk in iter(lambda: answer.read(CHUNK), b""):
            file.write(chunk)
            digest.update(chunk)
            total += len(chunk)
            if progress is not None:
                progress(total, size)
    if size and total != size:
        raise DownloadError(f"{url}: the download stopped at {total} of {size} bytes; run the command again")
    if sha256 is not None and digest.hexdigest() != sha256.lower():
        raise DownloadError(f"{url}: has SHA-256 {digest.hexdigest()}, not the {sha256.lower()} asked for")


def _file_name(url: str, disposition: str | None) -> str:
    from urllib.parse import unquote, urlparse

    named = re.search(r'filename="?([^";]+)', disposition or "")
    name = named.group(1) if named else Path(unquote(urlparse(url).path)).name
    return re.sub(r"[^0-9A-Za-z._-]", "_", name)[-80:] or "network.pkl"
