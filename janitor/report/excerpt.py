"""Chooses the uploads that a person should see first, of any number, in bounded memory. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from janitor.model import Outcome, Reason
from janitor.report.rows import UploadRow

_TROUBLE = frozenset({Outcome.FAILED.value, Outcome.SURVIVED.value})
_SLACK = 1000


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The first few rows, and how many more there are."""

    rows: Sequence[UploadRow]
    more: int


@dataclass(frozen=True, slots=True)
class Excerpts:
    """The stale uploads that were acted on or withheld, and those kept with a notable reason."""

    stale: Excerpt
    kept: Excerpt


def excerpts(uploads: Iterable[UploadRow], limit: int) -> Excerpts:
    """Read all uploads once and choose at most `limit` of each kind.

    What could not be aborted comes first, then the oldest; an unknown date
    comes last. Young uploads are not notable.
    """
    stale, kept = _First(limit), _First(limit)
    for row in uploads:
        if row["outcome"] is not None:
            stale.add(row)
        elif row["reason"] != Reason.YOUNG:
            kept.add(row)
    return Excerpts(stale.excerpt(), kept.excerpt())


class _First:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rows: list[UploadRow] = []
        self._seen = 0

    def add(self, row: UploadRow) -> None:
        self._seen += 1
        self._rows.append(row)
        if len(self._rows) > self._limit + _SLACK:
            self._cut()

    def excerpt(self) -> Excerpt:
        self._cut()
        return Excerpt(tuple(self._rows), self._seen - len(self._rows))

    def _cut(self) -> None:
        # The sort is stable: equals stay in the order in which they were recorded.
        self._rows.sort(key=_urgency)
        del self._rows[self._limit :]


def _urgency(row: UploadRow) -> tuple[bool, bool, str]:
    initiated = row["initiated"]
    return (row["outcome"] not in _TROUBLE, initiated is None, initiated or "")
