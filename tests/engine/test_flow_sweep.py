"""One target that hangs, is refused or is broken, beside others: whole sweeps of the sandbox."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.harness import HARNESSES, Ear, Harness, days, sweeper

from janitor.model import Outcome, TargetOutcome
from janitor.observe.events import ContainerListed, Event, RequestFinished, UploadFinished
from janitor.sandbox import Fault, Sandbox
from janitor.targets import Execution

MANY = 20


@pytest.fixture(params=sorted(HARNESSES))
def harness(request: pytest.FixtureRequest) -> Harness:
    """Take each provider in turn."""
    return HARNESSES[request.param]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Start a fresh sandbox that must have nothing to accuse us of in the end."""
    with Sandbox.start() as running:
        yield running

        assert [] == running.accusations


class Hanging:
    """Holds every request for one target's containers until the other one's work is done."""

    def __init__(self, sandbox: Sandbox, operation: str, enough: Callable[[Ear], bool]) -> None:
        self.ear = Ear()
        self.held = 0
        self._enough = enough
        self._free = threading.Event()
        sandbox.on(operation, self._hold)

    def __call__(self, event: Event) -> None:
        """Remember an event, and let go when enough was heard."""
        self.ear(event)
        if self._enough(self.ear):
            self._free.set()

    def _hold(self, call: Any) -> None:
        if call.container.startswith("slow"):
            self.held += 1
            assert self._free.wait(60), "the other target never came to its end"


def names_of(prefix: str) -> list[str]:
    """Name the containers of a target."""
    return [f"{prefix}-{number}" for number in range(MANY)]


def populate(sandbox: Sandbox, harness: Harness) -> None:
    """Give both targets a stale upload in each of many containers."""
    for name in names_of("slow") + names_of("quick"):
        harness.add_container(sandbox, name)
        harness.add(sandbox, name, "key", parts=[days(8)])


def sweep(sandbox: Sandbox, harness: Harness, observer: Callable[[Event], None]) -> None:
    """Sweep both targets with few slots, the slow one first in the alphabet and in the config."""
    targets = [
        harness.target(sandbox, *names_of(prefix), name=name)
        for prefix, name in (("slow", "a-slow"), ("quick", "b-quick"))
    ]
    one = sweeper(sandbox, *targets, settings={"execution": Execution(concurrency=8)})
    one.sweep([observer])


def test_a_target_whose_listings_hang_holds_up_no_other(sandbox: Sandbox, harness: Harness) -> None:
    """All of the quick one is listed and judged before anything of the other is."""

    def listed(ear: Ear) -> list[str]:
        return [e.where.target for e in ear.events if isinstance(e, ContainerListed)]

    populate(sandbox, harness)
    operation = f"{harness.provider}.list_uploads"
    hanging = Hanging(sandbox, operation, lambda ear: listed(ear).count("b-quick") == MANY)
    sweep(sandbox, harness, hanging)

    assert ["b-quick"] * MANY + ["a-slow"] * MANY == listed(hanging.ear)
    assert 0 < hanging.held


def test_a_target_whose_aborts_hang_holds_up_no_other(sandbox: Sandbox, harness: Harness) -> None:
    """All of the quick one is aborted and verified before anything of the other is."""

    def aborted(ear: Ear) -> list[str]:
        return [
            e.result.decision.upload.where.target
            for e in ear.events
            if isinstance(e, UploadFinished) and e.result.outcome is Outcome.ABORTED
        ]

    populate(sandbox, harness)
    operation = f"{harness.provider}.abort"
    hanging = Hanging(sandbox, operation, lambda ear: aborted(ear).count("b-quick") == MANY)
    sweep(sandbox, harness, hanging)

    assert ["b-quick"] * MANY + ["a-slow"] * MANY == aborted(hanging.ear)
    assert 0 < hanging.held


def test_a_target_that_is_down_takes_no_retries_from_another(
    sandbox: Sandbox, harness: Harness, ear: Ear
) -> None:
    """The one ends incomplete; the other is refused once in a while, and ends complete."""
    populate(sandbox, harness)
    for name in names_of("slow"):
        fault = Fault(operation=f"{harness.provider}.*", container=name, status=503, times=None)
        sandbox.faults.add(fault)
    for name in names_of("quick"):
        for operation in ("list_uploads", "list_parts", "abort"):
            sandbox.faults.add(
                Fault(operation=f"{harness.provider}.{operation}", container=name, status=503)
            )
    sweep(sandbox, harness, ear)
    (finished,) = [e for e in ear.events if hasattr(e, "results")]
    outcomes = {(r.where.target, r.outcome, r.aborted) for r in finished.results}

    assert {
        ("a-slow", TargetOutcome.INCOMPLETE, 0),
        ("b-quick", TargetOutcome.COMPLETE, 1),
    } == outcomes


@pytest.fixture
def ear() -> Ear:
    """Give an observer that remembers."""
    return Ear()


def test_threads_end_with_the_sweep(sandbox: Sandbox, harness: Harness, ear: Ear) -> None:
    """Nothing of a sweep lives longer than it."""
    populate(sandbox, harness)
    before = set(threading.enumerate())
    sweep(sandbox, harness, ear)
    ours = [thread.name for thread in set(threading.enumerate()) - before]

    assert [] == [name for name in ours if name.startswith(("request", "listing", "target"))]
    assert 100 < sum(isinstance(event, RequestFinished) for event in ear.events)
