"""How the three services write dates. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from enum import Enum
from typing import Final, TypeAlias


class Omit(Enum):
    """The type of `OMIT`."""

    OMIT = "omit"


OMIT: Final = Omit.OMIT
"""Stands for "leave this field out of every reply"."""

Stamp: TypeAlias = datetime | str | Omit
"""A real moment, or the raw text that the wire shall carry, or no field at all."""

Text: TypeAlias = str | Omit


def seconds(moment: datetime) -> str:
    """Write `2015-07-11T04:45:57Z`, as QingStor does for buckets."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def whole_seconds(moment: datetime) -> str:
    """Write `2010-11-10T20:48:33.000Z`: S3 and QingStor always say zero milliseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def milliseconds(moment: datetime) -> str:
    """Write `2012-03-19T23:20:59.130Z`, as Glacier does."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def http_date(moment: datetime) -> str:
    """Write `Fri, 20 Nov 2026 05:00:00 GMT`, for the Date and Last-Modified headers."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def parse_http_date(text: str) -> datetime | None:
    """Read an HTTP date; None if it is none."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
