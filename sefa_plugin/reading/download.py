"""Network files from the web, kept in the cache folder that NVIDIA's toolkits use.

The names in the cache follow those toolkits (MD5 of the address, then the file's name), so a network
that one of them has fetched already is not fetched again. Files of the Hub (``hub``) are in its own cache.
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
from typing import TYPE_CHECKING, NamedTuple

from ..system.messages import printable
from ..system.whole_files import alone_in, whole_file

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPMessage, HTTPResponse
    from typing import IO
    from urllib.request import OpenerDirector, Request

CHUNK = 1 << 20
TIMEOUT = 30  # seconds without a byte
SLOWEST = 1000  # bytes a second, measured over TIMEOUT; below it the download is stopped
LARGEST = 64 << 30  # bytes; for answers without a length
NETWORKS = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".bin", ".safetensors")  # ends of their names
DATA = Path(__file__).resolve().parent.parent / "data"
BUNDLED = {"demo": "demo.pkl", "vases": "vases.safetensors"}  # names of networks that ship along
LONGEST_TEXT = 64 << 20  # bytes; a list of 100,000 files


class DownloadError(Exception):
    """A network file could not be fetched.

    Attributes:
        code: of the server's answer, such as 404; 0 where none came.
        kind: the Hub's own name of the error, such as ``GatedRepo``; '' of other servers.
    """

    def __init__(self, message: str, code: int = 0, kind: str = "") -> None:
        super().__init__(message)
        self.code, self.kind = code, kind


class UnreachableError(DownloadError):
    """No answer came."""


def bundled(name: str) -> str | None:
    """The file of a network that ships with this package; None for any other name, or where a file has it."""
    file = BUNDLED.get(name)
    return str(DATA / file) if file and not os.path.isfile(name) else None


def is_url(path: str | os.PathLike[str]) -> bool:
    """Tell whether ``path`` is an ``http``, ``https`` or ``hf`` address."""
    return str(path).lower().startswith(("http://", "https://", "hf://"))


def parted(path: str | os.PathLike[str]) -> tuple[str, str]:
    """A path or an address, and the network of the archive there that is named after ``#``; '' without one."""
    text = os.fspath(path)
    before, mark, member = text.partition("#")
    if mark and (is_url(text) or (os.path.isfile(before) and not os.path.exists(text))):
        return before, member if not is_url(text) or member.lower().endswith(NETWORKS) else ""
    return text, ""


class NetworkAddress:
    """An ``http`` or ``https`` address, with what is fetched and what may be shown of it.

    Attributes:
        typed: as it was typed.
        url: to fetch: without user, password and fragment.
        shown: for outputs and messages: ``http://<password>@host/x.pkl?<token>``. A fragment is shown where it names
            a network in an archive.
        login: ``user:password``, or ''.
        token: sent to this host as ``Authorization: Bearer``, never on a redirection; or ''.
        moved_by: the variable that names another folder for the copy.
    """

    def __init__(
        self,
        typed: str | os.PathLike[str],
        token: str = "",
        shown: str = "",
        moved_by: str = "DNNLIB_CACHE_DIR",
    ) -> None:
        self.typed, self.token, self.moved_by = str(typed), token, moved_by
        start, authority, path, query, member = _PARTS.findall(self.typed)[0]
        self.login, at, host = authority.rpartition("@")
        self.url = f"{start}{host}{path}{query}"
        place = host if re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(:\d*)?", host) else "<host>"
        self.shown = shown or f"{start}{'<password>@' if at else ''}{place}{path}{'?<token>' if query else ''}{member}"
        # The longest first: a part of another one is replaced after it.
        values = [value for value in re.split(r"[&;]|[^&;=]*=", query[1:]) if len(value) >= SHORTEST_SECRET]
        secrets = {
            query,
            query[1:],
            authority if at else "",
            self.login,
            self.login.partition(":")[2],
            token,
            *values,
        } - {""}
        self._secrets = sorted({*secrets, *map(_unquoted, secrets)}, key=len, reverse=True)

    def hidden(self, text: str) -> str:
        """A text, such as a server's message, without the secrets of this address."""
        for secret in self._secrets:
            text = text.replace(secret, "<token>")
        return text


# Paths have one slash less. A quote ends an address unless more of it follows.
_PARTS = re.compile(
    r"(?i:(https?:/{1,2}))([^/?#]*)([^?#]*)(\?[^#]*)?"
    rf"((?i:#[^#]*(?:{'|'.join(map(re.escape, NETWORKS))}))\W*$)?"
)
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
    with _requested(address, allow_local) as answer:
        target = folder / (_prefix(url) + _file_name(address, answer.headers.get("Content-Disposition")))
        with _cache_errors(address, folder), whole_file(target) as part:
            _receive(address, answer, part, Expected("" if sha256 is None else sha256.lower()), progress)
    return target


