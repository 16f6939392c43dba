"""A simulated world of electors: one Lease, bad networks, pauses, and clocks that disagree.

Time is a number, so that every run is the same for the same seed. The electors
follow the real rules; only the requests are carried by this world.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random

from janitor.service.lease_rules import (
    NOBODY,
    Absent,
    Answer,
    Ask,
    Candidate,
    Conflict,
    Failed,
    Lease,
    Read,
    Record,
    Turn,
    Write,
)
from janitor.service.lease_term import Instant, Term, Timing

DURATION = 15.0
# Whoever deletes a Lease that was just made can make two leaders.
_OLD_ENOUGH = DURATION


class TwoLeaders(AssertionError):  # noqa: N818  # says what happened
    """What must never happen."""


@dataclass(slots=True)
class Elector:
    """One process: its clocks, and what it is in the middle of."""

    name: str
    rate: float
    skew: float
    candidate: Candidate = field(init=False)
    term: Term = field(init=False)
    turn: Turn | None = None
    waits_for: int = -1
    paused_until: float = 0.0
    partitioned_until: float = 0.0
    dead: bool = False
    leaving: bool = False

    def leads_at(self, instant: Instant, deadline: float) -> bool:
        """Whether it would say that it leads; asking it would make it notice that it does not."""
        sent = self.term._sent  # noqa: SLF001  # see above
        over = self.term._over  # noqa: SLF001  # the same
        return not self.dead and not over and sent is not None and sent.until(instant) < deadline


class World:
    """Runs electors until a time, and makes sure at every event that at most one leads."""

    def __init__(self, seed: int, electors: int, timing: Timing | None = None) -> None:
        self.timing = timing or Timing(DURATION, DURATION * 2 / 3, DURATION / 5, DURATION / 5)
        self.reached: Counter[str] = Counter()
        self.calm = False
        self.time = 0.0
        self.lease: Lease | None = None
        self.leaders: list[str] = []
        self._random = Random(seed)  # noqa: S311  # a simulation, not a secret
        self._number = count(1)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._made = 0.0
        self.electors = [self._start() for _ in range(electors)]
        self._later(self._random.uniform(0, DURATION), self._mischief)

    def run(self, until: float) -> None:
        """Go through everything that happens until then."""
        while self._events and self._events[0][0] <= until:
            self.time, _, happen = heapq.heappop(self._events)
            happen()
            self._check()
        self.time = until

    def leading(self) -> list[str]:
        """Name those who lead now."""
        deadline = self.timing.renew_deadline
        return [one.name for one in self.electors if one.leads_at(self._instant(one), deadline)]

    def _check(self) -> None:
        leading = self.leading()
        if len(leading) > 1:
            raise TwoLeaders(leading)
        if leading and leading != self.leaders[-1:]:
            self.reached["failover" if self.leaders else "first"] += 1
            self.leaders += leading

    def _instant(self, one: Elector) -> Instant:
        return Instant(self.time * one.rate, self.time + one.skew)

    def _later(self, seconds: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.time + seconds, next(self._number), happen))

    def _start(self) -> Elector:
        """Start a process, with clocks of its own."""
        draw = self._random
        one = Elector(f"e{next(self._number)}", draw.uniform(0.95, 1.05), draw.uniform(-1e4, 1e4))
        one.skew += 1e6  # so that no clock shows a time before 1970
        one.term = Term(
            self.timing, lambda: self._instant(one).ticks, lambda: self._instant(one).wall
        )
        one.candidate = Candidate(one.name, self.timing, one.term, draw.uniform)
        self._later(draw.uniform(0, 5), lambda: self._wake(one))
        return one

    def _replace(self, one: Elector) -> None:
        one.dead = True
        self.electors.remove(one)
        self._later(self._random.uniform(0.5, 10), lambda: self.electors.append(self._start()))

    def _awake(self, one: Elector, again: Callable[[], None]) -> bool:
        """Put off what a stopped process cannot do; False if it cannot do it now."""
        if one.dead:
            return False
        if one.paused_until > self.time:
            self._later(one.paused_until - self.time, again)
            return False
        return True

    def _wake(self, one: Elector) -> None:
        if not self._awake(one, lambda: self._wake(one)):
            return
        if one.term.over and not one.leaving:
            self.reached["lost" if one.term.lost else "resigned"] += 1
            one.leaving = True
        if one.leaving:
            one.turn = one.candidate.release()
        else:
            one.turn = one.candidate.turn()
        self._go_on(one, None)

    def _go_on(self, one: Elector, answer: Answer | None) -> None:
        """Let the rules go on to their next request, or to the end of their turn."""
        assert one.turn is not None
        try:
            ask = next(one.turn) if answer is None else one.turn.send(answer)
        except StopIteration:
            if one.leaving:
                self._replace(one)
            else:
                self._later(one.candidate.pause() / one.rate, lambda: self._wake(one))
            return
        # The process may be stopped between reading its clock and sending.
        self._later(0, lambda: self._send(one, ask))

    def _send(self, one: Elector, ask: Ask) -> None:
        if not self._awake(one, lambda: self._send(one, ask)):
            return
        one.waits_for = number = next(self._number)
        self._later(ask.timeout / one.rate, lambda: self._arrive(one, number, Failed("timeout")))
        there, back = self._delay(), self._delay()
        if self._is_cut(one):
            return
        self._later(there, lambda: self._serve(one, number, ask, back))
        if isinstance(ask, Write) and not self.calm and self._random.random() < 0.03:
            # Stopped while the answer is on its way: it is heard long after.
            one.paused_until = self.time + self._random.uniform(0, 3 * DURATION)
            self.reached["stopped while it wrote"] += 1

    def _serve(self, one: Elector, number: int, ask: Ask, back: float) -> None:
        if not self.calm and self._random.random() < 0.02:
            answer: Answer = Failed("500", self._random.choice([None, 1.0, 60.0]))
            self.reached["refused"] += 1
        else:
            answer = self._answer(ask)
        if one.waits_for != number:
            self.reached["served too late"] += isinstance(ask, Write)
        if self._is_cut(one):
            self.reached["answer lost"] += 1
            return
        self._later(back, lambda: self._arrive(one, number, answer))

    def _arrive(self, one: Elector, number: int, answer: Answer) -> None:
        if one.waits_for != number or not self._awake(
            one, lambda: self._arrive(one, number, answer)
        ):
            return
        one.waits_for = -1
        self.reached[type(answer).__name__] += 1
        self._go_on(one, answer)

    def _answer(self, ask: Ask) -> Answer:
        """Do what an API server does with a Lease."""
        lease = self.lease
        if isinstance(ask, Read):
            return lease or Absent()
        if ask.base is None and lease is not None:
            return Conflict()
        if ask.base is not None and lease is None:
            return Absent()
        if lease is not None and ask.base is not None and lease.version != ask.base.version:
            return Conflict()
        self._audit(lease.record if lease else Record(transitions=-1), ask.record)
        self._made = self.time if lease is None else self._made
        # A write that changes nothing is none.
        if lease is None or lease.record != ask.record:
            self.lease = Lease(ask.record, str(next(self._number)))
        assert self.lease is not None
        return self.lease

    def _audit(self, before: Record, after: Record) -> None:
        """Check that each record tells the truth about the one before."""
        assert after.acquired is not None
        assert after.renewed is not None
        if after.holder == NOBODY:
            assert before.transitions == after.transitions
        elif after.holder == before.holder:
            assert (before.acquired, before.transitions) == (after.acquired, after.transitions)
        else:
            assert after.acquired == after.renewed
            assert before.transitions + 1 == after.transitions

    def _delay(self) -> float:
        draw = self._random
        if self.calm or draw.random() < 0.8:
            return draw.uniform(0.001, 0.1)
        return draw.choice([draw.uniform(0.1, 3), draw.uniform(3, 2 * DURATION)])

    def _is_cut(self, one: Elector) -> bool:
        return one.partitioned_until > self.time

    def _mischief(self) -> None:
        """Do something bad, and something bad again later."""
        if self.calm:
            return
        draw = self._random
        one = draw.choice(self.electors) if self.electors else None
        kind = draw.choice(
            ["pause", "pause", "cut", "cut", "all cut", "kill", "leave", "step", "touch", "delete"]
        )
        self._do(kind, one)
        self._later(draw.uniform(0, DURATION), self._mischief)

    def _do(self, kind: str, one: Elector | None) -> None:  # noqa: C901  # a list of mischief
        draw, length = self._random, self._random.uniform(0, 3 * DURATION)
        if one is not None:
            self.reached[kind] += 1
        match kind, one:
            case "pause", Elector():
                one.paused_until = self.time + length
            case "cut", Elector():
                one.partitioned_until = self.time + length
            case "all cut", _:
                for each in self.electors:
                    each.partitioned_until = self.time + length
            case "kill", Elector():
                self._replace(one)
            case "leave", Elector():
                one.term.resign()
            case "step", Elector():
                one.skew += draw.choice([-3600.0, -8.0, -1.0, 1.0, 8.0, 3600.0])
            case "touch", _ if self.lease is not None:
                self.lease = replace(self.lease, version=str(next(self._number)))
            case "delete", _ if self.lease and self.time > self._made + _OLD_ENOUGH:
                self._made = self.time
                # Sometimes somebody puts a new one in its place.
                blank = Lease(Record(), str(next(self._number)))
                self.lease = draw.choice([None, blank])
