"""What every provider promises about aborting, against the sandbox over real HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest
from support.harness import (
    BY_ACTIVITY,
    BY_AGE,
    EVERY_WAY,
    GLACIER_WAYS,
    HARNESSES,
    MIB,
    QINGSTOR_WAYS,
    S3_WAYS,
    Ear,
    Harness,
    days,
    hours,
    sweeper,
)
from support.workforce import stop

from janitor import providers
from janitor.engine.act import ABORT_ROUNDS, LONGEST_SINCE_LOOK
from janitor.errors import Refused, Unexpected, UploadGone
from janitor.matching import Match, Pattern
from janitor.model import ContainerRef, Outcome, Reason, TargetOutcome, Upload
from janitor.plan import Limits
from janitor.policy import Rule
from janitor.sandbox import Fault, FaultKind, Sandbox
from janitor.targets import Execution

# Both ways of Glacier and of S3.
WAYS = list(zip(GLACIER_WAYS, S3_WAYS, strict=True))


def upload_in(harness: Harness, upload_id: str, key: str = "key") -> Upload:
    """Name an upload as a listing of the harness's target would."""
    where = ContainerRef(harness.provider, harness.provider, "container")
    return Upload(where, key if harness.has_keys else None, upload_id, initiated=None)


def test_stale_uploads_are_aborted_and_measured(
    sandbox: Sandbox, harness: Harness, ear: Ear
) -> None:
    """What is stale goes, with its bytes; what is young stays."""
    harness.add_container(sandbox, "container")
    stale = harness.add(sandbox, "container", "stale", parts=[days(8)] * 3)
    young = harness.add(sandbox, "container", "young", age=days(6), parts=[days(5)])
    done = sweeper(sandbox, harness.target(sandbox), ear=ear).sweep()
    (result,) = done.results

    assert {stale: Outcome.ABORTED, young: None} == ear.outcomes()
    assert [young] == harness.store(sandbox).upload_ids("container")
    assert (1, 1, 24 * MIB, 24 * MIB) == (
        result.stale,
        result.aborted,
        result.bytes_stale,
        result.bytes_freed,
    )
    assert 0 == done.exit_code


def test_report_mode_sends_nothing_that_changes(
    sandbox: Sandbox, harness: Harness, ear: Ear
) -> None:
    """In report mode every request is a GET, and what is stale is withheld."""
    harness.add_container(sandbox, "container")
    stale = harness.add(sandbox, "container", parts=[days(8)])
    settings = {"mode": "report"}
    done = sweeper(sandbox, harness.target(sandbox), ear=ear, settings=settings).sweep()

    assert {stale: Outcome.WITHHELD} == ear.outcomes()
    assert {"GET"} == {entry.method for entry in sandbox.journal}
    assert 0 == done.exit_code


def test_a_dry_run_of_an_enforcing_config_sends_nothing_that_changes(
    sandbox: Sandbox, harness: Harness, ear: Ear
) -> None:
    """`read_only` takes the way to abort away from a config that enforces."""
    harness.add_container(sandbox, "container")
    harness.add(sandbox, "container")
    done = sweeper(sandbox, harness.target(sandbox), ear=ear, read_only=True).sweep()

    assert "report" == done.mode
    assert {"GET"} == {entry.method for entry in sandbox.journal}


@pytest.mark.parametrize("ways", WAYS)
def test_the_reading_clients_cannot_delete(sandbox: Sandbox, ways: tuple[str, str]) -> None:
    """Even if a bug asked them to, the clients that read refuse to send a DELETE."""
    glacier, s3 = (EVERY_WAY[way] for way in ways)
    vaults = providers.load("glacier").connect(glacier.target(sandbox), Execution())
    buckets = providers.load("s3").connect(s3.target(sandbox), Execution())
    with pytest.raises(Refused):
        vaults._client.delete_vault(vaultName="container")  # type: ignore[attr-defined]  # noqa: SLF001  # a bug would reach in too
    with pytest.raises(Refused):
        vaults._client.abort_multipart_upload(  # type: ignore[attr-defined]  # noqa: SLF001  # the same
            accountId="-", vaultName="container", uploadId="u"
        )
    with pytest.raises(Refused):
        buckets._clients.of("container").delete_object(Bucket="container", Key="k")  # type: ignore[attr-defined]  # noqa: SLF001  # the same
    with pytest.raises(Refused):
        buckets._clients.of("container").abort_multipart_upload(  # type: ignore[attr-defined]  # noqa: SLF001  # the same
            Bucket="container", Key="k", UploadId="u"
        )
    vaults.close()
    buckets.close()

    assert [] == list(sandbox.journal)


