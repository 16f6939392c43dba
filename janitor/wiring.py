"""Builds clients and runs from settings: the only place where things are put together."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime

from janitor import providers
from janitor.engine.calls import Caller, Patience, RateLimit
from janitor.observe.events import Observer, SweepFinished, fan_out
from janitor.observe.redaction import redact
from janitor.settings.types import Settings
from janitor.sweep import Job, Run, sweep
from janitor.targets import Secret, Target


def utc_now() -> datetime:
    """Give the time of this machine."""
    return datetime.now(UTC)


def hide_secrets(value: object) -> None:
    """Make every secret in the settings unprintable for the logs, wherever it turns up."""
    if isinstance(value, Secret):
        redact(value.reveal())
    elif isinstance(value, tuple):
        for item in value:
            hide_secrets(item)
    elif is_dataclass(value):
        for field_ in fields(value):
            hide_secrets(getattr(value, field_.name))


def new_run_id(now: datetime) -> str:
    """Name a run so that names sort by time and never repeat."""
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Runs sweeps with one configuration.

    `read_only` takes the way to abort away, whatever the configuration says;
    nothing gives it back. `stop` ends a sweep between two requests.
    """

    settings: Settings
    observers: Sequence[Observer] = ()
    stop: threading.Event = field(default_factory=threading.Event)
    now: Callable[[], datetime] = utc_now
    patience: Patience = field(default_factory=Patience)
    read_only: bool = False
    every_upload: bool = False

    @property
    def mode(self) -> str:
        """Say what this sweeper really does: report or enforce."""
        return "report" if self.read_only else self.settings.mode

    def sweep(self, more_observers: Iterable[Observer] = ()) -> SweepFinished:
        """Sweep all targets once."""
        tell = fan_out((*self.observers, *more_observers))
        execution = self.settings.execution
        caller = Caller(tell, self.stop, self.patience, RateLimit(execution.requests_per_second))
        run = Run(
            run_id=new_run_id(self.now()),
            mode=self.mode,
            limits=self.settings.limits,
            execution=execution,
            caller=caller,
            tell=tell,
            now=self.now,
            every_upload=self.every_upload,
        )
        return sweep([self._job(target) for target in self.settings.targets], run)

    def _job(self, target: Target) -> Job:
        execution = self.settings.execution

        def load() -> providers.ProviderModule:
            return providers.load(target.provider)

        def connect() -> providers.Connection:
            return load().connect(target, execution)

        if self.mode != "enforce":
            return Job(target, connect)
        return Job(target, connect, lambda: load().aborter(target, execution))
