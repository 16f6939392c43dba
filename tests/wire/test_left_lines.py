"""What a line has left does not hold up anybody: look-ups of names, and earlier connections."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import certifi
import pytest
from support.in_fibers import in_fiber
from support.raw_server import hang_up, raw_server

from janitor import fibers
from janitor.wire.http import Wire
from janitor.wire.line import Way

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SUPPORT = Path(__file__).parent.parent / "support"
COMPILER = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
def test_a_name_that_is_looked_up_for_ever_holds_up_nobody(tmp_path: Path) -> None:
    """Neither the next request, nor other fibers, nor the end of the process."""
    library = tmp_path / "no_names.so"
    command = [str(COMPILER), "-shared", "-fPIC", "-o", str(library), str(SUPPORT / "no_names.c")]
    subprocess.run(command, check=True, timeout=120)  # noqa: S603  # our own file
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "LD_PRELOAD": str(library),
    }
    ended = subprocess.run(  # ourselves
        [sys.executable, "-m", "support.unnamed"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    told = " ".join(["ConnectTimeoutError"] * 4)
    assert (0, f"{told}\nended\n") == (ended.returncode, ended.stdout), ended.stderr


class CountingHub(fibers.Hub):
    """Counts what it tells of each socket."""

    def __init__(self) -> None:
        super().__init__()
        self.told: Counter[int] = Counter()
        self._counting: dict[Callable[[int], None], Callable[[int], None]] = {}

    def watch(self, descriptor: int, happened: Callable[[int], None]) -> None:
        """Count, and tell."""

        def count(events: int) -> None:
            self.told[descriptor] += 1
            happened(events)

        self._counting[happened] = count
        super().watch(descriptor, count)

    def forget(self, descriptor: int, happened: Callable[[int], None]) -> None:
        """Forget what counts, too."""
        super().forget(descriptor, self._counting.pop(happened, happened))


def wait_for_ticks(hub: fibers.Hub, number: int) -> None:
    """Wait until the hub has looked after what is in transit so many times."""
    over = threading.Event()
    seen: list[None] = []

    def tick() -> None:
        seen.append(None)
        if len(seen) == number:
            hub.in_transit.discard(tick)
            over.set()

    hub.call(lambda: hub.in_transit.add(tick))

    assert over.wait(60)


@contextmanager
def counting() -> Iterator[tuple[CountingHub, Wire]]:
    """Give a hub that counts, and a wire that keeps one idle connection."""
    hub = CountingHub()
    wire = Wire(Way(certifi.where(), {}, 60, 60, connections=1), lambda *_: None)
    yield hub, wire
    hub.close()
    wire.close()


def test_a_server_that_was_left_keeps_nobody_busy() -> None:
    """It closes its connection while another server is waited for: told once, if at all."""
    left: list[socket.socket] = []

    def answer(connection: socket.socket, _request: bytes) -> None:
        left.append(connection)
        connection.sendall(OK)

    with counting() as (hub, wire):

        def answer_late(connection: socket.socket, _request: bytes) -> None:
            hang_up(left[0])
            wait_for_ticks(hub, 5)
            connection.sendall(OK)

        with raw_server(answer) as first, raw_server(answer_late) as second:
            bodies = [
                in_fiber(hub, lambda url=url: wire.send("GET", f"{url}/", []).body).result(60)  # type: ignore[misc]
                for url in (first.url, second.url, first.url)
            ]
        most = max(hub.told.values())

    assert [b"ok", b"ok", b"ok"] == bodies
    assert 1 == second.connections
    assert most < 10
