"""URLs of the ledger. Opens nothing: checks what is written.

No sentence of this file repeats any of a URL, which may hold a password. What
is accepted is narrower than what SQLAlchemy reads: a character that could move
a part of the password into the host or the database is refused.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from janitor.settings.addresses import check_port
from janitor.settings.quantities import Unusable

NONE = "none"

_ESCAPE = "%[0-9A-Fa-f]{2}"
_USER = rf"(?:[^\s:/?#@%]|{_ESCAPE})+"
_PASSWORD = rf"(?:[^\s/?#@%]|{_ESCAPE})+"
_HOST = r"(?:\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)"
_SERVER = rf"postgresql\+psycopg://(?:{_USER}(?::{_PASSWORD})?@)?{_HOST}?(?::([0-9]{{1,5}}))?"
_DATABASE = r"/[^\s:/?#@%]+"
_QUERY = r"[^\s#@]*"
# libpq takes the database from the query, too.
_NAMED = rf"/?\?(?:{_QUERY}&)?(?:dbname|service)={_QUERY}"

# These are read by editors as well, so they stay within what JavaScript knows.
SQLITE = r"sqlite:///(?!:memory:|file:|~)[^?%]*[^?%/\s]"
POSTGRES = rf"{_SERVER}(?:{_DATABASE}(?:\?{_QUERY})?|{_NAMED})"

_SAY_SQLITE = "say sqlite:///janitor.db, or sqlite:////var/lib/janitor.db for an absolute path"
_SAY_POSTGRES = "say postgresql+psycopg://user@host/database"
_SAY_ANY = "say sqlite:///janitor.db, postgresql+psycopg://user@host/database, or none"
_HOW_TO_ESCAPE = "in a password write % / ? # @ and space as %25 %2F %3F %23 %40 %20"

# What is written instead, from the first that matches.
_REMEDIES = (
    (r"sqlite:(//)?/?", f"names no file: {_SAY_SQLITE}"),
    (r"sqlite:/*:memory:.*", f"would be forgotten after every run: {_SAY_SQLITE}"),
    (r"sqlite\+.*", f"must not name a driver: {_SAY_SQLITE}"),
    (
        r"sqlite:///(.*[?%].*|.*\s)",
        f"must be a path alone, without ?, % and a space behind it: {_SAY_SQLITE}",
    ),
    (r"sqlite:///~.*", f"must not have ~, which only shells know: {_SAY_SQLITE}"),
    (r"sqlite:///file:.*", f"must be a path, without file: {_SAY_SQLITE}"),
    (r"sqlite:///.*/", f"is a directory: name a file in it, {_SAY_SQLITE}"),
    (r"sqlite:.*", f"must have three slashes before its path: {_SAY_SQLITE}"),
    (
        r"(?!postgresql\+psycopg:)postgres(ql)?(\+\w*)?:.*",
        "must name its driver, psycopg: write postgresql+psycopg:// and leave the rest as it is",
    ),
    (rf"{_SERVER}/?(\?{_QUERY})?", f"names no database: {_SAY_POSTGRES}"),
    (
        r"postgresql\+psycopg:.*",
        f"is not a URL that can be read without doubt: {_SAY_POSTGRES}, and {_HOW_TO_ESCAPE}",
    ),
    (r"[A-Za-z][\w+.-]*://.*", f"is no kind of database that is known here: {_SAY_ANY}"),
)
_LONGEST = 4096


def read(value: object) -> str:
    """Read the URL of a ledger, or `none`."""
    if value == NONE:
        return NONE
    if not isinstance(value, str):
        msg = f"must be a URL, or none: {_SAY_ANY}"
        raise Unusable(msg)
    if len(value) > _LONGEST:
        msg = f"is longer than {_LONGEST} characters: shorten it"
        raise Unusable(msg)
    postgres = re.fullmatch(POSTGRES, value)
    if postgres is None and re.fullmatch(SQLITE, value) is None:
        raise Unusable(_remedy(value))
    if postgres is not None:
        check_port(postgres[1], lowest=1)
    return str(value)


def without_passwords(url: str) -> str:
    """Write a URL that `read` has accepted with stars for what is secret in it."""
    if re.fullmatch(POSTGRES, url) is None:
        return url
    server, mark, query = url.partition("?")
    server = re.sub(r"(?<=//)([^:@/]+):[^@]+@", r"\1:***@", server)
    return server + mark + "&".join(_starred(option) for option in query.split("&"))


def _starred(option: str) -> str:
    name, _, value = option.partition("=")
    is_secret = re.search("password|secret|token", unquote_plus(name), re.IGNORECASE)
    return f"{name}=***" if value and is_secret else option


def _remedy(url: str) -> str:
    fallback = f"must be a URL, or none: {_SAY_ANY}"
    return next((words for pattern, words in _REMEDIES if re.fullmatch(pattern, url)), fallback)
