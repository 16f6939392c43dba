"""What the first page of the daemon tells: texts for people. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from janitor.observe.events import SweepFinished
from janitor.settings.types import Settings

_TIME = "%Y-%m-%d %H:%M:%S UTC"


def facts_of(  # noqa: PLR0913  # each is a line of the page
    settings: Settings,
    *,
    leads: bool,
    sweeping: bool,
    last: SweepFinished | None,
    next_sweep: datetime | None,
    reload_error: str | None,
    trouble: str | None,
) -> Mapping[str, str]:
    """Give labels and texts, in the order in which somebody wants to read them."""
    facts: dict[str, str] = {"mode": settings.mode}
    if settings.election is not None:
        facts["Role"] = "leader" if leads else "stands by for the leader"
    if reload_error is not None:
        facts["Config"] = (
            f"the last reload failed, the config before it is in force:\n{reload_error}"
        )
    if trouble is not None:
        facts["Certificates"] = trouble
    facts["Now"] = "sweeping" if sweeping else "waiting for the next sweep"
    facts["Last sweep"] = "none since this start" if last is None else _told(last)
    facts["Next sweep"] = "not planned" if next_sweep is None else f"{next_sweep:{_TIME}}"
    facts["Targets"] = ", ".join(target.name for target in settings.targets)
    return facts


def _told(sweep: SweepFinished) -> str:
    outcomes = Counter(str(result.outcome) for result in sweep.results)
    containers = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    listed, stale, aborted = (
        sum(getattr(result, name) for result in sweep.results)
        for name in ("listed", "stale", "aborted")
    )
    uploads = f"{listed:,} uploads listed, {stale:,} stale, {aborted:,} aborted"
    return f"{sweep.finished_at:{_TIME}}, exit code {sweep.exit_code}\n{uploads}\n{containers}"
