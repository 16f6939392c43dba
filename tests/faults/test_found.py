"""What the model found once, as plain tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.harness import BY_AGE, HARNESSES, Ear, days, sweeper

from janitor.ledger import open_ledger
from janitor.model import Outcome
from janitor.observe.events import IntentReconciled
from janitor.sandbox import Fault, FaultKind, Sandbox


@pytest.mark.parametrize("provider", sorted(HARNESSES))
def test_an_abort_that_nobody_could_look_up_is_reconciled(provider: str, tmp_path: Path) -> None:
    """Its reply is lost, and so is the look for it: the next sweep finds out, and writes it down."""  # noqa: E501  # one sentence
    harness, ear = HARNESSES[provider], Ear()
    url = f"sqlite:///{tmp_path}/ledger.db"
    with Sandbox.start() as sandbox:
        harness.add_container(sandbox, "container")
        name = harness.add(sandbox, "container", parts=[days(8)])
        janitor = sweeper(sandbox, harness.target(sandbox, policy=BY_AGE), settings={"ledger": url})
        janitor.sweep()
        blind = Fault(operation=f"{provider}.list_parts", status=503, times=3)
        sandbox.on(f"{provider}.abort", lambda _call: sandbox.faults.add(blind))
        lost = Fault(operation=f"{provider}.abort", kind=FaultKind.DROP_AFTER, times=3)
        sandbox.faults.add(lost)
        first = janitor.sweep([ear])
        with open_ledger(url, read_only=True) as ledger:
            left_open = [intent.upload_id for intent in ledger.open_intents()]
        sandbox.faults.clear()
        later = Ear()
        janitor.sweep([later])

        assert [] == harness.store(sandbox).upload_ids("container")
    assert (1, 3) == (first.results[0].failed, first.exit_code)
    assert {name: Outcome.FAILED} == ear.outcomes()
    assert [name] == left_open
    assert [(name, "aborted")] == [
        (event.upload_id, event.outcome)
        for event in later.events
        if isinstance(event, IntentReconciled)
    ]
