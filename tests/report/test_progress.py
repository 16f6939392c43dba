from __future__ import annotations

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.report_samples import ARCHIVE, LAKE, troubled_sweep

from janitor.observe.events import ContainerListed, Event, PageListed
from janitor.observe.progress import Progress


class Terminal(io.StringIO):
    """A stream that says that a person is watching."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


class Clock:
    """Gives the seconds that it was told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        """Read the time."""
        return self.seconds


def test_the_line_says_how_far_the_listing_is() -> None:
    """The rate is over the time of the listing, and stands still when that is over."""
    clock = Clock()
    progress = Progress(Terminal(), clock)
    before = progress.line()
    clock.seconds = 102.0
    progress(PageListed(LAKE, 1000))
    progress(PageListed(LAKE, 1500))
    progress(PageListed(ARCHIVE, 0))
    clock.seconds = 200.0

    assert "containers listed 0/0 · pages 0 · uploads 0" == before
    assert "containers listed 0/2 · pages 3 · uploads 2,500 (1,250/s)" == progress.line()


def test_the_line_says_what_was_done() -> None:
    """Every outcome is counted by its own name: nothing counts as aborted that was not."""
    progress = Progress(Terminal(), Clock())
    for event in troubled_sweep():
        progress(event)

    assert (
        "containers listed 4/4 · pages 1 · uploads 3"
        " · aborted 31 · already_gone 1 · failed 1 · survived 1 · withheld 1"
    ) == progress.line()


def test_a_terminal_sees_the_line_and_keeps_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is erased at the end, so that only the report stays on the screen."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    with Progress(stream, Clock()) as progress:
        progress(PageListed(LAKE, 3))

    assert "containers listed 0/1 · pages 1 · uploads 3" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[1A\x1b[2K")


def test_a_file_sees_nothing() -> None:
    """A log must not fill with frames."""
    stream = io.StringIO()
    with Progress(stream) as progress:
        for event in troubled_sweep():
            progress(event)

    assert ("", "containers listed 0/0 · pages 0 · uploads 0") == (
        stream.getvalue(),
        progress.line(),
    )


def test_many_threads_may_tell_at_once() -> None:
    """Every event counts once."""
    progress = Progress(Terminal(), Clock())
    events: list[Event] = [PageListed(LAKE, 2), ContainerListed(ARCHIVE)] * 1000
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(progress, events))

    assert "containers listed 1,000/2 · pages 1,000 · uploads 2,000" == progress.line()


@pytest.mark.parametrize(
    "module",
    ["janitor.observe.progress", "janitor.report.record", "janitor.report.as_json"],
)
def test_what_a_cron_job_needs_does_not_load_rich(module: str) -> None:
    """A job without a terminal starts faster without it."""
    script = f"import sys, {module}; print('rich' in sys.modules)"
    run = subprocess.run(  # noqa: S603  # our own interpreter and our own words
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert "False\n" == run.stdout
