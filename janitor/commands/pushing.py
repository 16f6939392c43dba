"""Leaves the metrics of one sweep where they outlive its process: nobody can scrape a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from janitor.engine.tally import EXIT_COMPLETE, EXIT_LOCKED
from janitor.ledger import LedgerError, Locked
from janitor.observe.events import Event, SweepFinished, SweepStarted
from janitor.observe.metrics import Metrics
from janitor.observe.push import PushFailed, delete, push
from janitor.observe.textfile import TextfileFailed, write_textfile
from janitor.settings.types import Push, Schedule, Settings
from janitor.sharding import Shard
from janitor.wiring import last_completes, showing

EXIT_NOT_LEFT = 1
LOCKED = "another janitor is at work, and its metrics are the ones that count"


class Pusher:
    """Counts one sweep, in a registry of its own, and leaves what it counted.

    An observer. `delete_on_success` deletes the group of a sweep that was
    complete, whatever the config says. A shard has a group, and a file, of its
    own.
    """

    def __init__(
        self,
        settings: Settings,
        now: Callable[[], datetime],
        *,
        delete_on_success: bool = False,
        shard: Shard | None = None,
    ) -> None:
        self._to = settings.push if shard is None else _of_shard(settings.push, shard)
        self._delete = delete_on_success or settings.push.delete_on_success
        self._run_id: str | None = None
        self._log = structlog.get_logger("janitor.metrics")
        self._metrics = Metrics(CollectorRegistry(), *showing(settings))
        self._metrics.schedule_interval(_interval(settings.schedule, now()))
        # What is pushed replaces all that was said before: a run that fails would take the last
        # success of each container away, and with it the alert on its age.
        self._metrics.seed(last_completes(settings, shard))

    def __call__(self, event: Event) -> None:
        """Count what happened."""
        if isinstance(event, SweepStarted):
            self._run_id = event.run_id
        self._metrics(event)

    def finished(self, sweep: SweepFinished) -> int:
        """Leave the metrics of a sweep that came to an end; give the exit code of it all.

        Metrics that nobody gets would be a silence that looks like peace, so
        that a sweep that went well ends with 1 where they could not be left.
        """
        if sweep.exit_code == EXIT_LOCKED:
            self._withhold()
            return sweep.exit_code
        left = self._leave(complete=sweep.exit_code == EXIT_COMPLETE)
        return sweep.exit_code if left else sweep.exit_code or EXIT_NOT_LEFT

    def crashed(self, error: BaseException) -> None:
        """Leave the metrics of a sweep that ended without a word."""
        if isinstance(error, Locked):
            self._withhold()
            return
        self._metrics.sweep_crashed(ledger_failed=isinstance(error, LedgerError))
        self._leave(complete=False)

    def _withhold(self) -> None:
        self._log.info("metrics.withheld", run_id=self._run_id, reason=LOCKED)

    def _leave(self, *, complete: bool) -> bool:
        registry = self._metrics.registry
        to, grouping = self._to, dict(self._to.grouping)
        left = True
        if to.pushgateway_url is not None:
            place = {"url": to.pushgateway_url, "job": to.job, "grouping": grouping}
            if complete and self._delete:
                left = self._try("metrics.deleted", lambda: delete(to), place)
            else:
                left = self._try("metrics.pushed", lambda: push(to, registry), place)
        path = to.textfile
        if path is None:
            return left
        written = self._try(
            "metrics.written", lambda: write_textfile(path, registry, grouping), {"path": path}
        )
        return left and written

    def _try(self, done: str, act: Callable[[], None], place: Mapping[str, object]) -> bool:
        try:
            act()
        except (PushFailed, TextfileFailed) as error:
            sentence = str(error)
        else:
            self._log.info(done, run_id=self._run_id, **place)
            return True
        self._log.error("metrics.lost", run_id=self._run_id, error=sentence)
        return False


def _of_shard(to: Push, shard: Shard) -> Push:
    """Let shards not overwrite each other; one that is named in the config stays."""
    grouping = {"shard": str(shard.index)} | dict(to.grouping)
    textfile = to.textfile
    if textfile is not None:
        path = Path(textfile)
        textfile = str(path.with_name(f"{path.stem}-shard-{shard.index}{path.suffix}"))
    return replace(to, grouping=tuple(sorted(grouping.items())), textfile=textfile)


def _interval(schedule: Schedule, now: datetime) -> timedelta:
    # APScheduler comes with it, which whoever pushes nothing need not wait for.
    from janitor.service.schedule import ticks_of  # noqa: PLC0415  # see above
    from janitor.service.ticks import longest_gap  # noqa: PLC0415  # the same

    return longest_gap(ticks_of(schedule, now), now) + schedule.jitter
