"""The chain of hashes that shows every change to the journal. Pure: no I/O, no clock, no SDK.

Whoever can write to the journal can also compute a new chain and a new head:
the chain proves nothing against them unless a head was noted elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime

from janitor.ledger.codec import microseconds
from janitor.ledger.types import Head

INTENT = "intent"
CONCLUSION = "conclusion"
EMPTY = Head(0, hashlib.sha256(b"upload janitor: journal 1").hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the journal: an intent, or the conclusion of an earlier one.

    `catch_up` is set when the clock stood earlier than it once did: the time
    that it had reached before.
    """

    seq: int
    kind: str
    at: datetime
    catch_up: datetime | None = None
    run_id: str | None = None
    target: str | None = None
    provider: str | None = None
    container: str | None = None
    key: str | None = None
    upload_id: str | None = None
    initiated: datetime | None = None
    last_activity: datetime | None = None
    parts: int | None = None
    size: int | None = None
    reason: str | None = None
    rule: str | None = None
    intent: int | None = None
    outcome: str | None = None
    size_freed: int | None = None
    error: str | None = None

    def values(self) -> dict[str, object]:
        """Give its values by the names of their columns."""
        return {name: getattr(self, name) for name in FIELDS}


FIELDS = tuple(field.name for field in fields(Entry))


def link(previous: str, entry: Entry) -> str:
    """Give the hash of an entry that follows the one with the hash `previous`."""
    return hashlib.sha256(f"{previous}\n{canonical(entry)}".encode()).hexdigest()


def canonical(entry: Entry) -> str:
    """Write an entry in the one way that is hashed: JSON in ASCII, sorted, times as counts."""
    values = {
        name: microseconds(value) if isinstance(value, datetime) else value
        for name, value in entry.values().items()
    }
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def problems(rows: Iterable[tuple[Entry, str]], head: Head | None) -> Iterator[str]:
    """Tell where rows, in their order, and the head do not fit together.

    After a row whose hash is wrong, the next is judged by the hash that is
    written there: one changed row is one problem.
    """
    count, previous = EMPTY.count, EMPTY.hash
    intents: set[int] = set()
    for entry, written in rows:
        if entry.seq != count + 1:
            yield f"journal: row {count + 1} is missing, the next is row {entry.seq}"
        elif link(previous, entry) != written:
            yield f"journal: row {entry.seq} is not what was written, or not where it was"
        yield from _misfits(entry, intents)
        count, previous = entry.seq, written
    if head is None:
        yield "journal: the record of its end is missing"
    elif head.count != count:
        yield f"journal: it ends with row {count}, but {head.count} rows were written"
    elif head.hash != previous:
        yield f"journal: row {count} is not the last that was written"


def _misfits(entry: Entry, open_intents: set[int]) -> Iterator[str]:
    if entry.kind == INTENT:
        open_intents.add(entry.seq)
    elif entry.intent in open_intents:
        open_intents.discard(entry.intent)
    else:
        yield f"journal: row {entry.seq} concludes row {entry.intent}, which is no open intent"
