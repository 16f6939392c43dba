"""Gives pieces of work to workers, and finds out which of them are lost."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from janitor.backends.notes import replay
from janitor.backends.pieces import (
    ActPiece,
    Greeting,
    Order,
    Piece,
    Reply,
    Terms,
    digest_of,
    veiled,
)
from janitor.backends.staff import Hand, NoWorkers, Staff, WorkerLost
from janitor.backends.troubles import error_of
from janitor.engine.calls import Deadline
from janitor.observe.events import Observer, WorkersNoticed
from janitor.providers.base import Identity
from janitor.targets import Target

# How long a worker may take to get ready, in seconds.
READY = 60.0
# What a reply may take beyond the deadline of a piece and the timeouts of its last request.
BEYOND = 10.0
# How often lost or late pieces are sent again.
TRIES = 5
GLANCE = 0.25
# How many are hired in all for each worker there may be: something ends them again and again.
MOST_HIRED = 10
# How long to wait for another worker when none is left, in seconds: a cluster starts them anew.
ANOTHER = 30.0


@dataclass(slots=True)
class _Member:
    """A worker that got ready, and how many pieces it has."""

    hand: Hand
    worker: str
    pieces: int = 0


@dataclass(slots=True)
class Sent:
    """A piece that was sent; `reply` waits for what comes of it."""

    order: Order
    member: _Member
    future: Future[Reply]
    team: Team
    ticks: float = field(default_factory=time.monotonic)

    def reply(self) -> Reply:
        """Give the reply; raise WorkerLost, or the trouble that kept the worker from it."""
        return self.team.reply_to(self)

    @property
    def over(self) -> bool:
        """Whether `reply` has not to wait: there is a reply, or none can come any more."""
        return self.future.done() or not self.member.hand.alive or self.team.gives_up(self)


@dataclass(slots=True)
class Team:
    """The workers of one run. For many threads.

    `last_request` is how long one request may take, in seconds.
    """

    staff: Staff
    terms: Terms
    tell: Observer
    now: Callable[[], datetime]
    stop: threading.Event
    targets: Mapping[str, Target]
    last_request: float
    identities: dict[str, Identity] = field(default_factory=dict)
    _members: list[_Member] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _hiring: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)
    _watch: threading.Thread | None = None
    _hired: int = 0
    _deserted: bool = False

    def begin(self) -> None:
        """Let workers get ready; raise NoWorkers where not one does."""
        self._hire(self.terms.workers)
        self._watch = threading.Thread(target=self._pass_on_stop, name="stop", daemon=True)
        self._watch.start()

    def end(self) -> None:
        """Let go of all workers."""
        self._over.set()
        if self._watch is not None:
            self._watch.join()
        self.staff.close(self.terms.run_id)

    def send(
        self,
        target: str,
        piece: Piece,
        deadline: Deadline,
        permit: Callable[[], None] = lambda: None,
        after: Sent | None = None,
    ) -> Sent:
        """Send a piece to the worker that has fewest; raise NoWorkers where there is none.

        One that comes `after` another goes to the same worker; raises WorkerLost where it is gone.
        `permit` is asked when all waiting is over, and the time of the piece has begun.
        What it raises is raised, and nothing is sent.
        """
        member = self._chosen() if after is None else self._same(after.member)
        known = self.targets[target]
        order = Order(
            self.terms,
            secrets.token_hex(8),
            member.worker,
            target,
            digest_of(known),
            veiled(self.identities[target]),
            self.now(),
            time.time(),
            deadline.left(),
            piece,
        )
        try:
            permit()
            future = member.hand.do(order)
        except BaseException:
            self._returned(member)
            raise
        return Sent(order, member, future, self)

    def reply_to(self, sent: Sent) -> Reply:
        """Wait for the reply to a piece, as long as its worker lives and it can come."""
        try:
            reply = _awaited(sent)
            if reply.taken:
                message = "may have begun a piece before, of which nothing is known"
                raise WorkerLost(message)  # as whatever else is not known
        except self._losses as error:
            sent.future.cancel()  # nobody may begin it now
            how = str(error) if isinstance(error, WorkerLost) else "is gone"
            self._lose(sent.member, how)
            message = f"worker {sent.member.hand.name} {how}"
            raise WorkerLost(message) from error
        finally:
            self._returned(sent.member)
        known = self.targets[sent.order.target]
        replay(reply.requests, known.name, known.provider, self.tell)
        if reply.trouble is not None and not reply.late:
            raise error_of(reply.trouble)
        return reply

    def wait_for_lease(self, sent: Sent, seconds: float) -> None:
        """Wait until a piece that is lost begins nothing more, wherever its worker is now."""
        if self.staff.lost_may_go_on:
            # By the clock that says more: one may have been set, the other stood still.
            by_wall = sent.order.sent + seconds - time.time()
            by_ticks = sent.ticks + seconds - time.monotonic()
            time.sleep(min(seconds, max(0.0, by_wall, by_ticks)))

    def gives_up(self, sent: Sent) -> bool:
        """Whether a reply should have come long ago."""
        allowed = max(0.0, _longest(sent)) + self.last_request + BEYOND
        return time.monotonic() > sent.ticks + allowed

    @property
    def _losses(self) -> tuple[type[BaseException], ...]:
        """What a future fails with where its worker is of no use any more."""
        return (WorkerLost, OSError, NotInTime, CancelledError, *self.staff.losses)

    def _chosen(self) -> _Member:
        """Choose the worker that has fewest pieces; where none is left, wait for another."""
        give_up = time.monotonic() + (0.0 if self._deserted else ANOTHER)
        while True:
            if self._count() < self.terms.workers:
                self._replace()
            with self._lock:
                usable = [each for each in self._members if each.hand.alive]
                if usable:
                    self._deserted = False
                    chosen = min(usable, key=lambda member: member.pieces)
                    chosen.pieces += 1
                    return chosen
            if time.monotonic() >= give_up or self.stop.wait(GLANCE):
                self._deserted = True  # so that nobody else waits as long
                message = "no worker is left"
                raise NoWorkers(message)

    def _same(self, member: _Member) -> _Member:
        """Choose a worker that has what is asked for; raise WorkerLost where it is gone."""
        with self._lock:
            if not (member.hand.alive and member in self._members):
                message = f"worker {member.hand.name} is gone"
                raise WorkerLost(message)
            member.pieces += 1
            return member

    def _count(self) -> int:
        with self._lock:
            members = list(self._members)
        return sum(member.hand.alive for member in members)

    def _returned(self, member: _Member) -> None:
        with self._lock:
            member.pieces -= 1

    def _lose(self, member: _Member, how: str) -> None:
        with self._lock:
            known = member in self._members
            if known:
                self._members.remove(member)
        if known:
            self.tell(WorkersNoticed(f"worker {member.hand.name} {how}: its work is done again"))

    def _replace(self) -> None:
        """Hire others for those that are gone; one thread does it for all."""
        with self._hiring:
            with self._lock:
                self._members = [each for each in self._members if each.hand.alive]
                missing = self.terms.workers - len(self._members)
            missing = min(missing, MOST_HIRED * self.terms.workers - self._hired)
            if missing > 0 and not self.stop.is_set():
                with suppress(NoWorkers):  # those that are left do it, or whoever asks is told
                    self._hire(missing)

    def _hire(self, count: int) -> None:
        """Let that many get ready; those that cannot are told of."""
        hands = self.staff.hire(count)
        self._hired += len(hands)
        greetings = [(hand, self._greeted(hand)) for hand in hands]
        until = time.monotonic() + READY  # for all of them: whoever waits for a worker waits
        objections = [self._welcome(hand, greeting, until) for hand, greeting in greetings]
        with self._lock:
            ready = bool(self._members)
        if not ready:
            told = next((each for each in objections if each), "there is none")
            message = f"no worker can be used: {told}"
            raise NoWorkers(message)

    def _greeted(self, hand: Hand) -> Future[Greeting]:
        """Ask a worker to get ready; what keeps us from that is its answer."""
        try:
            return hand.greet(self.terms)
        except Exception as error:  # noqa: BLE001  # one worker must not keep us from the others
            failed: Future[Greeting] = Future()
            failed.set_exception(error)
            return failed

    def _welcome(self, hand: Hand, greeting: Future[Greeting], until: float) -> str | None:
        """Take a worker that is ready; give what is wrong with it."""
        try:
            found = greeting.result(max(0.0, until - time.monotonic()))
            worker, trouble = found.worker, found.trouble
        except Exception as error:  # noqa: BLE001  # the same: its answer may be anything
            objection = str(error) or type(error).__name__
        else:
            if trouble is None:
                with self._lock:
                    self._members.append(_Member(hand, worker))
                if self.stop.is_set():  # those that were there before have been told
                    self._tell_to_stop(hand)
                return None
            objection = trouble.message
        self.tell(WorkersNoticed(f"worker {hand.name} cannot be used: {objection}"))
        hand.dismiss()
        return objection

    def _pass_on_stop(self) -> None:
        while not self._over.is_set():
            if self.stop.wait(GLANCE):
                with self._lock:
                    hands = [member.hand for member in self._members]
                for hand in hands:
                    self._tell_to_stop(hand)
                return

    def _tell_to_stop(self, hand: Hand) -> None:
        # Beside: one that does not listen must not keep the others from hearing.
        threading.Thread(target=hand.stop, args=(self.terms.run_id,), daemon=True).start()

    @property
    def idle(self) -> bool:
        """Whether workers would have something to do for pieces that need not be sent yet."""
        with self._lock:
            pieces = sum(member.pieces for member in self._members)
        return pieces < self.ahead

    @property
    def ahead(self) -> int:
        """How many pieces of one target may be under way: a few for each worker."""
        return 2 * max(1, self._count())


def _longest(sent: Sent) -> float:
    """Tell how long a piece may take, in seconds.

    After its lease a worker can begin no abort, and only looks what became of the last ones.
    """
    order, patience = sent.order, sent.order.terms.patience
    if not isinstance(order.piece, ActPiece):
        return order.seconds
    one_look = patience.attempts * (sent.team.last_request + patience.longest_delay)
    return min(order.seconds, order.piece.lease + one_look)


def _awaited(sent: Sent) -> Reply:
    """Wait for a reply, until long after the deadline; raise WorkerLost where none can come."""
    hand = sent.member.hand
    while True:
        try:
            return sent.future.result(GLANCE)
        except NotInTime:
            if sent.future.done():
                raise
        if not hand.alive and not sent.future.done():
            message = "is gone"
            raise WorkerLost(message)
        if sent.team.gives_up(sent):
            hand.dismiss()
            message = "does not answer"
            raise WorkerLost(message)
