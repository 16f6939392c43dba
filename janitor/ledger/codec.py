"""Writes text and times so that both databases give back exactly what they got. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 24 * 3600  # seconds
# PostgreSQL stores no NUL, and neither database a lone surrogate.
_UNSTORABLE = re.compile(r"[\\\x00\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(?:\\|u[0-9a-f]{4})")


class Damaged(ValueError):  # noqa: N818  # reads better where it is caught
    """What a database gave back is nothing that we can have written."""


def escaped(text: str) -> str:
    """Write a backslash, NUL or lone surrogate as an escape; all other text is as it was."""
    return _UNSTORABLE.sub(_escape, text)


def unescaped(text: object) -> str:
    """Give the text that `escaped` was given."""
    if not isinstance(text, str):
        msg = f"{text!r} is no text"
        raise Damaged(msg)
    return _ESCAPED.sub(_unescape, text) if "\\" in text else text


def microseconds(moment: datetime) -> int:
    """Count the microseconds since 1970 in UTC: sorts and compares as time does, everywhere."""
    try:
        since = moment - _EPOCH
    except TypeError:
        msg = "a time in the ledger must have a time zone"
        raise ValueError(msg) from None
    return (since.days * _DAY + since.seconds) * 1_000_000 + since.microseconds


def instant(count: object) -> datetime:
    """Give the moment of a count of microseconds, in UTC."""
    try:
        return _EPOCH + timedelta(microseconds=whole(count))
    except OverflowError:
        msg = f"{count} is no time"
        raise Damaged(msg) from None


def whole(number: object) -> int:
    """Give a number that was stored as one."""
    if not isinstance(number, int):
        msg = f"{number!r} is no number"
        raise Damaged(msg)
    return number


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return "\\\\" if character == "\\" else f"\\u{ord(character):04x}"


def _unescape(match: re.Match[str]) -> str:
    escape = match[0]
    return "\\" if escape == "\\\\" else chr(int(escape.removeprefix("\\u"), 16))
