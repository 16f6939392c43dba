"""What every provider promises about listing, against the sandbox over real HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support.harness import (
    BY_ACTIVITY,
    EVERY_WAY,
    HARNESSES,
    QINGSTOR_WAYS,
    S3_WAYS,
    Ear,
    Harness,
    days,
    hours,
    sweeper,
)

from janitor import providers
from janitor.errors import Incomplete
from janitor.model import ContainerResult, Reason, TargetOutcome
from janitor.providers import qingstor
from janitor.providers.base import retry_after, server_time
from janitor.sandbox import Fault, FaultKind, Sandbox
from janitor.targets import AwsIdentity, Credentials, QingStorOptions, Secret

LISTING_FAULTS = [
    FaultKind.CUT_BODY,
    FaultKind.CUT_DOCUMENT,
    FaultKind.WRONG_TYPE,
    FaultKind.EMPTY_BODY,
    FaultKind.HTML_BODY,
    FaultKind.WRONG_CONTAINER,
    FaultKind.REDIRECT,
    FaultKind.DROP_BEFORE,
]


def only(results: Sequence[ContainerResult]) -> ContainerResult:
    """Take the one result that there must be."""
    (result,) = results
    return result


def test_every_provider_is_under_contract() -> None:
    """A new provider without a harness fails here, by name."""
    assert set(HARNESSES) == set(providers.names())


def test_an_unknown_provider_is_not_found() -> None:
    """Only providers can be loaded, not just any module."""
    with pytest.raises(KeyError):
        providers.load("base")


def test_every_provider_declares_its_rights() -> None:
    """Each verb names the permissions that it needs."""
    verbs = {name: set(providers.load(name).PERMISSIONS) for name in providers.names()}

    expected = {"abort", "list_containers", "list_page", "list_parts"}

    assert {"glacier": expected, "qingstor": expected, "s3": expected | {"head_object"}} == verbs


def test_an_empty_container_is_complete(sandbox: Sandbox, harness: Harness) -> None:
    """Nothing there is an answer, once the provider has said so."""
    harness.add_container(sandbox, "container")
    result = only(sweeper(sandbox, harness.target(sandbox)).sweep().results)

    assert (TargetOutcome.COMPLETE, 0, None) == (result.outcome, result.listed, result.error)


def test_many_uploads_of_one_key_cross_pages(sandbox: Sandbox, harness: Harness, ear: Ear) -> None:
    """Pages of two, and eleven uploads of one key among others: each is listed once."""
    harness.add_container(sandbox, "container")
    keys = ["a", *["same"] * 11, "same/deeper", "same2", "z"]
    expected = {harness.add(sandbox, "container", key, age=hours(1)) for key in keys}
    result = only(sweeper(sandbox, harness.target(sandbox), ear=ear).sweep().results)

    assert expected == set(ear.uploads())
    assert (TargetOutcome.COMPLETE, len(keys)) == (result.outcome, result.listed)


def test_a_full_last_page_ends_the_listing(sandbox: Sandbox, harness: Harness, ear: Ear) -> None:
    """Four uploads on pages of two: the end is where the provider says, not where it is short."""
    harness.add_container(sandbox, "container")
    expected = {harness.add(sandbox, "container", f"key-{n}", age=hours(1)) for n in range(4)}
    sweeper(sandbox, harness.target(sandbox), ear=ear).sweep()

    assert expected == set(ear.uploads())


def test_a_missing_container_is_incomplete(sandbox: Sandbox, harness: Harness) -> None:
    """A container that is not there is an error, never an empty one."""
    result = only(sweeper(sandbox, harness.target(sandbox, "no-such-container")).sweep().results)

    assert TargetOutcome.INCOMPLETE is result.outcome
    assert str(result.error).startswith("ContainerMissing: ")


def test_a_missing_container_does_not_stop_the_others(sandbox: Sandbox, harness: Harness) -> None:
    """The container beside the missing one is swept as ever."""
    harness.add_container(sandbox, "container")
    harness.add(sandbox, "container")
    done = sweeper(sandbox, harness.target(sandbox, "container", "no-such-one")).sweep()

    assert {"container": 1, "no-such-one": 0} == {
        r.where.container: r.aborted for r in done.results
    }
    assert 3 == done.exit_code


def test_a_forbidden_listing_is_forbidden(sandbox: Sandbox, harness: Harness) -> None:
    """Missing permission is told as such, and not tried again."""
    harness.add_container(sandbox, "container")
    sandbox.deny(f"{harness.provider}.list_uploads")
    result = only(sweeper(sandbox, harness.target(sandbox)).sweep().results)

    assert TargetOutcome.FORBIDDEN is result.outcome
    assert 1 == len(sandbox.journal.entries(f"{harness.provider}.list_uploads"))


def test_a_throttled_listing_is_tried_again(sandbox: Sandbox, harness: Harness, ear: Ear) -> None:
    """Two refusals for now do not make a listing incomplete."""
    harness.add_container(sandbox, "container")
    harness.add(sandbox, "container")
    operation = f"{harness.provider}.list_uploads"
    sandbox.faults.add(Fault(operation=operation, status=503, times=2))
    result = only(sweeper(sandbox, harness.target(sandbox), ear=ear).sweep().results)

    assert (TargetOutcome.COMPLETE, 1) == (result.outcome, result.aborted)
    assert 3 == len(sandbox.journal.entries(operation))


def test_endless_throttling_is_incomplete(sandbox: Sandbox, harness: Harness) -> None:
    """After the last try the container is incomplete, and the error names the provider's code."""
    harness.add_container(sandbox, "container")
    operation = f"{harness.provider}.list_uploads"
    sandbox.faults.add(Fault(operation=operation, status=503, times=None))
    result = only(sweeper(sandbox, harness.target(sandbox)).sweep().results)

    assert TargetOutcome.INCOMPLETE is result.outcome
    assert 3 == len(sandbox.journal.entries(operation))


