"""The daemon: sweeps when it is time, answers meanwhile, and stops when it is told to.

Exit codes: 0 for a stop that was asked for and cut nothing short; 130 or 143
(128 and the signal's number) where a sweep was cut short, or where a second
signal did not let it end; 1 where the daemon itself broke down.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import structlog

from janitor.model import TargetOutcome
from janitor.observe.events import SweepFinished
from janitor.observe.metrics import Metrics
from janitor.service.health import Health
from janitor.service.schedule import Scheduler
from janitor.service.web import Web, application
from janitor.settings.types import Settings

EXIT_STOPPED = 0
EXIT_BROKEN = 1
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SIGNALLED = 128
_GLANCE = 0.5

_Wishes = queue.SimpleQueue[signal.Signals]


def serve(
    settings: Settings,
    sweep: Callable[[], SweepFinished],
    metrics: Metrics,
    stop: threading.Event,
) -> int:
    """Run until a signal comes or `stop` is set; give the exit code. Only for the main thread.

    `sweep` runs in another thread and must end soon after `stop` is set. If it
    raises, that is logged and counted, and the next one is begun when it is
    due. Raises JanitorError if the address cannot be had, and ValueError for a
    schedule that makes no sense.
    """
    log = structlog.get_logger("janitor.daemon")
    health = Health(settings.execution.run_timeout)
    runner = _Runner(sweep, metrics, health, stop)
    scheduler = Scheduler(settings.schedule, runner.run, metrics)
    app = application(metrics.registry, health, users=lambda: settings.http.users)
    with _signals() as wishes, Web(app, settings.http) as web, scheduler:
        try:
            health.serving(lambda: scheduler.alive, scheduler.patience)
            log.info("daemon.started", url=web.url, mode=settings.mode)
            wish = _wait(wishes, stop, lambda: scheduler.alive and web.alive)
            broken = wish is None and not stop.is_set()
        finally:
            # First of all, because leaving the block waits for the sweep that is running.
            stop.set()
            health.stopping()
        name = None if wish is None else wish.name
        log.log(*_farewell(broken=broken), signal=name, sweeping=health.sweeping)
    code = _exit_code(wish, broken=broken, cut_short=runner.cut_short)
    log.info("daemon.stopped", exit_code=code)
    return code


class _Runner:
    """Runs sweeps, one at a time, and outlives every one of them."""

    def __init__(
        self,
        sweep: Callable[[], SweepFinished],
        metrics: Metrics,
        health: Health,
        stop: threading.Event,
    ) -> None:
        self.cut_short = False
        self._sweep = sweep
        self._metrics = metrics
        self._health = health
        self._stop = stop
        self._log = structlog.get_logger("janitor.daemon")

    def run(self) -> None:
        """Sweep once, unless a stop was asked for."""
        if self._stop.is_set():
            return
        self._health.sweep_began()
        try:
            finished = self._sweep()
        except BaseException:  # noqa: BLE001  # in its thread nobody else would hear of it
            # Asked at once: a stop that comes while this is logged cut nothing short.
            self.cut_short = self._stop.is_set()
            self._log.exception("sweep.crashed")
            self._metrics.sweep_crashed()
            self._health.sweep_ended(crashed=True)
        else:
            self._health.sweep_ended(crashed=False)
            outcomes = {result.outcome for result in finished.results}
            self.cut_short = TargetOutcome.INTERRUPTED in outcomes


@contextmanager
def _signals() -> Iterator[_Wishes]:
    """Take signals as wishes to stop; the second ends the process at once.

    Set explicitly, because a process with the id 1 ignores a signal that it
    has no handler for. A queue, because setting an Event in a handler can
    deadlock with the thread that it interrupts; this one is made for it.
    """
    wishes: _Wishes = queue.SimpleQueue()
    asked = False

    def handle(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(_SIGNALLED + number)
        asked = True
        wishes.put(signal.Signals(number))

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield wishes
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(
    wishes: _Wishes, stop: threading.Event, alive: Callable[[], bool]
) -> signal.Signals | None:
    """Wait for a signal, for `stop`, or for the end of what must live."""
    while not stop.is_set() and alive():
        with suppress(queue.Empty):
            return wishes.get(timeout=_GLANCE)
    return None


def _farewell(*, broken: bool) -> tuple[int, str]:
    return (logging.CRITICAL, "daemon.broken") if broken else (logging.INFO, "daemon.stopping")


def _exit_code(wish: signal.Signals | None, *, broken: bool, cut_short: bool) -> int:
    if broken:
        return EXIT_BROKEN
    return _SIGNALLED + (wish or signal.SIGTERM) if cut_short else EXIT_STOPPED