@pytest.mark.parametrize("ways", WAYS)
def test_the_aborting_clients_send_aborts_only(sandbox: Sandbox, ways: tuple[str, str]) -> None:
    """Whatever else they are asked for, the clients that abort refuse to send it."""
    glacier, s3 = (EVERY_WAY[way] for way in ways)
    vaults = providers.load("glacier").aborter(glacier.target(sandbox), Execution())
    buckets = providers.load("s3").aborter(s3.target(sandbox), Execution())
    vault_client = vaults._client  # type: ignore[attr-defined]  # noqa: SLF001  # a bug would reach in too
    bucket_client = buckets._clients.of("container")  # type: ignore[attr-defined]  # noqa: SLF001  # the same
    named = {"Bucket": "container", "Key": "k"}
    # Of the second whoever normalizes paths makes the vault itself.
    for upload_id in ("", "..", "."):
        with pytest.raises(Refused):
            vault_client.abort_multipart_upload(
                accountId="-", vaultName="container", uploadId=upload_id
            )
    with pytest.raises(Refused):
        vault_client.list_parts(accountId="-", vaultName="container", uploadId="u")
    with pytest.raises(Refused):
        vault_client.delete_archive(vaultName="container", archiveId="a")
    with pytest.raises(Refused):
        bucket_client.abort_multipart_upload(**named, UploadId="")
    for call in (bucket_client.delete_object, bucket_client.head_object):
        with pytest.raises(Refused):
            call(**named)
    with pytest.raises(Refused):
        bucket_client.list_parts(**named, UploadId="u")
    vaults.close()
    buckets.close()

    assert [] == list(sandbox.journal)


def test_aborting_twice_is_already_gone(sandbox: Sandbox, harness: Harness) -> None:
    """The second abort says gone where the store says so; QingStor cannot tell."""
    harness.add_container(sandbox, "container")
    upload = upload_in(harness, harness.add(sandbox, "container"))
    aborter = providers.load(harness.provider).aborter(harness.target(sandbox), Execution())
    aborter.abort(upload)
    if harness.provider == "s3":
        with pytest.raises(UploadGone):
            aborter.abort(upload)
    else:
        aborter.abort(upload)
    aborter.close()

    assert [] == harness.store(sandbox).upload_ids("container")


def test_an_upload_that_never_was_is_gone(sandbox: Sandbox, harness: Harness) -> None:
    """An unknown id is told by its error code, where the store has one."""
    harness.add_container(sandbox, "container")
    aborter = providers.load(harness.provider).aborter(harness.target(sandbox), Execution())
    if harness.provider == "qingstor":
        aborter.abort(upload_in(harness, "never-was"))
    else:
        with pytest.raises(UploadGone):
            aborter.abort(upload_in(harness, "never-was"))
    aborter.close()


def before_second_look(harness: Harness, sandbox: Sandbox, then: Callable[[], object]) -> None:
    """Do something once, right before the parts of the only upload are looked at again."""
    # QingStor proves the end of a list by an empty page, so a look takes two requests.
    second = 3 if harness.provider == "qingstor" else 2
    seen: list[object] = []

    def hook(call: object) -> None:
        seen.append(call)
        if len(seen) == second:
            then()

    sandbox.on(f"{harness.provider}.list_parts", hook)


