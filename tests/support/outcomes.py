"""What became of a call, as a value that can be compared: its result, or its error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """A result, or an error; `error` is None where there was none."""

    result: Any = None
    error: Exception | None = None

    @property
    def kind(self) -> type[Exception] | None:
        """The type of the error."""
        return None if self.error is None else type(self.error)


def outcome_of(call: Callable[[], Any]) -> Outcome:
    """Call, and keep what comes of it."""
    try:
        return Outcome(call())
    except Exception as error:  # noqa: BLE001  # the caller compares it
        return Outcome(error=error)
