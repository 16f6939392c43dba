"""Shards at work on one ledger, in one process, so that a test can say who does what when."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime

from janitor.ledger import Ledger, open_ledger
from janitor.ledger.types import Spent
from janitor.plan import Limits
from janitor.sharding import Shard
from support.ledger_samples import decision_of, header_of

TEN = Limits(aborts_per_run=10)


class Member:
    """One shard at work, or whoever has all."""

    def __init__(self, url: str, shard: Shard | None, run_id: str, at: datetime) -> None:
        self.run_id = run_id
        self.at = at
        self.url = url
        self._stack = ExitStack()
        self.ledger: Ledger = self._stack.enter_context(open_ledger(url, shard=shard))
        self._lock = self._stack.enter_context(ExitStack())
        self._lock.enter_context(self.ledger.lock())
        self.ledger.begin(header_of(run_id, at=at))

    def reserve(self, aborts: int, limits: Limits = TEN, size: int = 0) -> Limits:
        """Set aside."""
        return self.ledger.reserve(self.run_id, self.at, limits, Spent(aborts, size))

    def left(self, limits: Limits = TEN) -> Limits:
        """Ask what is left."""
        return self.ledger.left(self.run_id, self.at, limits)

    def intend(self, *names: str, size: int = 5) -> list[int]:
        """Write down what is about to be aborted."""
        return [self.ledger.intend(self.run_id, self.at, decision_of(name, size)) for name in names]

    def abort(self, *names: str, size: int = 5) -> None:
        """Abort, and write down what became of it."""
        for intent in self.intend(*names, size=size):
            self.ledger.conclude(intent, self.at, "aborted", size_freed=size)

    def lose_the_lock(self) -> None:
        """Live on, but without the lock, and without noticing."""
        self._lock.close()

    def die(self) -> None:
        """End without a word, as a process does that is killed."""
        self._stack.close()

    def finish(self) -> None:
        """End as it should."""
        self.ledger.finish(self.run_id, self.at, 0)
        self.die()
