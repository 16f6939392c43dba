"""One connection to a ledger, used by one thread at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from janitor.ledger.files import Watch
from janitor.ledger.place import Place
from janitor.ledger.translate import translated, trouble
from janitor.ledger.turns import Turns


class Session:
    """A connection that takes turns; each use is one transaction, and errors come out translated.

    `missing` says that there is no ledger, and that this is an empty stand-in.
    """

    def __init__(
        self,
        place: Place,
        engine: Engine,
        *,
        read_only: bool,
        watch: Watch | None = None,
        missing: bool = False,
    ) -> None:
        self.place = place
        self.engine = engine
        self.read_only = read_only
        self.missing = missing
        self._watch = watch
        self._turns = Turns()
        self._closed = False
        with translated(place):
            self._connection = engine.connect()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give the connection for one transaction that sees one state of the ledger."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give the connection for one transaction; when this ends well, it is on the disk."""
        if self.read_only:
            raise trouble(self.place, "was opened for reading only")
        with self._transaction("BEGIN IMMEDIATE") as connection:
            self.verify_files()
            yield connection

    def verify_files(self) -> None:
        """Raise if the ledger is no longer where it was: what we wrote would be lost."""
        with translated(self.place):
            path = None if self._watch is None else self._watch.changed()
        if path is not None:
            words = f"was deleted or replaced while in use ({path}): restore it, and start again"
            raise trouble(self.place, words)

    def close(self) -> None:
        """Give the connection back; using the session afterwards is an error."""
        with self._turns, translated(self.place):
            self._closed = True
            try:
                self._connection.close()
            finally:
                self.engine.dispose()

    @contextmanager
    def _transaction(self, opening: str) -> Iterator[Connection]:
        with self._turns, translated(self.place):
            if self._closed:
                raise trouble(self.place, "was closed")
            with self._connection.begin():
                if self._connection.dialect.name == "sqlite":
                    # The driver's own transactions begin too late and lock too late.
                    self._connection.exec_driver_sql(opening)
                yield self._connection
