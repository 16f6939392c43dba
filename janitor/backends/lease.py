"""For how long a worker may begin aborts: two clocks are asked, and either can end it."""

from __future__ import annotations

import time

from janitor.errors import Interrupted

# The part of a lease that is kept for what was begun: an abort may have to be sent again.
SPARE = 1 / 3
OVER = "the time that this piece of work had for aborts is over"


class LeaseOver(Interrupted):
    """The worker may begin no more aborts for this piece."""


class Lease:
    """The lease of one piece, from its begin.

    `ends` is the machine's time, in seconds since 1970, after which nothing
    may begin whatever the other clock says; it goes on while the machine sleeps.
    """

    def __init__(self, seconds: float, ends: float) -> None:
        self._until = time.monotonic() + seconds
        self._ends = ends
        self._spare = seconds * SPARE

    @property
    def left(self) -> float:
        """The seconds that are left, by the clock that says less; negative when it is over."""
        return min(self._until - time.monotonic(), self._ends - time.time())

    @property
    def closing(self) -> bool:
        """Whether no other upload shall be begun: what is begun needs time for its end."""
        return self.left <= self._spare

    def demand(self) -> None:
        """Return if an abort may begin now, else raise LeaseOver."""
        if self.left <= 0:
            raise LeaseOver(OVER)
