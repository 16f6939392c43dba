"""What a worker does: lists a container, reads parts, aborts. Never opens the ledger."""

from __future__ import annotations

import os
import traceback
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime

from janitor.backends.lease import Lease
from janitor.backends.notes import Notes
from janitor.backends.pieces import (
    Acted,
    ActPiece,
    FetchPiece,
    Greeting,
    Listing,
    ListPiece,
    Looked,
    LookPiece,
    Order,
    Reply,
    Requests,
    Result,
    Terms,
    Trouble,
    place_of,
)
from janitor.backends.shop import FLOOR, Shop, Taken, TooLate, clocks_of
from janitor.backends.slip import Slip
from janitor.backends.spool import Spool
from janitor.backends.troubles import trouble_of
from janitor.engine.act import Executor
from janitor.engine.activity import Checked, Checker
from janitor.engine.calls import Caller, Deadline
from janitor.engine.looks import DISTRUSTED
from janitor.engine.packing import (
    Candidate,
    Packed,
    pack_candidate,
    pack_upload,
    unpack_candidate,
    unpack_upload,
)
from janitor.engine.paging import PAGE_CAP
from janitor.engine.pool import bounded_map
from janitor.engine.seams import Unsorted
from janitor.engine.splitting import Ranges
from janitor.engine.stretches import ALL_DONE, WHOLE, Account
from janitor.engine.survey import Survey, Surveyor
from janitor.errors import JanitorError
from janitor.model import ContainerRef, Outcome, TargetOutcome, UploadResult
from janitor.observe.events import ContainerCrashed
from janitor.policy import always_young
from janitor.providers.base import Reader
from janitor.targets import Target


def greet(terms: Terms) -> Greeting:
    """Get ready for a run, and say who we are."""
    trouble = None
    try:
        FLOOR.shop(terms)
    except JanitorError as error:
        trouble = trouble_of(error)
    return Greeting(FLOOR.name, os.getpid(), trouble)


def stop(run_id: str) -> None:
    """Begin no more requests for a run."""
    FLOOR.stop(run_id)


def close(run_id: str) -> None:
    """Forget a run."""
    FLOOR.close(run_id)


def do(order: Order) -> Reply:
    """Do a piece of work; whatever happens, say what happened."""
    try:
        shop = FLOOR.admit(order)
        target = shop.target(order)
    except JanitorError as error:
        late, taken = isinstance(error, TooLate), isinstance(error, Taken)
        return Reply(None, trouble=trouble_of(error), late=late, taken=taken)
    return _done(order, shop, target)


def _done(order: Order, shop: Shop, target: Target) -> Reply:
    notes = Notes()
    try:
        match order.piece:
            case FetchPiece() as piece:
                return Reply(*shop.shelf.fetch(piece))
            case ListPiece() as piece:
                return _list(order, piece, shop, target)
            case LookPiece() as piece:
                result: Result = _Task(order, shop, target, notes).look(piece)
            case ActPiece() as piece:
                result = _Task(order, shop, target, notes).act(piece)
    except JanitorError as error:
        return Reply(None, notes.requests(), trouble=trouble_of(error))
    return Reply(result, notes.requests())


def _list(order: Order, piece: ListPiece, shop: Shop, target: Target) -> Reply:
    """List, and keep here what was found until it is fetched."""
    with ExitStack() as stack:
        spool = stack.enter_context(Spool())
        notes = Notes(spool.tell)
        try:
            listing = _Task(order, shop, target, notes).list(piece, spool)
        except JanitorError as error:
            return Reply(None, notes.requests(), trouble=trouble_of(error))
        requests = notes.requests()
        if listing.size:
            stack.pop_all()
            # Where it cannot be fetched it is listed again, and is not to be counted twice.
            pages = Requests(requests.containers, requests.pages)
            requests = replace(requests, pages=())
            shop.shelf.put(order.number, spool, pages)
        return Reply(listing, requests)