@pytest.mark.parametrize("page", [1, 2, 3])
@pytest.mark.parametrize("kind", LISTING_FAULTS)
def test_half_a_listing_aborts_nothing(
    sandbox: Sandbox, harness: Harness, kind: FaultKind, page: int
) -> None:
    """A page that proves nothing, wherever it is, leaves every upload where it was."""
    harness.add_container(sandbox, "container")
    for number in range(6):
        harness.add(sandbox, "container", f"key-{number}")
    before = harness.store(sandbox).upload_ids("container")
    operation = f"{harness.provider}.list_uploads"
    location = f"{sandbox.s3_url}/elsewhere" if kind is FaultKind.REDIRECT else None
    fault = Fault(operation=operation, kind=kind, nth=page, times=None, location=location)
    sandbox.faults.add(fault)
    done = sweeper(sandbox, harness.target(sandbox)).sweep()
    result = only(done.results)

    assert [] == sandbox.faults.unused()
    assert before == harness.store(sandbox).upload_ids("container")
    assert result.outcome in {TargetOutcome.INCOMPLETE, TargetOutcome.WRONG_IDENTITY}
    assert 3 == done.exit_code


@pytest.mark.parametrize(
    "kind", [FaultKind.CUT_BODY, FaultKind.CUT_DOCUMENT, FaultKind.DROP_BEFORE]
)
def test_a_page_that_failed_once_is_read_again(
    sandbox: Sandbox, harness: Harness, kind: FaultKind
) -> None:
    """One bad reply in the middle costs a retry and nothing else."""
    harness.add_container(sandbox, "container")
    for number in range(6):
        harness.add(sandbox, "container", f"key-{number}")
    sandbox.faults.add(Fault(operation=f"{harness.provider}.list_uploads", kind=kind, nth=2))
    result = only(sweeper(sandbox, harness.target(sandbox)).sweep().results)

    assert (TargetOutcome.COMPLETE, 6) == (result.outcome, result.aborted)


@pytest.mark.parametrize("kind", [FaultKind.REPEAT_MARKER, FaultKind.CYCLE_MARKERS])
def test_a_listing_in_circles_is_incomplete(
    sandbox: Sandbox, harness: Harness, kind: FaultKind
) -> None:
    """Markers that come back end the listing as incomplete, and nothing is aborted."""
    harness.add_container(sandbox, "container")
    for number in range(8):
        harness.add(sandbox, "container", f"key-{number}")
    fault = Fault(operation=f"{harness.provider}.list_uploads", kind=kind, times=None, nth=2)
    sandbox.faults.add(fault)
    result = only(sweeper(sandbox, harness.target(sandbox)).sweep().results)

    assert (TargetOutcome.INCOMPLETE, 0) == (result.outcome, result.aborted)
    assert [] == sandbox.faults.unused()


