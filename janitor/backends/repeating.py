"""Sends pieces of work that change nothing until one is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from janitor.backends.hands import TRIES, Sent
from janitor.backends.pieces import Reply
from janitor.backends.staff import WorkerLost
from janitor.engine.calls import PASSED, Deadline
from janitor.errors import DeadlineExceeded, JanitorError

T = TypeVar("T")


class Lost(JanitorError):  # noqa: N818  # says what happened
    """Worker after worker was lost at the same piece of work."""


def again(
    send: Callable[[], Sent],
    deadline: Deadline,
    take: Callable[[Sent, Reply], T],
    first: Sent | None = None,
) -> T:
    """Send a piece that changes nothing until its reply was taken; raise Lost in the end.

    It is sent again, too, where `take` raises WorkerLost. Raises the trouble of a
    worker, DeadlineExceeded and NoWorkers.
    """
    told = "it came too late, every time"
    for _ in range(TRIES):
        if first is None and deadline.left() <= 0:
            raise DeadlineExceeded(PASSED, code="deadline")
        sent, first = first or send(), None
        try:
            reply = sent.reply()
            if reply.trouble is None:
                return take(sent, reply)
        except WorkerLost as error:
            told = str(error)
    message = f"a piece of work was sent {TRIES} times in vain: {told}"
    raise Lost(message)
