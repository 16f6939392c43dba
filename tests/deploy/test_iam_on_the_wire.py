"""The shipped IAM policies, laid over the sandbox: they suffice, and nothing in them is idle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from support.harness import HARNESSES, Ear, Harness, days, sweeper
from support.iam import ACTIONS, WITHOUT_ACTION, actions, permits, policy

from janitor.model import TargetOutcome
from janitor.sandbox import Sandbox
from janitor.sandbox.journal import Entry
from janitor.targets import S3Options, Target

REPORTING = ["s3-list-only", "glacier-list-only", "qingstor-list-only"]
ENFORCING = ["s3-abort", "s3-compatible-abort", "glacier-abort", "qingstor-abort"]
# Told by no request of its own: it decides how the absence of an object is answered.
SEEN_IN_ANSWERS_ONLY = {"s3:ListBucket"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Start a fresh sandbox that must have nothing to accuse us of in the end."""
    with Sandbox.start() as running:
        yield running

        assert [] == running.accusations


@pytest.mark.parametrize("name", [*REPORTING, *ENFORCING])
def test_a_sweep_uses_all_that_its_policy_allows_and_nothing_else(
    sandbox: Sandbox, name: str
) -> None:
    """From the journal of the wire: every request needs an allowed action, every one is used."""
    result = _sweep(sandbox, name, mode="enforce" if name in ENFORCING else "report")
    used = _actions(sandbox.journal.entries())

    assert [(TargetOutcome.COMPLETE, 1)] == [(one.outcome, one.listed) for one in result.results]
    assert actions(policy(name), "Allow") - SEEN_IN_ANSWERS_ONLY == used


@pytest.mark.parametrize("name", REPORTING)
def test_the_policy_for_reporting_suffices_to_report(sandbox: Sandbox, name: str) -> None:
    """With everything refused that the policy does not allow, nothing is missing."""
    _lay_over(sandbox, policy(name))
    result = _sweep(sandbox, name, mode="report")

    assert [TargetOutcome.COMPLETE] == [one.outcome for one in result.results]
    assert [] == _refused(sandbox)


@pytest.mark.parametrize("name", REPORTING)
def test_the_policy_for_reporting_does_not_suffice_to_abort(sandbox: Sandbox, name: str) -> None:
    """A config that says enforce by mistake is stopped by the provider."""
    harness = HARNESSES[name.partition("-")[0]]
    _lay_over(sandbox, policy(name))
    ear = Ear()
    _sweep(sandbox, name, mode="enforce", ear=ear)

    assert ["failed"] == list(ear.outcomes().values())
    assert {f"{harness.provider}.abort"} == {entry.operation for entry in _refused(sandbox)}
    assert 1 == len(harness.store(sandbox).uploads("container"))


@pytest.mark.parametrize("name", ENFORCING)
def test_the_policy_for_aborting_suffices_to_abort(sandbox: Sandbox, name: str) -> None:
    """With everything refused that the policy does not allow, the upload is gone."""
    _lay_over(sandbox, policy(name))
    ear = Ear()
    result = _sweep(sandbox, name, mode="enforce", ear=ear)

    assert [TargetOutcome.COMPLETE] == [one.outcome for one in result.results]
    assert ["aborted"] == list(ear.outcomes().values())
    assert [] == _refused(sandbox)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        (name, action)
        for name in (*REPORTING, *ENFORCING)
        for action in sorted(actions(policy(name), "Allow") - SEEN_IN_ANSWERS_ONLY)
    ],
)
def test_a_policy_without_one_of_its_actions_does_not_suffice(
    sandbox: Sandbox, name: str, missing: str
) -> None:
    """Each is needed: without it a request is refused, and nothing is aborted."""
    _lay_over(sandbox, policy(name), without={missing})
    ear = Ear()
    _sweep(sandbox, name, mode="enforce" if name in ENFORCING else "report", ear=ear)

    assert {missing} == _actions(_refused(sandbox))
    assert "aborted" not in ear.outcomes().values()


def test_every_operation_of_the_sandbox_has_its_action(sandbox: Sandbox) -> None:
    """What the sandbox learns to do tomorrow must be judged, too."""
    known = {one for one in sandbox.world.faults.operations if not one.endswith(".unknown")}

    assert set(ACTIONS) | WITHOUT_ACTION == known - {"sts.assume_role"}


@pytest.mark.parametrize("name", [*REPORTING, *ENFORCING])
def test_nothing_that_changes_something_is_permitted_but_the_abort(name: str) -> None:
    """Of everything that the sandbox can do, by the policy's own words."""
    provider = name.partition("-")[0]
    changing = ("create", "delete", "put", "upload", "complete", "abort")
    permitted = {
        operation
        for operation, action in ACTIONS.items()
        if operation.startswith(f"{provider}.") and permits(policy(name), action)
        if operation.partition(".")[2].startswith(changing)
    }

    assert ({f"{provider}.abort"} if name in ENFORCING else set()) == permitted


def test_asking_who_we_are_needs_no_action(sandbox: Sandbox) -> None:
    """AWS answers GetCallerIdentity whatever a policy says, so no policy names it."""
    _sweep(sandbox, "s3-abort", mode="report")

    assert "sts.get_caller_identity" in sandbox.journal.operations()
    assert not permits(policy("s3-abort"), "sts:GetCallerIdentity")


def _sweep(sandbox: Sandbox, name: str, *, mode: str, ear: Ear | None = None) -> Any:
    """Sweep one container with one stale upload, found by a glob where the provider can."""
    harness = HARNESSES[name.partition("-")[0]]
    harness.add_container(sandbox, "container")
    harness.add(sandbox, "container", age=days(30), parts=[days(30)])
    target = _target(sandbox, harness, name)
    return sweeper(sandbox, target, ear=ear, settings={"mode": mode}).sweep()


def _target(sandbox: Sandbox, harness: Harness, name: str) -> Target:
    """Point at the sandbox as if it were AWS itself, unless the policy is for another store."""
    options = harness.options(sandbox)
    if isinstance(options, S3Options):
        identity = replace(options.identity, sts_endpoint_url=sandbox.sts_url)
        options = replace(options, identity=identity)
        if "compatible" not in name:
            options = replace(options, finished_object_check="never")
    # No policy of a bucket can allow to list the buckets of the account.
    containers = "container" if harness.provider == "qingstor" else "*"
    return harness.target(sandbox, containers, options=options)


def _lay_over(sandbox: Sandbox, document: Any, without: Iterable[str] = ()) -> None:
    """Refuse every operation that the policy does not permit."""
    for operation, action in ACTIONS.items():
        if action in without or not permits(document, action):
            sandbox.deny(operation)


def _actions(entries: Iterable[Entry]) -> set[str]:
    """Give the actions that requests needed."""
    seen = Counter(entry.operation for entry in entries)
    return {ACTIONS[operation] for operation in seen if operation not in WITHOUT_ACTION}


def _refused(sandbox: Sandbox) -> list[Entry]:
    return [entry for entry in sandbox.journal.entries() if entry.status == 403]
