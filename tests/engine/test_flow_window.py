"""The window of an endpoint, against stores of many kinds, in simulated time."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import law

from janitor.engine.window import FIRST, Window

MOST = 512
# A round trip, in seconds.
TRIP = 0.02


class Store(Protocol):
    """Answers requests."""

    def answer(self, now: float) -> tuple[float, bool]:
        """Say how long a request takes that comes now, and whether it is served or refused."""


@dataclass
class Limited:
    """Serves so many a second and refuses the others; a tenth of a second's worth at once."""

    per_second: float
    left: float = 0
    last: float = 0

    def answer(self, now: float) -> tuple[float, bool]:
        """Take a token, if there is one."""
        left = self.left + (now - self.last) * self.per_second
        self.left, self.last = min(self.per_second / 10, left), now
        served = self.left >= 1
        self.left -= served
        return TRIP, served


@dataclass
class Queueing:
    """Serves so many a second, and lets the others wait."""

    per_second: float
    free_at: float = 0

    def answer(self, now: float) -> tuple[float, bool]:
        """Wait for all that came before."""
        self.free_at = max(now, self.free_at) + 1 / self.per_second
        return TRIP + self.free_at - now, True


@dataclass
class Far:
    """Bears everything, from a distance that can change, and not always equally fast."""

    trip: Callable[[float], float] = lambda _: TRIP
    noise: float = 0
    source: random.Random = field(default_factory=lambda: random.Random(5))  # noqa: S311  # no secret

    def answer(self, now: float) -> tuple[float, bool]:
        """Take about as long as it takes."""
        return self.trip(now) * self.source.lognormvariate(0, self.noise), True


@dataclass
class Dead:
    """Answers nothing before an instant, and everything after it."""

    until: float

    def answer(self, now: float) -> tuple[float, bool]:
        """Let the client run into its time-out."""
        return (1.0, False) if now < self.until else (TRIP, True)


@dataclass
class Fixed:
    """A window that never learns."""

    size: int

    def succeeded(self, *_: object) -> None:
        """Learn nothing."""

    def refused(self, *_: object) -> None:
        """Learn nothing."""


