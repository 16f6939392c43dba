from __future__ import annotations

from datetime import timedelta

from janitor.service.health import Health

HOUR = 3600.0


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Give the time."""
        return self.now


def serving(clock: Clock, *, alive: bool = True) -> Health:
    """Make the health of a daemon whose three intervals are 18 h and whose sweeps take 6 h."""
    health = Health(timedelta(hours=6), clock)
    health.serving(lambda: alive, lambda: timedelta(hours=18))
    return health


def test_a_daemon_is_ready_only_while_it_serves() -> None:
    """Not before the schedule is watched, and not any more once it is to stop."""
    health = Health(timedelta(hours=6), Clock())
    seen = [health.unreadiness()]
    health.serving(lambda: True, lambda: timedelta(hours=18))
    seen.append(health.unreadiness())
    health.stopping()
    seen.append(health.unreadiness())

    assert ["the daemon is starting", None, "the daemon is stopping"] == seen


def test_three_intervals_without_a_sweep_are_an_ailment() -> None:
    """Just within them all is well; beyond them the reason says for how long."""
    clock = Clock()
    health = serving(clock)
    clock.now += 18 * HOUR
    before = health.ailment()
    clock.now += 1

    assert (None, "no sweep has finished for 18:00:01, more than 18:00:00") == (
        before,
        health.ailment(),
    )


def test_a_finished_sweep_starts_the_count_again() -> None:
    """Each one buys three intervals."""
    clock = Clock()
    health = serving(clock)
    for _ in range(3):
        clock.now += 17 * HOUR
        health.sweep_began()
        health.sweep_ended(crashed=False)

    assert health.ailment() is None


def test_a_crashed_sweep_does_not() -> None:
    """A daemon that only crashes does no work."""
    clock = Clock()
    health = serving(clock)
    clock.now += 17 * HOUR
    health.sweep_began()
    health.sweep_ended(crashed=True)
    clock.now += 2 * HOUR

    assert health.ailment() == "no sweep has finished for 19:00:00, more than 18:00:00"


def test_a_long_sweep_is_left_to_finish() -> None:
    """Whoever restarts on ailments must not kill a sweep that keeps its deadline."""
    clock = Clock()
    health = Health(timedelta(hours=6), clock)
    health.serving(lambda: True, lambda: timedelta(minutes=15))
    health.sweep_began()
    clock.now += 6 * HOUR
    within = health.ailment()
    clock.now += HOUR

    assert (None, "a sweep has been running for 7:00:00, more than 6:15:00") == (
        within,
        health.ailment(),
    )


def test_a_dead_scheduler_is_an_ailment() -> None:
    """Nobody would ever sweep again."""
    assert serving(Clock(), alive=False).ailment() == "the scheduler is dead"


def test_a_daemon_that_stops_is_not_sick() -> None:
    """Its scheduler is gone because it was told to go."""
    health = serving(Clock(), alive=False)
    health.stopping()

    assert health.ailment() is None


def test_a_sweep_shows_while_it_runs() -> None:
    """From its beginning to its end."""
    health = serving(Clock())
    seen = [health.sweeping]
    health.sweep_began()
    seen.append(health.sweeping)
    health.sweep_ended(crashed=False)
    seen.append(health.sweeping)

    assert [False, True, False] == seen


def test_what_somebody_else_does_is_not_overdue() -> None:
    """A standby that skips its sweeps is well, as long as they come due."""
    clock = Clock()
    health = serving(clock)
    clock.now += 18 * HOUR
    health.sweep_skipped()
    clock.now += 18 * HOUR
    before = health.ailment()
    clock.now += 1

    assert (None, True) == (before, health.ailment() is not None)


def test_another_config_has_other_deadlines() -> None:
    """A sweep may take as long as the config says now."""
    clock = Clock()
    health = Health(timedelta(hours=1), clock)
    health.serving(lambda: True, lambda: timedelta(0))
    health.allow(timedelta(hours=2))
    health.sweep_began()
    clock.now += 2 * HOUR
    before = health.ailment()
    clock.now += HOUR

    assert (None, True) == (before, health.ailment() is not None)


def test_a_new_schedule_counts_from_when_it_came() -> None:
    """What was in time by the old schedule must not get the daemon restarted by the new one."""
    clock = Clock()
    intervals = [timedelta(hours=18), timedelta(minutes=3), timedelta(minutes=2)]
    health = Health(timedelta(hours=6), clock)
    health.serving(lambda: True, lambda: intervals[0])
    clock.now += 5 * HOUR
    del intervals[0]
    health.allow(timedelta(hours=6), rescheduled=True)
    seen = [health.ailment()]
    clock.now += 180
    # A reload that leaves the schedule as it is neither shortens nor lengthens it.
    del intervals[0]
    health.allow(timedelta(hours=6))
    seen.append(health.ailment())
    clock.now += 1
    seen.append(health.ailment())

    assert [None, None, "no sweep has finished for 5:03:01, more than 5:03:00"] == seen
