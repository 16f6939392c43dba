"""Questions that a sweep and an explanation must ask in exactly the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from datetime import datetime
from typing import Protocol

from janitor.engine.calls import Caller, Deadline
from janitor.engine.clock import require_true_clock
from janitor.engine.listers import Hands, Timed, spread, timed
from janitor.engine.paging import uploads
from janitor.engine.seams import Unsorted
from janitor.engine.splitting import Ranges, Turn
from janitor.ledger.types import LastScan
from janitor.model import ContainerRef, Upload
from janitor.providers.base import Marker, Page, Reader
from janitor.suspicion import is_suspicious


class RemembersScans(Protocol):
    """What is asked of the ledger here; raises LedgerError."""

    def last_scan(self, where: ContainerRef) -> LastScan | None:
        """Give the last believed listing of a container."""


# Containers that were out of order when they were listed in this process. They are
# listed page by page from then on, whatever is said of their store.
DISTRUSTED: set[ContainerRef] = set()


def listed(  # noqa: PLR0913, PLR0917  # each is one thing that a listing needs
    reader: Reader,
    caller: Caller,
    deadline: Deadline,
    now: Callable[[], datetime],
    requests: Executor | None = None,
    ranges: Ranges | None = None,
) -> Iterator[Sequence[Upload]]:
    """Yield every upload of a container once, page by page, by a clock that is not contradicted.

    With `requests` and where the store allows it, several pages are asked for
    at once if that pays. `ranges` are those of a share of it, which only a
    container may have that is not listed page by page. Raises what `Caller.call`
    raises, Incomplete and ClockSkewed.
    """

    def list_page(marker: Marker | None, key: str | None) -> Page:
        return caller.call(
            reader.where, "list_page", lambda: _read(reader, now, marker, key), deadline
        )

    # Whoever has ranges has asked, and its share stays one, whatever others find out meanwhile.
    if ranges is None and (not reader.markers_are_exact or reader.where in DISTRUSTED):
        return uploads(list_page, can_list_one_key=reader.can_list_one_key)
    hands = None
    if reader.can_split and requests is not None:
        window = caller.flow.endpoint(reader.where).window
        hands = Hands(requests, lambda: window.size)
    listing = spread(asker(reader, caller, deadline, now), hands, ranges=ranges)
    return _in_order(reader.where, listing)


def asker(
    reader: Reader, caller: Caller, deadline: Deadline, now: Callable[[], datetime]
) -> Callable[[Turn], Timed]:
    """Make what asks for a page, or probes, and measures how long that takes."""

    def ask(turn: Turn) -> Timed:
        operation, limit = ("list_probe", 1) if turn.probes else ("list_page", None)

        def measured() -> Timed:
            return timed(lambda: _read(reader, now, turn.marker, turn.key, limit))

        return caller.call(reader.where, operation, measured, deadline)

    return ask


def _read(
    reader: Reader,
    now: Callable[[], datetime],
    marker: Marker | None,
    key: str | None,
    limit: int | None = None,
) -> Page:
    page = reader.list_page(marker, key=key, limit=limit)
    require_true_clock(now(), page.server_time)
    return page


def _in_order(
    where: ContainerRef, listing: Iterator[Sequence[Upload]]
) -> Iterator[Sequence[Upload]]:
    """Remember where a listing was not in order: another run can do without."""
    try:
        yield from listing
    except Unsorted:
        DISTRUSTED.add(where)
        raise


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
