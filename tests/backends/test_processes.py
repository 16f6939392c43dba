"""Workers that are processes: the right aborts, each once, whatever happens to the workers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from support.child_scene import PROVIDERS, Scene
from support.workers import (
    ONE_PROCESS,
    PATIENCE,
    PROCESSES,
    SHORT_LEASES,
    Heard,
    Points,
    Watched,
    children,
    kill_children,
    sweeper,
    sweeping,
)

from janitor.backends import hands
from janitor.backends.cpus import usable
from janitor.backends.processes import Worker
from janitor.backends.staff import NoWorkers, WorkerLost
from janitor.errors import ConfigError, NotLeader
from janitor.ledger.types import NOT_SENT
from janitor.model import Outcome, TargetOutcome
from janitor.observe.events import RequestFinished, RequestRetried, WorkersNoticed
from janitor.plan import Limits
from janitor.sandbox.faults import Fault
from janitor.sandbox.wire import Call

MakeScene = Callable[..., Scene]
INCOMPLETE, INTERRUPTED = 3, 130


def test_all_providers(make_scene: MakeScene) -> None:
    """Exactly what is stale goes, once, and observers hear of the workers' requests."""
    scene = make_scene(40)
    scene.configure(execution=PROCESSES)
    heard = Heard()
    finished = sweeper(scene, observers=[heard]).sweep()
    done = {result.where.target: (result.listed, result.aborted) for result in finished.results}
    asked = {event.operation for event in heard.of(RequestFinished)}

    assert 0 == finished.exit_code
    assert dict.fromkeys(PROVIDERS, (42, 40)) == done
    assert {"list_page", "list_parts", "abort"} <= asked
    assert set() == children()
    scene.assert_convergence()


@pytest.mark.parametrize(
    ("point", "provider"),
    [
        ("before", "s3"),
        ("sent", "s3"),
        ("sent", "glacier"),
        ("handled", "qingstor"),
        ("verified", "s3"),
    ],
)
def test_a_worker_is_killed(make_scene: MakeScene, point: str, provider: str) -> None:
    """Before an abort, when it was sent, after its reply: the same run finishes, each once."""
    scene = make_scene(4, provider)
    scene.configure(execution=ONE_PROCESS)
    hold = Points(scene, provider, point).hold
    heard = Heard()
    with sweeping(scene, observers=[heard]) as (_, sweep):
        hold.wait_until_held()
        killed = kill_children()
        hold.let_go()
        finished = sweep.result(PATIENCE)

    assert 1 == killed
    assert (0, 4) == (finished.exit_code, finished.results[0].aborted)
    assert 1 == len(heard.of(WorkersNoticed))
    scene.assert_convergence()


def test_a_stop_in_the_middle(make_scene: MakeScene) -> None:
    """What is in flight is finished, nothing else is begun, and the next run does the rest."""
    scene = make_scene(40, "s3")
    scene.configure(execution="{concurrency: 2, backend: processes, workers: 1}")
    hold = Points(scene, "s3", "sent").hold
    with sweeping(scene) as (stopped, sweep):
        hold.wait_until_held()
        stopped.stop.set()
        hold.let_go()
        finished = sweep.result(PATIENCE)
    scene.assert_nothing_is_lost()

    assert INTERRUPTED == finished.exit_code
    assert TargetOutcome.INTERRUPTED is finished.results[0].outcome
    assert len(scene.gone()) == finished.results[0].aborted == len(scene.aborted())
    assert 0 < len(scene.gone()) < 40
    assert [] == scene.open_intents()
    assert 0 == scene.sweep().exit_code
    scene.assert_convergence()


def test_limits_are_exact(make_scene: MakeScene) -> None:
    """The oldest go, as many as the limit says over all targets and workers."""
    scene = make_scene(6)
    scene.configure(execution=PROCESSES, limits="{aborts_per_run: 7}")
    finished = sweeper(scene).sweep()
    scene.assert_nothing_is_lost()

    assert Limits(aborts_per_run=7).aborts_per_run == len(scene.gone())
    assert 7 == sum(result.aborted for result in finished.results)
    assert 11 == sum(result.deferred for result in finished.results)


def test_a_worker_with_another_config(make_scene: MakeScene) -> None:
    """A policy that changed meanwhile is refused, in a sentence, and nothing is aborted."""
    scene = make_scene(3, "s3")
    scene.configure(execution=ONE_PROCESS)
    made = sweeper(scene)
    text = scene.config.read_text("utf-8")
    scene.config.write_text(text.replace("stale_after: 7d", "stale_after: 2d"), "utf-8")
    finished = made.sweep()

    assert TargetOutcome.INCOMPLETE is finished.results[0].outcome
    assert "the worker has another config" in str(finished.results[0].error)
    assert set() == scene.gone()


