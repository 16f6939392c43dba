"""Runs many small jobs on a bounded number of threads, without queueing them all at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def bounded_map(
    executor: Executor, function: Callable[[A], B], items: Iterable[A], window: int
) -> Generator[B, None, None]:
    """Yield the results in the order of the items, with at most `window` of them under way.

    What a job raises is raised here, after the jobs under way have ended.
    """
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
