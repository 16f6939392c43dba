"""Packs uploads and decisions into plain tuples that `marshal` writes in a microsecond. Pure.

What is packed is unpacked by the same process: the shape is nobody's promise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeAlias

from janitor.grace import Mark
from janitor.model import Activity, ContainerRef, Decision, Reason, Upload, Verdict

Packed: TypeAlias = tuple[Any, ...]

# To ask an enum for a member, or a member for its value, takes as long as all the rest.
_VERDICTS = {str(verdict): verdict for verdict in Verdict}
_REASONS = {str(reason): reason for reason in Reason}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is stale, and what the ledger knew of it."""

    decision: Decision
    mark: Mark | None = None


def pack_upload(upload: Upload) -> Packed:
    """Pack all but the container, which is the same for many."""
    return (
        upload.key,
        upload.upload_id,
        _instant(upload.initiated),
        upload.initiated_text,
        upload.description,
        upload.initiator,
        upload.storage_class,
    )


def unpack_upload(where: ContainerRef, packed: Packed) -> Upload:
    """Give back what was packed."""
    key, upload_id, initiated, *rest = packed
    return Upload(where, key, upload_id, _moment(initiated), *rest)


def pack_candidate(candidate: Candidate) -> Packed:
    """Pack a decision, its evidence and the mark, but not the container."""
    decision, mark = candidate.decision, candidate.mark
    return (
        pack_upload(decision.upload),
        str(decision.verdict),
        str(decision.reason),
        decision.rule,
        _instant(decision.eligible_at),
        None if decision.activity is None else _pack_activity(decision.activity),
        None if mark is None else _pack_mark(mark),
    )


def unpack_candidate(where: ContainerRef, packed: Packed) -> Candidate:
    """Give back what was packed."""
    upload, verdict, reason, rule, eligible_at, activity, mark = packed
    decision = Decision(
        unpack_upload(where, upload),
        _VERDICTS[verdict],
        _REASONS[reason],
        rule,
        _moment(eligible_at),
        None if activity is None else _unpack_activity(activity),
    )
    return Candidate(decision, None if mark is None else _unpack_mark(mark))


def _pack_activity(activity: Activity) -> Packed:
    return (
        activity.known,
        activity.complete,
        activity.parts,
        activity.size,
        _instant(activity.last_part),
        activity.fingerprint,
    )


def _unpack_activity(packed: Packed) -> Activity:
    known, complete, parts, size, last_part, fingerprint = packed
    return Activity(known, complete, parts, size, _moment(last_part), fingerprint)


def _pack_mark(mark: Mark) -> Packed:
    first, unchanged = _instant(mark.first_seen), _instant(mark.unchanged_since)
    return first, mark.seen_before, unchanged, mark.fingerprint


def _unpack_mark(packed: Packed) -> Mark:
    first, seen_before, unchanged, fingerprint = packed
    return Mark(_shared(first), seen_before, _shared(unchanged), fingerprint)


@lru_cache(maxsize=64)
def _shared(instant: int) -> datetime:
    """Give a moment that many have in common: marks are made a thousand at once."""
    return _EPOCH + instant * _MICROSECOND


def _instant(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def _moment(instant: int | None) -> datetime | None:
    return None if instant is None else _EPOCH + instant * _MICROSECOND
