"""A server that never comes to an end does not keep a sweep from ending."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 100000\r\n\r\n<"
CONFIG = """\
version: 1
ledger: none
execution: {{run_timeout: {run}s, target_timeout: {run}s, connect_timeout: 1s, read_timeout: 1s}}
targets:
  - name: drip
    {provider}
    endpoint_url: http://127.0.0.1:{port}
    access_key_id: id
    secret_access_key: secret
    transport: {transport}
"""
PROVIDERS = {
    "glacier": "provider: glacier\n    region: us-west-2\n    vaults: [vault]",
    "qingstor": "provider: qingstor\n    buckets: [bucket]",
    "s3": "provider: s3\n    addressing: path\n    buckets: [bucket]",
}
# How long a sweep may take (seconds). A busy machine needs a while to the first request, and
# without one there is nothing to hang: then it is tried again with more.
TIMES = (1, 4, 16, 32)
# As long as this nothing comes from a server only where its machine was too busy (seconds).
TOO_SILENT = 0.7


def config_of(provider: str, transport: str, port: int, seconds: int = 1) -> str:
    """Write a config with one target."""
    return CONFIG.format(provider=PROVIDERS[provider], transport=transport, port=port, run=seconds)


class Dripping:
    """A server that sends one byte every now and then, for as long as anybody reads."""

    def __init__(self, listener: socket.socket) -> None:
        self.port = listener.getsockname()[1]
        self.asked = 0
        self.longest_silence = 0.0
        self._listener = listener
        self._over = threading.Event()

    def accept(self) -> None:
        """Serve until the listener is shut down."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._drip, args=(client,), daemon=True).start()

    def end(self) -> None:
        """Leave all clients."""
        self._over.set()

    def _drip(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            if not client.recv(65536):
                return
            self.asked += 1
            client.sendall(HEAD)
            last = time.monotonic()
            while not self._over.wait(0.2):
                client.sendall(b" ")
                now = time.monotonic()
                self.longest_silence = max(self.longest_silence, now - last)
                last = now


@contextmanager
def dripping() -> Iterator[Dripping]:
    """Serve what never ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Dripping(listener)
        accepting = threading.Thread(target=server.accept)
        accepting.start()
        try:
            yield server
        finally:
            server.end()
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(10)


def scan_of_what_drips(
    folder: Path, provider: str, transport: str
) -> subprocess.CompletedProcess[str]:
    """Scan a server whose replies never end, in a process of its own."""
    file = folder / "janitor.yaml"
    for seconds in TIMES:
        with dripping() as server:
            config = config_of(provider, transport, server.port, seconds)
            file.write_text(config, encoding="utf-8")
            done = subprocess.run(  # noqa: S603  # our own program
                [sys.executable, "-m", "janitor", "scan", "-c", file],
                capture_output=True,
                text=True,
                check=False,
                timeout=150,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        if server.asked and server.longest_silence < TOO_SILENT:
            break

    assert server.asked
    return done


@pytest.mark.timeout(400)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_server_that_drips_for_ever_is_given_up(tmp_path: Path, provider: str) -> None:
    """The process ends, says why, and does not look like a success."""
    done = scan_of_what_drips(tmp_path, provider, "sdk")

    assert 1 == done.returncode
    assert "sweep.hung" in done.stderr


@pytest.mark.timeout(400)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_server_that_drips_for_ever_ends_a_request_of_our_own_wire(
    tmp_path: Path, provider: str
) -> None:
    """Then only that target is incomplete, and the process need not be ended."""
    done = scan_of_what_drips(tmp_path, provider, "auto")

    assert 3 == done.returncode
    assert "sweep.hung" not in done.stderr


@contextmanager
def full_pipe() -> Iterator[int]:
    """Give the writing end of a pipe into which nothing fits, and that nobody reads."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    try:
        yield writing
    finally:
        os.close(writing)
        os.close(reading)


def test_a_log_that_nobody_reads_does_not_keep_a_hung_sweep_alive(tmp_path: Path) -> None:
    """Nobody can be told why, but the process ends, and does not look like a success."""
    file = tmp_path / "janitor.yaml"
    with dripping() as server, full_pipe() as log:
        file.write_text(config_of("s3", "sdk", server.port), encoding="utf-8")
        done = subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-m", "janitor", "scan", "-c", file],
            stdout=subprocess.DEVNULL,
            stderr=log,
            check=False,
            timeout=60,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    assert 1 == done.returncode