class Expected(NamedTuple):
    """A digest that a file must have.

    Attributes:
        digest: in hex; '' for any file.
        size: of the file, where the digest is that of git (SHA-1 of ``blob SIZE``, NUL and the file); None: SHA-256.
    """

    digest: str
    size: int | None = None

    def total(self) -> hashlib._Hash:
        """The hash, before the file."""
        return hashlib.sha256() if self.size is None else hashlib.sha1(b"blob %d\0" % self.size)


def fetch_to(
    target: Path,
    address: NetworkAddress,
    expected: Expected,
    progress: Callable[[int, int], None] | None = None,
    allow_local: bool = False,
) -> None:
    """Fetch a file of a known digest to ``target``, going on where an earlier try has stopped.

    What has come so far is kept as ``<target>.incomplete``.

    Raises:
        DownloadError: as :func:`fetch`.
    """
    kept = target.with_name(f"{target.name}.incomplete")
    with _cache_errors(address, target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone_in(target.parent):  # another process waits, and has the file then
            if target.is_file():
                return
            begun = kept.stat().st_size if kept.exists() else 0
            with _resumed(address, allow_local, begun) as answer:
                try:
                    _receive(address, answer, kept, expected, progress, begun if answer.status == 206 else 0)
                except _OtherDigest:
                    kept.unlink()
                    raise
            os.replace(kept, target)


def _resumed(address: NetworkAddress, allow_local: bool, begun: int) -> HTTPResponse:
    """The answer for the rest of a file, or, where the server does not give that, for all of it."""
    if not begun:
        return _requested(address, allow_local)
    try:
        answer = _requested(address, allow_local, {"Range": f"bytes={begun}-"}, (200, 206))
    except DownloadError as error:
        if error.code != 416:  # there is no rest
            raise
        return _requested(address, allow_local)
    if answer.status == 206 and not (answer.headers.get("Content-Range") or "").startswith(f"bytes {begun}-"):
        answer.close()
        return _requested(address, allow_local)
    return answer


def text_of(address: NetworkAddress, allow_local: bool = False) -> bytes:
    """The body of a short answer.

    Raises:
        DownloadError: there is none, or it is longer than ``LONGEST_TEXT``.
    """
    held = b""
    with _requested(address, allow_local) as answer:
        for chunk in _chunks(address, answer):
            held += chunk
            if len(held) > LONGEST_TEXT:
                raise DownloadError(f"{address.shown}: the server's list does not end after {len(held):,} bytes")
    return held


def _requested(
    address: NetworkAddress,
    allow_local: bool,
    more: dict[str, str] | None = None,
    codes: tuple[int, ...] = (200,),
) -> HTTPResponse:
    """The server's answer with one of these codes, after its headers were received; ``more`` headers are sent."""
    # Imported here: slower than reading a small local file.
    import base64
    import urllib.error
    import urllib.request

    with _server_errors(address):
        headers = {"User-Agent": "sefa_plugin", "Accept-Encoding": "identity", **(more or {})}
        request = urllib.request.Request(address.url, headers=headers)
        if address.token:
            request.add_unredirected_header("Authorization", f"Bearer {address.token}")
        elif address.login:
            login = base64.b64encode(_unquoted(address.login).encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {login}")
        try:
            answer: HTTPResponse = _opener(allow_local).open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            error.close()
            reason = address.hidden(_line(error.reason))
            reason = "and leads in a circle" if "infinite loop" in reason else reason
            line = f"{address.shown}: the server answers {error.code} {reason}; check the address"
            raise DownloadError(line, error.code, error.headers.get("X-Error-Code") or "") from None
    if answer.status not in codes:  # 206 is a part of a file
        answer.close()
        raise DownloadError(f"{address.shown}: the server answers {answer.status} and no whole file; check the address")
    return answer


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
        raise UnreachableError(
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
            f"{address.shown}: cannot be kept as {place} ({reason}); {address.moved_by} names another place for it"
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
    expected: Expected,
    progress: Callable[[int, int], None] | None,
    begun: int = 0,
) -> None:
    """Write the body of an answer to a file; of one that was ``begun``, to its end."""
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
    size = begun + answer.length if answer.length else 0  # None where the header is missing or malformed
    free = shutil.disk_usage(part.parent).free
    if size - begun > free:
        raise DownloadError(
            f"{address.shown}: has {size:,} bytes, and {part.parent} has room for {free:,}; {address.moved_by} moves it"
        )
    total, digest = begun, expected.total()
    pace = _Pace()
    with open(part, "r+b" if begun else "wb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b"") if begun else ():
            digest.update(chunk)
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
    if expected.digest and digest.hexdigest() != expected.digest:
        kind = "SHA-256" if expected.size is None else "git's SHA-1"
        raise _OtherDigest(f"{address.shown}: has {kind} {digest.hexdigest()}, not the {expected.digest} asked for")


class _OtherDigest(DownloadError):
    """A whole file that is not the one asked for."""


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
