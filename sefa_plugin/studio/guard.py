"""What every request meets first: only known hosts, origins and visitors, bodies within bounds; headers of answers."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Collection, MutableMapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse

LOOPBACK = ("127.0.0.1", "localhost", "::1")
BODY, WITHIN = 8 << 20, 20.0  # bytes of a request, and seconds in which they must arrive
AT_ONCE = 100  # requests that are answered at the same time
_NO_FRAME = "frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src blob:; "
        f"connect-src 'self'; base-uri 'none'; form-action 'none'; {_NO_FRAME}"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Refused(NamedTuple):
    """The status and the line of an answer to a request that is not served."""

    status: int
    line: str


class Guard:
    """An ASGI application in front of another.

    Args:
        app: serves what is let through.
        token: the value of ``X-Sefa-Token`` in requests of ``/api/``; '' asks for none.
        hosts: names that this server may be called by; any numeric address too if ``any_address``.
        frames: origins of pages that may show this one inside of them.
        body: bytes of a request, at most.
    """

    def __init__(
        self,
        app: App,
        token: str,
        hosts: Collection[str] = LOOPBACK,
        any_address: bool = False,
        frames: Sequence[str] = (),
        body: int | None = None,
    ) -> None:
        self._app, self._token = app, token.encode()
        self._hosts, self._any_address = {host.lower() for host in hosts}, any_address
        self._open, self._body = 0, body
        self._headers = dict(HEADERS)
        if frames:
            policy = HEADERS["Content-Security-Policy"]
            self._headers["Content-Security-Policy"] = policy.replace(_NO_FRAME, f"frame-ancestors {' '.join(frames)}")

    @property
    def body(self) -> int:
        """Bytes of a request, at most."""
        return self._body or BODY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse a request; other kinds of connections are closed."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            await receive()
            return await send({"type": "websocket.close", "code": 1008})

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
            await send(message)

        refused = self._refused(scope)
        if refused is not None:
            return await _answered(refused, scope, receive, answer)
        self._open += 1
        try:
            if scope["path"].startswith("/api/"):
                receive = _given(await asyncio.wait_for(_whole(receive, self.body), WITHIN), receive)
            await self._app(scope, receive, answer)
        except asyncio.TimeoutError:
            await _answered(Refused(408, "the request took too long to arrive"), scope, receive, answer)
        except _TooLarge:
            await _answered(Refused(413, self._too_large), scope, receive, answer)
        except _Gone:
            pass
        finally:
            self._open -= 1

    @property
    def _too_large(self) -> str:
        return f"the request has over {self.body >> 20} MB"

    def _refused(self, scope: Scope) -> Refused | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._known(host):
            return Refused(403, "this host is not served; see --host and --allow-host of `sefa studio`")
        if not scope["path"].startswith("/api/"):
            return None
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return Refused(403, "requests of other pages are refused")
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return Refused(403, "requests of other pages are refused")
        if self._token and not secrets.compare_digest(headers.get("x-sefa-token", "").encode(), self._token):
            return Refused(403, "the token is missing or wrong: open the address that `sefa studio` printed")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self.body:
            return Refused(413, self._too_large)
        if self._open >= AT_ONCE:
            return Refused(503, "the studio is busy; try again in a moment")
        return None

    def _known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._hosts:
            return True
        return self._any_address and _is_address(name)


class Below:
    """An ASGI application below a path, behind a server that passes the path on, or one that takes it away.

    Args:
        app: is asked for the rest of the path.
        prefix: the path, ``/sefa``.
    """

    def __init__(self, app: App, prefix: str) -> None:
        self._app, self._prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; the path alone leads to the page."""
        if scope["type"] == "http" and scope["path"] == self._prefix:
            return await RedirectResponse(f"{self._prefix}/", headers=HEADERS)(scope, receive, send)
        if scope["type"] == "http" and scope["path"].startswith(f"{self._prefix}/"):
            path = scope["path"][len(self._prefix) :]
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(scope, receive, send)


def _is_address(name: str) -> bool:
    """Whether a host is a number, which no name server can lead elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class _TooLarge(Exception):
    """A body over the limit."""


class _Gone(Exception):
    """The connection ended within a body."""


async def _answered(refused: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    response = JSONResponse({"error": refused.line}, refused.status, {"Connection": "close"})
    await response(scope, receive, send)


def _given(body: bytes, receive: Receive) -> Receive:
    """As ``receive``, with a body that has arrived already."""
    left = [body]

    async def received() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return received


async def _whole(receive: Receive, most: int) -> bytes:
    """The body of a request."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise _TooLarge
        if not message.get("more_body", False):
            return b"".join(parts)
