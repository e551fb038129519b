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

from ..system.messages import printable
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


class NetworkAddress:
    """An ``http`` or ``https`` address, with what is fetched and what may be shown of it.

    Attributes:
        typed: as it was typed.
        url: to fetch: without user, password and fragment.
        shown: for outputs and messages: ``http://<password>@host/x.pkl?<token>``.
        login: ``user:password``, or ''.
    """

    def __init__(self, typed: str | os.PathLike[str]) -> None:
        self.typed = str(typed)
        start, authority, path, query = _PARTS.findall(self.typed)[0]
        self.login, at, host = authority.rpartition("@")
        self.url = f"{start}{host}{path}{query}"
        place = host if re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(:\d*)?", host) else "<host>"
        self.shown = f"{start}{'<password>@' if at else ''}{place}{path}{'?<token>' if query else ''}"
        # The longest first: a part of another one is replaced after it.
        values = [value for value in re.split(r"[&;]|[^&;=]*=", query[1:]) if len(value) >= SHORTEST_SECRET]
        secrets = {query, query[1:], authority if at else "", self.login, self.login.partition(":")[2], *values} - {""}
        self._secrets = sorted({*secrets, *map(_unquoted, secrets)}, key=len, reverse=True)

    def hidden(self, text: str) -> str:
        """A text, such as a server's message, without the secrets of this address."""
        for secret in self._secrets:
            text = text.replace(secret, "<token>")
        return text


# Paths have one slash less. A quote ends an address unless more of it follows.
_PARTS = re.compile(r"(?i:(https?:/{1,2}))([^/?#]*)([^?#]*)(\?[^#]*)?")
_ADDRESS = re.compile(r"(?i:https?:/{1,2})(?:[^\s'\"`]|['\"`](?![\s,;:.)\]}>]|$))+")
SHORTEST_SECRET = 6  # letters of a value of a query; shorter ones may be words of a message


def without_secrets(text: str) -> str:
    """A text with the shown form of each address in it."""
    return _ADDRESS.sub(lambda found: NetworkAddress(found[0]).shown, text)


def _unquoted(text: str) -> str:
    from urllib.parse import unquote

    return unquote(text)


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
    allow_local: bool = False,
) -> Path:
    """Give the local copy of ``url``, fetching it first if the cache does not hold it.

    Args:
        url: ``http`` or ``https`` address of a network file; ``user:password@`` is sent as basic authentication.
        sha256: the digest that the file must have; None accepts any.
        progress: called with the bytes received so far and in all (0 where the answer has no length).
        folder: of the cache; None is :func:`cache_folder`.
        allow_local: follow a redirection from a public server to this computer or a private network.

    Raises:
        DownloadError: no answer, an error page, a file cut short, another digest than asked for, or a cache that
            cannot be written to. Its message holds no secret of the address.
    """
    folder, address = cache_folder() if folder is None else folder, NetworkAddress(url)
    with _cache_errors(address, folder):
        held = cached(url, folder)
        if held is not None and (sha256 is None or file_digest(held) == sha256.lower()):
            return held
    answer = _requested(address, allow_local)
    with answer:
        if answer.status != 200:  # 206 is a partial file
            raise DownloadError(
                f"{address.shown}: the server answers {answer.status} and no whole file; check the address"
            )
        target = folder / (_prefix(url) + _file_name(address, answer.headers.get("Content-Disposition")))
        with _cache_errors(address, folder), whole_file(target) as part:
            _receive(address, answer, part, sha256, progress)
    return target


