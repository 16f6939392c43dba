"""The threads of a run: each target has its own, as many as its window can use and no more.

A target whose requests park a fiber needs none: its jobs run in fibers of the one thread of a
hub.

A thread is begun when there is a job for it and the others are busy, rests
when too many wait for their turn at the endpoint, and ends when it has rested
for long or the crew is dismissed. So a target that hangs keeps its own threads
waiting, and nobody else's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from janitor import fibers
from janitor.engine.fiber_lane import FiberLane
from janitor.engine.flow import Flow
from janitor.engine.lane import Lane, Work
from janitor.engine.slots import Endpoint
from janitor.model import ContainerRef
from janitor.targets import Execution

# How many may wait for a slot before another thread would only wait as well.
SPARE = 2
# How many may be at something else, besides as many as have requests in flight; they may be on
# their way to a request. So many seconds later they were not, and there is room for one more.
ELSEWHERE = 8
STEP = 0.02
# Seconds after which a thread that has nothing to do ends. Its connections go with it. Where
# there are more than so many threads it rests only for a moment: of two thousand targets each
# may have one, and most have done all they have to do.
REST = 30.0
FEW = 128
MOMENT = 0.5
# What a thread may need of the stack. Below 2 MiB, or huge pages can make all of it real.
STACK = 1 << 20

_STARTING = threading.Lock()


class ThreadLane(Lane):
    """The threads of one target for one kind of work; `most` at once.

    Works that are there at the same time take turns, item by item.
    """

    def __init__(self, crew: Crew, endpoint: Endpoint, kind: str, most: int) -> None:
        super().__init__(crew.flow, endpoint)
        self._crew = crew
        self._name = f"{kind}-{endpoint.name}"
        self._most = most
        self._lock = threading.Lock()
        self._resting: list[threading.Lock] = []
        self._threads: set[threading.Thread] = set()
        self._grown_at = 0.0

    def feed(self, work: Work, items: Sequence[Any]) -> None:
        """Add items to a work; RuntimeError where there is no thread and none can be begun."""
        with self._lock:
            self._add(work, items)
            begun = self._encourage()
            if not begun and not self._threads:
                self._works.drop(work)
                message = "no thread can be begun"
                raise RuntimeError(message)

    def drop(self, work: Work) -> int:
        """Forget the items of a work that were not begun; tell how many."""
        with self._lock:
            return self._works.drop(work)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  # as its base has it
        """End all threads, after the jobs that are there."""
        with self._lock:
            self._dismissed = True
            if cancel_futures:
                self.cancel_errands()
            for rest in self._resting:
                rest.release()
            self._resting.clear()
            threads = list(self._threads)
        for thread in threads if wait else ():
            thread.join()

    def _encourage(self) -> bool:
        """Let one more thread work, if there is something for it to do; the lock is held."""
        if not self._works:
            return False
        busy = len(self._threads) - len(self._resting)
        if busy and (self._endpoint.queue >= SPARE or not self._may_be_more(busy)):
            return False
        self._grown_at = time.monotonic()
        if self._resting:
            # The one that rested least has the freshest connections.
            self._resting.pop().release()
            return True
        if len(self._threads) >= self._most or not self._crew.may_begin(first=not self._threads):
            return False
        return self._begin()

    def _begin(self) -> bool:
        name = f"{self._name}-{len(self._threads)}"
        thread = threading.Thread(target=self._work, name=name)
        self._threads.add(thread)
        try:
            with _STARTING:
                before = threading.stack_size(STACK)
                try:
                    thread.start()
                finally:
                    threading.stack_size(before)
        except RuntimeError:  # the system has no more for us: go on with what there is
            self._threads.discard(thread)
            self._crew.ended()
            return False
        return True

    def _work(self) -> None:
        try:
            while (found := self._next()) is not None:
                work, item = found
                work.do(item)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())
            self._crew.ended()

    def _next(self) -> tuple[Work, Any] | None:
        """Take the next job; None where the thread should end."""
        while True:
            with self._lock:
                if self._works and not self._is_surplus():
                    return self._take()
                if self._dismissed:
                    return None
                rest = threading.Lock()
                rest.acquire()
                self._resting.append(rest)
            if not rest.acquire(timeout=self._crew.rest):
                with self._lock:
                    if rest in self._resting:
                        self._resting.remove(rest)
                        return None

    def _take(self) -> tuple[Work, Any]:
        taken = self._works.take()
        self._encourage()
        return taken

    def _may_be_more(self, busy: int) -> bool:
        """Whether one more would have something to do that those on their way would not take."""
        elsewhere = busy - 2 * self._endpoint.in_flight - self._endpoint.queue
        return elsewhere < ELSEWHERE or time.monotonic() - self._grown_at >= STEP

    def _is_surplus(self) -> bool:
        """Whether so many wait for their turn that this thread would only be one more."""
        busy = len(self._threads) - len(self._resting)
        return busy > 1 and self._endpoint.queue > 2 * SPARE


class Crew:
    """All lanes of a run.

    Leaving the `with` block ends all threads, after the jobs that are there.
    """

    def __init__(self, flow: Flow, execution: Execution) -> None:
        self.flow = flow
        self.abreast = execution.listing_threads
        self.window = 2 * flow.budget
        self._requests = flow.budget
        # Each lane can have one more: it gets somewhere whatever the others have.
        self._most = 2 * (flow.budget + execution.listing_threads)
        self._threads = 0
        self._lock = threading.Lock()
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._hub = fibers.Hub()
        self._parking: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            lanes = list(self._lanes.values())
        for lane in lanes:
            lane.shutdown(wait=False)
        for lane in lanes:
            lane.shutdown()
        self._hub.close()

    def let_park(self, target: str) -> None:
        """Note that the requests of a target park a fiber, and block nobody."""
        if fibers.AVAILABLE:
            self._parking.add(target)

    def requests(self, where: ContainerRef) -> Lane:
        """Give what makes a target's requests, one upload at a time."""
        return self._lane(where, "request", self._requests)

    def listings(self, where: ContainerRef) -> Lane:
        """Give the threads that list a target's containers, and may wait for the others."""
        return self._lane(where, "listing", self.abreast)

    def _lane(self, where: ContainerRef, kind: str, most: int) -> Lane:
        endpoint = self.flow.endpoint(where)
        with self._lock:
            key = (kind, where.target)
            if key not in self._lanes:
                self._lanes[key] = self._made(endpoint, kind, most)
            return self._lanes[key]

    def _made(self, endpoint: Endpoint, kind: str, most: int) -> Lane:
        if kind == "request" and endpoint.name in self._parking:
            return FiberLane(self._hub, self.flow, endpoint, most)
        return ThreadLane(self, endpoint, kind, most)

    @property
    def rest(self) -> float:
        """Give the seconds that a thread may have nothing to do."""
        return REST if self._threads <= FEW else MOMENT

    def may_begin(self, *, first: bool) -> bool:
        """Count one more thread, if there may be one; each lane may have its first."""
        with self._lock:
            if not first and self._threads >= self._most:
                return False
            self._threads += 1
            return True

    def ended(self) -> None:
        """Count one thread less."""
        with self._lock:
            self._threads -= 1
