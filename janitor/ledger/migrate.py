"""Brings the tables of a ledger to the version that this code can use."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from janitor.ledger.errors import LedgerError
from janitor.ledger.place import Place
from janitor.ledger.schema import VERSION_TABLE, VERSIONS
from janitor.ledger.translate import trouble

LATEST = VERSIONS[-1]
_SCRIPTS = Path(__file__).parent / "migrations"


def version_of(connection: Connection, place: Place) -> str | None:
    """Read the version of the tables; None where there are none at all."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    rows = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()  # noqa: S608  # a constant
    if len(rows) != 1:
        raise trouble(place, "does not say its version: restore it from a backup")
    return str(rows[0])


def refuse_other_versions(version: str, place: Place) -> None:
    """Raise unless this code can use a ledger of that version, with the remedy."""
    if version == LATEST:
        return
    if version in VERSIONS:
        raise _older(place)
    raise trouble(place, f"is of a newer janitor (version {version!r}): upgrade the janitor")


def migrate(connection: Connection) -> None:
    """Run the missing steps, inside the transaction of the caller."""
    # Alembic is slow to import, and only a new or an old ledger needs it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _older(place: Place) -> LedgerError:
    return trouble(place, "is of an older janitor: run janitor ledger upgrade")
