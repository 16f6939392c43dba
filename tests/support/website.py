"""What the daemon serves, on a free port, with a daemon behind it that does what a test says."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path

import trustme
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from janitor.observe.metrics import Metrics
from janitor.service.health import Health
from janitor.service.web import Bounds, Web, application
from janitor.settings.types import Http, Tls, User

# A guard against hanging, not a measurement.
TIMEOUT = 30
# Nobody is waited for longer than a test can bear.
IMPATIENT = Bounds(header=1, idle=1, write=1)


class Site:
    """A web server, and what a test can say of the daemon behind it."""

    def __init__(self, http: Http) -> None:
        self.http = replace(http, port=0)
        self.alive = True
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry, "report")
        self.health = Health(timedelta(hours=6))
        self.facts: Mapping[str, str] = {}
        self.config = "mode: report\n"
        self.users: Sequence[User] = http.users
        self.trust: ssl.SSLContext | None = None
        self.web: Web

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.web.url.rpartition(":")[2])

    def serve(self) -> None:
        """Let the schedule be known and watched."""
        self.health.serving(lambda: self.alive, lambda: timedelta(hours=1))

    def connection(self) -> HTTPConnection:
        """Give a client's connection, with TLS if there is somebody to trust."""
        if self.trust is None:
            return HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        return HTTPSConnection("127.0.0.1", self.port, timeout=TIMEOUT, context=self.trust)

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[HTTPResponse, str]:
        """Make one request over a connection of its own; `_` in a header's name is a dash."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(self.connection()) as connection:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return response, response.read().decode()

    def line(self) -> socket.socket:
        """Connect, and say nothing yet; a TLS handshake is made if there is somebody to trust."""
        line = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)
        if self.trust is None:
            return line
        return self.trust.wrap_socket(line, server_hostname="127.0.0.1")

    def talk(self, said: bytes) -> bytes:
        """Say something and give all that comes back until the other side hangs up."""
        with self.line() as line:
            line.sendall(said)
            return b"".join(iter(lambda: line.recv(65536), b""))


class Authority:
    """A certificate authority that issues into a directory, and the client's side of TLS."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ca = trustme.CA()
        self.path = str(directory / f"{id(self)}-ca.pem")
        self._ca.cert_pem.write_to_path(self.path)

    def issue(self, name: str, host: str = "127.0.0.1") -> tuple[str, str]:
        """Write a certificate and its key, and give their paths; what was there is replaced."""
        issued = self._ca.issue_cert(host)
        cert, key = (str(self._directory / f"{name}.{kind}") for kind in ("pem", "key"))
        issued.cert_chain_pems[0].write_to_path(cert)
        issued.private_key_pem.write_to_path(key)
        return cert, key

    def client(self, mine: tuple[str, str] | None = None) -> ssl.SSLContext:
        """Give a client's context that trusts this authority, and may bring a certificate."""
        context = ssl.create_default_context(cafile=self.path)
        if mine is not None:
            context.load_cert_chain(*mine)
        return context


class Slow(Collector):
    """Collects when it is told to, and counts how often it was asked."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.entered = threading.Semaphore(0)
        self.begun = 0
        self._lock = threading.Lock()

    def describe(self) -> Iterable[Metric]:
        """Say nothing: who registers must not wait."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Wait, and tell how often this was asked."""
        with self._lock:
            self.begun += 1
            number = self.begun
        self.entered.release()
        self.go.wait(TIMEOUT)
        yield GaugeMetricFamily("asked", "Which collection this is.", value=number)


@contextmanager
def secured(
    directory: Path, bounds: Bounds = IMPATIENT, http: Http | None = None
) -> Iterator[Site]:
    """Serve by TLS, with a client that trusts it."""
    authority = Authority(directory)
    tls = Tls(*authority.issue("server"))
    with site(replace(http or Http(), tls=tls), bounds) as made:
        made.trust = authority.client()
        yield made


@contextmanager
def site(http: Http | None = None, bounds: Bounds = IMPATIENT) -> Iterator[Site]:
    """Serve on a free port of the loopback address."""
    made = Site(http or Http())
    app = application(
        made.registry,
        made.health,
        config=lambda: made.config,
        landing=lambda: made.facts,
        users=lambda: made.users,
    )
    with Web(app, made.http, bounds=bounds) as made.web:
        yield made


def still_open(line: socket.socket) -> bool:
    """Whether the other side has neither hung up nor said anything."""
    line.setblocking(False)  # noqa: FBT003  # as the socket module has it
    try:
        return line.recv(1) != b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    finally:
        line.settimeout(TIMEOUT)


def hung_up(line: socket.socket) -> bool:
    """Read until the other side hangs up, in whatever way; a guard ends the wait."""
    try:
        while line.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True
