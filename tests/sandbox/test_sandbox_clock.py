"""The sandbox's own time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import time_machine

from janitor.sandbox import SandboxClock

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_it_is_the_real_time_by_default() -> None:
    """Clients sign with the real time, so the sandbox starts there."""
    with time_machine.travel(NOON, tick=False):
        assert NOON == SandboxClock().now()


def test_it_keeps_running_from_where_it_was_set() -> None:
    """A set clock is not a frozen one."""
    with time_machine.travel(NOON, tick=False) as traveller:
        clock = SandboxClock(datetime(2012, 3, 20, tzinfo=UTC))
        clock.move(timedelta(days=-1))
        traveller.shift(timedelta(hours=1))

        assert datetime(2012, 3, 19, 1, tzinfo=UTC) == clock.now()


def test_a_frozen_clock_moves_only_when_told() -> None:
    """For dates that a test compares exactly."""
    with time_machine.travel(NOON, tick=False) as traveller:
        clock = SandboxClock(frozen=True)
        traveller.shift(timedelta(hours=1))
        before = clock.now()
        clock.move(timedelta(minutes=5))

        assert [NOON, NOON + timedelta(minutes=5)] == [before, clock.now()]


def test_it_is_always_utc() -> None:
    """Other zones are converted."""
    clock = SandboxClock(NOON.astimezone(timezone(timedelta(hours=8))), frozen=True)

    assert NOON.isoformat() == clock.now().isoformat()


def test_a_naive_time_is_refused() -> None:
    """A guess about the zone would be a wrong age."""
    with pytest.raises(ValueError, match="needs a time zone"):
        SandboxClock(datetime(2026, 11, 20))  # noqa: DTZ001 -- the mistake itself
