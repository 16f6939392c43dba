from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from prometheus_client import Gauge
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from structlog.testing import capture_logs
from support.website import TIMEOUT, Site, Slow, site

from janitor.service.web.scrape import Chunked, wants_gzip, wants_open_metrics

# What a Prometheus 3 sends.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.fixture(name="daemon")
def _daemon() -> Iterator[Site]:
    """Serve, impatiently."""
    with site() as made:
        made.serve()
        yield made


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gzip", True),
        ("GZip", True),
        ("deflate, gzip;q=0.5, br", True),
        ("gzip;q=1.0", True),
        ("*", True),
        ("*;q=0, gzip", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*, gzip;q=0", False),
        ("gzip;q=much", False),
        ("xgzip", False),
    ],
)
def test_gzip_is_used_where_it_is_asked_for(header: str, *, expected: bool) -> None:
    """By name or by star, unless its weight is nothing."""
    assert expected is wants_gzip(header)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (PROMETHEUS, True),
        ("application/openmetrics-text", True),
        ("", False),
        ("*/*", False),
        ("text/plain;version=0.0.4", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("application/openmetrics-text;version=0.0.1", False),
        ("application/openmetrics-text;version=new", False),
        ("text/plain;version=;=;;,,version=1", False),
    ],
)
def test_open_metrics_is_used_where_it_is_asked_for(header: str, *, expected: bool) -> None:
    """A header that makes no sense gets plain text, and no error."""
    assert expected is wants_open_metrics(header)


@pytest.mark.parametrize("accept", ["", PROMETHEUS])
def test_a_zipped_scrape_is_the_same_scrape(daemon: Site, accept: str) -> None:
    """And says that it is zipped, and what it depends on."""
    gauge = Gauge("filler", "Ten thousand series.", ["name"], registry=daemon.registry)
    for number in range(10_000):
        gauge.labels(f"container-{number}").set(number)
    plain, text = daemon.ask("/metrics", Accept=accept)
    with closing(daemon.connection()) as connection:
        headers = {"Accept": accept, "Accept-Encoding": "gzip"}
        connection.request("GET", "/metrics", headers=headers)
        zipped = connection.getresponse()
        body = zipped.read()

    assert (text, plain.headers["content-type"], None, "gzip", ["accept, accept-encoding"] * 2) == (
        gzip.decompress(body).decode(),
        zipped.headers["content-type"],
        plain.headers["content-encoding"],
        zipped.headers["content-encoding"],
        [plain.headers["vary"], zipped.headers["vary"]],
    )
    assert int(zipped.headers["content-length"]) == len(body) < len(text) / 5


def test_head_tells_the_length_of_what_is_zipped(daemon: Site) -> None:
    """The same as GET would send."""
    get = daemon.connection()
    with closing(get):
        get.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
        length = len(get.getresponse().read())
    head, nothing = daemon.ask("/metrics", "HEAD", accept_encoding="gzip")

    assert (str(length), "gzip", "") == (
        head.headers["content-length"],
        head.headers["content-encoding"],
        nothing,
    )


@pytest.mark.parametrize(
    ("size", "pieces"), [(0, 1), (1, 1), (65_536, 1), (65_537, 2), (131_072, 2), (200_000, 4)]
)
def test_a_large_answer_goes_out_in_pieces(size: int, pieces: int) -> None:
    """All of it, in order, and the last one says that it is the last."""
    body = bytes(number % 251 for number in range(size))
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        """Never called."""

    asyncio.run(Chunked(body)({"type": "http"}, receive, send))
    start, *rest = sent

    assert (200, body, [True] * (pieces - 1) + [False]) == (
        start["status"],
        b"".join(message["body"] for message in rest),
        [message["more_body"] for message in rest],
    )


def test_health_is_told_while_a_scrape_takes_its_time(daemon: Site) -> None:
    """However many wait for one; two are at work, and the rest share what comes next."""
    slow = Slow()
    daemon.registry.register(slow)
    with ExitStack() as stack:
        stack.callback(slow.go.set)
        lines = [stack.enter_context(closing(daemon.connection())) for _ in range(50)]
        for line in lines[:2]:
            line.request("GET", "/metrics")
            assert slow.entered.acquire(timeout=TIMEOUT)
        for line in lines[2:]:
            line.request("GET", "/metrics")
        told = [daemon.ask(path)[1] for path in ("/healthz", "/readyz")]
        begun = slow.begun
        slow.go.set()
        answers = [line.getresponse() for line in lines]
        seen = [(answer.status, asked(answer.read())) for answer in answers]

    assert (["ok\n", "ok\n"], 2, [(200, 1), (200, 2), *[(200, 3)] * 48]) == (told, begun, seen)


def asked(body: bytes) -> int:
    """Read which collection this was."""
    (value,) = [line.split()[1] for line in body.decode().splitlines() if line.startswith("asked ")]
    return int(float(value))


def test_what_breaks_is_told_in_the_log_and_nowhere_else(daemon: Site) -> None:
    """One line in the log, with the traceback; one sentence for the client."""

    class Broken(Collector):
        def describe(self) -> Iterable[Metric]:
            return ()

        def collect(self) -> Iterator[Metric]:
            msg = "the password is open sesame"
            raise RuntimeError(msg)

    daemon.registry.register(Broken())
    with capture_logs() as lines:
        response, text = daemon.ask("/metrics")
        after = daemon.ask("/healthz")[1]

    assert (500, "something broke; the log tells what\n", "nosniff", "ok\n") == (
        response.status,
        text,
        response.headers["x-content-type-options"],
        after,
    )
    assert [("error", "web.failed", "/metrics", True)] == [
        (line["log_level"], line["event"], line["path"], line["exc_info"]) for line in lines
    ]
