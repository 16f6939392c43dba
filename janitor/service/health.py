"""Whether the daemon still does its work, and if not, why. Its clock must never jump."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from enum import Enum

# What a sweep may take beyond its own deadline: it finishes the requests it began.
_LEEWAY = timedelta(minutes=15)


class _Phase(Enum):
    STARTING = "the daemon is starting"
    SERVING = ""
    STOPPING = "the daemon is stopping"


class Health:
    """Told by the daemon what happens, asked by the web server how things are.

    `longest_sweep` is the deadline of a whole sweep. `clock` gives seconds and
    must not jump.
    """

    def __init__(
        self, longest_sweep: timedelta, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._longest = longest_sweep + _LEEWAY
        self._clock = clock
        self._lock = threading.Lock()
        self._phase = _Phase.STARTING
        self._alive: Callable[[], bool] = lambda: True
        self._patience: Callable[[], timedelta] = lambda: timedelta.max
        self._began: float | None = None
        self._done = clock()
        self._patient_for = timedelta.max

    def serving(self, alive: Callable[[], bool], patience: Callable[[], timedelta]) -> None:
        """Note that the schedule is known and watched; `patience` is what three intervals take."""
        with self._lock:
            self._alive, self._patience = alive, patience
            self._phase = _Phase.SERVING
            self._done = self._clock()
            self._patient_for = patience()

    def allow(self, longest_sweep: timedelta, *, rescheduled: bool = False) -> None:
        """Note another deadline for whole sweeps; three intervals of a new schedule begin now."""
        with self._lock:
            self._longest = longest_sweep + _LEEWAY
            if rescheduled:
                # What has passed already was by the old one, and nobody's fault.
                passed = timedelta(seconds=self._clock() - self._done)
                self._patient_for = passed + self._patience()

    def sweep_skipped(self) -> None:
        """Note that one was due and is somebody else's to do: that is as good as done."""
        with self._lock:
            self._done = self._clock()
            self._patient_for = self._patience()

    def stopping(self) -> None:
        """Note that a stop was asked for: from now on nothing is overdue."""
        with self._lock:
            self._phase = _Phase.STOPPING

    def sweep_began(self) -> None:
        """Note that a sweep is running."""
        with self._lock:
            self._began = self._clock()

    def sweep_ended(self, *, crashed: bool) -> None:
        """Note that it is not running any more; a crash counts as if it had not been."""
        with self._lock:
            self._began = None
            if not crashed:
                self._done = self._clock()
                self._patient_for = self._patience()

    @property
    def sweeping(self) -> bool:
        """Whether a sweep is running."""
        with self._lock:
            return self._began is not None

    def ailment(self) -> str | None:
        """Say what is wrong and only a restart may mend; None if nothing is."""
        with self._lock:
            if self._phase is not _Phase.SERVING:
                return None
            if not self._alive():
                return "the scheduler is dead"
            now = self._clock()
            if self._began is None:
                return _overdue("no sweep has finished for", now - self._done, self._patient_for)
            longest = max(self._longest, self._patient_for)
            return _overdue("a sweep has been running for", now - self._began, longest)

    def unreadiness(self) -> str | None:
        """Say why the daemon is not at work; None if it is."""
        with self._lock:
            return self._phase.value or None


def _overdue(what: str, seconds: float, allowed: timedelta) -> str | None:
    if seconds <= allowed.total_seconds():
        return None
    return f"{what} {timedelta(seconds=int(seconds))}, more than {allowed}"
