"""Workers that stay when a sweep is over, so that all tests of a module can have the same ones."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from janitor.backends import tasks
from janitor.backends.away import Away
from janitor.backends.pieces import Order, Reply
from janitor.backends.processes import Processes, Worker
from janitor.backends.staff import Hand, Staff
from janitor.settings.types import Election, Settings
from janitor.targets import Dask
from janitor.wiring import Sweeper
from support import worker_settings

BACKENDS = ("threads", "processes", "dask")
COUNT = 2
_PATIENCE = 60.0
# A sweep that follows one that was killed need not wait here: whoever is at work is waited for.
_NO_WAIT = Election("test", "test", timedelta(microseconds=4))


class KeptStaff(Staff, Protocol):
    """Where the workers of many sweeps come from."""

    def wait_until_stopping(self) -> None:
        """Wait until all of them know that a stop was asked for."""


@dataclass
class Workforce:
    """The workers of some tests. `sweeps` counts how often they were asked for."""

    backend: str
    staff: KeptStaff
    folder: Path
    dask: Dask | None = None
    sweeps: int = 0

    def employed(self, made: Settings) -> Settings:
        """Let the workers do what these settings would let threads do."""
        changes: dict[str, Any] = {"backend": self.backend, "dask": self.dask}
        return replace(made, execution=replace(made.execution, **changes), election=_NO_WAIT)

    def away(self, made: Settings) -> Away:
        """Give the workers to a sweep, with a file of its settings."""
        self.sweeps += 1
        file = self.folder / f"{self.sweeps}.pickle"
        worker_settings.write(file, made)
        return Away(self.staff, str(file), COUNT)


# Who works for the sweeps of the present test; nobody for most.
_present: list[Workforce] = []


@contextmanager
def at_work(workforce: Workforce | None) -> Iterator[None]:
    """Let the sweeps of a test be made by these."""
    if workforce is None:
        yield
        return
    _present.append(workforce)
    try:
        yield
    finally:
        _present.clear()


def employed(made: Settings) -> Settings:
    """Give settings by which whoever is at work works; without them the same."""
    return _present[0].employed(made) if _present else made


def by_workers() -> bool:
    """Whether others than our own threads make the requests."""
    return bool(_present)


def stop(one: Sweeper) -> None:
    """Ask a sweep to stop, and come back when all who work for it know it."""
    one.stop.set()
    if _present:
        _present[0].staff.wait_until_stopping()


@dataclass(frozen=True)
class WorkedSweeper(Sweeper):
    """The product's own sweeper; its workers are those that are there, if there are any."""

    def _away(self) -> Away | None:
        return _present[0].away(self.settings) if _present else super()._away()


class _KeptWorker(Worker):
    """A process that reads what tests write, and whose pieces can be waited for."""

    MAIN = "support.child_worker"

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.pieces: list[Future[Reply]] = []
        self.stopping = threading.Event()

    def stop(self, run_id: str) -> None:
        """Let it begin no more requests, and hear that it knows."""
        self.submit(tasks.stop, run_id).result(_PATIENCE)
        self.stopping.set()

    def do(self, order: Order) -> Future[Reply]:
        """Do a piece, and remember it."""
        piece = super().do(order)
        self.pieces.append(piece)
        return piece

    def finish(self, run_id: str) -> None:
        """End a run: whoever is in the middle of a piece comes to its end first."""
        self.stop(run_id)
        wait(self.pieces, _PATIENCE)
        self.pieces.clear()
        self.stopping.clear()
        self.submit(tasks.close, run_id).result(_PATIENCE)


class _KeptProcesses(Processes):
    """Processes that stay."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[_KeptWorker] = []
        self._busy: list[_KeptWorker] = []

    def hire(self, count: int) -> Sequence[Hand]:
        """Give those that are free, and as many new ones as that is too few."""
        self._kept = [worker for worker in self._kept if worker.alive]
        free = [worker for worker in self._kept if worker not in self._busy]
        new = [_KeptWorker(len(self._kept) + number) for number in range(count - len(free))]
        self._kept += new
        given = (free + new)[:count]
        self._busy += given
        return given

    def wait_until_stopping(self) -> None:
        """Wait until all of them know that a stop was asked for."""
        for worker in self._busy:
            assert worker.stopping.wait(_PATIENCE), "a worker does not hear of the stop"

    def close(self, run_id: str) -> None:
        """Let them come to the end of a run, and be free."""
        for worker in self._busy:
            if worker.alive:
                worker.finish(run_id)
        self._busy.clear()

    def end(self) -> None:
        """End them."""
        for worker in self._kept:
            worker.shutdown()


@contextmanager
def _processes(folder: Path) -> Iterator[Workforce]:
    staff = _KeptProcesses()
    try:
        yield Workforce("processes", staff, folder)
    finally:
        staff.end()


@contextmanager
def _dask(folder: Path) -> Iterator[Workforce]:
    from support.kept_dask import kept_dask  # noqa: PLC0415  # slow to import

    with kept_dask(COUNT) as (staff, where):
        yield Workforce("dask", staff, folder, where)


@contextmanager
def workforce(backend: str) -> Iterator[Workforce | None]:
    """Have workers of a kind; None for threads, which are the sweep's own."""
    if backend == "threads":
        yield None
        return
    with (
        tempfile.TemporaryDirectory(prefix="janitor-work-") as name,
        pytest.MonkeyPatch.context() as patch,
    ):
        # They import what tests import.
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        with {"processes": _processes, "dask": _dask}[backend](Path(name)) as made:
            yield made
