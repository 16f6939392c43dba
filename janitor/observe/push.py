"""Leaves metrics with a Pushgateway: the whole group at once, within seconds, or an error."""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Callable
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
)

from prometheus_client import CollectorRegistry, delete_from_gateway, push_to_gateway

from janitor.errors import JanitorError
from janitor.observe.redaction import redacted
from janitor.settings.types import Push

TOTAL_SECONDS = 10.0
_MOST_SAID = 300
_DOTS = frozenset({".", ".."})


class PushFailed(JanitorError):  # noqa: N818  # says what happened
    """The Pushgateway did not take it, or did not say so in time."""


def push(to: Push, registry: CollectorRegistry, seconds: float = TOTAL_SECONDS) -> None:
    """Replace the whole group by what the registry holds; raise PushFailed if that fails.

    Raises after that many seconds, whatever the Pushgateway does.
    """

    def put(url: str) -> None:
        push_to_gateway(url, to.job, registry, grouping_key(to), seconds, _handler)

    _within(seconds, put, to, "take the metrics")


def delete(to: Push, seconds: float = TOTAL_SECONDS) -> None:
    """Delete the whole group; raise PushFailed as `push` does."""

    def remove(url: str) -> None:
        delete_from_gateway(url, to.job, grouping_key(to), seconds, _handler)

    _within(seconds, remove, to, "delete the group")


def grouping_key(to: Push) -> dict[str, str]:
    """Give the labels of the group, written so that they survive in a URL's path.

    The library encodes what holds slashes or spaces; a path of one or two
    dots, however, is resolved by whoever reads the URL.
    """
    return dict(
        (f"{name}@base64", base64.urlsafe_b64encode(value.encode()).decode())
        if value in _DOTS
        else (name, value)
        for name, value in to.grouping
    )


def _within(seconds: float, send: Callable[[str], None], to: Push, what: str) -> None:
    """Send in a thread that may be left behind: no timeout of a socket bounds a dripping server."""
    url = to.pushgateway_url
    assert url is not None  # noqa: S101  # nobody pushes to nowhere
    errors: list[str] = []

    def run() -> None:
        try:
            send(url)
        except (OSError, HTTPException, ValueError) as error:
            errors.append(_why(error))

    thread = threading.Thread(target=run, name="push", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        errors.append(f"no whole reply within {seconds:g} seconds")
    if errors:
        msg = f"the Pushgateway {url} did not {what}: {errors[0]}"
        raise PushFailed(redacted(msg))


def _why(error: Exception) -> str:
    """Say in one line what went wrong, whatever the other side sent."""
    match error:
        case HTTPError():
            with error:
                said = error.read(_MOST_SAID).decode("utf-8", "replace")
            why = f"it answered {error.code} {said}"
        case URLError():
            why = str(error.reason)
        case _:
            why = str(error) or type(error).__name__
    printable = "".join(c if c.isprintable() else " " for c in why[:_MOST_SAID])
    return " ".join(printable.split())


def _handler(
    url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes
) -> Callable[[], None]:
    """Send one request, as prometheus_client asks its handlers to do."""

    def send() -> None:
        request = Request(url, data=data, method=method, headers=dict(headers))  # noqa: S310  # see _opener
        with _opener().open(request, timeout=timeout) as reply:
            reply.read(_MOST_SAID)

    return send


def _opener() -> OpenerDirector:
    """Make what speaks HTTP and checked TLS, and nothing else: no proxies, redirects or files."""
    opener = OpenerDirector()
    for handler in (
        HTTPHandler(),
        HTTPSHandler(context=ssl.create_default_context()),
        HTTPErrorProcessor(),
        HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener
