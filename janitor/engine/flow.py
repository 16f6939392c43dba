"""Says when each request may go out: slots, windows, rates, caps and pauses of all endpoints."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from types import MappingProxyType

from janitor.engine.caps import Caps
from janitor.engine.slots import Endpoint, Slots, Ticket
from janitor.engine.window import Window
from janitor.errors import ProviderError, Throttled, Transient, Unsent
from janitor.fibers import Latch
from janitor.model import ContainerRef
from janitor.observe.events import Load
from janitor.targets import Pace

LONGEST_RETRY_AFTER = 60.0
# After so long whoever waits for a slot looks up, for example because of a stop.
GLANCE = 0.1
# Where more than so many wait they do it less often, or it would be all that is done.
CROWD = 256
# What a server, or a proxy before it, says when it is too much for it.
OVERLOADED = frozenset({408, 429, 502, 503, 504, 509, 520, 521, 522, 523, 524, 529})

_UNLIMITED = Pace()
_NO_PACES: Mapping[str, Pace] = MappingProxyType({})


# The endpoint whose slot this thread, or this fiber, has and does not use right now.
_lent: ContextVar[Endpoint | None] = ContextVar("lent", default=None)


class Lending:
    """While it lasts, this thread has lent a slot of an endpoint to itself."""

    __slots__ = ("_endpoint", "_token")

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __enter__(self) -> None:
        """Lend it."""
        self._token = _lent.set(self._endpoint)

    def __exit__(self, *_: object) -> None:
        """Take it back."""
        _lent.reset(self._token)


class Flow:
    """The way out for all requests of a run; to be called from any thread.

    `budget` is how many may be in flight at once, to all targets together;
    `paces` tells how fast single targets may be asked.
    """

    def __init__(
        self,
        budget: int,
        paces: Mapping[str, Pace] = _NO_PACES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.budget = budget
        self._paces = paces
        self._clock = clock
        self._lock = threading.Lock()
        self._slots = Slots(budget)
        self._asleep = 0
        self._endpoints: dict[str, Endpoint] = {}
        self._caps = {
            name: Caps(pace.container_reads, pace.container_writes)
            for name, pace in paces.items()
            if pace.container_reads is not None or pace.container_writes is not None
        }

    def endpoint(self, where: ContainerRef) -> Endpoint:
        """Give the endpoint of a container's target."""
        return self._endpoints.get(where.target) or self._open(where)

    def cap(self, where: ContainerRef, operation: str) -> float:
        """Take a place under the cap of a container; give the seconds until then."""
        caps = self._caps.get(where.target)
        if caps is None:
            return 0.0
        with self._lock:
            return caps.place(where.container, self._clock(), writes=operation == "abort")

    def ask(self, where: ContainerRef, *, urgent: bool = False) -> Ticket:
        """Ask for a slot; whoever has not got one yet has to `sleep`.

        `urgent` is what completes something that was begun. A ticket has to be
        given back, by `leave` or `drop`. In a thread that has lent its slot to
        itself the request uses that one.
        """
        endpoint = self._endpoints.get(where.target) or self._open(where)
        ticket = Ticket(endpoint)
        lent = _lent.get()
        with self._lock:
            if lent is endpoint:
                ticket.is_guest = True
                endpoint.number(ticket)
            else:
                self._slots.ask(ticket, self._clock(), urgent=urgent)
        return ticket

    def sleep(self, ticket: Ticket, longest: float) -> bool:
        """Let some time pass, until the ticket's turn at most; False if that cannot come in time.

        `longest` is how much time there is, in seconds.
        """
        with self._lock:
            if ticket.granted:
                return True
            ticket.turn = turn = Latch()
            endpoint, now = ticket.endpoint, self._clock()
            if endpoint.resumes_at - now >= longest:
                return False
            wait = endpoint.wait(now)
            if wait > 0 and endpoint.first() is ticket:
                longest = min(longest, wait)
            self._asleep += 1
            longest = min(longest, glance(self._asleep))
        try:
            turn.wait(max(0.0, longest))
        finally:
            with self._lock:
                self._asleep -= 1
                if not ticket.granted:
                    self._dispatch()
        return True

    def force(self, ticket: Ticket) -> float:
        """Let a waiting request go, although no slot is free; give the seconds to its place."""
        with self._lock:
            if not ticket.granted:
                self._slots.force(ticket)
                return self._place(ticket.endpoint)
        return 0.0

    def place(self, ticket: Ticket) -> float:
        """Give the seconds that a request in a lent slot has to wait."""
        with self._lock:
            pause = ticket.endpoint.resumes_at - self._clock()
            return max(pause, self._place(ticket.endpoint))

    @staticmethod
    def lending(ticket: Ticket) -> Lending:
        """Let other requests of this thread to the same endpoint use a ticket's slot."""
        return Lending(ticket.endpoint)

    def leave(
        self, ticket: Ticket, operation: str, seconds: float, error: ProviderError | None
    ) -> None:
        """Give a slot back, and learn from how the request ended."""
        endpoint = ticket.endpoint
        with self._lock:
            if error is None:
                endpoint.window.succeeded(
                    operation, seconds, ticket.serial, endpoint.begun, endpoint.in_flight
                )
            else:
                self._learn(ticket, error)
            self._give_back(ticket)

    def drop(self, ticket: Ticket) -> None:
        """Give a ticket back that was not used, or led to nothing that tells anything."""
        with self._lock:
            if ticket.granted:
                self._give_back(ticket)
            else:
                self._slots.withdraw(ticket)

    def arrive(self, endpoint: Endpoint) -> None:
        """Say that there is work for an endpoint, so that something is kept for it."""
        with self._lock:
            self._slots.arrive(endpoint)

    def depart(self, endpoint: Endpoint) -> None:
        """Say that it is done; once for every `arrive`."""
        with self._lock:
            self._slots.depart(endpoint)
            self._dispatch()

    def loads(self) -> Sequence[Load]:
        """Tell how busy all targets are that were asked for anything."""
        with self._lock:
            return [
                Load(each.name, each.provider, each.in_flight, each.window.size)
                for each in self._endpoints.values()
            ]

    def _open(self, where: ContainerRef) -> Endpoint:
        pace = self._paces.get(where.target, _UNLIMITED)
        window = Window(self.budget)
        with self._lock:
            found = self._endpoints.get(where.target)
            if found is None:
                found = Endpoint(where.target, where.provider, window, pace.requests)
                self._endpoints[where.target] = found
        return found

    def _learn(self, ticket: Ticket, error: ProviderError) -> None:
        endpoint = ticket.endpoint
        if _is_trouble(error):
            endpoint.window.refused(ticket.serial, endpoint.begun)
        elif error.status is not None:
            endpoint.window.answered(endpoint.in_flight)
        if isinstance(error, Transient) and error.retry_after is not None:
            # Whoever else asks would only be refused as well.
            until = self._clock() + min(error.retry_after, LONGEST_RETRY_AFTER)
            endpoint.resumes_at = max(endpoint.resumes_at, until)

    def _give_back(self, ticket: Ticket) -> None:
        if not ticket.is_guest:
            self._slots.give_back(ticket.endpoint)
        self._dispatch()

    def _place(self, endpoint: Endpoint) -> float:
        return endpoint.place(self._clock()) if endpoint.interval else 0.0

    def _dispatch(self) -> None:
        if not self._slots.hungry:
            return
        for ticket in self._slots.dispatch(self._clock()):
            ticket.nudge()
            endpoint = ticket.endpoint
            if endpoint.interval and endpoint.queue:
                # It is the first now, and has to know when its time comes.
                endpoint.first().nudge()


def glance(asleep: int) -> float:
    """Say after how many seconds one of so many that wait for a slot looks up."""
    return GLANCE * max(1.0, asleep / CROWD)


def _is_trouble(error: ProviderError) -> bool:
    """Whether fewer requests might have helped: refused as too many, or not answered."""
    if isinstance(error, Throttled):
        return True
    if isinstance(error, Unsent):
        return False
    return isinstance(error, Transient) and (error.status is None or error.status in OVERLOADED)
