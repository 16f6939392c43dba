from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from queue import Queue
from typing import IO, Any

import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from janitor.errors import JanitorError
from janitor.model import ContainerRef, ContainerResult, TargetOutcome
from janitor.observe.events import SweepFinished
from janitor.observe.metrics import Metrics
from janitor.service.daemon import serve
from janitor.service.runner import Work
from janitor.settings.types import Http, Schedule, Settings

CHILD = Path(__file__).with_name("daemon_child.py")
PATIENCE = 30
WHERE = ContainerRef("media", "qingstor", "your-bucket-name")
OFTEN = Schedule(every=timedelta(milliseconds=50))


class Child:
    """A daemon in a process of its own, with all that it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._heard: Queue[dict[str, Any] | None] = Queue()
        assert process.stderr is not None
        assert process.stdout is not None
        self._readers = [
            threading.Thread(target=self._read, args=(process.stderr, json.loads)),
            threading.Thread(target=self._read, args=(process.stdout, lambda t: {"event": t})),
        ]
        for reader in self._readers:
            reader.start()

    def wait_for(self, event: str) -> dict[str, Any]:
        """Wait until the child has said this."""
        while (line := self._heard.get(timeout=PATIENCE)) is not None:
            if line["event"] == event:
                return line
        message = f"the child never said {event}"
        raise AssertionError(message)

    def ask(self, url: str, path: str) -> tuple[int, str]:
        """Make one request to it."""
        host, _, port = url.removeprefix("http://").rpartition(":")
        with closing(HTTPConnection(host, int(port), timeout=PATIENCE)) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def leave(self) -> int:
        """Wait for its end and give its exit code."""
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return code

    def said(self, event: str) -> list[dict[str, Any]]:
        """Give all lines about one event."""
        return [line for line in self.lines if line["event"] == event]

    def _read(self, stream: IO[str], parse: Callable[[str], dict[str, Any]]) -> None:
        for text in stream:
            line = parse(text.rstrip("\n"))
            self.lines.append(line)
            self._heard.put(line)


@contextmanager
def child(kind: str) -> Iterator[Child]:
    """Start one, and see to it that it ends."""
    command = [sys.executable, "-W", "error", str(CHILD), kind]
    with subprocess.Popen(  # noqa: S603  # our own file
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        running = Child(process)
        try:
            yield running
        finally:
            if process.poll() is None:
                process.kill()
            running.leave()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_idle_is_a_clean_stop(number: signal.Signals) -> None:
    """It takes less than two seconds, ends with 0, and the log says why."""
    with child("idle") as running:
        running.wait_for("daemon.started")
        sent = time.monotonic()
        running.process.send_signal(number)
        code = running.leave()
        took = time.monotonic() - sent

    (stopping,) = running.said("daemon.stopping")

    assert (0, True, number.name, False, 0) == (
        code,
        took < 2,
        stopping["signal"],
        stopping["sweeping"],
        running.said("daemon.stopped")[0]["exit_code"],
    )


def test_a_daemon_answers_while_it_waits() -> None:
    """Metrics and health are served after the first sweep, with figures from it."""
    with child("quick") as running:
        url = running.wait_for("daemon.started")["url"]
        answers = {path: running.ask(url, path) for path in ("/-/healthy", "/-/ready", "/metrics")}
        running.process.terminate()
        code = running.leave()

    assert (0, (200, "ok\n"), (200, "ok\n"), 200, True) == (
        code,
        answers["/-/healthy"],
        answers["/-/ready"],
        answers["/metrics"][0],
        "janitor_next_sweep_timestamp_seconds " in answers["/metrics"][1],
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_cuts_a_sweep_short_within_a_second(number: signal.Signals, code: int) -> None:
    """The sweep sees the stop, ends early, and the exit code says by which signal."""
    with child("long") as running:
        running.wait_for("daemon.started")
        if not running.said("sweeping"):
            running.wait_for("sweeping")
        sent = time.monotonic()
        running.process.send_signal(number)
        running.wait_for("daemon.stopping")
        noticed = time.monotonic() - sent
        left = running.leave()

    assert (code, True, True) == (
        left,
        noticed < 1,
        running.said("daemon.stopping")[0]["sweeping"],
    )


def test_a_sweep_that_ends_well_in_spite_of_the_stop_is_success() -> None:
    """Nothing was cut short, so nothing is wrong."""
    with child("tidy") as running:
        running.wait_for("sweeping")
        running.process.terminate()
        code = running.leave()

    assert code == 0


def test_until_the_sweep_has_ended_the_web_still_answers() -> None:
    """It is the last to go: ready says that the daemon is stopping, healthy that it is well."""
    with child("deaf") as running:
        url = running.wait_for("daemon.started")["url"]
        if not running.said("sweeping"):
            running.wait_for("sweeping")
        running.process.terminate()
        running.wait_for("daemon.stopping")
        ready = running.ask(url, "/-/ready")
        healthy = running.ask(url, "/-/healthy")
        running.process.terminate()
        code = running.leave()

    assert ((503, "the daemon is stopping\n"), (200, "ok\n"), 143) == (ready, healthy, code)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_it_at_once(number: signal.Signals, code: int) -> None:
    """Even if the sweep listens to nobody."""
    with child("deaf") as running:
        running.wait_for("daemon.started")
        if not running.said("sweeping"):
            running.wait_for("sweeping")
        running.process.terminate()
        running.wait_for("daemon.stopping")
        sent = time.monotonic()
        running.process.send_signal(number)
        left = running.leave()

    assert (code, True, []) == (left, time.monotonic() - sent < 2, running.said("daemon.stopped"))


def test_a_hung_sweep_ends_the_daemon() -> None:
    """A server that drips bytes must not keep it busy for ever: whoever restarts it begins anew."""
    with child("hung") as running:
        hung = running.wait_for("sweep.hung")
        code = running.leave()

    assert (1, "critical") == (code, hung["level"])


def test_a_crash_of_the_first_sweep_does_not_end_the_daemon() -> None:
    """It is logged with its trace, and the daemon goes on waiting for the next."""
    with child("crash") as running:
        crashed = running.wait_for("sweep.crashed")
        if not running.said("daemon.started"):
            running.wait_for("daemon.started")
        alive = running.process.poll() is None
        running.process.terminate()
        code = running.leave()

    assert (True, 0, True) == (alive, code, "RuntimeError: crash" in crashed["exception"])


def finished(outcome: TargetOutcome = TargetOutcome.COMPLETE) -> SweepFinished:
    """Make the end of a sweep."""
    now = datetime.now(UTC)
    result = ContainerResult(WHERE, outcome, now, now)
    return SweepFinished("r", "report", now, now, (result,), 0)


def settings(schedule: Schedule = OFTEN, port: int = 0) -> Settings:
    """Make settings of a daemon on a free port."""
    return Settings(targets=(), schedule=schedule, http=Http(port=port))


def new_metrics() -> Metrics:
    """Make metrics with a registry of their own."""
    return Metrics(CollectorRegistry(), "report")


@pytest.fixture(autouse=True)
def _plain_structlog() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def test_crashes_are_counted_and_sweeps_go_on() -> None:
    """Two crashes, then a good sweep: three sweeps, two failures; a stop from inside is clean."""
    stop = threading.Event()
    metrics = new_metrics()
    calls: list[int] = []

    def sweep() -> SweepFinished:
        calls.append(1)
        if len(calls) < 3:
            raise SystemExit(9)
        end = finished()
        metrics(end)
        stop.set()
        return end

    with capture_logs() as lines:
        code = serve(Work(settings(), sweep), metrics, stop)

    crashes = [line for line in lines if line["event"] == "sweep.crashed"]

    assert (0, 3.0, 2.0, 2) == (
        code,
        metrics.registry.get_sample_value("janitor_sweeps_total"),
        metrics.registry.get_sample_value("janitor_sweep_failures_total"),
        len(crashes),
    )


@pytest.mark.parametrize(
    ("outcome", "code"), [(TargetOutcome.COMPLETE, 0), (TargetOutcome.INTERRUPTED, 143)]
)
def test_a_stop_by_other_means_is_like_a_termination(outcome: TargetOutcome, code: int) -> None:
    """Whoever sets the event gets the exit codes of SIGTERM."""
    stop = threading.Event()

    def sweep() -> SweepFinished:
        stop.set()
        return finished(outcome)

    assert code == serve(Work(settings(), sweep), new_metrics(), stop)


def test_after_a_stop_no_sweep_begins() -> None:
    """Not even the one that was due at the start."""
    stop = threading.Event()
    stop.set()
    calls: list[int] = []

    def sweep() -> SweepFinished:
        calls.append(1)
        return finished()

    assert (0, []) == (serve(Work(settings(), sweep), new_metrics(), stop), calls)


def test_signal_handlers_are_as_before_afterwards() -> None:
    """A daemon in a test, or in somebody's program, leaves no trace."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    stop = threading.Event()
    stop.set()
    serve(Work(settings(), finished), new_metrics(), stop)

    assert before == [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]


