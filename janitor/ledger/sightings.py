"""Which candidates complete listings contained, and since when. One short row for each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Insert, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from janitor.ledger import clock
from janitor.ledger.codec import Damaged, instant, microseconds
from janitor.ledger.marks import RETENTION, Look, Mark, again, as_of
from janitor.ledger.schema import containers, runs, sightings
from janitor.ledger.session import Session
from janitor.ledger.translate import trouble
from janitor.ledger.types import Seen, Sighting
from janitor.model import ContainerRef

Identity = tuple[str, str]
T = TypeVar("T")

BATCH = 4000
_SELECTED = (
    sightings.c.identity,
    sightings.c.checksum,
    *(sightings.c[name] for name in Mark._fields),
)
# In the order of the table: the driver gets the values of a row by their places.
_STORED = ("container", "identity", *Mark._fields, "checksum")


class Sightings:
    """The sightings of one ledger."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._place = session.place

    def sight(
        self, where: ContainerRef, run_id: str, at: datetime, seen: Iterable[Seen]
    ) -> dict[Identity, Sighting]:
        """Note candidates of a complete listing; they are on the disk when this returns."""
        found: dict[Identity, Sighting] = {}
        for batch in _batches(seen):
            with self._session.writing() as connection:
                found.update(self._sight(connection, where, run_id, at, batch))
        return found

    def look_up(
        self,
        where: ContainerRef,
        identities: Iterable[Identity],
        at: datetime,
        fingerprints: Mapping[Identity, str],
    ) -> dict[Identity, Sighting]:
        """Give what is known of some uploads at a moment, changing nothing.

        One whose part set is given, and is another one now, is unchanged
        since this very moment.
        """
        found: dict[Identity, Sighting] = {}
        now = microseconds(at)
        for batch in _batches(identities):
            with self._session.reading() as connection:
                container = container_id(connection, where)
                if container is None:
                    return {}
                hashes = {identity_hash(identity): identity for identity in batch}
                marks = self._load(connection, container, list(hashes))
                names = _run_ids(connection, marks.values())
                for key, mark in marks.items():
                    identity, read = hashes[key], as_of(mark, now)
                    told = fingerprints.get(identity)
                    if told is not None and _digest(told) != mark.fingerprint:
                        read = read._replace(unchanged_since=now)
                    found[identity] = _sighting(read, names)
        return found

    def damaged(self) -> list[str]:
        """Tell which containers have sightings that are not what was written."""
        query = select(sightings.c.container, *_SELECTED).execution_options(yield_per=BATCH)
        with self._session.reading() as connection:
            wrong = {row[0] for row in connection.execute(query) if not _is_sound(row[0], row[1:])}
            names = select(containers.c.target, containers.c.container).order_by(containers.c.id)
            rows = connection.execute(names.where(containers.c.id.in_(wrong))).all()
        return [
            f"sightings: some of {target}/{container} are damaged" for target, container in rows
        ]

    def _sight(
        self,
        connection: Connection,
        where: ContainerRef,
        run_id: str,
        at: datetime,
        batch: Sequence[Seen],
    ) -> dict[Identity, Sighting]:
        run = run_number(connection, run_id)
        if run is None:
            raise trouble(self._place, f"knows no run {run_id!r}: begin it first")
        container = ensure_container(connection, where)
        noted = clock.tick(connection, self._place, at)
        look = Look(noted.at, run, noted.high)
        hashes = [identity_hash(seen.upload.identity) for seen in batch]
        marks = self._load(connection, container, hashes)
        for key, seen in zip(hashes, batch, strict=True):
            marks[key] = _next(marks.get(key), seen, look)
        _store(connection, container, marks)
        names = _run_ids(connection, marks.values())
        return {
            seen.upload.identity: _sighting(marks[key], names)
            for key, seen in zip(hashes, batch, strict=True)
        }

    def _load(
        self, connection: Connection, container: int, hashes: Sequence[bytes]
    ) -> dict[bytes, Mark]:
        query = select(*_SELECTED).where(
            sightings.c.container == container, sightings.c.identity.in_(hashes)
        )
        marks = {}
        for row in connection.execute(query).all():
            if not _is_sound(container, row):
                raise trouble(self._place, "is damaged: restore it from a backup")
            marks[bytes(row[0])] = Mark(*row[2:])
        return marks


