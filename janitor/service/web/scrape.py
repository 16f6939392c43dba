"""One scrape: which format and coding the client wants, and the bytes."""

from __future__ import annotations

import gzip

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

# Metrics repeat themselves: the first level makes them a tenth already.
_LEVEL = 1
_SMALLEST_ZIPPED = 1024
_CHUNK = 64 * 1024
_OPEN_METRICS = "application/openmetrics-text"


class Chunked(Response):
    """A response that hands over its body in pieces.

    A client that does not read then costs the server no second copy, and is
    noticed while there is still something to send.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # as ASGI has it
        """Send the header, then piece after piece."""
        head = {"type": "http.response.start", "status": self.status_code}
        await send({**head, "headers": self.raw_headers})
        body = memoryview(self.body)
        for start in range(0, max(len(body), 1), _CHUNK):
            more = start + _CHUNK < len(body)
            piece = bytes(body[start : start + _CHUNK])
            await send({"type": "http.response.body", "body": piece, "more_body": more})


def scrape(registry: CollectorRegistry, *, open_metrics: bool, zipped: bool) -> Response:
    """Collect and encode once."""
    encode, content_type = choose_encoder(_OPEN_METRICS if open_metrics else "")
    body = encode(registry)
    headers = {"content-type": content_type, "vary": "accept, accept-encoding"}
    if zipped and len(body) >= _SMALLEST_ZIPPED:
        body = gzip.compress(body, _LEVEL, mtime=0)
        headers["content-encoding"] = "gzip"
    return Chunked(body, headers=headers)


def wants_open_metrics(accept: str) -> bool:
    """Whether the header names a version of OpenMetrics that there is before any plain text."""
    try:
        _, content_type = choose_encoder(accept)
    except (TypeError, ValueError):
        return False  # a version that is no number
    return content_type.startswith(_OPEN_METRICS)


def wants_gzip(accept_encoding: str) -> bool:
    """Whether the header names gzip (or anything, by `*`) and does not weigh it with 0."""
    weights: dict[str, float] = {}
    for each in accept_encoding.lower().split(","):
        coding, _, parameter = each.partition(";")
        weights[coding.strip()] = _weight(parameter)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
