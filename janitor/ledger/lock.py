"""One janitor at a time: a lock that dies with its holder and that no child inherits."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from janitor.ledger.files import Watch
from janitor.ledger.held import Held, known, refusal
from janitor.ledger.place import Place, SqlitePlace
from janitor.ledger.server_lock import locked_on_server
from janitor.ledger.translate import translated, trouble
from janitor.sharding import Shard


@contextmanager
def locked(place: Place, patience: timedelta, shard: Shard | None = None) -> Iterator[Held]:
    """Hold the lock of a ledger; raise `Locked` at once if somebody else does.

    A shard can be at work beside the others if the ledger is on a server. A
    file is for one janitor at a time, whatever its shard.
    """
    if isinstance(place, SqlitePlace):
        taken = _file(place)
    else:
        taken = locked_on_server(place, patience, shard)
    with taken as held, known(held):
        yield held


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
            raise refusal(place, holder) from None
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
