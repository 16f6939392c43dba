"""A shard's part of limits that are for all shards of a run: set aside before it acts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from janitor.engine.memory import RunLedger
from janitor.ledger.types import Spent
from janitor.plan import Limits, how_many
from janitor.sweep.run import Run


@dataclass(frozen=True, slots=True)
class Part:
    """The part of one shard; `sizes` gives those of all that it would abort, the oldest first."""

    run: Run
    ledger: RunLedger
    sizes: Callable[[], Iterator[int | None]]

    def reserve(self, willing: int) -> Limits:
        """Set aside what so many need, as far as the limits and the others allow; tell what do."""
        run = self.run
        most, _ = how_many(willing, self.sizes(), run.limits)
        return self.ledger.reserve(run.run_id, run.now(), run.limits, self._need(most))

    def keep(self, count: int) -> None:
        """Give back what is beyond the need of so many: another shard may want it."""
        self.ledger.keep(self.run.run_id, self._need(count))

    def _need(self, count: int) -> Spent:
        if self.run.limits.bytes_per_run is None:
            return Spent(count, 0)
        return Spent(count, sum(size or 0 for size in islice(self.sizes(), count)))


def part_of(run: Run, sizes: Callable[[], Iterator[int | None]]) -> Part | None:
    """Give the part of a run, if it is a shard with a ledger."""
    if run.shard is None or run.ledger is None:
        return None
    return Part(run, run.ledger, sizes)
