"""Opens the way to every target, and writes down in the ledger that a run begins."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from janitor.engine.calls import Deadline
from janitor.engine.discover import ALL
from janitor.engine.memory import RunLedger
from janitor.engine.reconcile import Reconciler
from janitor.engine.survey import Survey
from janitor.errors import DeadlineExceeded, Interrupted, JanitorError
from janitor.ledger.types import Beginning, OpenIntent, RunHeader, TargetHeader
from janitor.model import ContainerRef
from janitor.observe.events import (
    ContainerCrashed,
    IntentReconciled,
    LedgerNoticed,
    TargetOpened,
)
from janitor.providers.base import Connection, Identity, Reader
from janitor.sweep.run import OUTLIVED, Job, Run

# No lease is so long, and no clock that we trust so wrong: workers of an older run have ended.
LONG_AGO = timedelta(hours=1)

# So long a target may be asked again who we are there, in seconds: all others wait for it, because
# what the ledger is told of a run comes before everything else.
OPENING = 120.0


@dataclass(frozen=True, slots=True)
class Opened:
    """A target as it was found: the way to it, or the trouble that there was."""

    job: Job
    trouble: Survey
    connection: Connection | None = None
    identity: Identity = field(default_factory=Identity)

    @property
    def header(self) -> TargetHeader:
        """Give what the ledger keeps of it."""
        target, identity = self.job.target, self.identity
        return TargetHeader(
            target.name,
            target.provider,
            identity.endpoint,
            identity.region or "",
            identity.account,
            self.job.policy_fingerprint,
        )


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens targets for one run; `stack` closes them again."""

    run: Run
    stack: ExitStack
    deadline: Deadline

    def open(self, job: Job) -> Opened:
        """Open the way to a target, and learn who we are there; never raises."""
        where = ContainerRef(job.target.name, job.target.provider, ALL)
        trouble = Survey(where, self.run.now())
        try:
            connection = self.stack.enter_context(closing(job.connect()))
            identity = self._identity(where, connection)
        except JanitorError as error:
            trouble.fail(error)
            return Opened(job, trouble)
        except Exception as error:  # noqa: BLE001  # one target must not stop the others
            trouble.fail(error)
            crashed(self.run, where, error)
            return Opened(job, trouble)
        self.run.tell(_told(job, identity))
        return Opened(job, trouble, connection, identity)

    def _identity(self, where: ContainerRef, connection: Connection) -> Identity:
        deadline = Deadline(min(OPENING, target_deadline(self.run, self.deadline).left()))
        return self.run.caller.call(where, "identify", connection.identify, deadline)

    def begin(self, targets: Iterable[Opened], started: datetime) -> None:
        """Write the run down, and first of all look what earlier runs left open."""
        run, ledger = self.run, self.run.ledger
        if ledger is None:
            return
        opened = {found.job.target.name: found for found in targets}
        headers = tuple(found.header for found in opened.values())
        header = RunHeader(
            run.run_id, run.mode, started, run.version, run.config_fingerprint, headers
        )
        if run.vet is not None:
            run.vet(header)
        self._tell_beginning(ledger.begin(header))
        self._reconcile_all(ledger, opened)

    def _reconcile_all(self, ledger: RunLedger, opened: dict[str, Opened]) -> None:
        reconciler = Reconciler(ledger, self.run.caller, self.run.tell, self.run.now)
        intents = ledger.open_intents()
        if any(self._may_be_at_work(intent) for intent in intents):
            self.run.caller.stop.wait(self.run.lease)
        for intent in intents:
            found = opened.get(intent.where.target)
            if not self.run.owns(intent.where.target, intent.where.container):
                continue  # another shard may be at it right now
            if found is not None and found.connection is not None:
                reader = found.connection.reader(intent.where.container)
                self._reconcile(reconciler, intent, reader)

    def _may_be_at_work(self, intent: OpenIntent) -> bool:
        """Whether a worker may be at it until its lease is over, although its run was killed."""
        recent = self.run.now() - intent.at < LONG_AGO
        return recent and intent.run_id.endswith(OUTLIVED)

    def _reconcile(self, reconciler: Reconciler, intent: OpenIntent, reader: Reader) -> None:
        try:
            reconciler.reconcile(intent, reader, self.deadline)
        except (Interrupted, DeadlineExceeded) as error:
            event = IntentReconciled(intent.where, intent.key, intent.upload_id, None, str(error))
            self.run.tell(event)

    def _tell_beginning(self, beginning: Beginning) -> None:
        if beginning.fresh:
            self.run.tell(
                LedgerNoticed(
                    "the ledger is new: nothing is aborted before a later run has seen it again;"
                    " if every run says so, the ledger is not kept between runs"
                )
            )
        for target in sorted(beginning.changed_targets):
            self.run.tell(
                LedgerNoticed(
                    f"the policy or the address of target {target} changed:"
                    " its grace starts again, and this run only plans there"
                )
            )


def _told(job: Job, found: Identity) -> TargetOpened:
    names = (job.target.name, job.target.provider)
    return TargetOpened(*names, found.endpoint, found.region, found.account, found.transport)


def target_deadline(run: Run, whole: Deadline) -> Deadline:
    """Give one target its time, within the time of the whole run."""
    allowed = run.execution.target_timeout.total_seconds()
    return Deadline(min(allowed, whole.left()))


def crashed(run: Run, where: ContainerRef, error: Exception) -> None:
    """Tell of a mistake of ours."""
    run.tell(ContainerCrashed(where, "".join(traceback.format_exception(error))))
