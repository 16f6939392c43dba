"""Lists one container with as many requests at once as pay, and yields what comes in.

Nothing is gained by several requests where they would only wait for this
process, or for a rate: so it goes page by page until pages that were read show
that most of the time is spent waiting for the store.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from queue import SimpleQueue

from janitor.engine.paging import PAGE_CAP
from janitor.engine.splitting import Ranges, Turn
from janitor.engine.unseen import Unseen
from janitor.model import Upload
from janitor.providers.base import Page


@dataclass(frozen=True, slots=True)
class Timed:
    """A page, how long its request took (seconds), and the CPU time of the process meanwhile."""

    page: Page
    seconds: float
    busy: float


def timed(read: Callable[[], Page]) -> Timed:
    """Read a page, and measure it."""
    begun, busy = time.perf_counter(), time.process_time()
    page = read()
    return Timed(page, time.perf_counter() - begun, time.process_time() - busy)


@dataclass(frozen=True, slots=True)
class Worth:
    """When several requests at once pay, and how many.

    A request must leave the process idle for `idle` seconds, and for `share` of
    the time that a page keeps it busy. There are `spare` times as many requests
    as would keep it busy, because they do not come evenly, and `most` at most.
    """

    idle: float = 0.004
    share: float = 1.0
    spare: float = 1.5
    fewest: int = 4
    most: int = 32


WORTH = Worth()
Ask = Callable[[Turn], Timed]


@dataclass(frozen=True, slots=True)
class Hands:
    """Threads that can make requests, and how many requests there may be right now."""

    threads: Executor
    room: Callable[[], int]


def spread(
    ask: Ask, hands: Hands | None, worth: Worth | None = None, ranges: Ranges | None = None
) -> Iterator[Sequence[Upload]]:
    """Yield every upload once, in no order; with `hands`, several pages are read at once.

    Returning promises that the listing is complete; where the `ranges` are those
    of a share, that they have an account to give. Raises what `ask` raises,
    after the requests under way have ended, and Incomplete.
    """
    ranges, unseen = ranges or Ranges(PAGE_CAP), Unseen()
    at_once = yield from _alone(ask, ranges, unseen, worth or WORTH, may_spread=bool(hands))
    if not ranges.finished and hands is not None:
        yield from _together(ask, hands, ranges, unseen, at_once)
    if hands is not None:
        _divide(ask, hands, ranges)


def _divide(ask: Ask, hands: Hands, ranges: Ranges) -> None:
    """Cut what is left of a share for others, if anything is, and end the doubts of that."""
    while turns := list(iter(lambda: ranges.page() or ranges.probe(), None)):
        futures = [hands.threads.submit(ask, turn) for turn in turns]
        try:
            for turn, future in zip(turns, futures, strict=True):
                ranges.take(turn, future.result().page)
        finally:
            _end(futures)


def _alone(
    ask: Ask, ranges: Ranges, unseen: Unseen, worth: Worth, *, may_spread: bool
) -> Generator[Sequence[Upload], None, int]:
    """List page by page, to the end or until more requests at once would pay; say how many."""
    before = 0.0
    while (turn := ranges.page()) is not None:
        begun, busy = time.perf_counter(), time.process_time()
        answer = ask(turn)
        waited = time.perf_counter() - begun - answer.seconds
        yield unseen.of(ranges.take(turn, answer.page))
        if turn.of is None:
            continue
        work = time.process_time() - busy
        idle = max(0.0, answer.seconds - answer.busy)
        # One page proves little; the first one may have had to connect.
        least, before = min(before, idle), idle
        if may_spread and _pays(worth, least, work, waited):
            return _how_many(worth, least, work)
    return 1


def _pays(worth: Worth, idle: float, work: float, waited: float) -> bool:
    """Whether it is the store that is waited for, and not the process or a rate."""
    return idle >= worth.idle and idle >= worth.share * max(work, waited)


def _how_many(worth: Worth, idle: float, work: float) -> int:
    wanted = worth.spare * (1.0 + idle / max(work, 1e-6))
    return min(worth.most, max(worth.fewest, math.ceil(wanted)))


def _together(
    ask: Ask, hands: Hands, ranges: Ranges, unseen: Unseen, at_once: int
) -> Iterator[Sequence[Upload]]:
    ready: SimpleQueue[Future[Timed]] = SimpleQueue()
    under_way: dict[Future[Timed], Turn] = {}
    try:
        while not ranges.finished:
            while len(under_way) < max(1, min(at_once, hands.room())):
                turn = ranges.page() or ranges.probe()
                if turn is None:
                    break
                future = hands.threads.submit(ask, turn)
                under_way[future] = turn
                future.add_done_callback(ready.put)
            future = ready.get()
            found = ranges.take(under_way.pop(future), future.result().page)
            if found:
                yield unseen.of(found)
    finally:
        _end(under_way)


def _end(under_way: Collection[Future[Timed]]) -> None:
    """Wait for requests that nobody needs any more."""
    for future in under_way:
        future.cancel()
    for future in under_way:
        if not future.cancelled():
            future.exception()
