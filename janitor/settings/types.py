"""The whole configuration as frozen types, after every check. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from janitor.plan import Limits
from janitor.targets import Execution, Secret, Target

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
class Tls:
    """How `janitor serve` proves who it is, and what it asks of clients; all are paths.

    `client_auth` has a meaning only with `client_ca`: optional checks the
    certificate of a client that brings one, required refuses all others.
    """

    cert: str
    key: str
    client_ca: str | None = None
    client_auth: Literal["none", "optional", "required"] = "none"
    min_version: Literal["TLS12", "TLS13"] = "TLS12"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may read what `janitor serve` shows; the hash is bcrypt's."""

    name: str
    password_hash: Secret


@dataclass(frozen=True, slots=True)
class Http:
    """Where `janitor serve` listens, and to whom it answers: to everybody if there are no users.

    `users_file` and `web_config_file` are the paths of the files that users, or
    TLS and users, were read from; at most one is set.
    """

    host: str = "127.0.0.1"
    port: int = 10079
    tls: Tls | None = None
    users: tuple[User, ...] = ()
    users_file: str | None = None
    web_config_file: str | None = None


@dataclass(frozen=True, slots=True)
class Exposition:
    """How finely metrics tell about containers, and how many of them at most.

    `detail` is what one series stands for; what is beyond `max_containers` is
    folded into one series for each target. It bounds the cost of a scrape.
    """

    detail: Literal["container", "target", "provider"] = "container"
    max_containers: int = 1000


@dataclass(frozen=True, slots=True)
class Prices:
    """What storage costs; a target can have a price of its own. No price, no cost metric."""

    currency: str = "USD"
    per_gib_month: float | None = None


@dataclass(frozen=True, slots=True)
class Push:
    """Where `janitor sweep` leaves its metrics, because nobody can scrape it.

    `grouping` are labels of the Pushgateway's group besides `job`. `textfile`
    is a path in node_exporter's directory.
    """

    pushgateway_url: str | None = None
    job: str = "upload_janitor"
    grouping: tuple[tuple[str, str], ...] = ()
    delete_on_success: bool = False
    textfile: str | None = None


@dataclass(frozen=True, slots=True)
class Election:
    """The Lease that decides which of several daemons sweeps; namespace None is the pod's own."""

    lease: str
    namespace: str | None = None
    duration: timedelta = timedelta(seconds=15)


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
    `side_files` are the files that were read besides the config, `file` is the
    absolute path of that, None where it came from elsewhere.
    """

    targets: tuple[Target, ...]
    mode: Literal["report", "enforce"] = "report"
    ledger: str | None = field(default=None, repr=False)
    schedule: Schedule = field(default_factory=Schedule)
    limits: Limits = field(default_factory=Limits)
    execution: Execution = field(default_factory=Execution)
    http: Http = field(default_factory=Http)
    metrics: Exposition = field(default_factory=Exposition)
    prices: Prices = field(default_factory=Prices)
    push: Push = field(default_factory=Push)
    election: Election | None = None
    audit_file: str | None = None
    log: Log = field(default_factory=Log)
    side_files: tuple[str, ...] = field(default=(), repr=False, compare=False)
    file: str | None = field(default=None, repr=False, compare=False)
