"""Side by side: every client does the same work on the same stub, in turns, round after round."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import Cost, run
from benchmarks.ours import VARIANTS, Janitor, Version
from benchmarks.peers import PEERS, Absent, Job, Program, Service, Task, environment
from benchmarks.stub import Stub, World

LONGEST_RUN = 1800.0
# Whoever took longer than this is not asked again.
LONG = 60.0


@dataclass(frozen=True, slots=True)
class Row:
    """One piece of work, and who does it; ratios are to the first that could.

    `targets` say how many times faster than the first a client must be.
    """

    name: str
    service: Service
    job: Job
    world: World
    clients: Sequence[str]
    targets: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one client; `trouble` says what it did not do, None when it did all of it."""

    cost: Cost
    counters: Mapping[str, int]
    trouble: str | None

    @property
    def requests(self) -> int:
        """Count what it asked."""
        asked = ("containers", "list", "parts", "head", "abort", "sts", "refused", "other")
        return sum(self.counters[name] for name in asked)

    @property
    def start(self) -> float:
        """Give the seconds from the program's start to its first request."""
        return self.counters["first_request"] / 1e9 - self.cost.begun


@dataclass(slots=True)
class Client:
    """What one client did in one row; `absent` says why it did nothing."""

    name: str
    samples: list[Sample] = field(default_factory=list)
    absent: str | None = None

    def median(self, of: Callable[[Sample], float]) -> float:
        """Give the middle one of all its runs."""
        return statistics.median(of(sample) for sample in self.samples)

    @property
    def wall(self) -> float:
        """Give the seconds of its runs."""
        return self.median(lambda sample: sample.cost.wall)

    @property
    def processor(self) -> float:
        """Give the seconds of processor time of its runs."""
        return self.median(lambda sample: sample.cost.processor)

    @property
    def trouble(self) -> str | None:
        """Say what it did not do, in any run."""
        if self.absent is not None:
            return self.absent
        return next((sample.trouble for sample in self.samples if sample.trouble), None)

    @property
    def worked(self) -> bool:
        """Whether it did the work whenever it was asked to."""
        return self.trouble is None and bool(self.samples)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one row."""

    row: Row
    clients: Sequence[Client]

    @property
    def base(self) -> Client | None:
        """Give the client that others are compared with."""
        return next((client for client in self.clients if client.worked), None)

    def times_faster(self, client: Client) -> float | None:
        """Compare with the base; None where there is nothing to compare."""
        if self.base is None or not client.worked:
            return None
        return self.base.wall / client.wall


class _Runner:
    """One client of one row, ready to run."""

    def __init__(self, task: Task, client: Client, version: Version) -> None:
        self.task = task
        self.client = client
        self._janitor: Janitor | None = None
        self._program: Program | None = None
        try:
            if client.name in VARIANTS:
                self._janitor = Janitor(VARIANTS[client.name], task, version)
            else:
                self._program = PEERS[client.name](task)
        except Absent as reason:
            client.absent = str(reason)

    def warm(self, stub: Stub) -> None:
        if self._janitor is not None:
            self._janitor.warm(stub)

    def run(self, stub: Stub) -> None:
        client, task = self.client, self.task
        slow = bool(client.samples) and client.samples[-1].cost.wall > LONG
        if client.absent is not None or slow:
            return
        with nullcontext() if self._janitor is None else self._janitor.prepared():
            program = self._program if self._janitor is None else self._janitor.program
            assert program is not None  # for mypy: who has neither is absent
            stub.serve(task.world)
            environ = environment(program.environ, task.folder)
            cost = run(program.command, environ, task.folder, LONGEST_RUN)
            counters = stub.count()
        client.samples.append(Sample(cost, counters, _trouble(task, cost, counters)))


def _trouble(task: Task, cost: Cost, counters: Mapping[str, int]) -> str | None:
    """Say what was not done; the stub knows."""
    total, stale = task.world.total, task.world.stale
    found = []
    if counters["listed"] < total:
        found.append(f"listed only {counters['listed']:,} of {total:,}")
    if task.job == "clean" and counters["aborted"] != stale:
        found.append(f"aborted only {counters['aborted']:,} of {stale:,}")
    if cost.code:
        found.append(f"ended with {cost.code}: {cost.words[-80:]}")
    return "; ".join(found) or None


def measure(rows: Sequence[Row], stub: Stub, rounds: int, version: Version) -> Sequence[Result]:
    """Let all clients of all these rows work in turns."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:

        def runner(row: Row, name: str) -> _Runner:
            own = Path(tempfile.mkdtemp(dir=folder))
            task = Task(row.service, row.job, row.world, stub.url, own)
            return _Runner(task, Client(name), version)

        runners = [(row, [runner(row, name) for name in row.clients]) for row in rows]
        for row, ready in runners:
            for one in ready:
                tell(f"{row.name}: {one.client.name} prepares")
                one.warm(stub)
        for turn in range(rounds):
            for row, ready in runners:
                for one in ready:
                    tell(f"{row.name}: round {turn + 1} of {rounds}: {one.client.name}")
                    one.run(stub)
    return [Result(row, [one.client for one in ready]) for row, ready in runners]


def tell(words: str) -> None:
    """Say on standard error what goes on."""
    print(words, file=sys.stderr, flush=True)  # noqa: T201  # a person waits
