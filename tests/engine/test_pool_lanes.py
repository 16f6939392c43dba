"""Each target has threads of its own: as many as it can use, and none of the others'."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import law

from janitor.engine.calls import Caller, Deadline
from janitor.engine.crew import FEW, STACK, Crew
from janitor.engine.flow import Flow
from janitor.engine.lane import Lane
from janitor.engine.pool import as_completed, bounded_map
from janitor.model import ContainerRef
from janitor.targets import Execution

A = TypeVar("A")

LAKE = ContainerRef("lake", "s3", "bucket")
MEDIA = ContainerRef("media", "qingstor", "movies")


def crew(concurrency: int = 8) -> Crew:
    """Make a crew for so many requests in flight."""
    return Crew(Flow(concurrency), Execution(concurrency=concurrency))


@contextmanager
def lane(concurrency: int = 8) -> Iterator[Lane]:
    """Give the threads of one target."""
    with crew(concurrency) as one:
        yield one.requests(LAKE)


def ours() -> list[str]:
    """Name the threads of crews that live."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith(("request-", "listing-"))]


def noted(items: list[A], taken: list[A]) -> Iterator[A]:
    """Give items, and note which were taken."""
    for item in items:
        taken.append(item)
        yield item


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    for _ in range(3000):
        if holds():
            return
        time.sleep(0.01)
    pytest.fail("it never came to be")


class Gate:
    """A job that does not end before it is let through."""

    def __init__(self) -> None:
        self.begun: list[object] = []
        self.open = threading.Event()

    def __call__(self, item: A) -> A:
        """Wait."""
        self.begun.append(item)
        assert self.open.wait(30)
        return item


def test_results_come_in_the_order_of_the_items() -> None:
    """Whichever thread is faster, the order is the items'."""
    with lane() as one:
        found = list(bounded_map(one, lambda n: n * n, range(1000), window=70))

    assert [number * number for number in range(1000)] == found


@law
@given(count=st.integers(0, 60), window=st.integers(1, 20), concurrency=st.integers(1, 9))
def test_every_item_is_done_once(count: int, window: int, concurrency: int) -> None:
    """However many items, threads and places there are; in order where that is asked for."""
    done: list[int] = []

    def job(number: int) -> int:
        done.append(number)
        return number

    with lane(concurrency) as one:
        ordered = list(bounded_map(one, job, range(count), window))
        unordered = list(as_completed(lambda n: n, [(one, range(count))], window))

    assert [list(range(count))] * 3 == [ordered, sorted(done), sorted(unordered)]


def test_no_more_are_begun_than_the_window_holds() -> None:
    """Items are taken only as results are."""
    taken: list[int] = []
    with lane() as one:
        results = bounded_map(one, abs, noted(list(range(100)), taken), window=5)
        first = next(results)
        seen = len(taken)
        results.close()

    assert (0, 5) == (first, seen)


def test_items_are_drawn_by_whoever_asks_for_results() -> None:
    """So that a generator that reads a file or a database stays in its thread."""
    drawn = set()

    def items() -> Iterator[int]:
        for item in range(100):
            drawn.add(threading.get_ident())
            yield item

    with lane() as one:
        list(bounded_map(one, abs, items(), window=5))
        list(as_completed(abs, [(one, items())], window=5))

    assert {threading.get_ident()} == drawn


def test_items_are_begun_in_their_order() -> None:
    """The oldest first, although the results come as they like."""
    begun: list[int] = []
    with lane(1) as one:
        list(as_completed(begun.append, [(one, range(100))], window=20))

    assert list(range(100)) == begun


