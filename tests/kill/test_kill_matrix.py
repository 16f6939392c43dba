"""A janitor that is killed, at any point of its sweep, loses no record and aborts nothing twice."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import pytest
from support.backends import Backend
from support.child_handle import Child
from support.child_scene import HANDLED, PROVIDERS, SENT, Scene, holding

BY_THREADS = Backend()
KILL, TERM = signal.SIGKILL, signal.SIGTERM
TERMINATED = 143
# Which of several, so that something was done before and something is left to do.
MARKERS = {
    "lock": 1,
    "page": 2,
    "plan": 1,
    "intent": 2,
    "send": 2,
    SENT: 2,
    HANDLED: 2,
    "reply": 2,
    "result": 2,
}
# Where it matters what sends the requests.
BY_SDK = ["intent", "send", SENT, HANDLED, "reply"]

# What a sweep comes by whose requests others make. The other test files are about what the sweep
# alone does, whoever works for it: its limits, its clock, its signals and its ledger's disk.
BY_WORKERS = [marker for marker in MARKERS if marker not in {"send", "reply"}]
# What workers hear of; after all results of a piece there is nothing left to withhold.
TERMINATED_BY_WORKERS = ["intent", SENT, HANDLED]
WORKERS = pytest.mark.parametrize("worked_by", ["processes", "dask"], indirect=True)

MakeScene = Callable[..., Scene]


class Held(Protocol):
    """What is held somewhere, a child or a request of its."""

    def wait_until_held(self) -> str:
        """Wait until it is."""

    def let_go(self) -> None:
        """Let it go on."""


@pytest.fixture
def marked(make_scene: MakeScene) -> MakeScene:
    """Make scenes in which five uploads of each provider are ripe, and two must live."""

    def make(*providers: str) -> Scene:
        made = make_scene(*providers)
        for provider in providers:
            made.add_stale(provider, 4)
            made.add_stale(provider, 1, parts=3)
            made.add_slow(provider)
            made.add_young(provider)
        made.mark()
        return made

    return make


@contextmanager
def child_at(scene: Scene, provider: str, marker: str, nth: int) -> Iterator[tuple[Child, Held]]:
    """Start a child that is to be held at a marker."""
    if marker in {SENT, HANDLED}:
        with holding(scene, provider, marker, nth) as hold, Child(scene.orders()) as child:
            yield child, hold
    else:
        with Child(scene.orders(hold_at=marker, nth=nth)) as child:
            yield child, child


def report_of(child: Child) -> dict[str, Any]:
    """Read the report that a child wrote."""
    document: dict[str, Any] = json.loads(child.output())
    return document


def outcomes_of(report: dict[str, Any], outcome: str) -> set[str]:
    """Give the uploads that ended like this."""
    return {each["upload_id"] for each in report["uploads"] if each["outcome"] == outcome}


def assert_budget_covers(scene: Scene) -> None:
    """Require that all that was aborted is counted; more may be."""
    spent, sent = scene.spent(), set(scene.aborted())

    assert spent.aborts >= len(sent)
    assert spent.bytes >= scene.size(sent)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("marker", MARKERS)
def test_killed_at_any_point(marked: MakeScene, marker: str, provider: str) -> None:
    """After SIGKILL nothing is unrecorded, and the next run finishes what is left, once."""
    dies_and_recovers(marked(provider), provider, marker)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("marker", BY_SDK)
def test_killed_while_an_sdk_asks(marked: MakeScene, marker: str, provider: str) -> None:
    """The same over boto3 and qingstor-sdk, from the first intent to the last reply."""
    scene = marked(provider)
    scene.configure(transport="sdk")
    dies_and_recovers(scene, provider, marker)


@WORKERS
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("marker", BY_WORKERS)
def test_killed_while_workers_ask(
    marked: MakeScene, marker: str, provider: str, worked_by: Backend
) -> None:
    """The same where workers send all requests, and may go on for a while."""
    scene = marked(provider)
    worked_by.configure(scene)
    dies_and_recovers(scene, provider, marker, worked_by)


def dies_and_recovers(
    scene: Scene, provider: str, marker: str, worked_by: Backend = BY_THREADS
) -> None:
    """Kill a child at a marker, and let the next run finish what is left."""
    with child_at(scene, provider, marker, MARKERS[marker]) as (child, held):
        held.wait_until_held()
        child.send(KILL)
        ended = child.end()
        held_abort = marker == SENT
        if held_abort:
            held.let_go()
            scene.journal.wait_for(f"{provider}.abort", MARKERS[SENT])
    worked_by.wait_until_idle()
    scene.assert_nothing_is_lost()
    assert_budget_covers(scene)
    finished = scene.sweep()

    assert (-KILL, 0) == (ended, finished.exit_code)
    scene.assert_convergence()
    assert (len(scene.stale()), scene.size(scene.stale())) == (
        scene.spent().aborts,
        scene.spent().bytes,
    )


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("marker", MARKERS)
def test_terminated_at_any_point(marked: MakeScene, marker: str, provider: str) -> None:
    """After SIGTERM what is in flight is finished, the rest withheld, and the report written."""
    scene = marked(provider)
    if marker in {SENT, HANDLED}:
        # The store holds one request, and another thread would go on and finish everything.
        scene.configure(execution="{concurrency: 1}")
    ends_and_recovers(scene, provider, marker)


@WORKERS
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("marker", TERMINATED_BY_WORKERS)
def test_terminated_while_workers_ask(
    marked: MakeScene, marker: str, provider: str, worked_by: Backend
) -> None:
    """The same where workers send all requests, and have to be told."""
    scene = marked(provider)
    worked_by.configure(scene)
    ends_and_recovers(scene, provider, marker, worked_by)


def ends_and_recovers(
    scene: Scene, provider: str, marker: str, worked_by: Backend = BY_THREADS
) -> None:
    """Ask a child at a marker to stop, and let the next run finish what is left."""
    with child_at(scene, provider, marker, MARKERS[marker]) as (child, held):
        held.wait_until_held()
        child.send(TERM)
        child.wait_until_stopping()
        if worked_by.by_workers:
            child.wait_until_workers_know()
        held.let_go()
        ended = child.end()
        report = report_of(child)
    scene.assert_nothing_is_lost()

    assert TERMINATED == ended, child.errors()
    assert {"interrupted"} == {target["outcome"] for target in report["targets"]}
    assert scene.gone() == outcomes_of(report, "aborted") == set(scene.aborted())
    assert [] == scene.open_intents()
    assert scene.gone() < scene.stale()
    assert_budget_covers(scene)
    assert 0 == scene.sweep().exit_code
    scene.assert_convergence()


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("number", "expected"), [(KILL, -KILL), (TERM, TERMINATED)])
def test_killed_during_shutdown(
    marked: MakeScene, provider: str, number: signal.Signals, expected: int
) -> None:
    """A second signal ends a janitor that is about to end at once, and harms nothing."""
    scene = marked(provider)
    with (
        holding(scene, provider, SENT, 1) as hold,
        Child(scene.orders(hold_at="finish")) as child,
    ):
        on_the_wire = hold.wait_until_held()
        child.send(TERM)
        child.wait_until_stopping()
        hold.let_go()
        child.wait_until_held()
        child.send(number)
        ended = child.end()
    scene.assert_nothing_is_lost()

    assert expected == ended
    assert on_the_wire in scene.gone()
    assert [] == scene.open_intents()
    assert 0 == scene.sweep().exit_code
    scene.assert_convergence()
