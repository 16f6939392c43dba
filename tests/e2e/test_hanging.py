"""A server that never comes to an end does not keep a sweep from ending."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 100000\r\n\r\n<"
CONFIG = """\
version: 1
ledger: none
execution: {{run_timeout: 1s, target_timeout: 1s, connect_timeout: 1s, read_timeout: 1s}}
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


def config_of(provider: str, transport: str, port: int) -> str:
    """Write a config with one target."""
    return CONFIG.format(provider=PROVIDERS[provider], transport=transport, port=port)


@contextmanager
def dripping() -> Iterator[int]:
    """Serve one byte every now and then, for as long as anybody reads."""
    over = threading.Event()

    def drip(client: socket.socket) -> None:
        with suppress(OSError), client:
            client.recv(65536)
            client.sendall(HEAD)
            while not over.wait(0.2):
                client.sendall(b" ")

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=drip, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, args=(listener,))
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(10)


def scan_of_what_drips(
    folder: Path, provider: str, transport: str
) -> subprocess.CompletedProcess[str]:
    """Scan a server whose replies never end, in a process of its own."""
    file = folder / "janitor.yaml"
    with dripping() as port:
        file.write_text(config_of(provider, transport, port), encoding="utf-8")
        return subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-m", "janitor", "scan", "-c", file],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
        )


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_server_that_drips_for_ever_is_given_up(tmp_path: Path, provider: str) -> None:
    """The process ends, says why, and does not look like a success."""
    done = scan_of_what_drips(tmp_path, provider, "sdk")

    assert 1 == done.returncode
    assert "sweep.hung" in done.stderr


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
    with dripping() as port, full_pipe() as log:
        file.write_text(config_of("s3", "sdk", port), encoding="utf-8")
        done = subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-m", "janitor", "scan", "-c", file],
            stdout=subprocess.DEVNULL,
            stderr=log,
            check=False,
            timeout=60,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    assert 1 == done.returncode
