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

from janitor.backends.hands import TRIES, Sent, Team
from janitor.backends.pieces import LOOKS, MOST_LISTED, Listing, ListPiece, Looked, LookPiece, Reply
from janitor.backends.staff import NoWorkers, WorkerLost
from janitor.backends.troubles import error_of, provider_error_of
from janitor.engine.activity import Checked
from janitor.engine.calls import PASSED, Deadline
from janitor.engine.looks import DISTRUSTED
from janitor.engine.packing import pack_upload, unpack_candidate, unpack_upload
from janitor.engine.survey import Survey
from janitor.errors import DeadlineExceeded, JanitorError
from janitor.grace import WAITING
from janitor.model import Reason, TargetOutcome, Upload, UploadResult, size_of
from janitor.observe.events import UploadFinished


class Lost(JanitorError):  # noqa: N818  # says what happened
    """Worker after worker was lost at the same piece of work."""


@dataclass(frozen=True, slots=True)
class Surveying:
    """Lists containers and reads parts by workers."""

    team: Team

    def gather(self, survey: Survey, add: Callable[[Upload], None], deadline: Deadline) -> bool:
        """List a container there, unless it has so much that it has to be done here."""
        where = survey.where
        if where in DISTRUSTED:
            return False  # which a worker of this sweep cannot know
        piece = ListPiece(where.container, MOST_LISTED)
        reply = again(lambda: self.team.send(where.target, piece, deadline), deadline)
        found = reply.result
        if not isinstance(found, Listing) or found.too_many:
            return False
        survey.listed, survey.oldest = found.listed, found.oldest
        survey.kept = Counter({Reason(reason): count for reason, count in found.kept})
        survey.outcome, survey.error = TargetOutcome(found.outcome), found.error
        if found.unsorted:
            DISTRUSTED.add(where)
        for packed in found.told:
            decision = unpack_candidate(where, packed).decision
            if decision.reason in WAITING:
                survey.bytes_waiting += size_of(decision)
            self.team.tell(UploadFinished(UploadResult(decision)))
        for packed in found.looks:
            add(unpack_upload(where, packed))
        return True

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
        reply = again(lambda: self.team.send(target, piece, deadline), deadline, first)
        found = reply.result
        assert isinstance(found, Looked)  # noqa: S101  # for mypy: it is what was asked for
        for packed, trouble, at in found.checked:
            decision = unpack_candidate(survey.where, packed).decision
            yield Checked(decision, provider_error_of(trouble), at)
        if found.trouble is not None:
            raise error_of(found.trouble)


def again(send: Callable[[], Sent], deadline: Deadline, first: Sent | None = None) -> Reply:
    """Send a piece that changes nothing until there is a reply; raise Lost where that is hopeless.

    Raises the trouble of a worker, DeadlineExceeded and NoWorkers.
    """
    told = "it came too late, every time"
    for _ in range(TRIES):
        if first is None and deadline.left() <= 0:
            raise DeadlineExceeded(PASSED, code="deadline")
        sent, first = first or send(), None
        try:
            reply = sent.reply()
        except WorkerLost as error:
            told = str(error)
            continue
        if reply.trouble is None:
            return reply
    message = f"a piece of work was sent {TRIES} times in vain: {told}"
    raise Lost(message)


__all__ = ["Lost", "NoWorkers", "Surveying", "again"]
