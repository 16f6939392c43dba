"""Builds clients and runs from settings: the only place where things are put together."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from janitor import __version__, providers
from janitor import ledger as ledgers
from janitor.engine.calls import Caller, Patience
from janitor.engine.descriptors import in_flight, open_files
from janitor.engine.flow import Flow
from janitor.engine.memory import RunLedger
from janitor.errors import ConfigError
from janitor.ledger.errors import LedgerError
from janitor.ledger.glance import Glance
from janitor.ledger.types import RunHeader
from janitor.model import ContainerRef
from janitor.observe.events import Observer, SweepFinished, fan_out
from janitor.providers.common import Common
from janitor.settings.types import Exposition, Prices, Settings
from janitor.sharding import Shard
from janitor.sweep import OUTLIVED, Job, Run, UploadName, sweep
from janitor.targets import LEASE, Execution, Target

if TYPE_CHECKING:
    from janitor.backends.away import Away
    from janitor.backends.staff import Staff


def utc_now() -> datetime:
    """Give the time of this machine."""
    return datetime.now(UTC)


def steady(now: Callable[[], datetime]) -> Callable[[], datetime]:
    """Take the time once and count on from there: a clock that steps must not age anything."""
    started, begun = now(), time.monotonic()
    return lambda: started + timedelta(seconds=time.monotonic() - begun)


def fingerprint(value: object) -> str:
    """Give a hash that is the same in every process exactly as long as the value is.

    Secrets do not count: they print as stars.
    """
    return hashlib.sha256(repr(value).encode(errors="backslashreplace")).hexdigest()


def config_fingerprint(settings: Settings) -> str:
    """Give the hash of everything that a config says but its mode."""
    return fingerprint(replace(settings, mode="report"))


def policy_fingerprint(target: Target) -> str:
    """Give the hash of everything that decides about a target's uploads."""
    return fingerprint((target.policy, target.prefix))


def showing(settings: Settings) -> tuple[str, Exposition, Prices, Mapping[str, float]]:
    """Give what metrics go by: the mode, how finely, and the prices, also those of targets."""
    prices = {
        target.name: target.price_per_gib_month
        for target in settings.targets
        if target.price_per_gib_month is not None
    }
    return settings.mode, settings.metrics, settings.prices, prices


def last_completes(
    settings: Settings, shard: Shard | None = None
) -> Mapping[ContainerRef, datetime]:
    """Tell from the ledger when containers of the targets, or a shard's, were last complete.

    Nothing where it cannot be read: what is wrong with a ledger is told by
    the sweep that wants to use it.
    """
    if settings.ledger is None:
        return {}
    try:
        with ledgers.open_ledger(settings.ledger, read_only=True, shard=shard) as ledger:
            remembered = ledger.last_completes().items()
    except LedgerError:
        return {}
    names = {target.name for target in settings.targets}
    return {where: moment for where, moment in remembered if where.target in names}


def new_run_id(now: datetime, shard: Shard | None = None, *, outlived: bool = False) -> str:
    """Name a run so that names sort by time and never repeat.

    A shard's tells which it is, and one that its workers may outlive says so.
    """
    name = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    if shard is not None:
        name += f"-shard-{shard.index}-of-{shard.count}"
    return name + OUTLIVED if outlived else name


def flow_of(settings: Settings) -> Flow:
    """Make the way out for the requests of one run, as wide as this process may have it."""
    execution = settings.execution
    wanted, part = execution.concurrency, 1.0
    if execution.backend != "threads":
        # Most sweeps have no workers, and what they take is long to import. So everywhere.
        from janitor.backends.pieces import OWN_SHARE, slots_of  # noqa: PLC0415  # see above

        wanted, part = slots_of(execution.concurrency, 1)[0], OWN_SHARE
    files = open_files(wanted)
    budget = in_flight(wanted, files)
    if budget < wanted:
        log = structlog.get_logger("janitor.sweep")
        log.warning("files.scarce", open_files=files, in_flight=budget)
    return Flow(
        budget,
        {target.name: execution.pace(target).part(part) for target in settings.targets},
    )


