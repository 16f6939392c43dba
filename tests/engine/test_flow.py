"""The way out for requests: whole endpoints wait, stops end waits, and no slot is ever lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from janitor.engine.calls import Caller, Deadline, Patience
from janitor.engine.flow import CROWD, Flow, glance
from janitor.errors import (
    DeadlineExceeded,
    Denied,
    Incomplete,
    Interrupted,
    ProviderError,
    Throttled,
    Transient,
    Unexpected,
    Unsent,
    UploadGone,
)
from janitor.model import ContainerRef
from janitor.targets import Pace

LAKE = ContainerRef("lake", "s3", "bucket")
MEDIA = ContainerRef("media", "qingstor", "movies")
HASTE = Patience(attempts=3, first_delay=0.001, longest_delay=0.002)


@pytest.mark.parametrize(
    ("asleep", "looks"), [(1, 10), (CROWD, 10 * CROWD), (2 * CROWD, 10 * CROWD), (5000, 10 * CROWD)]
)
def test_a_crowd_looks_up_no_more_often(asleep: int, looks: int) -> None:
    """However many wait for a slot, looking whether anything happened stays a small part of all."""
    assert looks == pytest.approx(asleep / glance(asleep))


class Gate:
    """A request that does not end before it is let through."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.open = threading.Event()

    def __call__(self) -> str:
        """Wait."""
        self.begun.release()
        assert self.open.wait(30)
        return "done"

    def wait_for(self, count: int) -> None:
        """Wait until so many are in it."""
        for _ in range(count):
            assert self.begun.acquire(timeout=30)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def caller(flow: Flow, stop: threading.Event | None = None) -> Caller:
    """Make a caller in a hurry."""
    return Caller(lambda _: None, stop or threading.Event(), HASTE, flow)


def soon() -> Deadline:
    """Leave plenty of time."""
    return Deadline(60)


def quick() -> str:
    """Be a request that ends at once."""
    return "done"


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    for _ in range(3000):
        if holds():
            return
        time.sleep(0.01)
    pytest.fail("it never came to be")


@contextmanager
def threads(count: int) -> Iterator[Callable[..., Future[Any]]]:
    """Give a way to run something in another thread."""
    with ThreadPoolExecutor(count) as pool:
        yield pool.submit


def at_rest(flow: Flow) -> bool:
    """Whether no request is in flight, and none waits."""
    ends = [flow.endpoint(LAKE), flow.endpoint(MEDIA)]
    return not any(end.in_flight or end.queue for end in ends)


