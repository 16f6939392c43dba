"""The listening socket, and how much this process may take in by it."""

from __future__ import annotations

import resource
import socket

from janitor.errors import JanitorError

# A burst of connections fits in: the kernel would let the rest try again after a second.
BACKLOG = 1024
# What the kernel keeps for one connection, in bytes; it counts for a container's memory.
_SEND_BUFFER = 64 * 1024
_RECEIVE_BUFFER = 64 * 1024
# File descriptors that are left for sweeps, the ledger and logs.
_RESERVE = 256
_LAST_PORT = 65535


def most_connections(wanted: int) -> int:
    """Give what is wanted, or less if the process may not open so many files."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(most - _RESERVE, most // 2))


def listen(host: str, port: int) -> socket.socket:
    """Take the address; JanitorError says why that failed. Port 0 takes a free one."""
    try:
        if not 0 <= port <= _LAST_PORT:
            # `bind` would say so too, but leave a socket behind.
            msg = f"the last port is {_LAST_PORT}"
            raise ValueError(msg)  # noqa: TRY301  # told like all that is wrong with an address
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )
        family, *_, address = found[0]
        listening = socket.create_server(
            (str(address[0]), port), family=family, backlog=BACKLOG, reuse_port=False
        )
    except (OSError, ValueError) as error:
        # What Python adds repeats the address.
        reason = str(getattr(error, "strerror", None) or error).partition(" (while ")[0]
        msg = f"cannot listen on {host} port {port}: {reason}"
        raise JanitorError(msg) from error
    # What is accepted inherits them.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    # asyncio does it for sockets that it made itself; else an answer waits 40 ms for nothing.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
