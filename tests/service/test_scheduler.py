from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
import time_machine
from apscheduler.events import EVENT_JOB_SUBMITTED, JobSubmissionEvent
from prometheus_client import CollectorRegistry

from janitor.observe.metrics import Metrics
from janitor.service.schedule import Scheduler, Trigger, ticks_of
from janitor.service.ticks import Cron, Every
from janitor.settings.types import Schedule

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SOON = Schedule(every=timedelta(milliseconds=50), at_start=False)
PATIENCE = 20


def new_metrics() -> Metrics:
    """Make metrics with a registry of their own."""
    return Metrics(CollectorRegistry(), "report")


def missed(metrics: Metrics, reason: str) -> float:
    """Give how often a sweep was missed."""
    found = metrics.registry.get_sample_value("janitor_schedule_missed_total", {"reason": reason})
    return -1.0 if found is None else found


def test_sweeps_come_one_after_the_other() -> None:
    """A real scheduler calls again and again, always in a thread of its own."""
    names: list[str] = []
    enough = threading.Event()

    def sweep() -> None:
        names.append(threading.current_thread().name)
        if len(names) >= 3:
            enough.set()

    with Scheduler(SOON, sweep, new_metrics()) as scheduler:
        came = enough.wait(PATIENCE)
        alive = scheduler.alive

    assert (True, True, False, {"sweep_0"}) == (came, alive, scheduler.alive, set(names))


def test_the_first_sweep_comes_at_the_start_if_wanted() -> None:
    """The next one is then due a whole interval later, and shown."""
    begun, told = threading.Event(), threading.Event()
    shown: list[datetime | None] = []

    class Watching(Metrics):
        """Metrics that say when the next sweep is far."""

        def next_sweep(self, at: datetime | None) -> None:
            """Show it, and tell."""
            super().next_sweep(at)
            if at is not None and at - datetime.now(UTC) > timedelta(hours=5):
                shown.append(at)
                told.set()

    metrics = Watching(CollectorRegistry(), "report")
    with Scheduler(Schedule(every=timedelta(hours=6)), begun.set, metrics):
        came = begun.wait(PATIENCE) and told.wait(PATIENCE)

    assert (True, True, None) == (
        came,
        all(shown),
        metrics.registry.get_sample_value("janitor_next_sweep_timestamp_seconds"),
    )


def test_without_that_nothing_happens_before_it_is_due() -> None:
    """The first sweep is due after a whole interval."""
    calls: list[int] = []
    metrics = new_metrics()
    with Scheduler(
        Schedule(every=timedelta(hours=6), at_start=False), lambda: calls.append(1), metrics
    ):
        shown = metrics.registry.get_sample_value("janitor_next_sweep_timestamp_seconds")

    due = datetime.fromtimestamp(shown or 0, UTC) - datetime.now(UTC)

    assert ([], True) == (calls, timedelta(hours=5, minutes=59) < due <= timedelta(hours=6))


def test_a_sweep_that_is_still_running_is_not_joined_by_another() -> None:
    """What is due meanwhile is skipped, and counted."""
    running: list[int] = []
    go_on = threading.Event()
    skipped = threading.Event()

    class Watching(Metrics):
        """Metrics that say when a sweep was skipped."""

        def schedule_missed(self, reason: Literal["busy", "late"], times: int = 1) -> None:
            """Count it, and tell."""
            super().schedule_missed(reason, times)
            skipped.set()

    metrics = Watching(CollectorRegistry(), "report")

    def sweep() -> None:
        running.append(1)
        go_on.wait(PATIENCE)

    with Scheduler(SOON, sweep, metrics):
        came = skipped.wait(PATIENCE)
        at_once = len(running)
        go_on.set()

    assert (True, 1, True) == (came, at_once, missed(metrics, "busy") >= 1)


def test_leaving_waits_for_the_sweep_that_is_running() -> None:
    """Nothing is cut off behind its back."""
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def sweep() -> None:
        begun.set()
        go_on.wait(PATIENCE)
        ended.set()

    with Scheduler(Schedule(every=timedelta(hours=1)), sweep, new_metrics()):
        begun.wait(PATIENCE)
        threading.Timer(0.2, go_on.set).start()

    assert ended.is_set()


def test_a_sweep_that_begins_late_counts_what_it_stands_for() -> None:
    """After a long sleep of the machine there is one sweep, and the others are counted."""
    metrics = new_metrics()
    with time_machine.travel(NOON, tick=False) as clock:
        scheduler = Scheduler(Schedule(every=timedelta(hours=1)), lambda: None, metrics)
        clock.shift(timedelta(hours=3, minutes=5))
        event = JobSubmissionEvent(EVENT_JOB_SUBMITTED, "sweep", "default", [NOON])
        scheduler._heard(event)  # noqa: SLF001  # APScheduler calls it

    assert (3.0, 0.0) == (missed(metrics, "late"), missed(metrics, "busy"))


