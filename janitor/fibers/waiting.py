"""Ways to wait that park a fiber, and block an ordinary thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from janitor.fibers.hub import Parking, here

T = TypeVar("T")

# How soon a fiber that pauses notices a stop (seconds).
GLANCE = 0.05


class Latch:
    """Opens once, and stays open; at most one waits for it at a time."""

    __slots__ = ("_parking", "_turn", "is_open")

    def __init__(self) -> None:
        self.is_open = False
        self._turn: threading.Lock | None = None
        self._parking: Parking | None = None

    def open(self) -> None:
        """Let who waits go on, now or later; from any thread, and as often as you like."""
        # First this and then the look for who waits; who waits does it the other way round.
        self.is_open = True
        parking, turn = self._parking, self._turn
        if parking is not None:
            parking.resume()
        if turn is not None:
            try:
                turn.release()
            except RuntimeError:
                return  # somebody else was quicker

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is open, or for so long; tell whether it is open."""
        if self.is_open:
            return True
        hub = here()
        if hub is not None:
            hub.park(self._park, seconds)
            self._parking = None
            return self.is_open
        self._turn = turn = threading.Lock()
        turn.acquire()
        if not self.is_open:
            turn.acquire(timeout=-1 if seconds is None else max(0.0, seconds))
        self._turn = None
        return self.is_open

    def _park(self, parking: Parking) -> None:
        self._parking = parking
        if self.is_open:
            parking.resume()


def fulfil(future: Future[T], function: Callable[[], T]) -> None:
    """Run a function, and let whoever waits for the future have what it gives or raises."""
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001  # whoever waits for it is told
        future.set_exception(error)
    else:
        future.set_result(result)


def offload(function: Callable[[], T]) -> T:
    """Run a function that blocks: in a fiber in another thread meanwhile, else right here."""
    hub = here()
    if hub is None:
        return function()
    future: Future[T] = Future()
    taken = threading.Lock()

    def work() -> None:
        if taken.acquire(blocking=False):
            fulfil(future, function)

    try:
        hub.helpers().submit(work)
    except RuntimeError:
        # The system has no thread for it, but it may be queued all the same: the first one does
        # it. All fibers wait then, but none waits for ever.
        work()
    hub.park(lambda parking: future.add_done_callback(lambda _: parking.resume()))
    return future.result()


def pause(seconds: float, stop: threading.Event) -> None:
    """Let some time pass, less where a stop is asked for meanwhile."""
    hub = here()
    if hub is None:
        stop.wait(seconds)
        return
    end = time.monotonic() + seconds
    while not stop.is_set() and (left := end - time.monotonic()) > 0:
        hub.park(_nobody, min(left, GLANCE))


def sleep(seconds: float) -> None:
    """Let some time pass."""
    hub = here()
    if hub is None:
        time.sleep(seconds)
    else:
        hub.park(_nobody, seconds)


def _nobody(_parking: Parking) -> None:
    """Nobody ends this pause but the clock."""
