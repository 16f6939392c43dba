"""Runs the sweeps of the daemon, one at a time, and outlives every one of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from janitor.ledger.errors import LedgerError
from janitor.model import TargetOutcome
from janitor.observe import current_run
from janitor.observe.events import SweepFinished
from janitor.observe.metrics import Metrics
from janitor.service.health import Health
from janitor.service.leadership import Leadership
from janitor.service.watchdog import watchdog
from janitor.settings.types import Settings


@dataclass(frozen=True, slots=True)
class Work:
    """What the daemon does, by one reading of its config.

    `sweep` runs in another thread and must end soon after the daemon's stop is
    set. `adopt` is called once, when a reload has made this the present work.
    """

    settings: Settings
    sweep: Callable[[], SweepFinished]
    adopt: Callable[[], None] = lambda: None


class Runner:
    """Sweeps as its present work says, unless a stop was asked for or somebody else leads."""

    def __init__(
        self,
        work: Work,
        metrics: Metrics,
        health: Health,
        leadership: Leadership,
        stop: threading.Event,
    ) -> None:
        self.work = work
        self.cut_short = False
        self.last: SweepFinished | None = None
        self._metrics = metrics
        self._health = health
        self._leadership = leadership
        self._stop = stop
        self._log = structlog.get_logger("janitor.daemon")

    def run(self) -> None:
        """Sweep once; a crash is logged and counted, and the next sweep comes when it is due."""
        if self._stop.is_set():
            return
        if not self._leadership.leads:
            self._health.sweep_skipped()
            self._log.debug("sweep.left_to_the_leader")
            return
        work = self.work
        self._health.sweep_began()
        try:
            with watchdog(work.settings.execution):
                finished = work.sweep()
        except BaseException as error:  # noqa: BLE001  # in its thread nobody else would hear of it
            # Asked at once: a stop that comes while this is logged cut nothing short.
            self.cut_short = self._stop.is_set()
            self._log.exception("sweep.crashed")
            current_run.end()
            self._metrics.sweep_crashed(ledger_failed=isinstance(error, LedgerError))
            self._health.sweep_ended(crashed=True)
        else:
            self._health.sweep_ended(crashed=False)
            self.last = finished
            outcomes = {result.outcome for result in finished.results}
            self.cut_short = TargetOutcome.INTERRUPTED in outcomes
