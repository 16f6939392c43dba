from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from http.client import HTTPConnection

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector
from support.website import TIMEOUT, Site, site

from janitor.errors import JanitorError
from janitor.service.health import Health
from janitor.service.web import Web, application
from janitor.settings.types import Http

PATHS = ("/", "/metrics", "/config", "/-/healthy", "/healthz", "/-/ready", "/readyz")


@pytest.fixture(name="daemon")
def _daemon() -> Iterator[Site]:
    """Serve on a free port of the loopback address, impatiently."""
    with site() as made:
        yield made


def test_metrics_are_plain_text_unless_asked_otherwise(daemon: Site) -> None:
    """The format that every Prometheus reads, with our metrics in it."""
    response, text = daemon.ask("/metrics")

    assert (200, "text/plain; version=0.0.4; charset=utf-8", True) == (
        response.status,
        response.headers["content-type"],
        "\njanitor_sweeps_total 0.0\n" in text,
    )


def test_metrics_are_open_metrics_for_who_asks(daemon: Site) -> None:
    """Prometheus asks by its Accept header."""
    accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
    response, text = daemon.ask("/metrics", accept=accept)

    assert (200, True, True) == (
        response.status,
        response.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0"),
        text.endswith("# EOF\n"),
    )


@pytest.mark.parametrize("path", ["/-/ready", "/readyz"])
def test_ready_is_said_only_while_serving(daemon: Site, path: str) -> None:
    """Before and after, 503 comes with a reason."""
    before = daemon.ask(path)
    daemon.serve()
    meanwhile = daemon.ask(path)
    daemon.health.stopping()
    after = daemon.ask(path)

    assert [
        (503, "the daemon is starting\n"),
        (200, "ok\n"),
        (503, "the daemon is stopping\n"),
    ] == [(response.status, text) for response, text in (before, meanwhile, after)]


@pytest.mark.parametrize("path", ["/-/healthy", "/healthz"])
def test_healthy_is_said_while_the_scheduler_lives(daemon: Site, path: str) -> None:
    """When it is dead, 503 comes with a reason."""
    daemon.serve()
    before = daemon.ask(path)
    daemon.alive = False
    after = daemon.ask(path)

    assert [(200, "ok\n"), (503, "the scheduler is dead\n")] == [
        (response.status, text) for response, text in (before, after)
    ]


@pytest.mark.parametrize(
    "path",
    ["/metrics/", "/-/healthy/", "/-/reload", "/-/quit", "/favicon.ico", "//", "/../", "/%2e"],
)
def test_everything_else_is_not_found(daemon: Site, path: str) -> None:
    """No path is guessed, and nothing redirects."""
    assert daemon.ask(path)[0].status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "X"])
@pytest.mark.parametrize("path", PATHS)
def test_nothing_but_reading_is_allowed(daemon: Site, path: str, method: str) -> None:
    """Other methods are refused on every path."""
    response, _ = daemon.ask(path, method)

    assert (405, {"GET", "HEAD"}) == (
        response.status,
        set(response.headers["allow"].replace(" ", "").split(",")),
    )


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_a_body(daemon: Site, path: str) -> None:
    """Same status and length, nothing to read."""
    daemon.serve()
    head, nothing = daemon.ask(path, "HEAD")
    get, text = daemon.ask(path)

    assert (get.status, str(len(text.encode())), "") == (
        head.status,
        head.headers["content-length"],
        nothing,
    )


def test_nothing_is_cached_or_guessed_and_no_server_is_named(daemon: Site) -> None:
    """The headers say as little as possible."""
    response, _ = daemon.ask("/metrics")

    assert ("no-store", "nosniff", None) == (
        response.headers["cache-control"],
        response.headers["x-content-type-options"],
        response.headers["server"],
    )


def test_a_body_is_refused(daemon: Site) -> None:
    """There is nothing to send, so nothing is read."""
    response, _ = daemon.ask("/metrics", "GET", b"x" * 1000)

    assert (413, "close") == (response.status, response.headers["connection"])


def test_a_huge_header_is_refused(daemon: Site) -> None:
    """Memory is not for strangers."""
    response, _ = daemon.ask("/metrics", cookie="x" * 60_000)

    # By the application if it came in one piece, else by the server.
    assert response.status in {400, 431}


def test_a_huge_path_is_refused(daemon: Site) -> None:
    """The same."""
    assert daemon.ask("/" + "x" * 20_000)[0].status in {400, 431}


@pytest.mark.parametrize("said", [b"", b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow"])
def test_who_does_not_finish_a_request_is_hung_up_on(daemon: Site, said: bytes) -> None:
    """A few silent connections must not keep out the health checks."""
    assert daemon.talk(said) == b""


def test_who_finishes_one_is_answered_and_then_hung_up_on(daemon: Site) -> None:
    """An idle connection is closed after its time."""
    assert daemon.talk(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").endswith(b"\r\n\r\nok\n")


def test_a_connection_may_ask_again(daemon: Site) -> None:
    """Prometheus keeps its connection from scrape to scrape."""
    with closing(daemon.connection()) as connection:
        seen = []
        for _ in range(3):
            connection.request("GET", "/healthz")
            seen.append(connection.getresponse().read())

    assert [b"ok\n"] * 3 == seen


def test_a_broken_collector_is_a_server_error_and_no_more(daemon: Site) -> None:
    """One scrape fails and says so, the next request is answered."""

    class Broken(Collector):
        def collect(self) -> Iterator[None]:  # type: ignore[override]  # broken on purpose
            raise RuntimeError

    daemon.registry.register(Broken())

    assert (500, 200) == (daemon.ask("/metrics")[0].status, daemon.ask("/healthz")[0].status)


def test_an_address_that_is_taken_is_told_clearly() -> None:
    """Before anything is started, in the words of the system."""
    app = application(CollectorRegistry(), Health(timedelta(hours=6)))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(JanitorError) as caught:
            Web(app, Http(port=port))

    assert str(caught.value) == f"cannot listen on 127.0.0.1 port {port}: Address already in use"


@pytest.mark.parametrize(("host", "port"), [("no.such.host.invalid", 0), ("127.0.0.1", 70_000)])
def test_an_address_that_is_none_is_told_clearly(host: str, port: int) -> None:
    """A name that cannot be found, a port that does not exist."""
    app = application(CollectorRegistry(), Health(timedelta(hours=6)))
    with pytest.raises(JanitorError, match=f"cannot listen on {host} port {port}: "):
        Web(app, Http(host=host, port=port))


def test_the_address_is_free_again_afterwards() -> None:
    """A restart finds it."""
    app = application(CollectorRegistry(), Health(timedelta(hours=6)))
    with Web(app, Http(port=0)) as web:
        port = int(web.url.rpartition(":")[2])
    with Web(app, Http(port=port)) as again:
        seen = again.alive

    assert (True, False) == (seen, again.alive)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_an_address_of_version_6_is_written_with_brackets() -> None:
    """So that the port can be told from the address."""
    app = application(CollectorRegistry(), Health(timedelta(hours=6)))
    with Web(app, Http(host="::1", port=0)) as web:
        port = int(web.url.rpartition(":")[2])
        with closing(HTTPConnection("::1", port, timeout=TIMEOUT)) as connection:
            connection.request("GET", "/healthz")
            seen = connection.getresponse().status

    assert (f"http://[::1]:{port}", 200) == (web.url, seen)
