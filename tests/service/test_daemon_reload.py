"""A running daemon takes another config, refuses a broken one, and acts only while it leads."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from janitor.errors import ConfigError, NotLeader
from janitor.ledger.errors import LedgerError
from janitor.model import ContainerRef, ContainerResult, TargetOutcome
from janitor.observe.events import SweepFinished
from janitor.observe.metrics import Metrics
from janitor.service.daemon import serve
from janitor.service.notify import Notifier
from janitor.service.runner import Work
from janitor.service.watching import Watch
from janitor.settings.types import Election, Http, Schedule, Settings

WHERE = ContainerRef("media", "qingstor", "your-bucket-name")
SELDOM = Settings(targets=(), schedule=Schedule(every=timedelta(hours=6)), http=Http(port=0))
PATIENCE = 30


@pytest.fixture(autouse=True)
def _plain_structlog() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def finished() -> SweepFinished:
    """Make the end of a sweep."""
    now = datetime.now(UTC)
    result = ContainerResult(WHERE, TargetOutcome.COMPLETE, now, now)
    return SweepFinished("r", "report", now, now, (result,), 0)


@dataclass
class Daemon:
    """A daemon in this process, and what was said and measured; `act` runs beside it."""

    metrics: Metrics = field(default_factory=lambda: Metrics(CollectorRegistry(), "report"))
    stop: threading.Event = field(default_factory=threading.Event)
    swept: threading.Event = field(default_factory=threading.Event)
    lines: list[Any] = field(default_factory=list)

    def sweep(self) -> SweepFinished:
        """Note that a sweep ran."""
        self.swept.set()
        return finished()

    def run(self, act: Callable[[], None], settings: Settings = SELDOM, **more: Any) -> int:
        """Serve until `act`, in another thread, has ended."""

        def and_stop() -> None:
            try:
                act()
            finally:
                self.stop.set()

        actor = threading.Thread(target=and_stop)
        with capture_logs() as lines:
            self.lines = lines
            actor.start()
            code = serve(Work(settings, self.sweep), self.metrics, self.stop, **more)
            actor.join()
        return code

    def value(self, name: str) -> float | None:
        """Give a metric."""
        return self.metrics.registry.get_sample_value(f"janitor_{name}")

    def said(self, event: str) -> list[Any]:
        """Give the log lines of one event."""
        return [line for line in self.lines if line["event"] == event]

    def wait_until(self, true: Callable[[], object]) -> None:
        """Wait for something to come true."""
        waiting = threading.Event()
        for _ in range(PATIENCE * 20):
            if true():
                return
            waiting.wait(0.05)
        message = "it never came true"
        raise AssertionError(message)


def test_a_hangup_reloads() -> None:
    """The new work takes the place of the old, with its schedule, and the metrics tell."""
    daemon = Daemon()
    adopted = threading.Event()
    yearly = replace(SELDOM, schedule=Schedule(cron="0 0 1 1 *", every=None), mode="enforce")
    before = daemon.value("config_reload_success_timestamp_seconds")

    def act() -> None:
        daemon.wait_until(lambda: daemon.said("daemon.started"))
        os.kill(os.getpid(), signal.SIGHUP)
        assert adopted.wait(PATIENCE)
        daemon.wait_until(lambda: daemon.said("config.reloaded"))

    def next_sweep_of_new() -> Work:
        return Work(yearly, daemon.sweep, adopted.set)

    code = daemon.run(act, reload=next_sweep_of_new)
    after = daemon.value("config_reload_success_timestamp_seconds")

    assert (0, ["enforce"]) == (code, [line["mode"] for line in daemon.said("config.reloaded")])
    assert before is not None
    assert after is not None
    assert after > before
    assert timedelta(days=365).total_seconds() == daemon.value("schedule_interval_seconds")


@pytest.mark.parametrize("error", [ConfigError("janitor.yaml:3:1: is wrong"), RuntimeError("bug")])
def test_a_broken_config_changes_nothing(error: Exception) -> None:
    """Told in the log and by a gauge; the daemon goes on as it was, and a mended one is taken."""
    daemon = Daemon()
    values: list[float | None] = []
    outcomes: list[Exception | None] = [error, None]

    def reload() -> Work:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        return Work(SELDOM, daemon.sweep)

    def act() -> None:
        for event in ("config.reload_failed", "config.reloaded"):
            daemon.wait_until(lambda: daemon.said("daemon.started"))
            os.kill(os.getpid(), signal.SIGHUP)
            daemon.wait_until(partial(daemon.said, event))
            values.append(daemon.value("config_reload_successful"))

    code = daemon.run(act, reload=reload)

    assert (0, [0.0, 1.0]) == (code, values)
    assert [str(error)] == [line["error"] for line in daemon.said("config.reload_failed")]


def test_what_only_a_restart_can_change_is_said() -> None:
    """Another address, and another Lease, stay without effect, but not silently."""
    daemon = Daemon()
    other = replace(SELDOM, http=Http(port=1), election=Election("lease"), audit_file="audit")

    def act() -> None:
        daemon.wait_until(lambda: daemon.said("daemon.started"))
        os.kill(os.getpid(), signal.SIGHUP)
        daemon.wait_until(lambda: daemon.said("config.needs_restart"))

    daemon.run(act, reload=lambda: Work(other, daemon.sweep))

    assert [["http.listen", "leader_election", "audit.file"]] == [
        line["keys"] for line in daemon.said("config.needs_restart")
    ]


def test_new_content_reloads_without_a_signal(tmp_path: Path) -> None:
    """As a ConfigMap needs it: nobody signals a pod."""
    file = tmp_path / "janitor.yaml"
    file.write_text("a", encoding="utf-8")
    daemon = Daemon()

    def act() -> None:
        daemon.wait_until(lambda: daemon.said("daemon.started"))
        file.write_text("b", encoding="utf-8")
        daemon.wait_until(lambda: daemon.said("config.reloaded"))

    code = daemon.run(act, reload=lambda: Work(SELDOM, daemon.sweep), watch=Watch([file]))

    assert (0, 1) == (code, len(daemon.said("config.reloaded")))


def test_what_the_config_names_may_come_after_it(tmp_path: Path) -> None:
    """A refused config is tried again without being touched, and the log does not repeat itself."""
    file = tmp_path / "janitor.yaml"
    file.write_text("a", encoding="utf-8")
    daemon = Daemon()
    tries: list[object] = []

    def reload() -> Work:
        tries.append(None)
        if len(tries) < 4:  # some, so that there is something to repeat
            message = "users.yaml: does not exist"
            raise ConfigError(message)
        return Work(SELDOM, daemon.sweep)

    def act() -> None:
        daemon.wait_until(lambda: daemon.said("daemon.started"))
        file.write_text("b", encoding="utf-8")
        daemon.wait_until(lambda: daemon.said("config.reloaded"))

    watch = Watch([file], every=0.01, again=0.01)
    code = daemon.run(act, reload=reload, watch=watch)
    levels = [line["log_level"] for line in daemon.said("config.reload_failed")]

    assert (0, ["error", "debug", "debug"]) == (code, levels)
    assert daemon.value("config_reload_successful") == 1


def test_many_hangups_do_not_keep_a_stop_waiting() -> None:
    """They are one wish, however many came while the config was being read."""
    daemon = Daemon()
    reloads: list[object] = []

    def reload() -> Work:
        reloads.append(None)
        if len(reloads) == 1:
            for _ in range(100):
                os.kill(os.getpid(), signal.SIGHUP)
        return Work(SELDOM, daemon.sweep)

    def act() -> None:
        daemon.wait_until(lambda: daemon.said("daemon.started"))
        os.kill(os.getpid(), signal.SIGHUP)
        daemon.wait_until(lambda: len(reloads) > 1)

    code = daemon.run(act, reload=reload)

    assert (0, 2) == (code, len(reloads))


class Chair:
    """A leadership that is given and taken by hand."""

    def __init__(self) -> None:
        self.leads = False
        self.gone = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leads = False

    def demand(self) -> None:
        """Object unless we lead."""
        if not self.leads:
            raise NotLeader

    def lost(self) -> bool:
        """Say what was said."""
        return self.gone


def test_a_standby_sweeps_when_it_becomes_the_leader() -> None:
    """Not before, and then at once; the metrics say who leads."""
    daemon = Daemon()
    chair = Chair()
    seen: list[object] = []

    def act() -> None:
        daemon.wait_until(lambda: daemon.said("daemon.started"))
        seen.append((daemon.swept.wait(1), daemon.value("leader")))
        chair.leads = True
        seen.append((daemon.swept.wait(PATIENCE), daemon.value("leader")))

    code = daemon.run(act, leadership=chair)

    assert (0, [(False, 0.0), (True, 1.0)]) == (code, seen)


class Curious(Chair):
    """Looks at the first page as soon as it may."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port
        self.seen = 0

    def __enter__(self) -> Self:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", "/")
        self.seen = connection.getresponse().status
        connection.close()
        return self


