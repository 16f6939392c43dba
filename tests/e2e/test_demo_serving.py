"""The demo hands over to a daemon: what it did can be scraped, and the daemon goes on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

JANITOR = Path(sys.executable).with_name("janitor")
PATIENCE = 60


def free_port() -> int:
    """Find a port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def ask(port: int, path: str) -> str:
    """Ask until somebody answers."""
    deadline = time.monotonic() + PATIENCE
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.1)  # nobody tells when a port is taken
        finally:
            connection.close()


def test_the_demo_goes_on_as_a_daemon() -> None:
    """Its aborts are in the metrics, its uploads too, and Ctrl-C ends it."""
    port = free_port()
    with subprocess.Popen(  # noqa: S603  # our own program
        [JANITOR, "demo", "--serve", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={"PATH": os.environ["PATH"], "COLUMNS": "80"},
    ) as process:
        metrics = ask(port, "/metrics")
        page = ask(port, "/")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)

    assert process.returncode in {0, 130}  # 130 where it cut the first sweep short
    assert 'janitor_aborts_total{outcome="aborted"} 369.0' in metrics
    assert "enforce" in page
    assert f"http://127.0.0.1:{port}" in out
    assert [] == [line for line in out.splitlines() if len(line) > 80]
