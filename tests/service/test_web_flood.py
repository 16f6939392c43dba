from __future__ import annotations

import resource
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from prometheus_client import Gauge
from support.website import TIMEOUT, Site, hung_up, secured, site, still_open

from janitor.service.web import Bounds

IDLE = 500
SLOW = 50
# Beyond 32 the longest has to leave, which on a starved machine could be the one who asks.
DEAF = 25
# Nobody is sent away for being slow while a test runs.
PATIENT = Bounds(header=300, idle=300, write=300)
SHORT = Bounds(header=2, idle=2, write=2)
ASKING = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
PART = b"GET /metrics HTTP/1.1\r\nX-Slow: "

Serve = Callable[[Bounds], AbstractContextManager[Site]]


@pytest.fixture(autouse=True)
def _many_files() -> Iterator[None]:
    """Both ends of each connection are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8 * IDLE
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this process may open {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(name="serve", params=["plain", "tls"])
def _serve(request: pytest.FixtureRequest, tmp_path: Path) -> Serve:
    """Serve without and with TLS."""
    if request.param == "plain":
        return lambda bounds: site(bounds=bounds)
    return lambda bounds: secured(tmp_path, bounds)


def many_series(made: Site, series: int) -> None:
    """Give a scrape more than what the kernel takes for a client that does not read."""
    gauge = Gauge("filler", "Large enough.", ["name"], registry=made.registry)
    for number in range(series):
        gauge.labels(f"{number:0100}").set(number)


def reader_that_does_not(made: Site) -> socket.socket:
    """Ask for the metrics, with as little room for them as the kernel allows."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.settimeout(TIMEOUT)
    line.connect(("127.0.0.1", made.port))
    if made.trust is not None:
        line = made.trust.wrap_socket(line, server_hostname="127.0.0.1")
    line.sendall(ASKING)
    return line


@contextmanager
def trickling(lines: list[socket.socket]) -> Iterator[None]:
    """Send one byte of a header on each line, again and again."""
    enough = threading.Event()

    def drip() -> None:
        left = list(lines)
        while left and not enough.wait(0.2):
            left = [line for line in left if sent(line)]

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def sent(line: socket.socket) -> bool:
    """Send a byte; False if nobody takes it any more."""
    try:
        line.sendall(b"x")
    except OSError:
        return False
    return True


def test_500_silent_and_100_slow_clients_delay_nobody(serve: Serve) -> None:
    """Scrapes and health checks are answered while all of them stay connected."""
    with serve(PATIENT) as made, ExitStack() as stack:
        made.serve()
        many_series(made, 5000)
        idle = [stack.enter_context(made.line()) for _ in range(IDLE)]
        slow = [stack.enter_context(made.line()) for _ in range(SLOW)]
        for line in slow:
            line.sendall(PART)
        for _ in range(DEAF):
            stack.enter_context(reader_that_does_not(made))
        with trickling(slow):
            seen = [made.ask(path)[0].status for path in 3 * ["/healthz", "/metrics", "/readyz"]]
        held = sum(still_open(line) for line in [*idle, *slow])

    assert ([200] * 9, IDLE + SLOW) == (seen, held)


def test_silent_and_slow_clients_are_hung_up_on(serve: Serve) -> None:
    """Whether they say nothing, a byte now and then, or do not read."""
    with serve(SHORT) as made, ExitStack() as stack:
        many_series(made, 5000)
        idle = [stack.enter_context(made.line()) for _ in range(IDLE)]
        slow = [stack.enter_context(made.line()) for _ in range(SLOW)]
        for line in slow:
            line.sendall(PART)
        deaf = [stack.enter_context(reader_that_does_not(made)) for _ in range(SLOW)]
        with trickling(slow):
            left = [line for line in [*idle, *slow] if not hung_up(line)]
        wait_until_reset(deaf, SLOW)

    assert left == []


def test_who_does_not_even_begin_tls_is_hung_up_on(tmp_path: Path) -> None:
    """500 of them delay nobody, and none of them stays."""
    with secured(tmp_path, SHORT) as made, ExitStack() as stack:
        made.serve()
        address = ("127.0.0.1", made.port)
        silent = [
            stack.enter_context(socket.create_connection(address, timeout=TIMEOUT))
            for _ in range(IDLE)
        ]
        seen = made.ask("/healthz")[0].status
        left = [line for line in silent if not hung_up(line)]

    assert (200, []) == (seen, left)