def test_the_first_page_is_there_as_soon_as_anybody_answers() -> None:
    """Even before there is a schedule."""
    daemon = Daemon()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    chair = Curious(port)

    def act() -> None:
        daemon.wait_until(lambda: daemon.said("daemon.started"))

    code = daemon.run(act, replace(SELDOM, http=Http(port=port)), leadership=chair)

    assert (0, 200) == (code, chair.seen)


def test_whoever_loses_the_lease_ends() -> None:
    """With 1, for whoever restarts it: it never leads again in this life."""
    daemon = Daemon()
    chair = Chair()
    chair.leads = True

    def act() -> None:
        assert daemon.swept.wait(PATIENCE)
        chair.leads, chair.gone = False, True
        daemon.wait_until(daemon.stop.is_set)

    code = daemon.run(act, leadership=chair)

    assert (1, 1) == (code, len(daemon.said("leadership.lost")))


def test_a_sweep_that_the_ledger_stopped_shows_it() -> None:
    """It is a crash like others, and the gauge of the ledger says why."""
    daemon = Daemon()

    def act() -> None:
        daemon.wait_until(lambda: daemon.said("sweep.crashed"))

    def broken() -> SweepFinished:
        message = "the disk is full"
        raise LedgerError(message)

    daemon.sweep = broken  # type: ignore[method-assign]  # this one only breaks
    code = daemon.run(act)

    assert (0, 0.0, 1.0) == (code, daemon.value("ledger_ok"), daemon.value("sweep_failures_total"))


def test_systemd_is_told_of_the_whole_life(tmp_path: Path) -> None:
    """Ready when it serves, reloading and ready again, alive meanwhile, stopping at the end."""
    daemon = Daemon()
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.setblocking(False)  # noqa: FBT003  # a socket's own word
        notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"})

        def act() -> None:
            daemon.wait_until(lambda: daemon.said("daemon.started"))
            os.kill(os.getpid(), signal.SIGHUP)
            daemon.wait_until(lambda: daemon.said("config.reloaded"))

        daemon.run(act, reload=lambda: Work(SELDOM, daemon.sweep), notifier=notifier)
        heard = []
        with suppress(BlockingIOError):
            while True:
                heard.append(manager.recv(4096).decode().partition("\n")[0])

    assert ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"] == [
        message for message in heard if "WATCHDOG" not in message and "STATUS" not in message
    ]
    assert "WATCHDOG=1" in heard
    assert "STATUS=waiting for the next sweep" in heard
