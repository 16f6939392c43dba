"""Sends requests over connections that stay open, and takes whole replies; libcurl does the work.

Nothing is done that was not asked for: no redirects, no cookies, no netrc, no
proxies of the environment, no second sending of a request whose reply was
lost, no decoding, and no protocol but HTTP/1.1 over TCP or TLS.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable

from janitor import fibers
from janitor.errors import Refused
from janitor.wire.line import Line, Reply, Way

Guard = Callable[[str, str], object]

_UNSAFE = re.compile(r'["#<>\\^`{|}\x00-\x20\x7f]')


class Wire:
    """Sends requests that a guard allows; safe to use from many threads.

    `guard(method, url)` is asked about the very URL that goes out, and raises
    where it must not.
    """

    def __init__(self, way: Way, guard: Guard) -> None:
        self._guard = guard
        # A line that parks fibers cannot block threads, and the other way round.
        self._of_threads, self._of_fibers = _Lines(way), _Lines(way)

    def send(self, method: str, url: str, headers: Iterable[str]) -> Reply:
        """Send a request without a body; headers as `name: value`.

        Raises what botocore raises for the same trouble: EndpointConnectionError,
        ConnectTimeoutError, ReadTimeoutError, SSLError, ProxyConnectionError,
        ConnectionClosedError or another HTTPClientError.
        """
        lines = list(headers)
        if not url.isascii() or _UNSAFE.search(url) or _has_ends("".join(lines)):
            message = f"refused to send {method}: something in it is not encoded"
            raise Refused(message, code="guard")
        self._guard(method, url)
        origin = url[: url.index("/", len("https://"))]
        idle = self._of_fibers if fibers.in_fiber() else self._of_threads
        line = idle.take(origin)
        try:
            return line.exchange(method, url, lines)
        finally:
            idle.give(origin, line)

    def close(self) -> None:
        """Close what is idle now, and everything else as soon as it is."""
        self._of_threads.close()
        self._of_fibers.close()


def _has_ends(lines: str) -> bool:
    """Whether lines would be others for the server."""
    # A regular expression would look at every character in turn.
    return "\r" in lines or "\n" in lines or "\0" in lines


class _Lines:
    """The lines of a wire that are idle."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._lock = threading.Lock()
        # By origin; that which was used last is at the end.
        self._idle: OrderedDict[str, list[Line]] = OrderedDict()
        self._resting = 0
        self._closed = False

    def close(self) -> None:
        """Close what is idle now, and everything else as soon as it is."""
        with self._lock:
            self._closed = True
            resting = [line for lines in self._idle.values() for line in lines]
            self._idle.clear()
            self._resting = 0
        for line in resting:
            if line.hub is None or line.hub is fibers.here():
                line.close()
            else:
                # Its hub may be busy with it right now: the server may have closed it, too.
                line.hub.tidy(line.close)

    def take(self, origin: str) -> Line:
        """Give a line, if possible one that is connected."""
        with self._lock:
            fits = origin in self._idle
            line = self._idle_one(origin)
        if line is None:
            return Line(self._way)
        if line.hub is not fibers.here():
            line.close()  # its hub has ended, and nobody would wake us
            return Line(self._way)
        if not fits:
            line.turn_away()
        return line

    def _idle_one(self, origin: str) -> Line | None:
        if origin in self._idle:
            return self._pop(origin, -1)
        if self._resting >= self._way.connections:
            # Turned to another origin, it keeps the authorities that it has read.
            return self._pop(next(iter(self._idle)), 0)
        return None

    def _pop(self, origin: str, at: int) -> Line:
        lines = self._idle[origin]
        line = lines.pop(at)
        self._resting -= 1
        if not lines:
            del self._idle[origin]
        return line

    def give(self, origin: str, line: Line) -> None:
        """Take a line back, to be used again."""
        if line.may_look_up:
            line.abandon()
            return
        with self._lock:
            if not self._closed:
                self._idle.setdefault(origin, []).append(line)
                self._idle.move_to_end(origin)
                self._resting += 1
                return
        line.close()