def test_for_one_more_than_fit_in_the_longest_silent_leaves(serve: Serve) -> None:
    """Not somebody who asks, nor somebody who was answered and may ask again."""
    with (
        serve(Bounds(header=300, idle=300, write=300, connections=20)) as made,
        ExitStack() as stack,
    ):
        made.serve()
        known = stack.enter_context(closing(made.connection()))
        known.request("GET", "/healthz")
        first = known.getresponse().read()
        silent = [stack.enter_context(made.line()) for _ in range(30)]
        told = made.ask("/healthz")[1]
        known.request("GET", "/healthz")
        second = known.getresponse().read()
        gone = [hung_up(line) for line in silent[:12]]
        there = [still_open(line) for line in silent[12:]]

    assert (b"ok\n", "ok\n", b"ok\n", [True] * 12, [True] * 18) == (
        first,
        told,
        second,
        gone,
        there,
    )


def test_who_has_left_takes_no_place(serve: Serve) -> None:
    """However many came and went, who is idle may stay."""
    with (
        serve(Bounds(header=300, idle=300, write=300, connections=5)) as made,
        ExitStack() as stack,
    ):
        made.serve()
        known = stack.enter_context(closing(made.connection()))
        known.request("GET", "/healthz")
        first = known.getresponse().read()
        stay = known.sock
        for _ in range(20):
            made.ask("/healthz")
        known.request("GET", "/healthz")
        second = known.getresponse().read()
        stay = known.sock if known.sock is stay else None

    assert (b"ok\n", b"ok\n", True) == (first, second, stay is not None)


def test_of_many_who_do_not_read_the_longest_leave(serve: Serve) -> None:
    """Each holds an answer in memory, so few of them may."""
    with serve(Bounds(header=300, idle=300, write=300, blocked=3)) as made, ExitStack() as stack:
        many_series(made, 5000)
        deaf = [stack.enter_context(reader_that_does_not(made)) for _ in range(10)]
        wait_until_reset(deaf, 7)
        seen = sorted(whole(line) for line in deaf)

    assert [False] * 7 + [True] * 3 == seen


def wait_until_reset(lines: list[socket.socket], wanted: int) -> None:
    """Wait until so many lines are broken off, without reading from any."""
    poll = select.poll()
    for line in lines:
        poll.register(line, 0)  # of errors it tells anyway
    until = time.monotonic() + TIMEOUT
    while len(poll.poll(10)) < wanted:
        assert time.monotonic() < until


def whole(line: socket.socket) -> bool:
    """Read a whole answer; whether it came to its end."""
    said = b""
    try:
        while not said.endswith(b'filler{name="' + b"4999".rjust(100, b"0") + b'"} 4999.0\n'):
            piece = line.recv(65536)
            if not piece:
                return False
            said += piece
    except OSError:
        return False
    return True


def test_an_idle_connection_may_stay_longer_than_a_silent_one(serve: Serve) -> None:
    """Prometheus comes back after its interval; who never asked has no such right."""
    with serve(Bounds(header=0.5, idle=300)) as made, ExitStack() as stack:
        made.serve()
        known = stack.enter_context(closing(made.connection()))
        known.request("GET", "/healthz")
        first = known.getresponse().read()
        silent = hung_up(stack.enter_context(made.line()))
        sock = known.sock
        known.request("GET", "/healthz")
        second = known.getresponse().read()

    assert (b"ok\n", True, b"ok\n", True) == (first, silent, second, known.sock in (sock, None))


def test_who_begins_a_second_request_must_finish_it(serve: Serve) -> None:
    """An idle connection that sends half a header is not idle any more."""
    with serve(Bounds(header=0.5, idle=300)) as made, made.line() as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + PART)

        assert hung_up(line)


def test_pipelined_requests_are_all_answered(serve: Serve) -> None:
    """However many come at once, each gets its answer, in order."""
    with serve(SHORT) as made:
        made.serve()
        said = made.talk(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 200)

    assert 200 == said.count(b"\r\n\r\nok\n")


def test_the_end_waits_a_moment_only_for_who_does_not_read(serve: Serve) -> None:
    """Then it is broken off, and nothing stays open."""
    with ExitStack() as stack:
        with serve(PATIENT) as made:
            many_series(made, 5000)
            deaf = [stack.enter_context(reader_that_does_not(made)) for _ in range(3)]
            # Answered after them, so they are being answered.
            made.ask("/metrics")
        wait_until_reset(deaf, 3)

        assert not made.web.alive