@dataclass
class Course:
    """How a run of requests went."""

    served: int = 0
    refused: int = 0
    sizes: list[int] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    @property
    def late(self) -> list[int]:
        """Give the sizes of the second half."""
        return self.sizes[len(self.sizes) // 2 :]


def run(window: Window | Fixed, store: Store, requests: int) -> Course:
    """Ask a store for so many answers, with all that the window allows in flight."""
    course, begun, in_flight, now = Course(), 0, 0, 0.0
    coming: list[tuple[float, int, float, bool]] = []
    while course.served < requests:
        while in_flight < window.size:
            seconds, served = store.answer(now)
            begun, in_flight = begun + 1, in_flight + 1
            heapq.heappush(coming, (now + seconds, begun, seconds, served))
        now, serial, seconds, served = heapq.heappop(coming)
        if served:
            window.succeeded("abort", seconds, serial, begun, in_flight)
            course.latencies.append(seconds)
        else:
            window.refused(serial, begun)
        course.served += served
        course.refused += not served
        course.sizes.append(window.size)
        in_flight -= 1
    return course


def mean(numbers: list[int]) -> float:
    """Give the mean."""
    return sum(numbers) / len(numbers)


def test_a_limit_is_found_with_few_refusals() -> None:
    """At 3,500 a second and 20 ms 70 can be in flight: it settles there."""
    adaptive = run(Window(MOST), Limited(3500), 20_000)
    fixed = run(Fixed(MOST), Limited(3500), 20_000)

    assert 50 < mean(adaptive.late) < 80
    assert adaptive.refused < 0.05 * adaptive.served
    assert adaptive.refused * 100 < fixed.refused


def test_a_low_limit_is_found_as_well() -> None:
    """A tenth of that: 7 in flight."""
    adaptive = run(Window(MOST), Limited(350), 4000)
    fixed = run(Fixed(64), Limited(350), 4000)

    assert 4 < mean(adaptive.late) < 9
    assert adaptive.refused < 0.1 * adaptive.served
    assert adaptive.refused * 100 < fixed.refused


@pytest.mark.parametrize("per_second", [100, 2000])
def test_a_queue_is_not_filled(per_second: int) -> None:
    """A store that takes everything and lets it wait gets no more than keeps it busy, and some."""
    course = run(Window(MOST), Queueing(per_second), 10 * per_second)
    fixed = run(Fixed(MOST), Queueing(per_second), 10 * per_second)
    busy = per_second * TRIP

    assert busy <= mean(course.late) < 4 * busy + FIRST
    assert 5 * mean([round(1e6 * s) for s in course.latencies]) < mean(
        [round(1e6 * s) for s in fixed.latencies]
    )


@pytest.mark.parametrize("noise", [0, 0.5, 1.0])
def test_a_store_that_bears_everything_gets_everything(noise: float) -> None:
    """However much latency varies by itself, the window comes to be as large as it may be."""
    assert MOST == run(Window(MOST), Far(noise=noise), 20_000).sizes[-1]


def test_a_way_that_becomes_longer_is_no_queue() -> None:
    """Where latency does not fall with the window it was not ours."""
    course = run(Window(MOST), Far(lambda now: TRIP if now < 0.5 else 5 * TRIP), 30_000)

    assert MOST == course.sizes[-1]


def test_a_store_that_is_dead_is_asked_less_and_less_until_it_is_back() -> None:
    """Nothing but time-outs leaves one request in flight; then it grows again."""
    window, store = Window(MOST), Dead(until=10)
    course = run(window, store, 5000)

    assert 1 == min(course.sizes)
    assert course.refused < 50
    assert MOST == course.sizes[-1]


def test_one_round_trip_halves_once() -> None:
    """All that was in flight when it was halved says nothing new."""
    window = Window(MOST)
    sizes = []
    for serial, begun in [(3, 16), (1, 16), (16, 20), (17, 24), (24, 24), (25, 30)]:
        window.refused(serial, begun)
        sizes.append(window.size)

    assert [8, 8, 8, 4, 4, 2] == sizes


def test_what_is_not_used_does_not_grow() -> None:
    """One request after the other says nothing about many at once."""
    window = Window(MOST)
    for serial in range(1, 1000):
        window.succeeded("abort", TRIP, serial, serial, 1)

    assert FIRST == window.size


def test_the_first_window_is_no_larger_than_the_budget() -> None:
    """Who allows two requests gets two."""
    assert [1, 2, FIRST, FIRST] == [Window(most).size for most in (1, 2, 16, 1000)]


def test_a_window_grows_by_refusals_for_good_too() -> None:
    """A reply is a reply: 404 says that the store keeps up."""
    window = Window(MOST)
    for _ in range(10):
        window.answered(FIRST)

    assert FIRST + 10 == window.size


def test_latency_of_one_operation_is_not_compared_with_that_of_another() -> None:
    """Pages of a thousand uploads take longer than aborts, and that is no queue."""
    window, begun = Window(MOST), 0
    for _ in range(200):
        for operation, seconds in (("list_page", 0.5), ("abort", 0.01)):
            for _ in range(window.size):
                begun += 1
                window.succeeded(operation, seconds, begun, begun + window.size, window.size)

    assert MOST == window.size


events = st.lists(
    st.tuples(
        st.sampled_from(["good", "late", "bad", "gone"]),
        st.floats(0, 100),
        st.integers(0, 600),
        st.integers(0, 600),
    ),
    max_size=300,
)


@law
@given(most=st.integers(1, 600), heard=events)
def test_a_window_is_never_below_one_nor_above_the_budget(
    most: int, heard: list[tuple[str, float, int, int]]
) -> None:
    """Whatever a store answers, in whatever order."""
    window = Window(most)
    sizes = list(sizes_of(window, heard))

    assert all(1 <= size <= most for size in sizes)


def sizes_of(window: Window, heard: list[tuple[str, float, int, int]]) -> Iterator[int]:
    """Tell a window what happened, and give its sizes."""
    for begun, (kind, seconds, back, in_flight) in enumerate(heard, 1):
        serial = max(1, begun - back)
        match kind:
            case "bad":
                window.refused(serial, begun)
            case "gone":
                window.answered(in_flight)
            case _:
                window.succeeded(kind, seconds, serial, begun, in_flight)
        yield window.size
