"""A signal may come at any instruction, also while a lock is held."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from janitor.commands.signals import Stop, stopping

TERMINATED = 143


@pytest.fixture
def stop() -> Iterator[Stop]:
    """Take signals."""
    with stopping() as made:
        yield made


@pytest.mark.timeout(20)
def test_a_signal_between_two_instructions_of_a_wait(stop: Stop) -> None:
    """Whoever waits for the stop holds its lock for a moment; a signal just then does not hang."""
    with stop.event._cond:  # type: ignore[attr-defined]  # noqa: SLF001  # no other way to be there
        signal.raise_signal(signal.SIGTERM)

    assert stop.event.wait(10)
    assert TERMINATED == stop.code(0)


def test_afterwards_signals_are_what_they_were(stop: Stop) -> None:
    """Nothing is left behind: neither a handler nor a thread."""
    before = signal.getsignal(signal.SIGTERM)
    with stopping() as inner:
        assert before != signal.getsignal(signal.SIGTERM)

    assert before == signal.getsignal(signal.SIGTERM)
    assert not inner.event.is_set()
    assert 1 == [thread.name for thread in threading.enumerate()].count("signals")
    assert 0 == stop.code(0)
