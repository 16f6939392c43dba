"""Runs begin and finish; a target that changed starts its grace again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.ledger_samples import (
    ARCHIVE,
    DAY,
    HOUR,
    LAKE,
    LAKE_HEADER,
    NOW,
    OTHER,
    decision_of,
    header_of,
    result_of,
    seen_of,
)

from janitor.ledger import Ledger, LedgerError, open_ledger
from janitor.ledger.types import Beginning, LastScan, PlanRecord, RunRecord, Sighting, TargetHeader
from janitor.model import Reason, TargetOutcome

IDENTITY = ("a/b", "id-1")
VAULT_HEADER = TargetHeader("archive", "glacier", "https://g.example", "us-west-2", "-", "p1")


def test_the_first_run_is_fresh_and_the_second_is_not(url: str) -> None:
    """Whoever has no volume for the ledger is told so at every start."""
    with open_ledger(url) as ledger:
        first = ledger.begin(header_of("run-1"))
    with open_ledger(url) as ledger:
        second = ledger.begin(header_of("run-2"))

    assert Beginning(fresh=True, changed_targets=frozenset(), runs_before=0) == first
    assert Beginning(fresh=False, changed_targets=frozenset(), runs_before=1) == second


def test_a_run_begins_only_once(ledger: Ledger) -> None:
    """Two runs of one name could not be told apart."""
    ledger.begin(header_of("run-1"))

    with pytest.raises(LedgerError, match="has begun run 'run-1' before"):
        ledger.begin(header_of("run-1"))


@pytest.mark.parametrize(
    "field", ["provider", "endpoint", "region", "account", "policy_fingerprint"]
)
def test_a_target_that_changed_starts_again(ledger: Ledger, field: str) -> None:
    """Whatever changes in a target, what was seen under it before proves nothing now."""
    ledger.begin(header_of("run-1", LAKE_HEADER, VAULT_HEADER))
    ledger.sight(LAKE, "run-1", NOW, [seen_of()])
    changed = replace(LAKE_HEADER, **{field: "other"})
    began = ledger.begin(header_of("run-2", changed, VAULT_HEADER))
    known = ledger.sightings(LAKE, [IDENTITY], NOW)
    again = ledger.sight(LAKE, "run-2", NOW + DAY, [seen_of()])

    assert frozenset({"lake"}) == began.changed_targets
    assert {} == known
    assert {IDENTITY: Sighting(NOW + DAY, "run-2", NOW + DAY)} == again


def test_other_targets_keep_their_sightings(ledger: Ledger) -> None:
    """A change of one target costs the others nothing."""
    ledger.begin(header_of("run-1", LAKE_HEADER, VAULT_HEADER))
    ledger.sight(ARCHIVE, "run-1", NOW, [seen_of(where=ARCHIVE, key=None)])
    ledger.begin(header_of("run-2", replace(LAKE_HEADER, region="other"), VAULT_HEADER))

    known = ledger.sightings(ARCHIVE, [("", "id-1")], NOW)

    assert {("", "id-1"): Sighting(NOW, "run-1", NOW)} == known


def test_a_run_that_leaves_a_target_out_does_not_hide_its_change(ledger: Ledger) -> None:
    """The comparison is with the last run that named the target."""
    ledger.begin(header_of("run-1", LAKE_HEADER))
    ledger.begin(header_of("run-2", VAULT_HEADER))

    began = ledger.begin(header_of("run-3", replace(LAKE_HEADER, policy_fingerprint="p2")))

    assert frozenset({"lake"}) == began.changed_targets


def test_an_account_that_cannot_be_learned_is_no_change(ledger: Ledger) -> None:
    """An outage of STS costs no grace, and hides no change of account either."""
    ledger.begin(header_of("run-1", LAKE_HEADER))
    unknown = ledger.begin(header_of("run-2", replace(LAKE_HEADER, account=None)))
    same = ledger.begin(header_of("run-3", LAKE_HEADER))
    ledger.begin(header_of("run-4", replace(LAKE_HEADER, account=None)))
    other = ledger.begin(header_of("run-5", replace(LAKE_HEADER, account="2" * 12)))

    assert frozenset() == unknown.changed_targets
    assert frozenset() == same.changed_targets
    assert frozenset({"lake"}) == other.changed_targets


def test_a_target_that_cannot_be_reached_is_no_change(ledger: Ledger) -> None:
    """A run that was stopped before it knew where it is costs no grace, and hides no move."""
    nowhere = replace(LAKE_HEADER, endpoint="", region="", account=None)
    moved = replace(LAKE_HEADER, endpoint="https://elsewhere.example")
    ledger.begin(header_of("run-1", LAKE_HEADER))
    stopped = ledger.begin(header_of("run-2", nowhere))
    back = ledger.begin(header_of("run-3", LAKE_HEADER))
    ledger.begin(header_of("run-4", nowhere))
    other = ledger.begin(header_of("run-5", moved))

    assert frozenset() == stopped.changed_targets == back.changed_targets
    assert {"lake"} == other.changed_targets


def test_history_tells_how_runs_ended(ledger: Ledger) -> None:
    """A run that was cut off has no end."""
    ledger.begin(header_of("run-1"))
    ledger.finish("run-1", NOW + HOUR, 3)
    ledger.begin(header_of("run-2", at=NOW + DAY))

    assert [
        RunRecord("run-2", "enforce", NOW + DAY, None, None, "0.1.0"),
        RunRecord("run-1", "enforce", NOW, NOW + HOUR, 3, "0.1.0"),
    ] == ledger.history(5)
    assert ["run-2"] == [run.run_id for run in ledger.history(1)]


def test_only_a_run_that_was_begun_can_be_used(ledger: Ledger) -> None:
    """Nothing is recorded for a run that nobody knows."""
    unknown = "knows no run 'nobody': begin it first"

    with pytest.raises(LedgerError, match=unknown):
        ledger.finish("nobody", NOW, 0)
    with pytest.raises(LedgerError, match=unknown):
        ledger.sight(LAKE, "nobody", NOW, [seen_of()])
    with pytest.raises(LedgerError, match=unknown):
        ledger.record_scans("nobody", NOW, [result_of()])
    with pytest.raises(LedgerError, match=unknown):
        ledger.intend("nobody", NOW, decision_of())


def test_the_last_scan_is_the_last_complete_one(ledger: Ledger) -> None:
    """A listing that broke off says nothing, whatever it counted."""
    ledger.begin(header_of())
    before = ledger.last_scan(LAKE)
    ledger.record_scans("run-1", NOW, [result_of(listed=10)])
    half = result_of(outcome=TargetOutcome.INCOMPLETE, listed=3)
    ledger.record_scans("run-1", NOW + HOUR, [half])

    assert before is None
    assert LastScan(NOW, 10, 0, 0) == ledger.last_scan(LAKE)
    assert ledger.last_scan(ARCHIVE) is None


def test_the_scans_of_a_run_are_recorded_together(ledger: Ledger) -> None:
    """Each container has its own figures; and one that cannot be written down leaves none."""
    ledger.begin(header_of())
    ledger.record_scans("run-1", NOW, [result_of(listed=3), result_of(where=OTHER, listed=4)])
    ledger.record_scans("run-1", NOW + HOUR, [])
    no_count: Any = object()
    with pytest.raises(LedgerError):
        ledger.record_scans(
            "run-1", NOW + HOUR, [result_of(listed=5), result_of(where=OTHER, listed=no_count)]
        )

    assert LastScan(NOW, 3, 0, 0) == ledger.last_scan(LAKE)
    assert LastScan(NOW, 4, 0, 0) == ledger.last_scan(OTHER)


def test_doubtful_scans_are_counted_until_one_is_believed(ledger: Ledger) -> None:
    """The count tells how often in a row the listing was suspicious."""
    ledger.begin(header_of())
    ledger.record_scans("run-1", NOW, [result_of()])
    empty = result_of(outcome=TargetOutcome.SUSPICIOUS_EMPTY, listed=0)
    ledger.record_scans("run-1", NOW + HOUR, [empty])
    ledger.record_scans("run-1", NOW + 2 * HOUR, [empty])
    doubted = ledger.last_scan(LAKE)
    ledger.record_scans("run-1", NOW + 3 * HOUR, [result_of(listed=0)])

    assert LastScan(NOW, 10, 0, 2) == doubted
    assert LastScan(NOW + 3 * HOUR, 0, 0, 0) == ledger.last_scan(LAKE)


def test_aborts_since_the_last_scan_are_those_after_which_an_upload_may_be_gone(
    ledger: Ledger,
) -> None:
    """The run's own aborts count, because it lists before it aborts; other containers' do not."""
    ledger.begin(header_of())
    ledger.record_scans("run-1", NOW, [result_of()])
    for number, outcome in enumerate(["aborted", "already_gone", "unknown", "failed", "not_sent"]):
        intent = ledger.intend("run-1", NOW, decision_of(f"id-{number}"))
        ledger.conclude(intent, NOW, outcome)
    ledger.intend("run-1", NOW, decision_of("open"))
    ledger.intend("run-1", NOW, decision_of("elsewhere", where=ARCHIVE))

    assert LastScan(NOW, 10, 4, 0) == ledger.last_scan(LAKE)


def test_a_plan_is_found_by_its_digest(ledger: Ledger) -> None:
    """`apply` accepts only plans that were made with this ledger."""
    ledger.begin(header_of())
    ledger.record_plan("d1", "run-1", NOW, NOW + HOUR)
    ledger.record_plan("d1", "run-1", NOW, NOW + DAY)

    assert PlanRecord("d1", "run-1", NOW, NOW + DAY) == ledger.plan("d1")
    assert ledger.plan("d2") is None


def test_pruning_forgets_aggregates_but_never_intents(ledger: Ledger) -> None:
    """After 400 d the scans go, all but the last sound one; the journal stays for ever."""
    for name in ("with scans", "with an intent", "with nothing", "last"):
        ledger.begin(header_of(name))
    ledger.record_scans("with scans", NOW, [result_of(listed=7)])
    ledger.record_scans("with scans", NOW, [result_of(listed=8)])
    intent = ledger.intend("with an intent", NOW, decision_of())
    ledger.conclude(intent, NOW, "aborted", size_freed=5)
    ledger.prune(NOW + 400 * DAY)
    before = len(ledger.history(9))
    ledger.prune(NOW + 401 * DAY)

    assert 4 == before
    assert LastScan(NOW, 8, 1, 0) == ledger.last_scan(LAKE)
    assert ["last", "with an intent", "with scans"] == [r.run_id for r in ledger.history(9)]
    assert ["aborted"] == [record.outcome for record in ledger.uploads_of_run("with an intent")]
    assert [] == ledger.audit()


def test_a_ledger_that_was_pruned_is_not_fresh(ledger: Ledger) -> None:
    """After a year of silence the first run is still not the first ever."""
    ledger.begin(header_of("run-1"))
    ledger.prune(NOW + 401 * DAY)
    began = ledger.begin(header_of("run-2"))

    assert not began.fresh


def test_a_scan_keeps_what_it_kept_for_which_reason(ledger: Ledger) -> None:
    """Any result can be recorded, with every field set."""
    ledger.begin(header_of())
    result = result_of(
        outcome=TargetOutcome.CAPPED,
        kept={Reason.YOUNG: 2},
        oldest_initiated=NOW - DAY,
        error="\0 \ud800",
    )
    ledger.record_scans("run-1", NOW, [result])

    assert LastScan(NOW, 10, 0, 0) == ledger.last_scan(LAKE)


def test_the_last_complete_scans_are_remembered(url: str) -> None:
    """A failure does not move the time, nor does a breaker that opened; a new process knows it."""
    outcomes = {
        LAKE: [TargetOutcome.COMPLETE, TargetOutcome.CAPPED, TargetOutcome.TRIPPED],
        OTHER: [TargetOutcome.COMPLETE, TargetOutcome.FORBIDDEN, TargetOutcome.SUSPICIOUS_EMPTY],
        ARCHIVE: [TargetOutcome.INCOMPLETE, TargetOutcome.FORBIDDEN, TargetOutcome.CRASHED],
    }
    with open_ledger(url) as ledger:
        for run in range(3):
            ledger.begin(header_of(f"run-{run}", LAKE_HEADER, VAULT_HEADER))
            for where, ended in outcomes.items():
                result = result_of(where=where, outcome=ended[run])
                ledger.record_scans(f"run-{run}", NOW + run * DAY, [result])
    with open_ledger(url, read_only=True) as ledger:
        known = ledger.last_completes()

    assert {LAKE: NOW + DAY, OTHER: NOW} == known


def test_a_container_that_the_last_scan_of_its_target_did_not_find_is_not_remembered(
    ledger: Ledger,
) -> None:
    """It was deleted, or is meant no more; other targets were scanned in runs of their own."""
    for run, found in enumerate([(LAKE, OTHER), (LAKE,), (ARCHIVE,)]):
        ledger.begin(header_of(f"run-{run}", LAKE_HEADER, VAULT_HEADER))
        for where in found:
            result = result_of(where=where)
            ledger.record_scans(f"run-{run}", NOW + run * DAY, [result])

    assert {LAKE: NOW + DAY, ARCHIVE: NOW + 2 * DAY} == ledger.last_completes()


def test_an_empty_ledger_remembers_no_scan(ledger: Ledger) -> None:
    """A run that was begun, and a container that was only sighted, say nothing."""
    ledger.begin(header_of("run-1"))
    ledger.sight(LAKE, "run-1", NOW, [seen_of()])

    assert {} == ledger.last_completes()
