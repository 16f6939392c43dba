"""How long we lead: a promise that runs out by our own clocks if nobody renews it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

# As client-go has it: 15 s, 10 s and, with jitter, 2 s there, 3 s here.
_RENEW_DEADLINE = 2 / 3
_RETRY = 1 / 5


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of an election, all from the lease's duration; in seconds.

    Others may begin `duration` after they saw our last renewal. We stop
    `renew_deadline` after we sent it, so that what was just begun can end.
    `patience` is how long one request may take.
    """

    duration: float
    renew_deadline: float
    retry: float
    patience: float

    @classmethod
    def of(cls, duration: timedelta) -> Timing:
        """Derive all times from the duration of the lease."""
        seconds = duration.total_seconds()
        return cls(seconds, seconds * _RENEW_DEADLINE, seconds * _RETRY, seconds * _RETRY)


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment by two clocks: one may be set, the other stands still while a machine sleeps."""

    ticks: float
    wall: float

    def until(self, later: Instant) -> float:
        """Give the seconds to another instant, by the clock that says more of them."""
        return max(later.ticks - self.ticks, abs(later.wall - self.wall))


class Term:
    """The time for which we lead, for any thread to ask.

    It begins with the first confirmed request and goes on as long as each
    next one is confirmed in time. It ends once and never begins again.
    """

    def __init__(
        self,
        timing: Timing,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._timing = timing
        self._clock = clock
        self._wall = wall
        self._lock = threading.Lock()
        self._sent: Instant | None = None
        self._over = False
        self._lost = False

    def now(self) -> Instant:
        """Read both clocks."""
        return Instant(self._clock(), self._wall())

    def confirm(self, sent: Instant) -> None:
        """Begin or go on: a request that was sent at `sent` made us the holder.

        What is confirmed too late changes nothing: nobody may have noticed
        that we had stopped, but we had.
        """
        with self._lock:
            if not self._check() and self._is_fresh(sent):
                self._sent = sent

    def lose(self) -> None:
        """End because somebody else leads, or might."""
        with self._lock:
            self._lost = self._lost or (self._sent is not None and not self._over)
            self._over = True

    def resign(self) -> None:
        """End because we want to; that is no loss."""
        with self._lock:
            self._check()
            self._over = True

    @property
    def leads(self) -> bool:
        """Whether we surely lead now."""
        return self.left > 0

    @property
    def left(self) -> float:
        """For how many seconds from now we surely lead; zero if we do not."""
        with self._lock:
            if self._check() or self._sent is None:
                return 0.0
            return self._timing.renew_deadline - self._sent.until(self.now())

    @property
    def lost(self) -> bool:
        """Whether we led and then did not, without wanting to stop."""
        with self._lock:
            self._check()
            return self._lost

    @property
    def over(self) -> bool:
        """Whether we shall never lead again."""
        with self._lock:
            return self._check()

    def _check(self) -> bool:
        """Notice that the time has run out; whoever asks first makes it final."""
        if not self._over and self._sent is not None and not self._is_fresh(self._sent):
            self._over = self._lost = True
        return self._over

    def _is_fresh(self, sent: Instant) -> bool:
        return sent.until(self.now()) < self._timing.renew_deadline