def test_a_signal_to_this_very_process_stops_it() -> None:
    """The handler hands it to the main thread, which sets the event that the sweep watches."""
    stop = threading.Event()

    def sweep() -> SweepFinished:
        os.kill(os.getpid(), signal.SIGTERM)
        stop.wait(PATIENCE)
        return finished(TargetOutcome.INTERRUPTED)

    with capture_logs() as lines:
        code = serve(Work(settings(), sweep), new_metrics(), stop)

    told = [line.get("signal") for line in lines if line["event"] == "daemon.stopping"]

    assert (143, ["SIGTERM"], True) == (code, told, stop.is_set())


def test_a_daemon_that_lost_its_web_server_breaks_down() -> None:
    """It ends with 1, for whoever restarts it, instead of living on unseen."""
    stop = threading.Event()

    def sweep() -> SweepFinished:
        (web,) = [thread for thread in threading.enumerate() if thread.name == "web"]
        kill_web()
        web.join(PATIENCE)
        return finished()

    def kill_web() -> None:
        import gc  # noqa: PLC0415  # only this test looks for it

        from janitor.service.web import Web  # noqa: PLC0415  # the same

        for each in gc.get_objects():
            if isinstance(each, Web) and each.alive:
                each.__exit__()

    with capture_logs() as lines:
        code = serve(Work(settings(), sweep), new_metrics(), stop)

    assert (1, ["critical"], True) == (
        code,
        [line["log_level"] for line in lines if line["event"] == "daemon.broken"],
        stop.is_set(),
    )


def test_a_taken_address_is_an_error_before_the_first_sweep() -> None:
    """Nothing was begun that would have to be stopped."""
    calls: list[int] = []

    def sweep() -> SweepFinished:
        calls.append(1)
        return finished()

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(JanitorError, match="Address already in use"):
            serve(Work(settings(port=port), sweep), new_metrics(), threading.Event())

    assert calls == []


def test_a_schedule_that_makes_no_sense_is_an_error() -> None:
    """Told before anything starts."""
    schedule = Schedule(cron="0 0 31 2 *", every=None)
    with pytest.raises(ValueError, match="Bad day-of-month"):
        serve(Work(settings(schedule), finished), new_metrics(), threading.Event())
