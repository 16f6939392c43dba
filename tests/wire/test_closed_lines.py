"""A connection that the server closed is not used again, also right after its reply."""

from __future__ import annotations

import socket
import threading
import time

import certifi
from support.in_fibers import in_fiber

from janitor import fibers
from janitor.wire.http import Wire
from janitor.wire.line import Way

PATIENCE = 30
REQUESTS = 3


def _answer_and_close(listening: socket.socket) -> None:
    for _ in range(REQUESTS):
        accepted, _ = listening.accept()
        with accepted:
            accepted.recv(65536)
            accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def test_a_hub_that_has_not_looked_yet_does_not_send_into_the_void() -> None:
    """It is busy until the next request goes out, and cannot know but by looking."""
    hub = fibers.Hub()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_answer_and_close, args=(listening,), daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        wire = Wire(Way(certifi.where(), {}, 5.0, 5.0), lambda _method, _url: None)

        def ask() -> list[bytes]:
            replies = []
            for _ in range(REQUESTS):
                replies.append(wire.send("GET", url, []).body)
                time.sleep(0.05)
            return replies

        assert [b"ok"] * REQUESTS == in_fiber(hub, ask).result(PATIENCE)
        wire.close()
    hub.close()
