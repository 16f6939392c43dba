"""One request and one reply: whole, bounded in time and size, and nothing that nobody asked for."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import certifi
import pytest
import trustme
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from support.in_fibers import WireInFibers, in_fiber
from support.raw_server import hang_up, raw_server, send_and_hang_up
from support.relay import tls_relay

from janitor import fibers
from janitor.errors import Refused
from janitor.wire.http import Wire
from janitor.wire.line import Reply, Way

CA = certifi.where()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-One: 1\r\n\r\nok"
GONE = b"HTTP/1.1 204 No Content\r\n\r\n"
# Generous, so that a busy machine is not mistaken for a silent server.
WAY = Way(CA, {}, connect_timeout=10, read_timeout=10)
# As Linux shows them in /proc/net/tcp.
ESTABLISHED, CLOSE_WAIT = "01", "08"
MakeWire = Callable[..., Wire]


def allow_all(_method: str, _url: str) -> None:
    """Allow everything."""


@pytest.fixture(params=[Wire, WireInFibers], ids=["threads", "fibers"])
def make_wire(request: pytest.FixtureRequest) -> Iterator[MakeWire]:
    """Make wires, for threads and for fibers, and close them."""
    made: list[Wire] = []

    def make(way: Way = WAY, guard: Callable[[str, str], object] = allow_all) -> Wire:
        made.append(request.param(way, guard))
        return made[-1]

    yield make
    for wire in made:
        wire.close()
        if isinstance(wire, WireInFibers):
            wire.hub.close()


@pytest.fixture
def wire(make_wire: MakeWire) -> Wire:
    """Give a wire without any proxy."""
    return make_wire()


def closed_port() -> int:
    """Give a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return int(port)


def test_a_reply_is_taken_whole(wire: Wire) -> None:
    """Status, headers in lower case, and body."""
    with raw_server(OK) as server:
        reply = wire.send("GET", f"{server.url}/", [])

    assert Reply(200, {"content-length": "2", "x-one": "1"}, b"ok", whole=True) == reply


def test_a_request_has_our_headers_and_no_others(wire: Wire) -> None:
    """No user agent, no `Accept`, no `Expect` of the library's own."""
    with raw_server(GONE) as server:
        headers = ["Host: bucket.example", "User-Agent: us", "Accept:", "Content-Length: 0"]
        wire.send("DELETE", f"{server.url}/a/../b//%2F%2E?uploadId=1&x=%20", headers)

    assert [
        "DELETE /a/../b//%2F%2E?uploadId=1&x=%20 HTTP/1.1",
        "Host: bucket.example",
        "User-Agent: us",
        "Content-Length: 0",
        "",
        "",
    ] == server.lines()