def test_a_worker_whose_config_only_reports(make_scene: MakeScene) -> None:
    """On its machine nothing may be aborted: it is of no use, and the sweep is told why."""
    scene = make_scene(3, "s3")
    scene.configure(execution=ONE_PROCESS)
    made, applying = sweeper(scene), sweeper(scene, only={})
    scene.configure(execution=ONE_PROCESS, mode="report")

    with pytest.raises(NoWorkers, match="says mode: report, and that of the sweep enforce"):
        made.sweep()
    assert set() == scene.gone()
    # What a plan names may be aborted because somebody has looked at it.
    assert 0 == applying.sweep().exit_code


def test_a_worker_that_answers_nonsense() -> None:
    """It is lost, and told of as that; and it is ended, because nobody hears what it does."""
    worker = Worker(0)
    handle = Path(f"/proc/{worker.pid}/cmdline").read_bytes().rstrip(b"\0").rpartition(b"\0")[2]
    waiting = worker.submit(time.sleep, PATIENCE)
    # Four bytes that say how long it is, and then what no pickle begins with.
    nonsense = worker.submit(os.write, int(handle), b"\0\0\0\4what")
    for each in (waiting, nonsense):
        with pytest.raises(WorkerLost, match="answers what cannot be read"):
            each.result(PATIENCE)

    assert not worker.alive
    assert set() == children()
    with pytest.raises(WorkerLost, match="answers what cannot be read"):
        worker.submit(os.getpid).result(PATIENCE)
    worker.shutdown()


def test_no_secret_travels(make_scene: MakeScene) -> None:
    """No task has a key in it, whatever it is about."""
    # On S3 an upload tells whose key began it, and that travels with it.
    scene = make_scene(3, "glacier", "qingstor")
    scene.configure(execution=PROCESSES)
    kept: list[bytes] = []
    finished = sweeper(scene, kind=Watched, sent=kept).sweep()
    sandbox = scene.sandbox
    whole = b"".join(kept)

    assert 0 == finished.exit_code
    assert len(kept) >= 6
    assert scene.config.name.encode() in whole
    assert sandbox.secret_access_key.encode() not in whole
    assert sandbox.access_key_id.encode() not in whole


def test_a_config_without_a_file(make_scene: MakeScene) -> None:
    """What came from standard input can be read by nobody else: the sweep says so."""
    scene = make_scene(1, "s3")
    scene.configure(execution=PROCESSES)
    made = sweeper(scene)
    object.__setattr__(made.settings, "file", None)

    with pytest.raises(ConfigError, match="name a file"):
        made.sweep()


def test_living_uploads_live(make_scene: MakeScene) -> None:
    """A part that arrives while workers are about to abort saves its upload."""
    scene = make_scene(4, "s3")
    scene.configure(execution=ONE_PROCESS)
    hold = Points(scene, "s3", "before").hold
    with sweeping(scene) as (_, sweep):
        saved = hold.wait_until_held()
        scene.add_part("s3", saved)
        hold.let_go()
        finished = sweep.result(PATIENCE)
    scene.assert_nothing_is_lost()

    assert scene.stale() - {saved} == scene.gone()
    assert [] == scene.open_intents()
    assert 0 == finished.exit_code


def test_an_upload_that_ends_every_worker(make_scene: MakeScene) -> None:
    """It is told of as failed, is not aborted, and all others are, each once."""
    scene = make_scene(5, "s3")
    scene.configure(execution=ONE_PROCESS)
    poison = min(scene.stale())
    looks: Counter[str] = Counter()

    def end_its_worker(call: Call) -> None:
        looks[call.upload_id or ""] += 1
        if call.upload_id == poison and looks[poison] > 1:
            kill_children()

    scene.sandbox.on("s3.list_parts", end_its_worker)
    finished = sweeper(scene).sweep()
    result = finished.results[0]
    scene.assert_nothing_is_lost()

    assert (INCOMPLETE, 4, 1) == (finished.exit_code, result.aborted, result.failed)
    assert "is gone" in str(result.error)
    assert scene.stale() - {poison} == scene.gone() == set(scene.aborted())
    assert [] == scene.open_intents()


def test_a_quota_of_cpus_counts(tmp_path: Path) -> None:
    """In a container, fewer processes than the machine has CPUs."""
    file = tmp_path / "cpu.max"
    every = usable(tmp_path / "missing")
    found = []
    for text in ("max 100000", "50000 100000", "100000 100000", "6400000 100000"):
        file.write_text(f"{text}\n", "ascii")
        found.append(usable(file))

    assert [every, 1, 1, every] == found