def test_a_trigger_does_not_make_up_for_the_past() -> None:
    """After a gap it gives the next tick from now, not those that were slept through."""
    trigger = Trigger(Every(timedelta(hours=1), NOON))
    late = NOON + timedelta(hours=5, minutes=30)

    assert (NOON + timedelta(hours=6), NOON + timedelta(hours=1)) == (
        trigger.get_next_fire_time(NOON, late),
        trigger.get_next_fire_time(None, NOON),
    )


def test_a_trigger_never_fires_twice_for_one_tick() -> None:
    """Not even if the clock was set back a little since."""
    trigger = Trigger(Cron("0 12 * * *"))

    assert NOON + timedelta(days=1) == trigger.get_next_fire_time(NOON, NOON - timedelta(seconds=1))


def test_jitter_delays_and_never_hastens() -> None:
    """Every delay is within the jitter, and they differ."""
    trigger = Trigger(Every(timedelta(hours=1), NOON), timedelta(minutes=5))
    tick = NOON + timedelta(hours=1)
    delays = {trigger.get_next_fire_time(None, NOON) - tick for _ in range(200)}

    assert (True, True) == (
        all(timedelta(0) <= delay <= timedelta(minutes=5) for delay in delays),
        len(delays) > 100,
    )


def test_jitter_does_not_add_up() -> None:
    """However late one sweep was, the next one is counted from its own tick."""
    trigger = Trigger(Every(timedelta(hours=1), NOON), timedelta(minutes=5))
    moment = NOON
    for _ in range(100):
        moment = trigger.get_next_fire_time(moment, moment)
    drift = moment - (NOON + timedelta(hours=100))

    assert timedelta(0) <= drift <= timedelta(minutes=5)


def test_patience_is_three_intervals_and_the_jitter() -> None:
    """Of a cron expression, too: from now to the third time that it is due."""
    schedule = Schedule(cron="0 0 * * MON-FRI", every=None, jitter=timedelta(minutes=5))
    friday = datetime(2026, 3, 6, 12, tzinfo=UTC)
    with time_machine.travel(friday, tick=False):
        found = Scheduler(schedule, lambda: None, new_metrics()).patience()

    # Saturday and Sunday have none; Monday, Tuesday and Wednesday at midnight.
    assert timedelta(days=4, hours=12, minutes=5) == found


def test_a_schedule_needs_to_say_something() -> None:
    """Neither cron nor every is no schedule."""
    with pytest.raises(ValueError, match="a schedule needs cron or every"):
        ticks_of(Schedule(cron=None, every=None), NOON)


def test_another_schedule_takes_the_place_of_the_old() -> None:
    """The next sweep is when the new one says, and the metrics tell."""
    metrics = new_metrics()
    with Scheduler(
        Schedule(every=timedelta(hours=6), at_start=False), lambda: None, metrics
    ) as scheduler:
        scheduler.reschedule(Schedule(cron="0 0 1 1 *", every=None))
        seen = metrics.registry.get_sample_value("janitor_next_sweep_timestamp_seconds")

    assert seen is not None
    assert (1, 1) == (
        datetime.fromtimestamp(seen, UTC).day,
        datetime.fromtimestamp(seen, UTC).month,
    )


def test_the_same_schedule_does_not_begin_anew() -> None:
    """An interval that was reloaded every hour would never end."""
    metrics = new_metrics()
    schedule = Schedule(every=timedelta(hours=6), at_start=False)
    with Scheduler(schedule, lambda: None, metrics) as scheduler:
        before = metrics.registry.get_sample_value("janitor_next_sweep_timestamp_seconds")
        scheduler.reschedule(Schedule(every=timedelta(hours=6), at_start=False))
        after = metrics.registry.get_sample_value("janitor_next_sweep_timestamp_seconds")

    assert before is not None
    assert before == after


def test_a_schedule_that_makes_no_sense_leaves_the_old_one() -> None:
    """Told, and nothing is changed."""
    metrics = new_metrics()
    schedule = Schedule(every=timedelta(hours=6), at_start=False)
    with Scheduler(schedule, lambda: None, metrics) as scheduler:
        before = metrics.registry.get_sample_value("janitor_next_sweep_timestamp_seconds")
        with pytest.raises(ValueError, match="Bad day-of-month"):
            scheduler.reschedule(Schedule(cron="0 0 31 2 *", every=None))
        after = metrics.registry.get_sample_value("janitor_next_sweep_timestamp_seconds")

    assert before == after


def test_a_sweep_can_be_wanted_at_once() -> None:
    """Whoever has just become the leader does not wait for hours."""
    begun = threading.Event()
    schedule = Schedule(every=timedelta(hours=6))
    with Scheduler(schedule, begun.set, new_metrics(), at_start=False) as scheduler:
        first = begun.wait(0.2)
        scheduler.sweep_now()
        second = begun.wait(30)

    assert (False, True) == (first, second)