def _requested(address: NetworkAddress, allow_local: bool) -> HTTPResponse:
    """The server's answer, after its headers were received."""
    # Imported here: slower than reading a small local file.
    import base64
    import urllib.error
    import urllib.request

    with _server_errors(address):
        headers = {"User-Agent": "sefa_plugin", "Accept-Encoding": "identity"}
        request = urllib.request.Request(address.url, headers=headers)
        if address.login:
            login = base64.b64encode(_unquoted(address.login).encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {login}")
        try:
            answer: HTTPResponse = _opener(allow_local).open(request, timeout=TIMEOUT)
            return answer
        except urllib.error.HTTPError as error:
            error.close()
            reason = address.hidden(_line(error.reason))
            reason = "and leads in a circle" if "infinite loop" in reason else reason
            raise DownloadError(
                f"{address.shown}: the server answers {error.code} {reason}; check the address"
            ) from None


def _line(message: object) -> str:
    """A message of a server or of the system: its first line, cut where it is long."""
    lines = str(message).splitlines() or [""]
    return printable(" ".join(lines[0].split()))[:120]


def _chunks(address: NetworkAddress, answer: HTTPResponse) -> Iterator[bytes]:
    """The body of an answer, piece by piece as it is received."""
    import http.client

    while True:
        with _server_errors(address):
            try:
                chunk = answer.read1(CHUNK)
            except http.client.IncompleteRead:
                raise DownloadError(
                    f"{address.shown}: the download stopped before its end; run the command again"
                ) from None
        if not chunk:
            return
        yield chunk


@contextmanager
def _server_errors(address: NetworkAddress) -> Iterator[None]:
    """Raise errors of the connection and of the protocol as a ``DownloadError``."""
    import http.client

    try:
        yield
    except (http.client.HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        if isinstance(error, http.client.InvalidURL):  # quotes a part of an address, maybe of a redirection
            reason = "this is no address"
        reason = address.hidden(_line(reason))
        raise DownloadError(
            f"{address.shown}: cannot be fetched ({reason}); check the address and the connection"
        ) from None


@contextmanager
def _cache_errors(address: NetworkAddress, folder: Path) -> Iterator[None]:
    """Raise errors of the folder where the file is kept as a ``DownloadError`` that names the folder."""
    try:
        yield
    except OSError as error:
        reason, place = error.strerror or error, error.filename or folder
        raise DownloadError(
            f"{address.shown}: cannot be kept as {place} ({reason}); DNNLIB_CACHE_DIR names another place for it"
        ) from None


def _prefix(url: str) -> str:
    return hashlib.md5(url.encode()).hexdigest() + "_"


def _is_local(url: str) -> bool:
    """Whether a host is this computer or in a private network; False where its name cannot be resolved here."""
    import ipaddress
    import socket
    from urllib.parse import urlsplit

    try:
        found = socket.getaddrinfo(urlsplit(url).hostname, None)
    except OSError:
        return False
    places = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    return any(not (getattr(place, "ipv4_mapped", None) or place).is_global for place in places)


def _opener(allow_local: bool = False) -> OpenerDirector:
    """An opener that follows redirections only to ``http`` and ``https``, and never from ``https`` to ``http``.

    From a public server it does not follow them to this computer or a private network, unless ``allow_local``.

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
            if not allow_local and _is_local(newurl) and not _is_local(req.full_url):
                msg = "and leads into a private network, which is not followed without --allow-local"
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
    address: NetworkAddress,
    answer: HTTPResponse,
    part: Path,
    sha256: str | None,
    progress: Callable[[int, int], None] | None,
) -> None:
    page = f"{address.shown}: gives a web page, not a file (the link wants a click or a login)"
    if "text/html" in (answer.headers.get("Content-Type") or ""):
        raise DownloadError(page)
    packed = (answer.headers.get("Content-Encoding") or "identity").strip().lower()
    if packed != "identity":
        raise DownloadError(
            f"{address.shown}: the server packs the file ({packed!r:.20}); fetch it with a browser, and name the file"
        )
    lengths = {length.strip() for held in answer.headers.get_all("Content-Length", []) for length in held.split(",")}
    if len(lengths) > 1:
        raise DownloadError(f"{address.shown}: the server gives several lengths of the file; try another server")
    size = answer.length or 0  # None where the header is missing or malformed
    free = shutil.disk_usage(part.parent).free
    if size > free:
        raise DownloadError(
            f"{address.shown}: has {size:,} bytes, and {part.parent} has room for {free:,}; DNNLIB_CACHE_DIR moves it"
        )
    total, digest = 0, hashlib.sha256()
    pace = _Pace()
    with open(part, "wb") as file:
        for chunk in _chunks(address, answer):
            if not total and re.match(rb"\s*<(!doctype html|html)\b", chunk[:200], re.I):
                raise DownloadError(page)
            file.write(chunk)
            digest.update(chunk)
            total += len(chunk)
            if not pace.holds(len(chunk)):
                raise DownloadError(f"{address.shown}: less than {SLOWEST} bytes a second come; try again later")
            if total > LARGEST:
                raise DownloadError(f"{address.shown}: does not end after {total:,} bytes, which no network needs")
            if progress is not None:
                progress(total, size)
    if size and total != size:
        raise DownloadError(f"{address.shown}: the download stopped at {total} of {size} bytes; run the command again")
    if not total:
        raise DownloadError(f"{address.shown}: the file is empty")
    if sha256 is not None and digest.hexdigest() != sha256.lower():
        raise DownloadError(f"{address.shown}: has SHA-256 {digest.hexdigest()}, not the {sha256.lower()} asked for")


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


def _file_name(address: NetworkAddress, disposition: str | None) -> str:
    from urllib.parse import unquote, urlparse

    named = re.search(r'filename="?([^";]+)', disposition or "")
    name = named.group(1) if named else Path(unquote(urlparse(address.url).path)).name
    return re.sub(r"[^0-9A-Za-z._-]", "_", address.hidden(name))[-80:].rstrip(".") or "network.pkl"
