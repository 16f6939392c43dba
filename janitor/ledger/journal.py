"""Intents and conclusions: what we were about to do, and what became of it. Append-only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    func,
    select,
    type_coerce,
)

from janitor.ledger import chain
from janitor.ledger.appending import Appender
from janitor.ledger.rounds import unsettled
from janitor.ledger.schema import journal, journal_head, open_intents, runs
from janitor.ledger.session import Session
from janitor.ledger.types import NOT_SENT, UNKNOWN, Head, IntentRecord, OpenIntent, Spent
from janitor.model import ContainerRef, Decision, Outcome

CONCLUSIONS = frozenset({*(outcome.value for outcome in Outcome), NOT_SENT, UNKNOWN})
# After these, nothing was taken from the budgets.
_FREE = (Outcome.ALREADY_GONE.value, NOT_SENT)
# After these, the upload is where it was.
_STILL_THERE = (
    Outcome.WITHHELD.value,
    Outcome.FAILED.value,
    Outcome.SURVIVED.value,
    NOT_SENT,
)

_intents = journal.alias("intents")
_conclusions = journal.alias("conclusions")
_both = _intents.outerjoin(_conclusions, _conclusions.c.intent == _intents.c.seq)
# Only an intent names its run. The indices hold nothing else, and are found by these words.
_is_intent = _intents.c.run_id.is_not(None)


class Journal:
    """The journal of one ledger."""

    def __init__(self, session: Session, verify: Callable[[], None]) -> None:
        self._session = session
        self._end = Appender(session, verify)

    def intend(self, run_id: str, at: datetime, decision: Decision) -> int:
        """Write down that an abort is about to be sent; it is on the disk when this returns."""
        upload, activity = decision.upload, decision.activity
        entry = chain.Entry(
            seq=0,
            kind=chain.INTENT,
            at=at,
            run_id=run_id,
            target=upload.where.target,
            provider=upload.where.provider,
            container=upload.where.container,
            key=upload.key,
            upload_id=upload.upload_id,
            initiated=upload.initiated,
            last_activity=decision.last_activity,
            parts=None if activity is None else activity.parts,
            size=None if activity is None else activity.size,
            reason=decision.reason.value,
            rule=decision.rule,
        )
        return self._end.append(entry)

    def conclude(
        self, intent: int, at: datetime, outcome: str, *, size_freed: int, error: str | None
    ) -> None:
        """Write down what became of an intent, once."""
        if outcome not in CONCLUSIONS:
            msg = f"an intent cannot end as {outcome!r}"
            raise ValueError(msg)
        entry = chain.Entry(
            seq=0,
            kind=chain.CONCLUSION,
            at=at,
            intent=intent,
            outcome=str(outcome),
            size_freed=size_freed,
            error=error,
        )
        self._end.append(entry)

    def open_intents(self) -> list[OpenIntent]:
        """Give the intents without a conclusion, oldest first."""
        number = open_intents.c.intent
        query = select(_intents).select_from(open_intents.join(_intents, _intents.c.seq == number))
        with self._session.reading() as connection:
            # By the number in the list, so that SQLite begins there and not in the whole journal.
            return [_open_intent(row) for row in connection.execute(query.order_by(number))]

    def spent_since(self, moment: datetime, now: datetime) -> Spent:
        """Sum up what was spent since a moment, however the clock jumped meanwhile."""
        with self._session.reading() as connection:
            return spent_from(connection, moment, now)

    def spent_by_unfinished_runs(self) -> Spent:
        """Sum up what was spent by the runs that nothing makes up for yet."""
        with self._session.reading() as connection:
            return _spent(connection, _intents.c.run_id.in_(unsettled()))

    def of_run(self, run_id: str) -> list[IntentRecord]:
        """Give the intents of one run with their conclusions, oldest first."""
        query = _records().where(_intents.c.run_id == run_id).order_by(_intents.c.seq)
        with self._session.reading() as connection:
            return [_record(row) for row in connection.execute(query)]

    def head(self) -> Head:
        """Give the end of the journal; noted elsewhere, it proves all that came before."""
        with self._session.reading() as connection:
            return self._end.head(connection)

    def audit(self) -> list[str]:
        """Follow the chain from the first row to the head, and tell every break."""
        with self._session.reading() as connection:
            end = select(journal_head.c.count.label("rows"), journal_head.c.hash)
            row = connection.execute(end).first()
            head = None if row is None else Head(row.rows, row.hash)
            listed = connection.execute(select(open_intents.c.intent)).scalars().all()
            return list(chain.problems(_entries(connection), head, listed))


def gone_since(connection: Connection, run: int, where: ContainerRef) -> int:
    """Count the uploads that are gone or may be, by the aborts from that run on."""
    later = select(runs.c.run_id).where(runs.c.seq >= run)
    query = (
        select(func.count())
        .select_from(_both)
        .where(
            _is_intent,
            _intents.c.run_id.in_(later),
            _intents.c.target == where.target,
            _intents.c.provider == where.provider,
            _intents.c.container == where.container,
            func.coalesce(_conclusions.c.outcome, UNKNOWN).not_in(_STILL_THERE),
        )
    )
    return int(connection.execute(query).scalar_one())


def spent_by(connection: Connection, run_id: str) -> Spent:
    """Sum up what one run spent."""
    return _spent(connection, _intents.c.run_id == run_id)


def spent_from(connection: Connection, moment: datetime, now: datetime) -> Spent:
    """Sum up what was spent since a moment, however the clock jumped meanwhile."""
    # What was written while the clock stood too early counts from when it caught up.
    late = and_(_intents.c.catch_up >= moment, _intents.c.catch_up <= now)
    # Two sums, each by its own index: of both together, a database may read everything.
    timely = _spent(connection, _intents.c.at >= moment)
    belated = _spent(connection, and_(late, _intents.c.at < moment))
    return Spent(timely.aborts + belated.aborts, timely.bytes + belated.bytes)


def _spent(connection: Connection, condition: ColumnElement[bool]) -> Spent:
    planned = func.coalesce(_intents.c.size, 0)
    freed = func.coalesce(_conclusions.c.size_freed, 0)
    larger = case((freed > planned, freed), else_=planned)
    # PostgreSQL sums up to a decimal.
    total = type_coerce(func.coalesce(func.sum(larger), 0), BigInteger)
    query = (
        select(func.count(), total)
        .select_from(_both)
        .where(_is_intent, condition)
        .where(func.coalesce(_conclusions.c.outcome, UNKNOWN).not_in(_FREE))
    )
    aborts, size = connection.execute(query).one()
    return Spent(int(aborts), int(size))


def _entries(connection: Connection) -> Iterator[tuple[chain.Entry, str]]:
    query = select(journal).order_by(journal.c.seq).execution_options(yield_per=1000)
    for row in connection.execute(query).mappings():
        yield chain.Entry(*(row[name] for name in chain.FIELDS)), row["hash"]


def _records() -> Select[tuple[object, ...]]:
    concluded = (_conclusions.c.outcome, _conclusions.c.size_freed, _conclusions.c.error)
    labelled = [column.label(f"concluded_{column.name}") for column in concluded]
    return select(_intents, *labelled).select_from(_both).where(_is_intent)


def _record(row: Row[tuple[object, ...]]) -> IntentRecord:
    return IntentRecord(
        intent=_open_intent(row),
        reason=row.reason,
        rule=row.rule,
        outcome=row.concluded_outcome,
        size_freed=row.concluded_size_freed or 0,
        error=row.concluded_error,
    )


def _open_intent(row: Row[tuple[object, ...]]) -> OpenIntent:
    return OpenIntent(
        intent=row.seq,
        run_id=row.run_id,
        at=row.at,
        where=ContainerRef(row.target, row.provider, row.container),
        key=row.key,
        upload_id=row.upload_id,
        initiated=row.initiated,
        size=row.size,
    )
