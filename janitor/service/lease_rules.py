"""The rules of an election by Lease. Pure: they ask for requests and get answers, and do no I/O.

What is observed of others counts from when we saw it, by our own clock, so the
clocks of nodes need not agree. What we hold counts from before we asked for it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from janitor.service.lease_term import Instant, Term, Timing

NOBODY = ""
_A_TICK = timedelta(microseconds=1)
# What client-go writes when it lets go: long enough to be valid.
_LET_GO = 1
# How many retries may lie between two looks for a Lease that is missing.
_LOOKS = 2.5


@dataclass(frozen=True, slots=True)
class Record:
    """What a Lease says of its holder; `duration` in seconds, None where it says nothing."""

    holder: str = NOBODY
    duration: int | None = None
    acquired: datetime | None = None
    renewed: datetime | None = None
    transitions: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """A Lease as it was read: every write changes its `version`; `kept` is what we leave alone."""

    record: Record
    version: str
    kept: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Read:
    """Ask what the Lease says."""

    timeout: float


@dataclass(frozen=True, slots=True)
class Write:
    """Ask to write a record: over `base` if nobody wrote since, or as new if that is None."""

    record: Record
    base: Lease | None
    timeout: float


@dataclass(frozen=True, slots=True)
class Absent:
    """There surely is no such Lease."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody else wrote first."""


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer, or none that helps; `retry_after` in seconds is what the server asked for."""

    reason: str
    retry_after: float | None = None


Ask: TypeAlias = Read | Write
Answer: TypeAlias = Lease | Absent | Conflict | Failed
Turn: TypeAlias = Generator[Ask, Answer, None]


@dataclass(frozen=True, slots=True)
class _Sight:
    """What we see (None: that there is no Lease), since when and until when, by our own clock."""

    version: str | None
    since: float
    until: float


class Candidate:
    """One who wants to lead: what it asks for next, given all answers so far.

    `turn` is one try to lead or to go on leading; `pause` is for how long to
    wait after it. `trouble` is why the last turn came to nothing, `holder` who
    holds the Lease as far as we know.
    """

    def __init__(
        self,
        identity: str,
        timing: Timing,
        term: Term,
        chance: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.identity = identity
        self.holder = NOBODY
        self.trouble: Failed | None = None
        self._timing = timing
        self._term = term
        self._chance = chance
        self._sight: _Sight | None = None
        self._held: Lease | None = None
        self._wrote = False
        # Nothing tells when a new Lease whose answer was lost was made: unlike
        # a change, it does not name the version that it follows.
        self._made_blindly = False
        self._begun = term.now()

    def turn(self) -> Turn:
        """Try once to lead, or to go on leading."""
        self._begun = self._term.now()
        self.trouble = None
        if self._term.leads and self._held is not None:
            yield from self._renew(self._held)
        elif not self._term.over:
            yield from self._acquire()

    def pause(self) -> float:
        """Give the seconds to wait from now; a leader does not let its time run out meanwhile."""
        retry, left = self._timing.retry, self._term.left
        since = self._begun.until(self._term.now())
        spread = self._chance(0.8, 1.0) if left > 0 else self._chance(0.8, 1.2)
        pause = retry * spread - since
        if self.trouble is not None and self.trouble.retry_after is not None:
            # No server may make us wait for hours.
            pause = max(pause, min(self.trouble.retry_after, self._timing.duration))
        if left > 0:
            pause = min(pause, left - retry * 0.5)
        return max(pause, self._least)

    def release(self) -> Turn:
        """Let go of what we hold or may hold, so that the next one need not wait."""
        self._term.resign()
        if not self._wrote:
            return
        timeout = self._timing.patience
        answer: Answer = self._held or (yield Read(timeout))
        if isinstance(answer, Lease) and answer.record.holder == self.identity:
            answer = yield Write(self._let_go(answer.record), answer, timeout)
        if isinstance(answer, Conflict):
            # A write of ours whose answer was lost may have come through.
            answer = yield Read(timeout)
            if isinstance(answer, Lease) and answer.record.holder == self.identity:
                answer = yield Write(self._let_go(answer.record), answer, timeout)
        self.trouble = answer if isinstance(answer, Failed) else None

    def _renew(self, held: Lease) -> Turn:
        answer = yield from self._write(held)
        if isinstance(answer, Conflict):
            found = yield Read(self._timeout())
            if isinstance(found, Lease) and found.record.holder == self.identity:
                answer = yield from self._write(found)
            else:
                answer = found
                self.holder = found.record.holder if isinstance(found, Lease) else self.holder
                self.trouble = found if isinstance(found, Failed) else None
        # Whoever finds no Lease will make one: it is not ours any more.
        if isinstance(answer, Absent) or (
            isinstance(answer, Lease) and answer.record.holder != self.identity
        ):
            self._term.lose()

    def _acquire(self) -> Turn:
        answer = yield Read(self._timeout())
        match answer:
            case Lease(record=record):
                self.holder = record.holder
                if self._may_take(answer):
                    yield from self._write(answer)
            case Absent():
                self.holder = NOBODY
                if self._seen_for(None) >= self._timing.duration:
                    yield from self._write(None)
            case Conflict():
                self.trouble = Failed("a conflict, although nothing was written")
            case Failed():
                self.trouble = answer

    def _may_take(self, lease: Lease) -> bool:
        """Whether nobody can still believe to hold it.

        Any write to it is taken for a sign of life. One without a holder that
        was never held may be a new one in place of one that somebody holds.
        """
        record = lease.record
        seen_for = self._seen_for(lease.version)
        if record.holder == self.identity and not self._made_blindly:
            return True
        if record.holder == NOBODY and record.renewed is not None:
            return True
        return seen_for >= max(self._timing.duration, record.duration or 0)

    def _seen_for(self, version: str | None) -> float:
        """Give the seconds for which we have seen the Lease as it is, or None: as missing.

        A version never comes back, but a missing Lease may have been there
        while we did not look.
        """
        ticks, seen = self._term.now().ticks, self._sight
        looked = seen is not None and (
            version is not None or ticks - seen.until <= _LOOKS * self._timing.retry
        )
        if seen is None or seen.version != version or not looked:
            seen = _Sight(version, ticks, ticks)
        self._sight = replace(seen, until=ticks)
        return ticks - seen.since

    def _write(self, base: Lease | None) -> Generator[Ask, Answer, Answer]:
        """Write that we hold it; what that is good for counts from before it was sent."""
        sent = self._term.now()
        self._wrote = True
        answer = yield Write(self._claim(base, sent), base, self._timeout())
        if isinstance(answer, Lease) and base is not None and answer.version == base.version:
            answer = Failed("the server accepted a write and changed nothing")
        match answer:
            case Lease(record=record) if record.holder == self.identity:
                self._held = answer
                self.holder = record.holder
                self._term.confirm(sent)
                self._made_blindly = False
            case Failed():
                self.trouble = answer
                self._made_blindly = self._made_blindly or base is None
        return answer

    def _claim(self, base: Lease | None, sent: Instant) -> Record:
        before = Record(transitions=-1) if base is None else base.record
        ours = before.holder == self.identity
        renewed = _moment(sent.wall, before.renewed)
        return Record(
            holder=self.identity,
            duration=math.ceil(self._timing.duration),
            acquired=before.acquired if ours else renewed,
            renewed=renewed,
            transitions=before.transitions if ours else before.transitions + 1,
        )

    def _let_go(self, held: Record) -> Record:
        at = _moment(self._term.now().wall, held.renewed)
        return Record(NOBODY, _LET_GO, at, at, held.transitions)

    def _timeout(self) -> float:
        """Give the time for one answer: for a leader one that comes too late is of no help."""
        left = self._term.left
        wanted = min(self._timing.patience, left) if left > 0 else self._timing.patience
        return max(wanted, self._least)

    @property
    def _least(self) -> float:
        """No wait is shorter, lest ever shorter ones become a busy loop."""
        return self._timing.retry * 0.1


def _moment(wall: float, before: datetime | None) -> datetime:
    """Give the time as a Lease has it; never the same twice, or the server would write nothing.

    Nor one without microseconds: the client leaves zeros out, which the server
    does not understand.
    """
    moment = datetime.fromtimestamp(wall, UTC)
    while moment == before or not moment.microsecond:
        moment += _A_TICK
    return moment
