"""Who is connected, in which stage, and who has to leave first. Pure: no sockets, no clock."""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol


class Stage(Enum):
    """Where a connection stands."""

    NEW = auto()  # has not brought a whole request header
    IDLE = auto()  # got its answer, asks nothing
    BUSY = auto()  # waits for its answer
    BLOCKED = auto()  # does not read its answer


# When there are too many: strangers first, those who are being answered never.
_LEAVE_FIRST = (Stage.NEW, Stage.IDLE, Stage.BLOCKED)


class Guest(Protocol):
    """One connection, as the crowd sees it."""

    def throw_out(self) -> None:
        """End it at once."""


class Crowd:
    """At most `most` connections, of which at most `most_blocked` do not read their answer.

    Both bound memory. For one more the one leaves that is longest in its stage.
    """

    def __init__(self, most: int, most_blocked: int) -> None:
        self._most = most
        self._most_blocked = most_blocked
        self._stage: dict[Guest, Stage] = {}
        self._queues: dict[Stage, dict[Guest, None]] = {stage: {} for stage in Stage}

    def __len__(self) -> int:
        return len(self._stage)

    def enter(self, guest: Guest) -> None:
        """Take somebody in, and throw out somebody for it if need be: the newcomer at worst."""
        if len(self._stage) >= self._most:
            others = (queue for stage in _LEAVE_FIRST if (queue := self._queues[stage]))
            leaver = next((_longest(queue) for queue in others), guest)
            self._throw_out(leaver)
            if leaver is guest:
                return
        self._put(guest, Stage.NEW)

    def move(self, guest: Guest, stage: Stage) -> bool:
        """Note that it is in this stage now; False if it was already, or is not here."""
        if self._stage.get(guest) in (None, stage):
            return False
        self.leave(guest)
        self._put(guest, stage)
        blocked = self._queues[Stage.BLOCKED]
        if len(blocked) > self._most_blocked:
            self._throw_out(_longest(blocked))
        return True

    def clear(self, *stages: Stage) -> None:
        """Throw out everybody who is in one of these stages."""
        for stage in stages:
            for guest in list(self._queues[stage]):
                self._throw_out(guest)

    def leave(self, guest: Guest) -> None:
        """Note that it has gone, if it was here."""
        stage = self._stage.pop(guest, None)
        if stage is not None:
            del self._queues[stage][guest]

    def _put(self, guest: Guest, stage: Stage) -> None:
        self._stage[guest] = stage
        self._queues[stage][guest] = None

    def _throw_out(self, guest: Guest) -> None:
        self.leave(guest)
        guest.throw_out()


def _longest(queue: dict[Guest, None]) -> Guest:
    return next(iter(queue))
