"""Where a ledger is: reads its URL, and names it without its password."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from janitor.ledger.errors import LedgerError

_EXAMPLES = "write sqlite:///janitor.db or postgresql+psycopg://user@host/database"


@dataclass(frozen=True, slots=True)
class SqlitePlace:
    """A file. `path` is as it was given, made absolute; `real` has no symbolic links."""

    path: Path
    real: Path

    def __str__(self) -> str:
        """Name it as an operator would."""
        return str(self.path)

    @property
    def lock_file(self) -> Path:
        """The file that is locked while a janitor is at work."""
        return self.beside(".lock")

    @property
    def wal_file(self) -> Path:
        """The file that SQLite writes to first."""
        return self.beside("-wal")

    def beside(self, suffix: str) -> Path:
        """Give the file beside it whose name is longer by this."""
        return self.real.with_name(self.real.name + suffix)


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """A database of a server. `url` is not printed: it may hold a password."""

    url: URL = field(repr=False)

    def __str__(self) -> str:
        """Name it without its password."""
        return self.url.set(query={}).render_as_string(hide_password=True)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be repeated from a driver's message."""
        options = self.url.query.items()
        found = [value for name, value in options if "password" in name and isinstance(value, str)]
        return tuple(text for text in (self.url.password, *found) if text)


Place = SqlitePlace | PostgresPlace


def place_of(url: str) -> Place:
    """Read the URL of a ledger; an error never repeats the URL."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        msg = f"the ledger's URL cannot be read: {_EXAMPLES}"
        raise LedgerError(msg) from None
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        return _file(url.partition(":")[2])
    if parsed.drivername == "postgresql+psycopg":
        return PostgresPlace(parsed)
    msg = f"the ledger cannot be kept in {parsed.drivername}: {_EXAMPLES}"
    raise LedgerError(msg)


def _file(rest: str) -> SqlitePlace:
    # Not by SQLAlchemy, whose versions differ in what "%20" means in a path.
    name = unquote(rest.removeprefix("///"))
    if rest in {"//", "///"} or name.startswith((":memory:", "file:")):
        msg = "the ledger's URL names no file, all would be forgotten: write sqlite:///janitor.db"
        raise LedgerError(msg)
    if not rest.startswith("///") or "?" in rest or "\0" in name:
        msg = "the ledger's URL holds more than a path: write sqlite:///janitor.db, three slashes"
        raise LedgerError(msg)
    path = Path(name).absolute()
    return SqlitePlace(path, path.resolve())
