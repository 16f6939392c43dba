"""How old a look may be that an abort rests on."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from janitor.engine.act import LONGEST_SINCE_LOOK, _Look
from janitor.model import ContainerRef, Decision, Reason, Upload, Verdict

NOW = datetime(2026, 11, 20, 5, tzinfo=UTC)
TICK = timedelta(microseconds=1)
UPLOAD = Upload(ContainerRef("lake", "s3", "bucket"), "key", "id", NOW)
STALE = Decision(UPLOAD, Verdict.ABORT, Reason.STALE, "default")


def test_a_look_may_be_thirty_seconds_old() -> None:
    """The published figure, and not a second more."""
    assert timedelta(seconds=30) == LONGEST_SINCE_LOOK


@pytest.mark.parametrize(
    ("wall", "expected"),
    [
        (timedelta(0), True),
        (LONGEST_SINCE_LOOK, True),
        (LONGEST_SINCE_LOOK + TICK, False),
        (-LONGEST_SINCE_LOOK, True),
        (-LONGEST_SINCE_LOOK - TICK, False),
    ],
)
def test_the_wall_clock_counts_both_ways(wall: timedelta, *, expected: bool) -> None:
    """A clock that was put back says as little as one that was put forward."""
    assert expected is _Look(STALE, NOW).is_recent(NOW + wall)


@pytest.mark.parametrize(("seconds", "expected"), [(1.0, True), (29.0, True), (31.0, False)])
def test_the_clock_that_never_jumps_counts_too(seconds: float, *, expected: bool) -> None:
    """A wall clock that was put back while we waited does not make a look younger."""
    look = _Look(STALE, NOW, ticks=time.monotonic() - seconds)

    assert expected is look.is_recent(NOW)


def test_nothing_was_sent_at_first() -> None:
    """An intent is concluded as sent only when it was."""
    assert not _Look(STALE, NOW).sent
