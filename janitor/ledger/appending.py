"""Adds to the journal: all who wait at the same moment by one transaction, and one fsync."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from janitor.ledger import chain, clock, plain
from janitor.ledger.codec import escaped, microseconds, unescaped, whole
from janitor.ledger.errors import LedgerError
from janitor.ledger.session import Session
from janitor.ledger.together import Take, Together
from janitor.ledger.together import Ticket as _Ticket
from janitor.ledger.translate import trouble
from janitor.ledger.types import Head

# So that no transaction gets long, however many wait.
LARGEST = 512

_SEQ, _CATCH_UP = (chain.FIELDS.index(name) for name in ("seq", "catch_up"))
_JOURNAL = f"janitor_journal ({', '.join(chain.FIELDS)}, hash)"
_LAST = "SELECT seq, hash FROM janitor_journal ORDER BY seq DESC LIMIT 1"
_END = "SELECT count, hash FROM janitor_journal_head"
_MOVE_END = "UPDATE janitor_journal_head SET count = ?, hash = ?"
_ARE_OPEN = "SELECT intent FROM janitor_open_intents WHERE intent"
_CLOSE = "DELETE FROM janitor_open_intents WHERE intent"
_ARE_INTENTS = "SELECT seq FROM janitor_journal WHERE run_id IS NOT NULL AND seq"
_ARE_RUNS = (
    "SELECT run_id, closed FROM janitor_runs"
    " LEFT JOIN janitor_shards ON janitor_shards.run = janitor_runs.seq WHERE run_id"
)
# What a column of numbers holds.
_NUMBERS = range(-(2**63), 2**63)


class Asked(NamedTuple):
    """An entry that is to be added; its values lack only what depends on its place."""

    entry: chain.Entry
    at: int
    values: chain.Values


Ticket = _Ticket[Asked, int]


def asked_of(entry: chain.Entry) -> Asked:
    """Make of an entry what is asked for: where it is wrong in itself, that shows here."""
    return Asked(entry, microseconds(entry.at), chain.values_of(entry))


class Appender:
    """The end of the journal of one ledger; `verify` raises where we must not intend any more."""

    def __init__(self, session: Session, verify: Callable[[], None]) -> None:
        self._session = session
        self._place = session.place
        self._verify = verify
        self._known = chain.EMPTY
        self._together: Together[Asked, int] = Together(self._append_all, LARGEST)
        if not session.read_only:
            self._verify_end()

    def append(self, entry: chain.Entry) -> int:
        """Add an entry, and give its number; it is on the disk when this returns.

        What several callers add at the same time is on the disk at the same
        time, all of it or nothing. An entry that does not fit is refused
        alone. `seq` and `catch_up` are filled in here.
        """
        asked = asked_of(entry)
        for number in (entry.parts, entry.size, entry.intent, entry.size_freed):
            if number is not None and number not in _NUMBERS:
                raise trouble(self._place, f"refused a record: {number} is too large a number")
        return self._together.ask(asked)

    def head(self, connection: Connection, *, for_us: bool = False) -> Head:
        """Read the end of the journal; raise if it is not at or after the one that we know.

        If it is `for_us`, nobody else can move it before this transaction ends.
        """
        locking = " FOR UPDATE" if for_us and connection.dialect.name == "postgresql" else ""
        rows = plain.read(connection, _END + locking)
        if not rows:
            raise trouble(self._place, "has lost the end of its journal: restore it")
        head, known = _head(rows[0]), self._known
        if head.count < known.count or (head.count == known.count and head != known):
            words = "went back to an earlier state while in use: restore it, and start again"
            raise trouble(self._place, words)
        return head

    def _verify_end(self) -> None:
        """Refuse a journal whose last row is not the last that was written."""
        with self._session.reading() as connection:
            head = self.head(connection)
            rows = plain.read(connection, _LAST)
        if head != (_head(rows[0]) if rows else chain.EMPTY):
            words = "has a journal that was cut or changed: run janitor ledger audit"
            raise trouble(self._place, words)
        self._known = head

    def _append_all(self, take: Take[Asked, int]) -> None:
        with self._session.writing() as connection:
            # Only now, so that all who came while we waited for our turn are among them.
            tickets = take()
            # First of all, and nobody else can move it until we have: whoever closes a run waits
            # for the end of the journal, too.
            head = self.head(connection, for_us=True)
            self._refuse_unfit(connection, tickets)
            fit = [ticket for ticket in tickets if ticket.error is None]
            if fit:
                head = self._write(connection, head, fit)
        self._known = head

    def _write(self, connection: Connection, head: Head, tickets: Sequence[Ticket]) -> Head:
        times = [ticket.asked.at for ticket in tickets]
        late = clock.catch_ups(connection, self._place, times)
        rows = []
        for ticket, catch_up in zip(tickets, late, strict=True):
            values = ticket.asked.values
            values[_SEQ] = ticket.given = head.count + 1
            values[_CATCH_UP] = catch_up
            text = chain.canonical(values)
            head = Head(ticket.given, chain.link_text(head.hash, text))
            # Without a backslash in its JSON there is nothing that must be escaped.
            kept = _escaped(values) if "\\" in text else values
            rows.append((*kept, head.hash))
        plain.insert(connection, _JOURNAL, rows)
        opened = [(t.given,) for t in tickets if t.asked.entry.kind == chain.INTENT]
        plain.insert(connection, "janitor_open_intents (intent)", opened)
        intents = [ticket.asked.entry.intent for ticket in tickets]
        plain.run_in(connection, _CLOSE, [intent for intent in intents if intent is not None])
        plain.run(connection, _MOVE_END, (head.count, head.hash))
        return head

    def _refuse_unfit(self, connection: Connection, tickets: Sequence[Ticket]) -> None:
        """Tell those who ask for what cannot be that they alone get nothing."""
        intents = [ticket for ticket in tickets if ticket.asked.entry.kind == chain.INTENT]
        conclusions = [ticket for ticket in tickets if ticket.asked.entry.kind == chain.CONCLUSION]
        if conclusions:
            self._refuse_conclusions(connection, conclusions)
        if intents:
            self._refuse_intents(connection, intents)

    def _refuse_intents(self, connection: Connection, tickets: Sequence[Ticket]) -> None:
        names = {ticket.asked.entry.run_id: "" for ticket in tickets}
        names = {name: escaped(str(name)) for name in names}
        rows = plain.read_in(connection, _ARE_RUNS, sorted(names.values()))
        closed = {row[0]: bool(row[1]) for row in rows}
        for ticket in tickets:
            run_id = ticket.asked.entry.run_id
            is_closed = closed.get(names[run_id])
            if is_closed is None:
                ticket.error = trouble(self._place, f"knows no run {run_id!r}: begin it first")
            elif is_closed:
                words = f"has closed run {run_id!r}: another janitor took its place"
                ticket.error = trouble(self._place, words)
        try:
            # Once for all, and after everything that may have made us wait. What was done before
            # is concluded in any case.
            self._verify()
        except LedgerError as error:
            for ticket in tickets:
                ticket.error = ticket.error or LedgerError(str(error))

    def _refuse_conclusions(self, connection: Connection, tickets: Sequence[Ticket]) -> None:
        numbers = [ticket.asked.entry.intent for ticket in tickets]
        still_open = {row[0] for row in plain.read_in(connection, _ARE_OPEN, numbers)}
        for ticket in tickets:
            intent = ticket.asked.entry.intent
            if intent in still_open:
                still_open.discard(intent)  # a second one for the same is refused
            else:
                ticket.error = self._not_open(connection, intent)

    def _not_open(self, connection: Connection, intent: int | None) -> LedgerError:
        if plain.read_in(connection, _ARE_INTENTS, [intent]):
            return trouble(self._place, f"has concluded intent {intent} before")
        return trouble(self._place, f"has no intent {intent} that could be concluded")


def _head(row: Sequence[object]) -> Head:
    count, written = row
    return Head(whole(count), unescaped(written))


def _escaped(values: chain.Values) -> chain.Values:
    return [escaped(value) if isinstance(value, str) else value for value in values]
