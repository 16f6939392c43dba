"""The chain of hashes that shows every change to the journal. Pure: no I/O, no clock, no SDK.

Whoever can write to the journal can also compute a new chain and a new head:
the chain proves nothing against them unless a head was noted elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from json.encoder import encode_basestring_ascii as _quoted
from operator import itemgetter
from typing import Any, NamedTuple

from janitor.ledger.codec import microseconds
from janitor.ledger.types import Head

INTENT = "intent"
CONCLUSION = "conclusion"
EMPTY = Head(0, hashlib.sha256(b"upload janitor: journal 1").hexdigest())


class Entry(NamedTuple):
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


FIELDS = Entry._fields
Values = list[str | int | None]
_TIMES = tuple(map(FIELDS.index, ("at", "catch_up", "initiated", "last_activity")))
# The JSON of an entry, and the values in their order there.
_FORM = "{" + ",".join(f'"{name}":%s' for name in sorted(FIELDS)) + "}"
_SORTED = itemgetter(*map(FIELDS.index, sorted(FIELDS)))


def link(previous: str, entry: Entry) -> str:
    """Give the hash of an entry that follows the one with the hash `previous`."""
    return link_text(previous, canonical(values_of(entry)))


def values_of(entry: Entry) -> Values:
    """Give the values of an entry in the order of `FIELDS`, times as counts."""
    values: list[Any] = list(entry)
    for place in _TIMES:
        if values[place] is not None:
            values[place] = microseconds(values[place])
    return values


def link_text(previous: str, text: str) -> str:
    """Give the hash of an entry by the text that is hashed."""
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


def canonical(values: Values) -> str:
    """Write an entry in the one way that is hashed: JSON in ASCII, sorted, without spaces.

    By hand, since for each row of the journal that is several times as fast
    as the encoder of the standard library, which gives the same.
    """
    return _FORM % tuple(
        [
            "null" if v is None else _quoted(v) if isinstance(v, str) else str(v)
            for v in _SORTED(values)
        ]
    )


def problems(
    rows: Iterable[tuple[Entry, str]], head: Head | None, listed: Iterable[int] | None = None
) -> Iterator[str]:
    """Tell where rows, in their order, the head and the list of open intents do not fit together.

    After a row whose hash is wrong, the next is judged by the hash that is
    written there: one changed row is one problem. Where rows are wrong,
    nobody knows which intents should be `listed`.
    """
    count, previous = EMPTY.count, EMPTY.hash
    intents: set[int] = set()
    broken = False
    for entry, written in rows:
        found = [*_breaks(entry, Head(count, previous), written), *_misfits(entry, intents)]
        broken = broken or bool(found)
        yield from found
        count, previous = entry.seq, written
    if head is None:
        yield "journal: the record of its end is missing"
    elif head.count != count:
        yield f"journal: it ends with row {count}, but {head.count} rows were written"
    elif head.hash != previous:
        yield f"journal: row {count} is not the last that was written"
    elif listed is not None and not broken:
        yield from _unlisted(intents, set(listed))


def _breaks(entry: Entry, before: Head, written: str) -> Iterator[str]:
    if entry.seq != before.count + 1:
        yield f"journal: row {before.count + 1} is missing, the next is row {entry.seq}"
    elif link(before.hash, entry) != written:
        yield f"journal: row {entry.seq} is not what was written, or not where it was"


def _misfits(entry: Entry, open_intents: set[int]) -> Iterator[str]:
    if entry.kind == INTENT:
        open_intents.add(entry.seq)
    elif entry.intent in open_intents:
        open_intents.discard(entry.intent)
    else:
        yield f"journal: row {entry.seq} concludes row {entry.intent}, which is no open intent"


def _unlisted(open_intents: set[int], listed: set[int]) -> Iterator[str]:
    for intent in sorted(open_intents - listed):
        yield f"journal: row {intent} is an open intent, but not in the list of those"
    for intent in sorted(listed - open_intents):
        yield f"journal: row {intent} is in the list of open intents, but is none"
