"""Turns what databases and files raise into sentences with a remedy: the only place that does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from janitor.ledger.codec import Damaged
from janitor.ledger.errors import LedgerError
from janitor.ledger.place import Place, PostgresPlace

_DAMAGED = "is damaged: restore it from a backup, or move it away to begin anew"
_SQLITE: Mapping[int, str] = {
    sqlite3.SQLITE_BUSY: "is locked by another program: end that program, or try again later",
    sqlite3.SQLITE_LOCKED: "is locked by another program: end that program, or try again later",
    sqlite3.SQLITE_READONLY: "cannot be written: make the file and its directory writable",
    sqlite3.SQLITE_PERM: "cannot be written: make the file and its directory writable",
    sqlite3.SQLITE_IOERR: "could not be read or written: check disk, quota and file size limit",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_FULL: "is full: make room on the disk",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: make the file and its directory accessible",
    sqlite3.SQLITE_NOTADB: "is no ledger: check the path, or move the file away",
    sqlite3.SQLITE_CONSTRAINT: "refused a record that contradicts one it has",
    sqlite3.SQLITE_TOOBIG: "refused a record that is too big",
}
# By SQLSTATE, the longest match counts.
_POSTGRES: Mapping[str, str] = {
    "08": "does not answer: check the server and the network",
    "22": "refused a record",
    "23": "refused a record that contradicts one it has",
    "25006": "is read-only: connect to the primary, or allow writing",
    "28": "refused to let us in: check user and password",
    "3D": "does not exist: create the database",
    "3F": "has no schema to use: create it, or correct search_path",
    "42501": "denied a right: grant it to the user of the janitor",
    "53": "has no room left: make room on its disk, or raise its limits",
    "55P03": "is locked by another program: end that program, or try again later",
    "57014": "took too long: find out what keeps it busy",
    "57P": "ended our connection or is starting up: try again later",
    "58": "could not read or write: check the server's disk",
    "XX": "is damaged: restore it from a backup",
}
_UNREACHABLE = "cannot be reached: check the address, the server and the password"
_OTHER = "could not be used"


@contextmanager
def translated(place: Place) -> Iterator[None]:
    """Let a LedgerError out for whatever a database or a file raises inside."""
    try:
        yield
    except SQLAlchemyError as error:
        raise _translation(place, getattr(error, "orig", None) or error) from None
    except (Damaged, UnicodeDecodeError) as error:
        raise trouble(place, f"{_DAMAGED} ({error})") from None
    except (sqlite3.Error, OSError) as error:
        raise _translation(place, error) from None


def trouble(place: Place, words: str) -> LedgerError:
    """Name the ledger and say what is wrong with it."""
    return LedgerError(f"the ledger {place} {words}")


def _translation(place: Place, error: BaseException) -> LedgerError:
    detail = " ".join(str(error).split()) or type(error).__name__
    if isinstance(place, PostgresPlace):
        for secret in place.secrets:
            detail = detail.replace(secret, "***")
    return trouble(place, f"{_sentence(error)} ({detail})")


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError):
        return "cannot be used: check the file, its directory and their permissions"
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        return _OTHER if code is None else _SQLITE.get(code & 0xFF, _OTHER)
    if not hasattr(error, "sqlstate"):
        return _OTHER
    if error.sqlstate is None:
        return _UNREACHABLE
    matches = [state for state in _POSTGRES if error.sqlstate.startswith(state)]
    return _POSTGRES[max(matches, key=len)] if matches else _OTHER
