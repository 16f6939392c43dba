"""Slow work beside the event loop, and never more of it than the machine bears."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

_T = TypeVar("_T")


class Busy(Exception):  # noqa: N818  # it is an answer and no mistake
    """So many wait already that one more would only wait in vain."""


class Gate:
    """Runs work in threads, `at_once` pieces at a time, at most `inside` with those that wait.

    Of these at most `each` may be of one client: it cannot take all places.
    """

    def __init__(self, at_once: int, inside: int, each: int) -> None:
        self._most = inside
        self._most_each = each
        self._inside: Counter[str] = Counter()
        self._turns = asyncio.Semaphore(at_once)

    async def run(self, client: str, work: Callable[[], _T]) -> _T:
        """Give what `work` gives, or raise what it raises; Busy if it was not even begun."""
        if self._inside[client] >= self._most_each or self._inside.total() >= self._most:
            raise Busy
        self._inside[client] += 1
        try:
            async with self._turns:
                return await run_in_threadpool(work)
        finally:
            self._inside[client] -= 1
            self._inside += Counter()  # forget who has left


class Shared(Generic[_T]):
    """Runs work in threads, `at_once` pieces at a time, once for all who wait for the same.

    What was begun before somebody came is too old for him: he waits for the
    next, with all who come meanwhile. So however many ask, each waits for two.
    """

    def __init__(self, at_once: int) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._next: dict[str, asyncio.Task[_T]] = {}

    async def get(self, key: str, work: Callable[[], _T]) -> _T:
        """Give what `work` gives, or raise what it raises; the same key means the same work."""
        task = self._next.get(key)
        if task is None:
            task = self._next[key] = asyncio.create_task(self._run(key, work))
        # One who goes away must not take it from the others.
        return await asyncio.shield(task)

    async def _run(self, key: str, work: Callable[[], _T]) -> _T:
        async with self._turns:
            del self._next[key]
            return await run_in_threadpool(work)
