"""Takes credentials out of whatever is about to be written."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from urllib.parse import quote, quote_plus, unquote

STARS = "***"

_SECRET_FIELDS = frozenset(
    {
        "authorization",
        "aws_secret_access_key",
        "aws_session_token",
        "cookie",
        "password",
        "proxy-authorization",
        "secret_access_key",
        "secretaccesskey",
        "session_token",
        "sessiontoken",
        "x-amz-security-token",
    }
)

# Each keeps its first group, if it has one, and replaces the rest by stars.
# What may follow a name: a quote that ends it, then : or = or , or >, and the
# quote (of bytes, too) that begins the value.
_GAP = r"""\\?["']?\s{0,4}[:=,>]\s{0,4}(?:b?\\?["'])?"""
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(\b(?:proxy-)?authorization{_GAP})[^\n\"'<]+",
        r"(AWS4-[A-Z0-9-]+SHA256\s+)Credential=[^\n\"']+",
        r"(\bQS(?:-[A-Z0-9-]+)?\s+)[\w-]+:[\w+/=-]+",
        r"(\bAWS\s+)\w{8,}:[\w+/=]+",
        r"(\b(?:Bearer|Basic)\s+)[\w.~+/=-]{6,}",
        rf"(\b(?:x-amz-)?security-?token{_GAP})[^\s\"'&,;<)}}]+",
        rf"(\b(?:x-amz-)?signature{_GAP})[\w+/=%-]{{16,}}",
        rf"(\b(?:aws_?)?secret_?access_?key{_GAP})[^\s\"'&,;<)}}]+",
        rf"(\b(?:aws_?)?session_?token{_GAP})[^\s\"'&,;<)}}]+",
        r"(://)[^/\s@\"']+(?=@)",
    )
)
# Behind a user, where it may hold an @ itself, and in a query.
_PASSWORDS = re.compile(
    r"(?<=://)[^/?#:\s]*:([^/?#\s]+)@|[?&](?:ssl)?password=([^&#\s]+)", re.IGNORECASE
)


# What every pattern above needs to find anything: most texts have none of it.
_SUSPICIOUS = re.compile(
    r"authorization|Credential=|QS|AWS|Bearer|Basic|token|signature|access_?key|://", re.IGNORECASE
)


class _Registered:
    """The values that were registered, in every spelling in which they may turn up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spellings: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        with self._lock:
            self._spellings |= _spellings(value)
            longest_first = sorted(self._spellings, key=lambda text: (-len(text), text))
            self._pattern = re.compile("|".join(re.escape(text) for text in longest_first))

    def spans(self, text: str) -> list[tuple[int, int]]:
        return [] if self._pattern is None else [f.span() for f in self._pattern.finditer(text)]


_REGISTERED = _Registered()


def redact(value: str) -> None:
    """Register a secret: from now on no log line shows it, in this process."""
    if value:
        _REGISTERED.add(value)


def redact_url(text: str) -> None:
    """Register the passwords of a URL, as they stand in it and as they are used.

    They turn up without their URL, too: in what a driver says, for example. A
    text that is no URL has none. A password that the URL says in public as
    well, as postgres:postgres@ does, stays a word like any other: hiding it
    would hide nothing, and half of every line.
    """
    for found in _PASSWORDS.finditer(text):
        start, end = found.span(found.lastindex or 0)
        password = text[start:end]
        if password not in text[:start] + text[end:]:
            redact(password)
            redact(unquote(password))


def redacted(text: str) -> str:
    """Give the text without registered secrets and without anything that looks like one."""
    # All are looked for in the text as it came: a secret that is a word, such as "secret", would
    # take away the names by which the patterns find others.
    spans = _REGISTERED.spans(text)
    if _SUSPICIOUS.search(text) is not None:
        spans += [(f.end(1), f.end()) for pattern in _PATTERNS for f in pattern.finditer(text)]
    return _starred(text, sorted(spans)) if spans else text


def _starred(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Put stars in the place of each span; of those that overlap, in that of all together."""
    pieces, shown = [], 0
    for begin, end in spans:
        if begin >= shown:
            pieces += [text[shown:begin], STARS]
        shown = max(shown, end)
    return "".join([*pieces, text[shown:]])


def scrub(value: object, text: Callable[[str], str] = redacted) -> object:
    """Rebuild a value from plain ones, with `text` applied to every string in it.

    Whatever is not plain becomes its `repr` here, because a renderer that
    calls `repr` later would bring back what was taken out.
    """
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return text(str(value))
        case datetime():
            return value.isoformat()
        case Mapping():
            return {text(str(name)): _field(name, item, text) for name, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [scrub(item, text) for item in value]
        case _:
            return text(repr(value))


def _field(name: object, value: object, text: Callable[[str], str]) -> object:
    return STARS if str(name).lower() in _SECRET_FIELDS else scrub(value, text)


def _spellings(value: str) -> frozenset[str]:
    return frozenset(
        {
            value,
            quote(value, safe=""),
            quote_plus(value),
            repr(value)[1:-1],
            json.dumps(value)[1:-1],
        }
    )
