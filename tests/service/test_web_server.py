from __future__ import annotations

import logging
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from support.website import TIMEOUT, Authority, Slow, secured, site, still_open

from janitor.service.web import Bounds
from janitor.service.web.listening import listen, most_connections
from janitor.settings.types import Http, Tls

PATIENT = Bounds(header=300, idle=300, write=300)


def test_an_answer_does_not_wait_for_more_to_send() -> None:
    """What is accepted sends at once: asyncio sees to it only for sockets of its own."""
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


@pytest.fixture(name="limit")
def _limit() -> Iterator[None]:
    """Put the number of files back afterwards."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("limit")
@pytest.mark.parametrize(
    ("files", "expected"), [(1024, 768), (4096, 1000), (400, 200), (1300, 1000)]
)
def test_there_are_no_more_connections_than_files(files: int, expected: int) -> None:
    """Some are left for the work; the more there are, the more."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))

    assert most_connections(1000) == expected


def test_the_end_waits_for_no_idle_client(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nor for silent ones, nor for those in a handshake; nothing is an error."""
    authority = Authority(tmp_path)
    with ExitStack() as stack, caplog.at_level(logging.ERROR):
        with site(Http(tls=Tls(*authority.issue("server"))), PATIENT) as made:
            made.serve()
            address = ("127.0.0.1", made.port)
            lines = [stack.enter_context(socket.create_connection(address)) for _ in range(3)]
            made.trust = authority.client()
            lines += [stack.enter_context(made.line()) for _ in range(3)]
            idle = stack.enter_context(closing(made.connection()))
            idle.request("GET", "/healthz")
            told = idle.getresponse().read()
        gone = [not still_open(line) for line in lines]

    assert (b"ok\n", [True] * 6, False, []) == (told, gone, made.web.alive, caplog.messages)


def test_the_end_waits_for_an_answer_that_is_on_its_way() -> None:
    """A scrape that was begun is finished after the server stopped listening."""
    slow = Slow()
    with ExitStack() as stack:
        with site() as made:
            made.registry.register(slow)
            scrape = stack.enter_context(closing(made.connection()))
            scrape.request("GET", "/metrics")
            assert slow.entered.acquire(timeout=TIMEOUT)
            threading.Thread(target=when_nobody_listens, args=(made.port, slow.go)).start()
        seen = scrape.getresponse()

    assert seen.status == 200


def when_nobody_listens(port: int, go: threading.Event) -> None:
    """Set the event once the server is about to stop."""
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until and listens(port):
        go.wait(0.05)
    go.set()


def listens(port: int) -> bool:
    """Whether a connection is accepted."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_port_scanner_is_not_worth_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is a TCP probe: it connects and hangs up, with TLS or without."""
    with caplog.at_level(logging.WARNING), secured(tmp_path) as made, site() as plain:
        made.serve()
        for port in (made.port, plain.port) * 10:
            socket.create_connection(("127.0.0.1", port)).close()
        told = made.ask("/healthz")[1]

    assert ("ok\n", []) == (told, caplog.messages)
