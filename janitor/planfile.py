"""Plans as files: what `janitor plan` writes and `janitor apply` reads. Pure: no I/O, no clock.

A plan is JSON Lines in pure ASCII: a header, one line for each upload in the
order of the plan, and a last line with the SHA-256 of all bytes before it. A
file that differs in a single byte from what was written is no plan.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, TypeVar

from janitor.errors import JanitorError
from janitor.model import ContainerRef, Decision, Reason, parse_time

SCHEMA_VERSION = 1

_ENDLESS = "is not a plan, or its end is missing"
_CHANGED = "was changed after it was written: its digest does not fit"
_STRANGE = "says what no janitor of this version writes"

T = TypeVar("T")


class BadPlan(JanitorError):  # noqa: N818  # says what the plan is
    """The plan must not be applied; the message says why, and what to do instead."""


@dataclass(frozen=True, slots=True)
class PlannedTarget:
    """Where a target was, whose credentials were used, and by which policy it was judged."""

    target: str
    provider: str
    endpoint: str
    region: str
    account: str | None
    policy_fingerprint: str


@dataclass(frozen=True, slots=True)
class PlannedUpload:
    """One upload to abort, with the evidence; `fingerprint` stands for its part set."""

    where: ContainerRef
    key: str | None
    upload_id: str
    initiated: datetime | None
    last_activity: datetime | None
    size: int | None
    parts: int | None
    fingerprint: str
    rule: str
    reason: Reason
    eligible_at: datetime | None

    @property
    def name(self) -> tuple[ContainerRef, str, str]:
        """What tells it apart from every other upload."""
        return (self.where, self.key or "", self.upload_id)


@dataclass(frozen=True, slots=True)
class PlanFile:
    """What one run would abort, and all that must still hold when it is applied."""

    run_id: str
    created_at: datetime
    expires_at: datetime
    version: str
    config_fingerprint: str
    targets: tuple[PlannedTarget, ...]
    uploads: tuple[PlannedUpload, ...]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A plan as its file says it, with the digest that the file ends with."""

    plan: PlanFile
    digest: str


def planned(decision: Decision) -> PlannedUpload:
    """Put a decision to abort into a plan."""
    upload, activity = decision.upload, decision.activity
    whole = activity if activity is not None and activity.complete else None
    return PlannedUpload(
        where=upload.where,
        key=upload.key,
        upload_id=upload.upload_id,
        initiated=upload.initiated,
        last_activity=decision.last_activity,
        size=None if whole is None else whole.size,
        parts=None if whole is None else whole.parts,
        fingerprint="" if whole is None else whole.fingerprint,
        rule=decision.rule,
        reason=decision.reason,
        eligible_at=decision.eligible_at,
    )


def encode(plan: PlanFile) -> bytes:
    """Write a plan, sealed by its digest."""
    lines = [_header(plan), *map(_upload_line, plan.uploads)]
    body = b"".join(map(_line, lines))
    return body + _end(_digest(body))


def decode(data: bytes) -> Sealed:
    """Read a plan back; raise `BadPlan` unless every byte is as it was written."""
    body, digest = _unsealed(data)
    try:
        header, *rows = map(json.loads, body.splitlines())
        return Sealed(_plan(header, rows), digest)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _bad(_STRANGE) from error


def _unsealed(data: bytes) -> tuple[bytes, str]:
    start = data.rfind(b"\n", 0, max(0, len(data) - 1)) + 1
    body, end = data[:start], data[start:]
    digest = _digest(body)
    if end == _end(digest) and body:
        return body, digest
    if not end.startswith(b'{"type":"end"') or not end.endswith(b"}\n"):
        raise _bad(_ENDLESS)
    raise _bad(_CHANGED)


def _bad(what: str) -> BadPlan:
    return BadPlan(f"the file {what}: make a new one with janitor plan --out FILE")


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _end(digest: str) -> bytes:
    return _line({"type": "end", "digest": digest})


def _line(row: Mapping[str, object]) -> bytes:
    return json.dumps(row, separators=(",", ":")).encode("ascii") + b"\n"


def _header(plan: PlanFile) -> dict[str, object]:
    return {
        "type": "plan",
        "schema_version": SCHEMA_VERSION,
        "run_id": plan.run_id,
        "created_at": _written(plan.created_at),
        "expires_at": _written(plan.expires_at),
        "version": plan.version,
        "config_fingerprint": plan.config_fingerprint,
        "targets": [asdict(target) for target in plan.targets],
        "uploads": len(plan.uploads),
    }


def _upload_line(upload: PlannedUpload) -> dict[str, object]:
    return {
        "type": "upload",
        "target": upload.where.target,
        "provider": upload.where.provider,
        "container": upload.where.container,
        "key": upload.key,
        "upload_id": upload.upload_id,
        "initiated": _written(upload.initiated),
        "last_activity": _written(upload.last_activity),
        "bytes": upload.size,
        "parts": upload.parts,
        "fingerprint": upload.fingerprint,
        "rule": upload.rule,
        "reason": upload.reason.value,
        "eligible_at": _written(upload.eligible_at),
    }


def _plan(header: Any, rows: Iterable[Any]) -> PlanFile:
    _demand(header["type"] == "plan" and header["schema_version"] == SCHEMA_VERSION)
    uploads = tuple(map(_upload, rows))
    _demand(header["uploads"] == len(uploads))
    return PlanFile(
        run_id=_text(header["run_id"]),
        created_at=_instant(header["created_at"]),
        expires_at=_instant(header["expires_at"]),
        version=_text(header["version"]),
        config_fingerprint=_text(header["config_fingerprint"]),
        targets=tuple(map(_target, header["targets"])),
        uploads=uploads,
    )


def _target(row: Any) -> PlannedTarget:
    texts = {field.name for field in fields(PlannedTarget)} - {"account"}
    _demand(set(row) == {*texts, "account"})
    account = _or_none(_text, row["account"])
    return PlannedTarget(**{name: _text(row[name]) for name in texts}, account=account)


def _upload(row: Any) -> PlannedUpload:
    _demand(row["type"] == "upload")
    return PlannedUpload(
        where=ContainerRef(_text(row["target"]), _text(row["provider"]), _text(row["container"])),
        key=_or_none(_text, row["key"]),
        upload_id=_text(row["upload_id"]),
        initiated=_or_none(_instant, row["initiated"]),
        last_activity=_or_none(_instant, row["last_activity"]),
        size=_or_none(_number, row["bytes"]),
        parts=_or_none(_number, row["parts"]),
        fingerprint=_text(row["fingerprint"]),
        rule=_text(row["rule"]),
        reason=Reason(row["reason"]),
        eligible_at=_or_none(_instant, row["eligible_at"]),
    )


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _instant(value: Any) -> datetime:
    moment = parse_time(_text(value))
    if moment is None:
        msg = "not an instant with a zone"
        raise ValueError(msg)
    return moment


def _text(value: Any) -> str:
    _demand(isinstance(value, str))
    return str(value)


def _number(value: Any) -> int:
    _demand(isinstance(value, int) and not isinstance(value, bool))
    return int(value)


def _or_none(read: Callable[[Any], T], value: Any) -> T | None:
    return None if value is None else read(value)


def _demand(holds: object) -> None:
    if not holds:
        msg = "not what a plan says"
        raise ValueError(msg)
