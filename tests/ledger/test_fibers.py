"""Fibers write to the ledger together, and none of them keeps its hub from going on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import pytest
from support.ledger_samples import LAKE, NOW, decision_of, header_of, seen_of

from janitor.fibers import AVAILABLE, Hub
from janitor.ledger import Ledger, LedgerError
from janitor.ledger.appending import Asked, Ticket
from janitor.ledger.together import Take

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="this system has no fibers")
PATIENCE = 60  # seconds: only a guard against hanging
MANY = 100


@pytest.fixture
def begun(ledger: Ledger) -> Ledger:
    """Give a ledger with a run."""
    ledger.begin(header_of())
    return ledger


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Give a thread for fibers."""
    made = Hub()
    yield made
    made.close()


def begin(hub: Hub, call: Callable[[], object]) -> Future[object]:
    """Run a call in a fiber."""
    future: Future[object] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except LedgerError as error:
            future.set_exception(error)

    hub.begin(run)
    return future


@contextmanager
def busy(ledger: Ledger) -> Iterator[None]:
    """Keep everybody else from using the ledger."""
    with ledger._session.reading():  # noqa: SLF001  # no user can
        yield


def test_many_fibers_write_one_chain(begun: Ledger, hub: Hub) -> None:
    """Each intent is concluded once, by far fewer commits than there are entries."""
    batches: list[int] = []
    together = begun._journal._end._together  # noqa: SLF001  # nobody else can tell
    step = together._step  # noqa: SLF001

    def counted(take: Take[Asked, int]) -> None:
        def noted() -> list[Ticket]:
            taken = take()
            batches.append(len(taken))
            return taken

        step(noted)

    together._step = counted  # noqa: SLF001

    def around_an_abort(number: int) -> int:
        intent = begun.intend("run-1", NOW, decision_of(f"id-{number}"))
        begun.conclude(intent, NOW, "aborted", size_freed=5)
        return intent

    made = [begin(hub, lambda n=n: around_an_abort(n)) for n in range(MANY)]  # type: ignore[misc]
    numbers = {future.result(PATIENCE) for future in made}

    assert MANY == len(numbers)
    assert 2 * MANY == begun.head().count == sum(batches)
    assert len(batches) <= MANY
    assert [] == begun.open_intents()
    assert [] == begun.audit()


@pytest.mark.parametrize(
    "call",
    [
        lambda ledger: ledger.intend("run-1", NOW, decision_of()),
        lambda ledger: ledger.sight(LAKE, "run-1", NOW, [seen_of()]),
        lambda ledger: ledger.last_scan(LAKE),
        lambda ledger: ledger.open_intents(),
    ],
    ids=["intend", "sight", "last_scan", "open_intents"],
)
def test_who_waits_for_the_ledger_lets_other_fibers_go_on(
    begun: Ledger, hub: Hub, call: Callable[[Ledger], object]
) -> None:
    """However long the disk takes, the requests of the others are sent."""
    with busy(begun):
        waiting = begin(hub, lambda: call(begun))
        other = begin(hub, lambda: "went on")
        heard, done = other.result(PATIENCE), waiting.done()
    waiting.result(PATIENCE)

    assert ("went on", False) == (heard, done)


def test_a_refused_fiber_is_refused_alone(begun: Ledger, hub: Hub) -> None:
    """What it is told is told to it; the others' intents are safe."""
    with busy(begun):
        runs = ("run-1", "nobody", "run-1")
        made = [begin(hub, lambda run=run: begun.intend(run, NOW, decision_of())) for run in runs]  # type: ignore[misc]
    errors = [future.exception(PATIENCE) for future in made]

    assert [None, None] == [errors[0], errors[2]]
    assert "knows no run 'nobody'" in str(errors[1])
    assert 2 == begun.head().count


def test_fibers_and_threads_share_a_commit(begun: Ledger, hub: Hub) -> None:
    """A thread leads where it came first, and a fiber where that did."""
    made = []
    for number in range(MANY):
        made.append(begin(hub, lambda n=number: begun.intend("run-1", NOW, decision_of(f"f{n}"))))  # type: ignore[misc]
        begun.intend("run-1", NOW, decision_of(f"t{number}"))
    for future in made:
        future.result(PATIENCE)

    assert 2 * MANY == begun.head().count
    assert [] == begun.audit()
