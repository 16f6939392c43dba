"""Runs the daemon: puts the service together from the settings."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

import click
from prometheus_client import CollectorRegistry, ProcessCollector

from janitor import settings
from janitor.errors import ConfigError
from janitor.observe import logs
from janitor.observe.audit import audit_of
from janitor.observe.events import Observer
from janitor.observe.hiding import hide_secrets
from janitor.observe.metrics import Metrics
from janitor.service.daemon import serve
from janitor.service.leadership import Alone, Leadership
from janitor.service.runner import Work
from janitor.service.watching import Watch
from janitor.settings.types import Election, Settings
from janitor.wiring import Sweeper, last_completes, showing

_STANDARD_INPUT = "-"


def run_serve(path: str, *, watch_config: bool) -> int:
    """Serve with the config at `path` until a signal comes, and give the exit code."""
    if watch_config and path == _STANDARD_INPUT:
        msg = "standard input cannot be watched: name a file"
        raise click.BadParameter(msg, param_hint="--watch-config")
    # Before the file is read: what is written from now on is news.
    watch = Watch([Path(path)]) if watch_config else None
    loaded = settings.load(path, os.environ)
    if watch is not None:
        watch.follow(_files(path, loaded))
    hide_secrets(loaded)
    logs.configure(loaded.log.format, loaded.log.level)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    metrics = Metrics(registry, *showing(loaded))
    metrics.seed(last_completes(loaded))
    with ExitStack() as stack:
        audit = audit_of(loaded)
        observers: list[Observer] = [metrics, logs.LogObserver()]
        if audit is not None:
            observers.append(stack.enter_context(audit))
        desk = _Desk(path, metrics, observers, _leadership(loaded.election), threading.Event())
        return serve(
            desk.work(loaded),
            metrics,
            desk.stop,
            reload=lambda: desk.reload(watch),
            watch=watch,
            leadership=desk.leadership,
        )


@dataclass(frozen=True, slots=True)
class _Desk:
    """Makes work of configs, for one daemon."""

    path: str
    metrics: Metrics
    observers: Sequence[Observer]
    leadership: Leadership
    stop: threading.Event

    def work(self, loaded: Settings) -> Work:
        sweeper = Sweeper(
            loaded, observers=self.observers, stop=self.stop, permit=self.leadership.demand
        )
        return Work(loaded, sweeper.sweep, lambda: self._adopt(loaded))

    def _adopt(self, loaded: Settings) -> None:
        logs.configure(loaded.log.format, loaded.log.level)
        self.metrics.configure(*showing(loaded))

    def reload(self, watch: Watch | None) -> Work:
        if self.path == _STANDARD_INPUT:
            msg = "the config came from standard input, which cannot be read again"
            raise ConfigError(msg)
        loaded = settings.load(self.path, os.environ)
        hide_secrets(loaded)
        with audit_of(loaded) or nullcontext():
            pass  # a config that enforces must have an audit file that can be written
        if watch is not None:
            watch.follow(_files(self.path, loaded))
        return self.work(loaded)


def _files(path: str, loaded: Settings) -> list[Path]:
    return [Path(path), *map(Path, loaded.side_files)]


def _leadership(election: Election | None) -> Leadership:
    if election is None:
        return Alone()
    # The client of Kubernetes is an extra, and slow to import.
    from janitor.service.lease import LeaseElector  # noqa: PLC0415  # see above

    return LeaseElector(election)