@pytest.mark.parametrize(
    "error",
    [
        *(Denied("no"), Unexpected("?"), UploadGone("404", status=404), Transient("x")),
        *(Incomplete("x"), ZeroDivisionError(), KeyboardInterrupt(), SystemExit(), GeneratorExit()),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_request_raises_its_slot_is_free_again(error: BaseException) -> None:
    """With a budget of one, the next request would wait for ever."""
    flow = Flow(1)

    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        caller(flow).call(LAKE, "abort", fail, soon())
    with pytest.raises(type(error)):
        caller(flow).call(LAKE, "abort", quick, soon(), before=fail)

    assert "done" == caller(flow).call(LAKE, "abort", quick, soon())
    assert at_rest(flow)


@pytest.mark.parametrize(("left", "error"), [(60, Interrupted), (0.2, DeadlineExceeded)])
def test_whoever_waits_for_a_slot_can_be_called_off(left: float, error: type[Exception]) -> None:
    """A stop and a deadline end the wait; nothing is sent, and no place in the queue is left."""
    flow, stop, gate = Flow(1), threading.Event(), Gate()
    one = caller(flow, stop)
    with threads(2) as submit:
        holder = submit(one.call, LAKE, "abort", gate, soon())
        gate.wait_for(1)
        waiter = submit(one.call, LAKE, "abort", pytest.fail, Deadline(left))
        until(lambda: flow.endpoint(LAKE).queue or waiter.done())
        if left == 60:
            stop.set()
        with pytest.raises(error):
            waiter.result(30)
        gate.open.set()

        assert "done" == holder.result(30)
    assert at_rest(flow)


def test_after_a_stop_what_was_begun_does_not_wait_for_a_slot() -> None:
    """A look whether an abort worked goes out although all slots hang."""
    flow, stop, gate = Flow(1), threading.Event(), Gate()
    one = caller(flow, stop)
    with threads(2) as submit:
        holder = submit(one.call, LAKE, "abort", gate, soon())
        gate.wait_for(1)
        waiter = submit(one.call, LAKE, "list_parts", quick, soon(), finish=True)
        until(lambda: flow.endpoint(LAKE).queue)
        stop.set()

        assert "done" == waiter.result(30)
        assert not holder.done()
        gate.open.set()
        assert "done" == holder.result(30)
    assert at_rest(flow)


def test_retry_after_is_for_the_whole_endpoint() -> None:
    """Where one request was told to wait nobody else goes out either, and elsewhere all do."""
    clock = Clock()
    flow = Flow(8, clock=clock)
    with pytest.raises(Throttled):
        caller(flow).call(LAKE, "abort", throttled(30), Deadline(1))
    with threads(1) as submit:
        waiter = submit(caller(flow).call, LAKE, "abort", quick, soon())
        until(lambda: flow.endpoint(LAKE).queue)

        assert "done" == caller(flow).call(MEDIA, "abort", quick, soon())
        assert not waiter.done()
        clock.now += 31
        assert "done" == waiter.result(30)


def test_a_pause_that_passes_the_deadline_is_not_waited_for() -> None:
    """What cannot come in time is told at once."""
    flow = Flow(8, clock=Clock())
    with pytest.raises(Throttled):
        caller(flow).call(LAKE, "abort", throttled(3600), Deadline(1))
    with pytest.raises(DeadlineExceeded):
        caller(flow).call(LAKE, "abort", pytest.fail, Deadline(59))

    assert at_rest(flow)


def throttled(seconds: float) -> Callable[[], str]:
    """Make a request that is refused for some time."""

    def fail() -> str:
        msg = "slow"
        raise Throttled(msg, status=503, retry_after=seconds)

    return fail


def test_a_window_can_shrink_below_what_is_in_flight() -> None:
    """All that wait get their turn, one after the other."""
    flow, gate = Flow(16), Gate()
    with threads(24) as submit:
        running = [submit(caller(flow).call, LAKE, "abort", gate, soon()) for _ in range(16)]
        gate.wait_for(16)
        waiting = [submit(caller(flow).call, LAKE, "abort", quick, soon()) for _ in range(8)]
        until(lambda: flow.endpoint(LAKE).queue == 8)
        end = flow.endpoint(LAKE)
        for serial in (16, 17, 18, 19):
            end.window.refused(serial, serial)
        size = end.window.size
        gate.open.set()

        assert 1 == size
        assert ["done"] * 24 == [one.result(30) for one in (*running, *waiting)]
    assert at_rest(flow)


def test_a_request_in_between_uses_the_slot_of_its_thread() -> None:
    """A last look before an abort needs no second slot, which nobody would ever free."""
    flow = Flow(1)
    one = caller(flow)
    heard: list[object] = []

    def look() -> None:
        heard.append(one.call(LAKE, "list_parts", quick, soon()))
        heard.append(flow.endpoint(LAKE).in_flight)

    assert "done" == one.call(LAKE, "abort", quick, soon(), before=look)
    assert ["done", 1] == heard
    assert at_rest(flow)


def test_what_runs_before_runs_after_all_waiting() -> None:
    """Nothing but the request comes after it."""
    flow, gate, heard = Flow(1), Gate(), []
    with threads(2) as submit:
        holder = submit(caller(flow).call, LAKE, "abort", gate, soon())
        gate.wait_for(1)
        waiter = submit(
            caller(flow).call, LAKE, "abort", quick, soon(), before=lambda: heard.append("now")
        )
        until(lambda: flow.endpoint(LAKE).queue)
        early = list(heard)
        gate.open.set()
        holder.result(30)
        waiter.result(30)

    assert ([], ["now"]) == (early, heard)


def test_a_rate_is_for_each_target() -> None:
    """Who may be asked once an hour does not hold up another."""
    flow = Flow(8, {"lake": Pace(requests=1 / 3600), "media": Pace()})
    results = [caller(flow).call(LAKE, "abort", quick, soon())]
    results += [caller(flow).call(MEDIA, "abort", quick, soon()) for _ in range(100)]

    assert ["done"] * 101 == results
    with pytest.raises(DeadlineExceeded):
        caller(flow).call(LAKE, "abort", pytest.fail, Deadline(0.2))


def test_a_rate_is_kept_by_many_threads_and_by_looks_in_between() -> None:
    """Every request begins on a place of the grid, whoever makes it."""
    rate, begun = 200.0, []
    flow = Flow(8, {"lake": Pace(requests=rate)})

    def note() -> None:
        begun.append(time.monotonic())

    def look() -> None:
        caller(flow).call(LAKE, "list_parts", note, soon())

    started = time.monotonic()
    with threads(8) as submit:
        calls = [
            submit(caller(flow).call, LAKE, "abort", note, soon(), before=look) for _ in range(30)
        ]
        for call in calls:
            call.result(30)

    # Not how fast they were, but that they cannot have been faster than the rate.
    assert 60 == len(begun)
    assert max(begun) - started >= 59 / rate - 1e-6


def test_a_cap_is_for_each_container() -> None:
    """Reads of one bucket wait, and those of another and aborts do not."""
    flow = Flow(8, {"lake": Pace(container_reads=1 / 3600, container_writes=1000)})
    one, other = caller(flow), ContainerRef("lake", "s3", "other")
    results = [one.call(LAKE, "list_parts", quick, soon())]
    results += [one.call(LAKE, "abort", quick, soon()) for _ in range(5)]
    results += [one.call(other, "list_parts", quick, soon())]

    assert ["done"] * 7 == results
    with pytest.raises(DeadlineExceeded):
        one.call(LAKE, "head_object", pytest.fail, Deadline(0.2))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Throttled("slow", status=503), 8),
        (Throttled("ThrottlingException", status=400), 8),
        (Transient("unavailable", status=503), 8),
        (Transient("too many", status=429), 8),
        (Transient("time-out", code="connection"), 8),
        (Transient("a bug of theirs", status=500), 16),
        (Unsent("it got late", code="stale_look"), 16),
        (Incomplete("short"), 16),
        (Denied("no", status=403), 16),
    ],
    ids=str,
)
def test_what_halves_a_window(error: ProviderError, expected: int) -> None:
    """Refused as too many, or not answered: Glacier says so with a 400."""
    flow = Flow(256)

    def fail() -> str:
        raise error

    once = Caller(lambda _: None, patience=Patience(attempts=1), flow=flow)
    with pytest.raises(type(error)):
        once.call(LAKE, "abort", fail, soon())

    assert expected == flow.endpoint(LAKE).window.size


def test_loads_tell_what_is_in_flight_where() -> None:
    """One line for each target that was asked."""
    flow, gate = Flow(256), Gate()
    caller(flow).call(MEDIA, "abort", quick, soon())
    with threads(3) as submit:
        running = [submit(caller(flow).call, LAKE, "abort", gate, soon()) for _ in range(3)]
        gate.wait_for(3)
        loads = flow.loads()
        gate.open.set()
        for one in running:
            one.result(30)

    assert [("lake", "s3", 3, 16), ("media", "qingstor", 0, 16)] == sorted(loads)


def test_many_threads_never_have_more_in_flight_than_the_budget() -> None:
    """Counted where the requests are made, over several targets."""
    flow, lock = Flow(5), threading.Lock()
    now, most = [0], [0]

    def request() -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.001)
        with lock:
            now[0] -= 1

    places = [ContainerRef(f"target-{number}", "s3", "bucket") for number in range(4)]
    with threads(20) as submit:
        calls = [
            submit(caller(flow).call, places[number % 4], "abort", request, soon())
            for number in range(400)
        ]
        for call in calls:
            call.result(30)

    assert 5 == most[0]
    assert at_rest(flow)
