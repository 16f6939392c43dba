"""Opens, upgrades and checks ledgers, of whichever kind their URL says."""

from __future__ import annotations

from datetime import timedelta

from janitor.ledger.errors import LedgerError
from janitor.ledger.ledger import Ledger
from janitor.ledger.lock import locked
from janitor.ledger.marks import RETENTION as _RETENTION
from janitor.ledger.place import Place, PostgresPlace, SqlitePlace, place_of
from janitor.ledger.postgres import open_postgres, upgrade_postgres
from janitor.ledger.schema import VERSIONS
from janitor.ledger.session import Session
from janitor.ledger.sqlite import examine, open_sqlite, upgrade_sqlite
from janitor.ledger.types import Upgraded
from janitor.sharding import Shard

RETENTION = timedelta(microseconds=_RETENTION)
_PATIENCE = timedelta(seconds=10)


def open_ledger(
    url: str,
    *,
    read_only: bool = False,
    patience: timedelta = _PATIENCE,
    shard: Shard | None = None,
) -> Ledger:
    """Open the ledger at a URL, a new one if there is none; raise `LedgerError` if it is unfit.

    `read_only` really cannot write, and takes a missing ledger for an empty
    one. `patience` is how long to wait for other programs that use it. `shard`
    is which of several janitors this is.
    """
    place = place_of(url)
    session = _session(place, patience, read_only=read_only)
    try:
        return Ledger(session, patience, shard)
    except BaseException:
        session.close()
        raise


def is_shared(url: str) -> bool:
    """Whether janitors on several machines can have this ledger in common."""
    return isinstance(place_of(url), PostgresPlace)


def upgrade(url: str, *, patience: timedelta = _PATIENCE) -> Upgraded:
    """Bring a ledger to the version of this janitor, all steps or none; make it if it is missing.

    Raise `Locked` while a janitor is at work.
    """
    place = place_of(url)
    with locked(place, patience):
        if isinstance(place, SqlitePlace):
            before = upgrade_sqlite(place, patience)
        else:
            before = upgrade_postgres(place, patience)
    return Upgraded(before, VERSIONS[-1])


def check(url: str, *, patience: timedelta = _PATIENCE) -> list[str]:
    """Look for everything that may be wrong with a ledger, changing nothing; [] if it is sound."""
    try:
        place = place_of(url)
        session = _session(place, patience, read_only=True)
        with Ledger(session, patience) as ledger:
            if session.missing:
                return [f"there is no ledger {place}: the next sweep makes one"]
            if isinstance(place, SqlitePlace):
                examine(place, patience, thorough=True)
            return ledger.audit() + ledger.damaged_sightings()
    except LedgerError as error:
        return [str(error)]


def _session(place: Place, patience: timedelta, *, read_only: bool) -> Session:
    if isinstance(place, SqlitePlace):
        return open_sqlite(place, patience, read_only=read_only)
    return open_postgres(place, patience, read_only=read_only)