def test_an_upload_completed_meanwhile_is_left_alone(
    sandbox: Sandbox, harness: Harness, ear: Ear
) -> None:
    """Completed between listing and abort: no abort is sent, and the object lives."""
    harness.add_container(sandbox, "container")
    store = harness.store(sandbox)
    name = harness.add(sandbox, "container", parts=[days(8)])
    before_second_look(harness, sandbox, lambda: store.complete("container", name))
    sweeper(sandbox, harness.target(sandbox), ear=ear).sweep()

    assert Reason.VANISHED == ear.reasons()[name]
    assert [] == sandbox.journal.entries(f"{harness.provider}.abort")
    assert 1 == len(store.objects("container"))


@pytest.mark.parametrize("provider", [*QINGSTOR_WAYS, *S3_WAYS])
def test_a_part_that_arrives_between_two_tries_saves_the_upload(
    sandbox: Sandbox, ear: Ear, provider: str
) -> None:
    """An abort that had to wait for its next try for long looks at the parts again."""
    harness = EVERY_WAY[provider]
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])

    def while_we_wait(_call: object) -> None:
        sandbox.clock.move(LONGEST_SINCE_LOOK + timedelta(seconds=1))
        harness.store(sandbox).add_part("container", name, MIB)

    sandbox.on(f"{harness.provider}.abort", while_we_wait)
    sandbox.faults.add(Fault(operation=f"{harness.provider}.abort", status=503))
    sweeper(sandbox, harness.target(sandbox, policy=BY_ACTIVITY), ear=ear).sweep()

    assert Reason.ACTIVE == ear.reasons()[name]
    assert 1 == len(sandbox.journal.entries(f"{harness.provider}.abort"))
    assert [name] == harness.store(sandbox).upload_ids("container")


def test_an_upload_that_cannot_be_looked_at_again_is_told(
    sandbox: Sandbox, harness: Harness, ear: Ear
) -> None:
    """Kept for want of a second look: the container is incomplete, and the exit code says so."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    second = 3 if harness.provider == "qingstor" else 2
    operation = f"{harness.provider}.list_parts"
    sandbox.faults.add(Fault(operation=operation, status=503, nth=second, times=None))
    done = sweeper(sandbox, harness.target(sandbox), ear=ear).sweep()
    (result,) = done.results

    assert Reason.ACTIVITY_UNKNOWN == ear.reasons()[name]
    assert (TargetOutcome.INCOMPLETE, 0, 3) == (result.outcome, result.aborted, done.exit_code)
    assert result.error is not None


@pytest.mark.parametrize("provider", [*QINGSTOR_WAYS, *S3_WAYS])
def test_a_part_that_arrives_meanwhile_saves_the_upload(
    sandbox: Sandbox, ear: Ear, provider: str
) -> None:
    """Stale when listed, alive when looked at again: kept (where parts tell their time)."""
    harness = EVERY_WAY[provider]
    harness.add_container(sandbox, "container")
    store = harness.store(sandbox)
    name = harness.add(sandbox, "container", parts=[days(8)])
    before_second_look(harness, sandbox, lambda: store.add_part("container", name, MIB))
    sweeper(sandbox, harness.target(sandbox, policy=BY_ACTIVITY), ear=ear).sweep()

    assert Reason.ACTIVE == ear.reasons()[name]
    assert [name] == store.upload_ids("container")


@pytest.mark.parametrize("way", GLACIER_WAYS)
def test_an_id_that_is_another_upload_now_is_kept(sandbox: Sandbox, ear: Ear, way: str) -> None:
    """Glacier repeats the creation date with the parts: another date is another upload."""
    harness = EVERY_WAY[way]
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container")

    def replace_it() -> None:
        sandbox.glacier.abort("container", name)
        harness.add(sandbox, "container", age=days(8), upload_id=name)

    before_second_look(harness, sandbox, replace_it)
    sweeper(sandbox, harness.target(sandbox), ear=ear).sweep()

    assert Reason.CHANGED == ear.reasons()[name]
    assert [name] == sandbox.glacier.upload_ids("container")


def test_a_forbidden_abort_fails_and_says_so(sandbox: Sandbox, harness: Harness, ear: Ear) -> None:
    """Without the right to abort nothing is tried twice, and the exit code tells."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container")
    sandbox.deny(f"{harness.provider}.abort")
    done = sweeper(sandbox, harness.target(sandbox), ear=ear).sweep()

    assert {name: Outcome.FAILED} == ear.outcomes()
    assert 1 == len(sandbox.journal.entries(f"{harness.provider}.abort"))
    assert 3 == done.exit_code
    assert done.results[0].error is not None


