from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.report_samples import (
    ARCHIVE,
    DAY,
    HOSTILE,
    LAKE,
    MIB,
    NOW,
    container_of,
    done,
    kept,
    parts_of,
    upload_of,
)

from janitor.model import (
    Activity,
    ContainerResult,
    Decision,
    Outcome,
    Reason,
    TargetOutcome,
    Upload,
    UploadResult,
    Verdict,
)
from janitor.observe.events import SweepFinished
from janitor.report.rows import container_row, sweep_row, upload_row

any_text = st.text(st.characters(exclude_categories=()), min_size=1)


def test_an_upload_row_says_everything_in_the_words_of_the_design() -> None:
    """Names, order, units and formats of a row are a promise."""
    upload = Upload(
        ARCHIVE,
        None,
        "id",
        datetime(2012, 3, 19, 23, 20, 59, 130_999, tzinfo=UTC),
        None,
        "archive 1",
        "arn:aws:iam::012345678901:user/a",
        "GLACIER",
    )
    decision = Decision(
        upload, Verdict.ABORT, Reason.STALE, "default", NOW - DAY, parts_of(4 * MIB, 2 * DAY)
    )
    expected = {
        "target": "archive",
        "provider": "glacier",
        "container": "examplevault",
        "key": None,
        "upload_id": "id",
        "initiated": "2012-03-19T23:20:59.130Z",
        "age_seconds": 462951540,
        "last_activity": "2026-11-18T05:00:00.000Z",
        "bytes": 4194304,
        "parts": 1,
        "description": "archive 1",
        "initiator": "arn:aws:iam::012345678901:user/a",
        "storage_class": "GLACIER",
        "verdict": "abort",
        "reason": "stale",
        "rule": "default",
        "outcome": "failed",
        "bytes_freed": 0,
        "eligible_at": "2026-11-19T05:00:00.000Z",
        "error": "AccessDenied",
    }
    actual = upload_row(UploadResult(decision, Outcome.FAILED, "AccessDenied"), NOW)

    assert (list(expected), expected) == (list(actual), dict(actual))


def test_what_is_unknown_is_null() -> None:
    """Without a date and without parts no figure is made up, and an absent text is null too."""
    row = upload_row(kept(upload_of(LAKE, "k", "id", None), Reason.NO_DATE), NOW)
    names = ("initiated", "initiated_text", "age_seconds", "last_activity", "bytes", "parts")

    assert [None, "yesterday", None, None, None, None] == [row[name] for name in names]  # type: ignore[literal-required]
    assert [None, None, None] == [row["description"], row["initiator"], row["outcome"]]


def test_the_providers_own_date_is_told_only_where_there_is_no_better_one() -> None:
    """A row with a date has no initiated_text."""
    assert "initiated_text" not in upload_row(
        kept(upload_of(LAKE, "k", "id", DAY), Reason.YOUNG), NOW
    )


def test_half_of_the_parts_is_no_size() -> None:
    """A lower bound must not look like a size."""
    half = parts_of(70 * MIB, DAY, complete=False)
    row = upload_row(kept(upload_of(LAKE, "k", "id", 9 * DAY), Reason.ACTIVE, half), NOW)

    assert (None, None) == (row["bytes"], row["parts"])


def test_parts_without_times_still_have_a_size() -> None:
    """Activity is unknown then, but what was read to its end can be added up."""
    timeless = Activity(known=False, complete=True, parts=2, size=10)
    result = kept(upload_of(LAKE, "k", "id", 9 * DAY), Reason.ACTIVITY_UNKNOWN, timeless)
    row = upload_row(result, NOW)

    assert (10, 2, None) == (row["bytes"], row["parts"], row["last_activity"])


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(seconds=1.999), 1),
        (timedelta(0), 0),
        (-timedelta(microseconds=1), -1),
        (-26 * timedelta(hours=1), -93600),
    ],
)
def test_ages_are_whole_seconds_rounded_down(age: timedelta, expected: int) -> None:
    """No upload is ever told to be older than it is."""
    row = upload_row(kept(upload_of(LAKE, "k", "id", age), Reason.YOUNG), NOW)

    assert expected == row["age_seconds"]


