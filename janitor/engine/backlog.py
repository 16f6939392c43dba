"""What a sweep has to come back to, on disk beyond a few MB: a run may meet millions of uploads."""

from __future__ import annotations

import marshal
import sqlite3
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Self

from janitor.engine.chunks import Chunks, disk
from janitor.engine.packing import (
    Candidate,
    pack_candidate,
    pack_upload,
    unpack_candidate,
    unpack_upload,
)
from janitor.model import ContainerRef, Decision, Upload
from janitor.plan import oldest_first, whole_size

# What is held in memory before anything goes to the disk, for each of them.
_QUEUE_BYTES = 1 << 20
_CACHE_KIB = 8192
_CHUNK = 500
_ORDER = "initiated, target, provider, container, key, upload_id"
_LARGEST = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Queue:
    """Uploads of one container, in the order of their listing; for one thread."""

    def __init__(self, where: ContainerRef) -> None:
        self._where = where
        self._chunks = Chunks(_QUEUE_BYTES)
        self._fresh: list[object] = []
        self._count = 0

    def __enter__(self) -> Self:
        """Nothing has to be opened."""
        return self

    def __exit__(self, *_: object) -> None:
        """Forget everything."""
        self._chunks.close()

    def __len__(self) -> int:
        """Count what was added."""
        return self._count

    def add(self, upload: Upload) -> None:
        """Add one; raise BacklogFailed where the disk fails."""
        self._fresh.append(pack_upload(upload))
        self._count += 1
        if len(self._fresh) >= _CHUNK:
            self._flush()

    def read(self, start: int = 0) -> Iterator[Upload]:
        """Give all of them from a position on; raise BacklogFailed where the disk fails."""
        self._flush()
        return islice(self._read(), start, None)

    def _flush(self) -> None:
        self._chunks.add(marshal.dumps(self._fresh))
        self._fresh.clear()

    def _read(self) -> Iterator[Upload]:
        for chunk in self._chunks.read():
            for packed in marshal.loads(chunk):  # noqa: S302  # we wrote it, into a file without a name
                yield unpack_upload(self._where, packed)


class Backlog:
    """All that is stale in a run, from any thread; given back with the oldest first.

    SQLite keeps it in a file without a name, which is gone with the process.
    Every method raises BacklogFailed where the disk fails.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        with disk():
            self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
            self._database.executescript(
                f"PRAGMA cache_size=-{_CACHE_KIB}; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
                "CREATE TABLE stale (initiated, target, provider, container, key, upload_id,"
                " size, body)"
            )

    def __enter__(self) -> Self:
        """Nothing has to be opened."""
        return self

    def __exit__(self, *_: object) -> None:
        """Forget everything."""
        with self._lock:
            self._database.close()

    def add(self, candidates: Sequence[Candidate]) -> None:
        """Add what is stale."""
        places: dict[ContainerRef, Sequence[bytes]] = {}
        rows = [
            (
                *_sortable(c.decision, places),
                _storable(whole_size(c.decision)),
                marshal.dumps(pack_candidate(c)),
            )
            for c in candidates
        ]
        with self._lock, disk():
            self._database.execute("BEGIN")
            self._database.executemany("INSERT INTO stale VALUES (?,?,?,?,?,?,?,?)", rows)
            self._database.execute("COMMIT")

    def count_by_target(
        self, oldest: int | None = None, *, but: Collection[str] = ()
    ) -> Counter[str]:
        """Count what is stale on each target, or of so many of the oldest, but not of these."""
        rows = "stale"
        if oldest is not None:
            others = _names("NOT IN", but)
            rows = f"(SELECT * FROM stale WHERE {others} ORDER BY {_ORDER} LIMIT ?)"  # noqa: S608  # our own words
        query = f"SELECT target, count(*) FROM {rows} GROUP BY target"  # noqa: S608  # the same
        values = [] if oldest is None else [*map(_bytes, but), oldest]
        with self._lock, disk():
            found = self._database.execute(query, values).fetchall()
        return Counter({_text(target): count for target, count in found})

    def sizes(self, *, but: Collection[str] = ()) -> Iterator[int | None]:
        """Give the sizes, the oldest first, of all targets but these."""
        return (size for (size,) in self._rows("size", but))

    def part(self) -> None:
        """Make it quick to read the targets one by one, when everything was added."""
        columns = f"target, {_ORDER.replace(' target,', '')}"
        with self._lock, disk():
            self._database.execute(f"CREATE INDEX IF NOT EXISTS by_target ON stale ({columns})")

    def candidates(
        self, *, but: Collection[str] = (), only: Collection[str] | None = None, skip: int = 0
    ) -> Iterator[Candidate]:
        """Give all but the first, the oldest first, of all targets but these, or of these only."""
        places: dict[tuple[bytes, ...], ContainerRef] = {}
        for *place, body in self._rows("target, provider, container, body", but, only, skip):
            where = places.get(tuple(place))
            if where is None:
                where = places[tuple(place)] = ContainerRef(*map(_text, place))
            packed = marshal.loads(body)  # noqa: S302  # we wrote it, into a file without a name
            yield unpack_candidate(where, packed)

    def _rows(
        self,
        columns: str,
        but: Collection[str],
        only: Collection[str] | None = None,
        skip: int = 0,
    ) -> Iterator[tuple[Any, ...]]:
        names, word = (but, "NOT IN") if only is None else (only, "IN")
        query = (
            f"SELECT {columns} FROM stale WHERE {_names(word, names)}"  # noqa: S608  # our own words
            f" ORDER BY {_ORDER} LIMIT -1 OFFSET ?"
        )
        with self._lock, disk():
            rows = self._database.execute(query, [*map(_bytes, names), skip])
        while True:
            with self._lock, disk():
                batch = rows.fetchmany(_CHUNK)
            if not batch:
                return
            yield from batch


def _names(word: str, names: Collection[str]) -> str:
    return f"target {word} ({','.join('?' * len(names))})"


def _sortable(
    decision: Decision, places: dict[ContainerRef, Sequence[bytes]]
) -> tuple[int | bytes, ...]:
    """Give what sorts in SQLite as `oldest_first` does here: UTF-8 sorts by code points.

    `places` keeps what is the same for all uploads of a container.
    """
    initiated, *names = oldest_first(decision)
    where = decision.upload.where
    place = places.get(where) or places.setdefault(where, list(map(_bytes, names[:-2])))
    return (initiated - _EPOCH) // _MICROSECOND, *place, _bytes(names[-2]), _bytes(names[-1])


def _bytes(text: str) -> bytes:
    # Some stores hand out what is no Unicode at all.
    return text.encode("utf-8", "surrogatepass")


def _text(stored: object) -> str:
    assert isinstance(stored, bytes)  # noqa: S101  # for mypy: it is what was stored
    return stored.decode("utf-8", "surrogatepass")


def _storable(size: int | None) -> int | None:
    return None if size is None else min(size, _LARGEST)
