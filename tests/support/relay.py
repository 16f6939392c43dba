"""Puts TLS before a plain server of ours, as a load balancer would."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import trustme


@contextmanager
def tls_relay(url: str, certificate: trustme.LeafCert) -> Iterator[int]:
    """Relay TLS connections on a free port of loopback to `url`; give the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    where = urlsplit(url)
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(
            target=_accept, args=(listener, context, (where.hostname, where.port), threads)
        )
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join(10)
    for thread in threads:
        thread.join(10)


def _accept(
    listener: socket.socket,
    context: ssl.SSLContext,
    inner: tuple[str | None, int | None],
    threads: list[threading.Thread],
) -> None:
    with suppress(OSError):
        while True:
            outer, _ = listener.accept()
            thread = threading.Thread(target=_serve, args=(outer, context, inner), daemon=True)
            thread.start()
            threads.append(thread)


def _serve(
    outer: socket.socket, context: ssl.SSLContext, inner: tuple[str | None, int | None]
) -> None:
    with (
        suppress(OSError),
        outer,
        socket.create_connection(inner) as plain,
        context.wrap_socket(outer, server_side=True) as secure,
    ):
        back = threading.Thread(target=_pump, args=(plain, secure), daemon=True)
        back.start()
        _pump(secure, plain)
        back.join(10)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