def test_connections_are_used_again(wire: Wire) -> None:
    """One after the other, requests of any method need one connection."""
    with raw_server(OK, GONE, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", OK) as server:
        methods = ["GET", "DELETE", "HEAD", "GET"]
        statuses = [wire.send(method, f"{server.url}/", []).status for method in methods]

    assert [200, 204, 200, 200] == statuses
    assert methods == [head.split(b" ")[0].decode() for head in server.heard]
    assert 1 == server.connections


def test_a_lost_reply_is_not_asked_for_again(wire: Wire) -> None:
    """The library would send it twice if its connection died; that is not for it to decide."""
    with raw_server(GONE, hang_up) as server:
        wire.send("DELETE", f"{server.url}/a?uploadId=1", [])
        with pytest.raises(ConnectionClosedError):
            wire.send("DELETE", f"{server.url}/b?uploadId=2", [])

    assert [b"DELETE /a?", b"DELETE /b?"] == [head[:10] for head in server.heard]


def test_a_connection_that_the_server_closed_is_noticed(wire: Wire) -> None:
    """Closed while it was idle: the next request takes a new one, and nothing fails."""
    with raw_server(send_and_hang_up(OK), OK) as server:
        statuses = [wire.send("GET", f"{server.url}/", []).status]
        deadline = time.monotonic() + 10
        while not connections_to({server.port}, CLOSE_WAIT) and time.monotonic() < deadline:
            time.sleep(0.001)  # polled, not hoped for
        statuses.append(wire.send("GET", f"{server.url}/", []).status)

    assert [200, 200] == statuses
    assert (2, 2) == (server.connections, len(server.heard))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_reply(wire: Wire, status: int) -> None:
    """Nobody is sent elsewhere with our signature."""
    with raw_server(OK) as other:
        reply = f"HTTP/1.1 {status} Moved\r\nLocation: {other.url}/\r\nContent-Length: 0\r\n\r\n"
        with raw_server(reply.encode()) as server:
            found = wire.send("GET", f"{server.url}/", [])

    assert (status, f"{other.url}/") == (found.status, found.headers["location"])
    assert [] == other.heard


def test_nothing_comes_from_the_users_files_and_environment(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No netrc, no proxies, no cookies."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    cookie = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
    with raw_server(cookie) as server:
        for _ in range(2):
            wire.send("GET", f"{server.url}/", ["Accept:", "User-Agent:"])

    assert ["GET / HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "", ""] == server.lines()


@pytest.mark.parametrize(
    ("reply", "body", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", b"ab", False),
        (b"HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nab", b"ab", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabcde", b"ab", True),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", b"abc", True),
        (b"HTTP/1.0 200 OK\r\n\r\nabc", b"abc", True),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            b"abc",
            True,
        ),
        (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", b"a", True),
    ],
    ids=["short", "short error", "too long", "to the end", "1.0", "chunked", "no reason"],
)
def test_a_body_is_what_was_sent_of_it(wire: Wire, reply: bytes, body: bytes, whole: bool) -> None:  # noqa: FBT001  # a table
    """One that is shorter than announced is marked; whoever knows the status decides."""
    with raw_server(send_and_hang_up(reply)) as server:
        found = wire.send("GET", f"{server.url}/", [])

    assert (body, whole) == (found.body, found.whole)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"<html>an old server</html>",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
    ids=["nothing", "cut chunk", "no chunk", "cut head", "HTTP/0.9", "not HTTP"],
)
def test_what_is_no_reply_is_a_broken_connection(wire: Wire, reply: bytes) -> None:
    """Half a head, half a chunk, and what is not HTTP/1."""
    with raw_server(send_and_hang_up(reply)) as server, pytest.raises(HTTPClientError):
        wire.send("GET", f"{server.url}/", [])

    assert 1 == len(server.heard)


def test_a_204_with_a_body_does_not_answer_the_next_request(wire: Wire) -> None:
    """What follows a reply without a body is nobody's reply."""
    smuggled = GONE + b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"
    with raw_server(smuggled, OK) as server:
        first = wire.send("DELETE", f"{server.url}/?uploadId=1", [])
        second = wire.send("GET", f"{server.url}/", [])

    assert (204, b"") == (first.status, first.body)
    assert (200, b"ok") == (second.status, second.body)


def test_interim_replies_are_not_the_reply(wire: Wire) -> None:
    """100 and 103 go before it, and their headers are not its headers."""
    early = b"HTTP/1.1 100 Continue\r\nX-One: early\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n"
    with raw_server(early + OK) as server:
        reply = wire.send("GET", f"{server.url}/", [])

    assert (200, {"content-length": "2", "x-one": "1"}) == (reply.status, reply.headers)


def test_trailers_are_not_headers(wire: Wire) -> None:
    """What comes behind a chunked body changes nothing that was said before it."""
    chunks = b"3\r\nabc\r\n0\r\nDate: never\r\nX-Late: 1\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nDate: now\r\nTransfer-Encoding: chunked\r\n\r\n"
    with raw_server(head + chunks) as server:
        reply = wire.send("GET", f"{server.url}/", [])

    assert {"date": "now", "transfer-encoding": "chunked"} == reply.headers


def test_repeated_and_odd_headers_are_read(wire: Wire) -> None:
    """Values are joined by commas, spaces around them are gone, other bytes are latin-1."""
    head = (
        b"HTTP/1.1 200 OK\r\nA:  1 \r\na: 2\r\nB:\r\nC: \xe9\r\nD: x:y\r\nContent-Length: 0\r\n\r\n"
    )
    with raw_server(head) as server:
        reply = wire.send("GET", f"{server.url}/", [])

    assert {"a": "1, 2", "b": "", "c": "\xe9", "d": "x:y", "content-length": "0"} == reply.headers


def test_nothing_is_decoded(wire: Wire) -> None:
    """A body in gzip, which nobody asked for, is bytes that no parser takes for XML."""
    reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08"
    with raw_server(reply) as server:
        found = wire.send("GET", f"{server.url}/", ["Accept-Encoding: identity"])

    assert b"\x1f\x8b\x08" == found.body


@pytest.mark.parametrize("announced", [True, False])
def test_a_reply_without_end_is_broken_off(make_wire: MakeWire, announced: bool) -> None:  # noqa: FBT001  # a table
    """More bytes than any page has are refused, whether they were announced or not."""

    def flood(connection: socket.socket, _request: bytes) -> None:
        length = "Content-Length: 100000000000\r\n" if announced else ""
        connection.sendall(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode())
        while True:
            connection.sendall(b"x" * 65536)

    wire = make_wire(Way(CA, {}, 10, 10, largest=1_000_000))
    with raw_server(flood) as server, pytest.raises(HTTPClientError):
        wire.send("GET", f"{server.url}/", [])


def test_headers_without_end_are_refused(wire: Wire) -> None:
    """Neither a thousand of them nor one of a megabyte."""
    many = "".join(f"X-{number}: 1\r\n" for number in range(1000))
    long = f"X: {'y' * 1_000_000}\r\n"
    for headers in (many, long):
        reply = f"HTTP/1.1 200 OK\r\n{headers}Content-Length: 0\r\n\r\n".encode()
        with raw_server(send_and_hang_up(reply)) as server, pytest.raises(HTTPClientError):
            wire.send("GET", f"{server.url}/", [])


def test_silence_is_a_read_timeout(make_wire: MakeWire) -> None:
    """A server that takes the request and says nothing is left."""
    done = threading.Event()
    wire = make_wire(Way(CA, {}, connect_timeout=60, read_timeout=1))
    with raw_server(lambda *_: done.wait(30)) as server:
        with pytest.raises(ReadTimeoutError):
            wire.send("GET", f"{server.url}/", [])
        done.set()


def test_silence_in_a_body_is_a_read_timeout(make_wire: MakeWire) -> None:
    """Half a page and then nothing is no better."""
    done = threading.Event()

    def half(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        done.wait(30)

    wire = make_wire(Way(CA, {}, connect_timeout=60, read_timeout=1))
    with raw_server(half) as server:
        with pytest.raises(ReadTimeoutError):
            wire.send("GET", f"{server.url}/", [])
        done.set()


def left_dripping(wire: Wire) -> tuple[str, float]:
    """Ask a server that is never silent for long and never done; why it was left, and when."""
    done = threading.Event()

    def drip(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not done.wait(0.05):
            connection.sendall(b"x")

    with raw_server(drip) as server:
        began = time.monotonic()
        with pytest.raises((ConnectTimeoutError, ReadTimeoutError)) as told:
            wire.send("GET", f"{server.url}/", [])
        took = time.monotonic() - began
        done.set()
    return told.value.kwargs["error"], took


def test_a_dripping_server_is_left(make_wire: MakeWire) -> None:
    """Never silent for long, never done: three times the patience for silence is all it gets."""
    for patience in (0.5, 1, 2, 4, 8):
        wire = make_wire(Way(CA, {}, connect_timeout=patience, read_timeout=patience))
        told, took = left_dripping(wire)
        # A machine that is busy enough does make a server silent: then with more patience.
        if "bytes received" in told:
            break

    assert told.startswith("Operation timed out after")
    # Not before its time; how late is up to the machine.
    assert took >= 3.9 * patience


def test_nobody_there_is_told(wire: Wire) -> None:
    """A closed port and a name that does not exist."""
    for url in (f"http://127.0.0.1:{closed_port()}/", "http://does-not-exist.invalid/"):
        with pytest.raises(EndpointConnectionError):
            wire.send("GET", url, [])


def test_a_server_that_does_not_accept_is_a_connect_timeout(make_wire: MakeWire) -> None:
    """Its queue is full, so that the connection never comes to be."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        where = listener.getsockname()
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)  # noqa: FBT003  # it takes no name
            one.connect_ex(where)
        wire = make_wire(Way(CA, {}, connect_timeout=0.5, read_timeout=60))
        with pytest.raises(ConnectTimeoutError):
            wire.send("GET", f"http://127.0.0.1:{where[1]}/", [])
        for one in waiting:
            one.close()


def test_ipv6_works(wire: Wire) -> None:
    """An address in brackets is an address."""
    with raw_server(OK, host="::1") as server:
        assert 200 == wire.send("GET", f"{server.url}/", []).status


def test_a_proxy_is_asked_with_the_whole_address(make_wire: MakeWire) -> None:
    """Plain http: the request line has the URL, and the proxy its own credentials."""
    with raw_server(OK) as proxy:
        url = proxy.url.replace("://", "://me:p%40ss@")
        wire = make_wire(Way(CA, {"http": url}, 10, 10))
        wire.send("GET", "http://bucket.example/a/../b?uploads", ["Host: bucket.example"])
        lines = proxy.lines()

    assert "GET http://bucket.example/a/../b?uploads HTTP/1.1" == lines[0]
    assert "Proxy-Authorization: Basic bWU6cEBzcw==" in lines
    assert [] == [line for line in lines if line.startswith("Authorization")]


def test_a_proxy_of_another_scheme_is_not_asked(make_wire: MakeWire) -> None:
    """Which is what the environment can say."""
    with raw_server(OK) as server:
        wire = make_wire(Way(CA, {"https": "http://127.0.0.1:9"}, 10, 10))

        assert 200 == wire.send("GET", f"{server.url}/", []).status


def test_a_tunnel_does_not_show_our_request(make_wire: MakeWire) -> None:
    """With TLS the proxy learns the host and its own credentials; if it refuses, that is told."""
    refusal = b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"
    with raw_server(refusal) as proxy:
        url = proxy.url.replace("://", "://me:secret@")
        wire = make_wire(Way(CA, {"https": url}, 10, 10))
        with pytest.raises(ProxyConnectionError):
            wire.send("GET", "https://bucket.example/key", ["Authorization: AWS4 ours"])
        head = proxy.heard[0]

    assert head.startswith(b"CONNECT bucket.example:443 HTTP/1.1\r\n")
    assert b"AWS4" not in head


def test_a_proxy_that_is_away_is_told_without_its_password(make_wire: MakeWire) -> None:
    """Its URL goes into a message, and its password must not."""
    wire = make_wire(Way(CA, {"http": f"http://me:secret@127.0.0.1:{closed_port()}"}, 10, 10))
    with pytest.raises(ProxyConnectionError) as told:
        wire.send("GET", "http://bucket.example/", [])

    assert "secret" not in str(told.value)


def test_a_guard_sees_what_would_be_sent(make_wire: MakeWire) -> None:
    """It is asked about method and URL, and what it raises stops the request."""
    seen = []

    def guard(method: str, url: str) -> None:
        seen.append((method, url))
        message = "no"
        raise Refused(message)

    with raw_server(OK) as server:
        url = f"{server.url}/key?uploadId=1"
        with pytest.raises(Refused):
            make_wire(guard=guard).send("DELETE", url, [])

    assert [("DELETE", url)] == seen
    assert (0, []) == (server.connections, server.heard)


@pytest.mark.parametrize("odd", [" ", "\n", "#", "é", "\\", "{", "\x7f", "\x00", '"'])
def test_an_address_that_is_not_encoded_is_refused(wire: Wire, odd: str) -> None:
    """Two parsers could read it in two ways: a guard's and the library's."""
    with raw_server(OK) as server, pytest.raises(Refused):
        wire.send("GET", f"{server.url}/a{odd}b", [])

    assert [] == server.heard


def test_a_header_cannot_bring_another(wire: Wire) -> None:
    """Nothing that ends a line goes into one."""
    with raw_server(OK) as server, pytest.raises(Refused):
        wire.send("GET", f"{server.url}/", ["X-Token: a\r\nX-Other: b"])

    assert [] == server.heard


@pytest.mark.parametrize("scheme", ["ftp", "file", "gopher", "telnet"])
def test_there_is_no_protocol_but_http(wire: Wire, scheme: str) -> None:
    """Whatever else the library speaks."""
    with pytest.raises((HTTPClientError, Refused)):
        wire.send("GET", f"{scheme}://127.0.0.1:{closed_port()}/etc/passwd", [])


def echo(connection: socket.socket, request: bytes) -> None:
    """Send the path back."""
    path = request.split(b" ")[1]
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(path)}\r\n\r\n".encode()
    connection.sendall(head + path)


def test_many_threads_do_not_mix_up_their_replies(wire: Wire) -> None:
    """Each gets the reply to its own request, over no more connections than threads."""
    threads = 16
    with raw_server(echo) as server, ThreadPoolExecutor(threads) as pool:
        paths = [f"/{number}" for number in range(400)]
        bodies = pool.map(lambda path: wire.send("GET", server.url + path, []).body.decode(), paths)

        assert paths == list(bodies)
        assert threads >= server.connections


def test_idle_connections_are_bounded(make_wire: MakeWire) -> None:
    """However many hosts there are; and all end with the wire, those in use when they are done."""
    wire = make_wire(Way(CA, {}, 10, 10, connections=3))
    before = open_sockets()
    with ExitStack() as stack:
        servers = [stack.enter_context(raw_server(echo)) for _ in range(8)]
        for _ in range(3):
            for server in servers:
                wire.send("GET", f"{server.url}/", [])
        idle = connections_to({server.port for server in servers})
        wire.close()
        left = connections_to({server.port for server in servers})
        late = wire.send("GET", f"{servers[0].url}/late", [])
        afterwards = connections_to({server.port for server in servers})

    assert (True, 0, 0) == (idle <= 3, left, afterwards)
    assert b"/late" == late.body
    assert open_sockets() <= before


def open_sockets() -> int:
    """Count the sockets of this process."""
    return sum(path.is_socket() for path in Path("/proc/self/fd").iterdir())


def connections_to(ports: set[int], state: str = ESTABLISHED) -> int:
    """Count the connections of this machine to some of its ports."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(row[2].split(":")[1], 16) in ports and row[3] == state for row in rows)


def test_a_signal_is_handled_while_the_main_thread_waits(wire: Wire) -> None:
    """A handler that raises ends the request at once, as it would with any other library."""
    done = threading.Event()

    def interrupt(_connection: socket.socket, _request: bytes) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        done.wait(30)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, stop)
    with raw_server(interrupt) as server:
        with pytest.raises(KeyboardInterrupt):
            wire.send("GET", f"{server.url}/", [])
        done.set()
    signal.signal(signal.SIGUSR1, before)


def test_an_unknown_authority_is_refused(make_wire: MakeWire, tmp_path: Path) -> None:
    """TLS is checked: who signed, and for which name; old versions are not spoken."""
    authority = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with raw_server(OK) as server:
        good, bad = authority.issue_cert("localhost"), authority.issue_cert("elsewhere.example")
        with tls_relay(server.url, good) as port, tls_relay(server.url, bad) as other:
            trusting = make_wire(Way(str(ca_file), {}, 10, 10))
            reply = trusting.send("GET", f"https://localhost:{port}/", [])
            for wire, where in ((make_wire(), port), (trusting, other)):
                with pytest.raises(SSLError):
                    wire.send("GET", f"https://localhost:{where}/", [])
            trusting.close()
        heard = len(server.heard)

    assert (200, 1) == (reply.status, heard)


def test_a_wire_outlives_a_hub() -> None:
    """Lines that belong to a hub that has ended are closed, and not waited for."""
    wire = WireInFibers(WAY, allow_all)
    with raw_server(echo) as server:
        first = wire.send("GET", f"{server.url}/1", []).body
        wire.hub.close()
        wire.hub = fibers.Hub()
        second = wire.send("GET", f"{server.url}/2", []).body
        wire.hub.close()
        wire.close()

        assert (b"/1", b"/2", 2) == (first, second, server.connections)


def test_many_requests_wait_in_one_thread() -> None:
    """A server that takes its time holds up none of them."""
    together = 200
    come: list[None] = []
    all_have_come = threading.Event()

    def late(connection: socket.socket, request: bytes) -> None:
        come.append(None)
        if len(come) == together:
            all_have_come.set()
        all_have_come.wait(30)
        echo(connection, request)

    hub, wire = fibers.Hub(), Wire(WAY, allow_all)
    with raw_server(late) as server:
        told = [
            in_fiber(hub, lambda path=path: wire.send("GET", f"{server.url}{path}", []).body)  # type: ignore[misc]
            for path in [f"/{number}" for number in range(together)]
        ]
        bodies = [each.result(30) for each in told]
        hub.close()
        wire.close()

    assert [f"/{number}".encode() for number in range(together)] == bodies


def test_what_nobody_closed_is_closed_in_order() -> None:
    """Handles that were forgotten are not left to the collector, which would crash with them."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(  # ourselves
        [sys.executable, "-m", "support.left_open"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (0, "survived\n") == (ended.returncode, ended.stdout), ended.stderr
