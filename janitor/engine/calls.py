"""Makes every request to a provider: the one owner of retries, rates, deadlines and stopping."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from janitor import fibers
from janitor.engine.flow import LONGEST_RETRY_AFTER, Flow
from janitor.engine.slots import Ticket
from janitor.errors import DeadlineExceeded, Incomplete, Interrupted, ProviderError, Transient
from janitor.model import ContainerRef
from janitor.observe.events import Observer, RequestFinished, RequestRetried

T = TypeVar("T")

# How many requests may be in flight where nobody said how many.
BUDGET = 64
PASSED = "the deadline passed before everything was done"
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
    flow: Flow = field(default_factory=lambda: Flow(BUDGET))
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
            ticket = self._turn(
                where, operation, deadline, finish=finish, urgent=before is not None
            )
            try:
                if before is not None:
                    with self.flow.lending(ticket):
                        before()
            except BaseException:
                self.flow.drop(ticket)
                raise
            try:
                result = self._once(ticket, where, operation, function)
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

    def _turn(
        self, where: ContainerRef, operation: str, deadline: Deadline, *, finish: bool, urgent: bool
    ) -> Ticket:
        """Wait until a request may go out: for its caps and rates, and for a slot."""
        self._wait(self.flow.cap(where, operation), deadline, finish=finish)
        ticket = self.flow.ask(where, urgent=urgent or finish)
        if ticket.granted and not ticket.is_guest:
            return ticket
        try:
            if ticket.is_guest:
                seconds = self.flow.place(ticket)
            else:
                seconds = self._queue(ticket, deadline, finish=finish)
            self._wait(seconds, deadline, finish=finish)
        except BaseException:
            self.flow.drop(ticket)
            raise
        return ticket

    def _queue(self, ticket: Ticket, deadline: Deadline, *, finish: bool) -> float:
        """Wait for a slot; after a stop what was begun does not. Give the seconds to wait still."""
        while not ticket.granted:
            if finish and self.stop.is_set():
                return self.flow.force(ticket)
            self._check(deadline, finish=finish)
            if not self.flow.sleep(ticket, deadline.left()):
                raise DeadlineExceeded(PASSED, code="deadline")
        return 0.0

    def _time_for_waiting(self, deadline: Deadline, *, finish: bool) -> float:
        if finish and self.stop.is_set():
            return min(deadline.left(), LONGEST_DELAY_AFTER_STOP)
        return deadline.left()

    def pause(self, attempt: int, deadline: Deadline) -> None:
        """Let some time pass before another look at what was begun."""
        self._wait(self._delay(attempt, None), deadline, finish=True)

    def _once(
        self, ticket: Ticket, where: ContainerRef, operation: str, function: Callable[[], T]
    ) -> T:
        begun = time.perf_counter()
        try:
            result = function()
        except ProviderError as error:
            seconds = time.perf_counter() - begun
            self.flow.leave(ticket, operation, seconds, error)
            self.tell(RequestFinished(where, operation, seconds, error.code))
            raise
        except BaseException:
            self.flow.drop(ticket)
            self.tell(RequestFinished(where, operation, time.perf_counter() - begun, "crashed"))
            raise
        seconds = time.perf_counter() - begun
        self.flow.leave(ticket, operation, seconds, None)
        self.tell(RequestFinished(where, operation, seconds))
        return result

    def _delay(self, attempt: int, error: ProviderError | None) -> float:
        longest = min(self.patience.longest_delay, self.patience.first_delay * 2.0 ** (attempt - 1))
        jittered = random.uniform(longest / 2, longest)  # noqa: S311  # jitter is no secret
        asked = error.retry_after if isinstance(error, Transient) else None
        return max(jittered, min(asked or 0.0, LONGEST_RETRY_AFTER))

    def _wait(self, seconds: float, deadline: Deadline, *, finish: bool) -> None:
        if seconds > 0:
            allowed = min(seconds, max(0.0, deadline.left()))
            if finish and self.stop.is_set():
                fibers.sleep(allowed)
            else:
                fibers.pause(allowed, self.stop)
        self._check(deadline, finish=finish)

    def _check(self, deadline: Deadline, *, finish: bool) -> None:
        if not finish and self.stop.is_set():
            message = "a stop was asked for"
            raise Interrupted(message)
        if deadline.left() <= 0:
            raise DeadlineExceeded(PASSED, code="deadline")
