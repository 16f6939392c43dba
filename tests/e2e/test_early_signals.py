"""A daemon that is told something before it is up listens already."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

JANITOR = Path(sys.executable).with_name("janitor")
PATIENCE = 60


@pytest.fixture
def starting() -> Iterator[subprocess.Popen[bytes]]:
    """Start a daemon that waits for its config, and wait until it takes signals."""
    with subprocess.Popen(  # noqa: S603  # our own program
        [JANITOR, "serve", "--config", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + PATIENCE
        while not takes(process.pid, signal.SIGTERM):
            assert time.monotonic() < deadline
            time.sleep(0.02)  # nobody tells
        yield process
        process.kill()


def takes(pid: int, number: signal.Signals) -> bool:
    """Ask the kernel whether a process has a handler."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_a_hangup_before_it_is_up_does_not_kill_it(starting: subprocess.Popen[bytes]) -> None:
    """It reads the config, finds what is wrong, and says so."""
    starting.send_signal(signal.SIGHUP)
    _, told = starting.communicate(b"version: 2\n", timeout=PATIENCE)

    assert (78, True) == (starting.returncode, b"must be 1" in told)


def test_a_stop_before_it_is_up_is_obeyed(starting: subprocess.Popen[bytes]) -> None:
    """Also where nobody would kill it by default: as the first process of a container."""
    starting.send_signal(signal.SIGTERM)

    assert 143 == starting.wait(PATIENCE)
