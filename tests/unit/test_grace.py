"""What earlier sightings add: proof where parts have no dates, and grace everywhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from janitor.grace import Mark, alive, changed_since, settle
from janitor.model import Activity, ContainerRef, Decision, Reason, Upload, Verdict
from janitor.policy import Policy, judge

NOW = datetime(2026, 11, 20, 5, tzinfo=UTC)
TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
POLICY = Policy(stale_after=7 * DAY, idle_for=DAY, grace=DAY)
VAULT = ContainerRef("archive", "glacier", "examplevault")
OLD = Upload(VAULT, None, "id", NOW - 9 * DAY)
# Parts without dates, as on Glacier.
DATELESS = Activity(known=False, complete=True, parts=3, size=12, fingerprint="abc")
DATED = Activity(
    known=True, complete=True, parts=3, size=12, last_part=NOW - 8 * DAY, fingerprint="abc"
)


def mark(first: timedelta = 9 * DAY, unchanged: timedelta = 9 * DAY, **changes: object) -> Mark:
    """Remember an upload: since when, and since when unchanged."""
    known = Mark(NOW - first, seen_before=True, unchanged_since=NOW - unchanged, fingerprint="abc")
    return replace(known, **changes)  # type: ignore[arg-type]  # tests pass what fits


def settled(activity: Activity | None, known: Mark | None, policy: Policy = POLICY) -> Decision:
    """Judge an old upload with what its parts and earlier sightings tell."""
    return settle(judge(OLD, policy, NOW, activity), policy, NOW, known)


def test_without_a_ledger_nothing_changes() -> None:
    """The judgement of the policy stands."""
    assert judge(OLD, POLICY, NOW, DATED) == settled(DATED, None)


def test_what_was_not_seen_before_is_only_marked() -> None:
    """In the run that first saw it, it waits, whatever the grace is."""
    for grace in (timedelta(0), DAY):
        policy = replace(POLICY, grace=grace)
        found = settled(DATED, mark(first=timedelta(0), seen_before=False), policy)

        assert (Verdict.KEEP, Reason.FIRST_SIGHTING) == (found.verdict, found.reason)


@pytest.mark.parametrize(
    ("first", "grace", "expected"),
    [
        (DAY, DAY, Reason.IN_GRACE),  # exactly at the end is kept
        (DAY + TICK, DAY, Reason.STALE),
        (timedelta(0), DAY, Reason.IN_GRACE),
        (timedelta(0), timedelta(0), Reason.STALE),
        (-DAY, DAY, Reason.IN_GRACE),  # the clock was put back
        (-DAY, timedelta(0), Reason.STALE),
    ],
)
def test_grace_counts_from_the_first_sighting(
    first: timedelta, grace: timedelta, expected: Reason
) -> None:
    """Only what is known for longer than the grace goes."""
    assert expected is settled(DATED, mark(first), replace(POLICY, grace=grace)).reason


def test_a_waiting_upload_says_when_it_can_go() -> None:
    """`eligible_at` is the end of the grace, if that is later than everything else."""
    assert NOW + DAY / 2 == settled(DATED, mark(first=DAY / 2)).eligible_at
    assert NOW - DAY == settled(DATED, mark(first=2 * DAY)).eligible_at


@pytest.mark.parametrize(
    ("unchanged", "expected"),
    [(DAY, Reason.ACTIVITY_UNKNOWN), (DAY + TICK, Reason.STALE), (9 * DAY, Reason.STALE)],
)
def test_a_part_set_that_stood_still_proves_idleness(
    unchanged: timedelta, expected: Reason
) -> None:
    """Longer than `idle_for` between two sightings with the same parts, not exactly."""
    assert expected is settled(DATELESS, mark(unchanged=unchanged)).reason


@pytest.mark.parametrize(
    "doubt",
    [
        {"seen_before": False},
        {"fingerprint": "other"},
        {"fingerprint": ""},
    ],
)
def test_no_proof_without_the_same_parts_in_an_earlier_run(doubt: dict[str, object]) -> None:
    """One sighting, or another part set, proves nothing."""
    assert Reason.ACTIVITY_UNKNOWN is settled(DATELESS, mark(**doubt)).reason  # type: ignore[arg-type]  # marks' own fields


def test_no_proof_from_parts_that_were_not_all_read() -> None:
    """Half a part set is none."""
    half = replace(DATELESS, complete=False)

    assert Reason.ACTIVITY_UNKNOWN is settled(half, mark()).reason


def test_proof_is_not_needed_where_age_alone_decides() -> None:
    """`idle_for: off` asks for no idleness, but the grace holds."""
    by_age = replace(POLICY, idle_for=None)

    assert Reason.STALE is settled(DATELESS, mark(), by_age).reason
    assert Reason.IN_GRACE is settled(DATELESS, mark(first=DAY / 2), by_age).reason


def test_a_dated_part_beats_every_mark() -> None:
    """Where parts have dates, standing still proves nothing against them."""
    recent = replace(DATED, last_part=NOW - DAY / 2)

    assert Reason.ACTIVE is settled(recent, mark()).reason


@pytest.mark.parametrize("reason", [Reason.VANISHED, Reason.CHANGED, Reason.ACTIVITY_UNKNOWN])
def test_what_does_not_come_from_the_parts_stands(reason: Reason) -> None:
    """A mark cannot bring back what vanished."""
    decision = Decision(OLD, Verdict.KEEP, reason, "evidence")

    assert decision == settle(decision, POLICY, NOW, mark())


SPANS = st.timedeltas(min_value=-30 * DAY, max_value=300 * DAY)
MARKS = st.builds(
    Mark,
    first_seen=SPANS.map(lambda span: NOW - span),
    seen_before=st.booleans(),
    unchanged_since=SPANS.map(lambda span: NOW - span),
    fingerprint=st.sampled_from(["abc", "other", ""]),
)
ACTIVITIES = st.sampled_from(
    [None, DATELESS, DATED, replace(DATELESS, complete=False), replace(DATED, last_part=NOW)]
)


@given(activity=ACTIVITIES, known=MARKS, grace=st.timedeltas(timedelta(0), 30 * DAY))
@example(activity=DATELESS, known=mark(), grace=DAY)
def test_marks_only_keep_but_for_the_one_proof(
    activity: Activity | None, known: Mark, grace: timedelta
) -> None:
    """What a mark turns into an abort had no dates, and stood still for long enough."""
    policy = replace(POLICY, grace=grace)
    before = judge(OLD, policy, NOW, activity)
    after = settle(before, policy, NOW, known)

    if after.verdict is Verdict.ABORT and before.verdict is Verdict.KEEP:
        assert activity == DATELESS
        assert (known.seen_before, known.fingerprint) == (True, "abc")
        assert NOW - known.unchanged_since > DAY
    if after.verdict is Verdict.ABORT:
        assert known.seen_before
        assert not grace or NOW - known.first_seen > grace


@given(activity=ACTIVITIES, known=MARKS, less=st.timedeltas(timedelta(0), 30 * DAY))
def test_a_longer_grace_never_aborts_more(
    activity: Activity | None, known: Mark, less: timedelta
) -> None:
    """What a longer grace lets go, a shorter one does too."""
    longer, shorter = replace(POLICY, grace=less + DAY), replace(POLICY, grace=less)
    decision = judge(OLD, POLICY, NOW, activity)
    goes = settle(decision, longer, NOW, known).verdict is Verdict.ABORT

    assert not goes or settle(decision, shorter, NOW, known).verdict is Verdict.ABORT


def test_a_mark_at_the_end_of_the_calendar_is_only_kept() -> None:
    """A grace of a million days does not fall over."""
    policy = replace(POLICY, grace=timedelta(days=999_999_999))
    found = settled(DATED, mark(first=DAY), policy)

    assert (Reason.IN_GRACE, 9999) == (found.reason, found.eligible_at and found.eligible_at.year)


def test_another_part_set_is_a_sign_of_life() -> None:
    """Only two looks with the same fingerprint agree that nothing came."""
    planned = judge(OLD, POLICY, NOW, DATED)
    other = judge(OLD, POLICY, NOW, replace(DATED, fingerprint="other"))
    blind = judge(OLD, POLICY, NOW, None)

    assert [False, True, True, True] == [
        changed_since(planned, planned),
        changed_since(planned, other),
        changed_since(planned, blind),
        changed_since(blind, planned),
    ]
    assert (Verdict.KEEP, Reason.ACTIVE, None) == (
        alive(planned).verdict,
        alive(planned).reason,
        alive(planned).eligible_at,
    )