def test_truncated_without_a_marker_is_incomplete(sandbox: Sandbox) -> None:
    """A page that says there is more, but not where, proves nothing (keyed providers)."""
    for harness in (HARNESSES["s3"], HARNESSES["qingstor"]):
        harness.add_container(sandbox, "container")
        for number in range(4):
            harness.add(sandbox, "container", f"key-{number}")
        operation = f"{harness.provider}.list_uploads"
        sandbox.faults.add(Fault(operation=operation, kind=FaultKind.NO_MARKER, times=None))
        result = only(sweeper(sandbox, harness.target(sandbox)).sweep().results)

        assert (TargetOutcome.INCOMPLETE, 0) == (result.outcome, result.aborted)


def test_duplicate_entries_count_once(sandbox: Sandbox, harness: Harness, ear: Ear) -> None:
    """A server that repeats the last page's entries does not make two of one upload."""
    harness.add_container(sandbox, "container")
    expected = {harness.add(sandbox, "container", f"key-{n}") for n in range(6)}
    operation = f"{harness.provider}.list_uploads"
    sandbox.faults.add(Fault(operation=operation, kind=FaultKind.DUPLICATES, nth=2, times=None))
    result = only(sweeper(sandbox, harness.target(sandbox), ear=ear).sweep().results)

    assert expected == set(ear.uploads())
    assert (6, 6) == (result.listed, result.aborted)


def test_a_prefix_narrows_the_listing(sandbox: Sandbox, ear: Ear) -> None:
    """With a prefix only its keys are listed, whatever the pages (keyed providers)."""
    for harness in (HARNESSES["s3"], HARNESSES["qingstor"]):
        harness.add_container(sandbox, "container")
        wanted = {harness.add(sandbox, "container", f"Movies/{n}") for n in range(3)}
        harness.add(sandbox, "container", "Music/1")
        sweeper(sandbox, harness.target(sandbox, prefix="Movies/"), ear=ear).sweep()

        assert wanted <= set(ear.uploads())
        assert 1 == len(harness.store(sandbox).upload_ids("container"))


def test_no_request_carries_a_delimiter(sandbox: Sandbox, harness: Harness) -> None:
    """A delimiter would hide uploads in common prefixes."""
    harness.add_container(sandbox, "container")
    for number in range(5):
        harness.add(sandbox, "container", f"folder/{number}")
    sweeper(sandbox, harness.target(sandbox)).sweep()

    assert [] == [entry.target for entry in sandbox.journal if "delimiter" in entry.target]


def test_globs_find_containers(sandbox: Sandbox, harness: Harness) -> None:
    """Discovery finds what the globs match, over pages, without what is excluded."""
    for number in range(25):
        harness.add_container(sandbox, f"backup-{number:02}")
    for name in ("other-one", "backup-logs", "exactly"):
        harness.add_container(sandbox, name)
    target = harness.target(sandbox, "backup-*", "exactly", exclude=("*-logs",))
    done = sweeper(sandbox, target).sweep()
    expected = [*(f"backup-{number:02}" for number in range(25)), "exactly"]

    assert expected == [result.where.container for result in done.results]


def test_globs_that_match_nothing_are_told(sandbox: Sandbox, harness: Harness) -> None:
    """A target that finds no container says so, in its exit code too, not nothing silently."""
    done = sweeper(sandbox, harness.target(sandbox, "nothing-*")).sweep()
    result = only(done.results)

    assert "no container matches nothing-*" == result.error
    assert (TargetOutcome.INCOMPLETE, 3) == (result.outcome, done.exit_code)


def test_failed_discovery_spares_exact_names(sandbox: Sandbox, harness: Harness) -> None:
    """Containers that are named are swept even if the others cannot be found."""
    harness.add_container(sandbox, "container")
    harness.add(sandbox, "container")
    operation = {"glacier": "glacier.list_vaults"}.get(
        harness.provider, f"{harness.provider}.list_buckets"
    )
    sandbox.deny(operation)
    done = sweeper(sandbox, harness.target(sandbox, "container", "more-*")).sweep()

    assert {"*": TargetOutcome.FORBIDDEN, "container": TargetOutcome.COMPLETE} == {
        result.where.container: result.outcome for result in done.results
    }


@pytest.mark.parametrize(
    "kind", [FaultKind.CUT_DOCUMENT, FaultKind.EMPTY_BODY, FaultKind.HTML_BODY]
)
def test_unproven_discovery_is_not_an_empty_account(
    sandbox: Sandbox, harness: Harness, kind: FaultKind
) -> None:
    """A list of containers that proves nothing is an error too."""
    harness.add_container(sandbox, "container")
    sandbox.faults.add(Fault(operation=f"{harness.provider}.list_*", kind=kind, times=None))
    result = only(sweeper(sandbox, harness.target(sandbox, "*")).sweep().results)

    assert TargetOutcome.INCOMPLETE is result.outcome