@pytest.mark.parametrize("status", [200, 202, 302])
def test_only_204_is_a_success(sandbox: Sandbox, harness: Harness, ear: Ear, status: int) -> None:
    """A proxy's friendly page, or a redirect, does not count as aborted."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container")
    kind = FaultKind.REDIRECT if status == 302 else FaultKind.HTML_BODY
    location = f"{sandbox.s3_url}/elsewhere" if status == 302 else None
    sandbox.faults.add(
        Fault(
            operation=f"{harness.provider}.abort",
            kind=kind,
            status=status,
            times=None,
            location=location,
        )
    )
    sweeper(sandbox, harness.target(sandbox), ear=ear).sweep()

    assert {name: Outcome.FAILED} == ear.outcomes()
    assert 1 == len(sandbox.journal.entries(f"{harness.provider}.abort"))


def test_a_lost_reply_is_not_a_lost_abort(sandbox: Sandbox, harness: Harness, ear: Ear) -> None:
    """The request got through, its reply did not: what happened is what is reported."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    operation = f"{harness.provider}.abort"
    sandbox.faults.add(Fault(operation=operation, kind=FaultKind.DROP_AFTER))
    done = sweeper(sandbox, harness.target(sandbox), ear=ear).sweep()

    assert {name: Outcome.ABORTED} == ear.outcomes()
    assert 8 * MIB == done.results[0].bytes_freed


def test_a_last_reply_that_is_lost_is_looked_up(
    sandbox: Sandbox, harness: Harness, ear: Ear
) -> None:
    """Even when the last try has no reply, the parts tell what became of it."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    operation = f"{harness.provider}.abort"
    sandbox.faults.add(Fault(operation=operation, kind=FaultKind.DROP_BEFORE, times=2))
    sandbox.faults.add(Fault(operation=operation, kind=FaultKind.DROP_AFTER, nth=3))
    sweeper(sandbox, harness.target(sandbox), ear=ear).sweep()

    assert {name: Outcome.ABORTED} == ear.outcomes()


def test_aborts_that_never_get_through_fail(sandbox: Sandbox, harness: Harness, ear: Ear) -> None:
    """Nothing reached the store: failed, and the upload is still there."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    operation = f"{harness.provider}.abort"
    sandbox.faults.add(Fault(operation=operation, kind=FaultKind.DROP_BEFORE, times=None))
    sweeper(sandbox, harness.target(sandbox), ear=ear).sweep()

    assert {name: Outcome.FAILED} == ear.outcomes()
    assert [name] == harness.store(sandbox).upload_ids("container")


def test_parts_that_stay_are_aborted_again(sandbox: Sandbox, harness: Harness, ear: Ear) -> None:
    """A store that says 204 and forgets is asked again, until it is done."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    operation = f"{harness.provider}.abort"
    sandbox.faults.add(Fault(operation=operation, kind=FaultKind.PRETEND, times=2))
    done = sweeper(sandbox, harness.target(sandbox), ear=ear).sweep()

    assert {name: Outcome.ABORTED} == ear.outcomes()
    assert 3 == len(sandbox.journal.entries(operation))
    assert 0 == done.exit_code


def test_an_upload_without_parts_is_not_gone_for_that(
    sandbox: Sandbox, harness: Harness, ear: Ear
) -> None:
    """No abort got through, and there never were any parts: failed, whatever is listed now."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container")
    operation = f"{harness.provider}.abort"
    sandbox.faults.add(Fault(operation=operation, kind=FaultKind.DROP_BEFORE, times=None))
    sweeper(sandbox, harness.target(sandbox), ear=ear).sweep()

    assert {name: Outcome.FAILED} == ear.outcomes()
    assert [name] == harness.store(sandbox).upload_ids("container")


def test_the_last_of_all_tries_is_looked_up_too(
    sandbox: Sandbox, harness: Harness, ear: Ear
) -> None:
    """A store that forgets every abort but the last one did abort."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    operation = f"{harness.provider}.abort"
    sandbox.faults.add(Fault(operation=operation, kind=FaultKind.PRETEND, times=ABORT_ROUNDS))
    sweeper(sandbox, harness.target(sandbox), ear=ear).sweep()

    assert {name: Outcome.ABORTED} == ear.outcomes()


def test_a_repeated_abort_without_a_reply_is_looked_up(
    sandbox: Sandbox, harness: Harness, ear: Ear
) -> None:
    """The second abort got through, and none of its replies did: the parts tell."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    operation = f"{harness.provider}.abort"
    sandbox.faults.add(Fault(operation=operation, kind=FaultKind.PRETEND))
    sandbox.faults.add(Fault(operation=operation, kind=FaultKind.DROP_AFTER, nth=2, times=3))
    sweeper(sandbox, harness.target(sandbox), ear=ear).sweep()

    assert {name: Outcome.ABORTED} == ear.outcomes()


@pytest.mark.parametrize("provider", [*QINGSTOR_WAYS, *S3_WAYS])
def test_a_part_that_arrives_before_a_repeated_abort_saves_the_upload(
    sandbox: Sandbox, ear: Ear, provider: str
) -> None:
    """An abort that has to be repeated, and to wait for that, is not sent by an old look either."""
    harness = EVERY_WAY[provider]
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    operation = f"{harness.provider}.abort"
    aborts: list[object] = []

    def while_the_second_waits(call: object) -> None:
        aborts.append(call)
        if len(aborts) == 2:  # the first seemed to succeed
            sandbox.clock.move(LONGEST_SINCE_LOOK + timedelta(seconds=1))
            harness.store(sandbox).add_part("container", name, MIB)

    sandbox.on(operation, while_the_second_waits)
    sandbox.faults.add(Fault(operation=operation, kind=FaultKind.PRETEND))
    sandbox.faults.add(Fault(operation=operation, status=503, nth=2))
    sweeper(sandbox, harness.target(sandbox, policy=BY_ACTIVITY), ear=ear).sweep()

    assert {name: Outcome.SURVIVED} == ear.outcomes()
    assert 2 == len(sandbox.journal.entries(operation))
    assert [name] == harness.store(sandbox).upload_ids("container")


