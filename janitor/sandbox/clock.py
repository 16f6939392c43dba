"""The sandbox's own time: real by default, and it may be set, moved or frozen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock


class SandboxClock:
    """A clock that every reply, listing date and expiry of the sandbox is taken from.

    It starts at `start` (default: the real time) and keeps running from wherever it was
    last set. A frozen clock only moves when it is told to. Naive datetimes are refused
    with ValueError, because a guess about their zone would be a wrong age.
    """

    def __init__(self, start: datetime | None = None, *, frozen: bool = False) -> None:
        self._lock = Lock()
        self._offset = timedelta(0)
        self._fixed = datetime.now(UTC) if frozen else None
        if start is not None:
            self.set(start)

    def now(self) -> datetime:
        """Tell the sandbox's time, in UTC."""
        with self._lock:
            return self._now()

    def set(self, moment: datetime) -> None:
        """Jump to `moment`, forwards or backwards."""
        if moment.tzinfo is None:
            msg = f"the sandbox clock needs a time zone: {moment.isoformat()}"
            raise ValueError(msg)
        with self._lock:
            self._jump(moment.astimezone(UTC) - self._now())

    def move(self, distance: timedelta) -> None:
        """Jump by `distance`; a negative one goes back in time."""
        with self._lock:
            self._jump(distance)

    def _now(self) -> datetime:
        return self._fixed if self._fixed is not None else datetime.now(UTC) + self._offset

    def _jump(self, distance: timedelta) -> None:
        if self._fixed is not None:
            self._fixed += distance
        else:
            self._offset += distance
