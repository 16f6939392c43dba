"""Leaves wires open, for the collector to find: a process of its own, because it might not survive.

Prints `survived` at its end.
"""

from __future__ import annotations

import faulthandler
import gc
import socket
import sys

import certifi

from janitor import fibers
from janitor.wire.http import Wire
from janitor.wire.line import Way
from support.in_fibers import in_fiber
from support.raw_server import raw_server

ROUNDS, REQUESTS = 40, 20
WAY = Way(certifi.where(), {}, connect_timeout=10, read_timeout=10)


def allow_all(_method: str, _url: str) -> None:
    """Allow everything."""


def answer(connection: socket.socket, _request: bytes) -> None:
    """Say that all is well."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def use(url: str, *, close: bool) -> None:
    """Make requests from fibers and from this thread, and forget what made them."""
    hub, wire = fibers.Hub(), Wire(WAY, allow_all)
    told = [in_fiber(hub, lambda: wire.send("GET", url, [])) for _ in range(REQUESTS)]
    for each in told:
        each.result(30)
    wire.send("GET", url, [])
    hub.close()
    if close:
        wire.close()


if __name__ == "__main__":
    faulthandler.enable()
    with raw_server(answer) as server:
        for number in range(ROUNDS):
            use(f"{server.url}/", close=number % 3 == 0)
            if number % 2:
                gc.collect()
    gc.collect()
    sys.stdout.write("survived\n")
