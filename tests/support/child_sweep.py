"""A janitor that says which point of its sweep it has reached, and can be held there.

Runs in a process of its own. It is the real command `janitor sweep`; only what
the sweep is given is wrapped: the ledger, the aborter, the observers, the clock.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

from janitor import cli
from janitor.backends import tasks
from janitor.backends.away import Away
from janitor.backends.processes import Worker
from janitor.backends.staff import Hand, Staff
from janitor.commands import sweep as command
from janitor.engine.calls import Patience
from janitor.engine.memory import RunLedger
from janitor.ledger import open_ledger
from janitor.model import Decision, Upload
from janitor.observe.events import Event, Observer, PageListed, Planned, SweepFinished
from janitor.providers.base import Aborter
from janitor.providers.common import Common
from janitor.settings.types import Settings
from janitor.sweep import Job
from janitor.targets import Target
from janitor.wiring import Sweeper

# In the order in which a sweep with one upload comes by.
MARKERS = ("lock", "page", "plan", "intent", "check", "send", "reply", "result", "finish")
HASTE = Patience(attempts=3, first_delay=0.001, longest_delay=0.002)
NO_JUMP = timedelta(0)
ERRORS, REPORT = "errors.log", "report.json"


@dataclass(frozen=True)
class Orders:
    """What a child is told: its config, where to write, and the marker to be held at.

    `ahead` is how far its clock is ahead of this machine's. `user` is whom to
    be from when the ledger is opened; `patience` how long to wait for it.
    `arguments` are more of the command line.
    """

    config: Path
    folder: Path
    target: str | None = None
    hold_at: str = ""
    nth: int = 1
    ahead: timedelta = NO_JUMP
    user: int | None = None
    patience: timedelta | None = None
    arguments: tuple[str, ...] = ()


class Markers:
    """Tells the parent of every marker; at the one to be held at, everything stands still."""

    def __init__(self, orders: Orders, pipe: Connection) -> None:
        self._orders = orders
        self._pipe = pipe
        self._counts: Counter[str] = Counter()
        # Who is held keeps the gate, so that every other thread is held at its next marker.
        self._gate, self._speaking = threading.Lock(), threading.Lock()
        # Of each thread, and of each fiber.
        self._about_to_send: ContextVar[str | None] = ContextVar("about_to_send", default=None)
        self._ahead = orders.ahead

    def reach(self, name: str, upload_id: str = "") -> None:
        """Say that a marker was reached, and go on when that is allowed."""
        with self._gate:
            self._counts[name] += 1
            held = (name, self._counts[name]) == (self._orders.hold_at, self._orders.nth)
            self.say("at" if held else "passed", name, upload_id)
            if held:
                self._ahead += self._pipe.recv()

    def say(self, *words: str) -> None:
        """Tell the parent."""
        with self._speaking:
            self._pipe.send(words)

    def now(self) -> datetime:
        """Give the wall clock's time; between an intent and its request, that is a marker."""
        upload_id = self._about_to_send.get()
        if upload_id is not None:
            self._about_to_send.set(None)
            self.reach("check", upload_id)
        return datetime.now(UTC) + self._ahead

    def intended(self, upload_id: str) -> None:
        """Note that the next look at the clock in this thread is the last before the request."""
        self.reach("intent", upload_id)
        self._about_to_send.set(upload_id)

    def observe(self, event: Event) -> None:
        """Find markers among the events."""
        match event:
            case PageListed():
                self.reach("page")
            case Planned():
                self.reach("plan")

    def sweeper(self, loaded: Settings, **more: Any) -> Sweeper:
        """Make what the command takes for its sweeper."""
        ours = {"now": self.now, "patience": HASTE, "observers": (self.observe,)}
        return MarkedSweeper(loaded, **(more | ours), markers=self, orders=self._orders)


