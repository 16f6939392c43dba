from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from janitor.service.web.crowd import Crowd, Stage
from janitor.service.web.seldom import SeldomLog


class Somebody:
    """A connection that can only be thrown out."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.out = 0

    def throw_out(self) -> None:
        """Count it."""
        self.out += 1


def guests(crowd: Crowd, stages: dict[str, Stage]) -> dict[str, Somebody]:
    """Let these in, one after the other."""
    made = {name: Somebody(name) for name in stages}
    for name, guest in made.items():
        crowd.enter(guest)
        crowd.move(guest, stages[name])
    return made


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ({"a": Stage.NEW, "b": Stage.NEW}, "a"),
        ({"a": Stage.IDLE, "b": Stage.NEW}, "b"),
        ({"a": Stage.BLOCKED, "b": Stage.IDLE}, "b"),
        ({"a": Stage.BUSY, "b": Stage.BLOCKED}, "b"),
        ({"a": Stage.BUSY, "b": Stage.BUSY}, "newcomer"),
    ],
)
def test_strangers_leave_first_and_who_waits_for_an_answer_never(
    stages: dict[str, Stage], expected: str
) -> None:
    """Where nobody can be spared, it is the newcomer."""
    crowd = Crowd(2, 2)
    everybody = guests(crowd, stages)
    everybody["newcomer"] = Somebody("newcomer")
    crowd.enter(everybody["newcomer"])

    assert ([expected], 2) == ([name for name, one in everybody.items() if one.out], len(crowd))


def test_it_is_who_is_longest_in_its_stage() -> None:
    """Not who came first."""
    crowd = Crowd(2, 2)
    everybody = guests(crowd, {"a": Stage.IDLE, "b": Stage.IDLE})
    crowd.move(everybody["a"], Stage.BUSY)
    crowd.move(everybody["a"], Stage.IDLE)
    crowd.enter(Somebody())

    assert (0, 1) == (everybody["a"].out, everybody["b"].out)


def test_staying_in_a_stage_does_not_make_anybody_younger() -> None:
    """A byte now and then is no news."""
    crowd = Crowd(2, 2)
    everybody = guests(crowd, {"a": Stage.NEW, "b": Stage.NEW})
    moved = crowd.move(everybody["a"], Stage.NEW)
    crowd.enter(Somebody())

    assert (False, 1, 0) == (moved, everybody["a"].out, everybody["b"].out)


def test_who_has_left_cannot_come_back_by_an_event() -> None:
    """What the loop still tells of it does not count."""
    crowd = Crowd(2, 2)
    (guest,) = guests(crowd, {"a": Stage.IDLE}).values()
    crowd.leave(guest)
    crowd.leave(guest)

    assert (False, 0) == (crowd.move(guest, Stage.BUSY), len(crowd))


def test_clearing_spares_the_other_stages() -> None:
    """At the end, answers on their way are waited for."""
    crowd = Crowd(9, 9)
    everybody = guests(crowd, {stage.name: stage for stage in Stage})
    crowd.clear(Stage.NEW, Stage.IDLE)

    assert {"NEW", "IDLE"} == {name for name, guest in everybody.items() if guest.out}


@given(
    most=st.integers(1, 5),
    most_blocked=st.integers(1, 5),
    events=st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from(["enter", "leave", *Stage])), max_size=100
    ),
)
def test_bounds_hold_whatever_happens(
    most: int, most_blocked: int, events: list[tuple[int, Stage | str]]
) -> None:
    """Nobody is counted twice, nobody is thrown out twice, nobody busy is thrown out."""
    crowd = Crowd(most, most_blocked)
    inside: dict[int, Somebody] = {}
    stages: dict[int, Stage | str] = {}
    for number, event in events:
        before = dict(inside)
        if event == "enter":
            if number not in inside:
                before[number] = inside[number] = Somebody()
                crowd.enter(inside[number])
                stages[number] = Stage.NEW
        elif number in inside and isinstance(event, Stage):
            crowd.move(inside[number], event)
            stages[number] = event
        elif number in inside:
            crowd.leave(inside.pop(number))
        left = {each: guest for each, guest in before.items() if guest.out}
        inside = {each: guest for each, guest in inside.items() if not guest.out}
        blocked = [each for each in inside if stages[each] is Stage.BLOCKED]

        assert (True, True, True, True, len(inside)) == (
            len(crowd) <= most,
            len(blocked) <= most_blocked,
            len(left) <= 1,
            all(guest.out == 1 and stages[each] is not Stage.BUSY for each, guest in left.items()),
            len(crowd),
        )


def test_what_strangers_cause_is_told_once_a_minute_with_a_count() -> None:
    """Each event by itself."""
    times = iter([0, 1, 59, 60, 61, 130, 130])
    log = SeldomLog(60, lambda: next(times))
    with capture_logs() as lines:
        for _ in range(6):
            log.warning("one", client="x")
        log.warning("other")

    assert [("one", 0), ("one", 2), ("one", 1), ("other", 0)] == [
        (line["event"], line["left_out"]) for line in lines
    ]


def test_the_first_warning_is_told_at_any_time() -> None:
    """A clock may begin anywhere."""
    with capture_logs() as lines:
        SeldomLog(60, lambda: -math.inf).warning("one")
        SeldomLog(60, lambda: 0.0).warning("one")

    assert 1 == len(lines) - 1
