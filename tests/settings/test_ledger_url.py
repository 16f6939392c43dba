"""URLs of the ledger: what is accepted means to SQLAlchemy what it means to us."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, find, given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, make_url

from janitor.settings import ledger_url
from janitor.settings.quantities import Unusable

FILES = {
    "sqlite:///janitor.db": "janitor.db",
    "sqlite:////var/lib/janitor/janitor.db": "/var/lib/janitor/janitor.db",
    "sqlite:///../a b/ü#1@x:y.db": "../a b/ü#1@x:y.db",
    "sqlite:///x": "x",
}
SERVERS = [
    "postgresql+psycopg://db.example/janitor",
    "postgresql+psycopg://janitor@db.example/janitor",
    "postgresql+psycopg://janitor:p:a%40s%2Fs@db.example:5432/janitor",
    "postgresql+psycopg://janitor:[x]@[2001:db8::1]:5432/janitor",
    "postgresql+psycopg:///janitor",
    "postgresql+psycopg:///janitor?host=/var/run/postgresql",
    "postgresql+psycopg://janitor@/janitor?passfile=/run/secrets/pgpass&sslmode=verify-full",
    "postgresql+psycopg://?service=janitor",
    "postgresql+psycopg://db.example/?sslmode=require&dbname=janitor",
]
REFUSED = [
    "",
    "None",
    "sqlite",
    "sqlite:",
    "sqlite:/janitor.db",
    "sqlite:///:memory:",
    "sqlite:///:memory:?cache=shared",
    "sqlite:///a%2Fb.db",
    "sqlite:///janitor.db ",
    "sqlite:////",
    "SQLite:///janitor.db",
    "sqlite://user@host/janitor.db",
    "postgresql+psycopg:",
    "postgresql+psycopg://",
    "postgresql+psycopg:///",
    "postgresql+psycopg://db.example",
    "postgresql+psycopg://db.example/?sslmode=require",
    "postgresql+psycopg://db.example/a/b",
    "postgresql+psycopg://db.example:0/janitor",
    "postgresql+psycopg://db.example:65536/janitor",
    "postgresql+psycopg://db.example:port/janitor",
    "postgresql+psycopg://:secret@db.example/janitor",
    "postgresql+psycopg://me:@db.example/janitor",
    "postgresql+psycopg://me:a@b@db.example/janitor",
    "postgresql+psycopg://me:12/3@db.example/janitor",
    "postgresql+psycopg://me:12?3@db.example/janitor",
    "postgresql+psycopg://me:100%@db.example/janitor",
    "postgresql+psycopg://me:a b@db.example/janitor",
    "postgresql+psycopg://db.example/janitor#x",
    "postgresql+psycopg://db.example/janitor?user=a@b",
    "postgresql+psycopg2://db.example/janitor",
    "postgres://db.example/janitor",
    "redis://db.example/0",
]


def texts(*likely: str) -> st.SearchStrategy[str]:
    """Make parts of URLs: what belongs there, and sometimes what could move its borders."""
    odd = st.sampled_from([*":/?#@%&=[]+;~", " ", "%40", "é", "\u2028", "::", "//", "password="])
    return st.one_of(
        st.sampled_from(likely),
        st.sampled_from(likely),
        st.lists(st.one_of(st.sampled_from(likely), odd), max_size=4).map("".join),
    )


FILE_URLS = texts("a", "/", "b.db", "../").map("sqlite:///{}".format)
SERVER_URLS = st.builds(
    "postgresql+psycopg://{}{}{}{}".format,
    texts("", "me@", "me:pw@", "me:p%2Fw@", "me:p:w@"),
    texts("", "db", "db:5432", "[::1]", "[::1]:1"),
    texts("/j", "/?service=j", "/j?a=b", "?dbname=j"),
    texts("", "&password=pw", "&sslp%61ssword=a&sslpassword=b", "&password=a&password=b"),
)


@pytest.mark.parametrize(("url", "path"), FILES.items())
def test_a_file_is_named_by_its_path(url: str, path: str) -> None:
    """Three slashes are followed by a relative path, four are the start of an absolute one."""
    assert ledger_url.read(url) == url
    assert make_url(url).database == path
    assert ledger_url.without_passwords(url) == url


@pytest.mark.parametrize("url", SERVERS)
def test_a_server_is_named_in_every_way_of_libpq(url: str) -> None:
    """Sockets, services and passfiles are ways to do without a password."""
    assert ledger_url.read(url) == url


@pytest.mark.parametrize("url", REFUSED)
def test_what_is_no_ledger_is_refused(url: str) -> None:
    """Nothing is guessed, and nothing of the URL is repeated."""
    with pytest.raises(Unusable) as caught:
        ledger_url.read(url)

    words = set(re.findall(r"[\w.]{5,}", url))
    assert words & set(re.findall(r"[\w.]{5,}", str(caught.value))) <= KNOWN


KNOWN = {"sqlite", "janitor.db", "janitor", "postgresql", "psycopg", "postgres", "memory"}


@settings(max_examples=300)
@given(st.one_of(FILE_URLS, SERVER_URLS))
@example("postgresql+psycopg://me:p:w@[::1]:5432/janitor?password=x&service=y")
def test_what_is_accepted_has_one_meaning(url: str) -> None:
    """SQLAlchemy finds the same file; and no password in what is shown but stars."""
    if not is_accepted(url):
        return
    meant, shown = make_url(url), make_url(ledger_url.without_passwords(url))

    if meant.drivername == "sqlite":
        assert (meant.database, meant.query, meant.host) == (url[len("sqlite:///") :], {}, None)
    else:
        assert shown.password == (None if meant.password is None else "***")
        assert shown.set(password=meant.password, query=meant.query) == meant
        assert dict(shown.query) == {name: starred(name, meant) for name in meant.query}


def test_the_urls_of_that_test_are_often_accepted() -> None:
    """What proves nothing is noticed: files and servers, with and without a password."""
    for kind in (FILE_URLS, SERVER_URLS):
        assert find(kind, is_accepted)
    assert "@" in find(SERVER_URLS, lambda url: ":pw@" in url and is_accepted(url))


def is_accepted(url: str) -> bool:
    """Whether the reader takes a URL."""
    try:
        ledger_url.read(url)
    except Unusable:
        return False
    return True


def starred(name: str, meant: URL) -> str | tuple[str, ...]:
    """Give what must be shown of an option."""
    value = meant.query[name]
    if "password" not in name:
        return value
    return "***" if isinstance(value, str) else ("***",) * len(value)
