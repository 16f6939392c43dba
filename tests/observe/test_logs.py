from __future__ import annotations

import io
import json
import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import structlog
import time_machine
from apscheduler.schedulers.background import BackgroundScheduler
from support.observe_script import (
    EVENTS,
    LAKE,
    NOW,
    RESULTS,
    VAULT,
    ended,
    finished,
    result,
    upload,
)

from janitor.model import Outcome, Reason, TargetOutcome
from janitor.observe.events import ContainerFinished, RequestRetried, SweepStarted
from janitor.observe.logs import LogObserver, configure, crashed, redact

GOLDEN = Path(__file__).parent / "golden"
CANARY = "nightingale/sings+in=the=mine"
FORMATS: tuple[Literal["console", "json"], ...] = ("console", "json")
SDKS = (
    *("alembic", "apscheduler", "boto3", "botocore", "qingstor-sdk", "s3transfer", "urllib3"),
    "uvicorn",
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Lie."""
        return True


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Put back what `configure` changes for the whole process."""
    root = logging.getLogger()
    names = [logging.getLogger(name) for name in (*SDKS, "botocore.auth")]
    levels = [(logger, logger.level) for logger in (root, *names)]
    handlers = list(root.handlers)
    yield
    root.handlers[:] = handlers
    for logger, level in levels:
        logger.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines_of(format: str, level: str, act: Callable[[], object]) -> list[str]:  # noqa: A002  # the config's word
    """Give the lines that an act leaves."""
    stream = io.StringIO()
    configure(format, level, stream)  # type: ignore[arg-type]
    act()
    return stream.getvalue().splitlines()


def tell_all() -> None:
    """Play the scripted sweep to an observer."""
    observer = LogObserver()
    for event in EVENTS:
        observer(event)


@pytest.mark.parametrize(("format", "suffix"), [("json", "jsonl"), ("console", "txt")])
def test_a_sweep_reads_as_the_golden_lines(format: str, suffix: str) -> None:  # noqa: A002
    """Every line of an eventful sweep is compared, at debug, with the clock standing still."""
    with time_machine.travel(NOW, tick=False):
        lines = lines_of(format, "debug", tell_all)

    assert (GOLDEN / f"sweep.{suffix}").read_text().splitlines() == lines


def test_every_line_of_a_sweep_carries_its_run_id_even_from_a_pool_thread() -> None:
    """Lines of other loggers in other threads carry it, too; lines after the sweep do not."""

    def act() -> None:
        observer = LogObserver()
        observer(EVENTS[0])
        with ThreadPoolExecutor(1) as pool:
            pool.submit(observer, RequestRetried(VAULT, "list_page", "SlowDown", 1)).result()
            pool.submit(logging.getLogger("elsewhere").warning, "hello").result()
        observer(finished())
        logging.getLogger("elsewhere").warning("goodbye")

    lines = [json.loads(line) for line in lines_of("json", "info", act)]

    assert ["run-1", "run-1", "run-1", "run-1", None] == [line.get("run_id") for line in lines]


def test_at_info_only_what_an_operator_wants_is_told() -> None:
    """Pages, requests and uploads that nothing happened to are left out."""
    lines = [json.loads(line) for line in lines_of("json", "info", tell_all)]

    assert [
        ("info", "sweep.started"),
        ("info", "request.retried"),
        ("warning", "limit.reached"),
        ("error", "upload.failed"),
        ("error", "upload.survived"),
        ("error", "container.crashed"),
        ("info", "container.finished"),
        ("warning", "container.finished"),
        ("info", "container.finished"),
        ("info", "target.finished"),
        ("info", "target.finished"),
        ("info", "target.finished"),
        ("warning", "sweep.finished"),
    ] == [(line["level"], line["event"]) for line in lines]


@pytest.mark.parametrize("outcome", list(TargetOutcome))
def test_a_container_is_a_warning_unless_complete_or_capped(outcome: TargetOutcome) -> None:
    """Every other outcome wants somebody's eye; where nothing was done, few want to know."""
    event = ContainerFinished(result(LAKE, outcome))
    lines = [json.loads(line) for line in lines_of("json", "debug", lambda: LogObserver()(event))]
    expected = {"complete": "debug", "capped": "info"}.get(outcome, "warning")

    assert [(expected, outcome)] == [(line["level"], line["outcome"]) for line in lines]


@pytest.mark.parametrize("done", ["aborted", "already_gone", "failed", "survived"])
def test_a_container_that_something_was_done_to_is_told(done: str) -> None:
    """At info, whatever came of it."""
    event = ContainerFinished(result(LAKE, **{done: 1}))  # type: ignore[arg-type]  # a count
    lines = [json.loads(line) for line in lines_of("json", "debug", lambda: LogObserver()(event))]

    assert ["info"] == [line["level"] for line in lines]


def test_a_target_of_many_containers_is_one_line_that_sums_them_up() -> None:
    """With 1000 quiet buckets an operator reads three lines, and not 1000."""
    buckets = [result(replace(LAKE, container=f"b{i}"), listed=3, stale=1) for i in range(1000)]

    def act() -> None:
        observer = LogObserver()
        observer(EVENTS[0])
        for each in buckets:
            observer(ContainerFinished(each))
        observer(finished(*buckets))

    lines = [json.loads(line) for line in lines_of("json", "info", act)]

    assert ["sweep.started", "target.finished", "sweep.finished"] == [x["event"] for x in lines]
    assert ("lake", "s3", 1000, {"complete": 1000}, 3000, 1000, "run-1") == tuple(
        lines[1][name]
        for name in ("target", "provider", "containers", "outcomes", "listed", "stale", "run_id")
    )


def test_a_complete_container_with_an_error_is_a_warning() -> None:
    """For example a glob that matches nothing: complete, but hardly what was meant."""
    event = ContainerFinished(result(LAKE, error="no container matches raw-*"))
    lines = [json.loads(line) for line in lines_of("json", "info", lambda: LogObserver()(event))]

    assert ["warning"] == [line["level"] for line in lines]


def test_auto_is_console_on_a_terminal_and_json_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """People get colours, machines get JSON; NO_COLOR takes the colours away again."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    colourful, plain, machine = Terminal(), Terminal(), io.StringIO()
    for stream in (colourful, plain, machine):
        configure("auto", "info", stream)
        structlog.get_logger("x").info("thing.done")
        monkeypatch.setenv("NO_COLOR", "1")

    assert (True, False, "thing.done") == (
        "\x1b[" in colourful.getvalue(),
        "\x1b[" in plain.getvalue(),
        json.loads(machine.getvalue())["event"],
    )


def test_standard_error_is_where_logs_go(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output belongs to data."""
    configure("json", "info")
    structlog.get_logger("x").info("thing.done")
    said = capsys.readouterr()

    assert ("", "thing.done") == (said.out, json.loads(said.err)["event"])


@pytest.mark.parametrize("name", [*SDKS, "botocore.auth", "urllib3.connectionpool"])
def test_sdks_never_speak_below_warning(name: str) -> None:
    """Not even when their own level is set to debug afterwards, as qingstor-sdk does."""

    def act() -> None:
        logger = logging.getLogger(name)
        before = logger.level
        logger.setLevel(logging.DEBUG)
        logger.debug(CANARY)
        logger.info(CANARY)
        logger.error("the sky falls")
        logger.setLevel(before)

    lines = [json.loads(line) for line in lines_of("json", "debug", act)]

    assert ["the sky falls"] == [line["event"] for line in lines]


def test_a_level_above_theirs_holds_for_sdks_too() -> None:
    """`error` silences the SDKs' warnings."""
    assert [] == lines_of("json", "error", lambda: logging.getLogger("boto3").warning("hm"))


def provoke() -> None:
    """Write a secret by every way that there is."""
    log = structlog.get_logger("janitor.x")
    plain = logging.getLogger("someone.else")
    nested = {"headers": [("Authorization", CANARY), {CANARY: {CANARY}}]}
    log.debug("thing.done", secret=CANARY, nested=nested, bytes=CANARY.encode(), thing=Exposed())
    log.info(CANARY)
    log.bind(bound=CANARY).warning("thing.done")
    plain.debug("%s and %r", CANARY, [CANARY])
    plain.error("url https://example.com/?X-Amz-Security-Token=%s", CANARY.replace("/", "%2F"))
    logging.getLogger("botocore.auth").debug("Signature:\n%s", CANARY)
    warnings.showwarning(CANARY, UserWarning, __file__, 1)
    try:
        fail_with_locals(CANARY)
    except ValueError:
        log.exception("thing.failed")
        plain.exception("it failed")
    LogObserver()(ended(upload(LAKE, "u", 9), Reason.STALE, Outcome.FAILED, f"said {CANARY}"))
    LogObserver()(ContainerFinished(result(LAKE, error=CANARY)))


class Exposed:
    """An object that shows a secret when it is printed."""

    def __repr__(self) -> str:
        return f"Exposed({CANARY!r})"


def fail_with_locals(secret: str) -> None:
    """Fail with a secret among the local variables and in the chain of causes."""
    try:
        dict[str, str]()[secret]
    except KeyError as error:
        message = f"no {secret}"
        raise ValueError(message) from error


@pytest.mark.parametrize("format", FORMATS)
def test_a_registered_secret_reaches_no_sink(format: str) -> None:  # noqa: A002
    """However it is written, at debug and in tracebacks, a secret comes out as stars."""
    redact(CANARY)
    text = "\n".join(lines_of(format, "debug", provoke))

    assert (True, []) == ("***" in text, re.findall("nightingale", text))


def test_tracebacks_show_no_local_variables() -> None:
    """A local variable that nobody registered is not shown either."""

    def act() -> None:
        local = "mocking" + chr(98) + "ird"
        try:
            int("x" * len(local))
        except ValueError:
            structlog.get_logger("x").exception("thing.failed")

    (line,) = [json.loads(line) for line in lines_of("json", "info", act)]

    assert (True, False) == ("Traceback" in line["exception"], "mockingbird" in line["exception"])


def test_a_key_cannot_forge_a_line_or_paint_the_terminal() -> None:
    """Control characters, line separators and direction marks are escaped on a console."""
    evil = "a\nb\r\x1b[31m\u2028\u202e\x85\udc80"
    lines = lines_of("console", "info", lambda: structlog.get_logger("x").info(evil, key=evil))
    escaped = r"a\nb\r\x1b[31m\u2028\u202e\x85\udc80"

    assert [2] == [line.count(escaped) for line in lines]


SEPARATORS = "a\nb\rc\x0bd\x0ce\x1cf\x1dg\x1eh\x85i\u2028j\u2029k\x1b[2Jl\u202em\u2066n\x00o\x9bp"


@pytest.mark.parametrize("format", FORMATS)
def test_whatever_ends_a_line_somewhere_is_escaped(format: str) -> None:  # noqa: A002
    """In values, names, messages, arguments and errors: one event is one line, and printable."""

    def act() -> None:
        structlog.get_logger("x").info(SEPARATORS, key=SEPARATORS, more={SEPARATORS: [SEPARATORS]})
        logging.getLogger("y").error("said %s", SEPARATORS)
        key = "Movies/" + SEPARATORS
        LogObserver()(ended(replace(upload(LAKE, "u", 9), key=key), Reason.STALE, Outcome.ABORTED))

    lines = lines_of(format, "debug", act)

    assert 3 == len(lines)
    assert all(line.isprintable() for line in lines)


def test_json_gives_every_character_back() -> None:
    """Escaping loses nothing."""
    (line,) = lines_of("json", "info", lambda: structlog.get_logger("x").info("e", key=SEPARATORS))

    assert SEPARATORS == json.loads(line)["key"]


def test_lines_of_the_schedulers_threads_carry_the_run_id_too() -> None:
    """A sweep runs in a thread of APScheduler, and its requests in those of a pool."""
    done = threading.Event()

    def job() -> None:
        observer = LogObserver()
        observer(EVENTS[0])
        with ThreadPoolExecutor(1) as pool:
            pool.submit(logging.getLogger("botocore.endpoint").warning, "slow").result()
        logging.getLogger("apscheduler.scheduler").warning("skipped")
        structlog.get_logger("janitor.x").info("thing.done")
        observer(finished())
        done.set()

    def act() -> None:
        scheduler = BackgroundScheduler()
        scheduler.add_job(job)
        scheduler.start()
        assert done.wait(20)
        scheduler.shutdown()

    lines = [json.loads(line) for line in lines_of("json", "info", act)]

    assert ["sweep.started", "slow", "skipped", "thing.done", "sweep.finished"] == [
        line["event"] for line in lines
    ]
    assert {"run-1"} == {line["run_id"] for line in lines}


def crash(secret: str) -> None:
    """End as a process of ours ends that has a mistake."""
    try:
        fail_with_locals(secret)
    except ValueError as error:
        crashed(type(error), error, error.__traceback__)


def test_a_crash_of_the_process_is_a_line_without_secrets() -> None:
    """Python's own traceback would print what the error quotes."""
    redact(CANARY)
    (line,) = [json.loads(text) for text in lines_of("json", "info", lambda: crash(CANARY))]

    assert ("critical", "janitor.crashed") == (line["level"], line["event"])
    assert "ValueError: no ***" in line["exception"]


def test_a_crash_before_there_is_a_log_is_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    """In Python's own form, but without secrets."""
    redact(CANARY)
    logging.getLogger().handlers[:] = []
    crash(CANARY)
    said = capsys.readouterr().err

    assert said.startswith("Traceback")
    assert said.endswith("ValueError: no ***\n")


def test_an_error_cannot_forge_a_line_on_a_console() -> None:
    """Every line of a trace is indented, and what it contains is escaped."""

    def act() -> None:
        try:
            raise ValueError("x\n2026-03-01 [info] all.well\x1b[2J")  # noqa: EM101, TRY003, TRY301
        except ValueError:
            structlog.get_logger("x").exception("thing.failed")

    lines = lines_of("console", "info", act)

    assert (1, r"    2026-03-01 [info] all.well\x1b[2J") == (
        len([line for line in lines if not line.startswith("    ")]),
        lines[-1],
    )


def test_a_line_that_cannot_be_made_is_lost_without_its_arguments() -> None:
    """A broken log call costs its line, tells so, and shows nothing."""
    assert ["a log line of x was lost: TypeError"] == lines_of(
        "json", "info", lambda: logging.getLogger("x").error("%d apples", CANARY)
    )


def test_a_closed_stream_does_not_stop_the_sweep() -> None:
    """When nobody reads the log any more, the work goes on."""
    stream = io.StringIO()
    configure("json", "info", stream)
    stream.close()
    LogObserver()(SweepStarted("run-2", "report", NOW, 1))
    LogObserver()(finished(*RESULTS))

    assert stream.closed
