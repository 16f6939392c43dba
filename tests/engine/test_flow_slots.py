"""Slots are shared fairly: never too many in flight, nobody starves, some are kept for others."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.strategies import law

from janitor.engine.slots import Endpoint, Slots, Ticket
from janitor.engine.window import Window

NAMES = ("a", "b", "c", "d")
which = st.integers(0, len(NAMES) - 1)


def endpoint(name: str = "lake", window: int = 100, per_second: float | None = None) -> Endpoint:
    """Make an endpoint with a window of this size."""
    return Endpoint(name, "s3", Window(window, first=window), per_second)


def ask(slots: Slots, where: Endpoint, count: int = 1, now: float = 0) -> list[Ticket]:
    """Ask for slots, and give those tickets that got none."""
    tickets = [Ticket(where) for _ in range(count)]
    return [ticket for ticket in tickets if not slots.ask(ticket, now)]


def end(slots: Slots, where: Endpoint, now: float = 0) -> list[str]:
    """End one request, and name the endpoints that got a slot by it."""
    slots.give_back(where)
    return [ticket.endpoint.name for ticket in slots.dispatch(now)]


class Sharing(RuleBasedStateMachine):
    """Endpoints come and go, grow and shrink, while requests begin and end."""

    @initialize(budget=st.integers(1, 20), windows=st.lists(st.integers(1, 12), min_size=4))
    def begin(self, budget: int, windows: list[int]) -> None:
        """Begin with a few endpoints."""
        self.now = 0.0
        self.slots = Slots(budget)
        self.endpoints = [
            endpoint(name, window) for name, window in zip(NAMES, windows, strict=False)
        ]
        self.waiting: list[Ticket] = []
        self.running: list[Ticket] = []
        # Grants to others since an endpoint that waits could have had one.
        self.passed: Counter[str] = Counter()

    @rule(one=which, urgent=st.booleans())
    def ask(self, one: int, urgent: bool) -> None:  # noqa: FBT001  # hypothesis draws it
        """Ask for a slot."""
        ticket = Ticket(self.endpoints[one])
        granted = self.slots.ask(ticket, self.now, urgent=urgent)
        (self.running if granted else self.waiting).append(ticket)

    @rule(one=st.integers(0, 99))
    def end(self, one: int) -> None:
        """End a request."""
        if self.running:
            ticket = self.running.pop(one % len(self.running))
            self.slots.give_back(ticket.endpoint)
            self._dispatch()

    @rule(one=st.integers(0, 99))
    def give_up(self, one: int) -> None:
        """Let somebody wait no longer, for example because of a deadline."""
        if self.waiting:
            self.slots.withdraw(self.waiting.pop(one % len(self.waiting)))
            self._dispatch()

    @rule(one=which, size=st.integers(1, 12))
    def resize(self, one: int, size: int) -> None:
        """Let a window grow, or shrink below what is in flight."""
        self.endpoints[one].window = Window(size, first=size)
        self._dispatch()

    @rule(one=which, comes=st.booleans())
    def visit(self, one: int, comes: bool) -> None:  # noqa: FBT001  # hypothesis draws it
        """Let somebody have work for an endpoint, or none any more."""
        where = self.endpoints[one]
        if comes:
            self.slots.arrive(where)
        elif where.guests:
            self.slots.depart(where)
        self._dispatch()

    @rule(one=which, seconds=st.integers(0, 5))
    def pause(self, one: int, seconds: int) -> None:
        """Let an endpoint say that it wants to be left alone."""
        where = self.endpoints[one]
        where.resumes_at = max(where.resumes_at, self.now + seconds)

    @rule()
    def tick(self) -> None:
        """Let time pass."""
        self.now += 1
        self._dispatch()

    def _dispatch(self) -> None:
        """Give slots away; who has none is not passed over more often than there are others."""
        before = {where.name for where in self.endpoints if self._could_go(where)}
        for ticket in self.slots.dispatch(self.now):
            self.waiting.remove(ticket)
            self.running.append(ticket)
            self.passed[ticket.endpoint.name] = 0
            for name in before - {ticket.endpoint.name}:
                self.passed[name] += 1

        for where in self.endpoints:
            if not self._could_go(where):
                self.passed[where.name] = 0
            assert self.passed[where.name] < len(self.endpoints)

    def _could_go(self, where: Endpoint) -> bool:
        """Whether it waits, may go, and has nothing in flight."""
        return bool(where.queue) and where.wait(self.now) <= 0 and not where.in_flight

    @invariant()
    def never_more_than_the_budget_is_in_flight(self) -> None:
        """Require that what is counted is what there is, and within the budget."""
        if hasattr(self, "slots"):
            by_name = Counter(ticket.endpoint.name for ticket in self.running)

            assert len(self.running) == self.slots.in_flight <= self.slots.budget
            assert {w.name: w.in_flight for w in self.endpoints} == {n: by_name[n] for n in NAMES}
            assert len(self.waiting) == sum(where.queue for where in self.endpoints)

    @invariant()
    def nobody_waits_for_what_is_free(self) -> None:
        """Require that a window, a pause, or what is kept for others holds back who waits."""
        if hasattr(self, "slots"):
            free = self.slots.budget - self.slots.in_flight
            held = [where for where in self.endpoints if where.queue and where.wait(self.now) <= 0]
            held = [where for where in held if where.in_flight < where.window.size]

            assert not held or free <= self.slots.budget // 4

    def teardown(self) -> None:
        """Let everything end: then nobody waits any more."""
        self.now += 100
        self._dispatch()
        while self.running:
            self.slots.give_back(self.running.pop().endpoint)
            self._dispatch()

        assert [] == self.waiting


TestSharing = Sharing.TestCase


def test_whoever_is_alone_may_have_everything() -> None:
    """Nothing is kept for nobody."""
    slots, lake = Slots(8), endpoint()
    slots.arrive(lake)
    waiting = ask(slots, lake, 10)

    assert (8, 2) == (lake.in_flight, len(waiting))


def test_a_window_bounds_its_endpoint_only() -> None:
    """What one may not use, another may."""
    slots, lake, media = Slots(8), endpoint("lake", window=3), endpoint("media")
    ask(slots, lake, 10)
    ask(slots, media, 10)

    assert (3, 5) == (lake.in_flight, media.in_flight)


def test_slots_that_become_free_go_to_whoever_has_fewest() -> None:
    """Who had all comes to have a share, as its requests end."""
    slots, lake, media = Slots(8), endpoint("lake"), endpoint("media")
    ask(slots, lake, 20)
    ask(slots, media, 20)
    granted = [name for _ in range(5) for name in end(slots, lake)]

    assert ["media"] * 4 + ["lake"] == granted
    assert (4, 4) == (lake.in_flight, media.in_flight)


def test_endpoints_with_equally_many_take_turns() -> None:
    """Nobody is served twice while another one waits that has no more."""
    slots, first, others = Slots(6), endpoint("first"), [endpoint(name) for name in "abc"]
    for where in (first, *others):
        ask(slots, where, 10)
    served = [name for _ in range(4) for name in end(slots, first)]

    assert ["a", "b", "c", "a"] == served


def test_a_part_is_kept_for_others_that_have_work() -> None:
    """Who hangs with all that he could get has left a quarter for whoever comes."""
    slots, hanging, quick = Slots(16), endpoint("hanging"), endpoint("quick")
    slots.arrive(hanging)
    slots.arrive(quick)
    ask(slots, hanging, 99)
    before = hanging.in_flight
    waiting = ask(slots, quick, 2)

    assert (14, [], 2) == (before, waiting, quick.in_flight)


def test_what_was_kept_is_free_when_nobody_needs_it_any_more() -> None:
    """As soon as the others have no work left, who waits may go on."""
    slots, lake, media = Slots(16), endpoint("lake"), endpoint("media")
    slots.arrive(lake)
    slots.arrive(media)
    ask(slots, lake, 99)
    slots.depart(media)

    assert 2 == len(slots.dispatch(0))
    assert 16 == slots.in_flight


def test_a_window_that_shrinks_lets_what_is_in_flight_end() -> None:
    """Nobody goes before there is room again; then one after the other goes."""
    slots, lake = Slots(8), endpoint(window=4)
    ask(slots, lake, 6)
    lake.window = Window(1, first=1)
    granted = [end(slots, lake) for _ in range(4)]

    assert [[], [], [], ["lake"]] == granted


def test_what_completes_something_goes_first() -> None:
    """A look whether an abort worked does not wait for looks that begin something."""
    slots, lake = Slots(1), endpoint()
    ask(slots, lake)
    ordinary, urgent = Ticket(lake), Ticket(lake)
    slots.ask(ordinary, 0)
    slots.ask(urgent, 0, urgent=True)
    slots.give_back(lake)

    assert [urgent] == slots.dispatch(0)


def test_a_paused_endpoint_is_left_alone_by_all() -> None:
    """Retry-After is for everybody who asks there, and for nobody else."""
    slots, lake, media = Slots(8), endpoint("lake"), endpoint("media")
    lake.resumes_at = 10
    waiting = ask(slots, lake, 3, now=1) + ask(slots, media, 3, now=1)

    assert (3, 0, 3) == (len(waiting), lake.in_flight, media.in_flight)
    assert [] == slots.dispatch(9.9)
    assert waiting == slots.dispatch(10)


def test_whoever_is_forced_is_counted() -> None:
    """After a stop what was begun goes on at once; its slot is given back like any other."""
    slots, lake = Slots(1), endpoint()
    ask(slots, lake)
    (waiting,) = ask(slots, lake)
    slots.force(waiting)

    assert (2, True) == (slots.in_flight, waiting.granted)
    assert [[], []] == [end(slots, lake), end(slots, lake)]
    assert 0 == slots.in_flight


@pytest.mark.parametrize("steps", [[0.05] * 40, [0.3] * 10, [0.099, 0.101] * 10])
def test_a_rate_is_a_grid_in_time(steps: list[float]) -> None:
    """Ten a second: whoever comes late does not move those after it, and none comes early."""
    slots, lake = Slots(8), endpoint(per_second=10)
    now, begun = 1000.0, []
    ask(slots, lake, 500, now=now)
    begun.append(now)
    for step in steps:
        now += step
        for ticket in slots.dispatch(now):
            begun.append(now)
            slots.give_back(ticket.endpoint)
        passed = now - begun[0]

        assert len(begun) <= passed * 10 + 1 + 1e-6
    if max(steps) < 0.1:
        assert len(begun) >= (now - begun[0]) * 10 - 1


@law
@given(gaps=st.lists(st.floats(0, 3), max_size=50), rate=st.floats(0.1, 1000))
def test_places_are_never_closer_than_the_rate_says(gaps: list[float], rate: float) -> None:
    """Whoever takes a place in advance has to wait for it; on the whole the rate is kept."""
    lake = endpoint(per_second=rate)
    now, places = 50.0, []
    for gap in gaps:
        now += gap
        places.append(now + lake.place(now))

    for count, place in enumerate(places):
        assert count <= (place - places[0]) * rate + 1 + 1e-6
    assert places == sorted(places)
