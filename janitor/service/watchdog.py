"""Ends a process whose sweep does not end by itself: a server can drip bytes for ever."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from janitor.targets import Execution

EXIT_HUNG = 1
_A_MOMENT = 5.0


@contextmanager
def watchdog(execution: Execution) -> Iterator[None]:
    """End the process when the block takes longer than the run may and its last request can.

    After `run_timeout` no request is begun, and each that was ends with its
    timeouts, unless its server sends a byte now and then. What was intended
    is in the ledger, so the next run finds out what became of it.
    """
    last_request = execution.connect_timeout + execution.read_timeout
    seconds = (execution.run_timeout + last_request).total_seconds() + _A_MOMENT
    timer = threading.Timer(seconds, _give_up, [seconds])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _give_up(seconds: float) -> None:
    # Beside: the sweep may hang because nobody reads the log, and then this would hang, too.
    telling = threading.Thread(target=_tell, args=[seconds], daemon=True)
    telling.start()
    telling.join(_A_MOMENT)
    os._exit(EXIT_HUNG)


def _tell(seconds: float) -> None:
    structlog.get_logger("janitor.sweep").critical("sweep.hung", seconds=seconds)
