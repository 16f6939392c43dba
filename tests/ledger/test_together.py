"""Those who wait at the same moment are served together, in their order, and nobody for ever."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest

from janitor.ledger.together import Take, Together
from janitor.ledger.turns import Turns

PATIENCE = 30  # seconds: only a guard against hanging


class Refused(Exception):  # noqa: N818  # it is refused
    """What a step may raise."""


class Interrupt(BaseException):
    """What Ctrl-C raises, so to speak."""


class Counter:
    """Numbers what it is asked, in batches; a step begins when the gate is open."""

    def __init__(self, largest: int = 100) -> None:
        self.gate = threading.Event()
        self.batches: list[list[str]] = []
        self.threads: list[int] = []
        self.fail_at = ""
        self.fail_before_taking = False
        self.together: Together[str, int] = Together(self._step, largest)

    def _step(self, take: Take[str, int]) -> None:
        self.threads.append(threading.get_ident())
        assert self.gate.wait(PATIENCE)
        if self.fail_before_taking:
            self.fail_before_taking = False
            msg = "no way in"
            raise Refused(msg)
        tickets = take()
        self.batches.append([ticket.asked for ticket in tickets])
        for ticket in tickets:
            if ticket.asked == "unfit":
                ticket.error = Refused("unfit")
            ticket.given = len(self.batches)
        if self.fail_at in self.batches[-1]:
            msg = f"failed at {self.fail_at}"
            raise Refused(msg)

    def is_waited_for_by(self, count: int) -> bool:
        """Say whether so many wait for a step."""
        return len(self.together._waiting) == count  # noqa: SLF001  # nobody else can tell


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@contextmanager
def asked_in_order(counter: Counter, *words: str) -> Iterator[list[Future[int]]]:
    """Let one thread for each word ask, all while the first step waits for its gate."""
    with ThreadPoolExecutor(len(words)) as threads:
        asked = []
        for number, word in enumerate(words, start=1):
            asked.append(threads.submit(counter.together.ask, word))
            until(partial(counter.is_waited_for_by, number))
        try:
            yield asked
        finally:
            counter.gate.set()


def test_who_comes_alone_is_served_at_once() -> None:
    """In its own thread: nobody has to wake up first."""
    counter = Counter()
    counter.gate.set()

    assert (1, 2) == (counter.together.ask("a"), counter.together.ask("b"))
    assert [["a"], ["b"]] == counter.batches
    assert [threading.get_ident()] * 2 == counter.threads


def test_all_who_wait_when_a_step_begins_are_served_by_it() -> None:
    """In the order in which they came."""
    counter = Counter()
    with asked_in_order(counter, "a", "b", "c") as asked:
        counter.gate.set()
        given = [future.result(PATIENCE) for future in asked]

    assert [1, 1, 1] == given
    assert [["a", "b", "c"]] == counter.batches


def test_a_step_serves_only_so_many() -> None:
    """Those who came first; the next step serves the next, led by one of them."""
    counter = Counter(largest=2)
    with asked_in_order(counter, "a", "b", "c", "d", "e") as asked:
        counter.gate.set()
        given = [future.result(PATIENCE) for future in asked]

    assert [1, 1, 2, 2, 3] == given
    assert [["a", "b"], ["c", "d"], ["e"]] == counter.batches
    assert 3 == len(set(counter.threads))


def test_what_fails_fails_for_all_who_were_served_together() -> None:
    """Each gets an error of its own with the same words, and those after them get none."""
    counter = Counter(largest=2)
    counter.fail_at = "b"
    with asked_in_order(counter, "a", "b", "c") as asked:
        counter.gate.set()
        errors = [future.exception(PATIENCE) for future in asked]

    assert ["failed at b", "failed at b", "None"] == list(map(str, errors))
    assert errors[0] is not errors[1]
    assert 2 == asked[2].result(PATIENCE)


def test_what_fails_before_it_took_anybody_fails_for_all_who_wait() -> None:
    """Else each of them would have to wait as long for the same."""
    counter = Counter()
    counter.fail_before_taking = True
    with asked_in_order(counter, "a", "b") as asked:
        counter.gate.set()
        errors = [future.exception(PATIENCE) for future in asked]

    assert ["no way in", "no way in"] == list(map(str, errors))
    assert 1 == counter.together.ask("c")


def test_who_is_refused_is_refused_alone() -> None:
    """A mistake of one caller costs the others nothing."""
    counter = Counter()
    with asked_in_order(counter, "a", "unfit", "c") as asked:
        counter.gate.set()
        errors = [future.exception(PATIENCE) for future in asked]

    assert ["None", "unfit", "None"] == list(map(str, errors))


@pytest.fixture
def interrupting() -> Iterator[Callable[[], None]]:
    """Give what interrupts the main thread, as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise Interrupt

    main = threading.main_thread().ident
    assert main == threading.get_ident()
    before = signal.signal(signal.SIGUSR1, interrupt)
    yield lambda: signal.pthread_kill(main, signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def test_who_is_interrupted_while_it_waits_stops_nobody(
    interrupting: Callable[[], None],
) -> None:
    """Its place is free, and all the others are served."""
    counter = Counter()
    with asked_in_order(counter, "a", "b") as asked, ThreadPoolExecutor(1) as threads:

        def interrupt_the_third() -> None:
            until(partial(counter.is_waited_for_by, 3))  # the third is the main thread
            interrupting()

        threads.submit(interrupt_the_third)
        with pytest.raises(Interrupt):
            counter.together.ask("c")
        counter.gate.set()
        given = [future.result(PATIENCE) for future in asked]

    assert [1, 1] == given
    assert [["a", "b"]] == counter.batches


def test_who_is_interrupted_while_it_leads_fails_the_others() -> None:
    """They are told that it was broken off; what interrupted it is none of theirs."""

    def step(take: Take[str, int]) -> None:
        until(lambda: len(together._waiting) == 2)  # noqa: SLF001
        take()
        raise Interrupt

    together: Together[str, int] = Together(step, 100)
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(together.ask, word) for word in ("a", "b")]
        errors = {type(future.exception(PATIENCE)) for future in asked}

    assert {Interrupt, RuntimeError} == errors


