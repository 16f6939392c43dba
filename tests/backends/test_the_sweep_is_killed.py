"""The sweep itself is killed: its workers end with it, and the next run finishes, each once."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.child_handle import Child, nursery
from support.child_scene import CONTAINER, HANDLED, SENT, Scene, holding
from support.harness import hours
from support.workers import ONE_PROCESS, PATIENCE, Heard, children, sweeper

from janitor.ledger import open_ledger
from janitor.ledger.types import RunHeader
from janitor.observe.events import IntentReconciled, UploadFinished
from janitor.sweep import OUTLIVED
from janitor.targets import LEASE

MakeScene = Callable[..., Scene]
TERMINATED = 143


@pytest.fixture(scope="module", autouse=True)
def _nursery() -> Iterator[None]:
    """Have the server that forks the children."""
    with nursery():
        yield


def is_gone(pid: int) -> bool:
    """Whether a process has ended, although nobody may have asked for its exit code."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("where", [SENT, HANDLED])
def test_killed_with_an_abort_on_the_wire(make_scene: MakeScene, where: str) -> None:
    """Nothing more is aborted by workers of a sweep that is gone, and nothing is lost."""
    scene = make_scene(5, "s3")
    scene.configure(execution=ONE_PROCESS)
    with holding(scene, "s3", where, 2) as hold, Child(scene.orders()) as child:
        hold.wait_until_held()
        (worker,) = children(child.pid)
        child.send(signal.SIGKILL)
        ended = child.end()
        begun = time.monotonic()
        while not is_gone(worker):
            assert time.monotonic() - begun < PATIENCE, "the worker goes on"
            os.sched_yield()
        hold.let_go()
        scene.journal.wait_for("s3.abort", 2)
    scene.assert_nothing_is_lost()
    finished = scene.sweep()

    assert (-signal.SIGKILL, 0) == (ended, finished.exit_code)
    scene.assert_convergence()


class Waiting(threading.Event):
    """A stop that nobody asks for; whoever waits for it gives a worker time to go on."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    def wait(self, timeout: float | None = None) -> bool:
        """Let the worker go on, and do not wait."""
        if timeout == LEASE:
            self._meanwhile()
        return False


@pytest.mark.parametrize(
    ("ending", "ago", "expected"),
    [(OUTLIVED, 0, "aborted"), ("", 0, "not_sent"), (OUTLIVED, 2, "not_sent")],
)
def test_workers_that_outlive_their_sweep_are_waited_for(
    make_scene: MakeScene, ending: str, ago: int, expected: str
) -> None:
    """Whatever the next run works with, it does not look before an old lease is over."""
    scene = make_scene(1, "s3")
    (name,) = scene.stale()
    store = scene.populations["s3"].harness.store(scene.sandbox)
    heard, later = Heard(), Heard()
    sweeper(scene, observers=[heard], read_only=True).sweep()
    (decision,) = [
        event.result.decision
        for event in heard.of(UploadFinished)
        if event.result.decision.upload.upload_id == name
    ]
    begun = scene.sandbox.clock.now()
    with open_ledger(scene.url) as ledger:
        ledger.begin(RunHeader(f"killed{ending}", "enforce", begun, "1", "", ()))
        ledger.intend(f"killed{ending}", begun, decision)
    scene.sandbox.clock.move(hours(ago))
    stop = Waiting(lambda: store.abort(CONTAINER, name))
    finished = sweeper(scene, observers=[later], stop=stop).sweep()

    assert 0 == finished.exit_code
    assert [(name, expected)] == [
        (event.upload_id, event.outcome) for event in later.of(IntentReconciled)
    ]


def test_everybody_is_told_to_end(make_scene: MakeScene) -> None:
    """A service manager tells every process of a service: workers leave the end to the sweep."""
    scene = make_scene(40, "s3")
    scene.configure(execution="{concurrency: 2, backend: processes, workers: 1}")
    with holding(scene, "s3", SENT, 2) as hold, Child(scene.orders()) as child:
        hold.wait_until_held()
        (worker,) = children(child.pid)
        for pid in (worker, child.pid):
            os.kill(pid, signal.SIGTERM)
        child.wait_until_stopping()
        hold.let_go()
        ended = child.end()
        report = json.loads(child.output())
    scene.assert_nothing_is_lost()
    aborted = {each["upload_id"] for each in report["uploads"] if each["outcome"] == "aborted"}

    assert TERMINATED == ended
    assert scene.gone() == aborted == set(scene.aborted())
    assert 1 < len(aborted) < 40
    assert [] == scene.open_intents()
