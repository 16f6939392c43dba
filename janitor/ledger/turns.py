"""A lock that is given in the order in which it was asked for. Pure: no I/O, no clock, no SDK."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType


class Turns:
    """Lets one thread at a time in, first come, first served; use it in a `with`.

    A lock of the standard library may be taken again and again by one busy
    thread while others wait for it. Whoever is in must not ask again.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        """Wait for our turn."""
        with self._mutex:
            if not self._taken:
                self._taken = True
                return
            gate = _closed_gate()
            self._waiting.append(gate)
        try:
            gate.acquire()
        except BaseException:
            self._give_up(gate)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the next one in."""
        with self._mutex:
            self._pass_on()

    def _give_up(self, gate: threading.Lock) -> None:
        """Wait no longer: an exception, such as that of Ctrl-C, came while we did."""
        with self._mutex:
            if gate in self._waiting:
                self._waiting.remove(gate)
            else:
                self._pass_on()

    def _pass_on(self) -> None:
        if self._waiting:
            self._waiting.popleft().release()
        else:
            self._taken = False


def _closed_gate() -> threading.Lock:
    """Give a lock that is held: whoever acquires it waits until somebody else releases it."""
    gate = threading.Lock()
    gate.acquire()
    return gate
