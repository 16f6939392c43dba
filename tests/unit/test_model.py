# expected == actual, in this order everywhere
from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.strategies import (
    ARCHIVE,
    CONTAINERS,
    DAY,
    LAKE,
    MEDIA,
    NOW,
    TICK,
    ZONES,
    law,
    upload_of,
)

from janitor import matching, model, plan, policy, targets
from janitor.model import (
    EARLIEST_PLAUSIBLE,
    KEYED_PROVIDERS,
    PROVIDERS,
    Activity,
    ContainerRef,
    Decision,
    Part,
    Reason,
    Upload,
    Verdict,
    is_naive_time,
    parse_time,
)

BERLIN = ZoneInfo("Europe/Berlin")
VENDOR = datetime(2012, 3, 19, 23, 20, 59, 130_000, tzinfo=UTC)
WHOLE = VENDOR.replace(microsecond=0)
MINUTES = WHOLE.replace(second=0)

INSTANTS = {
    "2012-03-19T23:20:59.130Z": VENDOR,
    "2012-03-19T23:20:59,130Z": VENDOR,
    "2012-03-19T23:20:59Z": WHOLE,
    "2012-03-19t23:20:59Z": WHOLE,
    "2012-03-19 23:20:59+00:00": WHOLE,
    "2012-03-19T23:20:59-00:00": WHOLE,
    " 2012-03-19T23:20:59Z\r\n": WHOLE,
    "\u00a02012-03-19T23:20:59Z\u2003": WHOLE,
    "20120319T232059Z": WHOLE,
    "2012-03-19T23:20Z": MINUTES,
    "2012-03-20T07:20:59+08:00": WHOLE,
    "2012-03-19T17:50:59-0530": WHOLE,
    "2012-W12-1T23:20:59Z": WHOLE,
    "2012W121T232059Z": WHOLE,
    "2012-03-19T23:20:59.1300009Z": VENDOR,
    "2012-03-19T00:00:00Z": datetime(2012, 3, 19, tzinfo=UTC),
    "2012-02-29T12:00:00Z": datetime(2012, 2, 29, 12, tzinfo=UTC),
    "0001-01-01T00:00:00Z": datetime(1, 1, 1, tzinfo=UTC),
    "9999-12-31T23:59:59.999999Z": datetime.max.replace(tzinfo=UTC),
}
NAIVE = [
    "2012-03-19T23:20:59.130",
    "2012-03-19 23:20:59",
    "20120319T232059",
    "2012-03-19T23:20",
    "0001-01-01T00:00:00",
    " 2012-03-19T23:20:59\n",
]
BEYOND_THE_CALENDAR = ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"]
NO_INSTANTS = [
    None,
    "",
    "   ",
    "2012-03-19",
    "2012-W12-1",
    "20120319",
    "2012-03-19T23Z",
    "2012-03-19T23",
    "2012-03-19Z",
    "2012-03-19-07:00",
    "2012-03-19+07:00",
    "2012-03-19x23:20:59Z",
    "2012-03-19T24:00:00Z",
    "2012-03-19T24:00Z",
    "2012-03-19T23:60:00Z",
    "2012-03-19T23:59:60Z",
    "2012-03-19T23:20:59z",
    "2012-03-19T23:20:59 UTC",
    "2012-03-19T23:20:59+24:00",
    "2012-03-19T23:20:59Z\x00",
    "2012-03-19T23:20:59Z 2012-03-19T23:20:59Z",
    "2012-02-30T00:00:00Z",
    "2013-02-29T00:00:00Z",
    "2012-13-01T00:00:00Z",
    "2012-W54-1T00:00:00Z",
    "2012-079T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "12-03-19T23:20:59Z",
    "-012-03-19T23:20:59Z",
    "\uff12\uff10\uff11\uff12-03-19T23:20:59Z",
    "٢٠١٢-03-19T23:20:59Z",
    "2012-03-19T\u0662\u0663:20:59Z",
    "2012-03-19T23:20:59\ud800",
    "Mon, 19 Mar 2012 23:20:59 GMT",
    "1332199259",
    "yesterday",
]


@pytest.fixture(params=["UTC-8", "UTC+5", "Europe/Berlin", "America/St_Johns"])
def _process_zone(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("text", "expected"), INSTANTS.items())
def test_a_full_instant_is_read_as_utc(text: str, expected: datetime) -> None:
    """Every way ISO 8601 allows to write an instant gives that instant, in UTC."""
    actual = parse_time(text)

    assert (expected, UTC, False) == (actual, actual and actual.tzinfo, is_naive_time(text))


