"""Writes the rows of uploads as JSON, without making them: there may be millions. Pure.

Each line is what `json.dumps` makes of the row, to the letter.
"""

from __future__ import annotations

from datetime import datetime
from json.encoder import encode_basestring_ascii as quoted

from janitor.model import ContainerRef, UploadResult
from janitor.report.rows import age_of, utc


class Lines:
    """Writes the uploads of one sweep; from one thread at a time or from many."""

    def __init__(self, started_at: datetime | None = None) -> None:
        self.started_at = started_at
        self._places: dict[ContainerRef, str] = {}

    def line(self, result: UploadResult) -> str:
        """Describe what became of one upload, in the words of `rows.UploadRow`."""
        decision = result.decision
        upload, activity = decision.upload, decision.activity
        whole = activity if activity is not None and activity.complete else None
        place = self._places.get(upload.where) or self._begin(upload.where)
        text = (
            ""
            if upload.initiated is not None
            else f', "initiated_text": {_text(upload.initiated_text)}'
        )
        return (
            f'{place}{_text(upload.key)}, "upload_id": {quoted(upload.upload_id)}, '
            f'"initiated": {_time(upload.initiated)}, '
            f'"age_seconds": {_number(age_of(upload.initiated, self.started_at))}, '
            f'"last_activity": {_time(decision.last_activity)}, '
            f'"bytes": {_number(None if whole is None else whole.size)}, '
            f'"parts": {_number(None if whole is None else whole.parts)}, '
            f'"description": {_text(upload.description or None)}, '
            f'"initiator": {_text(upload.initiator or None)}, '
            f'"storage_class": {_text(upload.storage_class or None)}, '
            f'"verdict": {quoted(decision.verdict)}, "reason": {quoted(decision.reason)}, '
            f'"rule": {quoted(decision.rule)}, '
            f'"outcome": {_text(result.outcome)}, '
            f'"bytes_freed": {result.bytes_freed}, '
            f'"eligible_at": {_time(decision.eligible_at)}, "error": {_text(result.error)}'
            f"{text}}}"
        )

    def _begin(self, where: ContainerRef) -> str:
        """Write what begins the lines of all uploads of a container."""
        begun = (
            f'{{"target": {quoted(where.target)}, "provider": {quoted(where.provider)}, '
            f'"container": {quoted(where.container)}, "key": '
        )
        self._places[where] = begun
        return begun


def _text(text: str | None) -> str:
    return "null" if text is None else quoted(text)


def _number(number: int | None) -> str:
    return "null" if number is None else str(number)


def _time(moment: datetime | None) -> str:
    if moment is None:
        return "null"
    return f'"{utc(moment)}"'
