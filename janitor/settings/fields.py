"""The types of single settings: how each is read, and what an editor is told about it.

The readers take what YAML gave and nothing more: no number is text, no text is
a number, and `"no"` is never false. All of their sentences are ours.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from janitor.matching import Pattern, PatternError
from janitor.settings import addresses, ledger_url, quantities, timetable
from janitor.settings.environment import Filled
from janitor.settings.quantities import Unusable

NAME = r"[a-z0-9][a-z0-9_.-]{0,62}"
RULE_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}"
ACCOUNT = r"[0-9]{12}"
REGION = r"[A-Za-z0-9][A-Za-z0-9-]{0,62}"
ROLE_ARN = r"arn:[a-z-]+:iam:[A-Za-z0-9-]*:([A-Za-z0-9]*|\{account\}):role/[\x21-\x7e]+"

_LONGEST_TEXT = 4096
_LONGEST_PATTERN = 2048


def text(value: object) -> str:
    """Read text that is not empty."""
    if isinstance(value, bool | int | float):
        msg = 'must be text: put it in quotes, as "..."'
        raise Unusable(msg)
    if value is None:
        msg = "must not be null: write a value, or remove the key"
        raise Unusable(msg)
    if not isinstance(value, str):
        msg = "must be a single value, not a list or a mapping: write it behind the colon"
        raise Unusable(msg)
    if not value:
        msg = "must not be empty: write a value, or remove the key"
        raise Unusable(msg)
    if len(value) > _LONGEST_TEXT:
        msg = f"is longer than {_LONGEST_TEXT} characters: shorten it"
        raise Unusable(msg)
    return value


def text_or_empty(value: object) -> str:
    """Read text that may be empty, but has to be said in quotes then."""
    return "" if value == "" else text(value)


def secret(value: object) -> str:
    """Read a key, a secret or a token; no sentence of it may tell anything about the value."""
    found = text(value)
    if re.fullmatch(r"[\x21-\x7e]+", found) is None:
        msg = "has a space or a letter that no credential has: paste it again, or use the _file key"
        raise Unusable(msg)
    return str(found)


def boolean(value: object) -> bool:
    """Read true or false, and nothing that only looks like it."""
    if isinstance(value, Filled) and value in {"true", "false"}:
        return value == "true"
    if not isinstance(value, bool):
        msg = "must be true or false, without quotes"
        raise Unusable(msg)
    return value


def whole_number(least: int, most: int) -> Callable[[object], int]:
    """Make a reader of whole numbers within bounds."""
    bounds = f"from {least}" if most >= quantities.LARGEST else f"from {least} to {most}"

    def read(value: object) -> int:
        if isinstance(value, Filled) and re.fullmatch(r"[0-9]{1,18}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            msg = f"must be a whole number {bounds}, without quotes"
            raise Unusable(msg)
        return value

    return read


def rate(value: object) -> float:
    """Read a number of requests a second."""
    if isinstance(value, Filled) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_positive(value):
        msg = "must be a number above 0: say for example 50 or 0.5, or null for no limit"
        raise Unusable(msg)
    return float(value)


def rate_or_auto(value: object) -> float | str:
    """Read a number of requests a second, or `auto` for what is known of the store."""
    if value == "auto":
        return "auto"
    try:
        return rate(value)
    except Unusable as error:
        msg = f"{error}, or auto"
        raise Unusable(msg) from None


def _is_positive(value: float) -> bool:
    # A whole number of a thousand digits is no float any more.
    return 0 < value <= quantities.LARGEST and math.isfinite(value)


def one_of(sentence: str, *choices: str) -> Callable[[object], str]:
    """Make a reader of words from a list."""

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise Unusable(sentence)
        return str(value)

    return read


def shaped(pattern: str, sentence: str) -> Callable[[object], str]:
    """Make a reader of text of one shape; `sentence` says what to write."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            text(value)
        if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
            raise Unusable(sentence)
        return str(value)

    return read


def account(value: object) -> str:
    """Read an account id; YAML would take the leading zero off a number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        msg = 'must be text: put the 12 digits in quotes, as "012345678901"'
        raise Unusable(msg)
    return shaped(ACCOUNT, 'must be the 12 digits of an account in quotes, as "012345678901"')(
        value
    )


def account_or_own(value: object) -> str:
    """Read an account id, or `-` for the credentials' own."""
    return "-" if value == "-" else account(value)


def glob(value: object) -> Pattern:
    """Read a glob of keys, names or descriptions."""
    return _pattern(text(value))


def glob_or_empty(value: object) -> Pattern:
    """Read a glob; the empty one matches what is known to be absent."""
    return _pattern(text_or_empty(value))


def regex(value: object) -> Pattern:
    """Read a regular expression, unanchored, in RE2's language."""
    return _pattern(text(value), is_regex=True)


def _pattern(found: str, *, is_regex: bool = False) -> Pattern:
    if len(found) > _LONGEST_PATTERN:
        msg = f"is longer than {_LONGEST_PATTERN} characters: shorten it, or use several rules"
        raise Unusable(msg)
    try:
        return Pattern(str(found), regex=is_regex)
    except PatternError as error:
        # RE2 repeats the pattern, which must not happen to what the environment filled in.
        words = "is not a pattern that RE2 understands" if type(found) is Filled else str(error)
        if "RE2" in words:
            words += ": correct it, see github.com/google/re2/wiki/Syntax"
        raise Unusable(words) from None


def version(value: object) -> int:
    """Read the version of the config's language, of which there is one."""
    if isinstance(value, bool) or not isinstance(value, int) or value != 1:
        msg = "must be 1, without quotes: there is no other version yet"
        raise Unusable(msg)
    return value


