"""What stands before every endpoint of the pretend Viva: log, latency, silence, dropped connections, headers."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .world import World

OURS = ("/control", "/static", "/terminal", "/events", "/favicon", "/app")
ABORT = "simulator.abort"


class DropConnection(Exception):
    """Raised by an endpoint to close the connection without an answer."""


class DroppableProtocol(H11Protocol):
    """HTTP over asyncio that lets the application abort its own connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        inner = self.app

        async def with_abort(scope: Scope, receive: Receive, send: Send) -> None:
            scope[ABORT] = transport.abort
            await inner(scope, receive, send)

        self.app = with_abort


def is_ours(path: str) -> bool:
    """The control API and the pages are no part of Viva: faults leave them alone."""
    return path == "/" or path.startswith(OURS)


async def _until_closed(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def cut(scope: Scope, receive: Receive) -> None:
    """Close the connection without an answer."""
    scope[ABORT]()
    await _until_closed(receive)


class Front:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self.app = app
        self.world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_ours(scope["path"]):
            await self.app(scope, receive, send)
            return
        entry: dict[str, Any] = {
            "method": scope["method"],
            "path": scope["path"],
            "query": scope["query_string"].decode("latin-1"),
            "status": None,
            "ms": None,
            "at": time.time(),
        }
        self.world.requests.append(entry)
        began = time.perf_counter()
        try:
            await self._serve(scope, receive, send, entry, began)
        except DropConnection:
            entry["status"] = "dropped"
            await cut(scope, receive)
        finally:
            entry["ms"] = round((time.perf_counter() - began) * 1000, 1)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, entry: dict[str, Any], began: float
    ) -> None:
        world = self.world
        if world.faults.silent:
            entry["status"] = "silent"
            await self._stay_silent(scope, receive)
            return
        half = world.settings.latency_ms / 2000
        if half:
            await asyncio.sleep(half)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                wait = half + world.faults.slow_seconds(scope["path"])
                if wait:
                    await asyncio.sleep(wait)
                entry["status"] = message["status"]
                message["headers"] = [*message.get("headers", []), *self._headers(began)]
            await send(message)

        await self.app(scope, receive, answer)

    async def _stay_silent(self, scope: Scope, receive: Receive) -> None:
        """Hold the connection until the client gives up or the fault is lifted; never answer."""
        closed = asyncio.ensure_future(_until_closed(receive))
        lifted = asyncio.ensure_future(self.world.silence_over.wait())
        await asyncio.wait({closed, lifted}, return_when=asyncio.FIRST_COMPLETED)
        lifted.cancel()
        if not closed.done():
            scope[ABORT]()
            await closed

    def _headers(self, began: float) -> list[tuple[bytes, bytes]]:
        now = self.world.clock.now()
        correlation = f"{now:%y}-{now.timetuple().tm_yday:03d}-{secrets.token_hex(6).upper()}"
        return [
            (b"x-process-time", str(time.perf_counter() - began).encode()),
            (b"x-viva-correlationid", correlation.encode()),
        ]
