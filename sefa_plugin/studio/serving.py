"""Pages of this program in a browser: the address that they are opened at, and the server behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from .guard import LOOPBACK, App

PORT, PORTS = 8765, 100  # the usual port, and how many after it are tried to name a free one
REQUEST_WITHIN = 10.0  # seconds after which a connection without a request is closed


class StudioError(Exception):
    """A page cannot be opened at this address."""


class _Connection(H11Protocol):
    """Closes a connection that brings no request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(REQUEST_WITHIN, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


class _Server(uvicorn.Server):
    """Calls ``ready`` once connections are accepted."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: Any = None) -> None:
        """As uvicorn's."""
        await super().startup(sockets)
        self._ready()


async def served(
    app_of: Callable[[Sequence[str], bool], App],
    token: str,
    host: str = LOOPBACK[0],
    port: int = PORT,
    allowed: Sequence[str] = (),
    ready: Callable[[str], None] = lambda address: None,
    prefix: str = "",
) -> None:
    """Serve a page until the process is interrupted.

    Args:
        app_of: makes the application, of the names that it may be called by, and whether by any numeric address.
        token: the end of its address; '' for none.
        host, port: where it listens; port 0 takes a free one.
        allowed: further names that it may be called by.
        ready: called with the address, once it is served.
        prefix: the path of the page, ``/sefa``.

    Raises:
        StudioError: the port is in use, or the host is none of this computer.
    """
    try:
        sockets = await _bound(host, port)
    except OverflowError:
        raise StudioError(f"--port {port}: a port is a number up to 65535") from None
    except OSError as error:
        raise StudioError(await _why_not(host, port, error)) from None
    port = sockets[0].getsockname()[1]
    everywhere = host in ("0.0.0.0", "::", "")
    hosts = [*LOOPBACK, *allowed, *([] if everywhere else [host])]
    config = uvicorn.Config(
        app_of(hosts, everywhere),
        http=_Connection,
        ws="none",
        log_level="critical",
        access_log=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    named = LOOPBACK[0] if everywhere else f"[{host}]" if ":" in host else host
    address = f"http://{named}:{port}{prefix}/" + (f"#token={token}" if token else "")
    try:
        await _Server(config, lambda: ready(address)).serve(sockets)
    finally:
        for held in sockets:
            held.close()


async def _bound(host: str, port: int) -> list[Any]:
    """Sockets at an address, which nobody else can take any more."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
    sockets = [held.dup() for held in server.sockets]
    server.close()
    return sockets


async def _why_not(host: str, port: int, error: OSError) -> str:
    """A line on an address that cannot be used, with the next free port where the port is the reason."""
    for other in range(port + 1, min(port + PORTS, 65536)):
        try:
            sockets = await _bound(host, other)
        except OSError:
            continue
        for held in sockets:
            held.close()
        return f"port {port} is in use; type --port {other}, which is free"
    return f"--host {host} --port {port}: {error.strerror or error}"
