"""Makes every request to a provider: the one owner of retries, rates, deadlines and stopping."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from janitor.errors import DeadlineExceeded, Incomplete, Interrupted, ProviderError, Transient
from janitor.model import ContainerRef
from janitor.observe.events import Observer, RequestFinished, RequestRetried

T = TypeVar("T")

LONGEST_RETRY_AFTER = 60.0
# Whoever asked for a stop waits for us.
LONGEST_DELAY_AFTER_STOP = 2.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long to try again: attempts in all, first and longest delay (seconds)."""

    attempts: int = 6
    first_delay: float = 0.5
    longest_delay: float = 20.0


class Deadline:
    """An instant on the monotonic clock after which no request is begun."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Give the seconds that are left; negative when it has passed."""
        return self._at - time.monotonic()


class RateLimit:
    """Spaces the beginnings of requests evenly over all threads."""

    def __init__(self, per_second: float | None) -> None:
        self._interval = 0.0 if per_second is None else 1.0 / per_second
        self._next = 0.0
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Take the next free place; give the seconds to wait for it."""
        if not self._interval:
            return 0.0
        with self._lock:
            now = time.monotonic()
            place = max(now, self._next)
            self._next = place + self._interval
            return place - now


class RetryBudget:
    """Bounds the retries of a whole run, so that a sick provider is not asked ever more.

    Each target has its own, so that one that is down takes none from the others.
    """

    def __init__(self, free: int = 200, share: float = 0.1) -> None:
        self._left: defaultdict[str, float] = defaultdict(lambda: float(free))
        self._share = share
        self._lock = threading.Lock()

    def earn(self, target: str) -> None:
        """Note one success."""
        with self._lock:
            self._left[target] += self._share

    def spend(self, target: str) -> bool:
        """Take one retry; False when none is left."""
        with self._lock:
            if self._left[target] < 1:
                return False
            self._left[target] -= 1
            return True


@dataclass(slots=True)
class Caller:
    """Makes calls for a whole run, from any thread."""

    tell: Observer
    stop: threading.Event = field(default_factory=threading.Event)
    patience: Patience = field(default_factory=Patience)
    rate: RateLimit = field(default_factory=lambda: RateLimit(None))
    budget: RetryBudget = field(default_factory=RetryBudget)

    def call(  # noqa: PLR0913  # each is a fact about one call
        self,
        where: ContainerRef,
        operation: str,
        function: Callable[[], T],
        deadline: Deadline,
        *,
        finish: bool = False,
        before: Callable[[], None] | None = None,
        on_retry: Callable[[Transient | Incomplete], None] | None = None,
    ) -> T:
        """Call until it succeeds, fails for good, or there is no time or budget left.

        Raises what the provider raised last, DeadlineExceeded, or Interrupted
        when a stop was asked for before the next request. `finish` goes on in
        spite of a stop, for requests that complete what was begun, but waits
        no more than a moment then. `before` runs right before every try, after
        all waiting; what it raises ends the call. `on_retry` hears of every
        failure that is tried again.
        """
        attempt = 0
        while True:
            self._wait(self.rate.reserve(), deadline, finish=finish)
            if before is not None:
                before()
            try:
                result = self._once(where, operation, function)
            except (Transient, Incomplete) as error:
                attempt += 1
                if attempt >= self.patience.attempts or not self.budget.spend(where.target):
                    raise
                delay = self._delay(attempt, error)
                if delay >= self._time_for_waiting(deadline, finish=finish):
                    raise
                if on_retry is not None:
                    on_retry(error)
                self.tell(RequestRetried(where, operation, error.code, delay))
                self._wait(delay, deadline, finish=finish)
            else:
                self.budget.earn(where.target)
                return result

    def _time_for_waiting(self, deadline: Deadline, *, finish: bool) -> float:
        if finish and self.stop.is_set():
            return min(deadline.left(), LONGEST_DELAY_AFTER_STOP)
        return deadline.left()

    def pause(self, attempt: int, deadline: Deadline) -> None:
        """Let some time pass before another look at what was begun."""
        self._wait(self._delay(attempt, None), deadline, finish=True)

    def _once(self, where: ContainerRef, operation: str, function: Callable[[], T]) -> T:
        begun = time.perf_counter()
        code: str | None = "crashed"
        try:
            result = function()
            code = None
        except ProviderError as error:
            code = error.code
            raise
        finally:
            self.tell(RequestFinished(where, operation, time.perf_counter() - begun, code))
        return result

    def _delay(self, attempt: int, error: ProviderError | None) -> float:
        longest = min(self.patience.longest_delay, self.patience.first_delay * 2.0 ** (attempt - 1))
        jittered = random.uniform(longest / 2, longest)  # noqa: S311  # jitter is no secret
        asked = error.retry_after if isinstance(error, Transient) else None
        return max(jittered, min(asked or 0.0, LONGEST_RETRY_AFTER))

    def _wait(self, seconds: float, deadline: Deadline, *, finish: bool) -> None:
        allowed = min(seconds, max(0.0, deadline.left()))
        if seconds > 0 and finish and self.stop.is_set():
            time.sleep(allowed)
        elif seconds > 0:
            self.stop.wait(allowed)
        if self.stop.is_set() and not finish:
            message = "a stop was asked for"
            raise Interrupted(message)
        if deadline.left() <= 0:
            message = "the deadline passed before everything was done"
            raise DeadlineExceeded(message, code="deadline")
