"""One janitor at a time: a lock that dies with its holder and that no child inherits."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

from janitor.ledger.errors import Locked
from janitor.ledger.files import Watch
from janitor.ledger.place import Place, PostgresPlace, SqlitePlace
from janitor.ledger.postgres import advisory_key, engine_of
from janitor.ledger.translate import translated, trouble


@dataclass(eq=False)
class Held:
    """A lock that is held: how to prove that, and what a forked child must do to let go of it."""

    verify: Callable[[], None]
    let_go: Callable[[], None]


# A child that lives longer than its parent must not keep the lock.
_HELD: weakref.WeakSet[Held] = weakref.WeakSet()


def _let_go_in_child() -> None:
    for held in list(_HELD):
        held.let_go()


os.register_at_fork(after_in_child=_let_go_in_child)


@contextmanager
def locked(place: Place, patience: timedelta) -> Iterator[Held]:
    """Hold the lock of a ledger; raise `Locked` at once if somebody else does."""
    taken = _file(place) if isinstance(place, SqlitePlace) else _advisory(place, patience)
    with taken as held:
        _HELD.add(held)
        try:
            yield held
        finally:
            _HELD.discard(held)


@contextmanager
def _file(place: SqlitePlace) -> Iterator[Held]:
    with translated(place):
        handle = _locked_file(place)
    released = False

    def let_go() -> None:
        nonlocal released
        if not released:
            released = True
            os.close(handle)

    watch = Watch.over(place.lock_file)

    def verify() -> None:
        if watch.changed() is not None:
            words = f"is no longer locked by us: {place.lock_file} was removed, start again"
            raise trouble(place, words)

    try:
        yield Held(verify, let_go)
    finally:
        let_go()


def _locked_file(place: SqlitePlace) -> int:
    """Open the lock file and lock it; whoever removes it meanwhile makes us begin again."""
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        handle = os.open(place.lock_file, flags, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            opened = os.fstat(handle)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(opened, place.lock_file.stat()):
                    _sign(handle)
                    return handle
        except BlockingIOError:
            holder = _signature(handle)
            os.close(handle)
            raise _locked(place, holder) from None
        except OSError:
            os.close(handle)
            raise
        os.close(handle)


def _sign(handle: int) -> None:
    """Say in the lock file who holds it; only for people to read."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps(holder).encode(), 0)


def _signature(handle: int) -> str:
    try:
        holder = json.loads(os.pread(handle, 4096, 0))
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "unknown"


@contextmanager
def _advisory(place: PostgresPlace, patience: timedelta) -> Iterator[Held]:
    engine = engine_of(place, patience, read_only=False)
    with translated(place):
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        with translated(place):
            key = advisory_key(connection, "lock")
            taken = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key})
            if not taken.scalar_one():
                raise _locked(place, _holder(connection, key))
        yield _held_on_server(connection, place, key)
    finally:
        # Closing the connection ends the lock, whatever state it is in.
        connection.invalidate()
        connection.close()
        engine.dispose()


def _held_on_server(connection: Connection, place: PostgresPlace, key: int) -> Held:
    socket_of_server = connection.connection.dbapi_connection.fileno()  # type: ignore[union-attr]  # it is connected
    mutex = threading.Lock()

    def verify() -> None:
        with mutex, translated(place):
            try:
                ours = connection.execute(_OURS, _parts_of(key)).scalar_one()
            finally:
                # A connection that was lost is made anew after this, and has no lock.
                connection.rollback()
        if not ours:
            raise trouble(place, "is no longer locked by us: start again")

    def let_go() -> None:
        # Whatever the child's copy of the driver says at its end, the server must not hear it.
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(nowhere, socket_of_server)
        os.close(nowhere)

    return Held(verify, let_go)


_LOCKS = """
    FROM pg_locks AS held LEFT JOIN pg_stat_activity AS holder ON holder.pid = held.pid
    WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
    AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND held.classid = CAST(:high AS oid) AND held.objid = CAST(:low AS oid)
"""
_OURS = text(f"SELECT count(*) {_LOCKS} AND held.pid = pg_backend_pid()")
_HOLDER = text(f"SELECT held.pid, holder.application_name, holder.backend_start {_LOCKS}")


def _parts_of(key: int) -> dict[str, int]:
    """Split the number of a lock as the server shows it."""
    return {"high": key >> 32 & 0xFFFF_FFFF, "low": key & 0xFFFF_FFFF}


def _holder(connection: Connection, key: int) -> str:
    row = connection.execute(_HOLDER, _parts_of(key)).first()
    if row is None:
        return "unknown"
    since = "" if row.backend_start is None else f" since {row.backend_start:%Y-%m-%dT%H:%M:%S%z}"
    return f"{row.application_name or 'unknown'} (server process {row.pid}){since}"


def _locked(place: Place, holder: str) -> Locked:
    return Locked(f"the ledger {place} is in use by another janitor: {holder}", holder)