def not_yet(value: object) -> None:
    """Take nothing: the name is reserved."""
    if value is not None and value not in ([], {}):
        msg = "is not part of this version yet: remove the key"
        raise Unusable(msg)


def listen(value: object) -> tuple[str, int]:
    """Read host:port."""
    return addresses.listen(str(value) if isinstance(value, str | int) else "")


@dataclass(frozen=True, slots=True, eq=False)  # typing wants metadata that can be hashed
class Read:
    """How a setting is read, and what its JSON Schema says: the metadata of a type."""

    read: Callable[[object], object]
    schema: Mapping[str, Any]

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Tell pydantic to take the reader's word for it."""
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Tell pydantic's schema generator what we tell editors."""
        return dict(self.schema)


def number(least: int, most: int = quantities.LARGEST) -> Read:
    """Make the metadata of whole numbers within bounds."""
    schema = {"type": "integer", "minimum": least}
    if most < quantities.LARGEST:
        schema["maximum"] = most
    return Read(whole_number(least, most), schema)


def choice(sentence: str, *choices: str) -> Read:
    """Make the metadata of words from a list; `sentence` says which."""
    return Read(one_of(sentence, *choices), {"enum": [*choices]})


def shape(pattern: str, sentence: str) -> Read:
    """Make the metadata of text of one shape; `sentence` says what to write."""
    return Read(shaped(pattern, sentence), _pattern_json(pattern))


def _of_text(read: Callable[[str], object], schema: Mapping[str, Any]) -> Read:
    return Read(lambda value: read(text(value)), schema)


def _pattern_json(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


def _or(constant: object, pattern: str) -> dict[str, Any]:
    return {"anyOf": [{"const": constant}, _pattern_json(pattern)]}


_TEXT: Mapping[str, Any] = {"type": "string", "minLength": 1}
_ANY_TEXT: Mapping[str, Any] = {"type": "string"}
_NOTHING: Mapping[str, Any] = {"enum": [None, [], {}]}
_LEDGER: Mapping[str, Any] = {
    "anyOf": [
        {"const": ledger_url.NONE},
        _pattern_json(ledger_url.SQLITE),
        _pattern_json(ledger_url.POSTGRES),
    ]
}

# None stands for "not said" in all that follow, and cannot be said: a setting
# that takes an explicit null is written as `Type | None` where it is used.
Text = Annotated[str | None, Read(text, _TEXT)]
Entry = Annotated[str, Read(text, _TEXT)]
Prefix = Annotated[str | None, Read(text_or_empty, _ANY_TEXT)]
SecretText = Annotated[str | None, Read(secret, _TEXT)]
Bool = Annotated[bool | None, Read(boolean, {"type": "boolean"})]
Threshold = Annotated[
    timedelta | None, Read(quantities.threshold, _pattern_json(quantities.THRESHOLD))
]
IdleFor = Annotated[timedelta | None, Read(quantities.idle_for, _or("off", quantities.THRESHOLD))]
Grace = Annotated[timedelta | None, Read(quantities.grace, _or(0, quantities.THRESHOLD))]
ShortTime = Annotated[
    timedelta | None, Read(quantities.short_time, _pattern_json(quantities.SHORT_TIME))
]
Jitter = Annotated[
    timedelta | None, Read(quantities.short_time_or_zero, _or(0, quantities.SHORT_TIME))
]
Interval = Annotated[
    timedelta | None, Read(quantities.interval, _pattern_json(quantities.INTERVAL))
]
Size = Annotated[int | None, Read(quantities.size, _or(0, quantities.SIZE))]
Share = Annotated[Fraction | None, Read(quantities.share, _pattern_json(quantities.SHARE))]
Glob = Annotated[Pattern | None, Read(glob, _TEXT)]
GlobOrEmpty = Annotated[Pattern | None, Read(glob_or_empty, _ANY_TEXT)]
Regex = Annotated[Pattern | None, Read(regex, _TEXT)]
Cron = Annotated[str | None, _of_text(timetable.cron, _TEXT)]
Timezone = Annotated[str | None, _of_text(timetable.timezone, _TEXT)]
Endpoint = Annotated[str | None, _of_text(addresses.endpoint, _pattern_json("https?://[^/?#@]+/?"))]
Proxy = Annotated[str | None, _of_text(addresses.proxy, _pattern_json("https?://[^/?#]+/?"))]
Host = Annotated[str | None, _of_text(addresses.host, _TEXT)]
Listen = Annotated[tuple[str, int] | None, Read(listen, _pattern_json(".+:[0-9]{1,5}"))]
Account = Annotated[str | None, Read(account, _pattern_json(ACCOUNT))]
AccountEntry = Annotated[str, Read(account, _pattern_json(ACCOUNT))]
AccountOrOwn = Annotated[str | None, Read(account_or_own, _pattern_json(f"-|{ACCOUNT}"))]
Rate = Annotated[float | None, Read(rate, {"type": "number", "exclusiveMinimum": 0})]
RateOrAuto = Annotated[
    float | str | None,
    Read(rate_or_auto, {"anyOf": [{"const": "auto"}, {"type": "number", "exclusiveMinimum": 0}]}),
]
DaskAddress = Annotated[str, _of_text(addresses.dask, _pattern_json("(tls|tcp)://[^/?#@]+:[0-9]+"))]
Version = Annotated[int, Read(version, {"const": 1})]
Ledger = Annotated[str | None, Read(ledger_url.read, _LEDGER)]
NotYet = Annotated[None, Read(not_yet, _NOTHING)]
