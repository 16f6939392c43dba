"""Carries out the request that a handle of libcurl holds, while its fiber is parked."""

from __future__ import annotations

import select
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pycurl

from janitor import fibers

_WRITABLE = select.EPOLLOUT if fibers.AVAILABLE else 0


def events_of(socket: int) -> int:
    """Give what the system has to tell of an idle socket right now, in the words of `poll`."""
    looking = select.poll()
    looking.register(socket, select.POLLIN)
    return sum(events for _, events in looking.poll(0))


class Transfer:
    """Does in a fiber what `perform` of a handle does, and raises what that would raise.

    It has the handle for itself, and with it one connection. A server that
    closes the connection while it is idle is noticed: `is_stale()`.
    """

    def __init__(self, curl: Any, hub: fibers.Hub) -> None:
        self.hub = hub
        self._curl = curl
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1)
        self._parking: fibers.Parking | None = None
        self._watched: dict[int, Callable[[int], None]] = {}
        # Those of the connection that is being made; only then it matters what can be written.
        self._opening: set[int] = set()
        self._failure: pycurl.error | None = None
        self._was_closed = False
        self._latest: int | None = None
        curl.setopt(pycurl.SOCKOPTFUNCTION, self._opened)

    def is_stale(self) -> bool:
        """Whether the idle connection was closed, as far as the hub or the system knows by now."""
        # A number that is nobody's any more tells nothing: there is no connection then.
        if self._was_closed or self._latest is None:
            return self._was_closed
        if events_of(self._latest) & select.POLLIN:
            self.leave()
        return self._was_closed

    def leave(self) -> None:
        """Let the next request make a connection of its own.

        Nobody watches this one any more: while the next one is under way, all that happens here
        would be told again and again, and nobody would take it.
        """
        self.forget_all()
        self._was_closed = True

    def perform(self) -> None:
        """Send the request, and wait for the reply; raises pycurl.error."""
        self._multi.add_handle(self._curl)
        try:
            if self._multi.perform()[1]:
                self.hub.park(self._wait)
            if self._failure is not None:
                raise self._failure
            _, _, failed = self._multi.info_read()
        finally:
            self._failure = None
            self._multi.remove_handle(self._curl)
        for _, code, message in failed:
            # The library may still have a connection that was left, and nobody watches that.
            self._was_closed = True
            raise pycurl.error(code, message)

    def close(self) -> None:
        """Close the connection; calling twice is fine."""
        self.forget_all()
        self._multi.close()

    def forget_all(self) -> None:
        """Let the hub watch nothing of it any more."""
        while self._watched:
            self.hub.forget(*self._watched.popitem())

    def _wait(self, parking: fibers.Parking) -> None:
        if self._was_closed or not self._watched:
            # Without a socket of its own yet: it looks a name up, and tells by others.
            for descriptor in self._multi.fdset()[0]:
                with suppress(OSError):  # then a tick has to do
                    self._watch(descriptor)
                    self.hub.calm(descriptor)
        # Last, so that nobody resumes a fiber that did not park.
        self._parking = parking
        self.hub.in_transit.add(self.go_on)

    def _opened(self, descriptor: int, _purpose: int) -> int:
        self._was_closed = False
        self._latest = descriptor
        self._watch(descriptor)
        self._opening.add(descriptor)
        return int(pycurl.SOCKOPT_OK)

    def _watch(self, descriptor: int) -> None:
        def happened(events: int) -> None:
            self._happened(descriptor, events)

        self._watched[descriptor] = happened
        self.hub.watch(descriptor, happened)

    def _happened(self, descriptor: int, events: int) -> None:
        if descriptor in self._opening and events & _WRITABLE:
            self._opening.discard(descriptor)
            self.hub.calm(descriptor)
        elif self._parking is None:
            # Nobody asked for anything: the server has closed it, or is not to be trusted.
            self._was_closed = True
            happened = self._watched.pop(descriptor, None)
            if happened is not None:
                self.hub.forget(descriptor, happened)
        self.go_on()

    def go_on(self) -> None:
        """Do what can be done now; also called every moment, for what only a clock can tell."""
        parking = self._parking
        if parking is None:
            return
        try:
            if self._multi.perform()[1]:
                return
        except pycurl.error as error:
            self._failure = error
        self._parking = None
        self.hub.in_transit.discard(self.go_on)
        parking.resume()
