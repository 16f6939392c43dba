"""Signals for commands: the first asks to stop, the second does not wait."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALLED = 128


def take_early() -> None:
    """Take signals before the daemon does, which may need a second to come up.

    A process with the id 1 ignores SIGTERM without a handler, and SIGHUP kills
    whoever has none; the config that is read later is new enough.
    """

    def leave(number: int, _: FrameType | None) -> None:
        sys.exit(_SIGNALLED + number)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


class Stop:
    """Whether and by which signal a stop was asked for.

    The handler only puts a wish into a queue that is made for that: setting an
    Event in it would wait for ever for the thread that it interrupts, if that
    holds the Event's lock.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.number: int | None = None
        self._wishes: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def code(self, otherwise: int) -> int:
        """Give the exit code of the signal, or another where none came."""
        return otherwise if self.number is None else _SIGNALLED + self.number

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Ask to stop; asked twice, end at once."""
        if self.number is not None:
            os._exit(_SIGNALLED + number)
        self.number = number
        self._wishes.put(number)

    def listen(self) -> None:
        """Set the event when a stop is asked for; return when nobody will ask any more."""
        while self._wishes.get() is not None:
            self.event.set()

    def end(self) -> None:
        """Let `listen` return."""
        self._wishes.put(None)


@contextmanager
def stopping() -> Iterator[Stop]:
    """Take SIGINT and SIGTERM as wishes to stop, until the block ends."""
    stop = Stop()
    listener = threading.Thread(target=stop.listen, name="signals", daemon=True)
    listener.start()
    before = {
        number: signal.signal(number, stop.on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop.end()
        listener.join()
