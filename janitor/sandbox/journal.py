"""What was asked of the sandbox, and what nobody should ever have asked. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
HARMLESS: Final = frozenset({"sts.assume_role", "sts.get_caller_identity"})


@dataclass(frozen=True)
class Entry:
    """One request. `status` is None when the connection was dropped instead of a reply.

    `target` is the raw request line's target, `when` the sandbox's time, `fault` the kind
    of fault that struck. `access_key_id` is the claimed one: it is not proof of anything.
    """

    when: datetime
    provider: str
    operation: str
    method: str
    target: str
    container: str | None
    key: str | None
    upload_id: str | None
    status: int | None
    access_key_id: str
    fault: str | None = None


@dataclass(frozen=True)
class Accusation:
    """A request that would have changed something other than one named upload."""

    why: str
    entry: Entry


class Journal:
    """The newest requests, up to a limit. Safe to use from any thread."""

    def __init__(self, limit: int | None) -> None:
        self._lock = Lock()
        self._entries: deque[Entry] = deque(maxlen=limit)

    def add(self, entry: Entry) -> None:
        """Remember one request."""
        with self._lock:
            self._entries.append(entry)

    def clear(self) -> None:
        """Forget everything so far."""
        with self._lock:
            self._entries.clear()

    def entries(self, operation: str | None = None) -> list[Entry]:
        """Copy the entries, oldest first, of one operation or of all."""
        with self._lock:
            return [e for e in self._entries if operation in {None, e.operation}]

    def operations(self) -> list[str]:
        """Name the operations, oldest first."""
        return [entry.operation for entry in self.entries()]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries())

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)


def accuse(entry: Entry, *, owner: bool) -> Accusation | None:
    """Say what is wrong with a request that changes something; None if nothing is."""
    if entry.method in READING or entry.operation in HARMLESS or owner:
        return None
    if not entry.operation.endswith(".abort"):
        return Accusation(f"{entry.operation} changes something and is no abort", entry)
    needed = {"container": entry.container, "upload id": entry.upload_id}
    if entry.provider != "glacier":
        needed["key"] = entry.key
    empty = [name for name, value in needed.items() if not value]
    if empty:
        return Accusation(f"an abort without {' and '.join(empty)}", entry)
    return None
