"""A sweeper that can die: at one chosen step nothing more reaches the ledger or the store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

from janitor.engine.memory import RunLedger
from janitor.providers.base import Aborter, Connection
from janitor.providers.common import Common
from janitor.sweep import Job
from janitor.targets import Target
from support.workforce import WorkedSweeper


class Dead(BaseException):
    """The process is gone; no `except Exception` survives that."""


@dataclass(frozen=True)
class Death:
    """Die before or after the `nth` call of a method of the ledger or the provider."""

    method: str
    after: bool = False
    nth: int = 1


class Fate:
    """Lets every step happen until the death that was chosen, and none from then on."""

    def __init__(self, death: Death | None = None) -> None:
        self.dead = False
        self._death = death
        self._left = 0 if death is None else death.nth
        self._lock = threading.Lock()

    def step(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap one method."""

        def stepped(*arguments: Any, **named: Any) -> Any:
            self._breathe()
            strikes = self._strikes(name)
            if strikes and self._death is not None and not self._death.after:
                self._die()
            result = function(*arguments, **named)
            if strikes:
                self._die()
            # What was under way when another thread died has no effect on us any more.
            self._breathe()
            return result

        return stepped

    def _breathe(self) -> None:
        if self.dead:
            raise Dead

    def _die(self) -> None:
        self.dead = True
        raise Dead

    def _strikes(self, name: str) -> bool:
        with self._lock:
            if self._death is None or self._death.method != name:
                return False
            self._left -= 1
            return self._left == 0


class Mortal:
    """Stands for a ledger, a connection, a reader or an aborter, as long as we live."""

    def __init__(self, real: Any, fate: Fate) -> None:
        self._real = real
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        """Wrap every method but `close`: the kernel closes what the dead leave open."""
        value = getattr(self._real, name)
        if not callable(value) or name == "close":
            return value
        stepped = self._fate.step(name, value)
        if name != "reader":
            return stepped
        return lambda *arguments: Mortal(stepped(*arguments), self._fate)


@dataclass(frozen=True)
class MortalSweeper(WorkedSweeper):
    """A real sweeper whose ledger and providers obey its fate."""

    fate: Fate = field(default_factory=Fate)

    @contextmanager
    def _ledger(self) -> Iterator[RunLedger | None]:
        with super()._ledger() as ledger:
            yield None if ledger is None else cast("RunLedger", Mortal(ledger, self.fate))

    def _job(self, target: Target, common: Common) -> Job:
        job = super()._job(target, common)

        def connect() -> Connection:
            return cast("Connection", Mortal(job.connect(), self.fate))

        def aborter() -> Aborter:
            assert job.aborter is not None
            return cast("Aborter", Mortal(job.aborter(), self.fate))

        return replace(job, connect=connect, aborter=None if job.aborter is None else aborter)
