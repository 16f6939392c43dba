"""Serves those who wait at the same moment by one step. Pure: no I/O, no clock, no SDK."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from janitor.fibers import Latch, offload

Asked = TypeVar("Asked")
Given = TypeVar("Given")


@dataclass(eq=False, slots=True)
class Ticket(Generic[Asked, Given]):
    """What one caller asked for, and what it is given: `given`, or else `error`."""

    asked: Asked
    given: Given | None = None
    error: BaseException | None = None
    leads: bool = False
    gate: Latch = field(default_factory=Latch)


Take = Callable[[], list[Ticket[Asked, Given]]]
Step = Callable[[Take[Asked, Given]], None]


class Together(Generic[Asked, Given]):
    """Carries out one step at a time, each for all who wait when it begins.

    Whoever comes alone is served at once, in its own thread; for a fiber, a
    helper of its hub does the step. Whoever comes while a step is under way
    waits for the next one. All are served in the order in which they came, at
    most `largest` by one step; nobody who came later is served earlier, so
    nobody waits for ever.

    The step calls what it is handed to get its tickets, and fills them in.
    Where it raises, each of them raises the same.
    """

    def __init__(self, step: Step[Asked, Given], largest: int) -> None:
        self._step = step
        self._largest = largest
        self._mutex = threading.Lock()
        self._led = False
        self._waiting: deque[Ticket[Asked, Given]] = deque()

    def ask(self, asked: Asked) -> Given:
        """Be served, alone or with others; raise what the step raised."""
        ticket: Ticket[Asked, Given] = Ticket(asked)
        with self._mutex:
            ticket.leads, self._led = not self._led, True
            self._waiting.append(ticket)
        if not ticket.leads:
            self._wait(ticket)
        if ticket.leads:
            offload(self._lead)
        if ticket.error is not None:
            raise ticket.error
        assert ticket.given is not None  # noqa: S101  # for mypy: else there is an error
        return ticket.given

    def _wait(self, ticket: Ticket[Asked, Given]) -> None:
        """Wait until we were served, or are the one who must lead the next step."""
        try:
            ticket.gate.wait()
        except BaseException:
            # Such as that of Ctrl-C. If a step is under way for us, nobody takes what it gives.
            with self._mutex:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
                if ticket.leads:
                    self._hand_on()
            raise

    def _lead(self) -> None:
        batch: list[Ticket[Asked, Given]] = []

        def take() -> list[Ticket[Asked, Given]]:
            with self._mutex:
                while self._waiting and len(batch) < self._largest:
                    batch.append(self._waiting.popleft())
            return batch

        try:
            self._step(take)
        except BaseException as error:
            _fail(batch or take(), error)
            raise
        finally:
            with self._mutex:
                self._hand_on()
            for ticket in batch:
                ticket.gate.open()

    def _hand_on(self) -> None:
        """Let the first of those who wait lead the next step; the mutex must be held."""
        if self._waiting:
            self._waiting[0].leads = True
            self._waiting[0].gate.open()
        else:
            self._led = False


def _fail(batch: list[Ticket[Asked, Given]], error: BaseException) -> None:
    if not isinstance(error, Exception):  # what breaks off one thread is none of the others'
        error = RuntimeError(f"what was done for several was broken off: {type(error).__name__}")
    for ticket in batch:
        ticket.error = ticket.error or _twin(error)


def _twin(error: BaseException) -> BaseException:
    """Give the same once more: threads that raise one object would mix up its traceback."""
    # Not through its own class: that may want to be told other things than it passes on.
    kind = type(error)
    twin = kind.__new__(kind, *error.args)
    twin.__dict__.update(error.__dict__)
    twin.__cause__, twin.__suppress_context__ = error.__cause__, error.__suppress_context__
    return twin