@dataclass(frozen=True, kw_only=True)
class MarkedSweeper(Sweeper):
    """The product's own sweeper, with marks on what it hands to the sweep."""

    markers: Markers
    orders: Orders

    def sweep(self, more_observers: Iterable[Observer] = ()) -> SweepFinished:
        """Sweep, and say when a stop was asked for."""
        threading.Thread(target=self._tell_stopping, daemon=True).start()
        return super().sweep(more_observers)

    def _tell_stopping(self) -> None:
        self.stop.wait()
        self.markers.say("stopping")

    @contextmanager
    def _ledger(self) -> Iterator[RunLedger | None]:
        with self._opened() as ledger:
            yield cast("RunLedger", MarkedLedger(ledger, self.markers))

    def _opened(self) -> AbstractContextManager[object]:
        if self.orders.user is not None:
            os.setgroups([])
            os.setgid(self.orders.user)
            os.setuid(self.orders.user)
        if self.orders.patience is None:
            return super()._ledger()
        return open_ledger(str(self.settings.ledger), patience=self.orders.patience)

    def _away(self) -> Away | None:
        away = super()._away()
        if away is None:
            return None
        return replace(away, staff=cast("Staff", MarkedStaff(away.staff, self.markers)))

    def _job(self, target: Target, common: Common) -> Job:
        job = super()._job(target, common)
        if job.aborter is None:
            return job
        make: Callable[[], Aborter] = job.aborter
        return replace(job, aborter=lambda: MarkedAborter(make(), self.markers))


class MarkedLedger:
    """The ledger, with a marker after each step that matters."""

    def __init__(self, ledger: Any, markers: Markers) -> None:
        self._ledger = ledger
        self._markers = markers

    def __getattr__(self, name: str) -> Any:
        """Do everything else as the ledger does."""
        return getattr(self._ledger, name)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Mark that the lock is held."""
        with self._ledger.lock():
            self._markers.reach("lock")
            yield

    def intend(self, run_id: str, at: datetime, decision: Decision) -> int:
        """Mark that the intent is on the disk."""
        intent: int = self._ledger.intend(run_id, at, decision)
        self._markers.intended(decision.upload.upload_id)
        return intent

    def conclude(self, intent: int, *arguments: Any, **more: Any) -> None:
        """Mark that the result is on the disk."""
        self._ledger.conclude(intent, *arguments, **more)
        self._markers.reach("result")

    def finish(self, *arguments: Any) -> None:
        """Mark that all is done but the last line of the run."""
        self._markers.reach("finish")
        self._ledger.finish(*arguments)


class MarkedStaff:
    """Where workers come from, each of which says when it knows of a stop."""

    def __init__(self, staff: Staff, markers: Markers) -> None:
        self._staff = staff
        self._markers = markers

    def __getattr__(self, name: str) -> Any:
        """Do everything else as it does."""
        return getattr(self._staff, name)

    def hire(self, count: int) -> Sequence[Hand]:
        """Give workers."""
        hired = self._staff.hire(count)
        return [cast("Hand", MarkedHand(hand, self._markers)) for hand in hired]


class MarkedHand:
    """A worker that says when it knows of a stop."""

    def __init__(self, hand: Hand, markers: Markers) -> None:
        self._hand = hand
        self._markers = markers

    def __getattr__(self, name: str) -> Any:
        """Do everything else as it does."""
        return getattr(self._hand, name)

    def stop(self, run_id: str) -> None:
        """Let it begin no more requests, and say that it knows."""
        if isinstance(self._hand, Worker):
            self._hand.submit(tasks.stop, run_id).result()
        else:
            self._hand.stop(run_id)
        self._markers.say("told")


class MarkedAborter:
    """The aborter, with a marker before each request and one after its reply."""

    def __init__(self, aborter: Aborter, markers: Markers) -> None:
        self._aborter = aborter
        self._markers = markers

    def abort(self, upload: Upload) -> None:
        """Abort between two markers."""
        self._markers.reach("send", upload.upload_id)
        self._aborter.abort(upload)
        self._markers.reach("reply", upload.upload_id)

    def close(self) -> None:
        """Close the real one."""
        self._aborter.close()


def main(orders: Orders, pipe: Connection) -> None:
    """Sweep as the command line does, and exit as it does."""
    _write_to(orders.folder / REPORT, sys.stdout.fileno())
    _write_to(orders.folder / ERRORS, sys.stderr.fileno())
    vars(command)["Sweeper"] = Markers(orders, pipe).sweeper
    only = [] if orders.target is None else ["--target", orders.target]
    sys.exit(cli.run(["sweep", "-c", str(orders.config), "-o", "json", *only, *orders.arguments]))


def _write_to(path: Path, handle: int) -> None:
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(opened, handle)
    os.close(opened)
