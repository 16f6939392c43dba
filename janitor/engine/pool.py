"""Runs many small jobs on a bounded number of threads, without queueing them all at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future
from itertools import islice
from typing import TypeVar

from janitor.engine.bench import Bench, Done
from janitor.engine.lane import Lane

A = TypeVar("A")
B = TypeVar("B")

# How many streams are worked on side by side.
ABREAST = 64


def bounded_map(
    executor: Executor, function: Callable[[A], B], items: Iterable[A], window: int
) -> Generator[B, None, None]:
    """Yield the results in the order of the items, with at most `window` of them under way.

    Items are drawn by whoever asks for results. What a job raises is raised
    here, after the jobs under way have ended.
    """
    if isinstance(executor, Lane):
        return _in_order(executor, function, items, window)
    return _by_futures(executor, function, items, window)


def as_completed(
    function: Callable[[A], B],
    streams: Iterable[tuple[Lane, Iterable[A]]],
    window: int,
    abreast: int = ABREAST,
) -> Generator[B, None, None]:
    """Yield the results of several lanes as they come.

    The items of a stream are begun in their order, with at most `window` of
    them under way. A lane that is slow does not hold up the others, unless
    `abreast` of them are. Items are drawn by whoever asks for results. What a
    job raises is raised here, after the jobs under way have ended.
    """
    to_come = iter(streams)
    with Bench(function, window) as bench:
        while True:
            opened = list(islice(to_come, abreast - len(bench)))
            for lane, items in opened:
                bench.open(lane, items)
            if bench.fill():
                for done in bench.take():
                    yield done.result()
            elif not opened:
                return


def _in_order(
    lane: Lane, function: Callable[[A], B], items: Iterable[A], window: int
) -> Generator[B, None, None]:
    ready: dict[int, Done[B]] = {}
    given = 0
    with Bench(function, window) as bench:
        bench.open(lane, items)
        while bench.fill(ahead=len(ready)) or ready:
            while given not in ready:
                ready.update((done.index, done) for done in bench.take(given))
            while given in ready:
                done = ready.pop(given)
                given += 1
                yield done.result()


def _by_futures(
    executor: Executor, function: Callable[[A], B], items: Iterable[A], window: int
) -> Generator[B, None, None]:
    waiting: deque[Future[B]] = deque()
    try:
        for item in items:
            if len(waiting) >= window:
                yield waiting.popleft().result()
            waiting.append(executor.submit(function, item))
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        for future in waiting:
            if not future.cancelled():
                future.exception()
