"""Who may act: the one promise that the daemon and every abort rely on."""

from __future__ import annotations

from typing import Protocol, Self


class Leadership(Protocol):
    """Tells whether this process is the only one that may act.

    Seeks to lead between `with` and its end, in a thread of its own. Leaving
    gives the leadership back, in bounded time, so that another can begin.
    """

    @property
    def leads(self) -> bool:
        """Whether we surely lead now, by our own clocks; asks nobody, so it costs nothing."""
        ...

    def demand(self) -> None:
        """Return if we surely lead now, else raise NotLeader; for right before every abort."""
        ...

    def lost(self) -> bool:
        """Whether we led and then did not: once true, true for ever, and the process should end."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Alone:
    """There is nobody else: always leads."""

    @property
    def leads(self) -> bool:
        """Always."""
        return True

    def demand(self) -> None:
        """Never object."""

    def lost(self) -> bool:
        """Never."""
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass
