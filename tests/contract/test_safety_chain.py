"""The safety chain from first sight to the last look, on every provider, with a real ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.harness import (
    BY_ACTIVITY,
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

from janitor.ledger import open_ledger
from janitor.matching import Match, Pattern
from janitor.model import Outcome, Reason, TargetOutcome
from janitor.observe.events import IntentReconciled, LedgerNoticed, SweepFinished
from janitor.plan import Limits
from janitor.policy import Rule
from janitor.sandbox import Fault, FaultKind, Sandbox
from janitor.targets import Target

WITH_GRACE = replace(BY_ACTIVITY, grace=hours(24))
BY_AGE_WITH_LEDGER = replace(BY_ACTIVITY, idle_for=None)
KEYED = [*QINGSTOR_WAYS, *S3_WAYS]


@pytest.fixture(autouse=True)
def _clock_may_move(sandbox: Sandbox) -> None:
    """Let the sandbox's time run ahead of the time that requests are signed at."""
    sandbox.options.check_skew = False


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """Give the URL of a ledger that is not there yet."""
    return f"sqlite:///{tmp_path}/janitor.db"


Sweep = Callable[..., tuple[SweepFinished, Ear]]


@pytest.fixture
def sweep(sandbox: Sandbox, ledger: str) -> Sweep:
    """Sweep targets with the ledger, after moving the time on, and listen."""

    def run(*targets: Target, after: float = 0, **more: Any) -> tuple[SweepFinished, Ear]:
        sandbox.clock.move(hours(after))
        ear = Ear()
        settings = {"ledger": ledger} | more.pop("settings", {})
        return sweeper(sandbox, *targets, ear=ear, settings=settings, **more).sweep(), ear

    return run


def test_nothing_goes_in_the_run_that_first_saw_it(
    sandbox: Sandbox, harness: Harness, sweep: Sweep
) -> None:
    """However stale it is: the first run only remembers."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    done, ear = sweep(harness.target(sandbox, policy=WITH_GRACE))
    expected = Reason.FIRST_SIGHTING if harness.tells_part_times else Reason.ACTIVITY_UNKNOWN

    assert {name: expected} == ear.reasons()
    assert [] == sandbox.journal.entries(f"{harness.provider}.abort")
    assert 0 == done.exit_code


def test_it_goes_when_its_grace_has_passed(
    sandbox: Sandbox, harness: Harness, sweep: Sweep
) -> None:
    """Seen, seen again within the grace, and gone with the first run after it."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    target = harness.target(sandbox, policy=WITH_GRACE)
    sweep(target)
    _, second = sweep(target, after=23)
    done, third = sweep(target, after=2)
    waiting = Reason.IN_GRACE if harness.tells_part_times else Reason.ACTIVITY_UNKNOWN

    assert {name: waiting} == second.reasons()
    assert {name: Outcome.ABORTED} == third.outcomes()
    assert 8 * MIB == done.results[0].bytes_freed


def test_without_grace_it_still_takes_two_runs(sandbox: Sandbox, sweep: Sweep) -> None:
    """`grace: 0` with a ledger: seen by one run, aborted by the next."""
    harness = HARNESSES["s3"]
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    target = harness.target(sandbox, policy=BY_ACTIVITY)
    _, first = sweep(target)
    _, second = sweep(target)

    assert {name: Reason.FIRST_SIGHTING} == first.reasons()
    assert {name: Outcome.ABORTED} == second.outcomes()


def test_a_part_between_two_sightings_is_life_on_glacier(sandbox: Sandbox, sweep: Sweep) -> None:
    """Parts without times: only a part set that stands still for `idle_for` proves idleness."""
    harness = HARNESSES["glacier"]
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    target = harness.target(sandbox, policy=WITH_GRACE)
    sweep(target)
    sandbox.clock.move(hours(20))
    sandbox.glacier.add_part("container", name, MIB)
    _, second = sweep(target, after=5)
    _, third = sweep(target, after=20)
    _, fourth = sweep(target, after=5)

    assert {name: Reason.ACTIVITY_UNKNOWN} == second.reasons() == third.reasons()
    assert {name: Outcome.ABORTED} == fourth.outcomes()


def test_a_part_right_before_the_abort_is_life_on_glacier(sandbox: Sandbox, sweep: Sweep) -> None:
    """The part set is compared once more in the last look."""
    harness = HARNESSES["glacier"]
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    target = harness.target(sandbox, policy=WITH_GRACE)
    sweep(target)
    looks: list[object] = []

    def arrive(call: object) -> None:
        looks.append(call)
        if len(looks) == 2:
            sandbox.glacier.add_part("container", name, MIB)

    sandbox.on("glacier.list_parts", arrive)
    sweep(target, after=25)

    assert [name] == sandbox.glacier.upload_ids("container")
    assert [] == sandbox.journal.entries("glacier.abort")


@pytest.mark.parametrize("provider", KEYED)
def test_a_part_with_an_old_date_is_life_too(sandbox: Sandbox, sweep: Sweep, provider: str) -> None:
    """A store with a wrong clock dates the new part into last week: the part set still changed."""
    harness = EVERY_WAY[provider]
    harness.add_container(sandbox, "container")
    store = harness.store(sandbox)
    name = harness.add(sandbox, "container", parts=[days(8)])
    target = harness.target(sandbox, policy=BY_ACTIVITY)
    sweep(target)
    looks: list[object] = []

    def arrive(call: object) -> None:
        looks.append(call)
        if len(looks) == (3 if harness.provider == "qingstor" else 2):
            store.add_part("container", name, MIB, sandbox.clock.now() - days(7))

    sandbox.on(f"{harness.provider}.list_parts", arrive)
    _, ear = sweep(target)

    assert {name: Reason.ACTIVE} == ear.reasons()
    assert [name] == store.upload_ids("container")


@pytest.mark.parametrize(
    "change",
    [
        {"stale_after": days(6)},
        {"idle_for": hours(12)},
        {"grace": hours(1)},
        {"rules": (Rule("x", Match(key=Pattern("never/**")), keep=True),)},
    ],
)
def test_a_changed_policy_only_plans(
    sandbox: Sandbox, sweep: Sweep, change: dict[str, Any]
) -> None:
    """Whatever changed: the marks start again, and the run says so."""
    harness = HARNESSES["s3"]
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    sweep(harness.target(sandbox, policy=WITH_GRACE))
    changed = harness.target(sandbox, policy=replace(WITH_GRACE, **change))
    _, second = sweep(changed, after=30)
    _, third = sweep(changed, after=30)

    assert {name: Reason.FIRST_SIGHTING} == second.reasons()
    assert any("changed" in e.sentence for e in second.events if isinstance(e, LedgerNoticed))
    assert {name: Outcome.ABORTED} == third.outcomes()


def test_the_same_policy_in_another_process_is_the_same(sandbox: Sandbox, sweep: Sweep) -> None:
    """An equal policy that was built anew changes nothing."""
    harness = HARNESSES["s3"]
    harness.add_container(sandbox, "container")
    rule = Rule("x", Match(key=Pattern("never/**")), keep=True)
    name = harness.add(sandbox, "container", parts=[days(8)])
    sweep(harness.target(sandbox, policy=replace(WITH_GRACE, rules=(rule,))))
    again = Rule("x", Match(key=Pattern("never/**")), keep=True)
    _, ear = sweep(harness.target(sandbox, policy=replace(WITH_GRACE, rules=(again,))), after=30)

    assert {name: Outcome.ABORTED} == ear.outcomes()


def test_an_incomplete_listing_marks_nothing(
    sandbox: Sandbox, harness: Harness, sweep: Sweep
) -> None:
    """A sighting needs a complete listing: the grace does not begin with half a page."""
    harness.add_container(sandbox, "container")
    for number in range(5):
        harness.add(sandbox, "container", f"key-{number}", parts=[days(8)])
    target = harness.target(sandbox, policy=WITH_GRACE)
    operation = f"{harness.provider}.list_uploads"
    sandbox.faults.add(Fault(operation=operation, kind=FaultKind.HTML_BODY, nth=2, times=None))
    sweep(target)
    sandbox.faults.clear()
    done, _ = sweep(target, after=30)

    assert 0 == done.results[0].aborted
    assert [] == sandbox.journal.entries(f"{harness.provider}.abort")


def test_an_upload_that_comes_back_keeps_its_first_sighting(sandbox: Sandbox, sweep: Sweep) -> None:
    """A listing that forgot an upload for a while does not start its grace again."""
    harness = HARNESSES["s3"]
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", "hidden/key", parts=[days(8)])
    harness.add(sandbox, "container", "other", age=hours(1))
    policy = WITH_GRACE
    everything = harness.target(sandbox, policy=policy)
    sweep(everything)
    (upload,) = [u for u in sandbox.s3.uploads("container") if u.upload_id == name]
    sandbox.s3.abort("container", name)
    sweep(everything, after=12)
    sandbox.s3.add_upload(
        "container",
        "hidden/key",
        initiated=upload.initiated,
        parts=[(part.size, part.received) for part in upload.sorted_parts()],
        upload_id=name,
    )
    _, ear = sweep(everything, after=13)

    assert Outcome.ABORTED == ear.outcomes()[name]


def test_a_target_that_turns_empty_is_doubted(
    sandbox: Sandbox, harness: Harness, sweep: Sweep
) -> None:
    """Thirty uploads, then none: nothing is believed until it was seen three times."""
    harness.add_container(sandbox, "container")
    names = [harness.add(sandbox, "container", f"k{n}", age=days(1)) for n in range(30)]
    target = harness.target(sandbox, policy=WITH_GRACE)
    sweep(target)
    for name in names:
        harness.store(sandbox).abort("container", name)
    found = [sweep(target, after=1)[0].results[0].outcome for _ in range(4)]

    assert [TargetOutcome.SUSPICIOUS_EMPTY] * 3 + [TargetOutcome.COMPLETE] == found


def test_what_we_aborted_ourselves_is_no_cause_for_doubt(sandbox: Sandbox, sweep: Sweep) -> None:
    """A container that we emptied is empty."""
    harness = HARNESSES["s3"]
    harness.add_container(sandbox, "container")
    for number in range(30):
        harness.add(sandbox, "container", f"k{number}", parts=[days(8)])
    target = harness.target(sandbox, policy=BY_ACTIVITY, page_size=None)
    sweep(target)
    second, _ = sweep(target)
    third, _ = sweep(target)

    assert 30 == second.results[0].aborted
    assert (TargetOutcome.COMPLETE, 0) == (third.results[0].outcome, third.results[0].listed)


def test_marks_outlive_a_doubtful_listing(sandbox: Sandbox, sweep: Sweep) -> None:
    """What was marked before goes on being marked when the listing is itself again."""
    harness = HARNESSES["s3"]
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", "stale", parts=[days(8)])
    young = [harness.add(sandbox, "container", f"k{n}", age=days(1)) for n in range(30)]
    target = harness.target(sandbox, policy=WITH_GRACE, page_size=None)
    sweep(target)
    snapshot = sandbox.s3.uploads("container")
    for each in [name, *young]:
        sandbox.s3.abort("container", each)
    doubted, _ = sweep(target, after=12)
    for upload in snapshot:
        sandbox.s3.add_upload(
            "container",
            upload.key,
            initiated=upload.initiated,
            parts=[(part.size, part.received) for part in upload.sorted_parts()],
            upload_id=upload.upload_id,
        )
    _, ear = sweep(target, after=13)

    assert TargetOutcome.SUSPICIOUS_EMPTY is doubted.results[0].outcome
    assert Outcome.ABORTED == ear.outcomes()[name]


def test_every_abort_has_an_intent_and_an_outcome(
    sandbox: Sandbox, harness: Harness, sweep: Sweep, ledger: str
) -> None:
    """The ledger tells of each abort, and its chain is whole."""
    harness.add_container(sandbox, "container")
    for number in range(3):
        harness.add(sandbox, "container", f"k{number}", parts=[days(8)])
    target = harness.target(sandbox, policy=WITH_GRACE)
    sweep(target)
    done, _ = sweep(target, after=25)
    with open_ledger(ledger, read_only=True) as opened:
        records = opened.uploads_of_run(done.run_id)

        assert [("aborted", 8 * MIB)] * 3 == [(r.outcome, r.size_freed) for r in records]
        assert ([], []) == (opened.audit(), opened.open_intents())


@pytest.mark.parametrize("provider", sorted(EVERY_WAY))
def test_an_open_intent_is_looked_up_first(
    sandbox: Sandbox, sweep: Sweep, ledger: str, provider: str
) -> None:
    """An abort whose end nobody wrote down: the next run asks the store, and writes it down."""
    harness = EVERY_WAY[provider]
    harness.add_container(sandbox, "container")
    gone = harness.add(sandbox, "container", "gone", parts=[days(8)])
    kept = harness.add(sandbox, "container", "kept", parts=[days(8)])
    target = harness.target(sandbox, policy=WITH_GRACE)
    _, planned = sweep(target, settings={"mode": "report"})
    decisions = [planned.uploads()[name].result.decision for name in (gone, kept)]
    with open_ledger(ledger) as opened:
        for decision in decisions:
            opened.intend(_last_run(ledger), sandbox.clock.now(), decision)
    harness.store(sandbox).abort("container", gone)
    done, ear = sweep(target, settings={"mode": "report"})
    told = {e.upload_id: e.outcome for e in ear.events if isinstance(e, IntentReconciled)}

    assert {gone: "aborted", kept: "not_sent"} == told
    assert 0 == done.exit_code
    with open_ledger(ledger, read_only=True) as opened:
        assert [] == opened.open_intents()


def _last_run(ledger: str) -> str:
    with open_ledger(ledger, read_only=True) as opened:
        return opened.history(1)[0].run_id


@pytest.mark.parametrize("cap", [0, 1, 2, 3, 4])
def test_the_cap_of_a_day_holds_over_runs(sandbox: Sandbox, sweep: Sweep, cap: int) -> None:
    """Three are stale: whatever the cap, never more go in 24 hours, and then the rest."""
    harness = HARNESSES["s3"]
    harness.add_container(sandbox, "container")
    for number in range(3):
        harness.add(sandbox, "container", f"k{number}", parts=[days(8)])
    target = harness.target(sandbox, policy=BY_ACTIVITY, page_size=None)
    settings = {"limits": Limits(aborts_per_day=cap)}
    sweep(target, settings=settings)
    today = [sweep(target, after=1, settings=settings)[0].results[0].aborted for _ in range(3)]
    tomorrow = sweep(target, after=25, settings=settings)[0].results[0].aborted

    assert [min(cap, 3), 0, 0] == today
    assert min(cap, 3 - min(cap, 3)) == tomorrow


def test_a_finished_object_holds_the_upload_on_unknown_stores(
    sandbox: Sandbox, sweep: Sweep
) -> None:
    """On a store that may mix them up, a newer object of the same key is worth more."""
    harness = HARNESSES["s3"]
    harness.add_container(sandbox, "container")
    risky = harness.add(sandbox, "container", "finished", parts=[days(8)])
    harness.add(sandbox, "container", "free", parts=[days(8)])
    sandbox.s3.add_object("container", "finished", b"precious")
    target = harness.target(sandbox, policy=BY_ACTIVITY)
    sweep(target)
    _, ear = sweep(target)

    assert Reason.FINISHED_OBJECT == ear.reasons()[risky]
    assert [risky] == sandbox.s3.upload_ids("container")


def test_a_store_that_does_not_let_us_look_holds_too(sandbox: Sandbox, sweep: Sweep) -> None:
    """Without the right to look at the object nobody knows: kept."""
    harness = HARNESSES["s3"]
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    sandbox.deny("s3.head_object")
    target = harness.target(sandbox, policy=BY_ACTIVITY)
    sweep(target)
    _, ear = sweep(target)

    assert {name: Reason.FINISHED_OBJECT} == ear.reasons()


def test_a_store_that_the_config_vouches_for_is_not_asked(sandbox: Sandbox, sweep: Sweep) -> None:
    """`finished_object_check: never`: no look, and no right to look is needed."""
    harness = HARNESSES["s3"]
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    sandbox.deny("s3.head_object")
    options: Any = harness.options(sandbox)
    vouched = replace(options, finished_object_check="never")
    target = harness.target(sandbox, policy=BY_ACTIVITY, options=vouched)
    sweep(target)
    _, ear = sweep(target)

    assert {name: Outcome.ABORTED} == ear.outcomes()
    assert [] == sandbox.journal.entries("s3.head_object")


@pytest.mark.parametrize("provider", [*GLACIER_WAYS, *S3_WAYS])
def test_credentials_of_another_account_do_nothing(
    sandbox: Sandbox, sweep: Sweep, provider: str
) -> None:
    """STS says whose credentials these are; another account than expected ends the target."""
    harness = EVERY_WAY[provider]
    harness.add_container(sandbox, "container")
    harness.add(sandbox, "container", parts=[days(8)])
    options: Any = harness.options(sandbox)
    identity = replace(
        options.identity, caller_account="999999999999", sts_endpoint_url=sandbox.sts_url
    )
    target = harness.target(sandbox, options=replace(options, identity=identity))
    done, _ = sweep(target)

    assert [TargetOutcome.WRONG_IDENTITY] == [result.outcome for result in done.results]
    assert [] == sandbox.journal.entries(f"{harness.provider}.list_uploads")


@pytest.mark.parametrize("provider", [*GLACIER_WAYS, *S3_WAYS])
def test_credentials_of_the_expected_account_work(
    sandbox: Sandbox, sweep: Sweep, provider: str
) -> None:
    """The right account is recorded with the run."""
    harness = EVERY_WAY[provider]
    harness.add_container(sandbox, "container")
    options: Any = harness.options(sandbox)
    identity = replace(
        options.identity, caller_account=sandbox.account_id, sts_endpoint_url=sandbox.sts_url
    )
    target = harness.target(sandbox, options=replace(options, identity=identity))
    done, _ = sweep(target)

    assert [TargetOutcome.COMPLETE] == [result.outcome for result in done.results]
    assert 1 == len(sandbox.journal.entries("sts.get_caller_identity"))


def test_a_moved_target_starts_again(sandbox: Sandbox, sweep: Sweep) -> None:
    """Another address is another store, even under the same name: its grace starts again."""
    harness = HARNESSES["s3"]
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    sweep(harness.target(sandbox, policy=WITH_GRACE))
    options: Any = harness.options(sandbox)
    moved = replace(options.reach, endpoint_url=sandbox.s3_url.replace("127.0.0.1", "localhost"))
    target = harness.target(sandbox, policy=WITH_GRACE, options=replace(options, reach=moved))
    _, ear = sweep(target, after=30)

    assert {name: Reason.FIRST_SIGHTING} == ear.reasons()


def test_the_second_janitor_is_locked_out(sandbox: Sandbox, sweep: Sweep, ledger: str) -> None:
    """While one holds the ledger, the other touches nothing and says so with 75."""
    harness = HARNESSES["s3"]
    harness.add_container(sandbox, "container")
    with open_ledger(ledger) as opened, opened.lock():
        done, _ = sweep(harness.target(sandbox))

    assert (75, [TargetOutcome.LOCKED]) == (done.exit_code, [r.outcome for r in done.results])
    assert [] == list(sandbox.journal)


def test_a_look_changes_no_ledger(sandbox: Sandbox, sweep: Sweep, ledger: str) -> None:
    """A read-only run sees the marks, and makes none."""
    harness = HARNESSES["s3"]
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    target = harness.target(sandbox, policy=WITH_GRACE)
    sweep(target)
    with open_ledger(ledger, read_only=True) as opened:
        before = opened.history(9)
    _, early = sweep(target, read_only=True, after=1)
    _, late = sweep(target, read_only=True, after=30)
    with open_ledger(ledger, read_only=True) as opened:
        after = opened.history(9)

    assert {name: Reason.IN_GRACE} == early.reasons()
    assert {name: Outcome.WITHHELD} == late.outcomes()
    assert before == after


def at_the_last_look(harness: Harness, sandbox: Sandbox, then: Callable[[], object]) -> None:
    """Do something once, during the very last request before the abort of the only upload."""
    operation, number = {
        "glacier": ("glacier.list_parts", 2),
        "qingstor": ("qingstor.list_parts", 4),
        "s3": ("s3.head_object", 1),
    }[harness.provider]
    seen: list[object] = []

    def hook(call: object) -> None:
        seen.append(call)
        if len(seen) == number:
            then()

    sandbox.on(operation, hook)


def test_a_stop_after_the_last_look_concludes_the_intent(
    sandbox: Sandbox, harness: Harness, sweep: Sweep, ledger: str
) -> None:
    """The intent was written and nothing was sent: the ledger says both."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    target = harness.target(sandbox, policy=WITH_GRACE)
    sweep(target)
    sandbox.clock.move(hours(25))
    ear = Ear()
    one = sweeper(sandbox, target, ear=ear, settings={"ledger": ledger})
    at_the_last_look(harness, sandbox, lambda: stop(one))
    done = one.sweep()
    with open_ledger(ledger, read_only=True) as opened:
        records = [record.outcome for record in opened.uploads_of_run(done.run_id)]

    assert (["not_sent"], 130) == (records, done.exit_code)
    assert {name: Outcome.WITHHELD} == ear.outcomes()
    assert [] == sandbox.journal.entries(f"{harness.provider}.abort")


def test_a_lost_reply_and_a_long_wait_are_one_abort(
    sandbox: Sandbox, harness: Harness, sweep: Sweep
) -> None:
    """The request got through, its reply did not, and the wait made us look again: gone by us."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    target = harness.target(sandbox, policy=BY_AGE_WITH_LEDGER)
    sweep(target)
    jump = [days(0)]
    sandbox.on(f"{harness.provider}.abort", lambda _call: jump.append(hours(0.01)))
    fault = Fault(operation=f"{harness.provider}.abort", kind=FaultKind.DROP_AFTER)
    sandbox.faults.add(fault)
    done, ear = sweep(target, now=lambda: sandbox.clock.now() + jump[-1])

    assert {name: Outcome.ABORTED} == ear.outcomes()
    assert (8 * MIB, 1) == (
        done.results[0].bytes_freed,
        len(sandbox.journal.entries(f"{harness.provider}.abort")),
    )


def test_no_grace_is_lost_among_many_containers(sandbox: Sandbox, sweep: Sweep) -> None:
    """Forty buckets side by side: each is marked once, and goes in the next run."""
    harness = HARNESSES["s3"]
    names = [f"bucket-{number:02}" for number in range(40)]
    for name in names:
        harness.add_container(sandbox, name)
        harness.add(sandbox, name, parts=[days(8)])
    target = harness.target(sandbox, *names, policy=WITH_GRACE)
    sweep(target)
    done, _ = sweep(target, after=25)

    assert 40 == sum(result.aborted for result in done.results)


def test_a_look_does_not_take_another_part_set_for_the_same(sandbox: Sandbox, sweep: Sweep) -> None:
    """Glacier: a part came since the mark, so a read-only run proves no idleness either."""
    harness = HARNESSES["glacier"]
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    target = harness.target(sandbox, policy=WITH_GRACE)
    sweep(target)
    sandbox.glacier.add_part("container", name, MIB)
    _, ear = sweep(target, read_only=True, after=30)

    assert {name: Reason.ACTIVITY_UNKNOWN} == ear.reasons()
