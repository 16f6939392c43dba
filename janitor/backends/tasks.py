"""What a worker does: lists a container, reads parts, aborts. Never opens the ledger."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from janitor.backends.lease import Lease
from janitor.backends.notes import Notes, TooMany
from janitor.backends.pieces import (
    Acted,
    ActPiece,
    Greeting,
    Listing,
    ListPiece,
    Looked,
    LookPiece,
    Order,
    Reply,
    Result,
    Terms,
    Trouble,
    place_of,
)
from janitor.backends.shop import FLOOR, Shop, Taken, TooLate, clocks_of
from janitor.backends.slip import Slip
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
from janitor.engine.pool import bounded_map
from janitor.engine.survey import Survey, Surveyor
from janitor.errors import JanitorError
from janitor.model import ContainerRef, Outcome, Upload, UploadResult
from janitor.observe.events import ContainerCrashed
from janitor.policy import always_young
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
    except TooLate as error:
        return Reply(None, trouble=trouble_of(error), late=True)
    except Taken as error:
        return Reply(None, trouble=trouble_of(error), taken=True)
    except JanitorError as error:
        return Reply(None, trouble=trouble_of(error))
    piece = order.piece
    notes = Notes(piece.most if isinstance(piece, ListPiece) else 0)
    try:
        result = _Task(order, shop, target, notes).do()
    except JanitorError as error:
        return Reply(None, notes.requests(), trouble=trouble_of(error))
    requests = notes.requests()
    if isinstance(result, Listing) and result.too_many:
        # They will be listed again, and are not to be counted twice.
        requests = replace(requests, pages=())
    return Reply(result, requests)


@dataclass(frozen=True, slots=True)
class _Task:
    order: Order
    shop: Shop
    target: Target
    notes: Notes

    def do(self) -> Result:
        deadline = Deadline(self.order.seconds)
        caller = self.shop.caller(self.notes)
        match self.order.piece:
            case ListPiece() as piece:
                return self._list(piece, caller, deadline)
            case LookPiece() as piece:
                return self._look(piece, caller, deadline)
            case ActPiece() as piece:
                return _Acting(self, caller, deadline).act(piece)

    def place(self, container: str) -> ContainerRef:
        return place_of(self.target, container)

    def _list(self, piece: ListPiece, caller: Caller, deadline: Deadline) -> Listing:
        where = self.place(piece.container)
        terms = self.order.terms
        now, _ = clocks_of(self.order)
        # The connection first: it says what its requests are made in.
        reader = self.shop.connection(self.order, caller).reader(piece.container)
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
        )
        survey = Survey(where, now(), reader, self.target.policy)
        if not terms.every_upload:
            survey.young = always_young(where.provider, self.target.policy, terms.started)
        looks: list[Packed] = []

        def add(upload: Upload) -> None:
            if len(looks) >= piece.most:
                self.notes.too_many = True
                message = f"more than {piece.most} uploads need a look"
                raise TooMany(message)
            looks.append(pack_upload(upload))

        lane.arrive()
        try:
            surveyor.gather(survey, add, deadline)
        finally:
            lane.depart()
        return _listing(survey, self.notes, looks)

    def _look(self, piece: LookPiece, caller: Caller, deadline: Deadline) -> Looked:
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


def _listing(survey: Survey, notes: Notes, looks: Iterable[Packed]) -> Listing:
    if notes.too_many:
        return Listing("", None, 0, None, (), (), (), too_many=True)
    return Listing(
        survey.outcome.value,
        survey.error,
        survey.listed,
        survey.oldest,
        tuple((reason.value, count) for reason, count in survey.kept.items()),
        tuple(notes.told),
        tuple(looks),
        unsorted=survey.where in DISTRUSTED,
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