def test_parts_that_always_stay_survive(sandbox: Sandbox, harness: Harness, ear: Ear) -> None:
    """After a bounded number of tries the outcome is `survived`, and nothing counts as freed."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    operation = f"{harness.provider}.abort"
    sandbox.faults.add(Fault(operation=operation, kind=FaultKind.PRETEND, times=None))
    done = sweeper(sandbox, harness.target(sandbox), ear=ear).sweep()

    assert {name: Outcome.SURVIVED} == ear.outcomes()
    assert 1 + ABORT_ROUNDS == len(sandbox.journal.entries(operation))
    assert (0, 3) == (done.results[0].bytes_freed, done.exit_code)


def test_one_failing_upload_does_not_stop_the_others(
    sandbox: Sandbox, harness: Harness, ear: Ear
) -> None:
    """The first abort is refused for good; all the others happen."""
    harness.add_container(sandbox, "container")
    for number in range(9):
        harness.add(sandbox, "container", f"key-{number}")
    fault = Fault(operation=f"{harness.provider}.abort", status=400, code="nonsense")
    sandbox.faults.add(fault)
    sweeper(sandbox, harness.target(sandbox), ear=ear).sweep()

    assert {Outcome.FAILED: 1, Outcome.ABORTED: 8} == {
        outcome: list(ear.outcomes().values()).count(outcome)
        for outcome in (Outcome.FAILED, Outcome.ABORTED)
    }


def test_one_failing_target_does_not_stop_the_others(sandbox: Sandbox) -> None:
    """Two providers work while the third does not answer at all."""
    targets = []
    for harness in HARNESSES.values():
        harness.add_container(sandbox, "container")
        harness.add(sandbox, "container")
        targets.append(harness.target(sandbox))
    sandbox.faults.add(Fault(operation="qingstor.*", kind=FaultKind.DROP_BEFORE, times=None))
    done = sweeper(sandbox, *targets).sweep()

    assert {
        "glacier": TargetOutcome.COMPLETE,
        "qingstor": TargetOutcome.INCOMPLETE,
        "s3": TargetOutcome.COMPLETE,
    } == {result.where.target: result.outcome for result in done.results}
    assert [1, 0, 1] == [result.aborted for result in done.results]


def test_caps_take_the_oldest_first(sandbox: Sandbox, harness: Harness, ear: Ear) -> None:
    """Two aborts a run: the two oldest go, the rest is deferred, the target is capped."""
    harness.add_container(sandbox, "container")
    names = [harness.add(sandbox, "container", f"k{n}", age=days(20 - n)) for n in range(5)]
    limits = Limits(aborts_per_run=2)
    done = sweeper(sandbox, harness.target(sandbox), ear=ear, settings={"limits": limits}).sweep()
    (result,) = done.results

    assert sorted(names[2:]) == sorted(harness.store(sandbox).upload_ids("container"))
    assert [Reason.LIMIT] * 3 == [ear.reasons()[name] for name in names[2:]]
    assert (TargetOutcome.CAPPED, 5, 2, 3) == (
        result.outcome,
        result.stale,
        result.aborted,
        result.deferred,
    )
    assert 0 == done.exit_code


def test_the_breaker_touches_nothing(sandbox: Sandbox, harness: Harness) -> None:
    """More than half of the target would go: nothing does, and the exit code says so."""
    harness.add_container(sandbox, "container")
    for number in range(3):
        harness.add(sandbox, "container", f"stale-{number}")
    harness.add(sandbox, "container", "young", age=hours(1))
    limits = Limits(share_of_listed=Fraction(1, 2))
    done = sweeper(sandbox, harness.target(sandbox), settings={"limits": limits}).sweep()

    assert (TargetOutcome.TRIPPED, 4) == (done.results[0].outcome, done.exit_code)
    assert [] == sandbox.journal.entries(f"{harness.provider}.abort")


@pytest.mark.parametrize("way", QINGSTOR_WAYS)
def test_qingstor_refuses_keys_that_could_be_rewritten(sandbox: Sandbox, way: str) -> None:
    """A key with dot segments would be normalised on the way: refused, and nothing is sent."""
    harness = EVERY_WAY[way]
    aborter = providers.load("qingstor").aborter(harness.target(sandbox), Execution())
    for key in ("a/../b", "./a", "..", "a/."):
        with pytest.raises(Refused):
            aborter.abort(upload_in(harness, "id", key))
    aborter.close()

    assert [] == list(sandbox.journal)


def test_an_incomplete_identity_cannot_be_built(harness: Harness) -> None:
    """There is no upload without id, so there is no request without one."""
    with pytest.raises(ValueError, match="upload_id must not be empty"):
        upload_in(harness, "")


def test_the_stores_own_wrong_answers_are_unexpected(sandbox: Sandbox, harness: Harness) -> None:
    """A bare 404 without a code that we know is not 'gone'."""
    harness.add_container(sandbox, "container")
    upload = upload_in(harness, harness.add(sandbox, "container"))
    fault = Fault(operation=f"{harness.provider}.abort", status=404, kind=FaultKind.HTML_BODY)
    sandbox.faults.add(fault)
    aborter = providers.load(harness.provider).aborter(harness.target(sandbox), Execution())
    with pytest.raises(Unexpected):
        aborter.abort(upload)
    aborter.close()


def test_a_stop_ends_between_two_requests(sandbox: Sandbox, harness: Harness, ear: Ear) -> None:
    """After a stop nothing more is aborted, and what was not done is withheld."""
    harness.add_container(sandbox, "container")
    for number in range(6):
        harness.add(sandbox, "container", f"key-{number}")
    one = sweeper(
        sandbox, harness.target(sandbox), ear=ear, settings={"execution": Execution(concurrency=1)}
    )
    sandbox.on(f"{harness.provider}.abort", lambda _call: stop(one))
    done = one.sweep()
    (result,) = done.results

    assert TargetOutcome.INTERRUPTED is result.outcome
    assert (1, 5, 130) == (result.aborted, result.withheld, done.exit_code)
    assert 5 == len(harness.store(sandbox).upload_ids("container"))


def test_a_stop_while_a_reply_is_lost_still_tells_the_truth(
    sandbox: Sandbox, harness: Harness, ear: Ear
) -> None:
    """The abort got through, its reply did not, and a stop came: one look tells what happened."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    one = sweeper(sandbox, harness.target(sandbox), ear=ear)
    operation = f"{harness.provider}.abort"
    sandbox.on(operation, lambda _call: stop(one))
    sandbox.faults.add(Fault(operation=operation, kind=FaultKind.DROP_AFTER))
    one.sweep()

    assert {name: Outcome.ABORTED} == ear.outcomes()
    assert 1 == len(sandbox.journal.entries(operation))


