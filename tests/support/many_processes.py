"""Several processes that list one bucket in memory, in an order of chance; no wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from janitor.engine.assembly import Assembly
from janitor.engine.paging import PAGE_CAP
from janitor.engine.splitting import Ranges, Turn
from janitor.engine.stretches import Share
from janitor.engine.unseen import Unseen
from janitor.model import Upload
from janitor.providers.base import Page
from support.s3_model import Bucket

Change = Callable[[], None]


def nothing() -> None:
    """Change nothing."""


class Process:
    """Lists one share with `hands` requests at once, which end in an order of chance."""

    def __init__(self, bucket: Bucket, share: Share, hands: int, chance: Random) -> None:
        self.bucket = bucket
        self.ranges = Ranges(PAGE_CAP, share)
        self.found: list[Upload] = []
        self._unseen = Unseen()
        self._hands = hands
        self._chance = chance
        self._under_way: list[tuple[Turn, Page | None]] = []

    def step(self) -> bool:
        """Answer one request; tell whether anything was left to do."""
        while len(self._under_way) < self._hands:
            turn = None if self.ranges.finished else self.ranges.page()
            turn = turn or self.ranges.probe()
            if turn is None:
                break
            # The store looks when the request arrives, or when it answers.
            page = self.bucket.answer(turn) if self._chance.random() < 0.5 else None
            self._under_way.append((turn, page))
        if not self._under_way:
            assert self.ranges.finished
            return False
        turn, page = self._under_way.pop(self._chance.randrange(len(self._under_way)))
        found = self.ranges.take(turn, page or self.bucket.answer(turn))
        self.found += self._unseen.of(found)
        return True


class Fleet:
    """Lists a bucket with so many processes, as a sweep with workers does."""

    def __init__(self, bucket: Bucket, workers: int, hands: int, chance: Random) -> None:
        self.bucket = bucket
        self.assembly = Assembly(workers)
        self.shares = 0
        self.most_at_once = 0
        self._workers = workers
        self._hands = hands
        self._chance = chance

    def run(self, change: Change = nothing) -> Iterator[Upload]:
        """Give every upload that is found; between two answers comes a `change`."""
        under_way: list[Process] = []
        while True:
            while len(under_way) < 2 * self._workers and (share := self.assembly.share()):
                self.shares += 1
                under_way.append(Process(self.bucket, share, self._hands, self._chance))
            if not under_way:
                break
            self.most_at_once = max(self.most_at_once, len(under_way))
            change()
            process = self._chance.choice(under_way)
            if not process.step():
                under_way.remove(process)
                self.assembly.take(process.ranges.account())
                yield from process.found
        while (check := self.assembly.check()) is not None:
            change()
            turn = Turn(check.marker, key=check.key if check.marker is None else None, check=check)
            self.assembly.checked(check, self.bucket.answer(turn))
        self.assembly.prove()