def test_parts_on_several_pages_are_all_read(sandbox: Sandbox, harness: Harness, ear: Ear) -> None:
    """Seven parts on pages of two add up."""
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)] * 7)
    sweeper(sandbox, harness.target(sandbox), ear=ear, read_only=True).sweep()
    activity = ear.uploads()[name].result.decision.activity

    assert activity is not None
    assert (7, 7 * 8 * 1024 * 1024) == (activity.parts, activity.size)


def test_a_recent_part_on_the_last_page_keeps(sandbox: Sandbox, harness: Harness, ear: Ear) -> None:
    """Old by initiation, alive by its last part: kept, where parts tell their time."""
    harness.add_container(sandbox, "container")
    ages = [days(8), days(7), days(6), days(5), hours(23)]
    name = harness.add(sandbox, "container", parts=ages)
    target = harness.target(sandbox, policy=BY_ACTIVITY)
    sweeper(sandbox, target, ear=ear).sweep()
    expected = Reason.ACTIVE if harness.tells_part_times else Reason.ACTIVITY_UNKNOWN

    assert expected == ear.reasons()[name]
    assert [name] == harness.store(sandbox).upload_ids("container")


def test_reading_stops_at_the_first_recent_part(sandbox: Sandbox, ear: Ear) -> None:
    """A thousand more parts need not be read to know that an upload is alive."""
    harness = HARNESSES["s3"]
    harness.add_container(sandbox, "container")
    harness.add(sandbox, "container", parts=[hours(1)] * 40)
    sweeper(sandbox, harness.target(sandbox, policy=BY_ACTIVITY), ear=ear).sweep()

    assert 1 == len(sandbox.journal.entries("s3.list_parts"))


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.CUT_BODY,
        FaultKind.CUT_DOCUMENT,
        FaultKind.WRONG_TYPE,
        FaultKind.EMPTY_BODY,
        FaultKind.HTML_BODY,
        FaultKind.DROP_BEFORE,
        FaultKind.STATUS,
    ],
)
def test_unreadable_parts_keep_the_upload(
    sandbox: Sandbox, harness: Harness, ear: Ear, kind: FaultKind
) -> None:
    """Parts that cannot be read are no evidence, even where age alone decides."""
    harness.add_container(sandbox, "container")
    bad = harness.add(sandbox, "container", "bad", parts=[days(8)])
    good = harness.add(sandbox, "container", "good", parts=[days(8)])
    entries = {bad: "bad", good: "good"}
    key = entries[bad] if harness.has_keys else None
    if not harness.has_keys:
        harness.store(sandbox).abort("container", good)
    operation = f"{harness.provider}.list_parts"
    sandbox.faults.add(Fault(operation=operation, kind=kind, times=None, key=key))
    done = sweeper(sandbox, harness.target(sandbox), ear=ear).sweep()

    assert Reason.ACTIVITY_UNKNOWN == ear.reasons()[bad]
    assert [bad] == harness.store(sandbox).upload_ids("container")
    assert 3 == done.exit_code


def test_dates_that_say_nothing_keep(sandbox: Sandbox, harness: Harness, ear: Ear) -> None:
    """Each unusable date keeps for its own reason, and is counted."""
    harness.add_container(sandbox, "container")
    store = harness.store(sandbox)
    key = "key" if harness.has_keys else ""
    texts = {
        "": Reason.NO_DATE,
        "garbage": Reason.NO_DATE,
        "2019-11-10 20:48:33": Reason.NAIVE_DATE,
        "0001-01-01T00:00:00Z": Reason.IMPLAUSIBLE_DATE,
        "1970-01-01T00:00:00.000Z": Reason.IMPLAUSIBLE_DATE,
        "2999-01-01T00:00:00.000Z": Reason.FUTURE_DATE,
    }
    expected = {store.add_upload("container", key, initiated=t): r for t, r in texts.items()}
    result = only(sweeper(sandbox, harness.target(sandbox), ear=ear).sweep().results)

    assert expected == ear.reasons()
    assert (6, 0) == (result.listed, result.stale)


def test_a_wrong_clock_aborts_nothing(sandbox: Sandbox, harness: Harness) -> None:
    """More than five minutes between our clock and the provider's stop the container."""
    harness.add_container(sandbox, "container")
    harness.add(sandbox, "container")

    def fast() -> object:
        return sandbox.clock.now() + hours(0.1)

    result = only(sweeper(sandbox, harness.target(sandbox), now=fast).sweep().results)

    assert (TargetOutcome.CLOCK_SKEW, 0) == (result.outcome, result.aborted)


