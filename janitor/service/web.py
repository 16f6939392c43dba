"""What the daemon serves by HTTP: metrics and health. Only to be read: nothing here acts."""

from __future__ import annotations

import asyncio
import html
import socket
import threading
from typing import Any, Self

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from janitor import __version__
from janitor.errors import JanitorError
from janitor.service.health import Health

_LINKS = ("/metrics", "/-/healthy", "/-/ready")
_LARGEST_HEADER = 16 * 1024
_MOST_CONNECTIONS = 64
_BACKLOG = 64
_START_TIMEOUT = 10.0
_STOP_TIMEOUT = 3
_LAST_PORT = 65535

# How long a connection may be idle, or take to bring a whole request header.
IDLE_TIMEOUT = 30


def application(registry: CollectorRegistry, health: Health) -> Starlette:
    """Build the whole web application; every path that is not here is 404."""

    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    def healthy(_: Request) -> Response:
        return _verdict(health.ailment())

    def ready(_: Request) -> Response:
        return _verdict(health.unreadiness())

    def landing(_: Request) -> Response:
        return HTMLResponse(_landing_page())

    paths = {
        "/": landing,
        "/metrics": metrics,
        "/-/healthy": healthy,
        "/healthz": healthy,
        "/-/ready": ready,
        "/readyz": ready,
    }
    routes = [Route(path, endpoint, methods=["GET"]) for path, endpoint in paths.items()]
    app = Starlette(routes=routes, middleware=[Middleware(_ReadOnly)])
    app.router.redirect_slashes = False
    return app


def _verdict(trouble: str | None) -> Response:
    text, status = ("ok", 200) if trouble is None else (trouble, 503)
    return PlainTextResponse(f"{text}\n", status)


def _landing_page() -> str:
    links = "".join(f'<li><a href="{link}">{link}</a></li>' for link in _LINKS)
    title = html.escape(f"upload janitor {__version__}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
        f"<body><h1>{title}</h1><ul>{links}</ul></body></html>\n"
    )


class _ReadOnly:
    """Refuses requests that bring too much, and forbids to cache or to guess what comes back."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [
                    (b"cache-control", b"no-store"),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        app = _refusal(scope) or self._app
        await app(scope, receive, send_with_headers)


def _refusal(scope: Scope) -> ASGIApp | None:
    """Say no, and hang up: what is still coming would be read to its end."""
    headers = scope["headers"]
    names = dict(headers)
    if b"transfer-encoding" in names or names.get(b"content-length", b"0") != b"0":
        return PlainTextResponse("no body is wanted here\n", 413, {"connection": "close"})
    # The server's own limit only holds for headers that arrive in pieces.
    if sum(len(name) + len(value) for name, value in headers) > _LARGEST_HEADER:
        return PlainTextResponse("the header is too large\n", 431, {"connection": "close"})
    return None


class _Impatient(H11Protocol):
    """Closes connections that do not bring a whole header in time.

    uvicorn waits for ever, and counts them: a few dozen would keep out the
    health checks.
    """

    _watch: asyncio.TimerHandle | None = None
    _last_cycle: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._watch = self.loop.call_later(self.timeout_keep_alive, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        busy = self.cycle is not None and not self.cycle.response_complete
        if not busy and self.cycle is self._last_cycle:
            self.transport.close()
            return
        self._last_cycle = self.cycle
        self._watch = self.loop.call_later(self.timeout_keep_alive, self._look)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


class Web:
    """Serves an application from a thread, between `with` and its end.

    The address is taken when it is made: JanitorError says why that failed.
    Port 0 takes a free one; `url` tells which.
    """

    def __init__(
        self, app: ASGIApp, host: str, port: int, *, idle_timeout: int = IDLE_TIMEOUT
    ) -> None:
        self._socket = _listen(host, port)
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            app,
            http=_Impatient,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_keep_alive=idle_timeout,
            timeout_graceful_shutdown=_STOP_TIMEOUT,
            h11_max_incomplete_event_size=_LARGEST_HEADER,
        )
        self._server = _Server(config)
        # A daemon thread: a client that does not let go must not keep the process.
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)

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
    def alive(self) -> bool:
        """Whether anybody answers."""
        return self._thread.is_alive()

    def _serve(self) -> None:
        self._server.run([self._socket])


def _listen(host: str, port: int) -> socket.socket:
    try:
        if not 0 <= port <= _LAST_PORT:
            # `bind` would say so too, but leave a socket behind.
            msg = f"the last port is {_LAST_PORT}"
            raise ValueError(msg)  # noqa: TRY301  # told like all that is wrong with an address
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )
        family, *_, address = found[0]
        return socket.create_server(
            (str(address[0]), port), family=family, backlog=_BACKLOG, reuse_port=False
        )
    except (OSError, ValueError) as error:
        # What Python adds repeats the address.
        reason = str(getattr(error, "strerror", None) or error).partition(" (while ")[0]
        msg = f"cannot listen on {host} port {port}: {reason}"
        raise JanitorError(msg) from error
