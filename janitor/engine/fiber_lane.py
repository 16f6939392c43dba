"""What a lane is made of where requests park: fibers instead of threads."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from janitor.engine.flow import Flow
from janitor.engine.lane import Lane, Work
from janitor.engine.slots import Endpoint
from janitor.fibers import Hub, sleep

# After so many jobs a fiber lets others go on, also where none of them had to wait: such as after
# a stop, when all that is left is refused at once.
IN_A_ROW = 16


class FiberLane(Lane):
    """The fibers of one target; `most` at once, all in the thread of one hub."""

    def __init__(self, hub: Hub, flow: Flow, endpoint: Endpoint, most: int) -> None:
        super().__init__(flow, endpoint)
        self._hub = hub
        self._most = most
        self._busy = 0
        self._state = threading.Condition()

    def feed(self, work: Work, items: Sequence[Any]) -> None:
        """Add items to a work; RuntimeError where no thread can be begun for the fibers."""
        with self._state:
            self._add(work, items)
            wanted = min(len(items), self._most - self._busy)
            self._busy += wanted
        for begun in range(wanted):
            try:
                self._hub.begin(self._work)
            except RuntimeError:
                with self._state:
                    self._busy -= wanted - begun
                self.drop(work)
                raise

    def drop(self, work: Work) -> int:
        """Forget the items of a work that were not begun; tell how many."""
        with self._state:
            return self._works.drop(work)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  # as its base has it
        """End all fibers, after the jobs that are there."""
        with self._state:
            self._dismissed = True
            if cancel_futures:
                self.cancel_errands()
            if wait:
                self._state.wait_for(lambda: not self._busy)

    def _work(self) -> None:
        done = 0
        while (found := self._next()) is not None:
            work, item = found
            work.do(item)
            done += 1
            if not done % IN_A_ROW:
                sleep(0)

    def _next(self) -> tuple[Work, Any] | None:
        with self._state:
            if not self._works:
                self._busy -= 1
                if self._dismissed and not self._busy:
                    self._state.notify_all()
                return None
            return self._works.take()
