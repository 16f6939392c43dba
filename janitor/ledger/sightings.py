"""Which candidates complete listings contained, and since when. One short row for each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection, delete, select

from janitor.ledger import clock, sighting_rows
from janitor.ledger.codec import Damaged, instant, microseconds
from janitor.ledger.marks import RETENTION, Look, Mark, again, as_of
from janitor.ledger.schema import containers, runs, sightings
from janitor.ledger.session import Session
from janitor.ledger.sighting_rows import Kept
from janitor.ledger.translate import trouble
from janitor.ledger.types import Seen, Sighting
from janitor.model import ContainerRef

Identity = tuple[str, str]
T = TypeVar("T")
# Of one candidate: when it was initiated, a hash of its part set, and its size. No class of its
# own: for simple tuples, Python need not look again and again whether they are garbage.
_Fresh = tuple[int | None, bytes, int | None]

BATCH = 10_000
# Of the hash that stands for an upload or a part set: so much that no two are ever the same.
_HASHED = 16
_COLUMNS = [sightings.c[name] for name in sighting_rows.COLUMNS]


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
            # What needs no turn is done before and after it: others wait for theirs.
            identities = [each.upload.identity for each in batch]
            names = [identity_hash(identity) for identity in identities]
            fresh = list(zip(names, map(_comparable, batch), strict=True))
            with self._session.writing() as connection:
                marks = self._sight(connection, where, run_id, at, fresh)
                tell = _Teller(connection, marks.values())
            found.update(zip(identities, map(tell, map(marks.__getitem__, names)), strict=True))
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
            names = {identity_hash(identity): identity for identity in batch}
            with self._session.reading() as connection:
                container = container_id(connection, where)
                if container is None:
                    return {}
                marks = self._load(connection, container, list(names)).marks
                tell = _Teller(connection, marks.values())
            for name, kept in marks.items():
                identity, mark = names[name], as_of(kept, now)
                told = fingerprints.get(identity)
                if told is not None and _digest(told) != mark.fingerprint:
                    mark = mark._replace(unchanged_since=now)
                found[identity] = tell(mark)
        return found

    def damaged(self) -> list[str]:
        """Tell which containers have sightings that are not what was written."""
        query = select(sightings.c.container, *_COLUMNS).execution_options(yield_per=BATCH)
        with self._session.reading() as connection:
            begun = set(connection.execute(select(runs.c.seq)).scalars())
            wrong = set()
            for container, *values in connection.execute(query):
                mark = sighting_rows.mark_in(container, values)
                if mark is None or mark.first_run not in begun:
                    wrong.add(container)
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
        fresh: Sequence[tuple[bytes, _Fresh]],
    ) -> dict[bytes, Mark]:
        run = run_number(connection, run_id)
        if run is None:
            raise trouble(self._place, f"knows no run {run_id!r}: begin it first")
        noted = clock.tick(connection, self._place, at)
        container = ensure_container(connection, where)
        look = Look(noted.at, run, noted.high)
        kept = self._load(connection, container, [name for name, _ in fresh])
        marks = kept.marks.copy()
        for name, (initiated, fingerprint, size) in fresh:
            marks[name] = again(marks.get(name), initiated, fingerprint, size, look)
        sighting_rows.store(connection, container, marks, kept)
        return marks

    def _load(self, connection: Connection, container: int, names: Sequence[bytes]) -> Kept:
        kept = sighting_rows.load(connection, container, names)
        if kept is None:
            raise trouble(self._place, "is damaged: restore it from a backup")
        return kept


class _Teller:
    """Tells what marks mean; most of a batch mean the same."""

    def __init__(self, connection: Connection, marks: Iterable[Mark]) -> None:
        numbers = {mark.first_run for mark in marks}
        query = select(runs.c.seq, runs.c.run_id).where(runs.c.seq.in_(numbers))
        self._runs = {row.seq: row.run_id for row in connection.execute(query)}
        self._told: dict[tuple[int, int, int], Sighting] = {}

    def __call__(self, mark: Mark) -> Sighting:
        """Tell what one mark means."""
        parts = (mark.first_seen, mark.first_run, mark.unchanged_since)
        told = self._told.get(parts)
        if told is None:
            told = self._told[parts] = self._tell(mark)
        return told

    def _tell(self, mark: Mark) -> Sighting:
        first_run = self._runs.get(mark.first_run)
        if first_run is None:
            msg = f"there is no run {mark.first_run}"
            raise Damaged(msg)
        return Sighting(instant(mark.first_seen), first_run, instant(mark.unchanged_since))


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
    key, upload_id = identity
    if key.isascii() and upload_id.isascii():  # nearly always, and faster
        text = f"{len(key)}:{key}{upload_id}".encode("ascii")
    else:
        first, second = (part.encode("utf-8", "surrogatepass") for part in identity)
        text = b"%d:%b%b" % (len(first), first, second)
    return hashlib.sha256(text).digest()[:_HASHED]


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
    return hashlib.sha256(fingerprint.encode()).digest()[:_HASHED] if fingerprint else b""


def _comparable(seen: Seen) -> _Fresh:
    initiated = seen.upload.initiated
    since = None if initiated is None else microseconds(initiated)
    return since, _digest(seen.fingerprint), seen.size


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
