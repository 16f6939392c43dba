"""The first page tells people how things are, in the order in which they want to know."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from janitor.model import ContainerRef, ContainerResult, TargetOutcome
from janitor.observe.events import SweepFinished
from janitor.service.facts import facts_of
from janitor.settings.types import Election, Settings

AT = datetime(2026, 11, 20, 5, tzinfo=UTC)
QUIET: dict[str, Any] = {
    "leads": True,
    "sweeping": False,
    "last": None,
    "next_sweep": None,
    "reload_error": None,
    "trouble": None,
}


def test_a_fresh_daemon_has_little_to_tell() -> None:
    """Its mode first, and no word about what is not configured."""
    assert {
        "mode": "report",
        "Now": "waiting for the next sweep",
        "Last sweep": "none since this start",
        "Next sweep": "not planned",
        "Targets": "",
    } == facts_of(Settings(targets=()), **QUIET)


def test_trouble_stands_above_all_else() -> None:
    """A config that was refused, certificates that cannot be used, and who leads."""
    settings = replace(Settings(targets=()), election=Election("lease"), mode="enforce")
    more = {"leads": False, "sweeping": True, "next_sweep": AT}
    more |= {"reload_error": "line 3 is wrong", "trouble": "the key is another's"}
    facts = facts_of(settings, **(QUIET | more))

    assert ["mode", "Role", "Config", "Certificates", "Now"] == list(facts)[:5]
    assert "stands by for the leader" == facts["Role"]
    assert "line 3 is wrong" in facts["Config"]
    assert ("sweeping", "2026-11-20 05:00:00 UTC") == (facts["Now"], facts["Next sweep"])


def test_the_last_sweep_is_told_in_numbers() -> None:
    """When, with which exit code, how many uploads, and how its containers ended."""
    where = ContainerRef("lake", "s3", "bucket")
    complete = ContainerResult(where, TargetOutcome.COMPLETE, AT, AT, 1200, 30, aborted=30)
    denied = ContainerResult(where, TargetOutcome.FORBIDDEN, AT, AT)
    last = SweepFinished("r", "enforce", AT, AT, (complete, denied), 3)
    told = facts_of(Settings(targets=()), **(QUIET | {"last": last}))["Last sweep"]

    assert (
        "2026-11-20 05:00:00 UTC, exit code 3\n"
        "1,200 uploads listed, 30 stale, 30 aborted\n"
        "1 complete, 1 forbidden"
    ) == told
