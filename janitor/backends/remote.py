"""Lets workers make the requests of a sweep: lists and looks for surveys, and acts on the plan.

Only the sweep itself opens the ledger: it writes all intents of a piece down
before the piece is sent, and concludes each when the reply is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from janitor.backends.hands import Sent, Team
from janitor.backends.listing import Lister
from janitor.backends.pieces import LOOKS, Looked, LookPiece
from janitor.backends.repeating import Lost, again
from janitor.backends.spool import Spool
from janitor.backends.staff import NoWorkers
from janitor.backends.troubles import error_of, provider_error_of
from janitor.engine.activity import Checked
from janitor.engine.calls import Caller, Deadline
from janitor.engine.looks import asker
from janitor.engine.packing import pack_upload, unpack_candidate, unpack_upload
from janitor.engine.survey import Survey
from janitor.errors import JanitorError
from janitor.grace import WAITING
from janitor.model import Decision, Upload, UploadResult, size_of
from janitor.observe.events import UploadFinished


@dataclass(frozen=True, slots=True)
class Surveying:
    """Lists containers and reads parts by workers."""

    team: Team
    caller: Caller

    def gather(self, survey: Survey, add: Callable[[Upload], None], deadline: Deadline) -> bool:
        """List a container there; what was found is here on disk before any of it is taken."""
        where, reader = survey.where, survey.reader
        assert reader is not None  # noqa: S101  # for mypy: survey() has set it
        ask = asker(reader, self.caller, deadline, self.team.now)
        with Spool() as spool:
            Lister(self.team, survey, spool, deadline, ask).run()
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


__all__ = ["Lost", "NoWorkers", "Surveying", "again"]