def test_turns_are_given_in_the_order_in_which_they_were_asked_for() -> None:
    """Whoever is in and asks again at once comes after all who wait."""
    turns, order = Turns(), list[str]()

    def greedy() -> None:
        for number in range(3):
            with turns:
                if not number:
                    until(lambda: len(turns._waiting) == 2)  # noqa: SLF001
                order.append(f"greedy {number}")

    def modest(name: str) -> None:
        with turns:
            order.append(name)

    with ThreadPoolExecutor(3) as threads:
        threads.submit(greedy)
        until(lambda: turns._taken)  # noqa: SLF001
        threads.submit(modest, "a")
        until(lambda: len(turns._waiting) == 1)  # noqa: SLF001
        threads.submit(modest, "b")

    assert ["greedy 0", "a", "b", "greedy 1", "greedy 2"] == order


def test_who_is_interrupted_before_its_turn_gives_it_up(
    interrupting: Callable[[], None],
) -> None:
    """The next one gets it."""
    turns = Turns()
    leave = threading.Event()

    def stay() -> None:
        with turns:
            leave.wait(PATIENCE)

    def interrupt_who_waits() -> None:
        until(lambda: len(turns._waiting) == 1)  # noqa: SLF001
        interrupting()

    with ThreadPoolExecutor(2) as threads:
        threads.submit(stay)
        until(lambda: turns._taken)  # noqa: SLF001
        threads.submit(interrupt_who_waits)
        with pytest.raises(Interrupt), turns:
            pass
        leave.set()
    with turns:
        taken = turns._taken  # noqa: SLF001

    assert taken
