"""How the work of one sweep is given away: to whom, and on which terms."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from janitor.backends.acting import WRITERS
from janitor.backends.hands import Team
from janitor.backends.staff import Staff
from janitor.targets import LEASE


@dataclass(frozen=True, slots=True)
class Away:
    """Who does the work instead of our own threads.

    `config` is the absolute path of the config that workers read, `workers`
    how many there may be, None as many as there are, and `lease` the seconds
    that a piece has for aborts.
    """

    staff: Staff
    config: str
    workers: int | None = None
    lease: float = LEASE


@dataclass(frozen=True, slots=True)
class Office:
    """What a sweep has for work that is done elsewhere: the workers, and threads for the ledger."""

    team: Team
    writers: ThreadPoolExecutor
    lease: float


@contextmanager
def opened(away: Away, team: Team) -> Iterator[Office]:
    """Have the workers of a run; raise NoWorkers where there is none that can be used."""
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="writer") as writers:
        try:
            team.begin()
            yield Office(team, writers, away.lease)
        finally:
            team.end()
