"""Who is hired in the middle of a run, and what is heard of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from janitor.backends.hands import Sent, Team, _Member
from janitor.backends.pieces import Greeting, ListPiece, Order, Reply, Terms
from janitor.backends.staff import Hand, NoWorkers
from janitor.engine.calls import Patience
from janitor.observe.events import Event, WorkersNoticed
from janitor.providers.base import Identity
from janitor.targets import Execution

PATIENCE = 10.0


class Died(Exception):  # noqa: N818  # as those of schedulers are called
    """What a scheduler says of a worker that is gone."""


@dataclass
class Newcomer:
    """A worker that gets ready while a stop is asked for, or dies of it."""

    stop_asked: threading.Event
    dies: bool
    refuses: bool = False
    says: object = Greeting("it", 1)
    name: str = "newcomer"
    alive: bool = True
    told: threading.Event = field(default_factory=threading.Event)

    def greet(self, terms: Terms) -> Future[Greeting]:
        """Let the stop come before the reply."""
        del terms
        if self.refuses:
            raise Died
        greeting: Future[Greeting] = Future()
        if self.dies:
            greeting.set_exception(Died())
        else:
            self.stop_asked.set()
            greeting.set_result(self.says)  # type: ignore[arg-type]  # a worker may say anything
        return greeting

    def do(self, order: Order) -> Future[Reply]:
        """Nothing."""
        del order
        return Future()

    def stop(self, run_id: str) -> None:
        """Hear of it."""
        del run_id
        self.told.set()

    def dismiss(self) -> None:
        """Be of no use."""
        self.alive = False


@dataclass
class Agency:
    """Has few workers."""

    hands: list[Newcomer]
    lost_may_go_on: bool = False
    losses: tuple[type[Exception], ...] = (Died,)

    def count(self) -> int:
        """Count them."""
        return len(self.hands)

    def hire(self, count: int) -> Sequence[Hand]:
        """Give the first."""
        return self.hands[:count]

    def close(self, run_id: str) -> None:
        """Nothing."""


def team(*, dies: bool, before: Sequence[Newcomer] = ()) -> tuple[Team, Newcomer, list[Event]]:
    """Make a team whose last worker comes when a stop is asked for."""
    stop = threading.Event()
    hand = Newcomer(stop, dies)
    now = datetime.now(UTC)
    hands = [*before, hand]
    terms = Terms(
        "run",
        "/a",
        now,
        every_upload=False,
        patience=Patience(),
        workers=len(hands),
        execution=Execution(),
    )
    heard: list[Event] = []
    return Team(Agency(hands), terms, heard.append, lambda: now, stop, {}, 1.0), hand, heard


def test_who_comes_after_the_stop_is_told_of_it() -> None:
    """The others have been told by then, and nobody tells them twice."""
    made, newcomer, _ = team(dies=False)
    made._hire(1)  # noqa: SLF001  # without `begin`, which has somebody tell all of them

    assert newcomer.told.wait(PATIENCE)


def test_a_clock_that_was_set_ends_no_lease() -> None:
    """What is lost may go on for as long as the other clock says."""
    made, newcomer, _ = team(dies=False)
    made.staff.lost_may_go_on = True
    long_ago = time.time() - 100
    order = Order("t", "1", "it", "a", "", Identity(), made.now(), long_ago, 1.0, ListPiece("a"))  # type: ignore[arg-type]  # the terms do not matter
    sent = Sent(order, _Member(newcomer, "it"), Future(), made)
    begun = time.monotonic()
    made.wait_for_lease(sent, 0.3)

    assert time.monotonic() - begun >= 0.25


def test_one_who_talks_nonsense_does_not_keep_others_out() -> None:
    """Whatever comes of asking a worker, the next one is asked, too."""
    other = threading.Event()
    strange = Newcomer(other, dies=False, says="good morning", name="strange")
    shy = Newcomer(other, dies=False, refuses=True, name="shy")
    made, newcomer, heard = team(dies=False, before=[strange, shy])
    made.begin()
    made.end()

    assert [False, False, True] == [each.alive for each in (strange, shy, newcomer)]
    assert ["strange", "shy"] == [
        event.sentence.split()[1] for event in heard if isinstance(event, WorkersNoticed)
    ]


def test_who_dies_at_the_door_is_told_of() -> None:
    """An error of the scheduler's own is no crash."""
    made, newcomer, heard = team(dies=True)

    with pytest.raises(NoWorkers, match="Died"):
        made.begin()
    assert not newcomer.alive
    assert ["worker newcomer cannot be used: Died"] == [
        event.sentence for event in heard if isinstance(event, WorkersNoticed)
    ]