def test_who_does_not_lead_sends_nothing(make_scene: MakeScene) -> None:
    """Asked before every piece: nothing is even intended, and the run tells why."""

    def demand() -> None:
        message = "the Lease is lost"
        raise NotLeader(message)

    scene = make_scene(3, "s3")
    scene.configure(execution=ONE_PROCESS)
    finished = sweeper(scene, permit=demand).sweep()

    assert (INCOMPLETE, 3) == (finished.exit_code, finished.results[0].withheld)
    assert "the Lease is lost" == finished.results[0].error
    assert [] == scene.intents()
    assert set() == scene.gone()


def test_who_ceases_to_lead_sends_nothing(make_scene: MakeScene) -> None:
    """The Lease is lost while intents are written down: they end as not sent."""
    asked: list[int] = []

    def demand() -> None:
        asked.append(1)
        if len(asked) > 1:
            message = "the Lease is lost"
            raise NotLeader(message)

    scene = make_scene(3, "s3")
    scene.configure(execution=ONE_PROCESS)
    finished = sweeper(scene, permit=demand).sweep()

    assert (INCOMPLETE, 3) == (finished.exit_code, finished.results[0].withheld)
    assert [NOT_SENT] * 3 == [record.outcome for record in scene.intents()]
    assert set() == scene.gone()


def test_nobody_can_see_what_a_lost_worker_did(make_scene: MakeScene) -> None:
    """What it aborted is not written down as never sent: it stays open until somebody sees."""
    scene = make_scene(1, "s3")
    scene.configure(execution=ONE_PROCESS)
    hold = Points(scene, "s3", "handled").hold
    with sweeping(scene) as (_, sweep):
        hold.wait_until_held()
        scene.sandbox.faults.add(Fault(operation="s3.list_parts", status=503, times=None))
        kill_children()
        hold.let_go()
        finished = sweep.result(PATIENCE)
    scene.assert_nothing_is_lost()
    scene.sandbox.faults.clear()

    assert INCOMPLETE == finished.exit_code
    assert 1 == len(scene.open_intents())
    assert 0 == scene.sweep().exit_code
    scene.assert_convergence()


def test_a_worker_that_is_frozen(make_scene: MakeScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lives, and never answers: when its lease is long over, another does its piece."""
    monkeypatch.setattr(hands, "BEYOND", 0.5)
    scene = make_scene(4, "s3")
    scene.configure(
        execution=ONE_PROCESS.replace("}", ", connect_timeout: 1s, read_timeout: 1s}"),
        leader_election=SHORT_LEASES,
    )
    hold = Points(scene, "s3", "sent").hold
    with sweeping(scene) as (_, sweep):
        hold.wait_until_held()
        for pid in children():
            os.kill(pid, signal.SIGSTOP)
        hold.let_go()
        finished = sweep.result(PATIENCE)

    assert (0, 4) == (finished.exit_code, finished.results[0].aborted)
    scene.assert_convergence()


def test_a_store_that_asks_for_more_time_than_a_lease(make_scene: MakeScene) -> None:
    """What was refused and found no time for another try is sent again."""
    scene = make_scene(1, "s3")
    scene.configure(execution=ONE_PROCESS, leader_election=SHORT_LEASES)
    wait = {"Retry-After": "3"}
    scene.sandbox.faults.add(Fault(operation="s3.abort", status=503, headers=wait))
    heard = Heard()
    finished = sweeper(scene, observers=[heard]).sweep()
    scene.assert_nothing_is_lost()

    assert 1 == len(heard.of(RequestRetried))
    assert (0, 1) == (finished.exit_code, finished.results[0].aborted)
    assert [Outcome.ABORTED] == [record.outcome for record in scene.intents()]


def test_a_store_that_hangs_stops_no_other(make_scene: MakeScene) -> None:
    """One target never answers in time: the others are swept, and the sweep ends by itself."""
    scene = make_scene(3)
    timeouts = "connect_timeout: 1s, read_timeout: 2s, target_timeout: 20s"
    scene.configure(execution=f"{{concurrency: 16, backend: processes, workers: 1, {timeouts}}}")
    over = threading.Event()

    def hang(_: Call) -> None:
        over.wait(PATIENCE)

    scene.sandbox.on("glacier.list_uploads", hang)
    try:
        finished = sweeper(scene).sweep()
    finally:
        over.set()
    outcomes = {result.where.target: str(result.outcome) for result in finished.results}
    aborted = {result.where.target: result.aborted for result in finished.results}

    assert {"glacier": "incomplete", "qingstor": "complete", "s3": "complete"} == outcomes
    assert {"glacier": 0, "qingstor": 3, "s3": 3} == aborted
