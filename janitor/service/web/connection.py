"""One connection: counted, greeted with TLS, given to uvicorn, and ended when it dawdles."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from janitor.service.web.crowd import Crowd, Stage
from janitor.service.web.seldom import SeldomLog

_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a connection may take (seconds), and how many there may be.

    `header` is for a whole request header: the first one from the beginning of
    the connection, TLS handshake included, later ones from their first byte.
    `idle` is for the time between two requests, `write` for a client to take
    what was written, 64 KiB at most.
    """

    header: float = 8.0
    idle: float = 75.0
    write: float = 10.0
    connections: int = 1000
    blocked: int = 32


class Hall:
    """What all connections share. `context` gives the TLS context, or None for plain HTTP."""

    def __init__(self, bounds: Bounds, context: Callable[[], ssl.SSLContext | None]) -> None:
        self.bounds = bounds
        self.context = context
        self.crowd = Crowd(bounds.connections, bounds.blocked)
        self.log = SeldomLog()

    def patience(self, stage: Stage) -> float | None:
        """How long a connection may stay in a stage; uvicorn itself ends idle ones."""
        return {Stage.NEW: self.bounds.header, Stage.BLOCKED: self.bounds.write}.get(stage)


class Visitor(asyncio.Protocol):
    """A connection that was just accepted; later it only keeps the time.

    uvicorn makes it in place of its own protocol, with the same arguments.
    """

    def __init__(self, hall: Hall, **uvicorn: Any) -> None:
        self._hall = hall
        self._uvicorn = uvicorn
        self._loop = asyncio.get_running_loop()
        self._raw: asyncio.Transport | None = None
        self._greeting: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._early = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a TCP connection's
        """Count it, and begin to talk."""
        self._raw = transport
        self._hall.crowd.enter(self)
        if transport.is_closing():
            return
        self._watch(Stage.NEW, transport)
        context = self._hall.context()
        if context is None:
            self._introduce(transport)
            return
        # What comes now is for the handshake.
        transport.pause_reading()
        self._greeting = self._loop.create_task(self._greet(transport, context))

    def data_received(self, data: bytes) -> None:
        """Keep what comes right behind the handshake."""
        self._early += data

    def connection_lost(self, _: Exception | None) -> None:
        """Forget it."""
        if self._timer is not None:
            self._timer.cancel()
        self._hall.crowd.leave(self)

    def throw_out(self) -> None:
        """End it at once; what nobody reads must not stay in the kernel either."""
        raw = self._raw
        if raw is None:
            return
        if raw.get_write_buffer_size():
            raw.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _NO_LINGER)
        raw.abort()

    def reached(self, stage: Stage, transport: asyncio.Transport) -> None:
        """Note the stage, and how long it may last from now on."""
        if self._hall.crowd.move(self, stage):
            self._watch(stage, transport)

    def _watch(self, stage: Stage, transport: asyncio.Transport) -> None:
        if self._timer is not None:
            self._timer.cancel()
        patience = self._hall.patience(stage)
        if patience is not None:
            # Closing waits until all is written: of no use where nobody reads.
            end = self.throw_out if stage is Stage.BLOCKED else transport.close
            self._timer = self._loop.call_later(patience, end)

    async def _greet(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        secured = None
        try:
            if not transport.is_closing():
                secured = await self._handshake(transport, context)
        except ssl.SSLError as error:
            peer = transport.get_extra_info("peername") or ("unknown",)
            self._hall.log.warning("tls.handshake_failed", client=peer[0], reason=error.reason)
        except OSError:
            pass  # it went away, or took too long
        finally:
            # There is none either where the connection was lost during the handshake.
            if secured is None or secured.is_closing():
                self.connection_lost(None)
            else:
                self._introduce(secured)

    async def _handshake(
        self, transport: asyncio.Transport, context: ssl.SSLContext
    ) -> asyncio.Transport | None:
        bounds = self._hall.bounds
        return await self._loop.start_tls(
            transport,
            self,
            context,
            server_side=True,
            ssl_handshake_timeout=bounds.header,
            ssl_shutdown_timeout=bounds.write,
        )

    def _introduce(self, transport: asyncio.Transport) -> None:
        talk = _Talk(self, **self._uvicorn)
        transport.set_protocol(talk)
        talk.connection_made(transport)
        if self._early:
            talk.data_received(self._early)
            self._early = b""


class _Talk(H11Protocol):
    """uvicorn's protocol, which tells the visitor after each event where it stands."""

    def __init__(self, visitor: Visitor, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._visitor = visitor

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        # Whatever the client did not take at once counts as blocked.
        transport.set_write_buffer_limits(high=1, low=0)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._tell()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._tell()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._tell()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._visitor.connection_lost(exc)

    def _tell(self) -> None:
        self._visitor.reached(self._stage(), self.transport)

    def _stage(self) -> Stage:
        if self.flow.write_paused:
            return Stage.BLOCKED
        if self.cycle is not None and not self.cycle.response_complete:
            return Stage.BUSY
        unfinished, _ = self.conn.trailing_data
        return Stage.NEW if self.cycle is None or unfinished else Stage.IDLE
