"""The web application: which path gives what to whom. Reads only; holds no connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import structlog
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from janitor.service.health import Health
from janitor.service.web.door import Door
from janitor.service.web.gate import Busy, Shared
from janitor.service.web.page import POLICY, landing_page
from janitor.service.web.scrape import scrape, wants_gzip, wants_open_metrics
from janitor.service.web.seldom import SeldomLog
from janitor.settings.types import User

LARGEST_HEADER = 16 * 1024
# Pages are Python's own work: more at once would not be faster.
_PAGES_AT_ONCE = 2
_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", POLICY.encode()),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]
_CHALLENGE = {"www-authenticate": 'Basic realm="upload janitor", charset="UTF-8"'}

_Page: TypeAlias = Callable[[Request], Awaitable[Response]]


def application(
    registry: CollectorRegistry,
    health: Health,
    *,
    config: Callable[[], str] = str,
    landing: Callable[[], Mapping[str, str]] = dict,
    users: Callable[[], Sequence[User]] = tuple,
) -> Starlette:
    """Build the whole web application; every path that is not here is 404.

    `config` gives the configuration in force without its secrets, `landing`
    labels and texts for the first page (`mode` stands out); both are asked in
    a thread. `users` is asked at every request: while it gives any, all but
    health needs one of their passwords.
    """
    made = Shared[Response](_PAGES_AT_ONCE)

    async def metrics(request: Request) -> Response:
        form = wants_open_metrics(request.headers.get("accept", ""))
        zipped = wants_gzip(request.headers.get("accept-encoding", ""))
        work = partial(scrape, registry, open_metrics=form, zipped=zipped)
        return await made.get(f"metrics {form} {zipped}", work)

    async def shown(_: Request) -> Response:
        return await made.get("config", lambda: PlainTextResponse(config()))

    async def first(_: Request) -> Response:
        return await made.get("landing", lambda: HTMLResponse(landing_page(landing())))

    # On the loop: these must answer whatever else is slow.
    async def healthy(_: Request) -> Response:
        return _verdict(health.ailment())

    async def ready(_: Request) -> Response:
        return _verdict(health.unreadiness())

    behind = {"/": first, "/metrics": metrics, "/config": shown}
    before = {"/-/healthy": healthy, "/healthz": healthy, "/-/ready": ready, "/readyz": ready}
    lock = _Lock(Door(users))
    pages = before | {path: partial(lock.open, page) for path, page in behind.items()}
    routes = [Route(path, page, methods=["GET"]) for path, page in pages.items()]
    app = Starlette(routes=routes, middleware=[Middleware(_Manners)])
    app.router.redirect_slashes = False
    return app


def _verdict(trouble: str | None) -> Response:
    text, status = ("ok", 200) if trouble is None else (trouble, 503)
    return PlainTextResponse(f"{text}\n", status)


class _Lock:
    """Stands before the pages that tell something."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._log = SeldomLog()

    async def open(self, page: _Page, request: Request) -> Response:
        """Give the page to who may see it and is not one of too many."""
        authorization = request.headers.get("authorization")
        client = "unknown" if request.client is None else request.client.host
        try:
            if await self._door.admits(authorization, client):
                return await page(request)
        except Busy:
            self._log.warning("web.busy", client=client)
            return PlainTextResponse("too many passwords at once\n", 503, {"retry-after": "1"})
        if authorization is not None:
            # Not the name: people type passwords there.
            self._log.warning("web.password_refused", client=client)
        return PlainTextResponse("who are you?\n", 401, _CHALLENGE)


class _Manners:
    """Refuses requests that bring too much, adds headers that forbid, and hides what broke."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_with_headers(message: Any) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        app = _refusal(scope) or self._app
        try:
            await app(scope, receive, send_with_headers)
        except Exception:
            if begun:
                raise  # the server hangs up and logs it
            structlog.get_logger("janitor.web").exception("web.failed", path=scope["path"])
            broken = PlainTextResponse("something broke; the log tells what\n", 500)
            await broken(scope, receive, send_with_headers)


def _refusal(scope: Scope) -> ASGIApp | None:
    """Say no, and hang up: what is still coming would be read to its end."""
    headers = scope["headers"]
    names = dict(headers)
    if b"transfer-encoding" in names or names.get(b"content-length", b"0") != b"0":
        return PlainTextResponse("no body is wanted here\n", 413, {"connection": "close"})
    # The server's own limit only holds for headers that arrive in pieces.
    size = len(scope["raw_path"]) + len(scope["query_string"])
    if size + sum(len(name) + len(value) for name, value in headers) > LARGEST_HEADER:
        return PlainTextResponse("the header is too large\n", 431, {"connection": "close"})
    return None
