"""Serves the protocols over real HTTP: uvicorn's h11 implementation in one background thread."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from janitor.sandbox.wire import Reply, Request
from janitor.sandbox.world import MAX_BODY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.types import Message, Receive, Scope, Send

    Answer = Callable[[Request], Awaitable[Reply | None]]

_PATIENCE: Final = 10.0
_HOOK_THREADS: Final = 128
_TOO_LARGE: Final = Reply(413, {"Connection": "close"})


class _Connection(H11Protocol):
    """uvicorn's connection, with its transport within reach so that faults can close it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)  # type: ignore[arg-type]  # it is a Transport
        self.access_log = False


class Listener:
    """One thread with one event loop that serves several sockets, each with its own answers."""

    def __init__(self, host: str, answers: Sequence[tuple[int, Answer]]) -> None:
        self._sockets = _bound(host, [port for port, _ in answers])
        self._answers = [answer for _, answer in answers]
        self.ports: list[int] = [bound.getsockname()[1] for bound in self._sockets]
        self._ready, self._state = Event(), ServerState()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._thread = Thread(target=self._run, name="janitor-sandbox", daemon=True)

    def start(self) -> None:
        """Begin to serve; returns when connections are accepted."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Close every socket and end the thread; harmless when called again."""
        if self._loop is not None and self._end is not None:
            with suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        # Hooks may wait for each other; asyncio's own pool would be as small as the machine.
        self._loop.set_default_executor(ThreadPoolExecutor(_HOOK_THREADS, "janitor-sandbox-hook"))
        servers = [
            await self._loop.create_server(self._factory(answer), sock=bound)
            for bound, answer in zip(self._sockets, self._answers, strict=True)
        ]
        self._ready.set()
        await self._end.wait()
        for server in servers:
            server.close()
        await self._hang_up()

    def _factory(self, answer: Answer) -> Callable[[], asyncio.Protocol]:
        config = Config(
            _app(answer),
            http=_Connection,
            lifespan="off",
            ws="none",
            log_config=None,
            timeout_keep_alive=3600,
            h11_max_incomplete_event_size=256 * 1024,
        )
        config.load()
        return lambda: _Connection(config=config, server_state=self._state, app_state={})

    async def _hang_up(self) -> None:
        for connection in list(self._state.connections):
            connection.transport.abort()
        # One turn of the loop, so that every connection learns that it is lost.
        await asyncio.sleep(0)
        for task in self._state.tasks:
            task.cancel()


def _bound(host: str, ports: Sequence[int]) -> list[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made: list[socket.socket] = []
    try:
        for port in ports:
            bound = socket.create_server((host, port), family=family, backlog=512)
            # asyncio does it for sockets of its own only; without it every reply waits 40 ms.
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.append(bound)
    except OSError:
        for bound in made:
            bound.close()
        raise
    return made


def _app(answer: Answer) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # The end of the sandbox cancels what still waits; its connection is gone by then.
        with suppress(ClientDisconnect, asyncio.CancelledError):
            request = await _read(scope, receive)
            reply = _TOO_LARGE if request is None else await answer(request)
            await _write(reply, scope, receive, send)

    return app


async def _read(scope: Scope, receive: Receive) -> Request | None:
    body = bytearray()
    async for chunk in HttpRequest(scope, receive).stream():
        body += chunk
        if len(body) > MAX_BODY:
            return None
    raw, query = scope["raw_path"], scope["query_string"]
    return Request(
        method=scope["method"],
        target=(raw + (b"?" + query if query else b"")).decode("latin-1"),
        path=_origin_form(raw),
        query=query,
        headers=tuple(
            (name.decode("latin-1"), v.decode("latin-1")) for name, v in scope["headers"]
        ),
        body=bytes(body),
    )


def _origin_form(raw: bytes) -> bytes:
    """Reduce what a client sends through a proxy, `http://host/path`, to `/path`."""
    if raw.startswith((b"http://", b"https://")):
        _, _, rest = raw.partition(b"://")
        raw = b"/" + rest.partition(b"/")[2]
    return raw or b"/"


async def _write(reply: Reply | None, scope: Scope, receive: Receive, send: Send) -> None:
    if reply is None:
        await _close(scope, receive)
        return
    length = len(reply.body) if reply.length is None else reply.length
    await send(_start(reply, length))
    short = length > len(reply.body) and scope["method"] != "HEAD"
    await send({"type": "http.response.body", "body": reply.body, "more_body": short})
    if short:
        await _close(scope, receive)


def _start(reply: Reply, length: int) -> Message:
    pairs = list(reply.headers.items())
    if reply.status not in {204, 304} and not _has_length(reply):
        pairs.append(("Content-Length", str(length)))
    headers: list[tuple[bytes, bytes]] = [
        (name.encode("latin-1"), value.encode("utf-8", "surrogateescape")) for name, value in pairs
    ]
    message: dict[str, Any] = {"type": "http.response.start", "status": reply.status}
    return {**message, "headers": headers}


def _has_length(reply: Reply) -> bool:
    return any(name.lower() == "content-length" for name in reply.headers)


async def _close(scope: Scope, receive: Receive) -> None:
    scope["state"]["transport"].close()
    while (await receive())["type"] != "http.disconnect":
        pass
