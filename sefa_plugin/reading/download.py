"""Network files from the web, kept in the cache folder that NVIDIA's toolkits use.

The names in the cache follow those toolkits (MD5 of the address, then the file's name), so a network
that one of them has fetched already is not fetched again.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..system.whole_files import whole_file

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPMessage, HTTPResponse
    from typing import IO
    from urllib.request import OpenerDirector, Request

CHUNK = 1 << 20
TIMEOUT = 30  # seconds without a byte
SLOWEST = 1000  # bytes a second, measured over TIMEOUT; below it the download is stopped
LARGEST = 64 << 30  # bytes; for answers without a length


class DownloadError(Exception):
    """A network file could not be fetched; nothing is left in the cache."""


def is_url(path: str | os.PathLike[str]) -> bool:
    """Tell whether ``path`` is an ``http`` or ``https`` address."""
    return str(path).lower().startswith(("http://", "https://"))


def cache_folder() -> Path:
    """Where downloads are kept: ``$DNNLIB_CACHE_DIR/downloads``, else ``~/.cache/dnnlib/downloads``."""
    root = os.environ.get("DNNLIB_CACHE_DIR")
    return (Path(root) if root else Path.home() / ".cache" / "dnnlib") / "downloads"


def file_digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, in hex."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            total.update(chunk)
    return total.hexdigest()


def cached(url: str, folder: Path) -> Path | None:
    """The copy of ``url`` that a folder holds, if it does."""
    return next((path for path in sorted(folder.glob(_prefix(url) + "*")) if path.is_file()), None)


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
        progress: called with the bytes received so far and in all (0 where the answer has no length).
        folder: of the cache; None is :func:`cache_folder`.

    Raises:
        DownloadError: no answer, an error page, a file cut short, another digest than asked for, or a cache that
            cannot be written to.
    """
    folder = cache_folder() if folder is None else folder
    with _cache_errors(url, folder):
        held = cached(url, folder)
        if held is not None and (sha256 is None or file_digest(held) == sha256.lower()):
            return held
    answer = _requested(url)
    with answer:
        if answer.status != 200:  # 206 is a partial file
            raise DownloadError(f"{url}: the server answers {answer.status} and no whole file; check the address")
        target = folder / (_prefix(url) + _file_name(url, answer.headers.get("Content-Disposition")))
        with _cache_errors(url, folder), whole_file(target) as part:
            _receive(url, answer, part, sha256, progress)
    return target


def _requested(url: str) -> HTTPResponse:
    """The server's answer, after its headers were received."""
    # Imported here: slower than reading a small local file.
    import urllib.error
    import urllib.request

    with _server_errors(url):
        request = urllib.request.Request(url, headers={"User-Agent": "sefa_plugin", "Accept-Encoding": "identity"})
        try:
            answer: HTTPResponse = _opener().open(request, timeout=TIMEOUT)
            return answer
        except urllib.error.HTTPError as error:
            error.close()
            reason = " ".join(str(error.reason).split())
            reason = "and leads in a circle" if "infinite loop" in reason else reason
            raise DownloadError(f"{url}: the server answers {error.code} {reason}; check the address") from None


def _chunks(url: str, answer: HTTPResponse) -> Iterator[bytes]:
    """The body of an answer, piece by piece as it is received."""
    import http.client

    while True:
        with _server_errors(url):
            try:
                chunk = answer.read1(CHUNK)
            except http.client.IncompleteRead:
                raise DownloadError(f"{url}: the download stopped before its end; run the command again") from None
        if not chunk:
            return
        yield chunk


