"""Whoever may not act any more sends no abort: leadership is asked for before every one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from support.harness import BY_ACTIVITY, Ear, Harness, days, hours, sweeper

from janitor.errors import NotLeader
from janitor.ledger import open_ledger
from janitor.model import Outcome, TargetOutcome
from janitor.observe.events import BudgetCounted
from janitor.plan import Limits
from janitor.sandbox import Fault, FaultKind, Sandbox

WITH_GRACE = replace(BY_ACTIVITY, grace=hours(24))


def leading_for(aborts: int) -> Callable[[], None]:
    """Make a permit that is withdrawn after so many questions."""
    left = [aborts]

    def demand() -> None:
        left[0] -= 1
        if left[0] < 0:
            message = "the Lease is lost"
            raise NotLeader(message)

    return demand


@pytest.fixture
def ledger(tmp_path: Any) -> str:
    """Give the URL of a ledger that is not there yet."""
    return f"sqlite:///{tmp_path}/janitor.db"


def test_without_the_lease_no_abort_is_sent(
    sandbox: Sandbox, harness: Harness, ledger: str
) -> None:
    """The intents say that nothing was sent, the uploads are withheld, and the run tells."""
    sandbox.options.check_skew = False
    harness.add_container(sandbox, "container")
    names = {harness.add(sandbox, "container", f"k{number}", parts=[days(8)]) for number in (1, 2)}
    target = harness.target(sandbox, policy=WITH_GRACE)
    sweeper(sandbox, target, settings={"ledger": ledger}).sweep()
    sandbox.clock.move(hours(25))
    ear = Ear()
    one = sweeper(
        sandbox, target, ear=ear, settings={"ledger": ledger}, permit=leading_for(aborts=0)
    )
    done = one.sweep()
    with open_ledger(ledger, read_only=True) as opened:
        records = [record.outcome for record in opened.uploads_of_run(done.run_id)]

    assert [] == sandbox.journal.entries(f"{harness.provider}.abort")
    assert dict.fromkeys(names, Outcome.WITHHELD) == ear.outcomes()
    assert (["not_sent"] * 2, 3) == (records, done.exit_code)
    assert [(TargetOutcome.INCOMPLETE, "the Lease is lost")] == [
        (result.outcome, result.error) for result in done.results
    ]


def test_the_lease_is_asked_for_again_before_an_abort_is_repeated(
    sandbox: Sandbox, harness: Harness
) -> None:
    """An upload that outlives its abort is not aborted again by somebody who lost the Lease."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    operation = f"{harness.provider}.abort"
    sandbox.faults.add(Fault(operation=operation, kind=FaultKind.PRETEND, times=None))
    ear = Ear()
    sweeper(sandbox, harness.target(sandbox), ear=ear, permit=leading_for(aborts=1)).sweep()

    assert {name: Outcome.SURVIVED} == ear.outcomes()
    assert 1 == len(sandbox.journal.entries(operation))


def test_the_budgets_are_told_before_and_after(
    sandbox: Sandbox, harness: Harness, ledger: str
) -> None:
    """What is left of a day and of a run shrinks by what the run did."""
    sandbox.options.check_skew = False
    harness.add_container(sandbox, "container")
    for number in range(3):
        harness.add(sandbox, "container", f"k{number}", parts=[days(8)])
    target = harness.target(sandbox, policy=WITH_GRACE)
    limits = Limits(aborts_per_run=2, aborts_per_day=10)
    settings = {"ledger": ledger, "limits": limits}
    sweeper(sandbox, target, settings=settings).sweep()
    sandbox.clock.move(hours(25))
    ear = Ear()
    sweeper(sandbox, target, ear=ear, settings=settings).sweep()
    told = [event for event in ear.events if isinstance(event, BudgetCounted)]

    assert [
        BudgetCounted(limits, limits),
        BudgetCounted(limits, Limits(aborts_per_run=0, aborts_per_day=8)),
    ] == told


def test_the_budgets_are_told_without_a_ledger(sandbox: Sandbox, harness: Harness) -> None:
    """Then there is no day to remember, only this run."""
    harness.add_container(sandbox, "container")
    harness.add(sandbox, "container", parts=[days(8)])
    policy = replace(BY_ACTIVITY, grace=hours(0), idle_for=None)
    limits = Limits(aborts_per_run=5)
    ear = Ear()
    settings = {"ledger": None, "limits": limits}
    sweeper(sandbox, harness.target(sandbox, policy=policy), ear=ear, settings=settings).sweep()
    told = [event.left for event in ear.events if isinstance(event, BudgetCounted)]

    assert [limits, Limits(aborts_per_run=4)] == told
