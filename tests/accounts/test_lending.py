"""Costly things are lent: never closed under whoever has them, and never too many besides."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from janitor.providers.common import Common
from janitor.providers.lending import Lending, Place

PATIENCE = 30


class Thing:
    """Something that must not be used after it was closed."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        """Count how often it was closed."""
        self.closed += 1


def lent(lending: Lending[Thing], place: Place[Thing]) -> Thing:
    """Take a thing, made anew if need be."""
    found = lending.take(place)
    return lending.made(place) if found is None else found


def used(lending: Lending[Thing], place: Place[Thing]) -> Thing:
    """Take a thing and give it back."""
    thing = lent(lending, place)
    lending.give(place)
    return thing


def test_what_was_not_used_for_the_longest_time_is_closed() -> None:
    """And made anew for whoever wants it again."""
    lending: Lending[Thing] = Lending(2)
    first, second, third = (lending.place(name, Thing) for name in ("first", "second", "third"))
    one, two = used(lending, first), used(lending, second)
    again = used(lending, first)
    used(lending, third)

    assert again is one
    assert (0, 1, 2) == (one.closed, two.closed, len(lending))
    assert used(lending, second) is not two


def test_equal_keys_have_one_thing() -> None:
    """Whoever asks."""
    lending: Lending[Thing] = Lending(2)
    places = [lending.place(("s3", "eu-west-1"), Thing) for _ in range(2)]

    assert used(lending, places[0]) is used(lending, places[1])


def test_nothing_is_closed_under_whoever_has_it() -> None:
    """There may be too many then, until somebody gives one back."""
    lending: Lending[Thing] = Lending(1)
    places = [lending.place(name, Thing) for name in range(3)]
    things = [lent(lending, place) for place in places]
    all_there = len(lending)
    lending.give(places[1])
    after_one = [thing.closed for thing in things]
    lending.give(places[0])
    lending.give(places[2])

    assert 3 == all_there
    assert [0, 1, 0] == after_one
    assert [1, 1, 0] == [thing.closed for thing in things]


def test_in_the_end_all_are_closed_once() -> None:
    """Those in use when they are given back; what comes later is closed as soon as it may be."""
    lending: Lending[Thing] = Lending(8)
    idle, busy, late = (lending.place(name, Thing) for name in ("idle", "busy", "late"))
    rested, held = used(lending, idle), lent(lending, busy)
    lending.close()
    lending.close()
    before = (rested.closed, held.closed)
    lending.give(busy)
    last = used(lending, late)

    assert (1, 0) == before
    assert (1, 1, 1) == (rested.closed, held.closed, last.closed)
    assert 0 == len(lending)


def test_what_cannot_be_made_is_nobodys() -> None:
    """The next one who wants it tries again."""
    lending: Lending[Thing] = Lending(1)
    answers: list[object] = [ValueError("no"), Thing()]

    def make() -> Thing:
        found = answers.pop(0)
        if isinstance(found, ValueError):
            raise found
        assert isinstance(found, Thing)
        return found

    place = lending.place("key", make)
    with pytest.raises(ValueError, match="no"):
        lending.made(place)

    assert 0 == len(lending)
    assert 0 == used(lending, place).closed


def test_those_who_come_at_once_have_one_made() -> None:
    """The others wait for it, and no other thing's users do."""
    lending: Lending[Thing] = Lending(4)
    making, go_on = threading.Event(), threading.Event()
    made: list[Thing] = []

    def make() -> Thing:
        making.set()
        assert go_on.wait(PATIENCE)
        made.append(Thing())
        return made[-1]

    slow, quick = lending.place("slow", make), lending.place("quick", Thing)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(used, lending, slow) for _ in range(4)]
        assert making.wait(PATIENCE)
        meanwhile = used(lending, quick)
        go_on.set()
        found = {id(each.result(PATIENCE)) for each in waiting}

    assert 1 == len(made) == len(found)
    assert 0 == meanwhile.closed


def test_many_threads_never_have_a_closed_thing() -> None:
    """However many keys there are for few places."""
    lending: Lending[Thing] = Lending(3)
    places = [lending.place(number, Thing) for number in range(10)]

    def work(seed: int) -> int:
        choose = random.Random(seed)  # noqa: S311  # no secret
        closed = 0
        for _ in range(500):
            place = choose.choice(places)
            thing = lent(lending, place)
            closed += thing.closed
            lending.give(place)
        return closed

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(8)))
    rested = len(lending)
    lending.close()

    assert [0] * 8 == found
    assert rested <= 3
    assert 0 == len(lending)


def test_a_run_has_one_of_each_kind() -> None:
    """Closed when it is over, and made anew for the next one."""
    with Common() as common:
        first, same = common.of(Thing), common.of(Thing)
        before = first.closed

    assert first is same
    assert (0, 1) == (before, first.closed)
    assert common.of(Thing) is not first


class Stubborn(Thing):
    """Something that cannot be closed."""

    def close(self) -> None:
        """Fail."""
        msg = "no"
        raise OSError(msg)


def test_one_that_cannot_be_closed_keeps_no_other_open() -> None:
    """All are closed, and then it is said."""
    lending: Lending[Thing] = Lending(4)
    things = [used(lending, lending.place(kind, kind)) for kind in (Stubborn, Thing)]
    with pytest.raises(OSError, match="no"), Common() as common:
        others = [common.of(kind) for kind in (Stubborn, Thing)]
    with pytest.raises(OSError, match="no"):
        lending.close()

    assert (1, 1) == (things[1].closed, others[1].closed)
