"""Slow work beside the event loop: a little at once, a little more waiting, the rest refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

_T = TypeVar("_T")


class Busy(Exception):  # noqa: N818  # it is an answer and no mistake
    """So many wait already that one more would only wait in vain."""


class Gate:
    """Runs work in threads, `at_once` pieces at a time; at most `waiting` more stand in line."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._most = at_once + waiting
        self._inside = 0
        self._turns = asyncio.Semaphore(at_once)

    async def run(self, work: Callable[[], _T]) -> _T:
        """Give what `work` gives, or raise what it raises; Busy if it was not even begun."""
        if self._inside >= self._most:
            raise Busy
        self._inside += 1
        try:
            async with self._turns:
                return await run_in_threadpool(work)
        finally:
            self._inside -= 1
