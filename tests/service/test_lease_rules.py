"""The rules of the election, answer by answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from janitor.service.lease_api import parse
from janitor.service.lease_rules import (
    Absent,
    Answer,
    Ask,
    Candidate,
    Conflict,
    Failed,
    Lease,
    Read,
    Record,
    Turn,
    Write,
)
from janitor.service.lease_term import Instant, Term, Timing

TIMING = Timing.of(timedelta(seconds=15))
START = 1_800_000_000.25


class Clock:
    """A clock that is moved by hand; both kinds go together."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def candidate(self) -> tuple[Candidate, Term]:
        """Make one who goes by this clock."""
        term = Term(TIMING, lambda: self.seconds, lambda: START + self.seconds)
        return Candidate("a", TIMING, term, lambda low, _: low), term


def play(turn: Turn, *answers: Answer) -> list[Ask]:
    """Take a turn with these answers, which must all be wanted; give what was asked."""
    asked = []
    left = list(answers)
    ask = next(turn, None)
    while ask is not None:
        asked.append(ask)
        try:
            ask = turn.send(left.pop(0))
        except StopIteration:
            break

    assert [] == left
    return asked


def written(holder: str = "a", version: str = "2", duration: int = 15) -> Lease:
    """Make a Lease as an answer has it."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Lease(Record(holder, duration, at, at, 3), version)


def lead(clock: Clock) -> tuple[Candidate, Term]:
    """Make one who leads since now."""
    candidate, term = clock.candidate()
    play(candidate.turn(), written(""), written("a", "3"))

    assert term.leads
    return candidate, term


def test_the_times_are_those_of_the_order() -> None:
    """Renewal ends at two thirds, a try comes each fifth, and a request gets a fifth."""
    assert Timing(15.0, 10.0, 3.0, 3.0) == TIMING


def test_a_lead_counts_from_before_it_was_asked_for() -> None:
    """An answer that takes two seconds leaves two seconds less to lead."""
    clock = Clock()
    candidate, term = clock.candidate()
    turn = candidate.turn()
    next(turn)
    ask = turn.send(written(""))
    clock.seconds += 2

    with pytest.raises(StopIteration):
        turn.send(written("a", "3"))
    assert (True, True) == (isinstance(ask, Write), term.leads)

    clock.seconds += 7.9

    assert term.leads

    clock.seconds += 0.2

    assert (False, True) == (term.leads, term.lost)


def test_an_answer_that_comes_after_the_deadline_begins_nothing() -> None:
    """Who was stopped while it asked does not lead when it hears that it might have."""
    clock = Clock()
    candidate, term = clock.candidate()
    turn = candidate.turn()
    next(turn)
    turn.send(written(""))
    clock.seconds += 60

    with pytest.raises(StopIteration):
        turn.send(written("a", "3"))
    assert (False, False) == (term.leads, term.lost)


def test_a_renewal_that_comes_too_late_is_a_loss_although_nobody_looked() -> None:
    """What was not noticed still happened: for a moment we did not lead."""
    clock = Clock()
    _, term = lead(clock)
    clock.seconds += 10.5
    term.confirm(Instant(9.0, START + 9.0))

    assert (False, True) == (term.leads, term.lost)


def test_what_is_lost_is_not_won_again() -> None:
    """Whatever is confirmed afterwards, this process does not lead any more."""
    clock = Clock()
    candidate, term = lead(clock)
    term.lose()
    term.confirm(term.now())

    assert (False, True, True) == (term.leads, term.lost, term.over)
    assert [] == play(candidate.turn())


def test_a_write_that_changed_nothing_is_no_lead() -> None:
    """Others would not see it, and would take over while we lead."""
    clock = Clock()
    candidate, term = clock.candidate()
    play(candidate.turn(), written("", "2"), written("a", "2"))

    assert (False, True) == (term.leads, candidate.trouble is not None)


def test_absence_counts_only_while_one_looks() -> None:
    """A Lease may have come and gone while we were cut off."""
    clock = Clock()
    candidate, _ = clock.candidate()
    first = play(candidate.turn(), Absent())
    clock.seconds += 60
    after_a_gap = play(candidate.turn(), Absent())
    for _ in range(4):
        clock.seconds += 3
        play(candidate.turn(), Absent())
    clock.seconds += 3
    after_looking = play(candidate.turn(), Absent(), written())

    assert [[Read], [Read], [Read, Write]] == [
        [type(ask) for ask in asked] for asked in (first, after_a_gap, after_looking)
    ]


def test_a_new_lease_whose_answer_was_lost_is_waited_for() -> None:
    """When it was made nobody knows: perhaps in place of one that somebody just held."""
    clock = Clock()
    candidate, term = clock.candidate()
    for _ in range(5):
        play(candidate.turn(), Absent())
        clock.seconds += 3
    made = play(candidate.turn(), Absent(), Failed("timeout"))
    clock.seconds += 3
    found = play(candidate.turn(), written("a", "9"))
    clock.seconds += 15
    taken = play(candidate.turn(), written("a", "9"), written("a", "10"))

    assert [[Read, Write], [Read], [Read, Write]] == [
        [type(ask) for ask in asked] for asked in (made, found, taken)
    ]
    assert term.leads


def test_a_change_whose_answer_was_lost_is_ours_at_once() -> None:
    """It names the version that it follows, so nobody held the Lease in between."""
    clock = Clock()
    candidate, term = clock.candidate()
    play(candidate.turn(), written(""), Failed("timeout"))
    clock.seconds += 3
    play(candidate.turn(), written("a", "3"), written("a", "4"))

    assert term.leads


def test_any_write_is_a_sign_of_life() -> None:
    """Only a Lease that nobody wrote to for its duration is taken."""
    clock = Clock()
    candidate, term = clock.candidate()
    for version in range(6):
        play(candidate.turn(), written("b", str(version)))
        clock.seconds += 14.9
    play(candidate.turn(), written("b", "5"))
    clock.seconds += 0.2
    play(candidate.turn(), written("b", "5"), written("a", "6"))

    assert term.leads


def test_a_lost_race_for_an_old_lease_is_not_a_lead() -> None:
    """Somebody else was faster, and begins a new term."""
    clock = Clock()
    candidate, term = clock.candidate()
    play(candidate.turn(), written(""), Conflict())

    assert (False, False, None) == (term.leads, term.lost, candidate.trouble)


def test_a_leader_waits_as_long_as_a_server_asks_but_not_until_it_is_too_late() -> None:
    """It tries once more before its time is up; a standby waits for a duration at most."""
    clock = Clock()
    leader, _ = lead(clock)
    pauses = []
    for wanted in (None, 5.0, 3600.0):
        play(leader.turn(), Failed("throttled", wanted))
        pauses.append(leader.pause())
    standby, _ = clock.candidate()
    for wanted in (None, 5.0, 3600.0):
        play(standby.turn(), Failed("throttled", wanted))
        pauses.append(standby.pause())

    assert [2.4, 5.0, 8.5, 2.4, 5.0, 15.0] == [round(pause, 3) for pause in pauses]


def test_a_leader_waits_for_no_answer_that_comes_too_late() -> None:
    """The last requests before the deadline get what is left."""
    clock = Clock()
    leader, _ = lead(clock)
    timeouts = []
    for seconds in (3.0, 5.0, 1.0, 0.9):
        clock.seconds += seconds
        (asked,) = play(leader.turn(), Failed("timeout"))
        timeouts.append(round(asked.timeout, 3))

    assert [3.0, 2.0, 1.0, 0.3] == timeouts


def test_a_clock_that_stands_still_does_not_hide_a_renewal() -> None:
    """Two records are never the same, or the server would write nothing and others see nothing."""
    clock = Clock()
    leader, _ = lead(clock)
    records = []
    held = written("a", "3")
    for version in range(4, 8):
        (asked,) = play(leader.turn(), replace(held, version=str(version)))

        assert isinstance(asked, Write)
        records.append(asked.record)
        held = Lease(asked.record, str(version))
        leader._held = held  # noqa: SLF001  # as the answer has it

    assert all(one.renewed != two.renewed for one, two in pairwise(records))


def test_who_leaves_lets_go_of_what_it_may_hold() -> None:
    """After a lost answer it asks first; what somebody else took meanwhile it lets alone."""
    clock = Clock()
    sure, _ = lead(clock)
    unsure, _ = clock.candidate()
    play(unsure.turn(), written(""), Failed("timeout"))
    never, _ = clock.candidate()
    play(never.turn(), written("b"))
    raced, _ = lead(clock)
    outcomes = [
        play(sure.release(), written("", "5")),
        play(unsure.release(), written("a", "3"), written("", "4")),
        play(never.release()),
        play(raced.release(), Conflict(), written("b", "9")),
    ]

    assert [[Write], [Read, Write], [], [Write, Read]] == [
        [type(ask) for ask in asked] for asked in outcomes
    ]


LEASE = (
    b'{"kind": "Lease", "metadata": {"name": "n", "resourceVersion": "7", "labels": {"a": "b"}, '
    b'"managedFields": []}, "spec": {"holderIdentity": "h", "leaseDurationSeconds": 15, '
    b'"renewTime": "2026-01-01T00:00:00.000001Z", "strategy": "s", "new": {}}}'
)


def test_a_lease_is_read_with_what_is_not_ours() -> None:
    """Labels and strategies go back as they came; what only a newer server knows does no harm."""
    at = datetime(2026, 1, 1, 0, 0, 0, 1, UTC)
    kept = {"metadata": {"labels": {"a": "b"}}, "spec": {"strategy": "s"}}

    assert Lease(Record("h", 15, None, at, 0), "7", kept) == parse(LEASE, "n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"Lease"', b'"Pod"'),
        (b'"n"', b'"other"'),
        (b'"resourceVersion": "7", ', b""),
        (b'"resourceVersion": "7"', b'"resourceVersion": ""'),
        (b'"resourceVersion": "7"', b'"resourceVersion": 7'),
        (b'"spec"', b'"spoc"'),
        (b'"h"', b"5"),
        (b": 15", b': "15"'),
        (b": 15", b": true"),
        (b"01T00", b"41T00"),
        (b"001Z", b"001"),
    ],
)
def test_what_is_not_surely_this_lease_is_no_answer(old: bytes, new: bytes) -> None:
    """A missing or wrong field is never read as nothing there."""
    assert isinstance(parse(LEASE.replace(old, new), "n"), Failed)
