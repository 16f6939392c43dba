"""A lane of fibers does what a lane of threads does, in one thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import islice

import pytest

from janitor import fibers
from janitor.engine.crew import Crew
from janitor.engine.fiber_lane import FiberLane
from janitor.engine.flow import Flow
from janitor.engine.lane import Lane, Work
from janitor.engine.pool import as_completed, bounded_map
from janitor.model import ContainerRef
from janitor.targets import Execution

WHERE = ContainerRef("fast", "s3", "bucket")
OTHER = ContainerRef("other", "s3", "bucket")
PATIENCE = 30


@pytest.fixture
def crew() -> Iterator[Crew]:
    """Give a crew where the requests of one target park."""
    with Crew(Flow(32), Execution(concurrency=32)) as made:
        made.let_park(WHERE.target)
        yield made


def test_only_targets_that_park_get_fibers(crew: Crew) -> None:
    """All others get threads; and so does whoever lists, because that waits for the requests."""
    lanes = [crew.requests(WHERE), crew.requests(OTHER), crew.listings(WHERE)]

    assert [True, False, False] == [isinstance(lane, FiberLane) for lane in lanes]


def test_results_come_in_order(crew: Crew) -> None:
    """Though the fibers end in another one; and all of them ran in one thread."""
    seen = set()

    def work(number: int) -> int:
        fibers.sleep(0.001 * (number % 7))
        seen.add(threading.get_ident())
        return number

    results = bounded_map(crew.requests(WHERE), work, range(500), 64)

    assert list(range(500)) == list(results)
    assert 1 == len(seen)


def test_items_are_drawn_as_they_are_needed(crew: Crew) -> None:
    """A stream of millions is never held at once."""
    drawn = []

    def items() -> Iterator[int]:
        for number in range(1_000_000):
            drawn.append(number)
            yield number

    results = bounded_map(crew.requests(WHERE), lambda number: number, items(), 50)
    first = list(islice(results, 10))
    results.close()

    assert list(range(10)) == first
    assert len(drawn) < 500


def test_what_a_job_raises_is_raised(crew: Crew) -> None:
    """After those under way have ended; the lane can be used again."""

    def work(number: int) -> int:
        fibers.sleep(0.001)
        if number == 7:
            message = "seven"
            raise KeyError(message)
        return number

    with pytest.raises(KeyError, match="seven"):
        list(bounded_map(crew.requests(WHERE), work, range(100), 10))

    assert [1] == list(bounded_map(crew.requests(WHERE), work, [1], 10))


def test_fibers_that_wait_do_not_stop_another_target(crew: Crew) -> None:
    """One lane hangs until the other is done."""
    done = fibers.Latch()
    crew.let_park(OTHER.target)

    def work(number: int) -> int:
        return number or int(done.wait(PATIENCE))

    def streams() -> Iterator[tuple[Lane, Iterator[int]]]:
        yield crew.requests(WHERE), iter([0])
        yield crew.requests(OTHER), iter(range(10, 200))

    results = as_completed(work, streams(), 64)
    first = list(islice(results, 190))
    done.open()

    assert set(range(10, 200)) == set(first)
    assert [1] == list(results)


def test_futures_can_be_had_as_well(crew: Crew) -> None:
    """For whoever lists a bucket in several places at once."""
    lane = crew.requests(WHERE)
    futures = [lane.submit(lambda number: number * 2, number) for number in range(100)]

    assert [number * 2 for number in range(100)] == [each.result(PATIENCE) for each in futures]


def test_a_dismissed_lane_takes_nothing_more() -> None:
    """It says so, instead of leaving somebody waiting."""
    with Crew(Flow(4), Execution(concurrency=4)) as crew:
        crew.let_park(WHERE.target)
        lane = crew.requests(WHERE)

    with pytest.raises(RuntimeError, match="dismissed"):
        lane.submit(int)


def test_jobs_that_never_wait_let_others_go_on(crew: Crew) -> None:
    """As after a stop: what is in flight is not left alone until the last of them is refused."""
    lane = crew.requests(WHERE)
    over = threading.Event()
    give_up = time.monotonic() + PATIENCE

    def refuse(_: int) -> None:
        if not over.is_set() and time.monotonic() < give_up:
            lane.feed(work, [0])

    def be_in_flight() -> None:
        fibers.sleep(0.05)
        over.set()

    work = Work(refuse)
    lane.submit(be_in_flight)
    lane.feed(work, range(32))

    assert over.wait(PATIENCE / 2)
