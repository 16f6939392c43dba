"""Observers are told what they hear of, and one that fails harms nobody."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import get_args

import pytest
import structlog
from support.observe_script import EVENTS, LAKE

from janitor.observe import logs
from janitor.observe.audit import AuditFile
from janitor.observe.audit_lines import line_of
from janitor.observe.events import (
    OF_REQUESTS,
    ContainerListed,
    Event,
    PageListed,
    RequestFinished,
    RequestRetried,
    SweepFinished,
    fan_out,
)
from janitor.observe.progress import Progress
from janitor.report.record import Recorder

KINDS = get_args(Event)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave the log as it was."""
    yield
    structlog.reset_defaults()


class Terminal(io.StringIO):
    """A stream that says that somebody looks."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_everybody_hears_everything_unless_he_says_otherwise() -> None:
    """A plain function is an observer, in the order of the events."""
    heard: list[Event] = []
    tell = fan_out([heard.append])
    for event in EVENTS:
        tell(event)

    assert list(EVENTS) == heard


def test_who_does_not_want_to_hear_is_not_told() -> None:
    """Asked once for each kind of event, not for each event."""
    asked: list[type[Event]] = []
    heard: list[Event] = []

    class OnlyEnds:
        def hears(self, kind: type[Event]) -> bool:
            asked.append(kind)
            return kind is SweepFinished

        def __call__(self, event: Event) -> None:
            heard.append(event)

    tell = fan_out([OnlyEnds()])
    for event in (*EVENTS, *EVENTS):
        tell(event)

    assert [EVENTS[-1]] * 2 == heard
    assert len(set(asked)) == len(asked)


def test_one_that_fails_is_not_the_others_trouble() -> None:
    """A mistake in one observer ends no sweep, and costs nobody an event."""
    heard: list[Event] = []

    def fail(_: Event) -> None:
        raise ZeroDivisionError

    tell = fan_out([fail, heard.append])
    tell(PageListed(LAKE, 1))

    assert [PageListed(LAKE, 1)] == heard


@pytest.mark.parametrize(("level", "expected"), [("debug", True), ("info", False)])
def test_the_log_hears_of_requests_at_debug_only(level: str, *, expected: bool) -> None:
    """At other levels a request costs the log nothing; a retry is worth a line."""
    logs.configure("json", level, io.StringIO())
    observer = logs.LogObserver()
    heard = {kind: observer.hears(kind) for kind in KINDS}
    debug = {ContainerListed, PageListed, RequestFinished}

    assert {kind: expected or kind not in debug for kind in KINDS} == heard


def test_what_the_log_does_not_hear_of_it_would_not_have_told() -> None:
    """Nothing is lost at info."""
    texts = []
    for observers in ([logs.LogObserver()], [logs.LogObserver().__call__]):
        stream = io.StringIO()
        logs.configure("json", "info", stream)
        tell = fan_out(observers)
        for event in EVENTS:
            tell(event)
        texts.append([line.partition('"level"')[2] for line in stream.getvalue().splitlines()])

    assert texts[0] == texts[1] != []


def test_the_audit_file_and_the_report_hear_of_all_that_is_not_of_requests() -> None:
    """These are counted, not kept."""
    audit = AuditFile("/nowhere/audit.jsonl")
    with Recorder() as recorder:
        for observer in (audit, recorder):
            assert {kind for kind in KINDS if not observer.hears(kind)} == OF_REQUESTS
    examples = (PageListed(LAKE, 1), RequestFinished(LAKE, "abort", 1), EVENTS[0])
    lines = [line_of(event, None) for event in (*examples, RequestRetried(LAKE, "abort", "x", 1))]

    assert [True, True, False, True] == [line is None for line in lines]


def test_progress_hears_nothing_where_nobody_looks() -> None:
    """In a CronJob it costs nothing."""
    silent, shown = Progress(io.StringIO()), Progress(Terminal())

    assert set() == {kind for kind in KINDS if silent.hears(kind)}
    assert PageListed in {kind for kind in KINDS if shown.hears(kind)}