@pytest.mark.parametrize("text", NAIVE)
def test_a_date_without_a_zone_is_naive_and_no_instant(text: str) -> None:
    """Nobody guesses a zone; but the text is told apart from garbage."""
    assert (None, True) == (parse_time(text), is_naive_time(text))


@pytest.mark.parametrize("text", BEYOND_THE_CALENDAR)
def test_an_instant_that_its_zone_moves_off_the_calendar_is_unknown(text: str) -> None:
    """The first and last minutes of the calendar are no reason to crash."""
    assert (None, False) == (parse_time(text), is_naive_time(text))


@pytest.mark.parametrize("text", NO_INSTANTS)
def test_anything_less_than_an_instant_is_unknown(text: str | None) -> None:
    """Half a date, a strange separator or another calendar is doubt, not evidence."""
    assert (None, False) == (parse_time(text), is_naive_time(text))


@pytest.mark.usefixtures("_process_zone")
def test_the_zone_of_the_process_does_not_move_a_date() -> None:
    """Not even a zone that calls itself UTC and is not."""
    assert INSTANTS == {text: parse_time(text) for text in INSTANTS}


@law
@given(st.text())
@example("2012-03-19T23:20:59\udfff")
@example("0001-01-01T00:00:00+23:59")
def test_no_text_breaks_the_reading_of_dates(text: str) -> None:
    """Whatever a provider sends, the answer is an instant in UTC or nothing."""
    moment = parse_time(text)

    assert moment is None or moment.tzinfo is UTC


@law
@given(
    st.datetimes(
        min_value=datetime(2, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone
        max_value=datetime(9998, 1, 1),  # noqa: DTZ001  # the same
        timezones=st.sampled_from(ZONES),
    )
)
def test_what_is_written_in_any_zone_is_read_as_the_same_instant(moment: datetime) -> None:
    """Writing an instant and reading it again changes its zone only."""
    assert moment.astimezone(UTC) == parse_time(moment.isoformat())


@pytest.mark.parametrize(
    ("where", "key", "upload_id", "sentence"),
    [
        (LAKE, "k", "", "upload_id must not be empty"),
        (ARCHIVE, None, "", "upload_id must not be empty"),
        (ContainerRef("lake", "s3", ""), "k", "i", "container must not be empty"),
        (ContainerRef("archive", "glacier", ""), None, "i", "container must not be empty"),
        (ContainerRef("", "s3", "raw"), "k", "i", "target must not be empty"),
        (LAKE, "", "i", "key must not be empty on s3"),
        (LAKE, None, "i", "key must not be empty on s3"),
        (MEDIA, "", "i", "key must not be empty on qingstor"),
        (MEDIA, None, "i", "key must not be empty on qingstor"),
        (
            ContainerRef("lake", "S3", "raw"),
            "",
            "i",
            "provider must be one of glacier, qingstor, s3",
        ),
        (ContainerRef("lake", "", "raw"), "", "i", "provider must be one of glacier, qingstor, s3"),
    ],
)
def test_an_upload_with_half_an_identity_cannot_exist(
    where: ContainerRef, key: str | None, upload_id: str, sentence: str
) -> None:
    """An empty name anywhere could turn an abort into the deletion of something else."""
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        Upload(where, key, upload_id, NOW)


@pytest.mark.parametrize("where", CONTAINERS, ids=str)
def test_an_upload_is_told_apart_by_key_and_id(where: ContainerRef) -> None:
    """A provider without keys goes by the id alone."""
    expected = ("", "id") if where is ARCHIVE else ("a/b", "id")

    assert expected == upload_of(where).identity


def test_uploads_of_one_key_are_different_uploads() -> None:
    """The unit is key and upload id, never the key alone."""
    first, second = upload_of(upload_id="1"), upload_of(upload_id="2")

    assert len({first.identity, second.identity}) == len({first, second}) == 2


NAMES_AND_MAKERS: dict[str, Any] = {
    "initiated": lambda moment: Upload(LAKE, "k", "i", moment).initiated,
    "modified": lambda moment: Part("1", 5, moment).modified,
    "last_part": lambda moment: Activity(known=True, complete=True, last_part=moment).last_part,
}


@pytest.mark.parametrize("name", NAMES_AND_MAKERS)
@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_every_observed_time_is_kept_in_utc(name: str, zone: Any) -> None:
    """Sums and comparisons never go by the wall clock of some zone."""
    kept = NAMES_AND_MAKERS[name](NOW.astimezone(zone))

    assert (NOW, UTC) == (kept, kept.tzinfo)


@pytest.mark.parametrize("name", NAMES_AND_MAKERS)
def test_the_second_of_two_equal_hours_is_the_later_one(name: str) -> None:
    """When summer time ends, both half past twos stay an hour apart."""
    first, second = (
        NAMES_AND_MAKERS[name](datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=BERLIN))
        for fold in (0, 1)
    )

    assert second - first == timedelta(hours=1)


