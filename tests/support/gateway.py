"""A real Pushgateway, and one that misbehaves as told, both on loopback."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from support.debian import program

_LISTENING = re.compile(r'msg="Listening on" address=(\S+)')


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running Pushgateway."""

    url: str

    def exposition(self) -> str:
        """Give what Prometheus would scrape."""
        return _get(f"{self.url}/metrics")

    def groups(self) -> list[dict[str, str]]:
        """Give the labels of every group that is there."""
        found: list[dict[str, Any]] = json.loads(_get(f"{self.url}/api/v1/metrics"))["data"]
        return [group["labels"] for group in found]

    def samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Give every sample of this name."""
        return [
            (sample.labels, sample.value)
            for family in text_string_to_metric_families(self.exposition())
            for sample in family.samples
            if sample.name == name
        ]

    def value(self, name: str, **labels: str) -> float:
        """Give the one sample of this name that has these labels."""
        (value,) = [value for has, value in self.samples(name) if labels.items() <= has.items()]
        return value


@contextmanager
def pushgateway() -> Iterator[Gateway]:
    """Run a Pushgateway that forgets everything when it ends."""
    binary = program("prometheus-pushgateway", "prometheus-pushgateway")
    arguments = ["--web.listen-address=127.0.0.1:0", "--persistence.file="]
    with subprocess.Popen(  # noqa: S603  # a program of Debian's
        [binary, *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stderr is not None
        address = next(found[1] for line in process.stderr if (found := _LISTENING.search(line)))
        # It would stand still if nobody read what it says.
        reader = threading.Thread(target=process.stderr.read)
        reader.start()
        try:
            yield Gateway(f"http://{address}")
        finally:
            process.kill()
            reader.join()


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that a stub was sent."""

    method: str
    path: str
    body: bytes


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def stub(answer: Answer) -> Iterator[tuple[str, list[Asked]]]:
    """Serve one answer to every request; give the URL, and the requests as they come."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append(Asked(self.command, self.path, body))
            answer(self)

        do_PUT = do_DELETE = do_GET = do_POST = handle_any  # noqa: N815  # http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def status(code: int, said: str = "", **headers: str) -> Answer:
    """Answer with a status."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(said.encode())))
        handler.end_headers()
        handler.wfile.write(said.encode())

    return answer


def hanging(release: threading.Event) -> Answer:
    """Answer nothing until told to."""

    def answer(_: BaseHTTPRequestHandler) -> None:
        release.wait(60)

    return answer


def dripping(release: threading.Event) -> Answer:
    """Send one byte of a header now and then, so that no timeout of a socket ever strikes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not release.wait(0.05):
            handler.wfile.write(b"x")

    return answer


def closed_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310  # loopback
        text: str = reply.read().decode()
        return text
