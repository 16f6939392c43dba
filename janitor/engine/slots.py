"""Shares the requests in flight fairly between endpoints. Pure: the time is an argument.

A free slot goes to the endpoint with the fewest requests in flight of all that
wait and may go on; so where several want slots each comes to hold its share,
and where one does it may hold them all. Slots cannot be taken back. So that an
endpoint that hangs with all of them does not stop the others, a part is kept
for those that have work but nothing in flight right now.
"""

from __future__ import annotations

from collections import deque

from janitor.engine.window import Window
from janitor.fibers import Latch

# Of the budget, what is kept for others as long as there are others: a quarter.
KEPT = 4


class Endpoint:
    """One target, as far as the flow of requests goes.

    `interval` is the time from the beginning of one request to that of the
    next, in seconds; before `opens_at` none is begun, nor before `resumes_at`,
    because the endpoint said so. `guests` counts what has work for it.
    """

    __slots__ = (
        "begun",
        "guests",
        "in_flight",
        "interval",
        "name",
        "opens_at",
        "provider",
        "resumes_at",
        "served",
        "urgent",
        "waiting",
        "window",
    )

    def __init__(
        self, name: str, provider: str, window: Window, per_second: float | None = None
    ) -> None:
        self.name = name
        self.provider = provider
        self.window = window
        self.interval = 0.0 if per_second is None else 1.0 / per_second
        self.opens_at = 0.0
        self.resumes_at = 0.0
        self.in_flight = 0
        self.begun = 0
        self.guests = 0
        self.served = 0
        # What completes something begun goes before what begins something.
        self.urgent: deque[Ticket] = deque()
        self.waiting: deque[Ticket] = deque()

    @property
    def queue(self) -> int:
        """How many requests wait for their turn."""
        return len(self.urgent) + len(self.waiting)

    def first(self) -> Ticket:
        """Give what is next; there must be something."""
        return self.urgent[0] if self.urgent else self.waiting[0]

    def number(self, ticket: Ticket) -> None:
        """Begin a request."""
        self.begun += 1
        ticket.serial = self.begun
        ticket.granted = True

    def wait(self, now: float) -> float:
        """Give the seconds until a request may begin that has a slot."""
        return max(self.opens_at, self.resumes_at) - now

    def place(self, now: float) -> float:
        """Take the next place of a rate; give the seconds until then.

        Who comes late to a place does not move the places after it.
        """
        at = self.opens_at if now < self.opens_at + self.interval else now
        self.opens_at = at + self.interval
        return max(0.0, at - now)


class Ticket:
    """A request on its way to a slot: whether it has one, and its serial number if it has.

    `is_guest` says that it uses another one's slot. Who waits for it sleeps on
    `turn`, which is None where nobody does.
    """

    __slots__ = ("endpoint", "granted", "is_guest", "serial", "turn")

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.granted = False
        self.is_guest = False
        self.serial = 0
        self.turn: Latch | None = None

    def nudge(self) -> None:
        """Wake who waits for it."""
        if self.turn is not None:
            self.turn.open()


class Slots:
    """The slots of a run: at most `budget` at once. Not for use by several threads at once."""

    __slots__ = ("_guests", "_kept", "_reserve", "_served", "budget", "hungry", "in_flight")

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.in_flight = 0
        self._served = 0
        # Endpoints where requests wait, in no particular order.
        self.hungry: dict[str, Endpoint] = {}
        # Endpoints that have work, what is kept for each, and how much of that is free.
        self._guests: dict[str, Endpoint] = {}
        self._reserve = 0
        self._kept = 0

    def ask(self, ticket: Ticket, now: float, *, urgent: bool = False) -> bool:
        """Ask for a slot; False means that it comes later, from `dispatch`."""
        endpoint = ticket.endpoint
        if not endpoint.waiting and not endpoint.urgent and self._may_begin(endpoint, now):
            if endpoint.interval:
                endpoint.place(now)
            self._grant(ticket)
            return True
        (endpoint.urgent if urgent else endpoint.waiting).append(ticket)
        self.hungry[endpoint.name] = endpoint
        return False

    def give_back(self, endpoint: Endpoint) -> None:
        """Free the slot of a request that ended; `dispatch` gives it to another one."""
        self.in_flight -= 1
        endpoint.in_flight -= 1
        if endpoint.in_flight < self._reserve and endpoint.guests:
            self._kept += 1

    def withdraw(self, ticket: Ticket) -> None:
        """Take a request out of the queue, because nobody waits for it any more."""
        endpoint = ticket.endpoint
        queue = endpoint.waiting if ticket in endpoint.waiting else endpoint.urgent
        queue.remove(ticket)
        self._settle(endpoint)

    def force(self, ticket: Ticket) -> None:
        """Let a waiting request go at once, whatever the window and the budget say."""
        self.withdraw(ticket)
        self._grant(ticket)

    def dispatch(self, now: float) -> list[Ticket]:
        """Give free slots to those whose turn it is; tell who got one."""
        granted: list[Ticket] = []
        while self.hungry and self.in_flight < self.budget:
            chosen: Endpoint | None = None
            for endpoint in self.hungry.values():
                if self._may_begin(endpoint, now) and (
                    chosen is None
                    or (endpoint.in_flight, endpoint.served) < (chosen.in_flight, chosen.served)
                ):
                    chosen = endpoint
            if chosen is None:
                break
            ticket = (chosen.urgent or chosen.waiting).popleft()
            self._settle(chosen)
            if chosen.interval:
                chosen.place(now)
            self._grant(ticket)
            granted.append(ticket)
        return granted

    def arrive(self, endpoint: Endpoint) -> None:
        """Note that something has work for an endpoint."""
        endpoint.guests += 1
        if endpoint.guests == 1:
            self._guests[endpoint.name] = endpoint
            self._count()

    def depart(self, endpoint: Endpoint) -> None:
        """Note that it has none any more."""
        endpoint.guests -= 1
        if not endpoint.guests:
            del self._guests[endpoint.name]
            self._count()

    def _may_begin(self, endpoint: Endpoint, now: float) -> bool:
        if endpoint.in_flight >= endpoint.window.size or endpoint.wait(now) > 0:
            return False
        kept = self._kept
        if endpoint.guests and endpoint.in_flight < self._reserve:
            kept -= self._reserve - endpoint.in_flight
        return self.budget - self.in_flight > kept

    def _grant(self, ticket: Ticket) -> None:
        endpoint = ticket.endpoint
        if endpoint.in_flight < self._reserve and endpoint.guests:
            self._kept -= 1
        self.in_flight += 1
        endpoint.in_flight += 1
        self._served += 1
        endpoint.served = self._served
        endpoint.number(ticket)

    def _settle(self, endpoint: Endpoint) -> None:
        if not endpoint.queue:
            self.hungry.pop(endpoint.name, None)

    def _count(self) -> None:
        self._reserve = self.budget // (KEPT * max(1, len(self._guests)))
        # Nobody has to be kept anything from himself.
        if len(self._guests) < 2:  # noqa: PLR2004  # one and others
            self._reserve = 0
        self._kept = sum(max(0, self._reserve - each.in_flight) for each in self._guests.values())