@pytest.mark.parametrize("name", NAMES_AND_MAKERS)
def test_an_observed_time_may_be_unknown(name: str) -> None:
    """Unknown stays unknown."""
    assert NAMES_AND_MAKERS[name](None) is None


@pytest.mark.parametrize("name", NAMES_AND_MAKERS)
def test_an_observed_time_without_a_zone_is_refused(name: str) -> None:
    """A naive time cannot be compared with anything, so it cannot get in."""
    with pytest.raises(ValueError, match=f"^{name} must have a time zone; leave it None and keep"):
        NAMES_AND_MAKERS[name](NOW.replace(tzinfo=None))


@pytest.mark.parametrize("name", NAMES_AND_MAKERS)
@pytest.mark.parametrize(
    "moment",
    [
        datetime.min.replace(tzinfo=timezone(timedelta(minutes=1))),
        datetime.max.replace(tzinfo=timezone(-timedelta(minutes=1))),
    ],
    ids=["before year 1", "after year 9999"],
)
def test_an_observed_time_beyond_the_calendar_is_refused(name: str, moment: datetime) -> None:
    """A time that UTC cannot say is as good as none."""
    with pytest.raises(ValueError, match=f"^{name} is beyond the calendar; leave it None and"):
        NAMES_AND_MAKERS[name](moment)


def test_every_provider_has_an_earliest_plausible_date() -> None:
    """A provider without one fails here, by name."""
    assert set(EARLIEST_PLAUSIBLE) == PROVIDERS


def test_all_providers_but_glacier_have_keys() -> None:
    """A provider that is added has keys, unless somebody says otherwise here."""
    assert PROVIDERS - KEYED_PROVIDERS == {"glacier"}


@pytest.mark.parametrize(
    ("last_part", "known", "expected"),
    [
        (NOW, True, NOW),
        (NOW - 30 * DAY, True, NOW - 30 * DAY),
        (NOW - 30 * DAY - TICK, True, NOW - 30 * DAY),
        (None, True, NOW - 30 * DAY),
        (NOW, False, None),
    ],
)
def test_the_last_activity_is_the_newest_known_sign_of_life(
    last_part: datetime | None,
    known: bool,  # noqa: FBT001  # a column of the table
    expected: datetime | None,
) -> None:
    """To begin an upload is a sign of life too, and half a reading says nothing."""
    activity = Activity(known=known, complete=True, parts=1, last_part=last_part)
    decision = Decision(upload_of(), Verdict.KEEP, Reason.YOUNG, "default", None, activity)

    assert expected == decision.last_activity


def test_without_dates_or_parts_there_is_no_last_activity() -> None:
    """Nothing known is nothing said."""
    nothing = Activity(known=True, complete=True)
    undated = Decision(upload_of(age=None), Verdict.KEEP, Reason.NO_DATE, "d", None, nothing)
    unread = Decision(upload_of(), Verdict.KEEP, Reason.YOUNG, "d")

    assert (None, None) == (undated.last_activity, unread.last_activity)


CORE = (matching, model, plan, policy, targets)
TYPES = [
    t for m in CORE for t in vars(m).values() if is_dataclass(t) and t.__module__ == m.__name__
]


@pytest.mark.parametrize("of_the_core", TYPES, ids=lambda t: t.__name__)
def test_every_type_of_the_core_is_frozen_and_small(of_the_core: Any) -> None:
    """Evidence cannot change between the verdict and the abort, and millions of uploads fit."""
    assert of_the_core.__dataclass_params__.frozen
    assert "__slots__" in vars(of_the_core)


def test_a_container_is_named_by_its_target_and_itself() -> None:
    """The name in logs is the one a person would say."""
    assert str(LAKE) == "lake/raw"
