"""The whole configuration as frozen types, after every check. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from janitor.plan import Limits
from janitor.targets import Execution, Target

DEFAULT_LEDGER = "sqlite:///janitor.db"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When `janitor serve` sweeps: by `cron` (five fields) or `every`; exactly one is set."""

    cron: str | None = None
    every: timedelta | None = timedelta(hours=6)
    timezone: str = "UTC"
    jitter: timedelta = timedelta(0)
    at_start: bool = True


@dataclass(frozen=True, slots=True)
class Http:
    """Where `janitor serve` listens."""

    host: str = "127.0.0.1"
    port: int = 10079


@dataclass(frozen=True, slots=True)
class Log:
    """How to log; `auto` is console on a terminal, else JSON."""

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a config file says, defaults written out.

    `ledger` is the URL of the janitor's memory; None means that it has none,
    which a file must ask for. It is not printed: it may hold a password.
    """

    targets: tuple[Target, ...]
    mode: Literal["report", "enforce"] = "report"
    ledger: str | None = field(default=None, repr=False)
    schedule: Schedule = field(default_factory=Schedule)
    limits: Limits = field(default_factory=Limits)
    execution: Execution = field(default_factory=Execution)
    http: Http = field(default_factory=Http)
    log: Log = field(default_factory=Log)