@pytest.mark.parametrize("error", [RuntimeError("job 3"), KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("ordered", [True, False])
def test_an_error_is_raised_after_what_is_under_way(error: BaseException, *, ordered: bool) -> None:
    """The jobs that run when one fails are over before anybody hears of it."""
    running, after = [], []

    def job(number: int) -> int:
        running.append(number)
        try:
            if number == 3:
                raise error
            return number
        finally:
            running.remove(number)

    with lane() as one:
        streams = [(one, iter(range(1000)))]
        results = (
            bounded_map(one, job, range(1000), 20) if ordered else as_completed(job, streams, 20)
        )
        with pytest.raises(type(error)):
            after += list(results)
        left = list(running)

    assert [] == left
    assert [] == ours()


def test_what_comes_before_an_error_is_given_first() -> None:
    """What was done is told, whatever happens to the next one."""

    def job(number: int) -> int:
        return 1 // (3 - number)

    given: list[int] = []
    with lane() as one, pytest.raises(ZeroDivisionError):
        given.extend(bounded_map(one, job, [0, 1, 2, 3, 4], window=9))

    assert [0, 0, 1] == given


def test_an_error_of_the_items_ends_everything_as_well() -> None:
    """A list that cannot be read on is no list that ended."""

    def items() -> Iterator[int]:
        yield from range(30)
        msg = "disk full"
        raise OSError(msg)

    with lane() as one, pytest.raises(OSError, match="disk full"):
        list(bounded_map(one, abs, items(), window=5))

    assert [] == ours()


def test_a_lane_that_hangs_does_not_hold_up_another() -> None:
    """All of the quick one's work is done while none of the other's is."""
    gate, done = Gate(), []
    with crew() as one:
        hanging, quick = one.requests(LAKE), one.requests(MEDIA)

        def job(item: tuple[str, int]) -> tuple[str, int]:
            return gate(item) if item[0] == "hanging" else item

        streams = [
            (hanging, [("hanging", number) for number in range(50)]),
            (quick, [("quick", number) for number in range(500)]),
        ]
        for name, _ in as_completed(job, streams, window=16):
            done.append(name)
            if done.count("quick") == 500:
                gate.open.set()

    assert ["quick"] * 500 + ["hanging"] * 50 == done


def test_streams_come_one_after_the_other_where_there_are_many() -> None:
    """No more targets are worked on at once than was said, and all of them in the end."""
    with crew() as one:
        places = [ContainerRef(f"target-{number}", "s3", "bucket") for number in range(20)]
        opened: list[str] = []

        def streams() -> Iterator[tuple[Lane, list[str]]]:
            for place in places:
                opened.append(place.target)
                yield one.requests(place), [place.target] * (len(opened) % 3)

        results = as_completed(str, streams(), window=4, abreast=3)
        first = next(results)
        seen = len(opened)
        rest = list(results)

    assert seen <= 4
    assert sorted(name for at, name in enumerate(opened, 1) for _ in range(at % 3)) == sorted(
        [first, *rest]
    )


def test_works_of_one_lane_take_turns() -> None:
    """A container with many candidates does not hold up the others of its target."""
    gate = Gate()
    done: list[str] = []
    with lane(1) as one:
        long = bounded_map(one, done.append, ["long"] * 50, window=50)
        short = bounded_map(one, done.append, ["short"] * 5, window=50)
        one.submit(gate, None)
        until(lambda: gate.begun)
        with_first = threading.Thread(target=list, args=(long,))
        with_first.start()
        until(lambda: one.endpoint.guests == 1)
        second = threading.Thread(target=list, args=(short,))
        second.start()
        until(lambda: one.endpoint.guests == 2)
        gate.open.set()
        with_first.join(30)
        second.join(30)

    assert 55 == len(done)
    assert done.index("short") < 10


def test_a_lane_is_an_executor_like_others() -> None:
    """Whoever has futures can use it."""
    with lane() as one:
        good, bad = one.submit(pow, 2, 5), one.submit(pow, 0, -1)

        assert 32 == good.result(30)
        with pytest.raises(ZeroDivisionError):
            bad.result(30)


def test_threads_are_begun_when_they_are_needed() -> None:
    """Nothing to do, no thread; one job, one thread; never more than may be in flight."""
    with crew(20) as one:
        first = one.requests(LAKE)
        none = len(ours())
        first.submit(pow, 2, 2).result(30)
        after_one = len(ours())
        caller = Caller(lambda _: None, flow=one.flow)
        gate = Gate()

        def job(number: int) -> None:
            caller.call(LAKE, "abort", lambda: gate(number), Deadline(60))

        jobs = [first.submit(job, number) for number in range(100)]
        until(lambda: len(gate.begun) == 16)
        many = len(ours())
        gate.open.set()
        for each in jobs:
            each.result(30)

    assert (0, 1) == (none, after_one)
    assert 16 <= many <= 20
    assert [] == ours()


def test_threads_that_would_only_wait_are_not_begun() -> None:
    """Where the window is full, one or two more are ready for the next slot, and no hundreds."""
    with crew(200) as one:
        caller, gate = Caller(lambda _: None, flow=one.flow), Gate()

        def job(number: int) -> None:
            caller.call(LAKE, "abort", lambda: gate(number), Deadline(60))

        jobs = [one.requests(LAKE).submit(job, number) for number in range(500)]
        until(lambda: len(gate.begun) == 16)
        many = len(ours())
        gate.open.set()
        for each in jobs:
            each.result(30)

    # Some are begun before the first of them have to wait.
    assert many < 64


def test_all_lanes_get_somewhere_however_many_there_are() -> None:
    """Where no more threads may be begun each lane still has one."""
    gate = Gate()
    with crew(1) as one:
        lanes = [one.requests(ContainerRef(f"target-{n}", "s3", "bucket")) for n in range(30)]
        jobs = [each.submit(gate, n) for n, each in enumerate(lanes) for _ in range(3)]
        until(lambda: len(gate.begun) >= 30)
        many = len(ours())
        gate.open.set()

        assert 90 == len([job.result(30) for job in jobs])
    assert many == 30


def test_where_the_system_has_no_more_threads_it_goes_on_with_those_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A limit of a container on processes is no reason to fail; none at all is."""
    start, left = threading.Thread.start, [1]

    def scarce(thread: threading.Thread) -> None:
        if thread.name.startswith("request-"):
            left[0] -= 1
            if left[0] < 0:
                msg = "can't start new thread"
                raise RuntimeError(msg)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", scarce)
    with crew() as one:
        found = list(bounded_map(one.requests(LAKE), abs, range(50), window=20))
        with pytest.raises(RuntimeError, match="no thread can be begun"):
            one.requests(MEDIA).submit(abs, 1)

        assert list(range(50)) == found


def test_stacks_are_small_and_nobody_elses_are() -> None:
    """Hundreds of threads are cheap; the size for the rest of the process stays."""
    before = threading.stack_size()
    with lane() as one:
        one.submit(abs, 1).result(30)

    assert before == threading.stack_size() != STACK


def test_after_the_end_nothing_is_taken() -> None:
    """A lane whose crew was dismissed says so instead of keeping what nobody will do."""
    with lane() as one:
        pass
    with pytest.raises(RuntimeError, match="dismissed"):
        one.submit(abs, 1)


def test_of_many_targets_few_keep_a_thread_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may have one, but most have done all they have to do: so their threads end soon."""
    monkeypatch.setattr("janitor.engine.crew.REST", 3600.0)
    monkeypatch.setattr("janitor.engine.crew.MOMENT", 0.01)
    with crew() as one:
        for number in range(3 * FEW):
            where = ContainerRef(f"target-{number}", "s3", "bucket")
            one.listings(where).submit(str, number).result(30)
        until(lambda: len(ours()) <= FEW)
        left = len(ours())
        again = one.listings(ContainerRef("target-0", "s3", "bucket")).submit(str, 7).result(30)

    assert left <= FEW
    assert "7" == again
