"""Whether this process is the one that acts, where there may be several."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self


class Leadership(Protocol):
    """Held, or not, between `with` and its end; never held twice by one process."""

    def __enter__(self) -> Self:
        """Begin to ask for it."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ask no more, and give it back, so that another can have it at once."""
        ...

    @property
    def leads(self) -> bool:
        """Whether we surely lead at this moment, by our own clock; nobody is asked."""
        ...

    def demand(self) -> None:
        """Do nothing if we surely lead; else raise NotLeader. Called before every abort."""
        ...

    def lost(self) -> bool:
        """Say whether we led once and do not any more: then the process must end."""
        ...


class Alone:
    """Leads always: there is nobody else."""

    def __enter__(self) -> Self:
        """Lead."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Lead no more."""

    @property
    def leads(self) -> bool:
        """Lead."""
        return True

    def demand(self) -> None:
        """Allow everything."""

    def lost(self) -> bool:
        """Lose nothing."""
        return False
