"""One bucket listed by several workers, against the sandbox over real HTTP."""

from __future__ import annotations

import errno
import itertools
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from distributed import LocalCluster
from support.harness import HARNESSES, days, hours
from support.inside import Exchange, SweeperInside
from support.workers import Heard, children

from janitor import settings
from janitor.backends import listing
from janitor.backends import spool as spools
from janitor.backends.pieces import FetchPiece, ListPiece, Order, Reply
from janitor.backends.staff import WorkerLost
from janitor.engine import assembly, listers, looks
from janitor.engine.calls import Patience
from janitor.engine.chunks import Chunks, disk
from janitor.engine.listers import Worth
from janitor.model import ContainerResult, TargetOutcome
from janitor.observe.events import ContainerCrashed, UploadFinished
from janitor.sandbox import Fault, FaultKind, Sandbox
from janitor.sandbox.wire import Call
from janitor.wiring import Sweeper

S3 = HARNESSES["s3"]
LIST = "s3.list_uploads"
CONFIG = """
version: 1
mode: report
ledger: none
policy: {{stale_after: 7d, idle_for: 24h, grace: 0}}
execution: {{concurrency: 32, {backend}}}
targets:
  - name: s3
    provider: s3
    endpoint_url: {sandbox.s3_url}
    region: us-east-1
    addressing: path
    buckets: [container]
    page_size: {size}
    listing: {listing}
    access_key_id: {sandbox.access_key_id}
    secret_access_key: {sandbox.secret_access_key}
"""
HEX = [f"{number * 0x9E3779B1 % (1 << 32):08x}" for number in range(120)]
POPULATIONS = {
    "empty": [],
    "one": ["just-one"],
    "one key": ["same"] * 40,
    "skewed": [*(f"backup/part-{number:04}" for number in range(150)), *["hot"] * 11, *HEX, "z"],
    "unprintable": [f"odd/\x01{number:03}" for number in range(40)],
    "encoded": [f"é+ %/{number:03}&" for number in range(80)],
    "unicode": [chr(0x4E00 + 9 * number) for number in range(80)],
    "beyond the plane": [f"\U0001f600{number:03}" for number in range(80)],
}


@pytest.fixture(autouse=True, params=[False, True], ids=["page by page", "split at once"])
def _shares(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Let shares be small; workers make one request at a time, or as many as they can."""
    worth = Worth(idle=0.0, share=0.0, fewest=8) if request.param else Worth(idle=60.0)
    monkeypatch.setattr(listers, "WORTH", worth)
    monkeypatch.setattr(assembly, "FEWEST", 3)
    looks.DISTRUSTED.clear()
    yield
    looks.DISTRUSTED.clear()


def _age(place: int, stale_every: int) -> timedelta:
    return days(20) if stale_every and not place % stale_every else hours(1)


@dataclass
class Bench:
    """A bucket, and what sweeps it."""

    sandbox: Sandbox
    file: Path
    exchange: Exchange = field(default_factory=Exchange)
    heard: Heard = field(default_factory=Heard)

    def fill(self, keys: Sequence[str], *, stale_every: int = 3) -> list[str]:
        """Begin uploads, some of them stale (0: none); give their ids, sorted."""
        S3.add_container(self.sandbox, "container")
        return sorted(
            S3.add(self.sandbox, "container", key, age=_age(place, stale_every))
            for place, key in enumerate(keys)
        )

    def sweep(self, *, size: int = 4, listing: str = "parallel") -> ContainerResult:
        """Look at everything, with three workers."""
        self.exchange.replies.clear()
        return self.sweep_by(SweeperInside, size, listing, exchange=self.exchange)

    def sweep_by(
        self, kind: Callable[..., Sweeper], size: int, listing: str = "parallel", **more: object
    ) -> ContainerResult:
        """Look at everything."""
        backend = more.pop("backend", "backend: processes, workers: 3")
        text = CONFIG.format(sandbox=self.sandbox, size=size, listing=listing, backend=backend)
        self.file.write_text(text, "utf-8")
        self.heard.events.clear()
        sweeper = kind(
            settings.load(str(self.file), {}),
            now=self.sandbox.clock.now,
            patience=Patience(2, first_delay=0.01),
            observers=[self.heard],
            every_upload=True,
            **more,
        )
        (result,) = sweeper.sweep().results
        return result

    def told(self) -> list[str]:
        """Give the ids of all uploads that somebody was told of, sorted."""
        found = self.heard.of(UploadFinished)
        return sorted(event.result.decision.upload.upload_id for event in found)

    @property
    def shares(self) -> int:
        """Count the pieces that the listing was."""
        return len(self.exchange.of(ListPiece))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Start a fresh sandbox that must have nothing to accuse us of in the end."""
    with Sandbox.start() as running:
        yield running

        assert [] == running.accusations


@pytest.fixture
def bench(sandbox: Sandbox, tmp_path: Path) -> Bench:
    """Make a bench."""
    return Bench(sandbox, tmp_path / "janitor.yaml")


@pytest.mark.parametrize("size", [2, 5])
@pytest.mark.parametrize("name", sorted(POPULATIONS))
def test_workers_find_together_what_one_finds(bench: Bench, name: str, size: int) -> None:
    """Whatever the keys: each upload once, with the same counts as page by page."""
    # The parts of what XML cannot carry cannot be read.
    expected = bench.fill(POPULATIONS[name], stale_every=0 if name == "unprintable" else 3)
    alone = bench.sweep(size=size, listing="sequential")
    told = bench.told()
    together = bench.sweep(size=size)

    assert expected == told == bench.told()
    assert TargetOutcome.COMPLETE is together.outcome
    assert (alone.listed, alone.stale, alone.kept, alone.oldest_initiated) == (
        together.listed,
        together.stale,
        together.kept,
        together.oldest_initiated,
    )


def test_a_huge_bucket_is_listed_by_all_workers(bench: Bench) -> None:
    """It comes in many shares, and not one worker has all of them."""
    bench.fill(POPULATIONS["skewed"])
    bench.sweep()
    listers_of_it = {name for name, kind in bench.exchange.done_by if kind is ListPiece}

    assert bench.shares > 6
    assert len(listers_of_it) > 1
    pages = len(bench.sandbox.journal.entries(LIST))
    assert pages < 4 * len(POPULATIONS["skewed"]) / 4 + 120


def test_a_store_that_is_not_vouched_for_is_listed_by_one(bench: Bench) -> None:
    """Nobody knows whether it is sorted: one worker lists it, page by page."""
    expected = bench.fill(POPULATIONS["skewed"])
    result = bench.sweep(listing="auto")

    assert (TargetOutcome.COMPLETE, expected, 1) == (result.outcome, bench.told(), bench.shares)


@pytest.mark.parametrize("nth", [1, 2, 5, 9])
def test_a_worker_is_lost_with_its_share(bench: Bench, nth: int) -> None:
    """Another one lists the share again, and everything counts once."""
    expected = bench.fill(POPULATIONS["skewed"])
    seen: list[Order] = []

    def fate(order: Order, _: Reply) -> None:
        if isinstance(order.piece, ListPiece | FetchPiece):
            seen.append(order)
            if len(seen) == nth:
                message = "is gone"
                raise WorkerLost(message)

    bench.exchange.fate = fate
    result = bench.sweep()

    assert (TargetOutcome.COMPLETE, len(expected)) == (result.outcome, result.listed)
    assert expected == bench.told()


@pytest.mark.parametrize("nth", [1, 2, 9, 25])
@pytest.mark.parametrize(
    "kind",
    [FaultKind.CUT_DOCUMENT, FaultKind.WRONG_CONTAINER, FaultKind.NO_MARKER, FaultKind.STATUS],
)
def test_whatever_reply_is_bad_the_listing_is_not_believed(
    bench: Bench, kind: FaultKind, nth: int
) -> None:
    """In any share: what proves nothing makes the listing of the container incomplete."""
    expected = bench.fill(POPULATIONS["skewed"])
    bench.sandbox.faults.add(Fault(operation=LIST, kind=kind, nth=nth, times=None))
    result = bench.sweep()

    assert [] == bench.sandbox.faults.unused()
    assert result.outcome in {TargetOutcome.INCOMPLETE, TargetOutcome.WRONG_IDENTITY}
    assert 0 == result.stale
    assert set(bench.told()) <= set(expected)
    # What was found before counts, once, and as something of which nothing more is known.
    assert len(bench.told()) == len(set(bench.told())) == result.listed == sum(result.kept.values())
    # And what nobody asked for any more fills no worker's disk.
    assert set() == bench.exchange.left_behind()


def test_what_is_fetched_too_late_is_not_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep ends: some time after its deadline it does without what workers still have."""
    bench.fill(POPULATIONS["skewed"])
    monkeypatch.setattr(listing, "LONGEST", -86_400.0)
    result = bench.sweep()

    assert (TargetOutcome.INCOMPLETE, 0, []) == (result.outcome, result.listed, bench.told())
    assert "deadline passed" in str(result.error)
    assert set() == bench.exchange.left_behind()


def test_disorder_is_told_and_avoided_the_next_time(bench: Bench) -> None:
    """What was found out by a worker is known to the sweep from then on."""
    expected = bench.fill(POPULATIONS["skewed"])
    fault = Fault(operation=LIST, kind=FaultKind.DUPLICATES, nth=12, times=40)
    bench.sandbox.faults.add(fault)
    first = bench.sweep()
    bench.sandbox.faults.clear()
    second = bench.sweep()

    assert TargetOutcome.INCOMPLETE is first.outcome
    assert str(first.error).endswith("say listing: sequential")
    assert (TargetOutcome.COMPLETE, expected, 1) == (second.outcome, bench.told(), bench.shares)


@pytest.mark.parametrize("nth", [1, 4, 40, 150])
def test_a_disk_that_is_full_ends_the_listing_with_a_word(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """Be it a worker's or the sweep's: nothing is done, nothing crashes, and the remedy is told."""
    bench.fill(POPULATIONS["skewed"])
    monkeypatch.setattr(spools, "CHUNK", 2)
    count = itertools.count(1)
    add = Chunks.add

    def sometimes(self: Chunks, chunk: bytes) -> None:
        with disk():
            if next(count) == nth:
                raise OSError(errno.ENOSPC, "No space left on device")
        add(self, chunk)

    monkeypatch.setattr(Chunks, "add", sometimes)
    result = bench.sweep()

    assert next(count) > nth
    assert (TargetOutcome.INCOMPLETE, 0) == (result.outcome, result.stale)
    assert "No space left on device: make room there" in str(result.error)
    assert [] == bench.heard.of(ContainerCrashed)
    assert len(bench.told()) == len(set(bench.told())) == result.listed == sum(result.kept.values())
    assert set() == bench.exchange.left_behind()


@pytest.mark.parametrize("backend", ["processes", "dask"])
def test_workers_that_are_processes(bench: Bench, backend: str) -> None:
    """Shares and what is said of them travel to other processes and back."""
    expected = bench.fill(POPULATIONS["skewed"])
    with ExitStack() as stack:
        said = "backend: processes, workers: 2"
        if backend == "dask":
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0"
                )
            )
            said = f'backend: dask, dask: {{scheduler: "{cluster.scheduler_address}"}}'
        result = bench.sweep_by(Sweeper, 4, backend=said)

    assert (TargetOutcome.COMPLETE, len(expected)) == (result.outcome, result.listed)
    assert expected == bench.told()


@pytest.mark.parametrize("nth", [2, 20])
def test_a_process_is_killed_while_it_lists(bench: Bench, nth: int) -> None:
    """Its shares are listed again by another one: everything is found, and counts once."""
    expected = bench.fill(POPULATIONS["skewed"])
    count, killed = itertools.count(1), []

    def kill(_: Call) -> None:
        if next(count) == nth:
            killed.append(min(children()))
            os.kill(killed[0], signal.SIGKILL)

    bench.sandbox.on(LIST, kill)
    result = bench.sweep_by(Sweeper, 4, backend="backend: processes, workers: 2")

    assert 1 == len(killed)
    assert (TargetOutcome.COMPLETE, len(expected)) == (result.outcome, result.listed)
    assert expected == bench.told()
