from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest

from janitor.service.ticks import Cron, Every, count_between, longest_gap, zone_of

# A Monday.
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"


def first(cron: Cron | Every, after: datetime, count: int) -> list[datetime]:
    """Give the first few ticks."""
    return list(islice(cron.since(after), count))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("17 */6 * * *", ["2026-03-02T12:17", "2026-03-02T18:17", "2026-03-03T00:17"]),
        ("*/15 * * * *", ["2026-03-02T12:15", "2026-03-02T12:30", "2026-03-02T12:45"]),
        ("5/20 12 * * ?", ["2026-03-02T12:05", "2026-03-02T12:25", "2026-03-02T12:45"]),
        ("0 0 * * 0", ["2026-03-08T00:00", "2026-03-15T00:00", "2026-03-22T00:00"]),
        ("0 0 * * 7", ["2026-03-08T00:00", "2026-03-15T00:00", "2026-03-22T00:00"]),
        ("0 0 * * sun", ["2026-03-08T00:00", "2026-03-15T00:00", "2026-03-22T00:00"]),
        ("0 0 * * 1", ["2026-03-09T00:00", "2026-03-16T00:00", "2026-03-23T00:00"]),
        ("0 0 * * MON-WED", ["2026-03-03T00:00", "2026-03-04T00:00", "2026-03-09T00:00"]),
        ("0 0 * * 5-7", ["2026-03-06T00:00", "2026-03-07T00:00", "2026-03-08T00:00"]),
        ("0 0 * * 1/2", ["2026-03-04T00:00", "2026-03-06T00:00", "2026-03-09T00:00"]),
        ("0 0 * * Tue/3", ["2026-03-03T00:00", "2026-03-06T00:00", "2026-03-10T00:00"]),
        ("0 0 * * 0,2/4", ["2026-03-03T00:00", "2026-03-07T00:00", "2026-03-08T00:00"]),
        ("0 0 13 * FRI", ["2026-03-06T00:00", "2026-03-13T00:00", "2026-03-20T00:00"]),
        ("0 0 1,5 * WED", ["2026-03-04T00:00", "2026-03-05T00:00", "2026-03-11T00:00"]),
        ("0 0 */10 * MON", ["2026-03-09T00:00", "2026-03-11T00:00", "2026-03-16T00:00"]),
        ("0 0 */1 * FRI", ["2026-03-06T00:00", "2026-03-13T00:00", "2026-03-20T00:00"]),
        ("0 0 5 * ?", ["2026-03-05T00:00", "2026-04-05T00:00", "2026-05-05T00:00"]),
        ("0 0 29 FEB *", ["2028-02-29T00:00", "2032-02-29T00:00", "2036-02-29T00:00"]),
        ("@hourly", ["2026-03-02T13:00", "2026-03-02T14:00", "2026-03-02T15:00"]),
        ("@daily", ["2026-03-03T00:00", "2026-03-04T00:00", "2026-03-05T00:00"]),
        ("@Weekly", ["2026-03-08T00:00", "2026-03-15T00:00", "2026-03-22T00:00"]),
        ("@monthly", ["2026-04-01T00:00", "2026-05-01T00:00", "2026-06-01T00:00"]),
        ("@yearly", ["2027-01-01T00:00", "2028-01-01T00:00", "2029-01-01T00:00"]),
    ],
)
def test_an_expression_means_what_it_means_in_kubernetes(
    expression: str, expected: list[str]
) -> None:
    """Steps, weekdays by name and number, either day field, and macros, after a Monday's noon."""
    found = first(Cron(expression), NOON, 3)

    assert expected == [tick.strftime("%Y-%m-%dT%H:%M") for tick in found]


@pytest.mark.parametrize(
    ("zone", "expression", "after", "expected"),
    [
        # 29 March 2026: 02:00 becomes 03:00 in Berlin.
        (BERLIN, "30 2 * * *", "2026-03-28T12:00", ["29T03:00+02:00", "30T02:30+02:00"]),
        (BERLIN, "0 3 * * *", "2026-03-28T12:00", ["29T03:00+02:00", "30T03:00+02:00"]),
        (BERLIN, "30 * * * *", "2026-03-29T00:45", ["29T01:30+01:00", "29T03:30+02:00"]),
        (BERLIN, "30 */2 * * *", "2026-03-29T00:45", ["29T04:30+02:00", "29T06:30+02:00"]),
        # 25 October 2026: 03:00 becomes 02:00 in Berlin.
        (BERLIN, "30 2 * * *", "2026-10-24T12:00", ["25T02:30+02:00", "26T02:30+01:00"]),
        (BERLIN, "30 * * * *", "2026-10-25T01:45", ["25T02:30+02:00", "25T02:30+01:00"]),
        (BERLIN, "0 4 * * *", "2026-10-24T12:00", ["25T04:00+01:00", "26T04:00+01:00"]),
        # 8 March 2026: 02:00 becomes 03:00 in New York.
        (NEW_YORK, "30 2 8 3 ?", "2026-03-08T00:00", ["08T03:00-04:00", "08T02:30-05:00"]),
        (NEW_YORK, "15 2 * * SUN", "2026-03-08T00:00", ["08T03:00-04:00", "15T02:15-04:00"]),
        # 1 November 2026: 02:00 becomes 01:00 in New York.
        (NEW_YORK, "30 1 * * *", "2026-10-31T12:00", ["01T01:30-04:00", "02T01:30-05:00"]),
        (NEW_YORK, "30 2 * * *", "2026-10-31T12:00", ["01T02:30-05:00", "02T02:30-05:00"]),
        ("UTC", "30 2 * * *", "2026-03-28T12:00", ["29T02:30+00:00", "30T02:30+00:00"]),
    ],
)
def test_what_is_due_at_a_fixed_time_runs_once_when_clocks_change(
    zone: str, expression: str, after: str, expected: list[str]
) -> None:
    """Never skipped in the gap, never twice in the repeated hour; a star follows the true time."""
    place = zone_of(zone)
    start = datetime.fromisoformat(after).replace(tzinfo=place)
    found = [tick.astimezone(place) for tick in first(Cron(expression, zone), start, 2)]
    shown = [tick.isoformat(timespec="minutes")[8:] for tick in found]

    assert expected == shown


