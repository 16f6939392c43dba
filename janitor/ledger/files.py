"""Looks at the file of a ledger from outside, and puts a new one in its place.

It never opens a ledger that exists: on POSIX systems, closing any handle of a
file ends all locks that this process has on it, SQLite's too.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from janitor.ledger.place import SqlitePlace
from janitor.ledger.translate import trouble

_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}
_RESTORE = "restore it from a backup, or move it away to begin anew"


def exists(place: SqlitePlace) -> bool:
    """Whether there is a file that may be a ledger; raise for what can never be one."""
    try:
        found = place.path.stat()
    except FileNotFoundError:
        _refuse_orphans(place)
        return False
    if stat.S_ISDIR(found.st_mode):
        raise trouble(place, "is a directory: give the path of a file in it")
    if not stat.S_ISREG(found.st_mode):
        raise trouble(place, "is not a file: give another path")
    if found.st_size == 0:
        # SQLite would take it for a new database, and everything for unseen.
        raise trouble(place, f"is empty, so its records are lost: {_RESTORE}")
    return True


def _refuse_orphans(place: SqlitePlace) -> None:
    """Refuse to begin beside the remains of another ledger: SQLite would mix them."""
    directory = place.real.parent
    if not directory.is_dir():
        raise trouble(place, f"cannot be created: create the directory {directory}")
    for orphan in (place.wal_file, place.beside("-journal")):
        with contextlib.suppress(FileNotFoundError):
            if orphan.stat().st_size:
                raise trouble(place, f"is gone, but not {orphan}: restore it, or move that away")


def create(place: SqlitePlace, fill: Callable[[Path], None]) -> None:
    """Make a new ledger: `fill` makes it under another name, then it appears whole or not at all.

    Whoever was faster wins; nothing is ever overwritten.
    """
    directory = place.real.parent
    handle, name = tempfile.mkstemp(prefix=f".{place.real.name}.", suffix=".new", dir=directory)
    os.close(handle)
    draft = Path(name)
    try:
        fill(draft)
        _sync(draft)
        _publish(draft, place.real)
        _sync(directory)
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)


def _publish(draft: Path, path: Path) -> None:
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # There, the name is claimed first.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            draft.replace(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True)
class Watch:
    """Notices when a file is no longer the one that was opened."""

    paths: tuple[Path, ...]
    identities: tuple[tuple[int, int] | None, ...]

    @classmethod
    def over(cls, *paths: Path) -> Watch:
        """Remember which files these are."""
        return cls(paths, tuple(_identity(path) for path in paths))

    def changed(self) -> Path | None:
        """Name the first file that was deleted or replaced, if one was."""
        for path, identity in zip(self.paths, self.identities, strict=True):
            if _identity(path) != identity:
                return path
        return None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_dev, found.st_ino)
