"""Cron expressions that mean here what they mean to Kubernetes, and time zones."""

from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

from janitor.settings.quantities import Unusable

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = ("minute", "hour", "day of month", "month", "day of week")
_DAY_OF_MONTH, _DAY_OF_WEEK = 2, 4
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_EXAMPLE = "for example 17 */6 * * *"


def cron(text: str) -> str:
    """Check a cron expression, and give it in five fields."""
    if text in MACROS:
        return MACROS[text]
    if text.startswith("@"):
        msg = f"is none of @hourly, @daily, @weekly, @monthly, @yearly: say five fields, {_EXAMPLE}"
        raise Unusable(msg)
    if re.match(r"(CRON_)?TZ=", text):
        msg = "must not have a time zone in it: say schedule.timezone"
        raise Unusable(msg)
    fields = text.split()
    if len(fields) != len(_FIELDS):
        msg = f"has {len(fields)} fields: say five, minute to day of week, {_EXAMPLE}"
        raise Unusable(msg)
    for day in (_DAY_OF_MONTH, _DAY_OF_WEEK):
        fields[day] = "*" if fields[day] == "?" else fields[day]
    _check_fields(fields)
    _check_days(fields)
    _check_happens(fields)
    return " ".join(fields)


def timezone(name: str) -> str:
    """Check the name of a time zone against the machine's own list."""
    if name == "UTC":  # known even where no list is installed
        return name
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Unusable(_timezone_remedy(name)) from None
    return name


def _check_fields(fields: list[str]) -> None:
    for position, (name, field) in enumerate(zip(_FIELDS, fields, strict=True)):
        alone = ["*"] * len(fields)
        alone[position] = field
        if re.search(r"[#LW?]", re.sub(r"[A-Za-z]{3}", "", field.upper())):
            msg = f"has L, W, # or ? as {name}, which Kubernetes does not know: say plain numbers"
            raise Unusable(msg)
        if re.search(r"(^|,)([A-Za-z0-9]+|(\w+)-\3)/", field):
            msg = f"has a step without a range as {name}: say from and to, for example 5-59/10"
            raise Unusable(msg)
        if "*" in field and "," in field:
            msg = f"has * in a list as {name}: say * alone, or the list without it"
            raise Unusable(msg)
        if position == _DAY_OF_WEEK and "7" in field.partition("/")[0]:
            msg = "has 7 as day of week, which Kubernetes does not know: say 0 for Sunday"
            raise Unusable(msg)
        try:
            CronSim(" ".join(alone), _ANY_TIME)
        except CronSimError:
            msg = f"has something that is no {name}: say five fields, {_EXAMPLE}"
            raise Unusable(msg) from None


def _check_days(fields: list[str]) -> None:
    days = (fields[_DAY_OF_MONTH], fields[_DAY_OF_WEEK])
    # Debian's cron reads */2 beside a weekday as "and", Kubernetes as "or".
    if "*" not in days and any(day.startswith("*") for day in days):
        msg = (
            "has */n beside another kind of day, which schedulers read differently: write days out"
        )
        raise Unusable(msg)


def _check_happens(fields: list[str]) -> None:
    try:
        CronSim(" ".join(fields), _ANY_TIME)
    except CronSimError:
        msg = f"never happens, because no such month has such a day: say {_EXAMPLE}"
        raise Unusable(msg) from None


def _timezone_remedy(name: str) -> str:
    remedy = "is not a time zone that this machine knows: "
    known = {zone.lower(): zone for zone in available_timezones()}
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.8)
    if close and type(name) is str:
        return f"{remedy}did you mean {known[close[0]]}?"
    return f"{remedy}say for example UTC or Europe/Berlin"