def away_of(settings: Settings) -> Away | None:
    """Say who makes the requests about uploads; None is this process.

    Raises ConfigError where workers could not read the config.
    """
    execution = settings.execution
    if execution.backend == "threads":
        return None
    if settings.file is None:
        message = (
            f"execution.backend: {execution.backend} needs a config that workers can read: name a"
            " file"
        )
        raise ConfigError(message)
    from janitor.backends.away import Away  # noqa: PLC0415  # as in `flow_of`

    return Away(_staff(execution), settings.file, execution.workers, lease_of(settings))


def lease_of(settings: Settings) -> float:
    """Tell for how many seconds a worker may begin aborts, after its piece was sent."""
    if settings.election is None:
        return LEASE
    # Whoever leads after us may begin a third of the duration after we ceased to.
    return min(LEASE, settings.election.duration.total_seconds() / 4)


def _staff(execution: Execution) -> Staff:
    """Say where workers come from; raise ConfigError where an extra is missing."""
    if execution.dask is None:
        from janitor.backends.processes import Processes  # noqa: PLC0415  # as in `flow_of`

        return Processes()
    try:
        # Dask is an extra, and slow to import.
        from janitor.backends.dask import DaskStaff  # noqa: PLC0415  # see above
    except ImportError as error:
        message = (
            "execution.backend: dask needs Dask, which is not installed:"
            " pip install 'upload-janitor[dask]'"
        )
        raise ConfigError(message) from error
    return DaskStaff(execution.dask)


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Runs sweeps with one configuration.

    `read_only` takes the way to abort away, whatever the configuration says;
    nothing gives it back. `stop` ends a sweep between two requests. `only`,
    `vet`, `permit` and `shard` are those of a `Run`.
    """

    settings: Settings
    observers: Sequence[Observer] = ()
    stop: threading.Event = field(default_factory=threading.Event)
    now: Callable[[], datetime] = utc_now
    patience: Patience = field(default_factory=Patience)
    read_only: bool = False
    every_upload: bool = False
    only: Mapping[UploadName, str] | None = None
    vet: Callable[[RunHeader], None] | None = None
    permit: Callable[[], None] = lambda: None
    shard: Shard | None = None

    @property
    def mode(self) -> str:
        """Say what this sweeper really does: report or enforce."""
        return "report" if self.read_only else self.settings.mode

    def sweep(self, more_observers: Iterable[Observer] = ()) -> SweepFinished:
        """Sweep all targets once; raise LedgerError where the ledger cannot be used."""
        tell = fan_out((*self.observers, *more_observers))
        execution = self.settings.execution
        caller = Caller(tell, self.stop, self.patience, flow_of(self.settings))
        now = steady(self.now)
        away = self._away()
        # Closed when nothing is under way any more.
        with Common() as common, self._ledger() as ledger:
            run = Run(
                run_id=new_run_id(now(), self.shard, outlived=execution.backend == "dask"),
                mode=self.mode,
                limits=self.settings.limits,
                execution=execution,
                caller=caller,
                tell=tell,
                now=now,
                wall=self.now,
                ledger=ledger,
                version=__version__,
                config_fingerprint=config_fingerprint(self.settings),
                every_upload=self.every_upload,
                only=self.only,
                vet=self.vet,
                permit=self.permit,
                shard=self.shard,
                away=away,
                lease=lease_of(self.settings),
            )
            jobs = [self._job(target, common) for target in self.settings.targets]
            return sweep(jobs, run)

    def _away(self) -> Away | None:
        return away_of(self.settings)

    @contextmanager
    def _ledger(self) -> Iterator[RunLedger | None]:
        """Open the ledger; a look that must not change anything only glances at it."""
        if self.settings.ledger is None:
            yield None
            return
        opened = ledgers.open_ledger(
            self.settings.ledger, read_only=self.read_only, shard=self.shard
        )
        with opened as ledger:
            yield Glance(ledger) if self.read_only else ledger

    def _job(self, target: Target, common: Common) -> Job:
        execution = self.settings.execution

        def load() -> providers.ProviderModule:
            return providers.load(target.provider)

        def connect() -> providers.Connection:
            return load().connect(target, execution, common)

        policy = policy_fingerprint(target)
        if self.mode != "enforce":
            return Job(target, connect, None, policy)
        return Job(target, connect, lambda: load().aborter(target, execution, common), policy)
