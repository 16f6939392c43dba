"""What the targets of one run have in common; made when it is first needed. Imports no SDK."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Protocol, Self, TypeVar, cast


class Closing(Protocol):
    """Something that is to be closed when the run is over."""

    def close(self) -> None:
        """Close it; calling twice is fine."""


T = TypeVar("T", bound=Closing)


class Common:
    """One thing of each kind, for all who ask; closed together, when nobody asks any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[object, Closing] = {}

    def of(self, kind: Callable[[], T]) -> T:
        """Give the one of a kind; to make it must neither wait nor fail."""
        with self._lock:
            if kind not in self._made:
                self._made[kind] = kind()
            return cast("T", self._made[kind])

    def close(self) -> None:
        """Close all; calling twice is fine."""
        with self._lock:
            made = list(self._made.values())
            self._made.clear()
        # One that cannot be closed keeps no other one open.
        with ExitStack() as stack:
            for each in made:
                stack.callback(each.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
