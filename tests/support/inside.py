"""Workers that are threads of the test itself: what they are asked and answer can be looked at."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from janitor.backends import tasks
from janitor.backends.away import Away
from janitor.backends.pieces import (
    Fetched,
    FetchPiece,
    Greeting,
    Listing,
    ListPiece,
    Order,
    Reply,
    Terms,
)
from janitor.backends.staff import Hand, WorkerLost
from janitor.wiring import Sweeper


@dataclass
class Exchange:
    """Everything that was sent and answered, and what shall happen to it.

    `fate` is asked with each order, and the reply to it; where it raises, the
    worker is lost.
    """

    fate: Callable[[Order, Reply], None] = lambda *_: None
    replies: list[tuple[Order, Reply, int]] = field(default_factory=list)
    done_by: list[tuple[str, type[object]]] = field(default_factory=list)

    def left_behind(self) -> set[str]:
        """Name the listings whose workers still keep what they found."""
        kept = {
            order.number
            for order, reply, _ in self.of(ListPiece)
            if isinstance(reply.result, Listing) and reply.result.size
        }
        return kept - {
            order.piece.number
            for order, reply, _ in self.of(FetchPiece)
            if isinstance(order.piece, FetchPiece)
            and isinstance(reply.result, Fetched)
            and reply.result.next is None
        }

    def of(self, kind: type[object]) -> list[tuple[Order, Reply, int]]:
        """Give what was asked for by pieces of one kind: order, reply and its size in bytes."""
        return [each for each in self.replies if isinstance(each[0].piece, kind)]


class Inside:
    """A worker that is a few threads."""

    def __init__(self, name: str, exchange: Exchange) -> None:
        self.name = name
        self._exchange = exchange
        self._threads = ThreadPoolExecutor(32, thread_name_prefix=name)
        self.alive = True

    def greet(self, terms: Terms) -> Future[Greeting]:
        """Get ready."""
        return self._threads.submit(tasks.greet, terms)

    def do(self, order: Order) -> Future[Reply]:
        """Do a piece, and answer with what came through."""
        return self._threads.submit(self._do, order)

    def _do(self, order: Order) -> Reply:
        reply = tasks.do(order)
        sent = pickle.dumps(reply)
        self._exchange.replies.append((order, reply, len(sent)))
        self._exchange.done_by.append((self.name, type(order.piece)))
        try:
            self._exchange.fate(order, reply)
        except WorkerLost:
            self.alive = False
            raise
        back: Reply = pickle.loads(sent)  # noqa: S301  # our own
        return back

    def stop(self, run_id: str) -> None:
        """Begin nothing more."""
        tasks.stop(run_id)

    def dismiss(self) -> None:
        """Be of no use."""
        self.alive = False

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()


@dataclass
class InsideStaff:
    """As many of them as are wanted."""

    exchange: Exchange
    lost_may_go_on: bool = False
    losses: tuple[type[Exception], ...] = ()
    hands: list[Inside] = field(default_factory=list)

    def count(self) -> int:
        """Be two."""
        return 2

    def hire(self, count: int) -> Sequence[Hand]:
        """Make so many."""
        made = [
            Inside(f"inside-{len(self.hands) + number}", self.exchange) for number in range(count)
        ]
        self.hands += made
        return made

    def close(self, run_id: str) -> None:
        """End all of them."""
        for hand in self.hands:
            hand.close()
        tasks.close(run_id)


@dataclass(frozen=True)
class SweeperInside(Sweeper):
    """A sweeper whose workers are inside, whatever the config says of them."""

    exchange: Exchange = field(default_factory=Exchange)

    def _away(self) -> Away | None:
        away = super()._away()
        assert away is not None
        return replace(away, staff=InsideStaff(self.exchange))
