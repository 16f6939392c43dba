"""The daemon: sweeps when it is time, answers meanwhile, and stops when it is told to.

Exit codes: 0 for a stop that was asked for and cut nothing short; 130 or 143
(128 and the signal's number) where a sweep was cut short, or where a second
signal did not let it end; 1 where the daemon itself broke down, where a sweep
hung, or where its Lease was lost: then whoever restarts it begins anew.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import FrameType

import structlog

from janitor.errors import JanitorError
from janitor.observe.metrics import Metrics
from janitor.service.facts import facts_of
from janitor.service.health import Health
from janitor.service.leadership import Alone, Leadership
from janitor.service.notify import Notifier
from janitor.service.runner import Runner, Work
from janitor.service.schedule import Scheduler
from janitor.service.ticks import longest_gap
from janitor.service.watching import Watch
from janitor.service.web import Web, application
from janitor.settings import show
from janitor.settings.types import Schedule, Settings

EXIT_STOPPED = 0
EXIT_BROKEN = 1
_STOPS = (signal.SIGTERM, signal.SIGINT)
_SIGNALLED = 128
_GLANCE = 0.5

_Wishes = queue.SimpleQueue[signal.Signals]


def serve(  # noqa: PLR0913  # all but the first three have a plain default
    work: Work,
    metrics: Metrics,
    stop: threading.Event,
    *,
    reload: Callable[[], Work] | None = None,
    watch: Watch | None = None,
    leadership: Leadership | None = None,
    notifier: Notifier | None = None,
) -> int:
    """Run until a signal comes or `stop` is set; give the exit code. Only for the main thread.

    `reload` reads the config again and raises JanitorError where it is broken;
    it is asked after SIGHUP and when `watch` sees new content. Raises
    JanitorError if the address cannot be had, and ValueError for a schedule
    that makes no sense.
    """
    daemon = _Daemon(work, metrics, stop, leadership or Alone(), notifier or Notifier())
    return daemon.serve(reload, watch)


class _Daemon:
    def __init__(
        self,
        work: Work,
        metrics: Metrics,
        stop: threading.Event,
        leadership: Leadership,
        notifier: Notifier,
    ) -> None:
        settings = work.settings
        self._log = structlog.get_logger("janitor.daemon")
        self._metrics = metrics
        self._stop = stop
        self._leadership = leadership
        self._notifier = notifier
        self._health = Health(settings.execution.run_timeout)
        self._runner = Runner(work, metrics, self._health, leadership, stop)
        self._reload_error: str | None = None
        self._led = leadership.leads
        # Whoever does not lead yet sweeps when that comes.
        self._scheduler = Scheduler(
            settings.schedule, self._runner.run, metrics, at_start=self._led
        )
        self._tell_interval(settings.schedule)
        metrics.leader(self._led)

    def serve(self, reload: Callable[[], Work] | None, watch: Watch | None) -> int:
        settings = self._runner.work.settings
        app = application(
            self._metrics.registry,
            self._health,
            config=lambda: show(self._runner.work.settings),
            landing=self._facts,
            users=lambda: self._runner.work.settings.http.users,
        )
        # Known before it answers: its first page asks for it.
        self._web = Web(app, settings.http)
        with (
            _signals() as wishes,
            self._web as web,
            # Left after the last sweep has ended: nobody else may begin before.
            self._leadership,
            self._scheduler,
        ):
            try:
                self._health.serving(lambda: self._scheduler.alive, self._scheduler.patience)
                self._log.info("daemon.started", url=web.url, mode=settings.mode)
                self._notifier.ready()
                wish = self._wait(wishes, reload, watch)
                broken = wish is None and not self._stop.is_set()
            finally:
                # First of all, because leaving the block waits for the sweep that is running.
                self._stop.set()
                self._health.stopping()
                self._notifier.stopping()
            name = None if wish is None else wish.name
            sweeping = self._health.sweeping
            self._log.log(*_farewell(broken=broken), signal=name, sweeping=sweeping)
        code = _exit_code(wish, broken=broken, cut_short=self._runner.cut_short)
        self._log.info("daemon.stopped", exit_code=code)
        return code

    def _wait(
        self, wishes: _Wishes, reload: Callable[[], Work] | None, watch: Watch | None
    ) -> signal.Signals | None:
        """Wait for a signal, for `stop`, or for the end of what must live; reload meanwhile."""
        while not self._stop.is_set() and self._lives():
            wish = _next(wishes)
            if wish in _STOPS:
                return wish
            if reload is not None and (wish or (watch is not None and watch.changed())):
                self._reload(reload, watch, asked=wish is not None)
            self._glance()
        return None

    def _lives(self) -> bool:
        if self._leadership.lost():
            self._log.critical("leadership.lost")
            return False
        return self._scheduler.alive and self._web.alive

    def _glance(self) -> None:
        """Look who leads, and tell systemd how things are."""
        leads = self._leadership.leads
        if leads != self._led:
            self._led = leads
            self._metrics.leader(leads)
            if leads:
                self._log.info("leadership.gained")
                self._sweep_at_start()
        ailment = self._health.ailment()
        if ailment is None:
            self._notifier.alive()
        self._notifier.status(ailment or self._doing())

    def _sweep_at_start(self) -> None:
        if self._runner.work.settings.schedule.at_start:
            self._scheduler.sweep_now()

    def _doing(self) -> str:
        if not self._led:
            return "standing by for the leader"
        return "sweeping" if self._health.sweeping else "waiting for the next sweep"

    def _facts(self) -> Mapping[str, str]:
        return facts_of(
            self._runner.work.settings,
            leads=self._led,
            sweeping=self._health.sweeping,
            last=self._runner.last,
            next_sweep=self._scheduler.next_sweep,
            reload_error=self._reload_error,
            trouble=self._web.trouble,
        )

    def _reload(self, reload: Callable[[], Work], watch: Watch | None, *, asked: bool) -> None:
        """Take the config as it is now; a broken one changes nothing.

        A refusal that nobody asked to hear again is told once.
        """
        self._notifier.reloading()
        try:
            work = reload()
            self._web.reload(work.settings.http)
            self._scheduler.reschedule(work.settings.schedule)
        except Exception as error:  # noqa: BLE001  # whatever is wrong, the daemon goes on
            expected = isinstance(error, JanitorError | ValueError)
            news = asked or str(error) != self._reload_error
            level = logging.ERROR if news else logging.DEBUG
            self._reload_error = str(error)
            self._log.log(level, "config.reload_failed", error=str(error), exc_info=not expected)
            self._metrics.config_reloaded(successful=False)
            if watch is not None:
                watch.refused()
        else:
            self._reload_error = None
            self._apply(work)
        finally:
            self._notifier.ready()

    def _apply(self, work: Work) -> None:
        before = self._runner.work.settings
        self._runner.work = work
        work.adopt()
        rescheduled = before.schedule != work.settings.schedule
        self._health.allow(work.settings.execution.run_timeout, rescheduled=rescheduled)
        self._tell_interval(work.settings.schedule)
        self._metrics.config_reloaded(successful=True)
        self._log.info("config.reloaded", mode=work.settings.mode)
        needs_restart = _needs_restart(before, work.settings)
        if needs_restart:
            self._log.warning("config.needs_restart", keys=needs_restart)

    def _tell_interval(self, schedule: Schedule) -> None:
        gap = longest_gap(self._scheduler.ticks, datetime.now(UTC))
        self._metrics.schedule_interval(gap + schedule.jitter)


def _needs_restart(before: Settings, after: Settings) -> list[str]:
    """Name what a running daemon cannot change about itself."""
    changed = {
        "http.listen": (before.http.host, before.http.port) != (after.http.host, after.http.port),
        "leader_election": before.election != after.election,
        "audit.file": before.audit_file != after.audit_file,
    }
    return [name for name, differs in changed.items() if differs]


def _next(wishes: _Wishes) -> signal.Signals | None:
    """Wait a moment for a wish; of many the first to stop counts, else one reload is as good."""
    wish = None
    with suppress(queue.Empty):
        wish = wishes.get(timeout=_GLANCE)
        while wish not in _STOPS:
            wish = wishes.get_nowait()
    return wish


@contextmanager
def _signals() -> Iterator[_Wishes]:
    """Take signals as wishes; the second wish to stop ends the process at once.

    Set explicitly, because a process with the id 1 ignores a signal that it
    has no handler for. A queue, because setting an Event in a handler can
    deadlock with the thread that it interrupts; this one is made for it.
    """
    wishes: _Wishes = queue.SimpleQueue()
    asked = False

    def stop(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(_SIGNALLED + number)
        asked = True
        wishes.put(signal.Signals(number))

    def reload(number: int, _: FrameType | None) -> None:
        wishes.put(signal.Signals(number))

    handlers = dict.fromkeys(_STOPS, stop) | {signal.SIGHUP: reload}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield wishes
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _farewell(*, broken: bool) -> tuple[int, str]:
    return (logging.CRITICAL, "daemon.broken") if broken else (logging.INFO, "daemon.stopping")


def _exit_code(wish: signal.Signals | None, *, broken: bool, cut_short: bool) -> int:
    if broken:
        return EXIT_BROKEN
    return _SIGNALLED + (wish or signal.SIGTERM) if cut_short else EXIT_STOPPED
