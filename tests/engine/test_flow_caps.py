"""Caps on the requests to one container, in simulated time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.strategies import law

from janitor.engine.caps import REMEMBERED, Caps


def waits(caps: Caps, count: int, *, writes: bool = True, container: str = "bucket") -> list[float]:
    """Ask for so many places at one instant, and give the seconds to each."""
    return [caps.place(container, 100, writes=writes) for _ in range(count)]


def test_a_cap_bites_at_speed_only() -> None:
    """A tenth of a second's worth comes at once, then one after the other."""
    found = waits(Caps(5500, 3500), 352)

    assert [0.0] * 350 == [round(seconds, 9) for seconds in found[:350]]
    assert [round(1 / 3500, 9), round(2 / 3500, 9)] == [round(s, 9) for s in found[350:]]


def test_reads_writes_and_containers_are_capped_apart() -> None:
    """What one had says nothing about the other."""
    caps = Caps(10, 10)
    first = waits(caps, 2)

    assert 0 == first[0] < first[1]
    assert [0, 0] == waits(caps, 1, writes=False) + waits(caps, 1, container="other")


def test_no_cap_is_no_wait() -> None:
    """None is unlimited."""
    assert [0.0] * 10_000 == waits(Caps(5500, None), 10_000)


def test_what_is_at_rest_is_forgotten() -> None:
    """Tens of thousands of containers take no memory when they are done with."""
    caps = Caps(10, None)
    for number in range(3 * REMEMBERED):
        caps.place(f"bucket-{number}", 10.0 * number, writes=False)

    assert len(caps._spent) <= REMEMBERED  # noqa: SLF001  # nothing else shows it


@law
@given(
    gaps=st.lists(st.floats(0, 2), min_size=1, max_size=80),
    rate=st.floats(0.5, 5000),
)
def test_no_second_sees_more_than_the_cap_and_its_burst(gaps: list[float], rate: float) -> None:
    """In any span of time at most the rate's worth begins, and the burst."""
    caps, now, begun = Caps(None, rate), 50.0, []
    for gap in gaps:
        now += gap
        begun.append(now + caps.place("bucket", now, writes=True))

    for first, start in enumerate(begun):
        for last, end in enumerate(begun[first:], first):
            assert last - first <= (end - start) * rate + max(1, rate / 10) + 1e-6
