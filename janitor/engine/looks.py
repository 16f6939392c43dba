"""Questions that a sweep and an explanation must ask in exactly the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Protocol

from janitor.engine.calls import Caller, Deadline
from janitor.engine.clock import require_true_clock
from janitor.engine.paging import uploads
from janitor.ledger.types import LastScan
from janitor.model import ContainerRef, Upload
from janitor.providers.base import Marker, Page, Reader
from janitor.suspicion import is_suspicious


class RemembersScans(Protocol):
    """What is asked of the ledger here; raises LedgerError."""

    def last_scan(self, where: ContainerRef) -> LastScan | None:
        """Give the last believed listing of a container."""


def listed(
    reader: Reader, caller: Caller, deadline: Deadline, now: Callable[[], datetime]
) -> Iterator[list[Upload]]:
    """Yield every upload of a container once, page by page, by a clock that is not contradicted.

    Raises what `Caller.call` raises, Incomplete and ClockSkewed.
    """

    def proven(marker: Marker | None, key: str | None) -> Page:
        page = reader.list_page(marker, key=key)
        require_true_clock(now(), page.server_time)
        return page

    def list_page(marker: Marker | None, key: str | None) -> Page:
        return caller.call(reader.where, "list_page", lambda: proven(marker, key), deadline)

    return uploads(list_page, can_list_one_key=reader.can_list_one_key)


def contradicted(memory: RemembersScans | None, where: ContainerRef, count: int) -> LastScan | None:
    """Give the last believed listing if `count` uploads are too few to follow it."""
    last = None if memory is None else memory.last_scan(where)
    if last is None or not is_suspicious(count, last.listed, last.aborted_since, last.doubts):
        return None
    return last


def object_at_risk(
    reader: Reader, caller: Caller, deadline: Deadline, upload: Upload
) -> datetime | None:
    """Tell when the finished object was written that an abort might take with it.

    None where the store keeps the two apart, or no object is as new as the
    upload. Raises what `Caller.call` raises.
    """
    if reader.keeps_uploads_apart or upload.initiated is None:
        return None
    written = caller.call(
        upload.where, "head_object", lambda: reader.object_written(upload), deadline
    )
    # Dates of objects are whole seconds.
    if written is None or written < upload.initiated.replace(microsecond=0):
        return None
    return written
