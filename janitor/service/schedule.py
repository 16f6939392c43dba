"""Runs one sweep at a time, when it is due."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Literal, Self

import structlog
from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_SUBMITTED, JobSubmissionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from janitor.observe.metrics import Metrics
from janitor.service.ticks import Cron, Every, Ticks, count_between
from janitor.settings.types import Schedule

_JOB = "sweep"
_INTERVALS = 3


def ticks_of(schedule: Schedule, start: datetime) -> Ticks:
    """Read a schedule; ValueError if it makes no sense."""
    if schedule.cron is not None:
        return Cron(schedule.cron, schedule.timezone)
    if schedule.every is None:
        msg = "a schedule needs cron or every"
        raise ValueError(msg)
    return Every(schedule.every, start)


class Trigger(BaseTrigger):  # type: ignore[misc]  # APScheduler ships no types
    """Tells APScheduler the next tick, each delayed by up to `jitter`.

    Ticks that have passed already are not made up for: one sweep sees all that
    they would have seen.
    """

    __slots__ = ("_jitter", "_ticks")

    def __init__(self, ticks: Ticks, jitter: timedelta = timedelta(0)) -> None:
        self._ticks = ticks
        self._jitter = jitter

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Give the first tick after both."""
        after = now if previous_fire_time is None else max(previous_fire_time, now)
        delay = self._jitter * random.random()  # noqa: S311  # jitter is no secret
        return next(iter(self._ticks.since(after))) + delay


class _Background(BackgroundScheduler):  # type: ignore[misc]  # APScheduler ships no types
    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()


class Scheduler:
    """Calls `sweep` in a thread of its own when it is due, never twice at once, inside `with`.

    `at_start` False takes back that the schedule wants one at once.
    """

    def __init__(
        self,
        schedule: Schedule,
        sweep: Callable[[], object],
        metrics: Metrics,
        *,
        at_start: bool = True,
    ) -> None:
        self._schedule = schedule
        self.ticks = ticks_of(schedule, datetime.now(UTC))
        self._metrics = metrics
        self._log = structlog.get_logger("janitor.schedule")
        self._scheduler = _Background(
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(1, {"thread_name_prefix": "sweep"})},
            timezone=UTC,
        )
        first = {"next_run_time": datetime.now(UTC)} if at_start and schedule.at_start else {}
        self._scheduler.add_job(
            sweep,
            Trigger(self.ticks, schedule.jitter),
            id=_JOB,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,  # else a job that is a second late is dropped
            **first,
        )
        heard = EVENT_JOB_SUBMITTED | EVENT_JOB_MAX_INSTANCES
        self._scheduler.add_listener(self._heard, heard)

    def __enter__(self) -> Self:
        """Begin to watch the clock."""
        self._scheduler.start()
        self._show_next()
        return self

    def __exit__(self, *_: object) -> None:
        """Begin no more sweeps, and wait for the one that is running."""
        self._scheduler.shutdown(wait=True)
        self._metrics.next_sweep(None)

    def reschedule(self, schedule: Schedule) -> None:
        """Follow another schedule from now on; ValueError, and no change, if it makes no sense."""
        if schedule == self._schedule:
            return  # else an interval would begin anew
        self.ticks = ticks_of(schedule, datetime.now(UTC))
        self._schedule = schedule
        self._scheduler.reschedule_job(_JOB, trigger=Trigger(self.ticks, schedule.jitter))
        self._show_next()

    def sweep_now(self) -> None:
        """Let a sweep be due at once."""
        self._scheduler.modify_job(_JOB, next_run_time=datetime.now(UTC))
        self._show_next()

    @property
    def alive(self) -> bool:
        """Whether anybody watches the clock."""
        return bool(self._scheduler.alive)

    def patience(self) -> timedelta:
        """How long from now three sweeps may take to come due, the slowest way."""
        now = datetime.now(UTC)
        *_, third = islice(self.ticks.since(now), _INTERVALS)
        return third - now + self._schedule.jitter

    def _heard(self, event: JobSubmissionEvent) -> None:
        now = datetime.now(UTC)
        if event.code == EVENT_JOB_MAX_INSTANCES:
            self._missed("busy", 1)
        late = count_between(self.ticks, event.scheduled_run_times[-1], now)
        if late:
            self._missed("late", late)
        self._show_next()

    def _missed(self, reason: Literal["busy", "late"], times: int) -> None:
        self._metrics.schedule_missed(reason, times)
        self._log.warning("schedule.missed", reason=reason, times=times)

    @property
    def next_sweep(self) -> datetime | None:
        """When the next sweep is due, as far as known."""
        job = self._scheduler.get_job(_JOB)
        # A job has none before the scheduler has started.
        return getattr(job, "next_run_time", None)

    def _show_next(self) -> None:
        self._metrics.next_sweep(self.next_sweep)
