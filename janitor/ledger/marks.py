"""Since when we know an upload, through vanishing, change and clock steps. Pure.

The one danger: a clock that was behind is put right, and what was first seen
"in 1970" looks as if it had been known for decades. So the ledger remembers
the latest time that its clock ever showed (`high`). Whatever starts while the
clock shows an earlier time is marked with it (`catch_up`), counts as usual
while the clock stays below, and starts again at the first sighting at or
after that mark: somewhere between, the clock must have jumped, nobody knows
how far. If instead the clock had been ahead and was put right, that costs one
more grace when the false time comes; nothing waits for it.

So grace never passes earlier than true time allows if the clock is right, or
so far behind that it shows earlier times than before, until it is put right.
Grace passes after at most twice its length once the clock runs evenly,
whatever it did before. No memory can see a clock that runs ahead, or that
lags by less than the time since it was last read, or that jumps forward while
it is still behind: the comparison with the provider's clock does.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import NamedTuple

# All times here are microseconds since 1970, see codec.
_DAY = 24 * 3600 * 1_000_000
RETENTION = 30 * _DAY
_SUMMED = struct.Struct("<8q16s16s").pack
_UNKNOWN = -(2**63)  # no time and no size


class Mark(NamedTuple):
    """What is stored of one upload; `first_run` is the number of the run.

    `fingerprint` is a hash of the part set's, b"" when that is unknown.
    """

    initiated: int | None
    first_seen: int
    first_run: int
    unchanged_since: int
    last_seen: int
    fingerprint: bytes
    size: int | None
    catch_up: int | None

    def checksum(self, container: int, identity: bytes) -> int:
        """Sum up the row, so that a damaged one cannot pass for an older one.

        Raise struct.error for what never was a row.
        """
        initiated, first_seen, first_run, unchanged, last_seen, parts, size, catch_up = self
        return zlib.crc32(
            _SUMMED(
                container,
                _UNKNOWN if initiated is None else initiated,
                first_seen,
                first_run,
                unchanged,
                last_seen,
                _UNKNOWN if size is None else size,
                _UNKNOWN if catch_up is None else catch_up,
                identity,
                parts,
            )
        )


@dataclass(frozen=True, slots=True)
class Look:
    """One look at an upload: when, in which run, and the latest time that any look had."""

    at: int
    run: int
    high: int

    @property
    def catch_up(self) -> int | None:
        """The mark of whatever starts now: set if the clock once showed a later time."""
        return self.high if self.at < self.high else None


def first(initiated: int | None, fingerprint: bytes, size: int | None, look: Look) -> Mark:
    """Start the count of an upload."""
    return Mark(initiated, look.at, look.run, look.at, look.at, fingerprint, size, look.catch_up)


def again(
    mark: Mark | None, initiated: int | None, fingerprint: bytes, size: int | None, look: Look
) -> Mark:
    """Continue the count of an upload, or start it again where there is any doubt."""
    if mark is None or mark.initiated != initiated or not _holds(mark, look.at):
        return first(initiated, fingerprint, size, look)
    _, first_seen, first_run, unchanged_since, _, same, _, catch_up = mark
    if not fingerprint or fingerprint != same or unchanged_since > look.at:
        unchanged_since, catch_up = look.at, look.catch_up
    return Mark(
        initiated, first_seen, first_run, unchanged_since, look.at, fingerprint, size, catch_up
    )


def as_of(mark: Mark, at: int) -> Mark:
    """Read a mark at a moment without a look: what a look would start again, starts now."""
    if _holds(mark, at):
        return mark._replace(unchanged_since=min(mark.unchanged_since, at))
    return mark._replace(first_seen=at, unchanged_since=at)


def _holds(mark: Mark, at: int) -> bool:
    """Whether the count may go on at this moment."""
    vanished = mark.last_seen < at - RETENTION
    clock_jumped = mark.catch_up is not None and at >= mark.catch_up
    return not vanished and not clock_jumped and mark.first_seen <= at
