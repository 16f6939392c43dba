"""Lets workers make the requests of a sweep: lists and looks for surveys, and acts on the plan.

Only the sweep itself opens the ledger: it writes all intents of a piece down
before the piece is sent, and concludes each when the reply is there.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from janitor.backends.hands import TRIES, Sent, Team
from janitor.backends.pieces import (
    LOOKS,
    Fetched,
    FetchPiece,
    Listing,
    ListPiece,
    Looked,
    LookPiece,
    Reply,
)
from janitor.backends.spool import Spool
from janitor.backends.staff import NoWorkers, WorkerLost
from janitor.backends.troubles import error_of, provider_error_of
from janitor.engine.activity import Checked
from janitor.engine.calls import PASSED, Deadline
from janitor.engine.looks import DISTRUSTED
from janitor.engine.packing import pack_upload, unpack_candidate, unpack_upload
from janitor.engine.survey import Survey
from janitor.errors import DeadlineExceeded, JanitorError
from janitor.grace import WAITING
from janitor.model import (
    ContainerRef,
    Decision,
    Reason,
    TargetOutcome,
    Upload,
    UploadResult,
    size_of,
)
from janitor.observe.events import UploadFinished

T = TypeVar("T")


class Lost(JanitorError):  # noqa: N818  # says what happened
    """Worker after worker was lost at the same piece of work."""


@dataclass(frozen=True, slots=True)
class Surveying:
    """Lists containers and reads parts by workers."""

    team: Team

    def gather(self, survey: Survey, add: Callable[[Upload], None], deadline: Deadline) -> bool:
        """List a container there; what was found is here on disk before any of it is taken."""
        where = survey.where
        with Spool() as spool:
            found = self._listed(where, spool, deadline)
            survey.listed, survey.oldest = found.listed, found.oldest
            survey.kept = Counter({Reason(reason): count for reason, count in found.kept})
            survey.outcome, survey.error = TargetOutcome(found.outcome), found.error
            if found.unsorted:
                DISTRUSTED.add(where)
            for told, looks in spool.read():
                for packed in told:
                    self._tell(survey, unpack_candidate(where, packed).decision)
                for packed in looks:
                    add(unpack_upload(where, packed))
        return True

    def _tell(self, survey: Survey, decision: Decision) -> None:
        if decision.reason in WAITING:
            survey.bytes_waiting += size_of(decision)
        self.team.tell(UploadFinished(UploadResult(decision)))

    def _listed(self, where: ContainerRef, spool: Spool, deadline: Deadline) -> Listing:
        """Let a worker list, and fetch all that it found."""
        # A worker that comes later cannot know whom this sweep distrusts.
        piece = ListPiece(where.container, where in DISTRUSTED)

        def take(sent: Sent, reply: Reply) -> Listing:
            found = reply.result
            assert isinstance(found, Listing)  # noqa: S101  # for mypy: it is what was asked for
            spool.cut(0)
            if found.size:
                self._fetch(sent, spool, deadline)
            return found

        return again(lambda: self.team.send(where.target, piece, deadline), deadline, take)

    def _fetch(self, listed: Sent, spool: Spool, deadline: Deadline) -> None:
        """Fetch all that a worker keeps; raise WorkerLost where it is lost with its worker."""
        position: int | None = 0
        while position is not None:
            piece = FetchPiece(listed.order.number, position)
            for _ in range(TRIES):
                sent = self.team.send(listed.order.target, piece, deadline, after=listed)
                found = sent.reply().result
                if found is not None:
                    break
            if not isinstance(found, Fetched):
                message = f"what was found was asked for {TRIES} times, too late each time"
                raise Lost(message)
            spool.take(found.chunks)
            position = found.next

    def look(
        self, survey: Survey, uploads: Iterator[Upload], deadline: Deadline
    ) -> Iterator[Checked]:
        """Read the parts of uploads there, a few pieces at a time."""
        where = survey.where
        under_way: deque[tuple[LookPiece, Sent]] = deque()
        try:
            while True:
                while len(under_way) < self.team.ahead:
                    packed = tuple(pack_upload(upload) for upload in islice(uploads, LOOKS))
                    if not packed:
                        break
                    piece = LookPiece(where.container, packed)
                    under_way.append((piece, self.team.send(where.target, piece, deadline)))
                if not under_way:
                    return
                piece, sent = under_way.popleft()
                yield from self._checked(survey, piece, sent, deadline)
        finally:
            for _, sent in under_way:
                with suppress(JanitorError):  # nobody wants to know any more
                    sent.reply()

    def _checked(
        self, survey: Survey, piece: LookPiece, first: Sent, deadline: Deadline
    ) -> Iterator[Checked]:
        target = survey.where.target
        found = again(
            lambda: self.team.send(target, piece, deadline),
            deadline,
            lambda _, reply: reply.result,
            first,
        )
        assert isinstance(found, Looked)  # noqa: S101  # for mypy: it is what was asked for
        for packed, trouble, at in found.checked:
            decision = unpack_candidate(survey.where, packed).decision
            yield Checked(decision, provider_error_of(trouble), at)
        if found.trouble is not None:
            raise error_of(found.trouble)


def again(
    send: Callable[[], Sent],
    deadline: Deadline,
    take: Callable[[Sent, Reply], T],
    first: Sent | None = None,
) -> T:
    """Send a piece that changes nothing until its reply was taken; raise Lost in the end.

    It is sent again, too, where `take` raises WorkerLost. Raises the trouble of a
    worker, DeadlineExceeded and NoWorkers.
    """
    told = "it came too late, every time"
    for _ in range(TRIES):
        if first is None and deadline.left() <= 0:
            raise DeadlineExceeded(PASSED, code="deadline")
        sent, first = first or send(), None
        try:
            reply = sent.reply()
            if reply.trouble is None:
                return take(sent, reply)
        except WorkerLost as error:
            told = str(error)
    message = f"a piece of work was sent {TRIES} times in vain: {told}"
    raise Lost(message)


__all__ = ["Lost", "NoWorkers", "Surveying", "again"]
