"""The thread that runs fibers: resumes who is ready, and waits for sockets and clocks."""

from __future__ import annotations

import heapq
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from greenlet import greenlet

# So many functions that block can be under way at once: more than there can be requests. None may
# wait for another one, because an abort would be sent long after the look that it relies on.
HELPERS = 2048
# No wait is longer, so that nothing depends on a single wake-up.
LONGEST_WAIT = 1.0
# So often whatever is in transit is asked whether its time is over (seconds).
TICK = 0.1
# Where the system cannot watch many sockets as cheaply as that, threads have to do.
AVAILABLE = hasattr(select, "epoll")


class Parking:
    """One stay of one fiber: `resume` ends it, whoever calls it first and from any thread."""

    __slots__ = ("_fiber", "_hub", "over")

    def __init__(self, hub: Hub, fiber: greenlet) -> None:
        self._hub = hub
        self._fiber = fiber
        self.over = False

    def resume(self) -> None:
        """Let the fiber go on; a second call does nothing."""
        self._hub.call(self._end)

    def _end(self) -> None:
        # In the thread of the hub, so that nobody can end it twice.
        if not self.over:
            self.over = True
            self._fiber.switch()


class _Here(threading.local):
    hub: Hub | None = None


_HERE = _Here()


def here() -> Hub | None:
    """Give the hub whose thread this is; None in every other thread."""
    return _HERE.hub


def in_fiber() -> bool:
    """Whether this code runs in a fiber, and must not block."""
    return _HERE.hub is not None


