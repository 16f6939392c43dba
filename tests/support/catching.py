"""Catches requests instead of sending them, so that those of two clients can be compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import time_machine

from janitor.wire.line import Reply

# They count boto3's own attempts.
_NOISE = {"amz-sdk-invocation-id", "amz-sdk-request"}
# Which our HTTP engine or boto3's adds by itself.
_BY_ENGINE = {"accept", "accept-encoding", "host"}


class Caught(Exception):  # noqa: N818  # it is what the test waits for
    """Carries a request out, instead of sending it."""

    def __init__(self, method: str, url: str, headers: Iterable[tuple[str, Any]]) -> None:
        super().__init__(url)
        pairs = ((n.lower(), v.decode() if isinstance(v, bytes) else v) for n, v in headers)
        kept = {name: value for name, value in pairs if name not in _NOISE | _BY_ENGINE}
        self.request = (method, url, kept)


class Catcher:
    """Stands where the wire is."""

    def send(self, method: str, url: str, headers: Iterable[str]) -> Reply:
        """Catch the request."""
        pairs = [line.partition(":")[::2] for line in headers]
        raise Caught(method, url, [(name, value.strip()) for name, value in pairs])

    def close(self) -> None:
        """Close nothing."""


def catch_from(client: Any, service: str) -> None:
    """Let a client of boto3 send nothing any more."""

    def catch(request: Any, **_: object) -> None:
        raise Caught(request.method, request.url, request.headers.items())

    client.meta.events.register_first(f"before-send.{service}", catch)


def caught(client: Any, operation: str, arguments: dict[str, Any]) -> tuple[Any, ...]:
    """Call an operation and give the request that would have been sent."""
    with time_machine.travel("2026-11-20T05:10:49Z", tick=False), pytest.raises(Caught) as found:
        getattr(client, operation)(**arguments)
    return found.value.request
