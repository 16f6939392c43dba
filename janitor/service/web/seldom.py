"""Warnings that strangers can cause at will: told at once, then only counted for a while."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import structlog

_SILENCE = 60.0


class SeldomLog:
    """Logs an event once in `silence` seconds, with how often it was left out since.

    Only for one thread. `clock` gives seconds and must not jump.
    """

    def __init__(
        self, silence: float = _SILENCE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._silence = silence
        self._clock = clock
        self._told: dict[str, float] = {}
        self._untold: dict[str, int] = {}
        self._log = structlog.get_logger("janitor.web")

    def warning(self, event: str, **fields: object) -> None:
        """Log the event, or count it where it was logged a short time ago."""
        now = self._clock()
        if now - self._told.get(event, -math.inf) < self._silence:
            self._untold[event] = self._untold.get(event, 0) + 1
            return
        self._told[event] = now
        self._log.warning(event, left_out=self._untold.pop(event, 0), **fields)
