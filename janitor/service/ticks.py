"""When a schedule is due: a cron expression or an interval. Pure: no clock, no I/O.

A cron expression means what it means in a Kubernetes CronJob (robfig/cron v3):
if day-of-month and day-of-week are both restricted, either may match; names
work in any case; `?` is `*`; `N/step` goes from N to the end of the field; the
macros from @hourly to @yearly work. What differs, on purpose:

* Where clocks are put forward, Kubernetes never runs what was due in the hour
  that does not exist; here it runs right after the gap, as Debian's cron does.
* Where clocks are put back, Kubernetes runs what is due in the repeated hour
  twice; here it runs once, the first time. Schedules whose minute or hour
  begins with `*` follow the true time in both, skipping and repeating.
* 7 is Sunday, too, and cronsim's L and # work; Kubernetes refuses all three.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice, pairwise, takewhile
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from janitor.settings.timetable import MACROS

_FIELDS = 5
_MOST_COUNTED = 10_000
# A week of every five minutes.
_MOST_COMPARED = 2017
_FAR = timedelta(days=400)
_OPEN_STEP = re.compile(r"(?<![^,])(\w+)/")
_STARS = frozenset({"*", "*/1"})


class Ticks(Protocol):
    """A schedule without a clock."""

    def since(self, moment: datetime) -> Iterator[datetime]:
        """Give every instant that is due after this one, in UTC, in order, without end."""
        ...


class Cron:
    """A cron expression in a time zone; ValueError if it says nothing, or never anything."""

    def __init__(self, expression: str, timezone: str = "UTC") -> None:
        fields = MACROS.get(expression.strip().lower(), expression).replace("?", "*").split()
        if len(fields) != _FIELDS:
            msg = f"a schedule has {_FIELDS} fields, not {len(fields)}: {expression!r}"
            raise ValueError(msg)
        # For cronsim Sunday is also 7, so its "1/2" would end on a Sunday.
        fields[4] = _OPEN_STEP.sub(r"\1-6/", fields[4])
        self._either_day = not any(_has_star(field) for field in (fields[2], fields[4]))
        self._expression = " ".join(fields)
        self._zone = zone_of(timezone)
        try:
            first = next(self.since(datetime(2000, 1, 1, tzinfo=UTC)), None)
        except CronSimError as error:
            msg = f"{error} in the schedule {expression!r}"
            raise ValueError(msg) from error
        if first is None:
            msg = f"the schedule {expression!r} is never due"
            raise ValueError(msg)

    def since(self, moment: datetime) -> Iterator[datetime]:
        """Give every instant that is due after this one, in UTC."""
        ticks = CronSim(self._expression, moment.astimezone(self._zone))
        # cronsim takes "*/2" for a star, as Debian does.
        ticks.day_and = not self._either_day
        last = moment.astimezone(UTC)
        for tick in ticks:
            # In a repeated hour it would begin with the first of the two.
            if (instant := tick.astimezone(UTC)) > last:
                last = instant
                yield instant


class Every:
    """An interval, counted from `start`, so that delays do not add up."""

    def __init__(self, interval: timedelta, start: datetime) -> None:
        if interval <= timedelta(0):
            msg = f"an interval must be longer than {interval}"
            raise ValueError(msg)
        self._interval = interval
        self._start = start.astimezone(UTC)

    def since(self, moment: datetime) -> Iterator[datetime]:
        """Give every instant that is due after this one, in UTC."""
        number = (moment - self._start) // self._interval
        while True:
            number += 1
            yield self._start + number * self._interval


def count_between(ticks: Ticks, after: datetime, until: datetime) -> int:
    """Count what was due after one instant and not after another."""
    due = takewhile(lambda tick: tick <= until, ticks.since(after))
    return sum(1 for _ in islice(due, _MOST_COUNTED))


def longest_gap(ticks: Ticks, now: datetime) -> timedelta:
    """Give the longest time between two of the next instants that are due.

    Enough of them are looked at to see a night or a weekend without any.
    """
    gaps: list[timedelta] = []
    for earlier, later in pairwise(islice(ticks.since(now), _MOST_COMPARED)):
        gaps.append(later - earlier)
        if later - now > _FAR:
            break
    return max(gaps)


def zone_of(name: str) -> tzinfo:
    """Find a time zone; ValueError if there is none of that name."""
    if name.upper() == "UTC":
        return UTC  # which needs no time zone database
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        msg = f"no time zone is called {name!r}, or the package tzdata is missing"
        raise ValueError(msg) from error


def _has_star(field: str) -> bool:
    return not _STARS.isdisjoint(field.split(","))