@pytest.mark.parametrize("provider", [*QINGSTOR_WAYS, *S3_WAYS])
def test_a_clock_that_jumps_after_the_listing_ages_nothing(
    sandbox: Sandbox, ear: Ear, provider: str
) -> None:
    """A part of an hour ago does not look days old when our clock is put forward meanwhile."""
    harness = EVERY_WAY[provider]
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[hours(1)])
    jump = [days(0)]
    sandbox.on(f"{harness.provider}.list_uploads", lambda _call: jump.append(days(3)))
    target = harness.target(sandbox, policy=BY_ACTIVITY)
    sweeper(sandbox, target, ear=ear, now=lambda: sandbox.clock.now() + jump[-1]).sweep()

    assert [name] == harness.store(sandbox).upload_ids("container")
    assert Reason.ACTIVE == ear.reasons()[name]


@pytest.mark.parametrize("provider", sorted(EVERY_WAY))
def test_a_sleep_after_the_listing_aborts_nothing(sandbox: Sandbox, provider: str) -> None:
    """The provider's clock went on while ours stood still: what we know is too old."""
    harness = EVERY_WAY[provider]
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", parts=[days(8)])
    slept: list[object] = []

    def sleep(call: object) -> None:
        if not slept:
            sandbox.options.check_skew = False
            sandbox.clock.move(hours(3))
        slept.append(call)

    sandbox.on(f"{harness.provider}.list_parts", sleep)
    started = sandbox.clock.now()
    result = only(sweeper(sandbox, harness.target(sandbox), now=lambda: started).sweep().results)

    assert [name] == harness.store(sandbox).upload_ids("container")
    assert TargetOutcome.CLOCK_SKEW is result.outcome


def test_a_date_beyond_the_calendar_is_no_date() -> None:
    """A reply header that no clock can show says nothing, and crashes nothing."""
    absurd = "Fri, 20 Nov 99999999999999999999 05:00:00 GMT"

    assert server_time({"date": absurd}) is None
    assert retry_after({"retry-after": absurd}, datetime.now(UTC)) is None


def test_a_qingstor_page_must_say_whether_there_is_more() -> None:
    """Neither `has_more` nor a marker field: the page does not prove that it is the last."""
    with pytest.raises(Incomplete):
        qingstor._next({"uploads": []})  # noqa: SLF001  # the sandbox always says

    assert qingstor._next({"uploads": [], "next_key_marker": ""}) is None  # noqa: SLF001  # the same


def test_wrong_credentials_are_forbidden(sandbox: Sandbox, harness: Harness) -> None:
    """A wrong secret is told as missing permission, and not tried again."""
    harness.add_container(sandbox, "container")
    target = harness.target(sandbox, options=_with_wrong_secret(sandbox, harness))
    result = only(sweeper(sandbox, target).sweep().results)

    assert TargetOutcome.FORBIDDEN is result.outcome
    assert 1 == len(sandbox.journal)


def _with_wrong_secret(sandbox: Sandbox, harness: Harness) -> object:
    options = harness.options(sandbox)
    keys = Credentials(sandbox.access_key_id, Secret("wrong"))
    if isinstance(options, QingStorOptions):
        return replace(options, credentials=keys)
    return replace(options, identity=AwsIdentity(credentials=keys))


@pytest.mark.parametrize("provider", sorted(EVERY_WAY))
def test_the_earlier_of_two_clocks_judges(sandbox: Sandbox, ear: Ear, provider: str) -> None:
    """Four minutes ahead is tolerated, but does not age anything."""
    harness = EVERY_WAY[provider]
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container", age=days(7) - hours(0.05))
    ahead = sandbox.clock.now
    target = harness.target(sandbox)
    sweeper(sandbox, target, ear=ear, now=lambda: ahead() + hours(4 / 60)).sweep()

    assert {name: Reason.YOUNG} == ear.reasons()


def test_an_observer_that_fails_stops_nothing(
    sandbox: Sandbox, ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk under the metrics is no reason to lose the report."""
    harness = HARNESSES["s3"]
    harness.add_container(sandbox, "container")
    harness.add(sandbox, "container")

    def broken(_event: object) -> None:
        msg = "no space left"
        raise OSError(msg)

    one = sweeper(sandbox, harness.target(sandbox))
    done = replace(one, observers=[broken, ear]).sweep()

    assert (0, 1) == (done.exit_code, done.results[0].aborted)
    assert 1 == len(ear.uploads())
    assert "no space left" in caplog.text
