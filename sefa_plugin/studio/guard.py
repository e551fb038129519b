"""What every request meets first: only known hosts, origins and visitors, bodies within bounds; headers of answers."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

LOOPBACK = ("127.0.0.1", "localhost", "::1")
BODY, WITHIN = 8 << 20, 20.0  # bytes of a request, and seconds in which they must arrive
_TOO_LARGE = f"the request has over {BODY >> 20} MB"
AT_ONCE = 100  # requests that are answered at the same time
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
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
        token: the value of ``X-Sefa-Token`` in requests of ``/api/``.
        hosts: names that this server may be called by; any numeric address too if ``any_address``.
    """

    def __init__(self, app: App, token: str, hosts: Collection[str] = LOOPBACK, any_address: bool = False) -> None:
        self._app, self._token = app, token.encode()
        self._hosts, self._any_address = {host.lower() for host in hosts}, any_address
        self._open = 0

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
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refused = self._refused(scope)
        if refused is not None:
            return await _answered(refused, scope, receive, answer)
        self._open += 1
        try:
            if scope["path"].startswith("/api/"):
                receive = _given(await asyncio.wait_for(_whole(receive, BODY), WITHIN), receive)
            await self._app(scope, receive, answer)
        except asyncio.TimeoutError:
            await _answered(Refused(408, "the request took too long to arrive"), scope, receive, answer)
        except _TooLarge:
            await _answered(Refused(413, _TOO_LARGE), scope, receive, answer)
        except _Gone:
            pass
        finally:
            self._open -= 1

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
        if not secrets.compare_digest(headers.get("x-sefa-token", "").encode(), self._token):
            return Refused(403, "the token is missing or wrong: open the address that `sefa studio` printed")
        if not headers.get("content-length", "0").isdigit() or int(headers.get("content-length", "0")) > BODY:
            return Refused(413, _TOO_LARGE)
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
