"""Reads the parts of an upload, to learn when it was last alive and how large it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from janitor.engine.calls import Caller, Deadline
from janitor.engine.clock import require_true_clock
from janitor.engine.paging import pages
from janitor.errors import DeadlineExceeded, ProviderError, UploadGone
from janitor.model import (
    EARLIEST_PLAUSIBLE,
    Activity,
    Decision,
    Part,
    Reason,
    Upload,
    Verdict,
    earlier,
)
from janitor.policy import Policy, idle_threshold, judge
from janitor.providers.base import Marker, PartsPage, Reader

# Ten thousand parts is the most that any store allows, and the smallest page
# that a config can ask for holds one.
PARTS_PAGE_CAP = 20_000


@dataclass(frozen=True, slots=True)
class Checked:
    """A decision with the evidence of the parts; `error` says why there is none.

    `at` is the instant that was judged at: the earlier of our clock and the
    provider's, None where there was nothing to judge.
    """

    decision: Decision
    error: ProviderError | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Checker:
    """Judges single uploads of one container by what their parts tell now."""

    reader: Reader
    policy: Policy
    caller: Caller
    deadline: Deadline
    now: Callable[[], datetime]

    def check(self, upload: Upload, *, finish: bool = False) -> Checked:
        """Read the parts and judge; any doubt keeps, with its reason.

        Raises Interrupted and DeadlineExceeded, which are about the run and
        not about this upload.
        """
        clocks: list[datetime] = []
        try:
            seen = self._read(upload, clocks, finish=finish)
        except UploadGone:
            return Checked(_keep(upload, Reason.VANISHED))
        except DeadlineExceeded:
            raise
        except ProviderError as error:
            return Checked(unknown(upload), error)
        if isinstance(seen, Reason):
            return Checked(_keep(upload, seen))
        at = min([self.now(), *clocks])
        return Checked(judge(upload, self.policy, at, seen), at=at)

    def _read(self, upload: Upload, clocks: list[datetime], *, finish: bool) -> Activity | Reason:
        idle_for = idle_threshold(upload, self.policy)
        recent = None if idle_for is None else earlier(self.now(), idle_for)
        parts = _Parts(EARLIEST_PLAUSIBLE[upload.where.provider])
        for page in pages(lambda marker: self._page(upload, marker, finish=finish), PARTS_PAGE_CAP):
            if page.initiated is not None and page.initiated != upload.initiated:
                return Reason.CHANGED
            if page.server_time is not None:
                clocks.append(page.server_time)
            for part in page.parts:
                parts.add(part)
            if recent is not None and parts.last is not None and parts.last >= recent:
                return parts.activity(complete=page.next is None)
        return parts.activity(complete=True, fingerprint=parts.digest.hexdigest())

    def _page(self, upload: Upload, marker: Marker | None, *, finish: bool) -> PartsPage:
        return self.caller.call(
            self.reader.where,
            "list_parts",
            lambda: self._with_true_clock(self.reader.list_parts(upload, marker)),
            self.deadline,
            finish=finish,
        )

    def _with_true_clock(self, page: PartsPage) -> PartsPage:
        """Refuse to judge by a clock that jumped since the listing."""
        require_true_clock(self.now(), page.server_time)
        return page


def unknown(upload: Upload) -> Decision:
    """Keep an upload whose parts could not be read."""
    return _keep(upload, Reason.ACTIVITY_UNKNOWN)


class _Parts:
    """What was seen of the parts of one upload; one without a usable time hides when it lived."""

    __slots__ = ("_earliest", "count", "digest", "known", "last", "size")

    def __init__(self, earliest: datetime) -> None:
        self._earliest = earliest
        self.count = 0
        self.size: int | None = 0
        self.known = True
        self.last: datetime | None = None
        self.digest = hashlib.sha256()

    def add(self, part: Part) -> None:
        """Add one part."""
        self.count += 1
        self.size = None if self.size is None or part.size is None else self.size + part.size
        modified = part.modified
        if modified is None or modified < self._earliest:
            self.known = False
        elif self.last is None or modified > self.last:
            self.last = modified
        told = f"{part.number} {part.size} {modified} {part.fingerprint}\n"
        self.digest.update(told.encode(errors="backslashreplace"))

    def activity(self, *, complete: bool, fingerprint: str = "") -> Activity:
        """Give what they tell together."""
        return Activity(self.known, complete, self.count, self.size, self.last, fingerprint)


def _keep(upload: Upload, reason: Reason) -> Decision:
    return Decision(upload, Verdict.KEEP, reason, rule="evidence")