@dataclass(frozen=True, slots=True)
class _Task:
    order: Order
    shop: Shop
    target: Target
    notes: Notes

    @property
    def deadline(self) -> Deadline:
        """The time that is left for it from now on."""
        return Deadline(self.order.seconds)

    def act(self, piece: ActPiece) -> tuple[Acted, ...]:
        """Abort what is still stale."""
        return _Acting(self, self.shop.caller(self.notes), self.deadline).act(piece)

    def place(self, container: str) -> ContainerRef:
        """Name a container of the target."""
        return place_of(self.target, container)

    def list(self, piece: ListPiece, spool: Spool) -> Listing:
        """List a container; what needs a word or a look is in the spool."""
        deadline, caller = self.deadline, self.shop.caller(self.notes)
        where = self.place(piece.container)
        terms = self.order.terms
        now, _ = clocks_of(self.order)
        # The connection first: it says what its requests are made in.
        reader = self.shop.connection(self.order, caller).reader(piece.container)
        ranges = _ranges_of(piece, reader)
        lane = self.shop.crew.requests(where)
        surveyor = Surveyor(
            caller,
            self.notes,
            lane,
            2 * self.shop.flow.budget,
            now,
            terms.started,
            lambda _: None,
            every_upload=terms.every_upload,
            ranges=ranges,
        )
        survey = Survey(where, now(), reader, self.target.policy)
        if not terms.every_upload:
            survey.young = always_young(where.provider, self.target.policy, terms.started)
        lane.arrive()
        try:
            surveyor.gather(survey, lambda upload: spool.look(pack_upload(upload)), deadline)
        finally:
            lane.depart()
        return _listing(survey, spool.finish(), ranges)

    def look(self, piece: LookPiece) -> Looked:
        """Read parts."""
        deadline, caller = self.deadline, self.shop.caller(self.notes)
        where = self.place(piece.container)
        now, _ = clocks_of(self.order)
        reader = self.shop.connection(self.order, caller).reader(piece.container)
        checker = Checker(reader, self.target.policy, caller, deadline, now)
        uploads = [unpack_upload(where, packed) for packed in piece.uploads]
        lane = self.shop.crew.requests(where)
        checked: list[tuple[Packed, Trouble | None, datetime | None]] = []
        try:
            for each in bounded_map(lane, checker.check, uploads, len(uploads)):
                checked.append(_packed(each))  # noqa: PERF401  # what came before an error counts
        except JanitorError as error:
            return Looked(tuple(checked), trouble_of(error))
        return Looked(tuple(checked))


def _ranges_of(piece: ListPiece, reader: Reader) -> Ranges | None:
    """Give the ranges of a share; None where all is listed as one. Raises Unsorted.

    What a worker has found out in another run, this sweep may not know.
    """
    if piece.unsorted:
        DISTRUSTED.add(reader.where)
    if reader.can_split and reader.where not in DISTRUSTED:
        return Ranges(PAGE_CAP, piece.share)
    if piece.share.stretches != (WHOLE,):
        raise Unsorted
    return None


def _listing(survey: Survey, size: int, ranges: Ranges | None) -> Listing:
    complete = survey.outcome is TargetOutcome.COMPLETE
    account = ALL_DONE
    if ranges is not None:
        account = ranges.account() if complete else Account(())
    return Listing(
        survey.outcome.value,
        survey.error,
        survey.listed,
        survey.oldest,
        tuple((reason.value, count) for reason, count in survey.kept.items()),
        size,
        survey.where in DISTRUSTED,
        account,
    )


def _packed(checked: Checked) -> tuple[Packed, Trouble | None, datetime | None]:
    trouble = None if checked.error is None else trouble_of(checked.error)
    return pack_candidate(Candidate(checked.decision)), trouble, checked.at


class _Acting:
    """Carries out one piece of a plan."""

    def __init__(self, task: _Task, caller: Caller, deadline: Deadline) -> None:
        self._task = task
        self._caller = caller
        self._deadline = deadline

    def act(self, piece: ActPiece) -> tuple[Acted, ...]:
        """Abort what is still stale, side by side, as long as the lease allows it."""
        task = self._task
        order, shop = task.order, task.shop
        lease = Lease(piece.lease, order.sent + piece.lease)
        connection = shop.connection(order, self._caller)
        aborter = shop.aborter(order, self._caller)
        now, wall = clocks_of(order)

        def executor(name: str) -> Executor:
            checker = Checker(
                connection.reader(name), task.target.policy, self._caller, self._deadline, now
            )
            return Executor(
                checker, aborter, self._caller, self._deadline, wall, order.terms.run_id
            )

        executors = [executor(name) for name in piece.containers]
        places = [task.place(name) for name in piece.containers]
        candidates = [
            (executors[at], unpack_candidate(places[at], packed)) for at, packed in piece.candidates
        ]

        def carry_out(pair: tuple[Executor, Candidate]) -> Acted:
            return self._carry_out(*pair, lease)

        lane = shop.crew.requests(places[0])
        return tuple(bounded_map(lane, carry_out, candidates, len(candidates)))

    def _carry_out(self, executor: Executor, candidate: Candidate, lease: Lease) -> Acted:
        slip = Slip(lease)
        if lease.closing:
            withheld = UploadResult(candidate.decision, Outcome.WITHHELD)
            return slip.acted(withheld, late=True)
        mine = replace(executor, memory=slip, permit=slip.permit)
        try:
            return slip.acted(mine.carry_out(candidate.decision, candidate.mark))
        except Exception as error:  # noqa: BLE001  # one upload must not stop the others
            where = candidate.decision.upload.where
            trace = "".join(traceback.format_exception(error))
            self._task.notes(ContainerCrashed(where, trace))
            told = f"{type(error).__name__}: {error}"
            return slip.acted(UploadResult(candidate.decision, Outcome.FAILED, told))