def test_a_start_in_the_second_of_two_equal_hours_gives_nothing_that_has_passed() -> None:
    """02:10 for the second time is after 02:30 for the first time."""
    place = ZoneInfo(BERLIN)
    second = datetime(2026, 10, 25, 2, 10, tzinfo=place, fold=1)

    assert [datetime(2026, 10, 26, 1, 30, tzinfo=UTC)] == first(
        Cron("30 2 * * *", BERLIN), second, 1
    )


def test_ticks_are_later_than_asked_and_in_order() -> None:
    """Through a whole year of changing clocks no tick is at or before the one before it."""
    ticks = first(Cron("*/20 1-3 * * *", NEW_YORK), NOON, 3300)

    assert (True, True) == (
        all(a < b for a, b in pairwise(ticks)),
        ticks[-1] - ticks[0] > timedelta(days=360),
    )


def test_an_instant_that_is_due_itself_is_not_after_itself() -> None:
    """Else a sweep that begins on time would be due again at once."""
    assert [NOON + timedelta(days=1)] == first(Cron("0 12 * * *"), NOON, 1)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * *", "a schedule has 5 fields, not 4: '* * * *'"),
        ("0 * * * * *", "a schedule has 5 fields, not 6: '0 * * * * *'"),
        ("", "a schedule has 5 fields, not 0: ''"),
        ("@every 1h", "a schedule has 5 fields, not 2: '@every 1h'"),
        ("60 * * * *", "Bad minute in the schedule '60 * * * *'"),
        ("0 0 * * 8", "Bad day-of-week in the schedule '0 0 * * 8'"),
        ("0 0 * * FUN", "Bad day-of-week in the schedule '0 0 * * FUN'"),
        ("*/0 * * * *", "Bad minute in the schedule '*/0 * * * *'"),
        ("0 0 31 2 *", "Bad day-of-month in the schedule '0 0 31 2 *'"),
        ("0 0 30 2 1,*", "the schedule '0 0 30 2 1,*' is never due"),
    ],
)
def test_an_expression_that_says_nothing_is_refused(expression: str, expected: str) -> None:
    """With the words that the operator wrote."""
    with pytest.raises(ValueError, match=r".") as caught:
        Cron(expression)

    assert expected == str(caught.value)


def test_an_unknown_time_zone_is_refused() -> None:
    """Names from outside the database, and paths, are no time zones."""
    for name in ("Middle/Earth", "../etc/passwd", ""):
        with pytest.raises(ValueError, match="no time zone is called"):
            zone_of(name)


def test_an_interval_is_counted_from_its_start() -> None:
    """However late one asks, the next tick is where it would have been."""
    every = Every(timedelta(hours=6), NOON)

    assert [
        [NOON + timedelta(hours=6), NOON + timedelta(hours=12)],
        [NOON + timedelta(hours=6), NOON + timedelta(hours=12)],
        [NOON, NOON + timedelta(hours=6)],
    ] == [
        first(every, NOON, 2),
        first(every, NOON + timedelta(hours=5, minutes=59), 2),
        first(every, NOON - timedelta(seconds=1), 2),
    ]


def test_an_interval_of_nothing_is_refused() -> None:
    """It would be due all the time."""
    with pytest.raises(ValueError, match="longer than 0:00:00"):
        Every(timedelta(0), NOON)


def test_ticks_between_two_instants_are_counted_with_the_last() -> None:
    """The first instant is not counted, the last one is, and there is a bound."""
    hourly = Every(timedelta(hours=1), NOON)

    assert (0, 2, 10_000) == (
        count_between(hourly, NOON, NOON + timedelta(minutes=59)),
        count_between(hourly, NOON, NOON + timedelta(hours=2)),
        count_between(hourly, NOON, NOON + timedelta(days=36500)),
    )


@pytest.mark.parametrize(
    ("ticks", "expected"),
    [
        (Every(timedelta(hours=6), NOON), timedelta(hours=6)),
        (Cron("17 */6 * * *"), timedelta(hours=6)),
        (Cron("*/5 9-17 * * MON-FRI"), timedelta(days=2, hours=15, minutes=5)),
        (Cron("0 2 1 * *"), timedelta(days=31)),
        (Cron("0 0 29 2 *"), timedelta(days=1461)),
    ],
)
def test_the_longest_gap_is_the_night_or_the_weekend(
    ticks: Cron | Every, expected: timedelta
) -> None:
    """What an alert must bear, however often the schedule is due in between."""
    assert expected == longest_gap(ticks, NOON)
