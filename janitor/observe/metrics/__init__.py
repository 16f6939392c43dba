"""What happened, as Prometheus metrics, in a registry that is handed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Literal

from prometheus_client import CollectorRegistry

from janitor.model import ContainerRef
from janitor.observe.events import (
    BudgetCounted,
    Event,
    LimitReached,
    PageListed,
    RequestFinished,
    RequestRetried,
    RequestsBegun,
    SweepFinished,
    SweepStarted,
    UploadFinished,
)
from janitor.observe.metrics.counters import Counters
from janitor.observe.metrics.standing import standings_after, with_memories
from janitor.observe.metrics.state import Snapshot, State
from janitor.observe.metrics.view import Tariff
from janitor.settings.types import Exposition, Prices

# Exit codes of sweeps that ended well, or that somebody asked to stop.
_FINE = frozenset({0, 130, 143})
_EXIT_CRASHED = 1

_EXPOSITION = Exposition()
_PRICES = Prices()
_NO_PRICES: Mapping[str, float] = MappingProxyType({})


def _now() -> datetime:
    return datetime.now(UTC)


class Metrics:
    """An observer that counts; `registry` is where its metrics can be read.

    Every method may be called from any thread. A scrape shows all of a change
    or nothing of it.
    """

    def __init__(  # noqa: PLR0913  # as many as `configure` has, and where and when
        self,
        registry: CollectorRegistry,
        mode: str,
        exposition: Exposition = _EXPOSITION,
        prices: Prices = _PRICES,
        target_prices: Mapping[str, float] = _NO_PRICES,
        *,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self.registry = registry
        self._now = now
        tariff = Tariff(prices, dict(target_prices))
        self._state = State(Snapshot(mode, exposition, tariff, reloaded_at=now()))
        registry.register(self._state)
        self._counters = Counters(registry)

    def __call__(self, event: Event) -> None:
        """Count what happened."""
        match event:
            case RequestFinished():
                self._counters.request(event)
            case RequestRetried():
                self._counters.retries.inc()
            case PageListed(_, uploads):
                self._counters.listed.inc(uploads)
            case UploadFinished(result):
                self._counters.upload(result, self._now())
            case LimitReached(limit):
                self._counters.limit_trips.labels(limit).inc()
            case BudgetCounted():
                self._state.update(
                    lambda now: replace(now, limits=event.limits, limits_left=event.left)
                )
            case RequestsBegun():
                self._state.update(lambda now: replace(now, loads=event.loads))
            case SweepStarted():
                self._state.update(lambda now: replace(now, mode=event.mode, in_progress=True))
            case SweepFinished():
                self._state.update(lambda now: _after(now, event))
            case _:
                pass  # what a container came to is in SweepFinished, all at once

    def configure(
        self,
        mode: str,
        exposition: Exposition,
        prices: Prices,
        target_prices: Mapping[str, float],
    ) -> None:
        """Go by another config from now on, for what is known already as well."""
        tariff = Tariff(prices, dict(target_prices))
        self._state.update(
            lambda now: replace(now, mode=mode, exposition=exposition, tariff=tariff)
        )

    def seed(self, last_complete: Mapping[ContainerRef, datetime]) -> None:
        """Show when containers were last complete by what a ledger remembers.

        They vanish with the next sweep that does not find them, like all others.
        """
        memories = dict(last_complete)
        self._state.update(
            lambda now: replace(now, standings=with_memories(now.standings, memories))
        )

    def sweep_crashed(self, *, ledger_failed: bool = False) -> None:
        """Count a sweep that ended without a word, maybe because of its ledger."""
        self._state.update(
            lambda now: replace(
                now,
                in_progress=False,
                sweeps=now.sweeps + 1,
                sweep_failures=now.sweep_failures + 1,
                last_exit_code=_EXIT_CRASHED,
                ledger_ok=False if ledger_failed else now.ledger_ok,
            )
        )

    def schedule_missed(self, reason: Literal["busy", "late"], times: int = 1) -> None:
        """Count sweeps that were due but not begun."""
        self._counters.missed.labels(reason).inc(times)

    def schedule_interval(self, interval: timedelta | None) -> None:
        """Show the longest time between two sweeps that is planned; None where none is."""
        self._state.update(lambda now: replace(now, interval=interval))

    def next_sweep(self, at: datetime | None) -> None:
        """Show when the next sweep is due."""
        self._state.update(lambda now: replace(now, next_sweep=at))

    def config_reloaded(self, *, successful: bool) -> None:
        """Show whether the config could be read again, and when it last could."""
        moment = self._now() if successful else None
        self._state.update(
            lambda now: replace(
                now, reload_successful=successful, reloaded_at=moment or now.reloaded_at
            )
        )

    def leader(self, leading: bool) -> None:  # noqa: FBT001  # its name asks the question
        """Show whether this process may sweep."""
        self._state.update(lambda now: replace(now, leader=leading))


def _after(now: Snapshot, event: SweepFinished) -> Snapshot:
    return replace(
        now,
        in_progress=False,
        last_sweep=event.finished_at,
        last_duration=max(timedelta(0), event.finished_at - event.started_at),
        last_exit_code=event.exit_code,
        sweeps=now.sweeps + 1,
        sweep_failures=now.sweep_failures + (event.exit_code not in _FINE),
        ledger_ok=event.ledger_usable,
        standings=standings_after(now.standings, event.results),
    )
