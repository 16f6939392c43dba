"""Durations, sizes and shares as people write them, with a remedy for what could be misread."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

THRESHOLD = r"(?:[0-9]{1,6}(?:h|d|w)|P[0-9]{1,6}(?:D|W)|PT[0-9]{1,6}H)"
SHORT_TIME = r"[0-9]{1,6}(?:s|min|h)"
INTERVAL = r"[0-9]{1,6}(?:min|h|d)"
SIZE = r"0|[0-9]{1,15}(?:B|[kKMGTP]B|[KMGTP]iB)"
SHARE = r"(?:100(?:\.0{1,6})?|[0-9]{1,2}(?:\.[0-9]{1,6})?)%"

LONGEST = timedelta(days=36500)
LARGEST = 2**63 - 1

_UNITS = {
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_BYTES = {"B": 1} | {
    prefix + unit: base**power
    for base, unit, prefixes in ((1000, "B", "kMGTP"), (1024, "iB", "KMGTP"))
    for power, prefix in enumerate(prefixes, start=1)
}
_BYTES["KB"] = _BYTES["kB"]

Remedies = Sequence[tuple[str, str]]

_NUMBER_WITHOUT_UNIT = r"[0-9]+"
_ENDLESS = (
    r"[-+]?\.?(inf|infinity|never|forever)",
    "must end some day: to never abort, use a rule with action: keep",
)
_NEGATIVE = (r"-.*", "must not be negative: say for example 7d or 36h")
_FRACTION = (r"P?T?[0-9]*[.,][0-9]+ ?\w*", "must be a whole number: say 36h, not 1.5d")
_TWO_UNITS = (
    r"(?:[0-9]+ ?[a-z]+ ?){2,}|P(?:[0-9]+[A-Z])+T?(?:[0-9]+[A-Z])+",
    "must be one number with one unit: say 36h, not 1d12h",
)
_THRESHOLD_REMEDIES: Remedies = (
    (_NUMBER_WITHOUT_UNIT, "say the unit, for example 7d or 36h"),
    (r"[0-9]+ ?m", "m could be minutes or months: say hours or days, for example 36h or 7d"),
    (
        r"[0-9]+ ?(mo|mon|months?|y|yr|years?)|P[0-9]+[MY]",
        "months and years differ in length: say days, for example 30d",
    ),
    (
        r"[0-9]+ ?(s|sec|seconds?|ms|min|mins|minutes?)|PT[0-9]+[MS]",
        "must be in hours, days or weeks: say for example 1h",
    ),
    _ENDLESS,
    _NEGATIVE,
    _FRACTION,
    _TWO_UNITS,
)
_SHORT_REMEDIES: Remedies = (
    (_NUMBER_WITHOUT_UNIT, "say the unit, for example 30s or 5min"),
    (r"[0-9]+ ?(m|mins|minutes?)", "m could be minutes or months: say min, for example 5min"),
    (r"-.*", "must not be negative: say for example 30s or 5min"),
    (r"[0-9]*[.,][0-9]+ ?\w*", "must be a whole number: say 90s, not 1.5min"),
)
_INTERVAL_REMEDIES: Remedies = (
    (_NUMBER_WITHOUT_UNIT, "say the unit, for example 6h"),
    (r"[0-9]+ ?(m|mins|minutes?)", "m could be minutes or months: say min, for example 30min"),
)
_SIZE_REMEDIES: Remedies = (
    (_NUMBER_WITHOUT_UNIT, "say the unit, for example 1GiB or 500MB (B for bytes)"),
    (
        r"[0-9]+ ?[kmgtp]i?",
        "say the whole unit: GiB counts in 1024s and GB in 1000s, for example 1GiB",
    ),
    (r"-.*", "must not be negative: say 0 for none, or null for no limit"),
    (r"[0-9]*[.,][0-9]+ ?\w*", "must be a whole number: say 1536MiB, not 1.5GiB"),
)


class Unusable(ValueError):  # noqa: N818  # reads better where it is caught
    """A value cannot be used; the message is a sentence that ends with the remedy."""


def threshold(value: object) -> timedelta:
    """Read a threshold: hours, days or weeks, or the same in ISO 8601; never nothing."""
    default = "say a number and h, d or w, for example 36h, 7d or 2w"
    return _more_than_nothing(
        _duration(value, THRESHOLD, _THRESHOLD_REMEDIES, default), "7d or 36h"
    )


def idle_for(value: object) -> timedelta | None:
    """Read a threshold, or `off` as None."""
    if value is False or value == 0 or _words(value) in {"0h", "0d", "0w"}:
        msg = "must be longer than nothing: say 24h, or off to judge by age alone"
        raise Unusable(msg)
    return None if value == "off" else threshold(value)


def grace(value: object) -> timedelta:
    """Read a threshold that may be nothing: the number 0 needs no unit."""
    if _words(value) in {"0", "0h", "0d", "0w"}:
        return timedelta(0)
    return threshold(value)


def short_time(value: object) -> timedelta:
    """Read a short time that is longer than nothing: seconds, minutes or hours."""
    return _more_than_nothing(short_time_or_zero(value), "30s or 5min")


def short_time_or_zero(value: object) -> timedelta:
    """Read a short time; the number 0 needs no unit."""
    if _words(value) == "0":
        return timedelta(0)
    default = "say a number and s, min or h, for example 30s or 5min"
    return _duration(value, SHORT_TIME, _SHORT_REMEDIES, default)


def interval(value: object) -> timedelta:
    """Read the time between two sweeps: minutes, hours or days."""
    default = "say a number and min, h or d, for example 6h"
    return _more_than_nothing(_duration(value, INTERVAL, _INTERVAL_REMEDIES, default), "6h")


def size(value: object) -> int:
    """Read a size in bytes: a whole number with a unit, or 0."""
    text = _words(value)
    if not re.fullmatch(SIZE, text):
        default = "say a number and a unit, for example 1GiB or 500MB (B for bytes)"
        raise Unusable(_remedy(text, _SIZE_REMEDIES, default))
    number, unit = _split(text)
    total: int = number * _BYTES[unit or "B"]
    if total > LARGEST:
        msg = "is more than anybody stores: say for example 1GiB or 500MB"
        raise Unusable(msg)
    return total


def share(value: object) -> Fraction:
    """Read a share in per cent, 0% to 100%, exactly."""
    text = _words(value)
    if not re.fullmatch(SHARE, text):
        msg = "must be a share from 0% to 100%: say for example 50%"
        raise Unusable(msg)
    return Fraction(text[:-1]) / 100


def write_duration(length: timedelta, units: Iterable[str] = ("d", "h")) -> str:
    """Write a duration in the largest of the units that fits exactly; the last always does."""
    *larger, smallest = units
    for unit in larger:
        if length and not length % _UNITS[unit]:
            return f"{length // _UNITS[unit]}{unit}"
    return f"{length // _UNITS[smallest]}{smallest}"


def write_size(size: int) -> str:
    """Write a size in the largest unit that fits exactly."""
    units = sorted(
        ((factor, unit) for unit, factor in _BYTES.items() if unit != "KB"), reverse=True
    )
    for factor, unit in units:
        if size and not size % factor:
            return f"{size // factor}{unit}"
    return "0"


def write_share(share: Fraction) -> str:
    """Write a share in per cent; exact for every share that can be read."""
    percent = share * 100
    number = Decimal(percent.numerator) / Decimal(percent.denominator)
    return f"{number.normalize():f}%"


def _duration(value: object, pattern: str, remedies: Remedies, default: str) -> timedelta:
    text = _words(value)
    if not re.fullmatch(pattern, text):
        lowered = text.lower()
        if text != lowered and re.fullmatch(pattern, lowered):
            msg = f"has its unit in upper case: write {_example(lowered, value)}in lower case"
            raise Unusable(msg)
        raise Unusable(_remedy(text, remedies, default))
    number, unit = _split(text.lstrip("PT").lower() if text.startswith("P") else text)
    length = number * _UNITS[unit]
    if length > LONGEST:
        msg = "is longer than 36500d (100 years): say less, or use a rule with action: keep"
        raise Unusable(msg)
    return length


def _more_than_nothing(length: timedelta, examples: str) -> timedelta:
    if not length:
        msg = f"must be longer than nothing: say for example {examples}"
        raise Unusable(msg)
    return length


def _example(text: str, value: object) -> str:
    # A value that is a subclass of str came from the environment.
    return f"{text}, " if type(value) is str else "it "


def _split(text: str) -> tuple[int, str]:
    digits = text.rstrip("".join({*"".join(_UNITS), *"".join(_BYTES)}))
    return int(digits), text[len(digits) :]


def _remedy(text: str, remedies: Remedies, default: str) -> str:
    return next((words for p, words in remedies if re.fullmatch(p, text, re.IGNORECASE)), default)


def _words(value: object) -> str:
    """Write what stands in the file as text, so that remedies know a number without a unit."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value)[:64]
