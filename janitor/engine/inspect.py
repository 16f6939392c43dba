"""Looks at chosen uploads of one container as a sweep does, and keeps the evidence.

Changes nothing, and goes on where a sweep would leave off: who asks wants to
know why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from janitor.engine.activity import Checked, Checker, unknown
from janitor.engine.calls import Caller, Deadline
from janitor.engine.looks import RemembersScans, contradicted, listed, object_at_risk
from janitor.errors import ProviderError
from janitor.evidence import Budget, Evidence, Known, Listing, Place
from janitor.grace import WORTH_A_MARK, Mark, settle
from janitor.ledger.types import Sighting
from janitor.model import ContainerRef, Decision, Reason, Upload, Verdict
from janitor.observe.events import Event, RequestFinished
from janitor.policy import Policy, judge, may_be_stale
from janitor.providers.base import Reader

_TROUBLE = {
    Reason.VANISHED: "the provider knows no such upload any more",
    Reason.CHANGED: "the list and its parts give different dates",
}


class Remembered(RemembersScans, Protocol):
    """What is asked of the ledger; raises LedgerError."""

    def sightings(
        self,
        where: ContainerRef,
        identities: Iterable[tuple[str, str]],
        at: datetime,
        fingerprints: Mapping[tuple[str, str], str] | None = None,
    ) -> Mapping[tuple[str, str], Sighting]:
        """Tell since when each is known, and unchanged."""


@dataclass(slots=True)
class Pages:
    """Counts the pages that were read; an observer."""

    parts: int = 0
    uploads: int = 0

    def __call__(self, event: Event) -> None:
        """Count a request that succeeded."""
        match event:
            case RequestFinished(operation="list_parts", code=None):
                self.parts += 1
            case RequestFinished(operation="list_page", code=None):
                self.uploads += 1
            case _:
                pass


@dataclass(frozen=True, slots=True)
class Inspector:
    """Inspects single uploads of one target; not for use by several threads."""

    caller: Caller
    pages: Pages
    policy: Policy
    place: Place
    now: Callable[[], datetime]
    deadline: Deadline
    memory: Remembered | None = None
    budget: Budget = field(default_factory=Budget)

    def find(
        self, reader: Reader, wanted: Callable[[Upload], bool]
    ) -> tuple[Listing, list[Upload]]:
        """List a container to its end, and give the wanted uploads; never raises a ProviderError.

        Where the listing fails, what was wanted so far is given, and the
        listing says why it must not be believed.
        """
        found: list[Upload] = []
        before, count, doubt = self.pages.uploads, 0, None
        try:
            for batch in listed(reader, self.caller, self.deadline, self.now):
                count += len(batch)
                found += filter(wanted, batch)
            doubt = self._doubt(reader.where, count)
        except ProviderError as error:
            doubt = f"{type(error).__name__}: {error}"
        return Listing(reader.where, count, self.pages.uploads - before, doubt), found

    def inspect(self, reader: Reader, upload: Upload, listing: Listing) -> Evidence:
        """Judge one upload like a sweep, and keep all that this is based on."""
        before = self.pages.parts
        asked = listing.doubt is None and may_be_stale(upload, self.policy, self.now())
        checked = self._checked(reader, upload, listing, asked=asked)
        known = self._known(checked.decision)
        decision = self._settled(checked.decision, known) if asked else checked.decision
        activity = checked.decision.activity
        finished, finished_doubt = self._finished(reader, decision)
        return Evidence(
            decision=decision,
            now=self.now(),
            place=self.place,
            listing=listing,
            parts_asked=asked,
            part_pages=self.pages.parts - before,
            trouble=_trouble(checked),
            parts_have_times=activity is not None and activity.known,
            has_ledger=self.memory is not None,
            known=known,
            kept_apart=reader.keeps_uploads_apart,
            finished=finished,
            finished_doubt=finished_doubt,
            budget=self.budget,
        )

    def _doubt(self, where: ContainerRef, count: int) -> str | None:
        last = contradicted(self.memory, where, count)
        if last is None:
            return None
        return f"{last.listed} were listed at {last.at:%F %T} UTC, too many to be gone"

    def _checked(self, reader: Reader, upload: Upload, listing: Listing, *, asked: bool) -> Checked:
        if asked:
            checker = Checker(reader, self.policy, self.caller, self.deadline, self.now)
            return checker.check(upload)
        if listing.doubt is not None and may_be_stale(upload, self.policy, self.now()):
            return Checked(unknown(upload))
        return Checked(judge(upload, self.policy, self.now()))

    def _known(self, decision: Decision) -> Known | None:
        if self.memory is None:
            return None
        upload, activity = decision.upload, decision.activity
        prints = {} if activity is None else {upload.identity: activity.fingerprint}
        found = self.memory.sightings(upload.where, [upload.identity], self.now(), prints)
        seen = found.get(upload.identity)
        return (
            None if seen is None else Known(seen.first_seen, seen.first_run, seen.unchanged_since)
        )

    def _settled(self, decision: Decision, known: Known | None) -> Decision:
        """Add the sightings, where a sweep would have marked the upload."""
        if self.memory is None or decision.activity is None:
            return decision
        if decision.reason not in WORTH_A_MARK:
            return decision
        now, fingerprint = self.now(), decision.activity.fingerprint
        mark = Mark(now, seen_before=False, unchanged_since=now, fingerprint=fingerprint)
        if known is not None:
            mark = replace(
                mark,
                first_seen=known.first_seen,
                seen_before=True,
                unchanged_since=known.unchanged_since,
            )
        return settle(decision, self.policy, now, mark)

    def _finished(self, reader: Reader, decision: Decision) -> tuple[datetime | None, str | None]:
        """Look for a finished object that an abort might take with it, as the abort would."""
        if decision.verdict is Verdict.KEEP:
            return None, None
        try:
            return object_at_risk(reader, self.caller, self.deadline, decision.upload), None
        except ProviderError as error:
            return None, f"{type(error).__name__}: {error}"


def _trouble(checked: Checked) -> str | None:
    if checked.error is not None:
        return f"{type(checked.error).__name__}: {checked.error}"
    return _TROUBLE.get(checked.decision.reason)
