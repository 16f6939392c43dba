"""Sweeps by workers, and what can be done to these in the middle."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from janitor import settings
from janitor.backends.away import Away
from janitor.backends.processes import Processes, Worker
from janitor.observe.events import Event, SweepFinished
from janitor.sandbox.journal import Entry
from janitor.sandbox.wire import Call
from janitor.wiring import Sweeper
from support.child_scene import Hold, Scene
from support.child_sweep import HASTE

PATIENCE = 60.0
PROCESSES = "{concurrency: 16, backend: processes, workers: 2}"
ONE_PROCESS = "{concurrency: 16, backend: processes, workers: 1}"
# Leases of workers are a quarter of this one's duration: nobody wants to wait for 15 s.
SHORT_LEASES = "{lease: test, namespace: test, duration: 5s}"
MADE_BY_PYTHON = b"janitor.backends.child"


class SentTasks(Worker):
    """A worker that keeps every byte that is sent to it."""

    sent: list[bytes]

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        """Keep what is sent."""
        self.sent.append(pickle.dumps((function, arguments, named)))
        return super().submit(function, *arguments, **named)


@dataclass(frozen=True)
class Watched(Sweeper):
    """A sweeper whose tasks are kept."""

    sent: list[bytes] = field(default_factory=list)

    def _away(self) -> Away | None:
        away = super()._away()
        assert away is not None
        kind = type("Kept", (SentTasks,), {"sent": self.sent})
        return replace(away, staff=Processes(kind))


def sweeper(scene: Scene, **more: Any) -> Sweeper:
    """Make the product's sweeper for a scene's config, on the sandbox's clock."""
    loaded = settings.load(str(scene.config), {})
    kind: Callable[..., Sweeper] = more.pop("kind", Sweeper)
    return kind(loaded, now=scene.sandbox.clock.now, patience=HASTE, **more)


@contextmanager
def sweeping(scene: Scene, **more: Any) -> Iterator[tuple[Sweeper, Future[SweepFinished]]]:
    """Sweep beside the test."""
    made = sweeper(scene, **more)
    with ThreadPoolExecutor(1) as beside:
        try:
            yield made, beside.submit(made.sweep)
        finally:
            made.stop.set()


def children(parent: int | None = None) -> set[int]:
    """Give the process ids of a process's own workers, of this one's by default."""
    found: set[int] = set()
    for task in Path(f"/proc/{parent or 'self'}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # threads and processes end
            for pid in map(int, (task / "children").read_text("ascii").split()):
                if MADE_BY_PYTHON in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.add(pid)
    return found


def kill_children() -> int:
    """Kill all workers of this process; tell how many."""
    pids = children()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return len(pids)


class Points:
    """Holds one request of a provider in the sandbox, at a point of the life of its upload."""

    NAMES = ("before", "sent", "handled", "verified")

    def __init__(self, scene: Scene, provider: str, point: str) -> None:
        self._provider = provider
        self._aborted: set[str] = set()
        self._seen: dict[str, int] = {}
        self._lock = threading.Lock()
        self.hold = Hold(1)
        getattr(self, f"_at_{point}")(scene)

    def _at_before(self, scene: Scene) -> None:
        # The first look is the survey's, the second one is right before the abort.
        scene.sandbox.on(f"{self._provider}.list_parts", self._second_look)

    def _at_sent(self, scene: Scene) -> None:
        scene.sandbox.on(f"{self._provider}.abort", self.hold.hold)

    def _at_handled(self, scene: Scene) -> None:
        scene.journal.listeners.append(self._handled)

    def _at_verified(self, scene: Scene) -> None:
        scene.journal.listeners.append(self._remember)
        scene.sandbox.on(f"{self._provider}.list_parts", self._look_after)

    def _second_look(self, call: Call) -> None:
        name = call.upload_id or ""
        with self._lock:
            self._seen[name] = self._seen.get(name, 0) + 1
            second = self._seen[name] == 2
        if second:
            self.hold.hold(call)

    def _handled(self, entry: Entry) -> None:
        if entry.operation == f"{self._provider}.abort":
            self.hold.hold(entry)

    def _remember(self, entry: Entry) -> None:
        if entry.operation == f"{self._provider}.abort":
            self._aborted.add(entry.upload_id or "")

    def _look_after(self, call: Call) -> None:
        if call.upload_id in self._aborted:
            self.hold.hold(call)


class Heard:
    """An observer that remembers everything."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        """Remember one event."""
        self.events.append(event)

    def of(self, kind: type[Any]) -> list[Any]:
        """Give the events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]