def forget_target(connection: Connection, target: str) -> None:
    """Let the sightings of a target start again."""
    of_target = select(containers.c.id).where(containers.c.target == target)
    connection.execute(delete(sightings).where(sightings.c.container.in_(of_target)))


def forget_vanished(connection: Connection, at: datetime) -> int:
    """Delete what was not seen for longer than the retention; give how many."""
    gone = delete(sightings).where(sightings.c.last_seen < microseconds(at) - RETENTION)
    return connection.execute(gone).rowcount


def identity_hash(identity: Identity) -> bytes:
    """Give the short name of an upload within its container."""
    key, upload_id = (text.encode("utf-8", "surrogatepass") for text in identity)
    return hashlib.sha256(b"%d:%b%b" % (len(key), key, upload_id)).digest()


def container_id(connection: Connection, where: ContainerRef) -> int | None:
    """Give the number of a container, if it has one."""
    query = select(containers.c.id).where(
        containers.c.target == where.target,
        containers.c.provider == where.provider,
        containers.c.container == where.container,
    )
    return connection.execute(query).scalar_one_or_none()


def ensure_container(connection: Connection, where: ContainerRef) -> int:
    """Give the number of a container, a new one if it has none."""
    known = container_id(connection, where)
    if known is not None:
        return known
    row = {"target": where.target, "provider": where.provider, "container": where.container}
    made = connection.execute(containers.insert().values(row)).inserted_primary_key
    assert made is not None  # noqa: S101  # for mypy: one row was inserted
    return int(made[0])


def run_number(connection: Connection, run_id: str) -> int | None:
    """Give the number of a run, if it was begun."""
    return connection.execute(select(runs.c.seq).where(runs.c.run_id == run_id)).scalar()


def _digest(fingerprint: str) -> bytes:
    return hashlib.sha256(fingerprint.encode()).digest() if fingerprint else b""


def _next(mark: Mark | None, seen: Seen, look: Look) -> Mark:
    initiated = seen.upload.initiated
    return again(
        mark,
        None if initiated is None else microseconds(initiated),
        _digest(seen.fingerprint),
        seen.size,
        look,
    )


def _store(connection: Connection, container: int, marks: dict[bytes, Mark]) -> None:
    if not marks:
        return
    compiled = _upsert(connection.dialect.name).compile(dialect=connection.dialect)
    rows: list[Any] = [
        (container, key, *mark, mark.checksum(container, key)) for key, mark in marks.items()
    ]
    if not compiled.positional:
        rows = [dict(zip(_STORED, row, strict=True)) for row in rows]
    # Past SQLAlchemy's own handling of each value, which takes longer than the database.
    connection.exec_driver_sql(str(compiled), rows)


@cache
def _upsert(dialect: str) -> Insert:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(sightings).values({name: bindparam(name) for name in _STORED})
    new = {name: statement.excluded[name] for name in ("checksum", *Mark._fields)}
    return statement.on_conflict_do_update(index_elements=["container", "identity"], set_=new)


def _run_ids(connection: Connection, marks: Iterable[Mark]) -> dict[int, str]:
    numbers = {mark.first_run for mark in marks}
    query = select(runs.c.seq, runs.c.run_id).where(runs.c.seq.in_(numbers))
    return {row.seq: row.run_id for row in connection.execute(query)}


def _sighting(mark: Mark, names: dict[int, str]) -> Sighting:
    first_run = names.get(mark.first_run)
    if first_run is None:
        msg = f"there is no run {mark.first_run}"
        raise Damaged(msg)
    return Sighting(instant(mark.first_seen), first_run, instant(mark.unchanged_since))


def _is_sound(container: int, row: Sequence[Any]) -> bool:
    identity, checksum, *rest = row
    return bool(Mark(*rest).checksum(container, bytes(identity)) == checksum)


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