def test_the_age_is_unknown_as_long_as_no_sweep_has_begun() -> None:
    """There is no instant to count from."""
    row = upload_row(kept(upload_of(LAKE, "k", "id", DAY), Reason.YOUNG), None)

    assert row["age_seconds"] is None


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime.max.replace(tzinfo=UTC), "9999-12-31T23:59:59.999Z"),
        (datetime.min.replace(tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
        (
            datetime(2026, 3, 1, 7, tzinfo=timezone(8 * timedelta(hours=1))),
            "2026-02-28T23:00:00.000Z",
        ),
    ],
)
def test_times_are_in_utc_to_the_very_ends_of_the_calendar(moment: datetime, expected: str) -> None:
    """A threshold of a million days ends in the year 9999."""
    result = kept(upload_of(LAKE, "k", "id", DAY), Reason.YOUNG, eligible_at=moment)

    assert expected == upload_row(result, NOW)["eligible_at"]


@given(any_text, any_text)
@example(HOSTILE, "\ud800")
def test_any_key_and_id_survive_json(key: str, upload_id: str) -> None:
    """What is not Unicode survives as well, and what is written is pure ASCII."""
    row = upload_row(done(upload_of(LAKE, key, upload_id, 9 * DAY), Outcome.ABORTED, 1), NOW)
    text = json.dumps(row)

    assert text.isascii()
    assert row == json.loads(text)
    assert (key, upload_id) == (row["key"], row["upload_id"])


def test_a_container_row_says_everything_in_the_words_of_the_design() -> None:
    """Names, order, units and formats of a row are a promise."""
    result = container_of(
        LAKE,
        TargetOutcome.CAPPED,
        1.23456,
        listed=13,
        stale=9,
        kept={Reason.YOUNG: 3, Reason.ACTIVE: 1},
        aborted=1,
        already_gone=1,
        withheld=1,
        failed=1,
        survived=2,
        deferred=3,
        waiting=7,
        bytes_stale=7,
        bytes_freed=5,
        oldest_initiated=NOW,
        error="no",
    )
    expected = {
        "target": "lake",
        "provider": "s3",
        "container": "analytics-landing-zone-eu-west-1-production",
        "outcome": "capped",
        "listed": 13,
        "stale": 9,
        "kept": {"active": 1, "young": 3},
        "aborted": 1,
        "already_gone": 1,
        "withheld": 1,
        "failed": 1,
        "survived": 2,
        "deferred": 3,
        "waiting": 7,
        "bytes_stale": 7,
        "bytes_freed": 5,
        "oldest_initiated": "2026-11-20T05:00:00.000Z",
        "duration_seconds": 1.235,
        "transport": "wire",
        "error": "no",
    }
    actual = container_row(result, "wire")

    assert (list(expected), expected) == (list(actual), dict(actual))
    assert ["active", "young"] == list(actual["kept"])


def test_a_clock_that_was_put_back_makes_no_negative_duration() -> None:
    """Such a sweep took no time that we know of."""
    result = ContainerResult(LAKE, TargetOutcome.COMPLETE, NOW, NOW - DAY)

    assert 0.0 == container_row(result)["duration_seconds"]


@pytest.mark.parametrize(("exit_code", "complete"), [(0, True), (3, False), (4, False)])
def test_only_exit_code_0_is_complete(exit_code: int, *, complete: bool) -> None:
    """The document and the exit code cannot disagree."""
    row = sweep_row(SweepFinished("r", "report", NOW, NOW, (), exit_code))

    assert (complete, exit_code) == (row["complete"], row["exit_code"])


def test_lost_uploads_are_told_and_only_if_there_are_any() -> None:
    """A report that lacks something says so."""
    finished = SweepFinished("r", "report", NOW, NOW, (), 0)

    assert "uploads_lost" not in sweep_row(finished)
    assert 3 == sweep_row(finished, 3)["uploads_lost"]
