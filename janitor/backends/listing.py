"""Lists one container by workers: by one of them, or by all where its keys can be divided."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import suppress
from dataclasses import dataclass

from janitor.backends.hands import GLANCE, TRIES, Sent, Team
from janitor.backends.pieces import Fetched, FetchPiece, Listing, ListPiece, Reply
from janitor.backends.repeating import Lost, again
from janitor.backends.spool import Spool
from janitor.engine.assembly import Assembly
from janitor.engine.calls import PASSED, Deadline
from janitor.engine.listers import Ask
from janitor.engine.looks import DISTRUSTED
from janitor.engine.splitting import Turn
from janitor.engine.survey import Survey
from janitor.errors import DeadlineExceeded, Incomplete, JanitorError
from janitor.model import Reason, TargetOutcome

UNSORTED = "unsorted"
# Until so many seconds after the deadline what a listing had found before it is fetched.
LONGEST = 60.0


@dataclass(frozen=True, slots=True)
class Lister:
    """Lists one container: counts are noted in the survey, all else lands in the spool.

    `ask` makes a request here, which is needed only where uploads came or went
    between two workers.
    """

    team: Team
    survey: Survey
    spool: Spool
    deadline: Deadline
    ask: Ask

    def run(self) -> None:
        """List, and note in the survey what went wrong; what was found before counts."""
        survey = self.survey
        reader = survey.reader
        divides = reader is not None and reader.can_split and survey.where not in DISTRUSTED
        try:
            if divides and self.team.terms.workers > 1:
                self._by_all(Assembly(self.team.terms.workers))
            else:
                piece = ListPiece(survey.where.container, survey.where in DISTRUSTED)
                self._take(piece, self._send(piece))
        except JanitorError as error:
            if isinstance(error, Incomplete) and error.code == UNSORTED:
                DISTRUSTED.add(survey.where)
            survey.fail(error)

    def _by_all(self, assembly: Assembly) -> None:
        """Share the keys out until nothing is left of them."""
        under_way: list[tuple[ListPiece, Sent]] = []
        try:
            while True:
                # Where many containers are listed at once, workers have enough to do, and to hold.
                while (idle := self.team.idle) or not under_way:
                    share = assembly.share(idle=idle)
                    if share is None:
                        break
                    piece = ListPiece(self.survey.where.container, share=share)
                    under_way.append((piece, self._send(piece)))
                if not under_way:
                    break
                piece, sent = under_way.pop(_next([sent for _, sent in under_way]))
                found = self._take(piece, sent)
                if self.survey.outcome is not TargetOutcome.COMPLETE:
                    return
                assembly.take(found.account)
        finally:
            for _, sent in under_way:
                self._abandon(sent)
        while (check := assembly.check()) is not None:
            alone = check.key if check.marker is None else None
            turn = Turn(check.marker, key=alone, check=check)
            assembly.checked(check, self.ask(turn).page)
        assembly.prove()

    def _send(self, piece: ListPiece) -> Sent:
        return self.team.send(self.survey.where.target, piece, self.deadline)

    def _take(self, piece: ListPiece, first: Sent) -> Listing:
        """Wait for one piece, fetch all that was found, and note what is to be noted of it."""
        found = again(lambda: self._send(piece), self.deadline, self._fetched, first)
        survey = self.survey
        survey.listed += found.listed
        survey.kept += Counter({Reason(reason): count for reason, count in found.kept})
        if found.oldest is not None:
            survey.note_oldest(found.oldest)
        if survey.outcome is TargetOutcome.COMPLETE:
            survey.outcome, survey.error = TargetOutcome(found.outcome), found.error
        if found.unsorted:
            DISTRUSTED.add(survey.where)
        return found

    def _fetched(self, listed: Sent, reply: Reply) -> Listing:
        """Fetch what a worker found; raise WorkerLost where it is lost with its worker."""
        found = reply.result
        assert isinstance(found, Listing)  # noqa: S101  # for mypy: it is what was asked for
        size = self.spool.finish()
        try:
            position = 0 if found.size else None
            while position is not None:
                position = self._fetch(listed, position)
        except JanitorError:
            self.spool.cut(size)  # it is listed again, or was never counted
            self._forget(listed)
            raise
        return found

    def _abandon(self, listed: Sent) -> None:
        """Wait for what nobody wants to know any more, and let its worker forget it."""
        with suppress(JanitorError):
            found = listed.reply().result
            if isinstance(found, Listing) and found.size:
                self._forget(listed)

    def _forget(self, listed: Sent) -> None:
        """Free the worker's disk of it, if the worker is still there."""
        piece = FetchPiece(listed.order.number, None)
        with suppress(JanitorError):
            self.team.send(listed.order.target, piece, self.deadline, after=listed).reply()

    def _fetch(self, listed: Sent, position: int) -> int | None:
        """Fetch some of it; give the position of the next."""
        if self.deadline.left() < -LONGEST:
            raise DeadlineExceeded(PASSED, code="deadline")
        piece = FetchPiece(listed.order.number, position)
        for _ in range(TRIES):
            sent = self.team.send(listed.order.target, piece, self.deadline, after=listed)
            found = sent.reply().result
            if isinstance(found, Fetched):
                self.spool.take(found.chunks)
                return found.next
        message = f"what was found was asked for {TRIES} times, too late each time"
        raise Lost(message)


def _next(under_way: list[Sent]) -> int:
    """Wait for the first one to which there is a reply, or none to come."""
    while True:
        for place, sent in enumerate(under_way):
            if sent.over:
                return place
        wait([sent.future for sent in under_way], GLANCE, FIRST_COMPLETED)
