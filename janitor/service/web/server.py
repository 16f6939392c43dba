"""The web server: uvicorn in a thread, with our own rules for connections and certificates."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from janitor.errors import JanitorError
from janitor.service.web.app import LARGEST_HEADER
from janitor.service.web.connection import Bounds, Hall, Visitor
from janitor.service.web.crowd import Crowd, Stage
from janitor.service.web.listening import BACKLOG, listen, most_connections
from janitor.service.web.tls import Certificates
from janitor.settings.types import Http

_START_TIMEOUT = 10.0
_STOP_TIMEOUT = 3


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, crowd: Crowd) -> None:
        super().__init__(config)
        self._crowd = crowd
        self.up = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for answers that are on their way, and for nothing else."""
        self._crowd.clear(Stage.NEW, Stage.IDLE)
        await super().shutdown(sockets)
        self._crowd.clear(*Stage)
        await asyncio.sleep(0)  # let the loop hear of it before it is closed

    def retire(self) -> None:
        """Let every connection end after the answer it waits for, if it waits for one."""
        for talk in list(self.server_state.connections):
            talk.shutdown()


class Web:
    """Serves an application from a thread, between `with` and its end.

    The address is taken when it is made, and certificates are read:
    JanitorError says why that failed. Port 0 takes a free one; `url` tells
    which. Who may see what is the application's business.
    """

    def __init__(self, app: ASGIApp, http: Http, *, bounds: Bounds | None = None) -> None:
        self._certificates = _certificates_of(http)
        self._former: ssl.SSLContext | None = None
        self._wanted = (http.host, http.port)
        self._socket = listen(http.host, http.port)
        self._port: int = self._socket.getsockname()[1]
        bounds = bounds or Bounds()
        bounds = replace(bounds, connections=most_connections(bounds.connections))
        self._hall = Hall(bounds, self._context)
        self._server = _Server(self._config(app), self._hall.crowd)
        # A daemon thread: a client that does not let go must not keep the process.
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)

    def _config(self, app: ASGIApp) -> uvicorn.Config:
        return uvicorn.Config(
            app,
            http=partial(Visitor, self._hall),  # type: ignore[arg-type]  # called like a class
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=self._hall.bounds.idle,  # type: ignore[arg-type]  # any seconds do
            timeout_graceful_shutdown=_STOP_TIMEOUT,
            h11_max_incomplete_event_size=LARGEST_HEADER,
        )

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        if not self._server.up.wait(_START_TIMEOUT):
            self.__exit__()
            msg = f"the web server did not start at {self.url}"
            raise JanitorError(msg)
        return self

    def __exit__(self, *_: object) -> None:
        """Finish what is being answered, then let go of the address."""
        self._server.should_exit = True
        self._thread.join(_STOP_TIMEOUT + 2)
        self._socket.close()

    @property
    def url(self) -> str:
        """Where it answers."""
        host = self._wanted[0]
        shown = f"[{host}]" if ":" in host else host
        scheme = "http" if self._certificates is None else "https"
        return f"{scheme}://{shown}:{self._port}"

    @property
    def alive(self) -> bool:
        """Whether anybody answers."""
        return self._thread.is_alive()

    @property
    def trouble(self) -> str | None:
        """Say why renewed certificates are not in use; None if all is well."""
        return None if self._certificates is None else self._certificates.trouble

    def reload(self, http: Http) -> str | None:
        """Use these certificates and this client CA, read anew, from the next connection on.

        Connections that are open end after the answer they wait for. Gives a
        sentence if the address differs, which only a restart can change, else
        None. JanitorError: the files cannot be used, and nothing has changed.
        """
        former, self._certificates = self._certificates, _certificates_of(http)
        if former is not None or self._certificates is not None:
            self._retire()  # else it would break off whoever is just about to ask
        if (http.host, http.port) == self._wanted:
            return None
        was, wanted = (
            f"{host} port {port}" for host, port in (self._wanted, (http.host, http.port))
        )
        return f"http.listen is {wanted} now, but still served at {was}: it needs a restart"

    def _context(self) -> ssl.SSLContext | None:
        """Give the context for one more connection; called by the server's thread only."""
        certificates = self._certificates
        context = None if certificates is None else certificates.context()
        if context is not self._former:
            self._former = context
            self._server.retire()
        return context

    def _retire(self) -> None:
        loop = self._server.loop
        if loop is not None:
            with suppress(RuntimeError):  # it has stopped serving meanwhile
                loop.call_soon_threadsafe(self._server.retire)

    def _serve(self) -> None:
        self._server.run([self._socket])


def _certificates_of(http: Http) -> Certificates | None:
    return None if http.tls is None else Certificates(http.tls)