@contextmanager
def _server_errors(url: str) -> Iterator[None]:
    """Raise errors of the connection and of the protocol as a ``DownloadError``."""
    import http.client

    try:
        yield
    except (http.client.HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise DownloadError(f"{url}: cannot be fetched ({reason}); check the address and the connection") from None


@contextmanager
def _cache_errors(url: str, folder: Path) -> Iterator[None]:
    """Raise errors of the folder where the file is kept as a ``DownloadError`` that names the folder."""
    try:
        yield
    except OSError as error:
        reason, place = error.strerror or error, error.filename or folder
        raise DownloadError(
            f"{url}: cannot be kept as {place} ({reason}); DNNLIB_CACHE_DIR names another place for it"
        ) from None


def _prefix(url: str) -> str:
    return hashlib.md5(url.encode()).hexdigest() + "_"


def _opener() -> OpenerDirector:
    """An opener that follows redirections only to ``http`` and ``https``, and never from ``https`` to ``http``.

    The headers of an answer must be complete within twice TIMEOUT, even if single bytes arrive in time.
    """
    import http.client
    import socket
    import threading
    import urllib.error
    import urllib.request

    class Redirections(urllib.request.HTTPRedirectHandler):
        def redirect_request(
            self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
        ) -> Request | None:
            before, after = (address.split(":", 1)[0].lower() for address in (req.full_url, newurl))
            if after not in ("http", "https") or (before, after) == ("https", "http"):
                msg = f"and leads from {before} to {after}, which is not followed"
                raise urllib.error.HTTPError(req.full_url, code, msg, headers, fp)
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    class Answer(http.client.HTTPResponse):
        def __init__(
            self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
        ) -> None:
            super().__init__(sock, debuglevel, method, url)
            self._connection = sock

        def begin(self) -> None:
            connection, late = self._connection, threading.Event()
            del self._connection  # the socket closes when its last reference is gone

            def stop() -> None:
                late.set()
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

            timer = threading.Timer(2 * TIMEOUT, stop)
            timer.daemon = True
            timer.start()
            try:
                super().begin()
            except (OSError, http.client.HTTPException):  # raised by the shutdown
                if not late.is_set():
                    raise
            finally:
                timer.cancel()
            if late.is_set():
                raise TimeoutError("timed out")

    class Plain(http.client.HTTPConnection):
        response_class = Answer

    class Secure(http.client.HTTPSConnection):
        response_class = Answer

    class PlainHandler(urllib.request.HTTPHandler):
        def http_open(self, req: Request) -> HTTPResponse:
            return self.do_open(Plain, req)

    class SecureHandler(urllib.request.HTTPSHandler):
        _context: ssl.SSLContext | None  # set by urllib

        def https_open(self, req: Request) -> HTTPResponse:
            return self.do_open(Secure, req, context=self._context)

    return urllib.request.build_opener(Redirections, PlainHandler, SecureHandler)


def _receive(
    url: str, answer: HTTPResponse, part: Path, sha256: str | None, progress: Callable[[int, int], None] | None
) -> None:
    page = f"{url}: gives a web page, not a file (the link wants a click or a login)"
    if "text/html" in (answer.headers.get("Content-Type") or ""):
        raise DownloadError(page)
    packed = (answer.headers.get("Content-Encoding") or "identity").strip().lower()
    if packed != "identity":
        raise DownloadError(
            f"{url}: the server packs the file ({packed!r:.20}); fetch it with a browser, and name the file"
        )
    size = answer.length or 0  # None where the header is missing or malformed
    free = shutil.disk_usage(part.parent).free
    if size > free:
        raise DownloadError(
            f"{url}: has {size:,} bytes, and {part.parent} has room for {free:,}; DNNLIB_CACHE_DIR moves it"
        )
    total, digest = 0, hashlib.sha256()
    pace = _Pace()
    with open(part, "wb") as file:
        for chunk in _chunks(url, answer):
            if not total and re.match(rb"\s*<(!doctype html|html)\b", chunk[:200], re.I):
                raise DownloadError(page)
            file.write(chunk)
            digest.update(chunk)
            total += len(chunk)
            if not pace.holds(len(chunk)):
                raise DownloadError(f"{url}: less than {SLOWEST} bytes a second come; try again later")
            if total > LARGEST:
                raise DownloadError(f"{url}: does not end after {total:,} bytes, which no network needs")
            if progress is not None:
                progress(total, size)
    if size and total != size:
        raise DownloadError(f"{url}: the download stopped at {total} of {size} bytes; run the command again")
    if not total:
        raise DownloadError(f"{url}: the file is empty")
    if sha256 is not None and digest.hexdigest() != sha256.lower():
        raise DownloadError(f"{url}: has SHA-256 {digest.hexdigest()}, not the {sha256.lower()} asked for")


class _Pace:
    """Whether enough bytes come in each stretch of TIMEOUT seconds."""

    def __init__(self) -> None:
        self._start, self._bytes = time.monotonic(), 0

    def holds(self, received: int) -> bool:
        self._bytes += received
        passed = time.monotonic() - self._start
        if passed < TIMEOUT:
            return True
        enough = self._bytes >= SLOWEST * passed
        self._start, self._bytes = time.monotonic(), 0
        return enough


def _file_name(url: str, disposition: str | None) -> str:
    from urllib.parse import unquote, urlparse

    named = re.search(r'filename="?([^";]+)', disposition or "")
    name = named.group(1) if named else Path(unquote(urlparse(url).path)).name
    return re.sub(r"[^0-9A-Za-z._-]", "_", name)[-80:].rstrip(".") or "network.pkl"
