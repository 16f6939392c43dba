"""Where the jobs of some lanes are laid out, and their results picked up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from types import TracebackType
from typing import Generic, Self, TypeVar

from janitor.engine.lane import Lane, Work

A = TypeVar("A")
B = TypeVar("B")

# What may wait for a thread, besides twice what the endpoint's window holds.
QUEUED = 16


class Done(Generic[B]):
    """A job that ended: its place among those of its stream, and its result or error."""

    __slots__ = ("_error", "_result", "index", "stream")

    def __init__(
        self, stream: object, index: int, result: B | None, error: BaseException | None
    ) -> None:
        self.stream = stream
        self.index = index
        self._result = result
        self._error = error

    def result(self) -> B:
        """Give the result, or raise what the job raised."""
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # None only where that is the result


class _Stream(Generic[A]):
    """Items for one lane: how many are laid out, and how many of these not picked up."""

    __slots__ = ("drawn", "items", "lane", "over", "under_way", "work")

    def __init__(self, lane: Lane, items: Iterable[A], work: Work) -> None:
        self.lane = lane
        self.items = iter(items)
        self.work = work
        self.drawn = 0
        self.under_way = 0
        self.over = False


class Bench(Generic[A, B]):
    """Jobs that run in lanes, for one thread that lays them out and picks them up.

    Leaving the `with` block forgets what was not begun, and waits for what was.
    """

    def __init__(self, function: Callable[[A], B], window: int) -> None:
        self._function = function
        self._window = window
        self._streams: list[_Stream[A]] = []
        self._lock = threading.Lock()
        self._done: list[Done[B]] = []
        self._sleeper: threading.Lock | None = None
        self._wanted: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for stream in self._streams:
            stream.under_way -= stream.lane.drop(stream.work)
        while any(stream.under_way for stream in self._streams):
            self.take()
        for stream in self._streams:
            stream.lane.depart()

    def __len__(self) -> int:
        """Count the streams that are not over."""
        return len(self._streams)

    def open(self, lane: Lane, items: Iterable[A]) -> None:
        """Begin with another stream."""
        lane.arrive()
        self._streams.append(_Stream(lane, items, Work(self._do)))

    def fill(self, ahead: int = 0) -> bool:
        """Lay out what there is room for, if `ahead` were picked up early; is any under way?"""
        for stream in self._streams:
            if not stream.over:
                self._draw(stream, ahead)
        for stream in [each for each in self._streams if each.over and not each.under_way]:
            self._streams.remove(stream)
            stream.lane.depart()
        return any(stream.under_way for stream in self._streams)

    def take(self, wanted: int | None = None) -> Sequence[Done[B]]:
        """Pick up what is done; where nothing is, wait for the `wanted` one, or for any."""
        with self._lock:
            if not self._done:
                self._wanted = wanted
                self._sleeper = threading.Lock()
                self._sleeper.acquire()
            sleeper = self._sleeper
        if sleeper is not None:
            sleeper.acquire()
        with self._lock:
            self._sleeper = None
            done, self._done = self._done, []
        for each in done:
            stream = each.stream
            assert isinstance(stream, _Stream)  # noqa: S101  # for mypy: nothing else is laid out
            stream.under_way -= 1
        return done

    def _draw(self, stream: _Stream[A], ahead: int) -> None:
        room = min(self._window, 2 * stream.lane.endpoint.window.size + QUEUED)
        wanted = room - stream.under_way - ahead
        if wanted <= 0:
            return
        items = list(islice(stream.items, wanted))
        stream.over = len(items) < wanted
        if items:
            numbered = [(stream, stream.drawn + place, item) for place, item in enumerate(items)]
            stream.lane.feed(stream.work, numbered)
            stream.drawn += len(items)
            stream.under_way += len(items)

    def _do(self, job: tuple[_Stream[A], int, A]) -> None:
        stream, index, item = job
        try:
            done = Done(stream, index, self._function(item), None)
        except BaseException as error:  # noqa: BLE001  # who picks it up raises it
            done = Done(stream, index, None, error)
        with self._lock:
            self._done.append(done)
            sleeper = self._sleeper
            if sleeper is not None and self._wanted in {None, index}:
                self._sleeper = None
                sleeper.release()
