"""A server that sends exactly the bytes that a test wants, and remembers what it was sent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

# What to do with one request: bytes are sent, and the connection stays open;
# a function gets the connection and the request.
Act = bytes | Callable[[socket.socket, bytes], object]


@dataclass
class RawServer:
    """What a running server has heard."""

    port: int
    host: str = "127.0.0.1"
    heard: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def lines(self, number: int = -1) -> list[str]:
        """Give the lines of one request."""
        return self.heard[number].decode("latin-1").split("\r\n")


def hang_up(connection: socket.socket, _request: bytes = b"") -> None:
    """Close a connection."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def send_and_hang_up(content: bytes) -> Act:
    """Send some bytes, and close."""

    def act(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(content)
        hang_up(connection)

    return act


@contextmanager
def raw_server(*acts: Act, host: str = "127.0.0.1") -> Iterator[RawServer]:
    """Serve on a free port; each request gets the next act, and the last one is repeated."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        server = RawServer(listener.getsockname()[1], host)
        served: list[tuple[socket.socket, threading.Thread]] = []
        accepting = threading.Thread(target=_accept, args=(listener, server, acts, served))
        accepting.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(10)
            for connection, _ in served:
                hang_up(connection)
            for _, thread in served:
                thread.join(10)


def _accept(
    listener: socket.socket,
    server: RawServer,
    acts: Sequence[Act],
    served: list[tuple[socket.socket, threading.Thread]],
) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            server.connections += 1
            thread = threading.Thread(target=_serve, args=(connection, server, acts), daemon=True)
            thread.start()
            served.append((connection, thread))


def _serve(connection: socket.socket, server: RawServer, acts: Sequence[Act]) -> None:
    with suppress(OSError), connection:
        connection.settimeout(20)
        while (request := _read(connection)) is not None:
            server.heard.append(request)
            act = acts[min(len(server.heard), len(acts)) - 1]
            if isinstance(act, bytes):
                connection.sendall(act)
            else:
                act(connection, request)


def _read(connection: socket.socket) -> bytes | None:
    content = b""
    while b"\r\n\r\n" not in content:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        content += chunk
    return content