def test_a_stop_does_not_wait_for_a_store_that_throttles(
    sandbox: Sandbox, harness: Harness, ear: Ear
) -> None:
    """An abort that was accepted is looked at once more after a stop, and not for minutes."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    one = sweeper(sandbox, harness.target(sandbox), ear=ear)

    def stop_and_throttle(_call: object) -> None:
        stop(one)
        operation, wait = f"{harness.provider}.list_parts", {"Retry-After": "60"}
        sandbox.faults.add(Fault(operation=operation, status=503, headers=wait, times=None))

    sandbox.on(f"{harness.provider}.abort", stop_and_throttle)
    begun = time.monotonic()
    one.sweep()

    assert {name: Outcome.ABORTED} == ear.outcomes()
    assert time.monotonic() - begun < 20


def test_a_deadline_ends_a_sweep(sandbox: Sandbox, harness: Harness) -> None:
    """No time left for the target: incomplete, told as a deadline, and nothing is aborted."""
    harness.add_container(sandbox, "container")
    harness.add(sandbox, "container")
    execution = Execution(concurrency=1, target_timeout=timedelta(0))
    done = sweeper(sandbox, harness.target(sandbox), settings={"execution": execution}).sweep()

    assert TargetOutcome.INCOMPLETE is done.results[0].outcome
    assert "DeadlineExceeded" in str(done.results[0].error)
    assert [] == list(sandbox.journal)


def test_retry_after_is_obeyed_within_bounds(sandbox: Sandbox, harness: Harness) -> None:
    """A wait that would pass the deadline is not begun: the sweep ends instead of hanging."""
    harness.add_container(sandbox, "container")
    operation = f"{harness.provider}.list_uploads"
    sandbox.faults.add(
        Fault(operation=operation, status=503, headers={"Retry-After": "3600"}, times=None)
    )
    execution = Execution(concurrency=1, target_timeout=timedelta(seconds=30))
    done = sweeper(sandbox, harness.target(sandbox), settings={"execution": execution}).sweep()

    assert TargetOutcome.INCOMPLETE is done.results[0].outcome
    assert 1 == len(sandbox.journal.entries(operation))


def test_a_protected_upload_is_never_aborted(sandbox: Sandbox, ear: Ear) -> None:
    """A keep rule wins over age, on every key that it might mean."""
    rule = Rule("committers", Match(key=Pattern("**/__magic/**")), keep=True)
    policy = replace(BY_AGE, rules=(rule,))
    for harness in (HARNESSES["s3"], HARNESSES["qingstor"]):
        harness.add_container(sandbox, "container")
        kept = [
            harness.add(sandbox, "container", key)
            for key in ("t/__magic/p", "__magic/p", "T/__MAGIC/P")
        ]
        harness.add(sandbox, "container", "t/magic/p")
        sweeper(sandbox, harness.target(sandbox, policy=policy), ear=ear).sweep()

        assert set(kept) == set(harness.store(sandbox).upload_ids("container"))
        assert {Reason.PROTECTED} == {ear.reasons()[name] for name in kept}
