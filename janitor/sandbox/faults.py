"""The fault plan: which call of which operation goes wrong, and how. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from janitor.sandbox.wire import Call


class FaultKind(StrEnum):
    """What goes wrong."""

    STATUS = "status"  # an error reply with the provider's own document; nothing was done
    STATUS_AFTER = "status_after"  # the same, but the action was done all the same
    NONE = "none"  # the true reply, for latency and header changes alone
    CUT_BODY = "cut_body"  # Content-Length promises more than is sent, then the connection closes
    CUT_DOCUMENT = "cut_document"  # half a document, with a matching Content-Length
    WRONG_TYPE = "wrong_type"  # the true body as text/plain
    EMPTY_BODY = "empty_body"  # the true status and headers, no body
    HTML_BODY = "html_body"  # a proxy's page instead of the reply, status 200 by default
    REPEAT_MARKER = "repeat_marker"  # the next marker equals the one that was sent
    CYCLE_MARKERS = "cycle_markers"  # the next markers alternate for ever: A, B, A, B
    NO_MARKER = "no_marker"  # truncated, but no marker to go on with
    DUPLICATES = "duplicates"  # the previous page's entries come again, before this page's
    WRONG_CONTAINER = "wrong_container"  # the reply names another bucket or vault
    DROP_BEFORE = "drop_before"  # the connection closes, nothing was done
    DROP_AFTER = "drop_after"  # the connection closes, the action was done: a lost reply
    REDIRECT = "redirect"  # 307 (or `status`) to `location`
    PRETEND = "pretend"  # an abort says 204 and leaves the upload where it is


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One planned fault.

    It strikes the `nth` matching call (counted from 1 since it was added) and the ones
    after it, `times` in all; None means for ever. `operation` may be a pattern such as
    "s3.*". `container`, `key` and `marker` narrow the match ("" as marker is the first
    page). `status` and `code` default to what fits the kind and the provider. `headers`
    are added to the reply, None takes one away. `latency` is in seconds. `keep` says how
    many bytes of the body survive a cut; by default half of them.
    """

    operation: str
    kind: FaultKind = FaultKind.STATUS
    nth: int = 1
    times: int | None = 1
    container: str | None = None
    key: str | None = None
    marker: str | None = None
    status: int | None = None
    code: str | None = None
    message: str | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    latency: float = 0.0
    location: str | None = None
    keep: int | None = None

    def matches(self, call: Call) -> bool:
        """Tell whether the fault is meant for such a call at all."""
        wanted = ((self.container, call.container), (self.key, call.key))
        return (
            fnmatchcase(call.operation, self.operation)
            and all(want is None or want == have for want, have in wanted)
            and (self.marker is None or self.marker == call.marker)
        )


class FaultPlan:
    """The faults to come. Safe to use from any thread."""

    def __init__(self) -> None:
        self.operations: frozenset[str] = frozenset()
        self._lock = Lock()
        self._seen: list[tuple[Fault, list[int]]] = []

    def add(self, fault: Fault) -> None:
        """Plan one more; of several that match a call, the first one added strikes.

        Raises ValueError if its operation matches none that exists.
        """
        check_operation(fault.operation, self.operations)
        with self._lock:
            self._seen.append((fault, [0]))

    def clear(self) -> None:
        """Forget every planned fault."""
        with self._lock:
            self._seen.clear()

    def take(self, call: Call) -> Fault | None:
        """Count the call, and return the fault that strikes it."""
        with self._lock:
            struck = [fault for fault, seen in self._seen if _strikes(fault, seen, call)]
        return struck[0] if struck else None

    def unused(self) -> list[Fault]:
        """Return the faults that never struck, so that a test can prove that its own did."""
        with self._lock:
            return [fault for fault, seen in self._seen if seen[0] < fault.nth]


def check_operation(pattern: str, known: frozenset[str]) -> None:
    """Refuse a name or pattern that fits no operation: it would be silently without effect."""
    if not any(fnmatchcase(name, pattern) for name in known):
        msg = f"no operation is called {pattern!r}; there are {', '.join(sorted(known))}"
        raise ValueError(msg)


def _strikes(fault: Fault, seen: list[int], call: Call) -> bool:
    if not fault.matches(call):
        return False
    seen[0] += 1
    return seen[0] >= fault.nth and (fault.times is None or seen[0] < fault.nth + fault.times)