class Hub:
    """One thread, and the fibers in it.

    `begin`, `call` and `close` may be called from any thread, all else only
    from fibers. The thread is begun with the first fiber, and ends when it is
    closed; whoever closes it makes sure that all fibers have ended.
    """

    def __init__(self, name: str = "fibers") -> None:
        self._name = name
        self._ready: deque[Callable[[], object]] = deque()
        self._timers: list[tuple[float, int, Parking]] = []
        self._numbers = count()
        self._watched: dict[int, Callable[[int], None]] = {}
        # What is called at every tick, until it takes itself out.
        self.in_transit: set[Callable[[], None]] = set()
        self._ticked_at = 0.0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._asleep = False
        self._root: greenlet | None = None
        self._helpers: ThreadPoolExecutor | None = None
        self._bell, self._clapper = -1, -1
        self._poll: select.epoll | None = None

    def begin(self, function: Callable[[], object]) -> None:
        """Run a function in a fiber; it must not raise. RuntimeError where no thread can be had."""
        if self._thread is None:
            self._start()
        self.call(lambda: greenlet(function).switch())

    def call(self, function: Callable[[], object]) -> None:
        """Run a function in the thread, between fibers; it must neither wait nor raise."""
        self._ready.append(function)
        # Whoever falls asleep says so first, and looks once more then.
        if self._asleep:
            self._ring()

    def tidy(self, function: Callable[[], object]) -> None:
        """Have the thread run a function that may be run twice, and wait; for other threads.

        Where the thread has ended, it is run right here.
        """
        thread, done = self._thread, threading.Event()

        def run() -> None:
            function()
            done.set()

        if thread is not None:
            self.call(run)
            while thread.is_alive():
                if done.wait(LONGEST_WAIT):
                    return
        function()

    def park(self, prepare: Callable[[Parking], object], seconds: float | None = None) -> None:
        """Let others go on until somebody resumes what `prepare` was given, or the time is over."""
        assert self._root is not None  # noqa: S101  # for mypy: a fiber runs
        parking = Parking(self, greenlet.getcurrent())
        prepare(parking)
        if seconds is not None:
            at = time.monotonic() + seconds
            heapq.heappush(self._timers, (at, next(self._numbers), parking))
        self._root.switch()

    def helpers(self) -> ThreadPoolExecutor:
        """Give threads for what blocks."""
        if self._helpers is None:
            self._helpers = ThreadPoolExecutor(HELPERS, f"{self._name}-helper")
        return self._helpers

    def watch(self, descriptor: int, happened: Callable[[int], None]) -> None:
        """Call whenever a socket can be read, or until `calm` written to; given epoll's events."""
        assert self._poll is not None  # noqa: S101  # for mypy: a fiber runs
        mask = select.EPOLLIN | select.EPOLLOUT
        self._watched[descriptor] = happened
        try:
            self._poll.register(descriptor, mask)
        except FileExistsError:  # it was closed and opened again behind our back
            self._poll.modify(descriptor, mask)

    def calm(self, descriptor: int) -> None:
        """Do not tell any more that a socket can be written to."""
        assert self._poll is not None  # noqa: S101  # for mypy: a fiber runs
        try:
            self._poll.modify(descriptor, select.EPOLLIN)
        except OSError:
            return  # closed, by what another event of the same moment led to

    def forget(self, descriptor: int, happened: Callable[[int], None]) -> None:
        """Watch a socket no more; fine where it was closed before, and is another one's now."""
        assert self._poll is not None  # noqa: S101  # for mypy: a fiber runs
        if self._watched.get(descriptor) is not happened:
            return
        del self._watched[descriptor]
        if self._poll.closed:
            return
        try:
            self._poll.unregister(descriptor)
        except OSError:
            return  # closed: then the system has forgotten it

    def close(self) -> None:
        """End the thread, once all that is ready has run."""
        with self._lock:
            thread, self._closing = self._thread, True
        if thread is None:
            return
        self.call(_nothing)
        thread.join()
        if self._helpers is not None:
            self._helpers.shutdown()
        # Not before: a helper may still be about to ring, and numbers are soon another file's.
        self._let_go()

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None or self._closing:
                return
            thread = threading.Thread(target=self._run, name=self._name)
            try:
                self._bell, self._clapper = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
                self._poll = select.epoll()
                thread.start()
            except OSError as error:
                self._let_go()
                message = f"no fibers can be begun: {error}"
                raise RuntimeError(message) from error
            except RuntimeError:
                self._let_go()
                raise
            self._thread = thread

    def _let_go(self) -> None:
        """Close what wakes the thread; calling twice is fine."""
        if self._poll is not None:
            self._poll.close()
        for descriptor in (self._bell, self._clapper):
            if descriptor >= 0:
                os.close(descriptor)
        self._bell, self._clapper = -1, -1

    def _run(self) -> None:
        _HERE.hub = self
        self._root = greenlet.getcurrent()
        self.watch(self._bell, self._answer)
        self.calm(self._bell)
        while True:
            try:
                self._run_ready()
                if self._closing and not self._ready:
                    break
                self._wait()
            except Exception as error:  # noqa: BLE001  # one that fails must not end all others
                told = (type(error), error, error.__traceback__, threading.current_thread())
                threading.excepthook(threading.ExceptHookArgs(told))
        self._watched.clear()
        # Greenlet would look for whoever still knows a thread that has ended, among all objects
        # and in the midst of whatever the main thread is doing.
        self._timers.clear()
        self._root = None

    def _run_ready(self) -> None:
        # Not what gets ready meanwhile: sockets have their turn.
        for _ in range(len(self._ready)):
            self._ready.popleft()()
        now = time.monotonic()
        if self.in_transit and now - self._ticked_at >= TICK:
            self._ticked_at = now
            for go_on in list(self.in_transit):
                go_on()
        while self._timers and (self._timers[0][2].over or self._timers[0][0] <= now):
            heapq.heappop(self._timers)[2].resume()

    def _wait(self) -> None:
        assert self._poll is not None  # noqa: S101  # for mypy: the thread runs
        self._asleep = True
        for descriptor, events in self._poll.poll(self._patience()):
            self._asleep = False
            happened = self._watched.get(descriptor)
            if happened is not None:
                happened(events)
        self._asleep = False

    def _patience(self) -> float:
        if self._ready:
            return 0.0
        longest = TICK if self.in_transit else LONGEST_WAIT
        if not self._timers:
            return longest
        return min(longest, max(0.0, self._timers[0][0] - time.monotonic()))

    def _ring(self) -> None:
        try:
            os.write(self._clapper, b"!")
        except BlockingIOError:
            return  # it has been rung often enough

    def _answer(self, _events: int) -> None:
        os.read(self._bell, 4096)


def _nothing() -> None:
    """Wake the thread."""
