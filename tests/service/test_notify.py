"""systemd hears what it has to, and nothing where there is no systemd."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from janitor.service.notify import Notifier


class Manager:
    """The receiving end of sd_notify."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(0)

    def heard(self) -> list[str]:
        """Give all messages since the last time."""
        found = []
        with suppress(BlockingIOError):
            while True:
                found.append(self._socket.recv(4096).decode())
        return found

    def close(self) -> None:
        """Hear nothing more."""
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """Listen at a path."""
    listening = Manager(str(tmp_path / "notify"))
    yield listening
    listening.close()


def notifier(tmp_path: Path, clock: list[float] | None = None, **more: str) -> Notifier:
    """Make a notifier that finds the manager in its environment."""
    environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), **more}
    times = clock or [0.0]
    return Notifier(environ, lambda: times[-1])


def test_systemd_hears_of_the_daemons_life(tmp_path: Path, manager: Manager) -> None:
    """Ready, reloading with the time of the monotonic clock, ready again, stopping."""
    one = notifier(tmp_path)
    one.ready()
    one.reloading()
    one.stopping()
    ready, reloading, stopping = manager.heard()
    name, _, time_of_it = reloading.partition("\n")

    assert ("READY=1", "RELOADING=1", "STOPPING=1") == (ready, name, stopping)
    assert time_of_it.removeprefix("MONOTONIC_USEC=").isdecimal()


def test_a_status_is_told_when_it_is_news(tmp_path: Path, manager: Manager) -> None:
    """Once each, and on one line, whatever is in it: a line of its own would be a command."""
    one = notifier(tmp_path)
    one.status("waiting")
    one.status("waiting")
    one.status("broken:\nSTOPPING=1")

    assert ["STATUS=waiting", "STATUS=broken: STOPPING=1"] == manager.heard()


def test_the_watchdog_hears_twice_in_its_time(tmp_path: Path, manager: Manager) -> None:
    """However often we look."""
    clock = [100.0]
    one = notifier(tmp_path, clock, WATCHDOG_USEC="4000000", WATCHDOG_PID=str(os.getpid()))
    for second in range(100, 106):
        clock.append(float(second))
        one.alive()

    assert ["WATCHDOG=1"] * 3 == manager.heard()


@pytest.mark.parametrize(
    "environ", [{}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}]
)
def test_nobody_waits_for_a_watchdog_that_is_not_ours(
    tmp_path: Path, manager: Manager, environ: dict[str, str]
) -> None:
    """None is set, or another process is meant."""
    notifier(tmp_path, None, **environ).alive()

    assert manager.heard() == []


def test_an_abstract_socket_is_found() -> None:
    """Its name begins with @ in the environment, and with a null byte in truth."""
    name = f"janitor-notify-{os.getpid()}"
    listening = Manager(f"\0{name}")
    Notifier({"NOTIFY_SOCKET": f"@{name}"}).ready()
    heard = listening.heard()
    listening.close()

    assert heard == ["READY=1"]


def test_a_manager_that_is_gone_is_told_of_once(tmp_path: Path) -> None:
    """The daemon goes on."""
    one = notifier(tmp_path)
    with capture_logs() as lines:
        one.ready()
        one.stopping()

    assert ["systemd.unreachable"] == [line["event"] for line in lines]


def test_without_systemd_nothing_happens() -> None:
    """The usual case in a container."""
    with capture_logs() as lines:
        one = Notifier({})
        one.ready()
        one.alive()
        one.status("fine")

    assert lines == []
